/*
 * tap.h
 *		What the unit tests share: results in the Test Anything Protocol, and
 *		bytes from their published notation.
 */
#ifndef ORLA_TEST_TAP_H
#define ORLA_TEST_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64url.h"

static int	tap_count = 0;
static int	tap_failures = 0;

__attribute__((format(printf, 2, 3)))
static inline void
ok(bool good, const char *what,...)
{
	va_list		args;

	tap_count++;
	if (!good)
		tap_failures++;
	printf("%sok %d - ", good ? "" : "not ", tap_count);
	va_start(args, what);
	vprintf(what, args);
	va_end(args);
	putchar('\n');
}

/* For the end of main(). */
static inline int
done_testing(void)
{
	printf("1..%d\n", tap_count);
	return tap_failures == 0 ? 0 : 1;
}

/* The bytes of hexadecimal digits; returns their number. */
static inline size_t
unhex(const char *hex, uint8_t *bytes)
{
	size_t		n = strlen(hex) / 2;
	size_t		i;

	for (i = 0; i < n; i++)
	{
		unsigned int byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			abort();
		bytes[i] = byte;
	}
	return n;
}

/* The bytes of base64url that is known to be good. */
static inline size_t
unbase64url(const char *text, uint8_t *bytes, size_t cap)
{
	int			n = orla_base64url_decode(text, strlen(text), bytes, cap);

	if (n < 0)
		abort();
	return n;
}

/*
 * A copy that ends where its memory ends, so that a sanitizer sees a read
 * beyond it.  The caller frees it.
 */
static inline void *
exact_copy(const void *data, size_t n)
{
	void	   *copy = malloc(n > 0 ? n : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, data, n);
	return copy;
}

#endif							/* ORLA_TEST_TAP_H */
