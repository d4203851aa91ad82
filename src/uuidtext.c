/*
 * uuidtext.c
 *		The canonical text of a uuid, and no other.
 */
#include "postgres.h"

#include "uuidtext.h"

static bool
is_hyphen_position(int i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

bool
orla_uuid_parse(const char *text, size_t len, pg_uuid_t *uuid)
{
	int			nibbles = 0;
	int			i;

	if (len != ORLA_UUID_TEXT_LEN)
		return false;
	memset(uuid, 0, sizeof(*uuid));
	for (i = 0; i < ORLA_UUID_TEXT_LEN; i++)
	{
		char		c = text[i];
		int			digit;

		if (is_hyphen_position(i))
		{
			if (c != '-')
				return false;
			continue;
		}
		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			return false;
		uuid->data[nibbles / 2] |= (nibbles % 2 == 0) ? digit << 4 : digit;
		nibbles++;
	}
	return true;
}

void
orla_uuid_print(const pg_uuid_t *uuid, char text[ORLA_UUID_TEXT_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	int			nibbles = 0;
	int			i;

	for (i = 0; i < ORLA_UUID_TEXT_LEN; i++)
	{
		unsigned char byte;

		if (is_hyphen_position(i))
		{
			text[i] = '-';
			continue;
		}
		byte = uuid->data[nibbles / 2];
		text[i] = digits[(nibbles % 2 == 0) ? byte >> 4 : byte & 0x0f];
		nibbles++;
	}
	text[ORLA_UUID_TEXT_LEN] = '\0';
}

bool
orla_uuid_equal(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t)) == 0;
}
