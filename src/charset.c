/*
 * charset.c
 *		Text as files have it: which character set it is in, and as UTF-8.
 *
 * Free of the server, so that it can be tested and fuzzed alone.
 */
#include "charset.h"

#include <string.h>

#define REPLACEMENT 0xFFFD

/* 0x80 to 0x9f, where Windows-1252 differs from Latin-1. */
static const uint16_t windows1252[32] = {
	0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
	0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
	0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
	0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178
};

/* ---- one character ------------------------------------------------------ */

/* How many bytes the first character has, 0 when it is none. */
static size_t
utf8_length(const uint8_t *b, size_t len)
{
	uint8_t		low = 0x80;
	uint8_t		high = 0xBF;
	size_t		n = b[0] < 0x80 ? 1 : b[0] < 0xC2 ? 0 : b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : b[0] < 0xF5 ? 4 : 0;
	size_t		i;

	if (n > len)
		return 0;
	if (b[0] == 0xE0)
		low = 0xA0;				/* written longer than need be */
	else if (b[0] == 0xED)
		high = 0x9F;			/* half of a pair of UTF-16 */
	else if (b[0] == 0xF0)
		low = 0x90;
	else if (b[0] == 0xF4)
		high = 0x8F;			/* beyond Unicode */
	for (i = 1; i < n; i++)
	{
		if (b[i] < low || b[i] > high)
			return 0;
		low = 0x80;
		high = 0xBF;
	}
	return n;
}

static size_t
next_utf8(const uint8_t *b, size_t len, uint32_t *code)
{
	size_t		n = utf8_length(b, len);
	size_t		i;

	*code = n == 0 ? REPLACEMENT : n == 1 ? b[0] : b[0] & (0x7F >> n);
	for (i = 1; i < n; i++)
		*code = *code << 6 | (b[i] & 0x3F);
	return n == 0 ? 1 : n;
}

static uint32_t
unit_of_utf16(const uint8_t *b, bool big_endian)
{
	return big_endian ? b[0] << 8 | b[1] : b[1] << 8 | b[0];
}

static size_t
next_utf16(const uint8_t *b, size_t len, bool big_endian, uint32_t *code)
{
	uint32_t	second;

	*code = REPLACEMENT;
	if (len < 2)
		return len;
	*code = unit_of_utf16(b, big_endian);
	if (*code < 0xD800 || *code > 0xDFFF)
		return 2;
	second = len < 4 ? 0 : unit_of_utf16(b + 2, big_endian);
	if (*code > 0xDBFF || second < 0xDC00 || second > 0xDFFF)
	{
		*code = REPLACEMENT;
		return 2;
	}
	*code = 0x10000 + ((*code - 0xD800) << 10) + (second - 0xDC00);
	return 4;
}

/* len is not 0.  Returns how many bytes the character has. */
static size_t
next_character(OrlaCharset charset, const uint8_t *b, size_t len, uint32_t *code)
{
	switch (charset)
	{
		case ORLA_CHARSET_UTF8:
			return next_utf8(b, len, code);
		case ORLA_CHARSET_UTF16LE:
			return next_utf16(b, len, false, code);
		case ORLA_CHARSET_UTF16BE:
			return next_utf16(b, len, true, code);
		case ORLA_CHARSET_WINDOWS1252:
			break;
	}
	*code = b[0] >= 0x80 && b[0] < 0xA0 ? windows1252[b[0] - 0x80] : b[0];
	return 1;
}

static size_t
put_utf8(uint32_t code, uint8_t out[4])
{
	size_t		n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = {0x00, 0xC0, 0xE0, 0xF0};
	size_t		i;

	for (i = n - 1; i > 0; i--, code >>= 6)
		out[i] = 0x80 | (code & 0x3F);
	out[0] = lead[n - 1] | code;
	return n;
}

/* ---- texts -------------------------------------------------------------- */

/* Few errors among many characters are a damaged UTF-8, the other way round it is none. */
static bool
looks_like_utf8(const uint8_t *bytes, size_t len)
{
	size_t		good = 0;
	size_t		bad = 0;
	size_t		at;

	for (at = 0; at < len;)
	{
		size_t		n = utf8_length(bytes + at, len - at);

		good += n > 1;
		bad += n == 0;
		at += n == 0 ? 1 : n;
	}
	return bad == 0 || good > bad;
}

OrlaCharset
orla_charset_of(const uint8_t *bytes, size_t len, size_t *mark)
{
	*mark = 3;
	if (len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0)
		return ORLA_CHARSET_UTF8;
	*mark = 2;
	if (len >= 2 && memcmp(bytes, "\xFF\xFE", 2) == 0)
		return ORLA_CHARSET_UTF16LE;
	if (len >= 2 && memcmp(bytes, "\xFE\xFF", 2) == 0)
		return ORLA_CHARSET_UTF16BE;
	*mark = 0;
	return looks_like_utf8(bytes, len) ? ORLA_CHARSET_UTF8 : ORLA_CHARSET_WINDOWS1252;
}

/* Not more than one byte in a hundred, and one, is a control that no text has. */
bool
orla_charset_is_text(const uint8_t *bytes, size_t len)
{
	size_t		strange = 0;
	size_t		i;

	for (i = 0; i < len; i++)
		strange += (bytes[i] < 0x20 && strchr("\t\n\v\f\r\033", bytes[i]) == NULL) ||
			bytes[i] == 0 || bytes[i] == 0x7F;
	return strange <= len / 100 + 1;
}

size_t
orla_charset_to_utf8(OrlaCharset charset, const uint8_t *bytes, size_t len,
					 char *out, size_t room, bool *cut)
{
	size_t		written = 0;
	size_t		at = 0;

	while (at < len)
	{
		uint8_t		character[4];
		uint32_t	code;
		size_t		taken = next_character(charset, bytes + at, len - at, &code);
		size_t		n = code == 0 ? 0 : put_utf8(code, character);

		if (n > room - written)
			break;
		memcpy(out + written, character, n);
		written += n;
		at += taken;
	}
	*cut = at < len;
	return written;
}

size_t
orla_charset_clip(const char *text, size_t len)
{
	size_t		back;

	for (back = 1; back <= 3 && back <= len; back++)
	{
		uint8_t		b = text[len - back];

		if (b >= 0xC0)
			return utf8_length((const uint8_t *) text + len - back, back) == 0 ? len - back : len;
		if (b < 0x80)
			break;
	}
	return len;
}
