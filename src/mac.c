/*
 * mac.c
 *		Keyed digests, and the random values that go with them.
 */
#include "postgres.h"

#include "fmgr.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"

#include "base64url.h"
#include "draw.h"
#include "mac.h"

PG_FUNCTION_INFO_V1(orla_random_token);
PG_FUNCTION_INFO_V1(orla_mac_key_id);
PG_FUNCTION_INFO_V1(orla_keyed_digest);
PG_FUNCTION_INFO_V1(orla_keyed_digest_with);
PG_FUNCTION_INFO_V1(orla_constant_time_equal);

#define TOKEN_BYTES		32
#define TOKEN_CHARS		43

/* Messages up to this size are put together without allocating. */
#define SMALL_MESSAGE	512

static uint8 *
append_counted(uint8 *at, const void *bytes, size_t n)
{
	uint64		count = pg_hton64((uint64) n);

	memcpy(at, &count, sizeof(count));
	at += sizeof(count);
	if (n > 0)
		memcpy(at, bytes, n);
	return at + n;
}

void
orla_mac(const OrlaKey *key, const char *label, size_t label_len,
		 const void *data, size_t n, uint8 digest[ORLA_SHA256_LEN])
{
	size_t		size = 2 * sizeof(uint64) + label_len + n;
	uint8		small[SMALL_MESSAGE];
	uint8	   *message = size <= SMALL_MESSAGE ? small : palloc(size);
	bool		good;

	(void) append_counted(append_counted(message, label, label_len), data, n);
	good = orla_hmac_sha256(key->material, key->len, message, size, digest);
	explicit_bzero(message, size);
	if (message != small)
		pfree(message);
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not make a keyed digest")));
}

static const OrlaKey *
current_key(void)
{
	const OrlaKey *key = orla_keyring_current(orla_keyring_require(), ORLA_KEY_MAC);

	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the keyring has no active key for digests"),
				 errhint("Run orla.rotate_keys().")));
	return key;
}

static Datum
digest_under(const OrlaKey *key, text *label, bytea *data)
{
	bytea	   *digest = palloc(VARHDRSZ + ORLA_SHA256_LEN);

	SET_VARSIZE(digest, VARHDRSZ + ORLA_SHA256_LEN);
	orla_mac(key, VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label),
			 VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data),
			 (uint8 *) VARDATA(digest));
	return PointerGetDatum(digest);
}

/* orla.random_token() → text: 256 random bits, base64url */
Datum
orla_random_token(PG_FUNCTION_ARGS)
{
	uint8		bytes[TOKEN_BYTES];
	text	   *token = palloc(VARHDRSZ + TOKEN_CHARS);

	orla_draw(bytes, sizeof(bytes));
	SET_VARSIZE(token, VARHDRSZ + orla_base64url_encode(bytes, sizeof(bytes),
														VARDATA(token)));
	explicit_bzero(bytes, sizeof(bytes));
	PG_RETURN_TEXT_P(token);
}

/* orla.mac_key_id() → text */
Datum
orla_mac_key_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(current_key()->id));
}

/* orla.keyed_digest(label text, data bytea) → bytea, under the current key */
Datum
orla_keyed_digest(PG_FUNCTION_ARGS)
{
	text	   *label = PG_GETARG_TEXT_PP(0);
	bytea	   *data = PG_GETARG_BYTEA_PP(1);

	PG_RETURN_DATUM(digest_under(current_key(), label, data));
}

/* orla.keyed_digest_with(key_id text, label text, data bytea) → bytea */
Datum
orla_keyed_digest_with(PG_FUNCTION_ARGS)
{
	char	   *key_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	text	   *label = PG_GETARG_TEXT_PP(1);
	bytea	   *data = PG_GETARG_BYTEA_PP(2);
	const OrlaKey *key = orla_keyring_find(orla_keyring_require(), ORLA_KEY_MAC,
										   key_id, strlen(key_id));

	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key \"%s\" is not in the keyring", key_id),
				 errhint("Restore a keyring that has it.")));
	PG_RETURN_DATUM(digest_under(key, label, data));
}

/* orla.constant_time_equal(a bytea, b bytea) → boolean; lengths may show */
Datum
orla_constant_time_equal(PG_FUNCTION_ARGS)
{
	bytea	   *a = PG_GETARG_BYTEA_PP(0);
	bytea	   *b = PG_GETARG_BYTEA_PP(1);
	size_t		n = VARSIZE_ANY_EXHDR(a);

	PG_RETURN_BOOL(n == VARSIZE_ANY_EXHDR(b) &&
				   orla_equal(VARDATA_ANY(a), VARDATA_ANY(b), n));
}
