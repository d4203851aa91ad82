/*
 * file_value.c
 *		Sizes and times as providers write them.
 *
 * A page of files has hundreds of them, and none may raise: what is no size and
 * no time is NULL.  In SQL each would need a regular expression before its
 * cast, and a subtransaction for what passes that and is none all the same.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(orla_to_bigint);
PG_FUNCTION_INFO_V1(orla_to_time);

/* Always in range. */
#define SIZE_DIGITS_MAX		18

typedef struct Reader
{
	const char *at;
	const char *end;
	bool		good;			/* so far all was as it should be */
} Reader;

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number of so many digits. */
static int
number(Reader *reader, int digits)
{
	int			value = 0;

	for (; digits > 0; digits--, reader->at++)
	{
		if (reader->at == reader->end || !is_digit(*reader->at))
		{
			reader->good = false;
			return 0;
		}
		value = value * 10 + (*reader->at - '0');
	}
	return value;
}

static int
number_between(Reader *reader, int digits, int least, int most)
{
	int			value = number(reader, digits);

	if (value < least || value > most)
		reader->good = false;
	return value;
}

static bool
has(Reader *reader, char c)
{
	bool		there = reader->at < reader->end && *reader->at == c;

	if (there)
		reader->at++;
	return there;
}

static void
expect(Reader *reader, char c)
{
	if (!has(reader, c))
		reader->good = false;
}

/* Microseconds after the point, rounded; of digits there are as many as they like. */
static int64
fraction(Reader *reader)
{
	int64		value = 0;
	int			digits = 0;

	if (!has(reader, '.'))
		return 0;
	for (; reader->at < reader->end && is_digit(*reader->at); reader->at++, digits++)
	{
		if (digits < 6)
			value = value * 10 + (*reader->at - '0');
		else if (digits == 6)
			value += *reader->at >= '5';
	}
	if (digits == 0)
		reader->good = false;
	for (; digits < 6; digits++)
		value *= 10;
	return value;
}

/* Seconds east of Greenwich. */
static int
zone(Reader *reader)
{
	bool		west;
	int			hours;
	int			minutes;

	if (has(reader, 'Z'))
		return 0;
	west = has(reader, '-');
	if (!west)
		expect(reader, '+');
	hours = number_between(reader, 2, 0, 15);
	expect(reader, ':');
	minutes = number_between(reader, 2, 0, 59);
	return (hours * SECS_PER_HOUR + minutes * SECS_PER_MINUTE) * (west ? -1 : 1);
}

/* Days since 2000-01-01. */
static int
date(Reader *reader)
{
	int			year = number_between(reader, 4, 1, 9999);
	int			month;
	int			day;

	expect(reader, '-');
	month = number_between(reader, 2, 1, 12);
	expect(reader, '-');
	day = number_between(reader, 2, 1, 31);
	if (!reader->good || day > day_tab[isleap(year)][month - 1])
	{
		reader->good = false;
		return 0;
	}
	return date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
}

static int64
time_of_day(Reader *reader)
{
	int64		hours = number_between(reader, 2, 0, 23);
	int64		minutes;
	int64		seconds;

	expect(reader, ':');
	minutes = number_between(reader, 2, 0, 59);
	expect(reader, ':');
	seconds = number_between(reader, 2, 0, 60); /* a leap second is the next one */
	return (hours * SECS_PER_HOUR + minutes * SECS_PER_MINUTE + seconds) * USECS_PER_SEC +
		fraction(reader);
}

/* orla.to_time(value text) → timestamptz: a time of RFC 3339 */
Datum
orla_to_time(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	Reader		reader = {VARDATA_ANY(value), VARDATA_ANY(value) + VARSIZE_ANY_EXHDR(value), true};
	TimestampTz moment = date(&reader) * USECS_PER_DAY;

	expect(&reader, 'T');
	moment += time_of_day(&reader);
	moment -= zone(&reader) * USECS_PER_SEC;
	if (!reader.good || reader.at != reader.end)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(moment);
}

/* orla.to_bigint(value text) → bigint */
Datum
orla_to_bigint(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	const char *digits = VARDATA_ANY(value);
	int			n = VARSIZE_ANY_EXHDR(value);
	int64		size = 0;
	int			i;

	if (n == 0 || n > SIZE_DIGITS_MAX)
		PG_RETURN_NULL();
	for (i = 0; i < n; i++)
	{
		if (!is_digit(digits[i]))
			PG_RETURN_NULL();
		size = size * 10 + (digits[i] - '0');
	}
	PG_RETURN_INT64(size);
}
