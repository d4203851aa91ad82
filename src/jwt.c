/*
 * jwt.c
 *		Access tokens: prove one, make one.
 *
 * Parsing is jwt_parse.c's, which is pure and fuzzed; keys are the keyring's.
 * The algorithm is a property of the key: the header's alg must equal it, and
 * kid does nothing but find the key in the ring (RFC 8725, 3.1 and 3.10).
 *
 * A pooled connection sees the same token again and again.  What was verified
 * once is kept in a small cache of this backend, found by the SHA-256 of the
 * token; a hit saves the signature and the parsing, nothing else: issuer,
 * audience and times are compared on each call, the time at which the key
 * retires among them, and the cache is good for one generation of the keyring
 * only, so a key that is taken out counts at once.
 */
#include "postgres.h"

#include <time.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "base64url.h"
#include "crypto.h"
#include "crypto_sign.h"
#include "errors.h"
#include "jwt.h"
#include "jwt_parse.h"
#include "keyring.h"
#include "rows.h"
#include "settings.h"
#include "uuidtext.h"

PG_FUNCTION_INFO_V1(orla_sign_jwt);
PG_FUNCTION_INFO_V1(orla_verify_jwt);

/*
 * Tokens remembered by a backend.  One has its place in the set that its digest
 * names, where the least recently seen makes room.
 */
#define CACHE_SIZE		1024
#define CACHE_SET		8

/* Clocks of the hosts that share a database may differ by this much. */
#define CLOCK_LEEWAY_S	30

/* The largest signature of a supported key: RSA with 8192 bits. */
#define SIGNATURE_MAX	1024

typedef struct CacheEntry
{
	uint8		digest[ORLA_SHA256_LEN];
	uint64		last_seen;		/* 0: empty */
	char	   *json;			/* the payload; claims points into it */
	Jsonb	   *jsonb;			/* the same, once somebody asked for it */
	OrlaClaims	claims;
	pg_uuid_t	user_id;
	pg_uuid_t	session_id;
	int64		key_retires;	/* 0: never */
} CacheEntry;

static const char key_is_not_there[] = "The token names a key that is not in the keyring.";

static CacheEntry cache[CACHE_SIZE];
static uint64 cache_clock = 0;
static uint64 cache_generation = 0; /* of the keyring it was filled under */

static void
drop_entry(CacheEntry *entry)
{
	if (entry->json != NULL)
		pfree(entry->json);
	if (entry->jsonb != NULL)
		pfree(entry->jsonb);
	memset(entry, 0, sizeof(*entry));
}

static void
empty_cache(void)
{
	int			i;

	for (i = 0; i < CACHE_SIZE; i++)
		drop_entry(&cache[i]);
}

static CacheEntry *
set_of(const uint8 *digest)
{
	return &cache[((digest[0] << 8 | digest[1]) % (CACHE_SIZE / CACHE_SET)) * CACHE_SET];
}

static CacheEntry *
find_entry(const uint8 *digest)
{
	CacheEntry *set = set_of(digest);
	int			i;

	for (i = 0; i < CACHE_SET; i++)
	{
		if (set[i].last_seen != 0 && memcmp(set[i].digest, digest, ORLA_SHA256_LEN) == 0)
		{
			set[i].last_seen = ++cache_clock;
			return &set[i];
		}
	}
	return NULL;
}

static CacheEntry *
oldest_entry(const uint8 *digest)
{
	CacheEntry *set = set_of(digest);
	CacheEntry *oldest = set;
	int			i;

	for (i = 1; i < CACHE_SET; i++)
	{
		if (set[i].last_seen < oldest->last_seen)
			oldest = &set[i];
	}
	return oldest;
}

static bool
text_equals(OrlaText text, const char *expected)
{
	return text.data != NULL && text.len == strlen(expected) &&
		memcmp(text.data, expected, text.len) == 0;
}

