/*
 * seal_key.c
 *		The keys that values are sealed with: a tenant's, and the whole
 *		installation's.
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
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "crypto.h"
#include "draw.h"
#include "keyring.h"
#include "rows.h"
#include "seal_key.h"
#include "uuidtext.h"

PG_FUNCTION_INFO_V1(orla_wrap_new_key);
PG_FUNCTION_INFO_V1(orla_rewrap_key);

/* nonce | data key | tag */
#define WRAPPED_LEN (ORLA_AEAD_NONCE_LEN + ORLA_AEAD_KEY_LEN + ORLA_AEAD_TAG_LEN)

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
	OrlaSealKey key;
} OpenedKey;

#define OPENED_KEYS		4

const char orla_seal_does_not_open[] = "could not open sealed value";
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
derive(const uint8 *key, size_t len, const char *label, uint8 out[ORLA_SHA256_LEN])
{
	if (!orla_hmac_sha256(key, len, label, strlen(label), out))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not derive a key")));
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
	orla_draw(nonce, ORLA_AEAD_NONCE_LEN);
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
static const OrlaSealKey *
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
static const OrlaSealKey *
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
		 Moment now, const OrlaSealKey *key)
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

void
orla_seal_key_of_tenant(const pg_uuid_t *tenant, OrlaSealKey *key)
{
	Moment		now = this_moment();
	const OrlaSealKey *known = find_looked_at(tenant, now);
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
		memcpy(key->id, id, ORLA_SEAL_ID_LEN);
		remember(tenant, wrapped, ring->generation, now, key);
	}
	pfree(wrapped);
}

static int
hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

void
orla_seal_key_of_instance(const char *id, OrlaSealKey *key)
{
	const OrlaKey *from = id == NULL ? newest_ring_key()
		: ring_key(orla_keyring_require(), id, orla_seal_does_not_open);
	int			i;

	derive(from->material, from->len, "orla instance seal", key->bytes);
	for (i = 0; i < ORLA_SEAL_ID_LEN; i++)
		key->id[i] = hex_digit(from->id[2 * i]) << 4 | hex_digit(from->id[2 * i + 1]);
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

	orla_draw(data_key, sizeof(data_key));
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
