/*
 * values.c
 *		Values of settings and headers: uuids, URLs, claims' texts, names,
 *		bearer tokens, origins, paths, programs.  The first byte tells which.
 */
#include "postgres.h"

#include "uuidtext.h"

/* The server's header renames them. */
#undef fprintf
#undef snprintf

#include "fuzz.h"
#include "jwt_parse.h"
#include "request_parse.h"
#include "setting_parse.h"

/* A uuid prints as it was, but for capitals. */
static void
try_uuid(const uint8_t *data, size_t size)
{
	pg_uuid_t	uuid;
	char		text[ORLA_UUID_TEXT_LEN + 1];
	size_t		i;

	if (!orla_uuid_parse((const char *) data, size, &uuid))
		return;
	orla_uuid_print(&uuid, text);
	MUST(strlen(text) == size);
	for (i = 0; i < size; i++)
		MUST(text[i] == (data[i] >= 'A' && data[i] <= 'F' ? data[i] + 32 : data[i]));
}

/* An audience that is accepted is found again in the token that we make. */
static void
try_claim_text(const char *text)
{
	char		json[256];
	OrlaClaims	claims;

	if (orla_claim_text_problem(text) != NULL)
		return;
	MUST(snprintf(json, sizeof(json), "{\"aud\":\"%s\"}", text) < (int) sizeof(json));
	MUST(orla_claims_read(json, strlen(json), &claims) == ORLA_JWT_OK);
	MUST(orla_claims_has_aud(&claims, text));
}

/* Of a good URL, the origin is the beginning, and nothing longer. */
static void
try_public_url(const char *url)
{
	char	   *origin;
	char	   *slash;

	if (orla_public_url_problem(url) != NULL)
		return;
	origin = as_text((const uint8_t *) url, strlen(url));
	slash = strchr(strstr(origin, "://") + 3, '/');
	MUST(orla_is_own_origin(url, origin) == (slash == NULL));
	if (slash != NULL)
		*slash = '\0';
	MUST(orla_is_own_origin(url, origin));
	free(origin);
}

static void
try_header_name(const char *name)
{
	if (orla_header_name_problem(name) == NULL)
		MUST(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name));
}

static void
try_bearer(char *authorization)
{
	size_t		n = strlen(authorization);
	char	   *token = orla_bearer_token(authorization);

	if (token == NULL)
		return;
	MUST(lies_in(token, strlen(token), authorization, n));
	MUST(token[0] != ' ' && token + strlen(token) == authorization + n);
}

/* URL and origin, separated by a NUL; the URL may be a bad one. */
static void
try_origin(const char *url, size_t size)
{
	size_t		len = strlen(url);

	(void) orla_is_own_origin(url, len < size ? url + len + 1 : NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text;

	if (size == 0)
		return 0;
	text = as_text(data + 1, size - 1);
	switch (data[0] % 8)
	{
		case 0:
			try_uuid(data + 1, size - 1);
			break;
		case 1:
			try_claim_text(text);
			break;
		case 2:
			try_public_url(text);
			break;
		case 3:
			try_header_name(text);
			break;
		case 4:
			try_bearer(text);
			break;
		case 5:
			try_origin(text, size - 1);
			break;
		case 6:
			(void) orla_path_needs_nobody(text);
			break;
		case 7:
			if (orla_program_problem(text) == NULL)
				MUST(text[0] == '\0' || text[0] == '/');
			break;
	}
	free(text);
	return 0;
}
