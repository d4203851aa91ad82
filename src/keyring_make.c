/*
 * keyring_make.c
 *		New keys of a keyring, and its file.
 */
#include "postgres.h"

#include <time.h>

#include "crypto.h"
#include "draw.h"
#include "keyring_make.h"
#include "keyring_source.h"
#include "settings.h"
#include "uuidtext.h"

/* New material, palloc'd; the keyring's writer wipes it. */
static uint8 *
new_material(OrlaKeyUse use, OrlaAlg alg, size_t *len)
{
	uint8	   *material;
	uint8	   *made;

	if (use != ORLA_KEY_SIGN)
	{
		*len = 32;
		material = palloc(*len);
		orla_draw(material, *len);
		return material;
	}
	if (!orla_generate_key(alg, &made, len))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not make a signing key")));
	material = palloc(*len);
	memcpy(material, made, *len);
	explicit_bzero(made, *len);
	free(made);
	return material;
}

void
orla_keyring_add_key(OrlaKeyringText *text, OrlaKeyUse use, int64 now, int64 active_from)
{
	OrlaKeyText *key;
	uint8		id[ORLA_KEY_HEX_LEN / 2];
	int			i;

	if (text->nkeys == ORLA_KEYRING_KEYS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the keyring is full"),
				 errdetail("It holds %d keys.", ORLA_KEYRING_KEYS_MAX)));
	key = &text->keys[text->nkeys++];
	key->use = use;
	orla_draw(id, sizeof(id));
	for (i = 0; i < sizeof(id); i++)
		snprintf(key->id + 2 * i, 3, "%02x", id[i]);
	key->alg = use == ORLA_KEY_SIGN ? (OrlaAlg) orla_signing_algorithm : ORLA_ALG_NONE;
	key->created_at = now;
	key->active_from = active_from;
	key->retire_at = 0;
	key->material = new_material(use, key->alg, &key->len);
}

void
orla_keyring_write(const char *path, const OrlaKeyringText *text, int first_new, bool replace)
{
	size_t		size = orla_keyring_text_size(text);
	char	   *printed = palloc(size);
	size_t		len = orla_keyring_text_print(text, printed);
	int			i;

	orla_keyring_write_file(path, printed, len, replace);
	explicit_bzero(printed, size);
	pfree(printed);
	for (i = first_new; i < text->nkeys; i++)
		explicit_bzero(unconstify(uint8_t *, text->keys[i].material), text->keys[i].len);
}

void
orla_keyring_make_file(const char *path)
{
	OrlaKeyringText *text = palloc0(sizeof(OrlaKeyringText));
	pg_uuid_t	id;
	int64		now = (int64) time(NULL);

	orla_draw(id.data, UUID_LEN);
	id.data[6] = (id.data[6] & 0x0f) | 0x40;	/* version 4, RFC 4122 */
	id.data[8] = (id.data[8] & 0x3f) | 0x80;
	orla_uuid_print(&id, text->id);
	orla_keyring_add_key(text, ORLA_KEY_SEAL, now, now);
	orla_keyring_add_key(text, ORLA_KEY_SIGN, now, now);
	orla_keyring_add_key(text, ORLA_KEY_MAC, now, now);
	orla_keyring_write(path, text, 0, false);
	ereport(LOG,
			(errmsg("made keyring file \"%s\"", path),
			 errhint("Back it up apart from the database.")));
	pfree(text);
}
