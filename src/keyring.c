/*
 * keyring.c
 *		The keys of this server: sealing, signing, keyed digests.
 *
 * One ring per process, in a memory context of its own.  A new state of the
 * file is parsed and its keys are loaded completely before it takes the place
 * of the old one, so that an error leaves the old one whole; the old keys are
 * wiped when the context goes.
 */
#include "postgres.h"

#include <time.h>

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "crypto.h"
#include "keyring.h"
#include "keyring_source.h"
#include "rows.h"
#include "settings.h"
#include "uuidtext.h"

PG_FUNCTION_INFO_V1(orla_open_keyring);
PG_FUNCTION_INFO_V1(orla_rotate_keyring);
PG_FUNCTION_INFO_V1(orla_keyring_keys);
PG_FUNCTION_INFO_V1(orla_jwks);

/* Seconds for which an old signing key outlives the last token it signed. */
#define RETIRE_MARGIN_S	60

/* Room for the JWK of the largest key: RSA with 8192 bits. */
#define JWK_MAX			4096

/* A ring and where it came from. */
typedef struct Loaded
{
	MemoryContext memory;
	MemoryContextCallback wipe;
	OrlaKeyring ring;
	char	   *source;			/* path, or the command */
	char	   *setting;		/* of a file: orla.keyring_file then */
	bool		is_command;
	OrlaFileStamp stamp;		/* of a file */
	TimestampTz reload_time;	/* of a command: the configuration then */
} Loaded;

/* What is handed out; NULL before first use. */
static Loaded *loaded = NULL;
static uint64 last_generation = 0;

/* ---- loading ------------------------------------------------------------ */

static void
wipe_keys(void *arg)
{
	Loaded	   *going = arg;
	int			i;

	for (i = 0; i < going->ring.nkeys; i++)
	{
		OrlaKey    *key = &going->ring.keys[i];

		if (key->signer != NULL)
			orla_signer_free(key->signer);
		explicit_bzero(key->material, key->len);
	}
	going->ring.nkeys = 0;
}

/* An empty ring; its context takes the keys along when it is deleted. */
static Loaded *
make_loaded(const char *source, bool is_command)
{
	MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "orla keyring",
												 ALLOCSET_SMALL_SIZES);
	Loaded	   *made = MemoryContextAllocZero(memory, sizeof(Loaded));

	made->memory = memory;
	made->source = MemoryContextStrdup(memory, source);
	made->is_command = is_command;
	made->wipe.func = wipe_keys;
	made->wipe.arg = made;
	MemoryContextRegisterResetCallback(memory, &made->wipe);
	return made;
}

/* False when the material is not a key of its algorithm. */
static bool
load_key(Loaded *into, const OrlaKeyText *text)
{
	OrlaKey    *key = &into->ring.keys[into->ring.nkeys];

	strlcpy(key->id, text->id, sizeof(key->id));
	key->use = text->use;
	key->alg = text->alg;
	key->created_at = text->created_at;
	key->active_from = text->active_from;
	key->retire_at = text->retire_at;
	key->len = text->len;
	key->material = MemoryContextAlloc(into->memory, text->len);
	memcpy(key->material, text->material, text->len);
	into->ring.nkeys++;
	if (key->use != ORLA_KEY_SIGN)
		return true;
	key->signer = orla_signer_load(key->alg, key->material, key->len);
	return key->signer != NULL;
}

/* The index of the key that cannot be loaded, -1 when all can. */
static int
load_keys(Loaded *into, const OrlaKeyringText *text)
{
	int			i;

	strlcpy(into->ring.id, text->id, sizeof(into->ring.id));
	into->ring.keys = MemoryContextAllocZero(into->memory,
											 Max(text->nkeys, 1) * sizeof(OrlaKey));
	for (i = 0; i < text->nkeys; i++)
	{
		if (!load_key(into, &text->keys[i]))
			return i;
	}
	return -1;
}