/* What does not change while the token lives; NULL when all is there. */
static const char *
claims_problem(const OrlaClaims *claims, pg_uuid_t *user_id,
			   pg_uuid_t *session_id)
{
	if (!text_equals(claims->token_use, "access"))
		return "The token is not an access token.";
	if (!text_equals(claims->role, "orla_user"))
		return "The token is not for role orla_user.";
	if (claims->sub.data == NULL ||
		!orla_uuid_parse(claims->sub.data, claims->sub.len, user_id))
		return "The claim sub is missing or malformed.";
	if (claims->sid.data == NULL ||
		!orla_uuid_parse(claims->sid.data, claims->sid.len, session_id))
		return "The claim sid is missing or malformed.";
	if (!claims->has_gen)
		return "The claim gen is missing.";
	if (!claims->has_exp || !claims->has_nbf || !claims->has_iat)
		return "One of the claims exp, nbf and iat is missing.";
	return NULL;
}

/* What is compared each time, with a clock and settings that move on. */
static const char *
moment_problem(const CacheEntry *entry, const char *instance)
{
	const OrlaClaims *claims = &entry->claims;
	int64		now = (int64) time(NULL);
	size_t		issuer_len = strlen(orla_issuer);

	if (entry->key_retires != 0 && entry->key_retires <= now)
		return key_is_not_there;
	if (claims->iss.data == NULL ||
		claims->iss.len != issuer_len + 1 + ORLA_UUID_TEXT_LEN ||
		memcmp(claims->iss.data, orla_issuer, issuer_len) != 0 ||
		claims->iss.data[issuer_len] != ':' ||
		memcmp(claims->iss.data + issuer_len + 1, instance, ORLA_UUID_TEXT_LEN) != 0)
		return "The token is of another issuer.";
	if (!orla_claims_has_aud(claims, orla_audience))
		return "The token is for another audience.";
	if (claims->exp <= now)
		return "The token has expired.";
	if (claims->nbf > now + CLOCK_LEEWAY_S || claims->iat > now + CLOCK_LEEWAY_S)
		return "The token is not valid yet.";
	return NULL;
}

/* Signature and payload of a token that is seen for the first time. */
static const char *
verify_signature(const char *token, size_t len, const OrlaKeyring *ring,
				 char *scratch, OrlaJwt *jwt, int64 *key_retires)
{
	OrlaJwtError error = orla_jwt_split(token, len, scratch, len, jwt);
	const OrlaKey *key;

	if (error != ORLA_JWT_OK)
		return orla_jwt_error_text(error);
	key = orla_keyring_find(ring, ORLA_KEY_SIGN, jwt->kid, jwt->kid_len);
	if (key == NULL)
		return key_is_not_there;
	if (jwt->alg != key->alg)
		return "The token's algorithm is not that of its key.";
	if (!orla_verify(key->signer, jwt->signing_input, jwt->signing_input_len,
					 jwt->signature, jwt->signature_len))
		return "The signature does not match.";
	*key_retires = key->retire_at;
	return NULL;
}

/* Fills an entry from a payload whose signature was good. */
static const char *
remember(const uint8 *digest, const OrlaJwt *jwt, int64 key_retires,
		 CacheEntry **remembered)
{
	CacheEntry	fresh;
	CacheEntry *entry;
	OrlaJwtError error;
	const char *problem;

	memset(&fresh, 0, sizeof(fresh));
	fresh.json = MemoryContextAlloc(TopMemoryContext, jwt->payload_len + 1);
	memcpy(fresh.json, jwt->payload, jwt->payload_len);
	fresh.json[jwt->payload_len] = '\0';

	error = orla_claims_read(fresh.json, jwt->payload_len, &fresh.claims);
	problem = error != ORLA_JWT_OK ? orla_jwt_error_text(error)
		: claims_problem(&fresh.claims, &fresh.user_id, &fresh.session_id);
	if (problem != NULL)
	{
		pfree(fresh.json);
		return problem;
	}

	memcpy(fresh.digest, digest, ORLA_SHA256_LEN);
	fresh.key_retires = key_retires;
	fresh.last_seen = ++cache_clock;
	entry = oldest_entry(digest);
	drop_entry(entry);
	*entry = fresh;
	*remembered = entry;
	return NULL;
}

/*
 * Finds or makes the entry of a token that is good now; the entry is good
 * until the next call.
 */
