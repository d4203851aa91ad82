/*
 * uuidtext.h
 *		The canonical text of a uuid, and no other.
 *
 * uuid_in() also takes braces, missing hyphens and raises; where a value may
 * be a uuid or a token, the question needs a plain yes or no.
 */
#ifndef ORLA_UUIDTEXT_H
#define ORLA_UUIDTEXT_H

#include "postgres.h"

#include "utils/uuid.h"

#define ORLA_UUID_TEXT_LEN	36

/* True when text[0..len-1] is 8-4-4-4-12 hexadecimal digits. */
extern bool orla_uuid_parse(const char *text, size_t len, pg_uuid_t *uuid);

extern void orla_uuid_print(const pg_uuid_t *uuid,
							char text[ORLA_UUID_TEXT_LEN + 1]);

extern bool orla_uuid_equal(const pg_uuid_t *a, const pg_uuid_t *b);

#endif							/* ORLA_UUIDTEXT_H */
