/*
 * keyring_text.c
 *		src/keyring_text.c: what parses prints as it was, and which texts are
 *		refused, with the line at fault.
 *
 * In the texts below, ~ stands for the check value of its line.
 */
#include "keyring_text.h"

#include "crypto.h"
#include "tap.h"

#define UUID		"01234567-89ab-cdef-0123-456789abcdef"
#define HEAD		"orla-keyring 1 " UUID "\n"
#define ZEROS		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"	/* 32 bytes */
#define SEAL		"seal 0123456789abcdef A256GCM 1 2 0 " ZEROS " ~\n"
#define SIGN		"sign 0123456789abcdef HS256 1 2 3 " ZEROS " ~\n"
#define MAC			"mac 0123456789abcdef HS256 1 2 0 " ZEROS " ~\n"

static const struct
{
	const char *what;
	const char *text;
	OrlaKeyringError error;
	int			line;
}			texts[] = {
	{"one key of each use", HEAD SEAL SIGN MAC "end 3\n", ORLA_KEYRING_OK, 5},
	{"no key", HEAD "end 0\n", ORLA_KEYRING_OK, 2},
	{"ES256", HEAD "sign 0123456789abcdef ES256 1 2 3 " ZEROS " ~\nend 1\n", ORLA_KEYRING_OK, 3},
	{"the last time there is", HEAD "seal 0123456789abcdef A256GCM 0 0 253402300799 " ZEROS " ~\nend 1\n", ORLA_KEYRING_OK, 3},
	{"two seal keys", HEAD SEAL "seal fedcba9876543210 A256GCM 1 2 0 " ZEROS " ~\nend 2\n", ORLA_KEYRING_OK, 4},
	{"nothing", "", ORLA_KEYRING_EMPTY, 1},
	{"a line feed", "\n", ORLA_KEYRING_NOT_A_KEYRING, 1},
	{"something else", "-----BEGIN PRIVATE KEY-----\n", ORLA_KEYRING_NOT_A_KEYRING, 1},
	{"another version", "orla-keyring 2 " UUID "\nend 0\n", ORLA_KEYRING_NOT_A_KEYRING, 1},
	{"a byte order mark", "\xef\xbb\xbf" HEAD "end 0\n", ORLA_KEYRING_NOT_A_KEYRING, 1},
	{"a space before", " " HEAD "end 0\n", ORLA_KEYRING_NOT_A_KEYRING, 1},
	{"no id", "orla-keyring 1 \nend 0\n", ORLA_KEYRING_NOT_A_KEYRING, 1},
	{"an id that is no uuid", "orla-keyring 1 rubbish\nend 0\n", ORLA_KEYRING_BAD_LINE, 1},
	{"an id in capitals", "orla-keyring 1 01234567-89AB-CDEF-0123-456789ABCDEF\nend 0\n", ORLA_KEYRING_BAD_LINE, 1},
	{"a space after the id", "orla-keyring 1 " UUID " \nend 0\n", ORLA_KEYRING_BAD_LINE, 1},
	{"lines of another system", "orla-keyring 1 " UUID "\r\nend 0\r\n", ORLA_KEYRING_BAD_LINE, 1},
	{"the header alone", HEAD, ORLA_KEYRING_TRUNCATED, 2},
	{"half the header", "orla-keyring 1 0123", ORLA_KEYRING_NOT_A_KEYRING, 1},
	{"no last line", HEAD SEAL, ORLA_KEYRING_TRUNCATED, 3},
	{"half a key", HEAD SEAL "sign 0123456789abcdef", ORLA_KEYRING_TRUNCATED, 3},
	{"half the last line", HEAD SEAL "end", ORLA_KEYRING_TRUNCATED, 3},
	{"a last line that does not end", HEAD SEAL "end 1", ORLA_KEYRING_TRUNCATED, 3},
	{"a key fewer", HEAD SEAL "end 2\n", ORLA_KEYRING_TRUNCATED, 3},
	{"a key more", HEAD SEAL SIGN "end 1\n", ORLA_KEYRING_TRUNCATED, 4},
	{"a number with a leading zero at the end", HEAD SEAL "end 01\n", ORLA_KEYRING_BAD_LINE, 3},
	{"a word at the end", HEAD SEAL "end one\n", ORLA_KEYRING_BAD_LINE, 3},
	{"an empty line after it", HEAD SEAL "end 1\n\n", ORLA_KEYRING_TRAILING, 3},
	{"another keyring after it", HEAD SEAL "end 1\n" HEAD "end 0\n", ORLA_KEYRING_TRAILING, 3},
	{"an empty line in it", HEAD "\n" SEAL "end 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a comment in it", HEAD "# my keys\n" SEAL "end 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"no check", HEAD "seal 0123456789abcdef A256GCM 1 2 0 " ZEROS "\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"another check", HEAD "seal 0123456789abcdef A256GCM 1 2 0 " ZEROS " 0123456789abcdef0123456789abcdef\nend 1\n", ORLA_KEYRING_BAD_CHECK, 2},
	{"an unknown use", HEAD "open 0123456789abcdef A256GCM 1 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a use in capitals", HEAD "SEAL 0123456789abcdef A256GCM 1 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a short id", HEAD "seal 0123456789abcde A256GCM 1 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"an id in capitals in a key", HEAD "seal 0123456789ABCDEF A256GCM 1 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"alg none", HEAD "sign 0123456789abcdef none 1 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a seal key for signing", HEAD "seal 0123456789abcdef HS256 1 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a mac key for sealing", HEAD "mac 0123456789abcdef A256GCM 1 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a negative time", HEAD "seal 0123456789abcdef A256GCM -1 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a time with a leading zero", HEAD "seal 0123456789abcdef A256GCM 01 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a time with a fraction", HEAD "seal 0123456789abcdef A256GCM 1.5 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a time that is too late", HEAD "seal 0123456789abcdef A256GCM 1 2 253402300800 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a time beyond 64 bits", HEAD "seal 0123456789abcdef A256GCM 1 2 18446744073709551616 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a time missing", HEAD "seal 0123456789abcdef A256GCM 1 2 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a time too many", HEAD "seal 0123456789abcdef A256GCM 1 2 0 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"two spaces", HEAD "seal  0123456789abcdef A256GCM 1 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"two spaces before the check", HEAD "seal 0123456789abcdef A256GCM 1 2 0 " ZEROS "  ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a tab", HEAD "seal\t0123456789abcdef A256GCM 1 2 0 " ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"no material", HEAD "seal 0123456789abcdef A256GCM 1 2 0 ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"31 bytes", HEAD "seal 0123456789abcdef A256GCM 1 2 0 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"33 bytes to seal with", HEAD "seal 0123456789abcdef A256GCM 1 2 0 A" ZEROS " ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"padded material", HEAD "seal 0123456789abcdef A256GCM 1 2 0 " ZEROS "= ~\nend 1\n", ORLA_KEYRING_BAD_LINE, 2},
	{"a key twice", HEAD SEAL SEAL "end 2\n", ORLA_KEYRING_TWICE, 3},
	{"an id twice, for one use", HEAD SIGN "sign 0123456789abcdef ES256 5 6 0 " ZEROS " ~\nend 2\n", ORLA_KEYRING_TWICE, 3}
};

/* The text with its check values, and its length. */
static size_t
complete(const char *text, char *out)
{
	char	   *at = out;
	char	   *line = out;

	for (; *text != '\0'; text++)
	{
		if (*text == '~')
		{
			uint8_t		digest[ORLA_SHA256_LEN];
			int			i;

			/* without the space that is before it */
			orla_sha256(line, at - line - 1, digest);
			for (i = 0; i < ORLA_SHA256_LEN / 2; i++)
				at += sprintf(at, "%02x", digest[i]);
			continue;
		}
		*at++ = *text;
		if (*text == '\n')
			line = at;
	}
	return at - out;
}

static bool
prints_as_it_was(const OrlaKeyringText *ring, const char *text, size_t n)
{
	size_t		size = orla_keyring_text_size(ring);
	char	   *again = malloc(size);
	bool		same = orla_keyring_text_print(ring, again) == n && n < size &&
		memcmp(again, text, n) == 0;

	free(again);
	return same;
}

static void
check_text(const char *what, const char *template, OrlaKeyringError expected,
		   int expected_line)
{
	static OrlaKeyringText ring;
	char		completed[4096];
	size_t		n = complete(template, completed);
	char	   *text = exact_copy(completed, n);
	uint8_t    *space = malloc(n > 0 ? n : 1);
	int			line;
	OrlaKeyringError error = orla_keyring_text_parse(text, n, &ring, space, &line);

	ok(error == expected && line == expected_line &&
	   (error != ORLA_KEYRING_OK || prints_as_it_was(&ring, text, n)),
	   "%s: line %d: %s", what, line, orla_keyring_error_text(error));
	free(space);
	free(text);
}

static void
check_fields(void)
{
	static OrlaKeyringText ring;
	char		text[4096];
	uint8_t		space[4096];
	size_t		n = complete(HEAD SEAL SIGN MAC "end 3\n", text);
	int			line;

	ok(orla_keyring_text_parse(text, n, &ring, space, &line) == ORLA_KEYRING_OK &&
	   ring.nkeys == 3 && strcmp(ring.id, UUID) == 0, "reads a keyring");
	ok(ring.keys[0].use == ORLA_KEY_SEAL && ring.keys[1].use == ORLA_KEY_SIGN &&
	   ring.keys[2].use == ORLA_KEY_MAC, "uses");
	ok(ring.keys[0].alg == ORLA_ALG_NONE && ring.keys[1].alg == ORLA_ALG_HS256 &&
	   ring.keys[2].alg == ORLA_ALG_NONE, "algorithms");
	ok(strcmp(ring.keys[1].id, "0123456789abcdef") == 0 && ring.keys[1].created_at == 1 &&
	   ring.keys[1].active_from == 2 && ring.keys[1].retire_at == 3, "id and times");
	ok(ring.keys[2].len == 32 && ring.keys[2].material[31] == 0, "material");
}

/* Cut off anywhere, a keyring is refused. */
static void
check_cuts(void)
{
	static OrlaKeyringText ring;
	char		text[4096];
	uint8_t		space[4096];
	size_t		n = complete(HEAD SEAL SIGN MAC "end 3\n", text);
	bool		refused = true;
	int			line;

	while (n-- > 0)
	{
		char	   *cut = exact_copy(text, n);

		refused = refused &&
			orla_keyring_text_parse(cut, n, &ring, space, &line) != ORLA_KEYRING_OK;
		free(cut);
	}
	ok(refused, "cut off anywhere, a keyring is refused");
}

/* One bit changed anywhere in the keys' lines is noticed. */
static void
check_bits(void)
{
	static OrlaKeyringText ring;
	char		text[4096];
	uint8_t		space[4096];
	size_t		n = complete(HEAD SEAL SIGN "end 2\n", text);
	bool		noticed = true;
	size_t		bit;
	int			line;

	for (bit = 8 * strlen(HEAD); bit < 8 * n; bit++)
	{
		text[bit / 8] ^= 1 << bit % 8;
		noticed = noticed &&
			orla_keyring_text_parse(text, n, &ring, space, &line) != ORLA_KEYRING_OK;
		text[bit / 8] ^= 1 << bit % 8;
	}
	ok(noticed, "one bit changed in a key is noticed");
}

/* Up to as many keys as there may be. */
static void
check_many(int nkeys, OrlaKeyringError expected)
{
	static OrlaKeyringText ring;
	static char template[64 * 1024];
	static char text[64 * 1024];
	static uint8_t space[64 * 1024];
	char	   *at = template + sprintf(template, HEAD);
	size_t		n;
	int			line;
	int			i;

	for (i = 0; i < nkeys; i++)
		at += sprintf(at, "mac %016x HS256 1 2 0 " ZEROS " ~\n", i);
	sprintf(at, "end %d\n", nkeys);
	n = complete(template, text);
	ok(orla_keyring_text_parse(text, n, &ring, space, &line) == expected,
	   "%d keys", nkeys);
}

int
main(void)
{
	static OrlaKeyringText ring;
	char		text[1] = {'o'};
	uint8_t		space[1];
	int			line;
	size_t		i;

	check_fields();
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_text(texts[i].what, texts[i].text, texts[i].error, texts[i].line);
	check_cuts();
	check_bits();
	check_many(ORLA_KEYRING_KEYS_MAX, ORLA_KEYRING_OK);
	check_many(ORLA_KEYRING_KEYS_MAX + 1, ORLA_KEYRING_TOO_LARGE);
	ok(orla_keyring_text_parse(text, ORLA_KEYRING_TEXT_MAX + 1, &ring, space,
							   &line) == ORLA_KEYRING_TOO_LARGE, "more than a megabyte");
	return done_testing();
}
