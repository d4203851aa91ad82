/*
 * keyring_text.c
 *		The keyring's text: what parses prints as it was.
 *
 * No mutation would get past the check value at the end of a line, so with a
 * first byte that is odd the check values are put right before the text is
 * parsed.
 */
#include "crypto.h"
#include "fuzz.h"
#include "keyring_text.h"

/* Hexadecimal digits of half a digest. */
#define CHECK_LEN	32

/* What follows the last space of a line becomes the check of what is before. */
static void
mend_line(char *line, size_t n)
{
	uint8_t		digest[ORLA_SHA256_LEN];
	char		check[CHECK_LEN + 1];
	int			i;

	if (n <= CHECK_LEN || line[n - CHECK_LEN - 1] != ' ')
		return;
	orla_sha256(line, n - CHECK_LEN - 1, digest);
	for (i = 0; i < CHECK_LEN / 2; i++)
		sprintf(check + 2 * i, "%02x", digest[i]);
	memcpy(line + n - CHECK_LEN, check, CHECK_LEN);
}

static void
mend(char *text, size_t n)
{
	char	   *end = text + n;

	while (text < end)
	{
		char	   *newline = memchr(text, '\n', end - text);
		size_t		len = (newline == NULL ? end : newline) - text;

		mend_line(text, len);
		text += len + 1;
	}
}

static void
check_key(const OrlaKeyText *key, const uint8_t *space, size_t n)
{
	MUST(key->use >= ORLA_KEY_SEAL && key->use <= ORLA_KEY_MAC);
	MUST((key->use == ORLA_KEY_SIGN) == (key->alg != ORLA_ALG_NONE));
	MUST(strlen(key->id) == ORLA_KEY_HEX_LEN);
	MUST(key->len >= 32 && key->len <= ORLA_KEY_MATERIAL_MAX);
	MUST(lies_in(key->material, key->len, space, n));
	MUST(key->created_at >= 0 && key->active_from >= 0 && key->retire_at >= 0);
}

static void
check_ring(const OrlaKeyringText *ring, const char *text, size_t n,
		   const uint8_t *space)
{
	size_t		size = orla_keyring_text_size(ring);
	char	   *again = room(size);
	int			i;

	MUST(ring->nkeys >= 0 && ring->nkeys <= ORLA_KEYRING_KEYS_MAX);
	MUST(strlen(ring->id) == ORLA_KEYRING_UUID_LEN);
	for (i = 0; i < ring->nkeys; i++)
		check_key(&ring->keys[i], space, n);
	MUST(n < size && orla_keyring_text_print(ring, again) == n);
	MUST(memcmp(again, text, n) == 0);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static OrlaKeyringText ring;
	OrlaKeyringError error;
	uint8_t    *space;
	char	   *text;
	int			line;

	if (size == 0)
		return 0;
	size--;
	text = room(size);
	memcpy(text, data + 1, size);
	if (data[0] & 1)
		mend(text, size);

	space = room(size);
	error = orla_keyring_text_parse(text, size, &ring, space, &line);
	MUST(line >= 1 && (size_t) line <= size + 1);
	MUST(orla_keyring_error_text(error)[0] != '\0');
	if (error == ORLA_KEYRING_OK)
		check_ring(&ring, text, size, space);
	free(space);
	free(text);
	return 0;
}
