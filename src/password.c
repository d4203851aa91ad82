/*
 * password.c
 *		Hashes of passwords, and the bound on how many are computed at once.
 *
 * Computing a hash cannot be interrupted; it takes less than a second with
 * any sensible setting.  Waiting for a place can be.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"

#include "crypto.h"
#include "crypto_password.h"
#include "errors.h"
#include "password.h"
#include "place.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(orla_hash_password);
PG_FUNCTION_INFO_V1(orla_verify_password);
PG_FUNCTION_INFO_V1(orla_password_needs_rehash);
PG_FUNCTION_INFO_V1(orla_configured_password_costs);
PG_FUNCTION_INFO_V1(orla_check_bcrypt);

/*
 * Argon2 is computed in one lane: the sign-in of one person should not take
 * several processors.
 */
#define LANES			1

/* How long a sign-in waits for its turn. */
#define PLACE_WAIT_MS	3000

/* $2b$12$, 22 characters of salt, 31 of hash. */
#define BCRYPT_LEN		60
#define BCRYPT_COST_MAX 15

/*
 * OWASP's recommendations for Argon2id, equal in strength: less memory takes
 * more passes.
 */
static const struct
{
	int			memory_kib;
	int			passes;
}			recommended[] =
{
	{47104, 1},
	{19456, 2},
	{12288, 3},
	{9216, 4},
	{0, 5}
};

int
orla_password_cost(int memory_kib, int passes)
{
	int			i = 0;

	while (memory_kib < recommended[i].memory_kib)
		i++;
	return Max(passes, recommended[i].passes);
}

static int
configured_passes(void)
{
	return orla_password_cost(orla_password_memory, orla_password_passes);
}

/* ---- the bound ---------------------------------------------------------- */

static void
take_place(LOCKTAG *place)
{
	if (!orla_place_take(ORLA_PLACE_HASH, orla_max_concurrent_hashes, PLACE_WAIT_MS, place))
		ereport(ERROR,
				(errcode(ERRCODE_ORLA_UNAVAILABLE),
				 errmsg("too many sign-ins at once"),
				 errhint("Try again in a moment.  Operators may raise orla.max_concurrent_hashes.")));
}

/* ---- Argon2id ----------------------------------------------------------- */

static void
check_length(const text *password)
{
	if (VARSIZE_ANY_EXHDR(password) > ORLA_PASSWORD_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("password is too long"),
				 errdetail("A password has at most %d bytes.", ORLA_PASSWORD_MAX)));
}

static void
raise_no_memory(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("could not compute a password hash"),
			 errhint("Lower orla.password_memory or orla.max_concurrent_hashes.")));
}

/* A toasted argument was copied to be read; the copy goes at once. */
static void
wipe_copy(const text *copy, Datum original)
{
	if ((Pointer) copy != DatumGetPointer(original))
		explicit_bzero(unconstify(text *, copy), VARSIZE_ANY(copy));
}

/* orla.hash_password(password text) → text */
Datum
orla_hash_password(PG_FUNCTION_ARGS)
{
	text	   *password = PG_GETARG_TEXT_PP(0);
	char		phc[ORLA_PHC_MAX];
	LOCKTAG		place;
	int			result;

	check_length(password);
	take_place(&place);
	result = orla_argon2id_hash(VARDATA_ANY(password), VARSIZE_ANY_EXHDR(password),
								orla_password_memory, configured_passes(), LANES,
								phc, sizeof(phc));
	orla_place_give_back(&place);
	wipe_copy(password, PG_GETARG_DATUM(0));
	if (result != 0)
		raise_no_memory();
	PG_RETURN_TEXT_P(cstring_to_text(phc));
}

/*
 * orla.verify_password(password text, hash text) → boolean; false, too, for
 * what is no Argon2id hash.
 */