static void
raise_damaged(const Loaded *into, const char *problem, int line)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 into->is_command
			 ? errmsg("output of orla.keyring_command is not a keyring")
			 : errmsg("keyring file \"%s\" is damaged", orla_keyring_shown(into->source)),
			 errdetail("Line %d: %s", line, problem),
			 errhint("Restore it from a backup; without its keys nothing sealed can be opened.")));
}

/* Parses and loads; wipes the text in any case. */
static void
take_text(Loaded *into, char *text, size_t len)
{
	OrlaKeyringText *parsed = palloc(sizeof(OrlaKeyringText));
	uint8	   *space = palloc(len + 1);
	OrlaKeyringError error;
	int			line;
	int			bad_key = -1;

	error = orla_keyring_text_parse(text, len, parsed, space, &line);
	if (error == ORLA_KEYRING_OK)
		bad_key = load_keys(into, parsed);
	explicit_bzero(space, len + 1);
	explicit_bzero(text, len);
	pfree(space);
	pfree(parsed);
	pfree(text);

	if (error != ORLA_KEYRING_OK || bad_key >= 0)
	{
		const char *problem = error != ORLA_KEYRING_OK
			? orla_keyring_error_text(error)
			: "The key is not one of its algorithm.";
		Loaded		said = *into;

		said.source = pstrdup(into->source);
		MemoryContextDelete(into->memory);
		raise_damaged(&said, problem, error != ORLA_KEYRING_OK ? line : bad_key + 2);
	}
}

/* From here on the new state is the ring; the old keys are wiped. */
static void
put_in_place(Loaded *fresh)
{
	if (loaded != NULL)
		MemoryContextDelete(loaded->memory);
	fresh->ring.generation = ++last_generation;
	loaded = fresh;
}

static bool
is_current(const char *source, bool is_command)
{
	return loaded != NULL && loaded->is_command == is_command &&
		strcmp(loaded->source, source) == 0;
}

static void
load_from_command(void)
{
	Loaded	   *fresh;
	char	   *text;
	size_t		len;

	if (is_current(orla_keyring_command, true) &&
		loaded->reload_time == PgReloadTime)
		return;
	text = orla_keyring_read_command(&len);
	fresh = make_loaded(orla_keyring_command, true);
	fresh->reload_time = PgReloadTime;
	take_text(fresh, text, len);
	put_in_place(fresh);
}

/*
 * Most calls end here.  The name is taken as it is set, that is from the data
 * directory, where the server's processes are.  Should one have gone elsewhere,
 * it finds another file or none, and the whole path is looked at.
 */
static bool
file_is_unchanged(void)
{
	OrlaFileStamp stamp;

	return loaded != NULL && !loaded->is_command &&
		strcmp(loaded->setting, orla_keyring_file) == 0 &&
		orla_keyring_stamp(loaded->setting, &stamp) &&
		memcmp(&loaded->stamp, &stamp, sizeof(stamp)) == 0;
}

/* False when there is no file. */
static bool
load_from_file(const char *path)
{
	OrlaFileStamp stamp;
	Loaded	   *fresh;
	char	   *text;
	size_t		len;

	if (!orla_keyring_stat(path, &stamp))
		return false;
	if (is_current(path, false) &&
		memcmp(&loaded->stamp, &stamp, sizeof(stamp)) == 0)
		return true;
	text = orla_keyring_read_file(path, &len, &stamp);
	if (text == NULL)
		return false;
	fresh = make_loaded(path, false);
	fresh->setting = MemoryContextStrdup(fresh->memory, orla_keyring_file);
	fresh->stamp = stamp;
	take_text(fresh, text, len);
	put_in_place(fresh);
	return true;
}

/* ---- making and changing ------------------------------------------------ */

static void
random_or_raise(void *bytes, size_t n)
{
	if (!orla_random(bytes, n))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not draw random bytes")));
}

