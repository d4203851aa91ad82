/*
 * crypto_key.c
 *		Keys that sign: loaded, made, and the public ones told (RFC 7517).
 *
 * OpenSSL's error queue is emptied after a failure, for it belongs to the
 * process and TLS connections of the server look into it.
 */
#include "crypto_key.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base64url.h"
#include "crypto.h"

#define HS256_KEY_MIN	32
#define HS256_KEY_MAX	1024
#define RSA_BITS_MIN	2048
#define RSA_BITS_NEW	3072
#define ED25519_KEY_LEN	32

static const char *const alg_names[] = {
	[ORLA_ALG_NONE] = "none",
	[ORLA_ALG_HS256] = "HS256",
	[ORLA_ALG_ES256] = "ES256",
	[ORLA_ALG_RS256] = "RS256",
	[ORLA_ALG_EDDSA] = "EdDSA"
};

const char *
orla_alg_name(OrlaAlg alg)
{
	return alg_names[alg];
}

OrlaAlg
orla_alg_from_name(const char *name, size_t n)
{
	OrlaAlg		alg;

	for (alg = ORLA_ALG_HS256; alg <= ORLA_ALG_EDDSA; alg++)
	{
		if (strlen(alg_names[alg]) == n && memcmp(alg_names[alg], name, n) == 0)
			return alg;
	}
	return ORLA_ALG_NONE;
}

static bool
load_hmac(OrlaSigner *signer, const uint8_t *secret, size_t len)
{
	OSSL_PARAM	params[2];
	EVP_MAC    *hmac;

	if (len < HS256_KEY_MIN || len > HS256_KEY_MAX)
		return false;
	hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	signer->hmac = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac);

	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
												 (char *) "SHA256", 0);
	params[1] = OSSL_PARAM_construct_end();
	return signer->hmac != NULL &&
		EVP_MAC_init(signer->hmac, secret, len, params) == 1;
}

/* PKCS#8 DER and nothing after it. */
static EVP_PKEY *
read_pkcs8(const uint8_t *der, size_t len)
{
	const uint8_t *at = der;
	PKCS8_PRIV_KEY_INFO *info;
	EVP_PKEY   *key = NULL;

	if (len > LONG_MAX)
		return NULL;
	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long) len);
	if (info != NULL && at == der + len)
		key = EVP_PKCS82PKEY(info);
	PKCS8_PRIV_KEY_INFO_free(info);
	return key;
}

/* Is this key one that the algorithm may be used with? */
static bool
key_fits(const EVP_PKEY *key, OrlaAlg alg)
{
	char		curve[32];
	size_t		len;
	int			bits;

	switch (alg)
	{
		case ORLA_ALG_ES256:
			return EVP_PKEY_is_a(key, "EC") &&
				EVP_PKEY_get_group_name(key, curve, sizeof(curve), &len) == 1 &&
				strcmp(curve, "prime256v1") == 0;
		case ORLA_ALG_RS256:
			bits = EVP_PKEY_get_bits(key);
			return EVP_PKEY_is_a(key, "RSA") &&
				bits >= RSA_BITS_MIN && bits <= ORLA_RSA_BITS_MAX;
		case ORLA_ALG_EDDSA:
			return EVP_PKEY_is_a(key, "ED25519");
		default:
			return false;
	}
}

/* EVP_PKEY_sign() and EVP_PKEY_verify() may be called on these many times. */
static bool
prepare_digest_contexts(OrlaSigner *signer)
{
	signer->sign = EVP_PKEY_CTX_new_from_pkey(NULL, signer->key, NULL);
	signer->verify = EVP_PKEY_CTX_new_from_pkey(NULL, signer->key, NULL);
	if (signer->sign == NULL || signer->verify == NULL ||
		EVP_PKEY_sign_init(signer->sign) != 1 ||
		EVP_PKEY_verify_init(signer->verify) != 1)
		return false;
	if (signer->alg == ORLA_ALG_RS256 &&
		(EVP_PKEY_CTX_set_rsa_padding(signer->sign, RSA_PKCS1_PADDING) != 1 ||
		 EVP_PKEY_CTX_set_rsa_padding(signer->verify, RSA_PKCS1_PADDING) != 1))
		return false;
	return EVP_PKEY_CTX_set_signature_md(signer->sign, EVP_sha256()) == 1 &&
		EVP_PKEY_CTX_set_signature_md(signer->verify, EVP_sha256()) == 1;
}

static bool
load_key(OrlaSigner *signer, const uint8_t *der, size_t len)
{
	signer->key = read_pkcs8(der, len);
	if (signer->key == NULL || !key_fits(signer->key, signer->alg))
		return false;
	if (signer->alg != ORLA_ALG_EDDSA)
		return prepare_digest_contexts(signer);
	signer->message = EVP_MD_CTX_new();
	return signer->message != NULL;
}

OrlaSigner *
orla_signer_load(OrlaAlg alg, const uint8_t *material, size_t len)
{
	OrlaSigner *signer = calloc(1, sizeof(*signer));

	if (signer == NULL)
		return NULL;
	signer->alg = alg;
	if (alg == ORLA_ALG_HS256 ? load_hmac(signer, material, len)
		: load_key(signer, material, len))
		return signer;
	orla_signer_free(signer);
	ERR_clear_error();
	return NULL;
}