static const char *
identify(const char *token, size_t len, CacheEntry **found)
{
	uint8		digest[ORLA_SHA256_LEN];
	char		keyring_id[ORLA_KEYRING_ID_LEN + 1];
	char		instance[ORLA_UUID_TEXT_LEN + 1];
	pg_uuid_t	instance_id;
	const OrlaKeyring *ring;
	CacheEntry *entry;
	const char *problem;

	if (len > ORLA_JWT_MAX)
		return "The token is too long.";
	if (!orla_rows_instance(&instance_id, keyring_id))
		return "Nobody has signed in to this database yet.";
	orla_uuid_print(&instance_id, instance);
	ring = orla_keyring_open(keyring_id, false);
	if (ring->generation != cache_generation)
	{
		empty_cache();
		cache_generation = ring->generation;
	}

	orla_sha256(token, len, digest);
	entry = find_entry(digest);
	if (entry == NULL)
	{
		char	   *scratch = palloc(len + 1);
		OrlaJwt		jwt;
		int64		key_retires = 0;

		problem = verify_signature(token, len, ring, scratch, &jwt, &key_retires);
		if (problem == NULL)
			problem = remember(digest, &jwt, key_retires, &entry);
		pfree(scratch);
		if (problem != NULL)
			return problem;
	}

	*found = entry;
	return moment_problem(entry, instance);
}

const char *
orla_jwt_identify(const char *token, size_t len, OrlaIdentity *identity)
{
	CacheEntry *entry;
	const char *problem = identify(token, len, &entry);

	if (problem != NULL)
		return problem;
	identity->user_id = entry->user_id;
	identity->session_id = entry->session_id;
	identity->generation = entry->claims.gen;
	identity->expires_at = entry->claims.exp;
	identity->claims = entry->json;
	return NULL;
}

static char *
append_base64url(char *at, const void *data, size_t len)
{
	return at + orla_base64url_encode(data, len, at);
}

/* orla.sign_jwt(claims jsonb) → text */
Datum
orla_sign_jwt(PG_FUNCTION_ARGS)
{
	Jsonb	   *claims = PG_GETARG_JSONB_P(0);
	const OrlaKey *key = orla_keyring_current(orla_keyring_require(), ORLA_KEY_SIGN);
	char	   *payload = JsonbToCString(NULL, &claims->root, VARSIZE(claims));
	char	   *header;
	char	   *token;
	char	   *end;
	uint8		signature[SIGNATURE_MAX];
	size_t		signature_len = sizeof(signature);

	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the keyring has no active signing key"),
				 errhint("Run orla.rotate_keys().")));
	header = psprintf("{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
					  orla_alg_name(key->alg), key->id);
	token = palloc(orla_base64url_encoded_len(strlen(header)) +
				   orla_base64url_encoded_len(strlen(payload)) +
				   orla_base64url_encoded_len(SIGNATURE_MAX) + 3);

	end = append_base64url(token, header, strlen(header));
	*end++ = '.';
	end = append_base64url(end, payload, strlen(payload));
	if (!orla_sign(key->signer, token, end - token, signature, &signature_len))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not sign a token with key \"%s\"", key->id)));
	*end++ = '.';
	end = append_base64url(end, signature, signature_len);
	if (end - token > ORLA_JWT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("claims are too large for a token"),
				 errdetail("A token has at most %d bytes.", ORLA_JWT_MAX)));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(token, end - token));
}

/* A copy of the claims, which are parsed once for as long as they are kept. */
static Jsonb *
claims_as_jsonb(CacheEntry *entry)
{
	Jsonb	   *copy;

	if (entry->jsonb == NULL)
	{
		Datum		parsed = DirectFunctionCall1(jsonb_in, CStringGetDatum(entry->json));
		Size		size = VARSIZE(DatumGetPointer(parsed));

		entry->jsonb = MemoryContextAlloc(TopMemoryContext, size);
		memcpy(entry->jsonb, DatumGetPointer(parsed), size);
		return DatumGetJsonbP(parsed);
	}
	copy = palloc(VARSIZE(entry->jsonb));
	memcpy(copy, entry->jsonb, VARSIZE(entry->jsonb));
	return copy;
}

/* orla.verify_jwt(token text) → jsonb, or error PT401 */
Datum
orla_verify_jwt(PG_FUNCTION_ARGS)
{
	text	   *token = PG_GETARG_TEXT_PP(0);
	CacheEntry *entry;
	const char *problem = identify(VARDATA_ANY(token),
								   VARSIZE_ANY_EXHDR(token), &entry);

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ORLA_UNAUTHORIZED),
				 errmsg("access token refused"),
				 errdetail_internal("%s", problem)));
	PG_RETURN_JSONB_P(claims_as_jsonb(entry));
}
