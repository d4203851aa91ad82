/*
 * fuzz.h
 *		What the harnesses share.
 *
 * A harness is called by libFuzzer with bytes that it invents.  Memory errors
 * and undefined behaviour are the sanitizers' to notice; what else must hold
 * is asserted with MUST().
 */
#ifndef ORLA_FUZZ_H
#define ORLA_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: must hold: %s\n", \
					__FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Memory of exactly n bytes, so that a sanitizer sees one more. */
static inline void *
room(size_t n)
{
	void	   *memory = malloc(n > 0 ? n : 1);

	MUST(memory != NULL);
	return memory;
}

/* The bytes as a text with a NUL of its own at the end.  The caller frees it. */
static inline char *
as_text(const uint8_t *data, size_t size)
{
	char	   *text = room(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* Does part[0..part_len-1] lie in whole[0..whole_len-1]? */
static inline bool
lies_in(const void *part, size_t part_len, const void *whole, size_t whole_len)
{
	uintptr_t	from = (uintptr_t) part;
	uintptr_t	start = (uintptr_t) whole;

	return from >= start && part_len <= whole_len &&
		from - start <= whole_len - part_len;
}

#endif							/* ORLA_FUZZ_H */
