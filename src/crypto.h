/*
 * crypto.h
 *		Digests, keyed digests, random bytes, authenticated encryption.
 *
 * Pure: bytes in, bytes out, false on failure, nothing raised, no setting
 * read, no server needed.  OpenSSL appears in crypto*.c only.  The contexts
 * behind these functions live as long as the process and are not shared
 * between threads; a backend has one.
 */
#ifndef ORLA_CRYPTO_H
#define ORLA_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORLA_SHA256_LEN		32
#define ORLA_AEAD_KEY_LEN	32
#define ORLA_AEAD_NONCE_LEN	12
#define ORLA_AEAD_TAG_LEN	16

/* Cannot fail for lack of anything but memory; then it ends the process. */
extern void orla_sha256(const void *data, size_t n,
						uint8_t digest[ORLA_SHA256_LEN]);

extern bool orla_hmac_sha256(const void *key, size_t key_len,
							 const void *data, size_t n,
							 uint8_t mac[ORLA_SHA256_LEN])
			__attribute__((warn_unused_result));

/* From the system's generator; fit for keys and nonces. */
extern bool orla_random(void *bytes, size_t n)
			__attribute__((warn_unused_result));

/* Time depends on n alone. */
extern bool orla_equal(const void *a, const void *b, size_t n);

/*
 * AES-256-GCM.  A nonce must never be used twice under one key: draw it with
 * orla_random(), and stay below 2^32 values sealed per key.  sealed has room
 * for n + ORLA_AEAD_TAG_LEN bytes; n is at most 1 GB.
 */
extern bool orla_aead_seal(const uint8_t key[ORLA_AEAD_KEY_LEN],
						   const uint8_t nonce[ORLA_AEAD_NONCE_LEN],
						   const void *aad, size_t aad_len,
						   const void *plain, size_t n, uint8_t *sealed)
			__attribute__((warn_unused_result));

/*
 * n counts the tag; plain has room for n - ORLA_AEAD_TAG_LEN bytes.  False
 * when key, nonce, additional data or ciphertext are not those of the sealing;
 * plain is then wiped.
 */
extern bool orla_aead_open(const uint8_t key[ORLA_AEAD_KEY_LEN],
						   const uint8_t nonce[ORLA_AEAD_NONCE_LEN],
						   const void *aad, size_t aad_len,
						   const uint8_t *sealed, size_t n, uint8_t *plain)
			__attribute__((warn_unused_result));

#endif							/* ORLA_CRYPTO_H */