/* The ring as text that more keys can be added to; material is shared. */
static OrlaKeyringText *
ring_as_text(const OrlaKeyring *ring)
{
	OrlaKeyringText *text = palloc0(sizeof(OrlaKeyringText));
	int			i;

	strlcpy(text->id, ring->id, sizeof(text->id));
	for (i = 0; i < ring->nkeys; i++)
	{
		const OrlaKey *key = &ring->keys[i];
		OrlaKeyText *copy = &text->keys[text->nkeys++];

		copy->use = key->use;
		strlcpy(copy->id, key->id, sizeof(copy->id));
		copy->alg = key->alg;
		copy->created_at = key->created_at;
		copy->active_from = key->active_from;
		copy->retire_at = key->retire_at;
		copy->material = key->material;
		copy->len = key->len;
	}
	return text;
}

/* New material, palloc'd; the keyring's writer wipes it. */
static uint8 *
new_material(OrlaKeyUse use, OrlaAlg alg, size_t *len)
{
	uint8	   *material;
	uint8	   *made;

	if (use != ORLA_KEY_SIGN)
	{
		*len = 32;
		material = palloc(*len);
		random_or_raise(material, *len);
		return material;
	}
	if (!orla_generate_key(alg, &made, len))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not make a signing key")));
	material = palloc(*len);
	memcpy(material, made, *len);
	explicit_bzero(made, *len);
	free(made);
	return material;
}

static void
add_key(OrlaKeyringText *text, OrlaKeyUse use, int64 now, int64 active_from)
{
	OrlaKeyText *key;
	uint8		id[ORLA_KEY_HEX_LEN / 2];
	int			i;

	if (text->nkeys == ORLA_KEYRING_KEYS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the keyring is full"),
				 errdetail("It holds %d keys.", ORLA_KEYRING_KEYS_MAX)));
	key = &text->keys[text->nkeys++];
	key->use = use;
	random_or_raise(id, sizeof(id));
	for (i = 0; i < sizeof(id); i++)
		snprintf(key->id + 2 * i, 3, "%02x", id[i]);
	key->alg = use == ORLA_KEY_SIGN ? (OrlaAlg) orla_signing_algorithm : ORLA_ALG_NONE;
	key->created_at = now;
	key->active_from = active_from;
	key->retire_at = 0;
	key->material = new_material(use, key->alg, &key->len);
}

/* Writes the ring, then wipes the material of the keys from first_new on. */
static void
write_ring(const char *path, const OrlaKeyringText *text, int first_new, bool replace)
{
	size_t		size = orla_keyring_text_size(text);
	char	   *printed = palloc(size);
	size_t		len = orla_keyring_text_print(text, printed);
	int			i;

	orla_keyring_write_file(path, printed, len, replace);
	explicit_bzero(printed, size);
	pfree(printed);
	for (i = first_new; i < text->nkeys; i++)
		explicit_bzero(unconstify(uint8_t *, text->keys[i].material), text->keys[i].len);
}

static void
make_file(const char *path)
{
	OrlaKeyringText *text = palloc0(sizeof(OrlaKeyringText));
	pg_uuid_t	id;
	int64		now = (int64) time(NULL);

	random_or_raise(id.data, UUID_LEN);
	id.data[6] = (id.data[6] & 0x0f) | 0x40;	/* version 4, RFC 4122 */
	id.data[8] = (id.data[8] & 0x3f) | 0x80;
	orla_uuid_print(&id, text->id);
	add_key(text, ORLA_KEY_SEAL, now, now);
	add_key(text, ORLA_KEY_SIGN, now, now);
	add_key(text, ORLA_KEY_MAC, now, now);
	write_ring(path, text, 0, false);
	ereport(LOG,
			(errmsg("made keyring file \"%s\"", path),
			 errhint("Back it up apart from the database.")));
	pfree(text);
}

/* ---- what other modules use --------------------------------------------- */

