/*
 * keyring_admin.c
 *		What operators do with the ring: rotate it, look at it; and what anybody
 *		may know of its keys.
 */
#include "postgres.h"

#include <time.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "keyring.h"
#include "keyring_make.h"
#include "keyring_source.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(orla_rotate_keyring);
PG_FUNCTION_INFO_V1(orla_keyring_keys);
PG_FUNCTION_INFO_V1(orla_jwks);

/* Seconds for which an old signing key outlives the last token it signed. */
#define RETIRE_MARGIN_S	60

/* Room for the JWK of the largest key: RSA with 8192 bits. */
#define JWK_MAX			4096

/* The ring as text that more keys can be added to; material is shared. */
static OrlaKeyringText *
ring_as_text(const OrlaKeyring *ring)
{
	OrlaKeyringText *text = palloc0(sizeof(OrlaKeyringText));
	int			i;

	strlcpy(text->id, ring->id, sizeof(text->id));
	for (i = 0; i < ring->nkeys; i++)
	{
		const OrlaKey *key = &ring->keys[i];
		OrlaKeyText *copy = &text->keys[text->nkeys++];

		copy->use = key->use;
		strlcpy(copy->id, key->id, sizeof(copy->id));
		copy->alg = key->alg;
		copy->created_at = key->created_at;
		copy->active_from = key->active_from;
		copy->retire_at = key->retire_at;
		copy->material = key->material;
		copy->len = key->len;
	}
	return text;
}

/* Old keys for signing open nothing; their tokens have expired. */
static void
drop_retired(OrlaKeyringText *text, int64 now)
{
	int			kept = 0;
	int			i;

	for (i = 0; i < text->nkeys; i++)
	{
		const OrlaKeyText *key = &text->keys[i];

		if (key->use != ORLA_KEY_SIGN || key->retire_at == 0 || key->retire_at > now)
			text->keys[kept++] = *key;
	}
	text->nkeys = kept;
}

/* What may be told of some keys of the ring. */
static Datum
keys_as_jsonb(const OrlaKeyring *ring, int from)
{
	StringInfoData json;
	int			i;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (i = from; ring != NULL && i < ring->nkeys; i++)
	{
		const OrlaKey *key = &ring->keys[i];

		appendStringInfo(&json,
						 "%s{\"use\":\"%s\",\"key_id\":\"%s\",\"alg\":\"%s\",\"created_at\":" INT64_FORMAT
						 ",\"active_from\":" INT64_FORMAT ",\"retire_at\":" INT64_FORMAT "}",
						 i > from ? "," : "", orla_key_use_name(key->use), key->id,
						 orla_key_alg_name(key->use, key->alg), key->created_at,
						 key->active_from, key->retire_at);
	}
	appendStringInfoChar(&json, ']');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

/*
 * orla.rotate_keyring() → jsonb: adds a key for each use and tells of them.
 * The new signing key waits orla.key_activation_delay, so that layers that
 * verify learn of it first; the old one stays as long as tokens that it has
 * signed may live.
 */
Datum
orla_rotate_keyring(PG_FUNCTION_ARGS)
{
	int64		now = (int64) time(NULL);
	int64		active_from = now + orla_key_activation_delay;
	OrlaKeyringText *text;
	char	   *path = orla_keyring_path();
	int			lock;
	int			old;
	int			i;

	if (orla_keyring_command[0] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot rotate keys that a command prints"),
				 errdetail("orla.keyring_command is set."),
				 errhint("Rotate them where the command gets them from, then reload the configuration.")));
	(void) orla_keyring_require();
	lock = orla_keyring_lock(path);
	/* as the last holder of the lock left it */
	text = ring_as_text(orla_keyring_require());
	drop_retired(text, now);
	old = text->nkeys;
	for (i = 0; i < old; i++)
	{
		if (text->keys[i].use == ORLA_KEY_SIGN && text->keys[i].retire_at == 0)
			text->keys[i].retire_at = active_from + orla_access_token_lifetime + RETIRE_MARGIN_S;
	}
	orla_keyring_add_key(text, ORLA_KEY_SEAL, now, now);
	orla_keyring_add_key(text, ORLA_KEY_SIGN, now, active_from);
	orla_keyring_add_key(text, ORLA_KEY_MAC, now, now);
	orla_keyring_write(path, text, old, true);
	orla_keyring_unlock(lock);
	PG_RETURN_DATUM(keys_as_jsonb(orla_keyring_require(), old));
}

/* orla.keyring_keys() → jsonb: what may be told of the keys */
Datum
orla_keyring_keys(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(keys_as_jsonb(orla_keyring_own(), 0));
}

/* orla_api.jwks() → jsonb: the public keys (RFC 7517), none before first use */
Datum
orla_jwks(PG_FUNCTION_ARGS)
{
	const OrlaKeyring *ring = orla_keyring_own();
	int64		now = (int64) time(NULL);
	StringInfoData json;
	char		jwk[JWK_MAX];
	const char *comma = "";
	int			i;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"keys\":[");
	for (i = 0; ring != NULL && i < ring->nkeys; i++)
	{
		const OrlaKey *key = &ring->keys[i];

		if (key->use != ORLA_KEY_SIGN || (key->retire_at != 0 && key->retire_at <= now) ||
			!orla_signer_jwk(key->signer, jwk, sizeof(jwk)))
			continue;
		appendStringInfo(&json, "%s{%s,\"kid\":\"%s\",\"alg\":\"%s\",\"use\":\"sig\"}",
						 comma, jwk, key->id, orla_alg_name(key->alg));
		comma = ",";
	}
	appendStringInfoString(&json, "]}");
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}
