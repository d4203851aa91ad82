/*
 * crypto_password.c
 *		Argon2id (RFC 9106) in the PHC string format.
 *
 * PHC strings are read here and not by libargon2, which would begin to
 * allocate whatever memory the string asks for.
 */
#include "crypto_password.h"

#include <stdio.h>
#include <string.h>

#include <argon2.h>

#include "base64url.h"
#include "crypto.h"

#define PREFIX		"$argon2id$v=19$"

#define SALT_LEN	16			/* of new hashes */
#define SALT_MIN	8
#define HASH_LEN	32
#define HASH_MIN	16

/* Characters that 64 bytes, the most of OrlaPhc, encode to. */
#define BASE64_MAX	86

typedef struct Reader
{
	const char *at;
	const char *end;
} Reader;

static bool
read_literal(Reader *reader, const char *literal)
{
	size_t		len = strlen(literal);

	if ((size_t) (reader->end - reader->at) < len ||
		memcmp(reader->at, literal, len) != 0)
		return false;
	reader->at += len;
	return true;
}

/* A number from 1 to max without leading zeros. */
static bool
read_number(Reader *reader, uint32_t max, uint32_t *number)
{
	uint32_t	value = 0;

	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
	{
		value = value * 10 + (*reader->at - '0');
		if (value == 0 || value > max)
			return false;
		reader->at++;
	}
	*number = value;
	return value != 0;
}

/*
 * The standard alphabet without padding, up to a '$' or the end: it differs
 * from base64url in two digits.
 */
static bool
read_base64(Reader *reader, uint8_t *bytes, size_t cap, size_t *len)
{
	char		text[BASE64_MAX];
	size_t		n = 0;
	int			decoded;

	while (reader->at < reader->end && *reader->at != '$')
	{
		char		c = *reader->at++;

		if (n == sizeof(text) || c == '-' || c == '_')
			return false;
		text[n++] = c == '+' ? '-' : c == '/' ? '_' : c;
	}
	decoded = orla_base64url_decode(text, n, bytes, cap);
	*len = decoded < 0 ? 0 : decoded;
	return decoded >= 0;
}

/* Returns the end of what was written; no NUL. */
static char *
append_base64(char *at, const uint8_t *bytes, size_t n)
{
	char	   *end = at + orla_base64url_encode(bytes, n, at);

	for (; at < end; at++)
		*at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
	return end;
}

bool
orla_phc_parse(const char *text, size_t n, OrlaPhc *phc)
{
	Reader		reader = {text, text + n};

	memset(phc, 0, sizeof(*phc));
	return n < ORLA_PHC_MAX &&
		read_literal(&reader, PREFIX "m=") &&
		read_number(&reader, ORLA_ARGON2_MEMORY_MAX, &phc->m_kib) &&
		read_literal(&reader, ",t=") &&
		read_number(&reader, ORLA_ARGON2_PASSES_MAX, &phc->t) &&
		read_literal(&reader, ",p=") &&
		read_number(&reader, ORLA_ARGON2_LANES_MAX, &phc->p) &&
		phc->m_kib >= 8 * phc->p &&
		read_literal(&reader, "$") &&
		read_base64(&reader, phc->salt, sizeof(phc->salt), &phc->salt_len) &&
		phc->salt_len >= SALT_MIN &&
		read_literal(&reader, "$") &&
		read_base64(&reader, phc->hash, sizeof(phc->hash), &phc->hash_len) &&
		phc->hash_len >= HASH_MIN &&
		reader.at == reader.end;
}

static bool
print_phc(const OrlaPhc *phc, char *out, size_t cap)
{
	int			len = snprintf(out, cap, PREFIX "m=%u,t=%u,p=%u$",
							   phc->m_kib, phc->t, phc->p);
	char	   *at;

	if (len < 0 ||
		len + orla_base64url_encoded_len(phc->salt_len) + 1 +
		orla_base64url_encoded_len(phc->hash_len) + 1 > cap)
		return false;
	at = append_base64(out + len, phc->salt, phc->salt_len);
	*at++ = '$';
	at = append_base64(at, phc->hash, phc->hash_len);
	*at = '\0';
	return true;
}

/*
 * Lanes are computed one after the other: threads would take signals that
 * are meant for the server's process.  libargon2 wipes its memory.
 */
static bool
compute(const OrlaPhc *phc, const char *pw, size_t n, uint8_t *hash)
{
	argon2_context context;

	if (n > ARGON2_MAX_PWD_LENGTH)
		return false;
	memset(&context, 0, sizeof(context));
	context.out = hash;
	context.outlen = phc->hash_len;
	context.pwd = (uint8_t *) pw;
	context.pwdlen = n;
	context.salt = (uint8_t *) phc->salt;
	context.saltlen = phc->salt_len;
	context.t_cost = phc->t;
	context.m_cost = phc->m_kib;
	context.lanes = phc->p;
	context.threads = 1;
	context.version = ARGON2_VERSION_13;
	context.flags = ARGON2_DEFAULT_FLAGS;
	return argon2id_ctx(&context) == ARGON2_OK;
}

int
orla_argon2id_hash(const char *pw, size_t n, uint32_t m_kib, uint32_t t,
				   uint32_t p, char *out, size_t cap)
{
	OrlaPhc		phc = {.m_kib = m_kib, .t = t, .p = p,
	.salt_len = SALT_LEN, .hash_len = HASH_LEN};
	bool		good;

	/* What would be refused when it is read must not be made. */
	good = t >= 1 && t <= ORLA_ARGON2_PASSES_MAX &&
		p >= 1 && p <= ORLA_ARGON2_LANES_MAX &&
		m_kib >= 8 * p && m_kib <= ORLA_ARGON2_MEMORY_MAX &&
		orla_random(phc.salt, SALT_LEN) &&
		compute(&phc, pw, n, phc.hash) &&
		print_phc(&phc, out, cap);
	explicit_bzero(&phc, sizeof(phc));
	return good ? 0 : -1;
}

int
orla_argon2id_verify(const char *text, const char *pw, size_t n)
{
	OrlaPhc		phc;
	uint8_t		hash[sizeof(phc.hash)];
	int			result = -1;

	if (orla_phc_parse(text, strlen(text), &phc) &&
		compute(&phc, pw, n, hash))
		result = orla_equal(hash, phc.hash, phc.hash_len) ? 0 : 1;
	explicit_bzero(hash, sizeof(hash));
	explicit_bzero(&phc, sizeof(phc));
	return result;
}

bool
orla_argon2id_needs_rehash(const char *text, uint32_t m_kib, uint32_t t,
						   uint32_t p)
{
	OrlaPhc		phc;
	bool		same;

	same = orla_phc_parse(text, strlen(text), &phc) &&
		phc.m_kib == m_kib && phc.t == t && phc.p == p &&
		phc.salt_len == SALT_LEN && phc.hash_len == HASH_LEN;
	explicit_bzero(&phc, sizeof(phc));
	return !same;
}
