/*
 * request.c
 *		Who an HTTP request is from: orla.pre_request().
 *
 * PostgREST calls it before every request (db-pre-request), any other layer
 * can: it reads what the layer hands over in request.headers and
 * request.cookies and proves it.  The layer needs to hold no secret, and
 * what it verified itself is verified again.
 *
 * The token is the bearer token of the Authorization header or the session
 * cookie.  Both at once are refused: one of them was put there by somebody
 * else.  A cookie is sent by the browser whoever caused the request, so with
 * a cookie a request that may write must say that it comes from our own
 * pages (Sec-Fetch-Site, or Origin where a browser does not send that).
 *
 * The cookie is not looked at where a page itself is asked for, or the begin
 * or end of a session: a browser whose session is over must be able to open
 * the page that signs in again, and scripts cannot take its cookie away.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"

#include "errors.h"
#include "request_parse.h"
#include "settings.h"
#include "tenant.h"

PG_FUNCTION_INFO_V1(orla_pre_request);
PG_FUNCTION_INFO_V1(orla_require_own_page);

/* The prefix makes browsers insist on https, no domain and path /. */
#define SESSION_COOKIE			"orla_session"
#define SESSION_COOKIE_HTTPS	"__Host-orla_session"

/* A setting that the layer hands over, NULL when it is absent or empty. */
static const char *
handed_over(const char *name)
{
	const char *value = GetConfigOption(name, true, false);

	return value == NULL || value[0] == '\0' ? NULL : value;
}

/* A JSON object of strings that the layer hands over, NULL when absent. */
static Jsonb *
handed_over_object(const char *name)
{
	const char *json = handed_over(name);
	Jsonb	   *object;

	if (json == NULL)
		return NULL;
	object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	return JB_ROOT_IS_OBJECT(object) ? object : NULL;
}

static char *
member(Jsonb *object, const char *name)
{
	JsonbValue	value;

	if (object == NULL ||
		getKeyJsonValueFromContainer(&object->root, name, strlen(name), &value) == NULL ||
		value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

static char *
session_cookie(Jsonb *cookies)
{
	bool		https = strncmp(orla_public_url, "https://", 8) == 0;

	if (orla_path_needs_nobody(handed_over("request.path")))
		return NULL;
	return member(cookies, https ? SESSION_COOKIE_HTTPS : SESSION_COOKIE);
}

static bool
is_safe_method(const char *method)
{
	return method != NULL &&
		(strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
		 strcmp(method, "OPTIONS") == 0);
}

static void
check_own_page(Jsonb *headers, const char *detail, const char *hint)
{
	char	   *site = member(headers, "sec-fetch-site");

	if (site != NULL ? strcmp(site, "same-origin") == 0
		: orla_is_own_origin(orla_public_url, member(headers, "origin")))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ORLA_FORBIDDEN),
			 errmsg("request refused"),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

/*
 * A file that is too large is refused before the layer hands its bytes over: of
 * a GB they would not even make a message to the server.  As JSON it is in
 * base64, with white space and escapes, and has its names beside it.
 */
static void
check_size(Jsonb *headers)
{
	const char *path = handed_over("request.path");
	char	   *length = member(headers, "content-length");
	int64		most = (int64) orla_max_upload * 1024;

	if (path == NULL || length == NULL || strspn(length, "0123456789") != strlen(length))
		return;
	if (strcmp(path, "/rpc/save_asset") == 0)
		most = most * 4 + 65536;
	else if (strcmp(path, "/rpc/upload_asset") != 0)
		return;
	if (strlen(length) > 18 || strtoll(length, NULL, 10) > most)
		ereport(ERROR,
				(errcode(ERRCODE_ORLA_TOO_LARGE),
				 errmsg("file is too large"),
				 errdetail("The limit is %s.",
						   GetConfigOptionByName("orla.max_upload", NULL, false)),
				 errhint("An operator can raise orla.max_upload.")));
}

/*
 * A layer that did not look at the token itself (or found it in a cookie) is
 * still the anonymous role: the proof makes it orla_user.  The server checks
 * that the login may.
 */
static void
take_role_of_user(void)
{
	if (GetUserId() == get_role_oid("orla_anon", true))
		(void) set_config_option("role", "orla_user", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

/*
 * orla.pre_request() → void: the tenant of the request, nobody without a
 * token; PT401 for a bad token or two, PT403 for a forged form, PT413 for an
 * upload that is too large
 */
Datum
orla_pre_request(PG_FUNCTION_ARGS)
{
	Jsonb	   *headers = handed_over_object("request.headers");
	char	   *bearer = orla_bearer_token(member(headers, "authorization"));
	char	   *cookie = session_cookie(handed_over_object("request.cookies"));
	char	   *token = bearer != NULL ? bearer : cookie;

	check_size(headers);
	if (token == NULL)
		PG_RETURN_VOID();
	if (bearer != NULL && cookie != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ORLA_UNAUTHORIZED),
				 errmsg("access token refused"),
				 errdetail("The request carries a bearer token and a session cookie."),
				 errhint("Send one of them.")));
	if (cookie != NULL && !is_safe_method(handed_over("request.method")))
		check_own_page(headers,
					   "A request with the session cookie that may write must come from the application's own pages.",
					   "Send the access token as a bearer token instead.");

	orla_tenant_authenticate(token);
	explicit_bzero(token, strlen(token));
	take_role_of_user();
	PG_RETURN_VOID();
}

/*
 * orla.require_own_page() → void: PT403 unless the request says that it comes
 * from one of our own pages; 25006 in a READ ONLY transaction.  For what sets
 * the cookies of a session, before there is one.
 */
Datum
orla_require_own_page(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("a session in cookies");
	check_own_page(handed_over_object("request.headers"),
				   "A session in cookies begins, goes on and ends from the application's own pages only.",
				   "Programs sign in with orla_api.login(), which returns the tokens.");
	PG_RETURN_VOID();
}
