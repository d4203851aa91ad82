/*
 * crypto_sign.c
 *		Signatures of JSON Web Tokens (RFC 7518, RFC 8037).
 *
 * OpenSSL's error queue is emptied after a failure, for it belongs to the
 * process and TLS connections of the server look into it.
 */
#include "crypto_sign.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>

#include "crypto.h"

#if OPENSSL_VERSION_NUMBER < 0x30000030L
#error "OpenSSL 3.0.3 is needed: before, a used HMAC context keeps its state"
#endif

#define ED25519_SIG_LEN	64

/* SEQUENCE of two INTEGERs of at most 33 bytes */
#define P256_DER_MAX	72

size_t
orla_signature_max(OrlaAlg alg)
{
	switch (alg)
	{
		case ORLA_ALG_HS256:
			return ORLA_SHA256_LEN;
		case ORLA_ALG_ES256:
			return 2 * ORLA_P256_LEN;
		case ORLA_ALG_RS256:
			return ORLA_RSA_BITS_MAX / 8;
		case ORLA_ALG_EDDSA:
			return ED25519_SIG_LEN;
		case ORLA_ALG_NONE:
			break;
	}
	return 0;
}

/* A NULL key means: start again with the key that the context has. */
static bool
compute_hmac(const OrlaSigner *signer, const void *data, size_t n,
			 uint8_t mac[ORLA_SHA256_LEN])
{
	size_t		len;

	return EVP_MAC_init(signer->hmac, NULL, 0, NULL) == 1 &&
		EVP_MAC_update(signer->hmac, data, n) == 1 &&
		EVP_MAC_final(signer->hmac, mac, &len, ORLA_SHA256_LEN) == 1;
}

/* OpenSSL's own DER to r and s in 32 bytes each (RFC 7518, 3.4). */
static bool
der_to_raw(const uint8_t *der, size_t len, uint8_t raw[2 * ORLA_P256_LEN])
{
	ECDSA_SIG  *sig = d2i_ECDSA_SIG(NULL, &der, (long) len);
	bool		good;

	good = sig != NULL &&
		BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, ORLA_P256_LEN) == ORLA_P256_LEN &&
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + ORLA_P256_LEN, ORLA_P256_LEN) == ORLA_P256_LEN;
	ECDSA_SIG_free(sig);
	return good;
}

/*
 * One INTEGER: without leading zeros, but for one where the highest bit would
 * make it negative.  Returns the end of what was written.
 */
static uint8_t *
append_integer(uint8_t *at, const uint8_t *value)
{
	int			len = ORLA_P256_LEN;
	bool		pad;

	while (len > 1 && *value == 0)
	{
		value++;
		len--;
	}
	pad = (*value & 0x80) != 0;
	*at++ = 0x02;
	*at++ = len + pad;
	if (pad)
		*at++ = 0;
	memcpy(at, value, len);
	return at + len;
}

/* Whether r and s are in range is for the verification to say. */
static size_t
raw_to_der(const uint8_t raw[2 * ORLA_P256_LEN], uint8_t der[P256_DER_MAX])
{
	uint8_t    *end = append_integer(der + 2, raw);

	end = append_integer(end, raw + ORLA_P256_LEN);
	der[0] = 0x30;
	der[1] = end - der - 2;
	return end - der;
}

static bool
sign_es256(const OrlaSigner *signer, const void *data, size_t n,
		   uint8_t *sig, size_t *sig_len)
{
	uint8_t		digest[ORLA_SHA256_LEN];
	uint8_t		der[P256_DER_MAX];
	size_t		der_len = sizeof(der);

	orla_sha256(data, n, digest);
	*sig_len = 2 * ORLA_P256_LEN;
	return EVP_PKEY_sign(signer->sign, der, &der_len,
						 digest, sizeof(digest)) == 1 &&
		der_to_raw(der, der_len, sig);
}

static bool
sign_rs256(const OrlaSigner *signer, const void *data, size_t n,
		   uint8_t *sig, size_t *sig_len)
{
	uint8_t		digest[ORLA_SHA256_LEN];

	orla_sha256(data, n, digest);
	return EVP_PKEY_sign(signer->sign, sig, sig_len,
						 digest, sizeof(digest)) == 1;
}

