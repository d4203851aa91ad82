/*
 * seal.c
 *		Sealing: authenticated encryption of what a table must not show.
 *
 * Each tenant has a data key of its own, kept in orla.tenant_keys wrapped by
 * the keyring: deleting the account destroys it, and with it what it sealed,
 * wherever copies lie.  The wrapped key is read from its row in every command,
 * so that a deleted key opens nothing from the next one on; the last few that
 * were opened are remembered until the transaction ends.
 *
 * Keys that are used for something are derived from the key material by HMAC
 * with a label, so that one key never serves two algorithms or uses.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "crypto.h"
#include "keyring.h"
#include "rows.h"
#include "seal.h"
#include "uuidtext.h"

PG_FUNCTION_INFO_V1(orla_seal_text);
PG_FUNCTION_INFO_V1(orla_unseal_text);
PG_FUNCTION_INFO_V1(orla_wrap_new_key);
PG_FUNCTION_INFO_V1(orla_rewrap_key);

#define FORMAT		0x01
#define ID_LEN		(ORLA_KEY_HEX_LEN / 2)
#define HEADER_LEN	(1 + ID_LEN + ORLA_AEAD_NONCE_LEN)

/* nonce | data key | tag */
#define WRAPPED_LEN (ORLA_AEAD_NONCE_LEN + ORLA_AEAD_KEY_LEN + ORLA_AEAD_TAG_LEN)

/* A key ready for AES-256-GCM, and the id that a sealed value names it by. */
typedef struct SealKey
{
	uint8		bytes[ORLA_AEAD_KEY_LEN];
	uint8		id[ID_LEN];
} SealKey;

/* A command of a statement, within which a row is looked at once. */
typedef struct Moment
{
	TimestampTz statement;
	CommandId	command;
} Moment;

/* A data key that this transaction has opened, found by its wrapped form. */
typedef struct OpenedKey
{
	pg_uuid_t	tenant;
	Moment		looked_at;		/* when its row was last there */
	uint8		wrapped[WRAPPED_LEN];
	uint64		generation;		/* of the keyring; 0: empty */
	SealKey		key;
} OpenedKey;

#define OPENED_KEYS		4

static const char does_not_open[] = "could not open sealed value";
static const char data_key_does_not_open[] = "could not open the data key of a tenant";

static OpenedKey opened[OPENED_KEYS];
static int	next_opened = 0;
static bool wiping_registered = false;

static void
wipe_opened(XactEvent event, void *arg)
{
	if (next_opened != 0 || opened[0].generation != 0)
		explicit_bzero(opened, sizeof(opened));
	next_opened = 0;
}

static void
random_or_raise(void *bytes, size_t n)
{
	if (!orla_random(bytes, n))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not draw random bytes")));
}

static void
derive(const uint8 *key, size_t len, const char *label, uint8 out[ORLA_SHA256_LEN])
{
	if (!orla_hmac_sha256(key, len, label, strlen(label), out))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not derive a key")));
}

static void
raise_does_not_open(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg_internal("%s", does_not_open),
			 errdetail_internal("%s", detail)));
}

/* The key of the ring that new values and data keys are sealed with. */
static const OrlaKey *
newest_ring_key(void)
{
	const OrlaKey *key = orla_keyring_current(orla_keyring_require(), ORLA_KEY_SEAL);

	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the keyring has no active key for sealing"),
				 errhint("Run orla.rotate_keys().")));
	return key;
}

/* The key of the ring that sealed or wrapped something. */
static const OrlaKey *
ring_key(const OrlaKeyring *ring, const char *id, const char *problem)
{
	const OrlaKey *key = orla_keyring_find(ring, ORLA_KEY_SEAL, id, strlen(id));

	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg_internal("%s", problem),
				 errdetail("It was sealed under key \"%s\", which keyring %s does not have.",
						   id, ring->id),
				 errhint("Restore a keyring that has this key.")));
	return key;
}

/* What a wrapped data key is bound to. */
static char *
wrap_aad(const pg_uuid_t *tenant, const char *key_id)
{
	char		uuid[ORLA_UUID_TEXT_LEN + 1];

	orla_uuid_print(tenant, uuid);
	return psprintf("orla|tenant_keys|%s|%s", uuid, key_id);
}

