/*
 * json_scan.h
 *		Walks over one JSON object (RFC 8259) in place.
 *
 * For tokens, whose header anybody can write: strict, with a bounded depth
 * and number of members, without recursion, and nothing is allocated.  Pure
 * C, usable without a server.
 *
 * What a name or a string means must not be a question of who reads it, so
 * members that repeat a name are refused, and so are escapes in names of the
 * object's own members and in strings that are taken out.  UTF-8 is checked.
 */
#ifndef ORLA_JSON_SCAN_H
#define ORLA_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Members that the object may have, and depth of a value inside of it. */
#define ORLA_JSON_MEMBERS_MAX	32
#define ORLA_JSON_DEPTH_MAX		32

/* The largest integer that all readers of JSON agree on (RFC 7493, 2.2). */
#define ORLA_JSON_INTEGER_MAX	INT64_C(9007199254740991)

/* Part of somebody else's text; no NUL follows.  data NULL: there is none. */
typedef struct OrlaText
{
	const char *data;
	size_t		len;
} OrlaText;

typedef struct OrlaJson
{
	const char *at;
	const char *end;
	OrlaText	names[ORLA_JSON_MEMBERS_MAX];
	int			members;		/* seen so far */
} OrlaJson;

typedef enum OrlaJsonStep
{
	ORLA_JSON_END,				/* the object, and the text, is complete */
	ORLA_JSON_MEMBER,			/* read or skip its value next */
	ORLA_JSON_MALFORMED,
	ORLA_JSON_REPEATED			/* a second member of this name */
} OrlaJsonStep;

/* The text must stay as long as json and what was read from it. */
extern void orla_json_open(OrlaJson *json, const char *text, size_t len);

extern OrlaJsonStep orla_json_next(OrlaJson *json, OrlaText *name);

/*
 * One of these takes the member's value.  False: it is malformed or of another
 * kind, and reading cannot go on.
 */
extern bool orla_json_string(OrlaJson *json, OrlaText *text);
extern bool orla_json_integer(OrlaJson *json, int64_t *integer);	/* from 0 */
extern bool orla_json_skip(OrlaJson *json);

/* White space, then c: for arrays whose elements are read one by one. */
extern bool orla_json_take(OrlaJson *json, char c);

/* Here, so that the length of a constant is known when it is compiled. */
static inline bool
orla_text_equals(OrlaText text, const char *expected)
{
	return text.data != NULL && text.len == strlen(expected) &&
		memcmp(text.data, expected, text.len) == 0;
}

#endif							/* ORLA_JSON_SCAN_H */
