/*
 * json_scan.c
 *		Walks over one JSON object (RFC 8259) in place.
 */
#include "json_scan.h"

#include <string.h>

static size_t
left(const OrlaJson *json)
{
	return json->end - json->at;
}

static void
skip_space(OrlaJson *json)
{
	while (json->at < json->end &&
		   (*json->at == ' ' || *json->at == '\t' ||
			*json->at == '\n' || *json->at == '\r'))
		json->at++;
}

bool
orla_json_take(OrlaJson *json, char c)
{
	skip_space(json);
	if (json->at == json->end || *json->at != c)
		return false;
	json->at++;
	return true;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Value of a hexadecimal digit, -1 for anything else. */
static int
hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits of a \u escape as a number, -1 when there are none. */
static int
hex_quad(const char *at)
{
	int			value = 0;
	int			i;

	for (i = 0; i < 4; i++)
	{
		int			digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/*
 * What follows \u.  Surrogates must come in pairs.  U+0000 is refused because
 * jsonb does.
 */
static bool
skip_unicode_escape(OrlaJson *json)
{
	int			unit = left(json) < 4 ? -1 : hex_quad(json->at);
	int			low;

	if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff))
		return false;
	json->at += 4;
	if (unit < 0xd800 || unit > 0xdbff)
		return true;
	if (left(json) < 6 || json->at[0] != '\\' || json->at[1] != 'u')
		return false;
	low = hex_quad(json->at + 2);
	json->at += 6;
	return low >= 0xdc00 && low <= 0xdfff;
}

static bool
skip_escape(OrlaJson *json)
{
	char		c;

	json->at++;					/* the backslash */
	if (json->at == json->end)
		return false;
	c = *json->at++;
	if (c == 'u')
		return skip_unicode_escape(json);
	return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
}

/* Bytes of the UTF-8 character at s (RFC 3629), 0 when it is none. */
static size_t
utf8_len(const unsigned char *s, size_t n)
{
	size_t		len;
	size_t		i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (len > n)
		return 0;
	for (i = 1; i < len; i++)
	{
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}

	/* Longer than need be, a surrogate, beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/* Stands for itself in a string, as most of them do. */
static bool
is_plain(char c)
{
	unsigned char octet = c;

	return octet >= 0x20 && octet < 0x80 && c != '"' && c != '\\';
}

/* *text is what is between the quotes, with its escapes, if there are any. */
static bool
scan_string(OrlaJson *json, OrlaText *text, bool *escaped)
{
	*escaped = false;
	if (!orla_json_take(json, '"'))
		return false;
	text->data = json->at;
	for (;;)
	{
		while (json->at < json->end && is_plain(*json->at))
			json->at++;
		if (json->at == json->end || *json->at == '"')
			break;
		if (*json->at == '\\')
		{
			*escaped = true;
			if (!skip_escape(json))
				return false;
		}
		else
		{
			const unsigned char *at = (const unsigned char *) json->at;
			size_t		len = *at < 0x20 ? 0 : utf8_len(at, left(json));

			if (len == 0)
				return false;
			json->at += len;
		}
	}
	if (json->at == json->end)
		return false;
	text->len = json->at - text->data;
	json->at++;
	return true;
}

bool
orla_json_string(OrlaJson *json, OrlaText *text)
{
	bool		escaped;

	return scan_string(json, text, &escaped) && !escaped;
}

static bool
skip_string(OrlaJson *json)
{
	OrlaText	text;
	bool		escaped;

	return scan_string(json, &text, &escaped);
}

/* One digit at least; *first is the first of them. */
static bool
skip_digits(OrlaJson *json, char *first)
{
	if (json->at == json->end || !is_digit(*json->at))
		return false;
	*first = *json->at;
	while (json->at < json->end && is_digit(*json->at))
		json->at++;
	return true;
}

static bool
skip_number(OrlaJson *json)
{
	const char *digits;
	char		first;

	if (json->at < json->end && *json->at == '-')
		json->at++;
	digits = json->at;
	if (!skip_digits(json, &first) || (first == '0' && json->at - digits > 1))
		return false;
	if (json->at < json->end && *json->at == '.')
	{
		json->at++;
		if (!skip_digits(json, &first))
			return false;
	}
	if (json->at < json->end && (*json->at == 'e' || *json->at == 'E'))
	{
		json->at++;
		if (json->at < json->end && (*json->at == '+' || *json->at == '-'))
			json->at++;
		if (!skip_digits(json, &first))
			return false;
	}
	return true;
}

bool
orla_json_integer(OrlaJson *json, int64_t *integer)
{
	const char *digit;
	int64_t		value = 0;

	skip_space(json);
	digit = json->at;
	if (!skip_number(json))
		return false;
	for (; digit < json->at; digit++)
	{
		/* A sign, a fraction or an exponent ends here as well. */
		if (!is_digit(*digit))
			return false;
		value = value * 10 + (*digit - '0');
		if (value > ORLA_JSON_INTEGER_MAX)
			return false;
	}
	*integer = value;
	return true;
}

static bool
skip_word(OrlaJson *json, const char *word)
{
	size_t		len = strlen(word);

	if (left(json) < len || memcmp(json->at, word, len) != 0)
		return false;
	json->at += len;
	return true;
}

static bool
skip_scalar(OrlaJson *json)
{
	if (json->at == json->end)
		return false;
	switch (*json->at)
	{
		case '"':
			return skip_string(json);
		case 't':
			return skip_word(json, "true");
		case 'f':
			return skip_word(json, "false");
		case 'n':
			return skip_word(json, "null");
		default:
			return skip_number(json);
	}
}

static bool
skip_name(OrlaJson *json)
{
	return skip_string(json) && orla_json_take(json, ':');
}

/*
 * Any value.  The containers that are open need one bit each, which says
 * whether it is an object; the innermost is the lowest.
 */
bool
orla_json_skip(OrlaJson *json)
{
	uint32_t	objects = 0;
	int			depth = 0;

	for (;;)
	{
		bool		opened = true;

		if (orla_json_take(json, '{'))
			objects = objects << 1 | 1;
		else if (orla_json_take(json, '['))
			objects = objects << 1;
		else if (skip_scalar(json))
			opened = false;
		else
			return false;

		if (opened)
		{
			if (++depth > ORLA_JSON_DEPTH_MAX)
				return false;
			if (!orla_json_take(json, (objects & 1) ? '}' : ']'))
			{
				if ((objects & 1) && !skip_name(json))
					return false;
				continue;
			}
			objects >>= 1;
			depth--;
		}

		/* After a value: close what it ends, or go on to the next. */
		while (depth > 0 && !orla_json_take(json, ','))
		{
			if (!orla_json_take(json, (objects & 1) ? '}' : ']'))
				return false;
			objects >>= 1;
			depth--;
		}
		if (depth == 0)
			return true;
		if ((objects & 1) && !skip_name(json))
			return false;
	}
}

void
orla_json_open(OrlaJson *json, const char *text, size_t len)
{
	json->at = text;
	json->end = text + len;
	json->members = 0;
}

OrlaJsonStep
orla_json_next(OrlaJson *json, OrlaText *name)
{
	bool		first = json->members == 0;
	int			i;

	if (first && !orla_json_take(json, '{'))
		return ORLA_JSON_MALFORMED;
	if (orla_json_take(json, '}'))
	{
		skip_space(json);
		return json->at == json->end ? ORLA_JSON_END : ORLA_JSON_MALFORMED;
	}
	if ((!first && !orla_json_take(json, ',')) ||
		json->members == ORLA_JSON_MEMBERS_MAX ||
		!orla_json_string(json, name) || !orla_json_take(json, ':'))
		return ORLA_JSON_MALFORMED;

	for (i = 0; i < json->members; i++)
	{
		if (json->names[i].len == name->len &&
			memcmp(json->names[i].data, name->data, name->len) == 0)
			return ORLA_JSON_REPEATED;
	}
	json->names[json->members++] = *name;
	return ORLA_JSON_MEMBER;
}