static bytea *
wrap(const uint8 data_key[ORLA_AEAD_KEY_LEN], const pg_uuid_t *tenant, const OrlaKey *key)
{
	bytea	   *wrapped = palloc(VARHDRSZ + WRAPPED_LEN);
	uint8	   *nonce = (uint8 *) VARDATA(wrapped);
	char	   *aad = wrap_aad(tenant, key->id);
	uint8		wrapping[ORLA_SHA256_LEN];
	bool		done;

	SET_VARSIZE(wrapped, VARHDRSZ + WRAPPED_LEN);
	derive(key->material, key->len, "orla wrap", wrapping);
	random_or_raise(nonce, ORLA_AEAD_NONCE_LEN);
	done = orla_aead_seal(wrapping, nonce, aad, strlen(aad), data_key,
						  ORLA_AEAD_KEY_LEN, nonce + ORLA_AEAD_NONCE_LEN);
	explicit_bzero(wrapping, sizeof(wrapping));
	pfree(aad);
	if (!done)
		elog(ERROR, "could not wrap a data key");
	return wrapped;
}

static void
unwrap(const OrlaKeyring *ring, const bytea *wrapped, const char *key_id,
	   const pg_uuid_t *tenant, uint8 data_key[ORLA_AEAD_KEY_LEN])
{
	const OrlaKey *key = ring_key(ring, key_id, data_key_does_not_open);
	const uint8 *nonce = (const uint8 *) VARDATA_ANY(wrapped);
	char	   *aad = wrap_aad(tenant, key_id);
	uint8		wrapping[ORLA_SHA256_LEN];
	bool		done;

	derive(key->material, key->len, "orla wrap", wrapping);
	done = VARSIZE_ANY_EXHDR(wrapped) == WRAPPED_LEN &&
		orla_aead_open(wrapping, nonce, aad, strlen(aad), nonce + ORLA_AEAD_NONCE_LEN,
					   WRAPPED_LEN - ORLA_AEAD_NONCE_LEN, data_key);
	explicit_bzero(wrapping, sizeof(wrapping));
	pfree(aad);
	if (!done)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg_internal("%s", data_key_does_not_open),
				 errdetail("The authentication tag does not match.")));
}

static Moment
this_moment(void)
{
	return (Moment) {GetCurrentStatementStartTimestamp(), GetCurrentCommandId(false)};
}

/* The key whose row this very command has seen, or NULL. */
static const SealKey *
find_looked_at(const pg_uuid_t *tenant, Moment now)
{
	int			i;

	for (i = 0; i < OPENED_KEYS; i++)
	{
		if (opened[i].generation != 0 &&
			opened[i].looked_at.statement == now.statement &&
			opened[i].looked_at.command == now.command &&
			orla_uuid_equal(&opened[i].tenant, tenant))
			return &opened[i].key;
	}
	return NULL;
}

/* The key that this wrapped form was opened to before, or NULL. */
static const SealKey *
find_opened(const pg_uuid_t *tenant, const bytea *wrapped, uint64 generation,
			Moment now)
{
	int			i;

	for (i = 0; i < OPENED_KEYS; i++)
	{
		if (opened[i].generation == generation &&
			VARSIZE_ANY_EXHDR(wrapped) == WRAPPED_LEN &&
			memcmp(opened[i].wrapped, VARDATA_ANY(wrapped), WRAPPED_LEN) == 0 &&
			orla_uuid_equal(&opened[i].tenant, tenant))
		{
			opened[i].looked_at = now;
			return &opened[i].key;
		}
	}
	return NULL;
}

static void
remember(const pg_uuid_t *tenant, const bytea *wrapped, uint64 generation,
		 Moment now, const SealKey *key)
{
	OpenedKey  *entry = &opened[next_opened];

	if (!wiping_registered)
		RegisterXactCallback(wipe_opened, NULL);
	wiping_registered = true;
	next_opened = (next_opened + 1) % OPENED_KEYS;
	entry->tenant = *tenant;
	entry->looked_at = now;
	memcpy(entry->wrapped, VARDATA_ANY(wrapped), WRAPPED_LEN);
	entry->generation = generation;
	entry->key = *key;
}