static void
raise_missing(const char *path, const char *expected_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("keyring file \"%s\" does not exist", orla_keyring_shown(path)),
			 expected_id != NULL
			 ? errdetail("This database needs keyring %s: without it nobody can sign in and nothing sealed can be opened.", expected_id)
			 : errdetail("Without a keyring nobody can sign in."),
			 errhint("Restore it from a backup, or let orla.keyring_file or orla.keyring_command lead to it.")));
}

static void
check_ring_id(const char *expected_id)
{
	if (expected_id == NULL || strcmp(loaded->ring.id, expected_id) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("the keyring is not that of this database"),
			 errdetail("Found keyring %s, needed %s.", loaded->ring.id, expected_id),
			 errhint("Let orla.keyring_file or orla.keyring_command lead to the right one; a restored database needs the keyring of its original.")));
}

const OrlaKeyring *
orla_keyring_open(const char *expected_id, bool create)
{
	if (orla_keyring_command[0] != '\0')
		load_from_command();
	else if (!file_is_unchanged())
	{
		char	   *path = orla_keyring_path();

		if (!load_from_file(path))
		{
			if (!create || expected_id != NULL)
				raise_missing(path, expected_id);
			make_file(path);
			if (!load_from_file(path))
				raise_missing(path, expected_id);
		}
		pfree(path);
	}
	check_ring_id(expected_id);
	return &loaded->ring;
}

const OrlaKeyring *
orla_keyring_own(void)
{
	char		keyring_id[ORLA_KEYRING_ID_LEN + 1];
	pg_uuid_t	instance;

	return orla_rows_instance(&instance, keyring_id)
		? orla_keyring_open(keyring_id, false) : NULL;
}

const OrlaKeyring *
orla_keyring_require(void)
{
	const OrlaKeyring *ring = orla_keyring_own();

	if (ring == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database has no instance id yet"),
				 errhint("Run orla.harden() first.")));
	return ring;
}

const OrlaKey *
orla_keyring_current(const OrlaKeyring *ring, OrlaKeyUse use)
{
	int64		now = (int64) time(NULL);
	const OrlaKey *newest = NULL;
	int			i;

	for (i = 0; i < ring->nkeys; i++)
	{
		const OrlaKey *key = &ring->keys[i];

		if (key->use != use || key->active_from > now ||
			(key->retire_at != 0 && key->retire_at <= now))
			continue;
		/* of two made in the same second the one that was added later */
		if (newest == NULL || key->created_at >= newest->created_at)
			newest = key;
	}
	return newest;
}

const OrlaKey *
orla_keyring_find(const OrlaKeyring *ring, OrlaKeyUse use, const char *id, size_t n)
{
	int			i;

	for (i = 0; i < ring->nkeys; i++)
	{
		const OrlaKey *key = &ring->keys[i];

		if (key->use == use && n == ORLA_KEY_HEX_LEN && memcmp(key->id, id, n) == 0)
			return use == ORLA_KEY_SIGN && key->retire_at != 0 &&
				key->retire_at <= (int64) time(NULL) ? NULL : key;
	}
	return NULL;
}

/* ---- what SQL calls ----------------------------------------------------- */

/*
 * orla.open_keyring() → text: opens or makes the ring, returns its id.  None
 * is made where one is missing that this database was used with.
 */
Datum
orla_open_keyring(PG_FUNCTION_ARGS)
{
	const OrlaKeyring *ring = orla_keyring_own();

	if (ring == NULL)
		ring = orla_keyring_open(NULL, !XactReadOnly);
	PG_RETURN_TEXT_P(cstring_to_text(ring->id));
}

/* Old keys for signing open nothing; their tokens have expired. */
static void
drop_retired(OrlaKeyringText *text, int64 now)
{
	int			kept = 0;
	int			i;

	for (i = 0; i < text->nkeys; i++)
	{
		const OrlaKeyText *key = &text->keys[i];

		if (key->use != ORLA_KEY_SIGN || key->retire_at == 0 || key->retire_at > now)
			text->keys[kept++] = *key;
	}
	text->nkeys = kept;
}

