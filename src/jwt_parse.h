/*
 * jwt_parse.h
 *		Takes a JSON Web Token apart (RFC 7515, RFC 7519, RFC 8725).
 *
 * Believes nothing: whether the signature is good is the caller's next
 * question, with the key that kid finds and the algorithm that this key is
 * for.  Pure C, no allocation, usable without a server.
 */
#ifndef ORLA_JWT_PARSE_H
#define ORLA_JWT_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto_key.h"
#include "json_scan.h"

/* Bytes of the longest token that is looked at. */
#define ORLA_JWT_MAX		8192

/* Bytes of the longest kid; whether there is such a key is not asked here. */
#define ORLA_JWT_KID_MAX	64

typedef enum OrlaJwtError
{
	ORLA_JWT_OK = 0,
	ORLA_JWT_TOO_LONG,
	ORLA_JWT_NOT_THREE_PARTS,
	ORLA_JWT_BAD_BASE64URL,
	ORLA_JWT_BAD_HEADER,
	ORLA_JWT_BAD_ALG,
	ORLA_JWT_BAD_KID,
	ORLA_JWT_BAD_TYP,
	ORLA_JWT_HAS_CRIT,
	ORLA_JWT_BAD_PAYLOAD,
	ORLA_JWT_REPEATED_MEMBER,
	ORLA_JWT_BAD_TEXT,
	ORLA_JWT_BAD_NUMBER,
	ORLA_JWT_BAD_AUD
} OrlaJwtError;

/*
 * The token's parts.  signing_input points into the token, all else into the
 * buffer that orla_jwt_split() was given.
 */
typedef struct OrlaJwt
{
	OrlaAlg		alg;			/* as claimed; the key's must be the same */
	const char *kid;
	size_t		kid_len;
	const char *signing_input;
	size_t		signing_input_len;
	const uint8_t *signature;
	size_t		signature_len;
	const char *payload;
	size_t		payload_len;
} OrlaJwt;

/* The claims that orla uses; they point into the payload. */
typedef struct OrlaClaims
{
	OrlaText	iss;
	OrlaText	sub;
	OrlaText	sid;
	OrlaText	jti;
	OrlaText	role;
	OrlaText	token_use;
	OrlaText	aud;			/* JSON: ask orla_claims_has_aud() */
	int64_t		exp;
	int64_t		nbf;
	int64_t		iat;
	int64_t		gen;
	bool		has_exp;
	bool		has_nbf;
	bool		has_iat;
	bool		has_gen;
} OrlaClaims;

/* buf needs as many bytes as the token has; ORLA_JWT_MAX is always enough. */
extern OrlaJwtError orla_jwt_split(const char *token, size_t n,
								   char *buf, size_t cap, OrlaJwt *jwt);

/* Claims that are absent stay NULL or without has_*: the caller's to judge. */
extern OrlaJwtError orla_claims_read(const char *json, size_t n,
									 OrlaClaims *claims);

/* Of claims that were read: is aud this text, or an array that has it? */
extern bool orla_claims_has_aud(const OrlaClaims *claims, const char *aud);

/* A sentence for the DETAIL of a refusal; it quotes nothing of the token. */
extern const char *orla_jwt_error_text(OrlaJwtError error);

#endif							/* ORLA_JWT_PARSE_H */
