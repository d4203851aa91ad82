/*
 * jwt.h
 *		Access tokens: prove one, make one.
 */
#ifndef ORLA_JWT_H
#define ORLA_JWT_H

#include "postgres.h"

#include "utils/uuid.h"

/* What a good access token says.  claims belongs to the cache: copy it. */
typedef struct OrlaIdentity
{
	pg_uuid_t	user_id;
	pg_uuid_t	session_id;
	int64		generation;
	int64		expires_at;		/* Unix seconds */
	const char *claims;			/* the payload, JSON, NUL-terminated */
} OrlaIdentity;

/*
 * Checks signature, iss, aud, sub, sid, gen, role, token_use, exp, nbf, iat.
 * NULL when the token is good, else a sentence for the DETAIL of a refusal;
 * it never quotes the token.  The session's row is the caller's to check.
 * Raises only when the keyring cannot be used.
 *
 * A token whose signature was verified once is remembered by this backend;
 * every other check is made on each call.
 */
extern const char *orla_jwt_identify(const char *token, size_t len,
									 OrlaIdentity *identity);

#endif							/* ORLA_JWT_H */