/* What may be told of some keys of the ring. */
static Datum
keys_as_jsonb(const OrlaKeyring *ring, int from)
{
	StringInfoData json;
	int			i;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (i = from; ring != NULL && i < ring->nkeys; i++)
	{
		const OrlaKey *key = &ring->keys[i];

		appendStringInfo(&json,
						 "%s{\"use\":\"%s\",\"key_id\":\"%s\",\"alg\":\"%s\",\"created_at\":" INT64_FORMAT
						 ",\"active_from\":" INT64_FORMAT ",\"retire_at\":" INT64_FORMAT "}",
						 i > from ? "," : "", orla_key_use_name(key->use), key->id,
						 orla_key_alg_name(key->use, key->alg), key->created_at,
						 key->active_from, key->retire_at);
	}
	appendStringInfoChar(&json, ']');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

/*
 * orla.rotate_keyring() → jsonb: adds a key for each use and tells of them.
 * The new signing key waits orla.key_activation_delay, so that layers that
 * verify learn of it first; the old one stays as long as tokens that it has
 * signed may live.
 */
Datum
orla_rotate_keyring(PG_FUNCTION_ARGS)
{
	int64		now = (int64) time(NULL);
	int64		active_from = now + orla_key_activation_delay;
	OrlaKeyringText *text;
	char	   *path = orla_keyring_path();
	int			lock;
	int			old;
	int			i;

	if (orla_keyring_command[0] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot rotate keys that a command prints"),
				 errdetail("orla.keyring_command is set."),
				 errhint("Rotate them where the command gets them from, then reload the configuration.")));
	(void) orla_keyring_require();
	lock = orla_keyring_lock(path);
	/* as the last holder of the lock left it */
	text = ring_as_text(orla_keyring_require());
	drop_retired(text, now);
	old = text->nkeys;
	for (i = 0; i < old; i++)
	{
		if (text->keys[i].use == ORLA_KEY_SIGN && text->keys[i].retire_at == 0)
			text->keys[i].retire_at = active_from + orla_access_token_lifetime + RETIRE_MARGIN_S;
	}
	add_key(text, ORLA_KEY_SEAL, now, now);
	add_key(text, ORLA_KEY_SIGN, now, active_from);
	add_key(text, ORLA_KEY_MAC, now, now);
	write_ring(path, text, old, true);
	orla_keyring_unlock(lock);
	PG_RETURN_DATUM(keys_as_jsonb(orla_keyring_require(), old));
}

/* orla.keyring_keys() → jsonb: what may be told of the keys */
Datum
orla_keyring_keys(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(keys_as_jsonb(orla_keyring_own(), 0));
}

/* orla_api.jwks() → jsonb: the public keys (RFC 7517), none before first use */
Datum
orla_jwks(PG_FUNCTION_ARGS)
{
	const OrlaKeyring *ring = orla_keyring_own();
	int64		now = (int64) time(NULL);
	StringInfoData json;
	char		jwk[JWK_MAX];
	const char *comma = "";
	int			i;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"keys\":[");
	for (i = 0; ring != NULL && i < ring->nkeys; i++)
	{
		const OrlaKey *key = &ring->keys[i];

		if (key->use != ORLA_KEY_SIGN || (key->retire_at != 0 && key->retire_at <= now) ||
			!orla_signer_jwk(key->signer, jwk, sizeof(jwk)))
			continue;
		appendStringInfo(&json, "%s{%s,\"kid\":\"%s\",\"alg\":\"%s\",\"use\":\"sig\"}",
						 comma, jwk, key->id, orla_alg_name(key->alg));
		comma = ",";
	}
	appendStringInfoString(&json, "]}");
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}
