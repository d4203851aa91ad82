/*
 * uuidtext.c
 *		src/uuidtext.c: the canonical text of a uuid, and no other.
 */
#include "postgres.h"

#include "uuidtext.h"

/* The server's header renames them; there is no server here to print. */
#undef printf
#undef vprintf

#include "tap.h"

#define UUID	"01234567-89ab-cdef-0123-456789abcdef"

static const struct
{
	const char *what;
	const char *text;
}			malformed[] = {
	{"nothing", ""},
	{"a word", "rubbish"},
	{"a digit missing", "01234567-89ab-cdef-0123-456789abcde"},
	{"a digit too many", UUID "0"},
	{"no hyphens", "0123456789abcdef0123456789abcdef"},
	{"no hyphens, filled up", "0123456789abcdef0123456789abcdef0000"},
	{"braces", "{" UUID "}"},
	{"braces in place of digits", "{1234567-89ab-cdef-0123-456789abcde}"},
	{"a space before", " " UUID},
	{"a space for a digit", " 1234567-89ab-cdef-0123-456789abcdef"},
	{"a line feed after", UUID "\n"},
	{"a hyphen one too early", "0123456-789ab-cdef-0123-456789abcdef"},
	{"a hyphen for a digit", "-1234567-89ab-cdef-0123-456789abcdef"},
	{"a digit for a hyphen", "01234567089ab-cdef-0123-456789abcdef"},
	{"below 0", "/1234567-89ab-cdef-0123-456789abcdef"},
	{"above 9", ":1234567-89ab-cdef-0123-456789abcdef"},
	{"below A", "@1234567-89ab-cdef-0123-456789abcdef"},
	{"above F", "G1234567-89ab-cdef-0123-456789abcdef"},
	{"below a", "`1234567-89ab-cdef-0123-456789abcdef"},
	{"above f", "g1234567-89ab-cdef-0123-456789abcdef"},
	{"beyond ASCII", "\xc3\xa9""234567-89ab-cdef-0123-456789abcdef"}
};

static void
check_malformed(const char *what, const char *text)
{
	size_t		n = strlen(text);
	char	   *copy = exact_copy(text, n);
	pg_uuid_t	uuid;

	ok(!orla_uuid_parse(copy, n, &uuid), "refuses %s", what);
	free(copy);
}

int
main(void)
{
	static const char capitals[] = "01234567-89AB-CDEF-0123-456789ABCDEF";
	static const uint8 bytes[] = {
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef
	};
	char		text[ORLA_UUID_TEXT_LEN + 1];
	pg_uuid_t	uuid;
	pg_uuid_t	other;
	size_t		i;

	ok(orla_uuid_parse(UUID, strlen(UUID), &uuid) &&
	   memcmp(uuid.data, bytes, sizeof(bytes)) == 0, "reads a uuid");
	orla_uuid_print(&uuid, text);
	ok(strcmp(text, UUID) == 0, "prints it");
	ok(orla_uuid_parse(capitals, strlen(capitals), &other) &&
	   orla_uuid_equal(&uuid, &other), "capitals are the same uuid");
	other.data[15]++;
	ok(!orla_uuid_equal(&uuid, &other), "another is not");
	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		check_malformed(malformed[i].what, malformed[i].text);
	return done_testing();
}
