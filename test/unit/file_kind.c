/*
 * file_kind.c
 *		src/file_kind.c: the bytes decide what a file is.
 */
#include "file_kind.h"

#include "tap.h"

typedef struct Case
{
	const char *bytes;
	size_t		n;
	const char *media_type;
	OrlaFileKind kind;
} Case;

#define OLE "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#define B(bytes) bytes, sizeof(bytes) - 1

static const Case cases[] = {
	{B(""), "application/pdf", ORLA_FILE_EMPTY},
	{B("hello"), NULL, ORLA_FILE_TEXT},
	{B("hello"), "application/pdf", ORLA_FILE_TEXT},
	{B("hello"), "image/png", ORLA_FILE_TEXT},
	{B("# <h1>Title</h1>"), "text/markdown", ORLA_FILE_TEXT},
	{B("see <html>"), NULL, ORLA_FILE_TEXT},
	{B("\xff\xfeh\0i\0"), NULL, ORLA_FILE_TEXT},
	{B("\xfe\xff\0h\0i"), NULL, ORLA_FILE_TEXT},
	{B("hello"), "text/html", ORLA_FILE_MARKUP},
	{B("hello"), "Text/HTML; charset=utf-8", ORLA_FILE_MARKUP},
	{B("hello"), "text/htmlx", ORLA_FILE_TEXT},
	{B("<!DOCTYPE html>"), "text/plain", ORLA_FILE_MARKUP},
	{B("\xef\xbb\xbf \n<HTML lang=en>"), NULL, ORLA_FILE_MARKUP},
	{B("<?xml version='1.0'?>\n<!-- a > b -->\n<!doctype HTML>"), NULL, ORLA_FILE_MARKUP},
	{B("<?xml version='1.0'?><svg/>"), "image/svg+xml", ORLA_FILE_MARKUP},
	{B("<!-- never closed <html>"), NULL, ORLA_FILE_TEXT},
	{B("<?xml version='1.0'?><feed/>"), NULL, ORLA_FILE_TEXT},
	{B("%PDF-1.7\n"), "text/plain", ORLA_FILE_PDF},
	{B("\xef\xbb\xbf\r\n%PDF-1.7\n"), NULL, ORLA_FILE_PDF},
	{B("rubbish %PDF-1.7\n"), "application/pdf", ORLA_FILE_PDF},
	{B("about %PDF-1.7\n"), "text/plain", ORLA_FILE_TEXT},
	{B("%PDF"), NULL, ORLA_FILE_TEXT},
	{B("PK\3\4 and so on"), "text/csv", ORLA_FILE_PACKAGE},
	{B("PK\5\6"), NULL, ORLA_FILE_PACKAGE},
	{B("PK"), NULL, ORLA_FILE_TEXT},
	{B(OLE "...E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0"), NULL, ORLA_FILE_LOCKED_OFFICE},
	{B(OLE "...W\0o\0r\0d\0"), "application/msword", ORLA_FILE_OTHER},
	{B("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0"), "image/png", ORLA_FILE_OTHER},
	{B("\0\0\0\0\0\0\0\0"), "text/plain", ORLA_FILE_OTHER}
};

int
main(void)
{
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const Case *c = &cases[i];
		uint8_t    *exact = exact_copy(c->bytes, c->n);

		ok(orla_file_kind(exact, c->n, c->media_type) == c->kind,
		   "case %zu, %zu bytes said to be %s", i, c->n, c->media_type ? c->media_type : "nothing");
		free(exact);
	}
	ok(strcmp(orla_markup_type((const uint8_t *) "<!-- --><svg>", 13), "image/svg+xml") == 0, "SVG is told");
	ok(strcmp(orla_markup_type((const uint8_t *) "<body>", 6), "text/html") == 0, "so is HTML");
	ok(orla_markup_type((const uint8_t *) "<p>", 3) == NULL, "a paragraph alone is none");
	return done_testing();
}
