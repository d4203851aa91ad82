/*
 * base64url.c
 *		src/base64url.c: RFC 4648, section 10, in the URL-safe alphabet and
 *		without padding, and texts that no encoder has made.
 */
#include "base64url.h"

#include "tap.h"

static const struct
{
	const char *bytes;
	const char *text;
}			vectors[] = {
	{"", ""},
	{"f", "Zg"},
	{"fo", "Zm8"},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg"},
	{"fooba", "Zm9vYmE"},
	{"foobar", "Zm9vYmFy"},
	{"\xfb\xff\xbf", "-_-_"},
	{"\xff\xff\xff\xff", "_____w"}
};

static const struct
{
	const char *what;
	const char *text;
}			malformed[] = {
	{"one digit", "Z"},
	{"one digit after a group", "Zm9vY"},
	{"padding", "Zg=="},
	{"half the padding", "Zg="},
	{"padding after a group", "Zm9v="},
	{"low bits of two digits", "Zh"},
	{"low bits of three digits", "Zm9"},
	{"the other alphabet's 62", "+/+/"},
	{"the other alphabet's 63", "____/_"},
	{"a space before", " Zm9v"},
	{"a space within", "Zm 9v"},
	{"a line feed after", "Zm9v\n"},
	{"a dot", "Zm9."},
	{"a quote", "Zm9\""},
	{"beyond ASCII", "Zm9\xc3"},
	{"the highest octet", "Zm9\xff"},
	{"below a letter", "Zm9@"},
	{"above a letter", "Zm9["},
	{"above a digit", "Zm9:"},
	{"above the last", "Zm9{"}
};

static void
check_vector(const char *bytes, const char *text)
{
	size_t		n = strlen(bytes);
	char		encoded[16];
	uint8_t		decoded[16];

	ok((size_t) orla_base64url_encoded_len(n) == strlen(text) &&
	   orla_base64url_encode((const uint8_t *) bytes, n, encoded) == strlen(text) &&
	   memcmp(encoded, text, strlen(text)) == 0, "encodes to \"%s\"", text);
	ok(orla_base64url_decode(text, strlen(text), decoded, n) == (int) n &&
	   memcmp(decoded, bytes, n) == 0, "decodes \"%s\"", text);
}

static void
check_malformed(const char *what, const char *text)
{
	size_t		n = strlen(text);
	char	   *copy = exact_copy(text, n);
	uint8_t		decoded[16];

	ok(orla_base64url_decode(copy, n, decoded, sizeof(decoded)) == -1,
	   "refuses %s", what);
	free(copy);
}

/* Every octet that is not a digit, at every place of a group. */
static void
check_every_octet(void)
{
	int			accepted = 0;
	int			octet;
	int			place;
	uint8_t		decoded[3];

	for (octet = 0; octet < 256; octet++)
	{
		for (place = 0; place < 4; place++)
		{
			char		text[4] = {'A', 'A', 'A', 'A'};

			text[place] = octet;
			if (orla_base64url_decode(text, 4, decoded, 3) == 3)
				accepted++;
		}
	}
	ok(accepted == 4 * 64, "64 octets are digits at every place");
}

static void
check_all_lengths(void)
{
	bool		good = true;
	uint8_t		bytes[100];
	uint8_t		decoded[100];
	char		text[134];
	size_t		n;

	for (n = 0; n <= sizeof(bytes); n++)
	{
		size_t		len;

		if (n > 0)
			bytes[n - 1] = (uint8_t) (n * 151);
		len = orla_base64url_encode(bytes, n, text);
		good = good && len == (size_t) orla_base64url_encoded_len(n) &&
			orla_base64url_decode(text, len, decoded, n) == (int) n &&
			memcmp(bytes, decoded, n) == 0 &&
			(n == 0 || orla_base64url_decode(text, len, decoded, n - 1) == -1);
	}
	ok(good, "what is encoded decodes to itself, and needs all its room");
}

int
main(void)
{
	size_t		i;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		check_vector(vectors[i].bytes, vectors[i].text);
	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		check_malformed(malformed[i].what, malformed[i].text);
	check_every_octet();
	check_all_lengths();
	return done_testing();
}
