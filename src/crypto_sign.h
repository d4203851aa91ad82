/*
 * crypto_sign.h
 *		Signatures of JSON Web Tokens (RFC 7518, RFC 8037), by the keys of
 *		crypto_key.h.
 *
 * Pure, like crypto.h.
 */
#ifndef ORLA_CRYPTO_SIGN_H
#define ORLA_CRYPTO_SIGN_H

#include "crypto_key.h"

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

#endif							/* ORLA_CRYPTO_SIGN_H */
