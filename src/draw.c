/*
 * draw.c
 *		Random bytes, or an error.
 */
#include "postgres.h"

#include "crypto.h"
#include "draw.h"

void
orla_draw(void *bytes, size_t n)
{
	if (!orla_random(bytes, n))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not draw random bytes")));
}
