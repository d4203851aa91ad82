/*
 * charset.h
 *		Text as files have it: which character set it is in, and as UTF-8.
 */
#ifndef ORLA_CHARSET_H
#define ORLA_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum OrlaCharset
{
	ORLA_CHARSET_UTF8,
	ORLA_CHARSET_UTF16LE,
	ORLA_CHARSET_UTF16BE,
	ORLA_CHARSET_WINDOWS1252	/* of which Latin-1's letters are a part */
} OrlaCharset;

/* As UTF-8 no text gets longer than so many times its bytes. */
#define ORLA_CHARSET_GROWTH 3

/* By its mark at the beginning, whose length is told, else by how it looks. */
extern OrlaCharset orla_charset_of(const uint8_t *bytes, size_t len, size_t *mark);

/* Whether bytes, not in UTF-16, are text rather than something else. */
extern bool orla_charset_is_text(const uint8_t *bytes, size_t len);

/*
 * Writes as many whole characters as there is room for, and returns how many
 * bytes that are; *cut tells whether there was more.  The result is valid UTF-8
 * without a NUL: those are left out, and what is no character becomes U+FFFD.
 */
extern size_t orla_charset_to_utf8(OrlaCharset charset, const uint8_t *bytes, size_t len,
								   char *out, size_t room, bool *cut);

/* len, or less where the last character of UTF-8 was cut into. */
extern size_t orla_charset_clip(const char *text, size_t len);

#endif							/* ORLA_CHARSET_H */