/*
 * The tenant's data key; its id is derived, since it has none of its own.
 * Which ring wraps it is not asked: a key of any other ring has another id,
 * and would not open it.
 */
static void
tenant_seal_key(const pg_uuid_t *tenant, SealKey *key)
{
	Moment		now = this_moment();
	const SealKey *known = find_looked_at(tenant, now);
	const OrlaKeyring *ring;
	char		key_id[ORLA_KEY_ID_LEN + 1];
	uint8		id[ORLA_SHA256_LEN];
	bytea	   *wrapped;

	if (known != NULL)
	{
		*key = *known;
		return;
	}
	ring = orla_keyring_open(NULL, false);
	if (!orla_rows_tenant_key(tenant, &wrapped, key_id))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("the tenant has no data key"),
				 errdetail("There is no such account, or it was deleted and its key with it.")));
	known = find_opened(tenant, wrapped, ring->generation, now);
	if (known != NULL)
		*key = *known;
	else
	{
		unwrap(ring, wrapped, key_id, tenant, key->bytes);
		derive(key->bytes, sizeof(key->bytes), "orla data key id", id);
		memcpy(key->id, id, ID_LEN);
		remember(tenant, wrapped, ring->generation, now, key);
	}
	pfree(wrapped);
}

static int
hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The key of the whole installation, of this id or the newest. */
static void
instance_seal_key(const char *id, SealKey *key)
{
	const OrlaKey *from = id == NULL ? newest_ring_key()
		: ring_key(orla_keyring_require(), id, does_not_open);
	int			i;

	derive(from->material, from->len, "orla instance seal", key->bytes);
	for (i = 0; i < ID_LEN; i++)
		key->id[i] = hex_digit(from->id[2 * i]) << 4 | hex_digit(from->id[2 * i + 1]);
}

static void
print_id(const uint8 *id, char text[ORLA_KEY_HEX_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	int			i;

	for (i = 0; i < ID_LEN; i++)
	{
		text[2 * i] = digits[id[i] >> 4];
		text[2 * i + 1] = digits[id[i] & 15];
	}
	text[ORLA_KEY_HEX_LEN] = '\0';
}

/* What a sealed value is bound to. */
static char *
seal_aad(const pg_uuid_t *tenant, const char *purpose, const uint8 *key_id)
{
	char		uuid[ORLA_UUID_TEXT_LEN + 1] = "instance";
	char		id[ORLA_KEY_HEX_LEN + 1];

	if (tenant != NULL)
		orla_uuid_print(tenant, uuid);
	print_id(key_id, id);
	return psprintf("orla|%s|%s|%s", uuid, purpose, id);
}

bytea *
orla_seal(const void *plain, size_t n, const pg_uuid_t *tenant, const char *purpose)
{
	bytea	   *sealed = palloc(VARHDRSZ + n + ORLA_SEAL_OVERHEAD);
	uint8	   *at = (uint8 *) VARDATA(sealed);
	SealKey		key;
	char	   *aad;
	bool		done;

	if (tenant != NULL)
		tenant_seal_key(tenant, &key);
	else
		instance_seal_key(NULL, &key);
	SET_VARSIZE(sealed, VARHDRSZ + n + ORLA_SEAL_OVERHEAD);
	at[0] = FORMAT;
	memcpy(at + 1, key.id, ID_LEN);
	random_or_raise(at + 1 + ID_LEN, ORLA_AEAD_NONCE_LEN);
	aad = seal_aad(tenant, purpose, key.id);
	done = orla_aead_seal(key.bytes, at + 1 + ID_LEN, aad, strlen(aad), plain, n,
						  at + HEADER_LEN);
	explicit_bzero(&key, sizeof(key));
	pfree(aad);
	if (!done)
		elog(ERROR, "could not seal a value");
	return sealed;
}

char *
orla_unseal(const bytea *sealed, const pg_uuid_t *tenant, const char *purpose, size_t *n)
{
	const uint8 *at = (const uint8 *) VARDATA_ANY(sealed);
	size_t		len = VARSIZE_ANY_EXHDR(sealed);
	char		id[ORLA_KEY_HEX_LEN + 1];
	SealKey		key;
	char	   *plain;
	char	   *aad;
	bool		done;

	if (len < ORLA_SEAL_OVERHEAD || at[0] != FORMAT)
		raise_does_not_open("It is not a sealed value.");
	print_id(at + 1, id);
	if (tenant != NULL)
		tenant_seal_key(tenant, &key);
	else
		instance_seal_key(id, &key);

	*n = len - ORLA_SEAL_OVERHEAD;
	plain = palloc(*n + 1);
	aad = seal_aad(tenant, purpose, at + 1);
	done = orla_equal(key.id, at + 1, ID_LEN) &&
		orla_aead_open(key.bytes, at + 1 + ID_LEN, aad, strlen(aad), at + HEADER_LEN,
					   len - HEADER_LEN, (uint8 *) plain);
	explicit_bzero(&key, sizeof(key));
	pfree(aad);
	if (!done)
		raise_does_not_open("It was sealed for another tenant or purpose, or was changed.");
	plain[*n] = '\0';
	return plain;
}

/* NULL stands for the whole installation. */
static const pg_uuid_t *
tenant_argument(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(1) ? NULL : PG_GETARG_UUID_P(1);
}

/* Part of the additional data, between members of fixed shape. */
static char *
purpose_argument(FunctionCallInfo fcinfo)
{
	char	   *purpose = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (purpose == NULL || purpose[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a purpose is needed"),
				 errdetail("It binds the sealed value to one use.")));
	return purpose;
}

/* orla.seal(secret text, tenant uuid, purpose text) → bytea */
Datum
orla_seal_text(PG_FUNCTION_ARGS)
{
	text	   *secret;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	secret = PG_GETARG_TEXT_PP(0);
	PG_RETURN_BYTEA_P(orla_seal(VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret),
								tenant_argument(fcinfo), purpose_argument(fcinfo)));
}

