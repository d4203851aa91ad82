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
