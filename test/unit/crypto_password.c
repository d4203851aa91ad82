/*
 * crypto_password.c
 *		src/crypto_password.c: hashes of the Argon2 reference implementation's
 *		own tests, and PHC strings that must be refused.
 */
#include "crypto_password.h"

#include "tap.h"

static const struct
{
	const char *password;
	const char *phc;
}			hashes[] = {
	{"password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
	{"password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
	{"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
	{"password", "$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw"}
};

#define SALT	"c29tZXNhbHQ"
#define HASH	"nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

static const struct
{
	const char *what;
	const char *phc;
}			malformed[] = {
	{"nothing", ""},
	{"a word", "password"},
	{"bcrypt", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkY8jIucDrjc8deX1s."},
	{"argon2i", "$argon2i$v=19$m=256,t=2,p=1$" SALT "$" HASH},
	{"argon2d", "$argon2d$v=19$m=256,t=2,p=1$" SALT "$" HASH},
	{"argon2id in capitals", "$ARGON2ID$v=19$m=256,t=2,p=1$" SALT "$" HASH},
	{"no version", "$argon2id$m=256,t=2,p=1$" SALT "$" HASH},
	{"an older version", "$argon2id$v=16$m=256,t=2,p=1$" SALT "$" HASH},
	{"a newer version", "$argon2id$v=20$m=256,t=2,p=1$" SALT "$" HASH},
	{"no dollar before", "argon2id$v=19$m=256,t=2,p=1$" SALT "$" HASH},
	{"a space before", " $argon2id$v=19$m=256,t=2,p=1$" SALT "$" HASH},
	{"costs in another order", "$argon2id$v=19$t=2,m=256,p=1$" SALT "$" HASH},
	{"no memory", "$argon2id$v=19$t=2,p=1$" SALT "$" HASH},
	{"no passes", "$argon2id$v=19$m=256,p=1$" SALT "$" HASH},
	{"no lanes", "$argon2id$v=19$m=256,t=2$" SALT "$" HASH},
	{"empty memory", "$argon2id$v=19$m=,t=2,p=1$" SALT "$" HASH},
	{"memory 0", "$argon2id$v=19$m=0,t=2,p=1$" SALT "$" HASH},
	{"too little memory", "$argon2id$v=19$m=7,t=2,p=1$" SALT "$" HASH},
	{"too little memory for the lanes", "$argon2id$v=19$m=31,t=2,p=4$" SALT "$" HASH},
	{"too much memory", "$argon2id$v=19$m=1048577,t=2,p=1$" SALT "$" HASH},
	{"memory beyond 32 bits", "$argon2id$v=19$m=4294967552,t=2,p=1$" SALT "$" HASH},
	{"memory beyond 64 bits", "$argon2id$v=19$m=18446744073709551872,t=2,p=1$" SALT "$" HASH},
	{"memory with a leading zero", "$argon2id$v=19$m=0256,t=2,p=1$" SALT "$" HASH},
	{"memory with a sign", "$argon2id$v=19$m=+256,t=2,p=1$" SALT "$" HASH},
	{"negative memory", "$argon2id$v=19$m=-256,t=2,p=1$" SALT "$" HASH},
	{"memory in hex", "$argon2id$v=19$m=0x100,t=2,p=1$" SALT "$" HASH},
	{"passes 0", "$argon2id$v=19$m=256,t=0,p=1$" SALT "$" HASH},
	{"too many passes", "$argon2id$v=19$m=256,t=65,p=1$" SALT "$" HASH},
	{"lanes 0", "$argon2id$v=19$m=256,t=2,p=0$" SALT "$" HASH},
	{"too many lanes", "$argon2id$v=19$m=256,t=2,p=17$" SALT "$" HASH},
	{"another parameter", "$argon2id$v=19$m=256,t=2,p=1,keyid=AA$" SALT "$" HASH},
	{"no salt", "$argon2id$v=19$m=256,t=2,p=1$" HASH},
	{"an empty salt", "$argon2id$v=19$m=256,t=2,p=1$$" HASH},
	{"a short salt", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbA$" HASH},
	{"a padded salt", "$argon2id$v=19$m=256,t=2,p=1$" SALT "=$" HASH},
	{"a salt with stray bits", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHR$" HASH},
	{"a long salt", "$argon2id$v=19$m=256,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA$" HASH},
	{"no hash", "$argon2id$v=19$m=256,t=2,p=1$" SALT},
	{"an empty hash", "$argon2id$v=19$m=256,t=2,p=1$" SALT "$"},
	{"a short hash", "$argon2id$v=19$m=256,t=2,p=1$" SALT "$nf65EOgLrQMR/uIPnA4r"},
	{"a hash in base64url", "$argon2id$v=19$m=256,t=2,p=1$" SALT "$nf65EOgLrQMR_uIPnA4rEsF5h7TKyQwu9U1bMCHGi_4"},
	{"a padded hash", "$argon2id$v=19$m=256,t=2,p=1$" SALT "$" HASH "="},
	{"a dollar after", "$argon2id$v=19$m=256,t=2,p=1$" SALT "$" HASH "$"},
	{"a line feed after", "$argon2id$v=19$m=256,t=2,p=1$" SALT "$" HASH "\n"},
	{"two of them", "$argon2id$v=19$m=256,t=2,p=1$" SALT "$" HASH "$argon2id$v=19$m=256,t=2,p=1$" SALT "$" HASH}
};

static void
check_malformed(const char *what, const char *text)
{
	size_t		n = strlen(text);
	char	   *copy = exact_copy(text, n);
	OrlaPhc		phc;

	ok(!orla_phc_parse(copy, n, &phc) &&
	   orla_argon2id_verify(text, "password", 8) == -1 &&
	   orla_argon2id_needs_rehash(text, 256, 2, 1), "refuses %s", what);
	free(copy);
}

static void
check_made_here(void)
{
	static const char password[] = "with a NUL \0 inside";
	char		phc[ORLA_PHC_MAX];
	char		other[ORLA_PHC_MAX];
	size_t		n = sizeof(password) - 1;

	ok(orla_argon2id_hash(password, n, 64, 3, 2, phc, sizeof(phc)) == 0 &&
	   strncmp(phc, "$argon2id$v=19$m=64,t=3,p=2$", 28) == 0, "makes a hash");
	ok(orla_argon2id_verify(phc, password, n) == 0, "knows its password");
	ok(orla_argon2id_verify(phc, password, n - 1) == 1, "and no shorter one");
	ok(orla_argon2id_verify(phc, password, strlen(password)) == 1,
	   "a NUL does not end a password");
	ok(orla_argon2id_verify(phc, "", 0) == 1, "nor the empty one");
	ok(orla_argon2id_hash(password, n, 64, 3, 2, other, sizeof(other)) == 0 &&
	   strcmp(phc, other) != 0, "each hash has its salt");
	ok(!orla_argon2id_needs_rehash(phc, 64, 3, 2), "the same costs are good");
	ok(orla_argon2id_needs_rehash(phc, 65, 3, 2), "other memory is not");
	ok(orla_argon2id_needs_rehash(phc, 64, 4, 2), "other passes are not");
	ok(orla_argon2id_needs_rehash(phc, 64, 3, 1), "other lanes are not");
	ok(orla_argon2id_hash("", 0, 64, 1, 1, phc, sizeof(phc)) == 0 &&
	   orla_argon2id_verify(phc, "", 0) == 0, "the empty password can be hashed");
}

static void
check_refused_costs(void)
{
	char		phc[ORLA_PHC_MAX];

	ok(orla_argon2id_hash("x", 1, 7, 1, 1, phc, sizeof(phc)) == -1, "too little memory");
	ok(orla_argon2id_hash("x", 1, 31, 1, 4, phc, sizeof(phc)) == -1, "too little for the lanes");
	ok(orla_argon2id_hash("x", 1, 1048577, 1, 1, phc, sizeof(phc)) == -1, "too much memory");
	ok(orla_argon2id_hash("x", 1, 64, 0, 1, phc, sizeof(phc)) == -1, "no pass");
	ok(orla_argon2id_hash("x", 1, 64, 65, 1, phc, sizeof(phc)) == -1, "too many passes");
	ok(orla_argon2id_hash("x", 1, 64, 1, 0, phc, sizeof(phc)) == -1, "no lane");
	ok(orla_argon2id_hash("x", 1, 1024, 1, 17, phc, sizeof(phc)) == -1, "too many lanes");
	ok(orla_argon2id_hash("x", 1, 64, 1, 1, phc, 94) == -1, "no room for the text");
	ok(orla_argon2id_hash("x", 1, 64, 1, 1, phc, 95) == 0 &&
	   strlen(phc) == 94, "just enough room");
	ok(orla_argon2id_hash("x", 1, 64, 1, 1, phc, 0) == -1, "no room at all");
}

int
main(void)
{
	size_t		i;

	for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
	{
		ok(orla_argon2id_verify(hashes[i].phc, hashes[i].password,
								strlen(hashes[i].password)) == 0,
		   "%.40s", hashes[i].phc);
		ok(orla_argon2id_verify(hashes[i].phc, "Password", 8) == 1,
		   "another password");
	}
	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		check_malformed(malformed[i].what, malformed[i].phc);
	check_made_here();
	check_refused_costs();
	return done_testing();
}
