/*
 * file_kind.h
 *		What kind of file bytes are.
 */
#ifndef ORLA_FILE_KIND_H
#define ORLA_FILE_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum OrlaFileKind
{
	ORLA_FILE_EMPTY,
	ORLA_FILE_TEXT,				/* also Markdown and CSV */
	ORLA_FILE_MARKUP,			/* HTML, SVG */
	ORLA_FILE_PDF,
	ORLA_FILE_PACKAGE,			/* a ZIP; may be a DOCX */
	ORLA_FILE_LOCKED_OFFICE,	/* an Office file with a password */
	ORLA_FILE_OTHER
} OrlaFileKind;

/* media_type: what somebody says it is, or NULL. */
extern OrlaFileKind orla_file_kind(const uint8_t *bytes, size_t len, const char *media_type);

/* The media type of markup that is known by how it begins, NULL for anything else. */
extern const char *orla_markup_type(const uint8_t *bytes, size_t len);

/* Whether a media type, whatever its parameters, is this one. */
extern bool orla_is_said_to_be(const char *media_type, const char *type);

#endif							/* ORLA_FILE_KIND_H */
