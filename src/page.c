/*
 * page.c
 *		What pages are served by: their headers, and where things are in them.
 *
 * A page is the same for everybody, and is asked for more often than anything
 * else that people wait for.  In C, since regular expressions and settings
 * that are read as text cost a page more than all the rest of its request.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "settings.h"

PG_FUNCTION_INFO_V1(orla_serve_page);

/*
 * Nothing but our own files, no script in a page, no markup made of text by a
 * script, no frame around it.
 */
static const char page_headers[] =
	"[{\"Content-Type\": \"text/html; charset=utf-8\"},"
	"{\"Content-Security-Policy\": \"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
	"require-trusted-types-for 'script'; trusted-types 'none'\"},"
	"{\"X-Content-Type-Options\": \"nosniff\"},"
	"{\"X-Frame-Options\": \"DENY\"},"
/* an address may have the token of a mail in it */
	"{\"Referrer-Policy\": \"no-referrer\"},"
	"{\"Cross-Origin-Opener-Policy\": \"same-origin\"},"
	"{\"Cross-Origin-Resource-Policy\": \"same-origin\"},"
	"{\"Permissions-Policy\": \"camera=(), microphone=(), geolocation=(), payment=()\"},"
	"{\"Cache-Control\": \"no-store\"}]";

/* The path of orla.public_url, which has no slash at its end; '' without one. */
static const char *
public_path(void)
{
	const char *host = strstr(orla_public_url, "://");

	host = host == NULL ? orla_public_url : host + strlen("://");
	return host + strcspn(host, "/");
}

/* A part of a URL as the value of an attribute; it has no quotes in it. */
static void
append_escaped(StringInfo page, const char *url, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		if (url[i] == '&')
			appendStringInfoString(page, "&amp;");
		else
			appendStringInfoChar(page, url[i]);
	}
}

static void
append_base(StringInfo page)
{
	const char *path = public_path();

	append_escaped(page, path, strlen(path));
}

/*
 * Where the browser finds the API: where people reach PostgREST itself, pages
 * are among its functions, and orla.public_url ends with /rpc; a proxy that
 * gives them addresses of their own has the API at /api.
 */
static void
append_api(StringInfo page)
{
	static const char functions[] = "/rpc";
	const char *path = public_path();
	size_t		len = strlen(path);

	if (len >= strlen(functions) && strcmp(path + len - strlen(functions), functions) == 0)
		append_escaped(page, path, len - strlen(functions));
	else
	{
		append_escaped(page, path, len);
		appendStringInfoString(page, "/api");
	}
}

/* In bytes, as the browser counts. */
static void
append_max_upload(StringInfo page)
{
	appendStringInfo(page, INT64_FORMAT, (int64) orla_max_upload * 1024);
}

static const struct
{
	const char *name;
	void		(*append) (StringInfo page);
}			blanks[] =
{
	{"{base}", append_base},
	{"{api}", append_api},
	{"{max_upload}", append_max_upload}
};

/* Fills in the blank that begins here; its length, 0 if it is none of ours. */
static size_t
fill_in(StringInfo page, const char *at, size_t left)
{
	size_t		i;

	for (i = 0; i < lengthof(blanks); i++)
	{
		size_t		len = strlen(blanks[i].name);

		if (len <= left && memcmp(at, blanks[i].name, len) == 0)
		{
			blanks[i].append(page);
			return len;
		}
	}
	return 0;
}

/*
 * orla.serve_page(source text) → text: the page with the addresses of this
 * installation in it, and its headers set
 */
Datum
orla_serve_page(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	const char *at = VARDATA_ANY(source);
	const char *end = at + VARSIZE_ANY_EXHDR(source);
	StringInfoData page;

	(void) set_config_option("response.headers", page_headers, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);

	/* The text itself grows in place: its length is put before it at the end. */
	initStringInfo(&page);
	enlargeStringInfo(&page, VARHDRSZ + (int) (end - at) + 512);
	page.len = VARHDRSZ;
	while (at < end)
	{
		const char *brace = memchr(at, '{', end - at);
		size_t		len;

		if (brace == NULL)
			brace = end;
		appendBinaryStringInfo(&page, at, (int) (brace - at));
		at = brace;
		if (at == end)
			break;
		len = fill_in(&page, at, end - at);
		if (len == 0)
		{
			appendStringInfoChar(&page, '{');
			len = 1;
		}
		at += len;
	}
	SET_VARSIZE(page.data, page.len);
	PG_RETURN_TEXT_P((text *) page.data);
}
