/*
 * phc.c
 *		Stored password hashes: what is accepted is what hashing prints.
 */
#include "base64url.h"
#include "crypto_password.h"
#include "fuzz.h"

/* Costs up to which a password is tried as well. */
#define CHEAP_KIB		64
#define CHEAP_PASSES	2

static char *
append_base64(char *at, const uint8_t *bytes, size_t n)
{
	char	   *end = at + orla_base64url_encode(bytes, n, at);

	for (; at < end; at++)
		*at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
	return end;
}

static void
check_print(const OrlaPhc *phc, const char *text, size_t n)
{
	char		again[ORLA_PHC_MAX];
	char	   *at = again;

	at += sprintf(at, "$argon2id$v=19$m=%u,t=%u,p=%u$", phc->m_kib, phc->t, phc->p);
	at = append_base64(at, phc->salt, phc->salt_len);
	*at++ = '$';
	at = append_base64(at, phc->hash, phc->hash_len);
	MUST((size_t) (at - again) == n && memcmp(again, text, n) == 0);
}

static void
check_accepted(const OrlaPhc *phc, const uint8_t *data, size_t size)
{
	char	   *text = as_text(data, size);

	check_print(phc, text, size);
	MUST(phc->m_kib <= ORLA_ARGON2_MEMORY_MAX && phc->m_kib >= 8 * phc->p);
	MUST(phc->t >= 1 && phc->t <= ORLA_ARGON2_PASSES_MAX);
	MUST(phc->p >= 1 && phc->p <= ORLA_ARGON2_LANES_MAX);
	MUST(phc->salt_len >= 8 && phc->salt_len <= sizeof(phc->salt));
	MUST(phc->hash_len >= 16 && phc->hash_len <= sizeof(phc->hash));
	MUST(orla_argon2id_needs_rehash(text, phc->m_kib + 1, phc->t, phc->p));
	if (phc->m_kib <= CHEAP_KIB && phc->t <= CHEAP_PASSES)
		MUST(orla_argon2id_verify(text, "a", 1) >= 0);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OrlaPhc		phc;

	if (orla_phc_parse((const char *) data, size, &phc))
		check_accepted(&phc, data, size);
	return 0;
}
