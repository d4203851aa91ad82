/*
 * charset.c
 *		src/charset.c: texts of every character set as valid UTF-8.
 */
#include "charset.h"

#include "tap.h"

typedef struct Case
{
	const char *what;
	const char *bytes;			/* hexadecimal */
	OrlaCharset charset;
	const char *text;			/* in UTF-8 */
} Case;

static const Case cases[] = {
	{"nothing", "", ORLA_CHARSET_UTF8, ""},
	{"ASCII", "61626320", ORLA_CHARSET_UTF8, "abc "},
	{"UTF-8", "63c3a9e282acf09fa68a", ORLA_CHARSET_UTF8, "c\xc3\xa9\xe2\x82\xac\xf0\x9f\xa6\x8a"},
	{"UTF-8 with its mark", "efbbbf63c3a9", ORLA_CHARSET_UTF8, "c\xc3\xa9"},
	{"the mark alone", "efbbbf", ORLA_CHARSET_UTF8, ""},
	{"UTF-8 with NULs", "61006200", ORLA_CHARSET_UTF8, "ab"},
	{"UTF-8 with one byte that is wrong", "c3a9c3a9ff61", ORLA_CHARSET_UTF8, "\xc3\xa9\xc3\xa9\xef\xbf\xbd" "a"},
	{"Latin-1", "536f7665c3e9e9", ORLA_CHARSET_WINDOWS1252, "Sove\xc3\x83\xc3\xa9\xc3\xa9"},
	{"Windows-1252", "803520939481", ORLA_CHARSET_WINDOWS1252, "\xe2\x82\xac" "5 \xe2\x80\x9c\xe2\x80\x9d\xc2\x81"},
	{"little-endian UTF-16", "fffe6100ac203ed88add0a00", ORLA_CHARSET_UTF16LE, "a\xe2\x82\xac\xf0\x9f\xa6\x8a\n"},
	{"big-endian UTF-16", "feff006120acd83edd8a000a", ORLA_CHARSET_UTF16BE, "a\xe2\x82\xac\xf0\x9f\xa6\x8a\n"},
	{"UTF-16 with half pairs", "fffe3ed861008add3ed8", ORLA_CHARSET_UTF16LE, "\xef\xbf\xbd" "a\xef\xbf\xbd\xef\xbf\xbd"},
	{"UTF-16 with an odd byte", "fffe610062", ORLA_CHARSET_UTF16LE, "a\xef\xbf\xbd"},
	{"UTF-16 with NULs", "fffe61000000", ORLA_CHARSET_UTF16LE, "a"}
};

/* No character: overlong, halves of pairs, beyond Unicode, cut off, alone. */
static const char *const illegal[] = {
	"c080", "c1bf", "e08080", "e09fbf", "eda080", "edbfbf", "f0808080", "f08fbfbf",
	"f4908080", "f5808080", "ff", "fe", "80", "bf", "c3", "e282", "f09fa6"
};

static void
check_case(const Case *c)
{
	uint8_t		bytes[64];
	size_t		n = unhex(c->bytes, bytes);
	uint8_t    *exact = exact_copy(bytes, n);
	char		out[64 * ORLA_CHARSET_GROWTH];
	size_t		mark;
	bool		cut;
	OrlaCharset charset = orla_charset_of(exact, n, &mark);
	size_t		len = orla_charset_to_utf8(charset, exact + mark, n - mark, out, sizeof(out), &cut);

	ok(charset == c->charset, "%s is recognised", c->what);
	ok(len == strlen(c->text) && memcmp(out, c->text, len) == 0 && !cut, "%s is read", c->what);
	free(exact);
}

static void
check_illegal(const char *hex)
{
	uint8_t		bytes[8];
	size_t		n = unhex(hex, bytes);
	uint8_t    *exact = exact_copy(bytes, n);
	char		out[64];
	bool		cut;
	size_t		len = orla_charset_to_utf8(ORLA_CHARSET_UTF8, exact, n, out, sizeof(out), &cut);

	ok(len == 3 * n && memcmp(out, "\xef\xbf\xbd", 3) == 0, "%s is no character", hex);
	free(exact);
}

static void
check_room(void)
{
	static const char text[] = "\xe2\x82\xac\xf0\x9f\xa6\x8a!";
	char		out[8];
	size_t		room;

	for (room = 0; room <= 8; room++)
	{
		size_t		wanted = room < 3 ? 0 : room < 7 ? 3 : room;
		bool		cut;
		size_t		len = orla_charset_to_utf8(ORLA_CHARSET_UTF8, (const uint8_t *) text, 8,
											   out, room, &cut);

		ok(len == wanted && cut == (room < 8), "whole characters in a room of %zu", room);
		ok(orla_charset_clip(text, room) == wanted, "clipped to %zu", room);
	}
	ok(orla_charset_clip("", 0) == 0, "nothing is clipped to nothing");
	ok(orla_charset_clip("\x80\x80\x80\x80\x80", 5) == 5, "what is no UTF-8 stays");
}

int
main(void)
{
	uint8_t		bytes[300];
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(&cases[i]);
	for (i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++)
		check_illegal(illegal[i]);
	check_room();

	memset(bytes, 'a', sizeof(bytes));
	memcpy(bytes, "\t\n\r\f\v\033", 6);
	ok(orla_charset_is_text(bytes, sizeof(bytes)), "text has white space and escapes");
	memset(bytes + 10, 0, 4);
	ok(orla_charset_is_text(bytes, sizeof(bytes)), "one control in a hundred bytes is still text");
	bytes[20] = 1;
	ok(!orla_charset_is_text(bytes, sizeof(bytes)), "more is none");
	ok(orla_charset_is_text(bytes, 0), "nothing is text");
	return done_testing();
}
