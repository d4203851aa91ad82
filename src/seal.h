/*
 * seal.h
 *		Sealing: authenticated encryption of what a table must not show.
 *
 * A sealed value is
 *
 *		0x01 | key id, 8 bytes | nonce, 12 | ciphertext | tag, 16
 *
 * AES-256-GCM with a fresh nonce.  The additional data names the tenant, the
 * purpose and the key, so that a value moved to another tenant or another use
 * does not open.
 */
#ifndef ORLA_SEAL_H
#define ORLA_SEAL_H

#include "postgres.h"

#include "utils/uuid.h"

/* What sealing adds to a text. */
#define ORLA_SEAL_OVERHEAD	(1 + 8 + 12 + 16)

/*
 * Seals under the tenant's data key; with tenant NULL under a key of the whole
 * installation.  Raises P0002 when the tenant has no key.
 */
extern bytea *orla_seal(const void *plain, size_t n, const pg_uuid_t *tenant,
						const char *purpose);

/*
 * palloc'd, NUL-terminated, to be wiped by the caller.  Raises 22000 when the
 * value does not open, F0000 naming the key that the keyring lacks.
 */
extern char *orla_unseal(const bytea *sealed, const pg_uuid_t *tenant,
						 const char *purpose, size_t *n);

#endif							/* ORLA_SEAL_H */
