/*
 * crypto_sign.h
 *		Signatures of JSON Web Tokens (RFC 7518, RFC 8037): HS256, ES256,
 *		RS256, EdDSA (Ed25519).
 *
 * Pure, like crypto.h.  A signer is one private or secret key, bound to one
 * algorithm when it is loaded: what a token says about its algorithm never
 * chooses the code that checks it.
 */
#ifndef ORLA_CRYPTO_SIGN_H
#define ORLA_CRYPTO_SIGN_H

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

typedef struct OrlaSigner OrlaSigner;

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

/* Bytes of the longest signature that a key of this algorithm makes. */
extern size_t orla_signature_max(OrlaAlg alg);

/*
 * *sig_len is the room in sig before (at least orla_signature_max) and the
 * signature's length after.  ES256: r and s, 32 bytes each.
 */
extern bool orla_sign(const OrlaSigner *signer, const void *data, size_t n,
					  uint8_t *sig, size_t *sig_len)
			__attribute__((warn_unused_result));

extern bool orla_verify(const OrlaSigner *signer, const void *data, size_t n,
						const uint8_t *sig, size_t sig_len)
			__attribute__((warn_unused_result));

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

#endif							/* ORLA_CRYPTO_SIGN_H */
