/*
 * json_scan.c
 *		One JSON object: members read as a text, as a number, or skipped, as the
 *		first bytes say.
 *
 * What can be read can be skipped, with the same names.
 */
#include "fuzz.h"
#include "json_scan.h"

#define CHOICES		4

static bool
read_value(OrlaJson *json, unsigned choice, const char *text, size_t size)
{
	OrlaText	value;
	int64_t		number;

	switch (choice)
	{
		case 0:
			if (!orla_json_string(json, &value))
				return false;
			MUST(lies_in(value.data, value.len, text, size));
			MUST(memchr(value.data, '"', value.len) == NULL && memchr(value.data, '\\', value.len) == NULL);
			return true;
		case 1:
			if (!orla_json_integer(json, &number))
				return false;
			MUST(number >= 0 && number <= ORLA_JSON_INTEGER_MAX);
			return true;
		default:
			return orla_json_skip(json);
	}
}

/* How many members there are; -1: it is no object, or not one of that kind. */
static int
walk(const char *text, size_t size, const uint8_t *choices, OrlaText *names)
{
	OrlaJson	json;
	OrlaJsonStep step;
	int			n = 0;

	orla_json_open(&json, text, size);
	while ((step = orla_json_next(&json, &names[n])) == ORLA_JSON_MEMBER)
	{
		unsigned	choice = choices == NULL ? 2 : (choices[n / 4 % CHOICES] >> n % 4 * 2) & 3;

		MUST(n < ORLA_JSON_MEMBERS_MAX && lies_in(names[n].data, names[n].len, text, size));
		n++;
		if (!read_value(&json, choice, text, size))
			return -1;
	}
	return step == ORLA_JSON_END ? n : -1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OrlaText	read[ORLA_JSON_MEMBERS_MAX + 1];
	OrlaText	skipped[ORLA_JSON_MEMBERS_MAX + 1];
	char	   *text;
	int			n;
	int			i;

	if (size < CHOICES)
		return 0;
	text = room(size - CHOICES);
	memcpy(text, data + CHOICES, size - CHOICES);
	n = walk(text, size - CHOICES, data, read);
	if (n >= 0)
	{
		MUST(walk(text, size - CHOICES, NULL, skipped) == n);
		for (i = 0; i < n; i++)
			MUST(read[i].data == skipped[i].data && read[i].len == skipped[i].len);
	}
	free(text);
	return 0;
}