static bool
sign_eddsa(const OrlaSigner *signer, const void *data, size_t n,
		   uint8_t *sig, size_t *sig_len)
{
	bool		good;

	good = EVP_DigestSignInit_ex(signer->message, NULL, NULL, NULL, NULL,
								 signer->key, NULL) == 1 &&
		EVP_DigestSign(signer->message, sig, sig_len, data, n) == 1;
	(void) EVP_MD_CTX_reset(signer->message);
	return good;
}

bool
orla_sign(const OrlaSigner *signer, const void *data, size_t n,
		  uint8_t *sig, size_t *sig_len)
{
	bool		good = false;

	if (*sig_len < orla_signature_max(signer->alg))
		return false;
	switch (signer->alg)
	{
		case ORLA_ALG_HS256:
			*sig_len = ORLA_SHA256_LEN;
			good = compute_hmac(signer, data, n, sig);
			break;
		case ORLA_ALG_ES256:
			good = sign_es256(signer, data, n, sig, sig_len);
			break;
		case ORLA_ALG_RS256:
			good = sign_rs256(signer, data, n, sig, sig_len);
			break;
		case ORLA_ALG_EDDSA:
			good = sign_eddsa(signer, data, n, sig, sig_len);
			break;
		case ORLA_ALG_NONE:
			break;
	}
	if (!good)
		ERR_clear_error();
	return good;
}

static bool
verify_hs256(const OrlaSigner *signer, const void *data, size_t n,
			 const uint8_t *sig, size_t sig_len)
{
	uint8_t		mac[ORLA_SHA256_LEN];
	bool		good;

	good = sig_len == sizeof(mac) && compute_hmac(signer, data, n, mac) &&
		orla_equal(mac, sig, sizeof(mac));
	OPENSSL_cleanse(mac, sizeof(mac));
	return good;
}

static bool
verify_es256(const OrlaSigner *signer, const void *data, size_t n,
			 const uint8_t *sig, size_t sig_len)
{
	uint8_t		digest[ORLA_SHA256_LEN];
	uint8_t		der[P256_DER_MAX];
	size_t		der_len;

	if (sig_len != 2 * ORLA_P256_LEN)
		return false;
	der_len = raw_to_der(sig, der);
	orla_sha256(data, n, digest);
	return EVP_PKEY_verify(signer->verify, der, der_len,
						   digest, sizeof(digest)) == 1;
}

/* A signature of another length than the modulus is refused by OpenSSL. */
static bool
verify_rs256(const OrlaSigner *signer, const void *data, size_t n,
			 const uint8_t *sig, size_t sig_len)
{
	uint8_t		digest[ORLA_SHA256_LEN];

	orla_sha256(data, n, digest);
	return EVP_PKEY_verify(signer->verify, sig, sig_len,
						   digest, sizeof(digest)) == 1;
}

static bool
verify_eddsa(const OrlaSigner *signer, const void *data, size_t n,
			 const uint8_t *sig, size_t sig_len)
{
	bool		good;

	good = sig_len == ED25519_SIG_LEN &&
		EVP_DigestVerifyInit_ex(signer->message, NULL, NULL, NULL, NULL,
								signer->key, NULL) == 1 &&
		EVP_DigestVerify(signer->message, sig, sig_len, data, n) == 1;
	(void) EVP_MD_CTX_reset(signer->message);
	return good;
}

bool
orla_verify(const OrlaSigner *signer, const void *data, size_t n,
			const uint8_t *sig, size_t sig_len)
{
	bool		good = false;

	switch (signer->alg)
	{
		case ORLA_ALG_HS256:
			good = verify_hs256(signer, data, n, sig, sig_len);
			break;
		case ORLA_ALG_ES256:
			good = verify_es256(signer, data, n, sig, sig_len);
			break;
		case ORLA_ALG_RS256:
			good = verify_rs256(signer, data, n, sig, sig_len);
			break;
		case ORLA_ALG_EDDSA:
			good = verify_eddsa(signer, data, n, sig, sig_len);
			break;
		case ORLA_ALG_NONE:
			break;
	}
	if (!good)
		ERR_clear_error();
	return good;
}
