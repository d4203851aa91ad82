/*
 * crypto.c
 *		Digests, keyed digests, random bytes, authenticated encryption.
 *
 * OpenSSL 3 looks an algorithm up by name each time it is used through the
 * old calls, which costs more than digesting a token.  So each algorithm is
 * fetched once and its context kept, made at first use in each process.
 */
#include "crypto.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#define AEAD_MAX_LEN	((size_t) 1 << 30)

static EVP_MD *sha256 = NULL;
static EVP_MD_CTX *digest_ctx = NULL;
static EVP_MAC_CTX *hmac_ctx = NULL;

/* Keyed with zeros between calls, so that no key outlives its use here. */
static EVP_CIPHER_CTX *seal_ctx = NULL;
static EVP_CIPHER_CTX *open_ctx = NULL;

static const uint8_t no_key[ORLA_AEAD_KEY_LEN];
static const uint8_t no_nonce[ORLA_AEAD_NONCE_LEN];

void
orla_sha256(const void *data, size_t n, uint8_t digest[ORLA_SHA256_LEN])
{
	if (digest_ctx == NULL)
	{
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
		digest_ctx = EVP_MD_CTX_new();
	}

	/* No caller could go on without a digest, or wants to be asked. */
	if (sha256 == NULL || digest_ctx == NULL ||
		EVP_DigestInit_ex2(digest_ctx, sha256, NULL) != 1 ||
		EVP_DigestUpdate(digest_ctx, data, n) != 1 ||
		EVP_DigestFinal_ex(digest_ctx, digest, NULL) != 1)
		abort();
}

static EVP_MAC_CTX *
make_hmac_ctx(void)
{
	OSSL_PARAM	params[2];
	EVP_MAC    *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);

	EVP_MAC_free(hmac);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
												 (char *) "SHA256", 0);
	params[1] = OSSL_PARAM_construct_end();
	if (ctx != NULL && EVP_MAC_CTX_set_params(ctx, params) != 1)
	{
		EVP_MAC_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

bool
orla_hmac_sha256(const void *key, size_t key_len, const void *data, size_t n,
				 uint8_t mac[ORLA_SHA256_LEN])
{
	size_t		len;

	if (hmac_ctx == NULL)
		hmac_ctx = make_hmac_ctx();

	/* A NULL key would mean: the key of the call before. */
	if (hmac_ctx == NULL || key == NULL)
		return false;
	return EVP_MAC_init(hmac_ctx, key, key_len, NULL) == 1 &&
		EVP_MAC_update(hmac_ctx, data, n) == 1 &&
		EVP_MAC_final(hmac_ctx, mac, &len, ORLA_SHA256_LEN) == 1;
}

bool
orla_random(void *bytes, size_t n)
{
	return RAND_bytes_ex(NULL, bytes, n, 0) == 1;
}

bool
orla_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

static EVP_CIPHER_CTX *
make_aead_ctx(int encrypt)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (cipher == NULL || ctx == NULL ||
		EVP_CipherInit_ex2(ctx, cipher, no_key, no_nonce, encrypt, NULL) != 1)
	{
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_CIPHER_free(cipher);
	return ctx;
}

bool
orla_aead_seal(const uint8_t key[ORLA_AEAD_KEY_LEN],
			   const uint8_t nonce[ORLA_AEAD_NONCE_LEN],
			   const void *aad, size_t aad_len,
			   const void *plain, size_t n, uint8_t *sealed)
{
	int			len;
	bool		good;

	if (n > AEAD_MAX_LEN || aad_len > AEAD_MAX_LEN)
		return false;
	if (seal_ctx == NULL)
		seal_ctx = make_aead_ctx(1);
	if (seal_ctx == NULL)
		return false;

	good = EVP_EncryptInit_ex2(seal_ctx, NULL, key, nonce, NULL) == 1 &&
		EVP_EncryptUpdate(seal_ctx, NULL, &len, aad, (int) aad_len) == 1 &&
		EVP_EncryptUpdate(seal_ctx, sealed, &len, plain, (int) n) == 1 &&
		EVP_EncryptFinal_ex(seal_ctx, sealed + n, &len) == 1 &&
		EVP_CIPHER_CTX_ctrl(seal_ctx, EVP_CTRL_AEAD_GET_TAG,
							ORLA_AEAD_TAG_LEN, sealed + n) == 1;

	(void) EVP_EncryptInit_ex2(seal_ctx, NULL, no_key, no_nonce, NULL);
	return good;
}

bool
orla_aead_open(const uint8_t key[ORLA_AEAD_KEY_LEN],
			   const uint8_t nonce[ORLA_AEAD_NONCE_LEN],
			   const void *aad, size_t aad_len,
			   const uint8_t *sealed, size_t n, uint8_t *plain)
{
	int			len;
	bool		good;

	if (n < ORLA_AEAD_TAG_LEN || n > AEAD_MAX_LEN || aad_len > AEAD_MAX_LEN)
		return false;
	n -= ORLA_AEAD_TAG_LEN;
	if (open_ctx == NULL)
		open_ctx = make_aead_ctx(0);
	if (open_ctx == NULL)
		return false;

	good = EVP_DecryptInit_ex2(open_ctx, NULL, key, nonce, NULL) == 1 &&
		EVP_DecryptUpdate(open_ctx, NULL, &len, aad, (int) aad_len) == 1 &&
		EVP_DecryptUpdate(open_ctx, plain, &len, sealed, (int) n) == 1 &&
		EVP_CIPHER_CTX_ctrl(open_ctx, EVP_CTRL_AEAD_SET_TAG, ORLA_AEAD_TAG_LEN,
							(void *) (sealed + n)) == 1 &&
		EVP_DecryptFinal_ex(open_ctx, plain + n, &len) == 1;

	(void) EVP_DecryptInit_ex2(open_ctx, NULL, no_key, no_nonce, NULL);
	if (!good)
		OPENSSL_cleanse(plain, n);
	return good;
}
