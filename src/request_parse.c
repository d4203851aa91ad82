/*
 * request_parse.c
 *		Reads what a request carries in its headers.
 */
#include "request_parse.h"

#include <stddef.h>
#include <string.h>

char *
orla_bearer_token(char *authorization)
{
	static const char scheme[] = "bearer";
	char	   *token = authorization;
	const char *letter;

	if (authorization == NULL)
		return NULL;
	for (letter = scheme; *letter != '\0'; letter++, token++)
	{
		/* Bit 5 makes a capital a small letter, and no letter of a NUL. */
		if ((*token | 0x20) != *letter)
			return NULL;
	}
	if (*token != ' ' && *token != '\0')
		return NULL;
	while (*token == ' ')
		token++;
	return token;
}

bool
orla_is_own_origin(const char *public_url, const char *origin)
{
	const char *host = strstr(public_url, "://");
	size_t		len;

	if (host == NULL || origin == NULL)
		return false;
	host += strlen("://");
	len = host - public_url + strcspn(host, "/");
	return strlen(origin) == len && memcmp(origin, public_url, len) == 0;
}

/*
 * Names of sql/pages, and of the functions that set a session's cookies.  What
 * has a dot in its name is part of a page; no other function of the API has.
 */
bool
orla_path_needs_nobody(const char *path)
{
	static const char prefix[] = "/rpc/";
	static const char *const names[] = {
		"account", "brand-material", "calendar", "cloud-storage", "dashboard",
		"forgot-password", "jobs", "library", "oauth-callback", "refresh_session",
		"reset-password", "sign-in", "sign-up", "sign_in", "sign_out", "strategy",
		"verify-email", "verify_and_sign_in"
	};
	size_t		i;

	if (path == NULL || strncmp(path, prefix, strlen(prefix)) != 0)
		return false;
	path += strlen(prefix);
	if (strchr(path, '/') != NULL)
		return false;
	if (strchr(path, '.') != NULL)
		return true;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strcmp(path, names[i]) == 0)
			return true;
	}
	return false;
}
