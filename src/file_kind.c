/*
 * file_kind.c
 *		What kind of file bytes are.
 *
 * The bytes decide.  What somebody says about them counts for what they do not
 * tell: that text without a doctype is HTML, that rubbish comes before a PDF.
 * Free of the server, so that it can be tested and fuzzed alone.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* memmem() */
#endif

#include "file_kind.h"

#include <string.h>
#include <strings.h>

#include "charset.h"

/* After a mark of UTF-8 and white space. */
static const uint8_t *
first_visible(const uint8_t *bytes, const uint8_t *end)
{
	if (end - bytes >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0)
		bytes += 3;
	while (bytes < end && *bytes != '\0' && strchr(" \t\r\n\f", *bytes) != NULL)
		bytes++;
	return bytes;
}

static bool
begins_with(const uint8_t *at, const uint8_t *end, const char *what)
{
	size_t		n = strlen(what);

	return (size_t) (end - at) >= n && strncasecmp((const char *) at, what, n) == 0;
}

/* After comments and a line that begins with <?xml. */
static const uint8_t *
after_prolog(const uint8_t *at, const uint8_t *end)
{
	for (;;)
	{
		const char *closing = begins_with(at, end, "<?xml") ? "?>"
			: begins_with(at, end, "<!--") ? "-->" : NULL;
		const uint8_t *close = closing == NULL ? NULL
			: memmem(at, end - at, closing, strlen(closing));

		if (close == NULL)
			return at;
		at = first_visible(close + strlen(closing), end);
	}
}

const char *
orla_markup_type(const uint8_t *bytes, size_t len)
{
	static const char *const html[] = {"<!doctype html", "<html", "<head", "<body"};
	const uint8_t *end = bytes + len;
	const uint8_t *at = after_prolog(first_visible(bytes, end), end);
	size_t		i;

	for (i = 0; i < sizeof(html) / sizeof(html[0]); i++)
	{
		if (begins_with(at, end, html[i]))
			return "text/html";
	}
	if (begins_with(at, end, "<svg") || begins_with(at, end, "<!doctype svg"))
		return "image/svg+xml";
	return NULL;
}

bool
orla_is_said_to_be(const char *media_type, const char *type)
{
	size_t		n = strlen(type);

	return media_type != NULL && strncasecmp(media_type, type, n) == 0 &&
		(media_type[n] == '\0' || media_type[n] == ';' || media_type[n] == ' ');
}

/* A PDF may have some rubbish in front of it. */
static bool
is_pdf(const uint8_t *bytes, size_t len, const char *media_type)
{
	return begins_with(first_visible(bytes, bytes + len), bytes + len, "%PDF-") ||
		(orla_is_said_to_be(media_type, "application/pdf") &&
		 memmem(bytes, len < 1024 ? len : 1024, "%PDF-", 5) != NULL);
}

OrlaFileKind
orla_file_kind(const uint8_t *bytes, size_t len, const char *media_type)
{
	static const uint8_t package_name[] = "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e";
	size_t		mark;
	OrlaCharset charset;

	if (len == 0)
		return ORLA_FILE_EMPTY;
	if (is_pdf(bytes, len, media_type))
		return ORLA_FILE_PDF;
	if (len >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0))
		return ORLA_FILE_PACKAGE;
	if (len >= 8 && memcmp(bytes, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8) == 0)
		return memmem(bytes, len, package_name, sizeof(package_name)) != NULL
			? ORLA_FILE_LOCKED_OFFICE : ORLA_FILE_OTHER;

	charset = orla_charset_of(bytes, len < 4 ? len : 4, &mark);
	if (charset != ORLA_CHARSET_UTF16LE && charset != ORLA_CHARSET_UTF16BE &&
		!orla_charset_is_text(bytes, len))
		return ORLA_FILE_OTHER;
	if (orla_markup_type(bytes, len) != NULL || orla_is_said_to_be(media_type, "text/html") ||
		orla_is_said_to_be(media_type, "application/xhtml+xml"))
		return ORLA_FILE_MARKUP;
	return ORLA_FILE_TEXT;
}
