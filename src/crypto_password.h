/*
 * crypto_password.h
 *		Argon2id (RFC 9106) in the PHC string format.
 *
 * Pure, like crypto.h.  A hash takes m_kib kB while it is computed; how many
 * may run at once is the caller's to bound.
 */
#ifndef ORLA_CRYPTO_PASSWORD_H
#define ORLA_CRYPTO_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any PHC string made or accepted here, with its NUL. */
#define ORLA_PHC_MAX	256

/*
 * Costs beyond these are refused, since a row that somebody planted must not
 * take the server's memory.
 */
#define ORLA_ARGON2_MEMORY_MAX	(1024 * 1024)	/* kB */
#define ORLA_ARGON2_PASSES_MAX	64
#define ORLA_ARGON2_LANES_MAX	16

typedef struct OrlaPhc
{
	uint32_t	m_kib;
	uint32_t	t;
	uint32_t	p;
	uint8_t		salt[64];
	size_t		salt_len;
	uint8_t		hash[64];
	size_t		hash_len;
} OrlaPhc;

/*
 * $argon2id$v=19$m=…,t=…,p=…$salt$hash, strictly as hashing prints it; false
 * for anything else.
 */
extern bool orla_phc_parse(const char *text, size_t n, OrlaPhc *phc);

/* 0 when out holds the PHC string, -1 on failure. */
extern int	orla_argon2id_hash(const char *pw, size_t n,
							   uint32_t m_kib, uint32_t t, uint32_t p,
							   char *out, size_t cap);

/* 0 the password is right, 1 it is wrong, -1 no such hash or no memory. */
extern int	orla_argon2id_verify(const char *phc, const char *pw, size_t n);

/* True when phc was made with other costs, or in another way altogether. */
extern bool orla_argon2id_needs_rehash(const char *phc, uint32_t m_kib,
									   uint32_t t, uint32_t p);

#endif							/* ORLA_CRYPTO_PASSWORD_H */