Datum
orla_verify_password(PG_FUNCTION_ARGS)
{
	text	   *password = PG_GETARG_TEXT_PP(0);
	char	   *hash = text_to_cstring(PG_GETARG_TEXT_PP(1));
	OrlaPhc		phc;
	LOCKTAG		place;
	int			result;

	if (VARSIZE_ANY_EXHDR(password) > ORLA_PASSWORD_MAX ||
		!orla_phc_parse(hash, strlen(hash), &phc))
		PG_RETURN_BOOL(false);
	take_place(&place);
	result = orla_argon2id_verify(hash, VARDATA_ANY(password),
								  VARSIZE_ANY_EXHDR(password));
	orla_place_give_back(&place);
	wipe_copy(password, PG_GETARG_DATUM(0));
	if (result < 0)
		raise_no_memory();
	PG_RETURN_BOOL(result == 0);
}

/* orla.password_needs_rehash(hash text) → boolean */
Datum
orla_password_needs_rehash(PG_FUNCTION_ARGS)
{
	char	   *hash = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_BOOL(orla_argon2id_needs_rehash(hash, orla_password_memory,
											  configured_passes(), LANES));
}

/*
 * orla.configured_password_costs() → text: what new hashes begin with, up to
 * their salt
 */
Datum
orla_configured_password_costs(PG_FUNCTION_ARGS)
{
	char	   *costs = psprintf("$argon2id$v=19$m=%d,t=%d,p=%d",
								 orla_password_memory, configured_passes(), LANES);

	PG_RETURN_TEXT_P(cstring_to_text(costs));
}

/* ---- bcrypt ------------------------------------------------------------- */

/* A planted hash of a high cost would keep a processor busy for hours. */
static bool
is_bcrypt(const char *hash)
{
	int			cost;

	if (strlen(hash) != BCRYPT_LEN || strncmp(hash, "$2", 2) != 0 ||
		strchr("aby", hash[2]) == NULL || hash[3] != '$' ||
		hash[4] < '0' || hash[4] > '9' || hash[5] < '0' || hash[5] > '9' ||
		hash[6] != '$')
		return false;
	cost = (hash[4] - '0') * 10 + (hash[5] - '0');
	return cost >= 4 && cost <= BCRYPT_COST_MAX &&
		strspn(hash + 7, "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") ==
		BCRYPT_LEN - 7;
}

/* orla.bcrypt() is pgcrypto's crypt(), wherever pgcrypto was installed. */
static Oid
bcrypt_function(void)
{
	Oid			types[2] = {TEXTOID, TEXTOID};

	return LookupFuncName(list_make2(makeString("orla"), makeString("bcrypt")),
						  2, types, false);
}

/*
 * orla.check_bcrypt(password text, hash text) → boolean
 *
 * pgcrypto knows the function by its name $2a$; $2b$ and $2y$ are other names
 * for it, given after bugs that pgcrypto does not have.
 */
Datum
orla_check_bcrypt(PG_FUNCTION_ARGS)
{
	text	   *password = PG_GETARG_TEXT_PP(0);
	char	   *hash = text_to_cstring(PG_GETARG_TEXT_PP(1));
	LOCKTAG		place;
	text	   *computed;
	bool		equal;

	if (VARSIZE_ANY_EXHDR(password) > ORLA_PASSWORD_MAX || !is_bcrypt(hash))
		PG_RETURN_BOOL(false);
	hash[2] = 'a';
	take_place(&place);
	computed = DatumGetTextPP(OidFunctionCall2Coll(bcrypt_function(),
												   PG_GET_COLLATION(),
												   PointerGetDatum(password),
												   CStringGetTextDatum(hash)));
	orla_place_give_back(&place);
	equal = VARSIZE_ANY_EXHDR(computed) == BCRYPT_LEN &&
		orla_equal(VARDATA_ANY(computed), hash, BCRYPT_LEN);
	wipe_copy(password, PG_GETARG_DATUM(0));
	PG_RETURN_BOOL(equal);
}
