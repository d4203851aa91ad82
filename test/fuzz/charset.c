/*
 * charset.c
 *		Whatever the bytes are, valid UTF-8 without a NUL comes out.
 */
#include "charset.h"

#include "fuzz.h"

/* What came out goes in again as it is, and fits into a third of its room. */
static void
try_charset(OrlaCharset charset, const uint8_t *data, size_t size)
{
	size_t		cap = size * ORLA_CHARSET_GROWTH;
	char	   *text = room(cap);
	char	   *again = room(cap);
	bool		cut;
	size_t		len = orla_charset_to_utf8(charset, data, size, text, cap, &cut);
	size_t		half;

	MUST(!cut && memchr(text, '\0', len) == NULL);
	MUST(orla_charset_clip(text, len) == len);
	MUST(orla_charset_to_utf8(ORLA_CHARSET_UTF8, (uint8_t *) text, len, again, len, &cut) == len);
	MUST(!cut && memcmp(text, again, len) == 0);

	half = orla_charset_to_utf8(charset, data, size, again, len / 2, &cut);
	MUST(half <= len / 2 && half + 4 > len / 2 && memcmp(text, again, half) == 0);
	MUST(orla_charset_clip(text, len / 2) == half);
	free(again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t		mark;
	OrlaCharset charset = orla_charset_of(data, size, &mark);

	MUST(mark <= size);
	try_charset(charset, data + mark, size - mark);
	try_charset(ORLA_CHARSET_UTF8, data, size);
	try_charset(ORLA_CHARSET_UTF16BE, data, size);
	try_charset(ORLA_CHARSET_WINDOWS1252, data, size);
	orla_charset_is_text(data, size);
	return 0;
}