/* orla.unseal(sealed bytea, tenant uuid, purpose text) → text */
Datum
orla_unseal_text(PG_FUNCTION_ARGS)
{
	char	   *plain;
	text	   *result;
	size_t		n;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	plain = orla_unseal(PG_GETARG_BYTEA_PP(0), tenant_argument(fcinfo),
						purpose_argument(fcinfo), &n);
	if (!pg_verifymbstr(plain, n, true))
	{
		explicit_bzero(plain, n);
		raise_does_not_open("It is not text in the encoding of this database.");
	}
	result = cstring_to_text_with_len(plain, n);
	explicit_bzero(plain, n);
	pfree(plain);
	PG_RETURN_TEXT_P(result);
}

/* A wrapped key and the id of what wraps it, as SQL wants two columns. */
static Datum
wrapped_row(FunctionCallInfo fcinfo, bytea *wrapped, const char *key_id)
{
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = PointerGetDatum(wrapped);
	values[1] = CStringGetTextDatum(key_id);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* orla.wrap_new_key(tenant uuid) → (wrapped_key bytea, key_id text) */
Datum
orla_wrap_new_key(PG_FUNCTION_ARGS)
{
	const OrlaKey *key = newest_ring_key();
	uint8		data_key[ORLA_AEAD_KEY_LEN];
	bytea	   *wrapped;

	random_or_raise(data_key, sizeof(data_key));
	wrapped = wrap(data_key, PG_GETARG_UUID_P(0), key);
	explicit_bzero(data_key, sizeof(data_key));
	return wrapped_row(fcinfo, wrapped, key->id);
}

/*
 * orla.rewrap_key(tenant uuid, wrapped_key bytea, key_id text) → the same data
 * key wrapped by the newest key
 */
Datum
orla_rewrap_key(PG_FUNCTION_ARGS)
{
	uint8		data_key[ORLA_AEAD_KEY_LEN];
	const OrlaKey *newest;
	bytea	   *wrapped;

	unwrap(orla_keyring_require(), PG_GETARG_BYTEA_PP(1), text_to_cstring(PG_GETARG_TEXT_PP(2)),
		   PG_GETARG_UUID_P(0), data_key);
	newest = newest_ring_key();
	wrapped = wrap(data_key, PG_GETARG_UUID_P(0), newest);
	explicit_bzero(data_key, sizeof(data_key));
	return wrapped_row(fcinfo, wrapped, newest->id);
}