/* OpenSSL wipes what its objects hold of the key. */
void
orla_signer_free(OrlaSigner *signer)
{
	if (signer == NULL)
		return;
	EVP_MAC_CTX_free(signer->hmac);
	EVP_PKEY_CTX_free(signer->sign);
	EVP_PKEY_CTX_free(signer->verify);
	EVP_MD_CTX_free(signer->message);
	EVP_PKEY_free(signer->key);
	free(signer);
}

static bool
generate_secret(uint8_t **material, size_t *len)
{
	uint8_t    *secret = malloc(HS256_KEY_MIN);

	if (secret == NULL || !orla_random(secret, HS256_KEY_MIN))
	{
		free(secret);
		return false;
	}
	*material = secret;
	*len = HS256_KEY_MIN;
	return true;
}

static EVP_PKEY *
generate_pkey(OrlaAlg alg)
{
	switch (alg)
	{
		case ORLA_ALG_ES256:
			return EVP_EC_gen("P-256");
		case ORLA_ALG_RS256:
			return EVP_RSA_gen(RSA_BITS_NEW);
		case ORLA_ALG_EDDSA:
			return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		default:
			return NULL;
	}
}

/* The key as PKCS#8 DER, in memory of malloc(). */
static bool
write_pkcs8(const EVP_PKEY *key, uint8_t **material, size_t *len)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	int			size = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, NULL);
	uint8_t    *der = size <= 0 ? NULL : malloc(size);
	uint8_t    *at = der;

	if (der != NULL)
	{
		*len = i2d_PKCS8_PRIV_KEY_INFO(info, &at);
		*material = der;
	}
	PKCS8_PRIV_KEY_INFO_free(info);
	return der != NULL;
}

bool
orla_generate_key(OrlaAlg alg, uint8_t **material, size_t *len)
{
	EVP_PKEY   *key;
	bool		good;

	if (alg == ORLA_ALG_HS256)
		return generate_secret(material, len);
	key = generate_pkey(alg);
	good = key != NULL && write_pkcs8(key, material, len);
	EVP_PKEY_free(key);
	if (!good)
		ERR_clear_error();
	return good;
}

/* ,"name":"bytes" and a NUL, which *at is left at. */
static bool
append_member(char **at, const char *end, const char *name,
			  const uint8_t *bytes, size_t n)
{
	size_t		need = strlen(",\"\":\"\"") + strlen(name) +
		orla_base64url_encoded_len(n);

	if ((size_t) (end - *at) <= need)
		return false;
	*at += sprintf(*at, ",\"%s\":\"", name);
	*at += orla_base64url_encode(bytes, n, *at);
	*at += sprintf(*at, "\"");
	return true;
}

/* A number of the key: in width bytes, or in as few as it needs when 0. */
static bool
append_number(char **at, const char *end, const EVP_PKEY *key,
			  const char *param, const char *name, int width)
{
	uint8_t		bytes[ORLA_RSA_BITS_MAX / 8];
	BIGNUM	   *number = NULL;
	bool		good = false;

	if (EVP_PKEY_get_bn_param(key, param, &number) == 1)
	{
		if (width == 0)
			width = BN_num_bytes(number);
		good = width <= (int) sizeof(bytes) &&
			BN_bn2binpad(number, bytes, width) == width &&
			append_member(at, end, name, bytes, width);
	}
	BN_free(number);
	return good;
}

static bool
append_ed25519(char **at, const char *end, const EVP_PKEY *key)
{
	uint8_t		bytes[ED25519_KEY_LEN];
	size_t		n = sizeof(bytes);

	return EVP_PKEY_get_raw_public_key(key, bytes, &n) == 1 &&
		append_member(at, end, "x", bytes, n);
}

bool
orla_signer_jwk(const OrlaSigner *signer, char *buf, size_t cap)
{
	static const char ec[] = "\"kty\":\"EC\",\"crv\":\"P-256\"";
	static const char rsa[] = "\"kty\":\"RSA\"";
	static const char okp[] = "\"kty\":\"OKP\",\"crv\":\"Ed25519\"";
	const char *end = buf + cap;
	const char *kind = signer->alg == ORLA_ALG_ES256 ? ec
		: signer->alg == ORLA_ALG_RS256 ? rsa : okp;
	char	   *at = buf;

	if (signer->alg == ORLA_ALG_HS256 || cap <= strlen(kind))
		return false;
	at += sprintf(at, "%s", kind);
	switch (signer->alg)
	{
		case ORLA_ALG_ES256:
			return append_number(&at, end, signer->key,
								 OSSL_PKEY_PARAM_EC_PUB_X, "x", ORLA_P256_LEN) &&
				append_number(&at, end, signer->key,
							  OSSL_PKEY_PARAM_EC_PUB_Y, "y", ORLA_P256_LEN);
		case ORLA_ALG_RS256:
			return append_number(&at, end, signer->key,
								 OSSL_PKEY_PARAM_RSA_N, "n", 0) &&
				append_number(&at, end, signer->key,
							  OSSL_PKEY_PARAM_RSA_E, "e", 0);
		case ORLA_ALG_EDDSA:
			return append_ed25519(&at, end, signer->key);
		default:
			return false;
	}
}
