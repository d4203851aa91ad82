/*
 * keyring.c
 *		The keys of this server: sealing, signing, keyed digests; loaded, and
 *		found by their use or id.
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
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "keyring.h"
#include "keyring_make.h"
#include "keyring_source.h"
#include "rows.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(orla_open_keyring);

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
			orla_keyring_make_file(path);
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
