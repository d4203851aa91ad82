/*
 * seal_key.h
 *		The keys that values are sealed with: a tenant's, and the whole
 *		installation's.
 */
#ifndef ORLA_SEAL_KEY_H
#define ORLA_SEAL_KEY_H

#include "postgres.h"

#include "utils/uuid.h"

#include "crypto.h"
#include "keyring_text.h"

#define ORLA_SEAL_ID_LEN	(ORLA_KEY_HEX_LEN / 2)

/*
 * A key ready for AES-256-GCM, and the id that a sealed value names it by; to be
 * wiped by whoever asked for it.
 */
typedef struct OrlaSealKey
{
	uint8		bytes[ORLA_AEAD_KEY_LEN];
	uint8		id[ORLA_SEAL_ID_LEN];
} OrlaSealKey;

/* The message of every value that does not open. */
extern const char orla_seal_does_not_open[];

/*
 * The tenant's data key; its id is derived, since it has none of its own.
 * Which ring wraps it is not asked: a key of any other ring has another id,
 * and would not open it.  Raises P0002 when the tenant has none.
 */
extern void orla_seal_key_of_tenant(const pg_uuid_t *tenant, OrlaSealKey *key);

/*
 * The key of the whole installation, of this id (hexadecimal) or, with NULL, the
 * newest.  Raises F0000 naming the key that the keyring lacks.
 */
extern void orla_seal_key_of_instance(const char *id, OrlaSealKey *key);

#endif							/* ORLA_SEAL_KEY_H */
