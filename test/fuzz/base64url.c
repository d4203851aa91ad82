/*
 * base64url.c
 *		One text per byte string, and the other way round.
 */
#include "base64url.h"

#include "fuzz.h"

/* What decodes is what encoding its bytes gives. */
static void
try_text(const char *text, size_t n)
{
	uint8_t    *bytes = room(n);
	char	   *again = room(n);
	int			len = orla_base64url_decode(text, n, bytes, n);

	if (len >= 0)
	{
		MUST((size_t) orla_base64url_encoded_len(len) == n);
		MUST(orla_base64url_encode(bytes, len, again) == n);
		MUST(memcmp(again, text, n) == 0);
	}
	free(again);
	free(bytes);
}

/* All bytes encode, and decode to themselves if there is room for them. */
static void
try_bytes(const uint8_t *bytes, size_t n)
{
	size_t		len = orla_base64url_encoded_len(n);
	char	   *text = room(len);
	uint8_t    *again = room(n);

	MUST(orla_base64url_encode(bytes, n, text) == len);
	MUST(orla_base64url_decode(text, len, again, n) == (int) n);
	MUST(memcmp(again, bytes, n) == 0);
	if (n > 0)
		MUST(orla_base64url_decode(text, len, again, n - 1) == -1);
	free(again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_text((const char *) data, size);
	try_bytes(data, size);
	return 0;
}
