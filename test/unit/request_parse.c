/*
 * request_parse.c
 *		src/request_parse.c: whose token, whose page, and for whom.
 */
#include "request_parse.h"

#include "tap.h"

static const struct
{
	const char *authorization;
	const char *token;			/* NULL: another scheme */
}			bearers[] = {
	{"Bearer a.b.c", "a.b.c"},
	{"bearer a.b.c", "a.b.c"},
	{"BEARER a.b.c", "a.b.c"},
	{"Bearer   a.b.c", "a.b.c"},
	{"Bearer a b", "a b"},
	{"Bearer a.b.c ", "a.b.c "},
	{"Bearer ", ""},
	{"Bearer", ""},
	{"", NULL},
	{" ", NULL},
	{"B", NULL},
	{"Beare", NULL},
	{"Bearera.b.c", NULL},
	{"Bearer\ta.b.c", NULL},
	{" Bearer a.b.c", NULL},
	{"Basic YTpi", NULL},
	{"a.b.c", NULL},
	{"\"earer a.b.c", NULL},
	{"\x02" "earer a.b.c", NULL},
	{"\xe2" "earer a.b.c", NULL}
};

static const struct
{
	const char *public_url;
	const char *origin;
	bool		own;
}			origins[] = {
	{"https://example.org", "https://example.org", true},
	{"https://example.org/app", "https://example.org", true},
	{"https://example.org:8443/a/b", "https://example.org:8443", true},
	{"http://localhost:3000", "http://localhost:3000", true},
	{"http://[::1]:3000/a", "http://[::1]:3000", true},
	{"https://example.org", NULL, false},
	{"https://example.org", "", false},
	{"https://example.org", "null", false},
	{"https://example.org", "http://example.org", false},
	{"https://example.org", "https://example.org/", false},
	{"https://example.org", "https://example.org:8443", false},
	{"https://example.org", "https://example.org.evil.example", false},
	{"https://example.org", "https://evil.example", false},
	{"https://example.org", "https://sub.example.org", false},
	{"https://example.org", "https://example.or", false},
	{"https://example.org/app", "https://example.org/app", false},
	{"https://example.org", "https://Example.org", false}
};

static const struct
{
	const char *path;
	bool		nobody;
}			paths[] = {
	{"/rpc/sign-in", true},
	{"/rpc/account", true},
	{"/rpc/verify_and_sign_in", true},
	{"/rpc/refresh_session", true},
	{"/rpc/app.css", true},
	{"/rpc/oauth-callback", true},
	{"/rpc/oauth-callback.google_drive", true},
	{NULL, false},
	{"", false},
	{"/", false},
	{"/rpc/", false},
	{"/rpc/me", false},
	{"/rpc/login", false},
	{"/rpc/sign-inn", false},
	{"/rpc/sign", false},
	{"/rpc/Sign-in", false},
	{"/rpc/sign-in/", false},
	{"/rpc/app.css/me", false},
	{"/sign-in", false},
	{"/app.css", false},
	{"/content_library", false},
	{"rpc/sign-in", false}
};

static void
check_bearer(const char *authorization, const char *expected)
{
	char	   *copy = exact_copy(authorization, strlen(authorization) + 1);
	char	   *token = orla_bearer_token(copy);

	ok(expected == NULL ? token == NULL
	   : token != NULL && strcmp(token, expected) == 0,
	   "\"%s\" carries %s", authorization[0] < ' ' ? "?" : authorization,
	   expected == NULL ? "no token" : "a token");
	free(copy);
}

int
main(void)
{
	size_t		i;

	ok(orla_bearer_token(NULL) == NULL, "no header, no token");
	for (i = 0; i < sizeof(bearers) / sizeof(bearers[0]); i++)
		check_bearer(bearers[i].authorization, bearers[i].token);
	for (i = 0; i < sizeof(origins) / sizeof(origins[0]); i++)
		ok(orla_is_own_origin(origins[i].public_url, origins[i].origin) == origins[i].own,
		   "%s %s a page of %s",
		   origins[i].origin == NULL ? "(none)" : origins[i].origin,
		   origins[i].own ? "is" : "is not", origins[i].public_url);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		ok(orla_path_needs_nobody(paths[i].path) == paths[i].nobody,
		   "%s %s", paths[i].path == NULL ? "(none)" : paths[i].path,
		   paths[i].nobody ? "is looked at as nobody" : "takes the session");
	return done_testing();
}
