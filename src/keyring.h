/*
 * keyring.h
 *		The keys of this server: sealing, signing, keyed digests.
 *
 * Kept in a file of its own or printed by a command, never in a table, a
 * setting or a dump.  The text is keyring_text.c's.
 *
 * What is handed out belongs to this module and is good until the next call
 * of orla_keyring_open() or the end of the transaction, whichever is first:
 * the file may have changed by then, and old keys are wiped.
 */
#ifndef ORLA_KEYRING_H
#define ORLA_KEYRING_H

#include "postgres.h"

#include "crypto_key.h"
#include "keyring_text.h"

typedef struct OrlaKey
{
	char		id[ORLA_KEY_HEX_LEN + 1];
	OrlaKeyUse	use;
	OrlaAlg		alg;			/* of sign keys; else ORLA_ALG_NONE */
	int64		created_at;		/* Unix seconds, as the next two */
	int64		active_from;
	int64		retire_at;		/* 0: never */
	uint8	   *material;
	size_t		len;
	OrlaSigner *signer;			/* of sign keys; else NULL */
} OrlaKey;

typedef struct OrlaKeyring
{
	char		id[ORLA_KEYRING_UUID_LEN + 1];
	uint64		generation;		/* another number after each change */
	int			nkeys;
	OrlaKey    *keys;
} OrlaKeyring;

/*
 * The ring, read again where its file has changed; a command's output is kept
 * until the configuration is reloaded.  Raises F0000 when it is missing,
 * damaged, readable by others or, with expected_id, another one.  With create
 * a missing file is made.
 */
extern const OrlaKeyring *orla_keyring_open(const char *expected_id, bool create);

/*
 * The ring of this database, as its instance row names it; NULL before the
 * first use.  Raises as orla_keyring_open() does.
 */
extern const OrlaKeyring *orla_keyring_own(void);

/* Likewise, but raises 55000 before the first use. */
extern const OrlaKeyring *orla_keyring_require(void);

/*
 * The key made last of those that are active now, NULL when there is none.  By
 * the time it was made, since orla.key_activation_delay may have been lowered
 * between two: the older one is then retiring when it becomes active.
 */
extern const OrlaKey *orla_keyring_current(const OrlaKeyring *ring, OrlaKeyUse use);

/*
 * A key by its id, NULL when it is not there.  Retired keys are found too, so
 * that old values open; not those for signing, whose tokens end with them.
 */
extern const OrlaKey *orla_keyring_find(const OrlaKeyring *ring, OrlaKeyUse use,
										const char *id, size_t n);

#endif							/* ORLA_KEYRING_H */
