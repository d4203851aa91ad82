/*
 * extract.h
 *		The text in a file, and what there is to say where it has none.
 */
#ifndef ORLA_EXTRACT_H
#define ORLA_EXTRACT_H

#include "postgres.h"

/* The text is palloc'd and in UTF-8; NULL unless outcome says that there is one. */
typedef struct OrlaExtract
{
	const char *outcome;		/* in words; docs/api.md lists them */
	const char *found_type;		/* media type of what was found, NULL: unknown */
	char	   *text;
	size_t		len;
} OrlaExtract;

/* media_type: what somebody says it is, or NULL. */
extern void orla_extract(const uint8 *bytes, size_t len, const char *media_type,
						 OrlaExtract *extract);

#endif							/* ORLA_EXTRACT_H */
