/*
 * crypto_key.h
 *		Keys that sign JSON Web Tokens: HS256, ES256, RS256, EdDSA (Ed25519).
 *
 * Pure, like crypto.h.  A signer is one private or secret key, bound to one
 * algorithm when it is loaded: what a token says about its algorithm never
 * chooses the code that checks it.
 */
#ifndef ORLA_CRYPTO_KEY_H
#define ORLA_CRYPTO_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values are those of the setting orla.signing_algorithm. */
typedef enum OrlaAlg
{
	ORLA_ALG_NONE = 0,
	ORLA_ALG_HS256,
	ORLA_ALG_ES256,
	ORLA_ALG_RS256,
	ORLA_ALG_EDDSA
} OrlaAlg;

#define ORLA_RSA_BITS_MAX	8192
#define ORLA_P256_LEN		32		/* of r, s and a coordinate */

/*
 * Looking up algorithms and scheduling a key cost more than a keyed digest of a
 * token, so both are done when the key is loaded.  The contexts change with each
 * use although the signer is const, hence a signer is for one thread.  They are
 * OpenSSL's, for crypto*.c alone.
 */
typedef struct OrlaSigner
{
	OrlaAlg		alg;
	struct evp_mac_ctx_st *hmac;	/* HS256; keyed */
	struct evp_pkey_st *key;	/* the others */
	struct evp_pkey_ctx_st *sign;	/* ES256, RS256; for digests */
	struct evp_pkey_ctx_st *verify;
	struct evp_md_ctx_st *message;	/* EdDSA, which takes no digest */
} OrlaSigner;

/* As in the header member alg; "none" for ORLA_ALG_NONE. */
extern const char *orla_alg_name(OrlaAlg alg);

/* ORLA_ALG_NONE for every name that is not one of the four, "none" included. */
extern OrlaAlg orla_alg_from_name(const char *name, size_t n);

/*
 * HS256: the secret, 32 to 1024 bytes.  Others: PKCS#8 DER, RSA with 2048 to
 * 8192 bits.  NULL when the material is not a key of this algorithm.
 */
extern OrlaSigner *orla_signer_load(OrlaAlg alg, const uint8_t *material,
									size_t len);

extern void orla_signer_free(OrlaSigner *signer);

/*
 * New key material as orla_signer_load() takes it, malloc'd: the caller wipes
 * and frees it.
 */
extern bool orla_generate_key(OrlaAlg alg, uint8_t **material, size_t *len)
			__attribute__((warn_unused_result));

/*
 * Members of the public key's JWK without kid, use and alg, such as
 * "kty":"EC","crv":"P-256","x":"…","y":"…"; NUL-terminated.  False for HS256,
 * which has nothing public, and when cap is too small.
 */
extern bool orla_signer_jwk(const OrlaSigner *signer, char *buf, size_t cap);

#endif							/* ORLA_CRYPTO_KEY_H */
