/*
 * setting_parse.c
 *		Which values the settings that are texts may have.
 */
#include "setting_parse.h"

#include <stddef.h>
#include <string.h>

/* Longer ones would leave no room in a token. */
#define CLAIM_TEXT_MAX	200

const char *
orla_public_url_problem(const char *url)
{
	const char *p;

	if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
		return "The value must begin with https:// or http://.";
	if (url[strlen(url) - 1] == '/')
		return "The value must not end with a slash.";
	for (p = url; *p != '\0'; p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c <= 0x20 || c == 0x7f || strchr("\"<>\\?#", c) != NULL)
			return "The value must be a URL without white space, quotes, query or fragment.";
	}
	return NULL;
}

/* They are compared octet by octet and printed into JSON. */
const char *
orla_claim_text_problem(const char *text)
{
	const char *p;

	if (text[0] == '\0' || strlen(text) > CLAIM_TEXT_MAX)
		return "The value must have 1 to 200 characters.";
	for (p = text; *p != '\0'; p++)
	{
		if (*p <= 0x20 || *p >= 0x7f || *p == '"' || *p == '\\')
			return "The value must be printable ASCII without quotes, backslashes and spaces.";
	}
	return NULL;
}

const char *
orla_header_name_problem(const char *name)
{
	const char *p;

	for (p = name; *p != '\0'; p++)
	{
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-'))
			return "The value must be a header name in lower case.";
	}
	return NULL;
}

/* Nothing is searched for: what is not there is not run. */
const char *
orla_program_problem(const char *path)
{
	if (path[0] != '\0' && path[0] != '/')
		return "The value must be an absolute path.";
	return NULL;
}
