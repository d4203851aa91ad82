/*
 * jwt_parse.c
 *		Takes a JSON Web Token apart (RFC 7515, RFC 7519, RFC 8725).
 *
 * Of the header, alg, kid and typ are read.  Members that name or bring a key
 * (jku, jwk, x5u, x5c) are skipped like any other that we do not know: no key
 * comes from a token.  crit is refused, since it would mean members that must
 * not be skipped.
 */
#include "jwt_parse.h"

#include <string.h>

#include "base64url.h"

/* Header, payload and signature as they are encoded; none is empty. */
static bool
find_parts(const char *token, size_t n, OrlaText parts[3])
{
	const char *end = token + n;
	int			i;

	for (i = 0; i < 3; i++)
	{
		const char *dot = i < 2 ? memchr(token, '.', end - token) : end;

		if (dot == NULL || dot == token)
			return false;
		parts[i].data = token;
		parts[i].len = dot - token;
		token = i < 2 ? dot + 1 : end;
	}

	/* A fourth part is left in the third, where no dot can be decoded. */
	return memchr(parts[2].data, '.', parts[2].len) == NULL;
}

/* The algorithm is looked up once: what has no name here has no code. */
static OrlaJwtError
read_alg(OrlaJson *json, OrlaJwt *jwt)
{
	OrlaText	alg;

	if (!orla_json_string(json, &alg))
		return ORLA_JWT_BAD_ALG;
	jwt->alg = orla_alg_from_name(alg.data, alg.len);
	return jwt->alg == ORLA_ALG_NONE ? ORLA_JWT_BAD_ALG : ORLA_JWT_OK;
}

static OrlaJwtError
read_kid(OrlaJson *json, OrlaJwt *jwt)
{
	OrlaText	kid;

	if (!orla_json_string(json, &kid) ||
		kid.len == 0 || kid.len > ORLA_JWT_KID_MAX)
		return ORLA_JWT_BAD_KID;
	jwt->kid = kid.data;
	jwt->kid_len = kid.len;
	return ORLA_JWT_OK;
}

static OrlaJwtError
read_typ(OrlaJson *json)
{
	OrlaText	typ;

	if (!orla_json_string(json, &typ) ||
		!(orla_text_equals(typ, "JWT") || orla_text_equals(typ, "at+jwt")))
		return ORLA_JWT_BAD_TYP;
	return ORLA_JWT_OK;
}

static OrlaJwtError
read_header_member(OrlaJson *json, OrlaText name, OrlaJwt *jwt)
{
	if (orla_text_equals(name, "alg"))
		return read_alg(json, jwt);
	if (orla_text_equals(name, "kid"))
		return read_kid(json, jwt);
	if (orla_text_equals(name, "typ"))
		return read_typ(json);
	if (orla_text_equals(name, "crit"))
		return ORLA_JWT_HAS_CRIT;
	return orla_json_skip(json) ? ORLA_JWT_OK : ORLA_JWT_BAD_HEADER;
}

static OrlaJwtError
read_header(const char *text, size_t n, OrlaJwt *jwt)
{
	OrlaJson	json;
	OrlaJsonStep step;
	OrlaText	name;

	orla_json_open(&json, text, n);
	while ((step = orla_json_next(&json, &name)) == ORLA_JSON_MEMBER)
	{
		OrlaJwtError error = read_header_member(&json, name, jwt);

		if (error != ORLA_JWT_OK)
			return error;
	}
	if (step != ORLA_JSON_END)
		return step == ORLA_JSON_REPEATED ? ORLA_JWT_REPEATED_MEMBER
			: ORLA_JWT_BAD_HEADER;
	if (jwt->alg == ORLA_ALG_NONE)
		return ORLA_JWT_BAD_ALG;
	return jwt->kid == NULL ? ORLA_JWT_BAD_KID : ORLA_JWT_OK;
}

OrlaJwtError
orla_jwt_split(const char *token, size_t n, char *buf, size_t cap,
			   OrlaJwt *jwt)
{
	OrlaText	parts[3];
	size_t		len[3];
	char	   *at = buf;
	int			i;

	memset(jwt, 0, sizeof(*jwt));
	if (n > ORLA_JWT_MAX || n > cap)
		return ORLA_JWT_TOO_LONG;
	if (!find_parts(token, n, parts))
		return ORLA_JWT_NOT_THREE_PARTS;
	for (i = 0; i < 3; i++)
	{
		int			decoded = orla_base64url_decode(parts[i].data, parts[i].len,
													(uint8_t *) at,
													cap - (at - buf));

		if (decoded < 0)
			return ORLA_JWT_BAD_BASE64URL;
		len[i] = decoded;
		at += decoded;
	}

	jwt->signing_input = token;
	jwt->signing_input_len = parts[0].len + 1 + parts[1].len;
	jwt->payload = buf + len[0];
	jwt->payload_len = len[1];
	jwt->signature = (const uint8_t *) jwt->payload + len[1];
	jwt->signature_len = len[2];
	return read_header(buf, len[0], jwt);
}

/*
 * One text, or an array of texts.  False when it is neither; *found turns
 * true when aud, unless NULL, is among them.
 */
static bool
scan_audience(OrlaJson *json, const char *aud, bool *found)
{
	bool		array = orla_json_take(json, '[');
	OrlaText	text;

	if (array && orla_json_take(json, ']'))
		return true;
	do
	{
		if (!orla_json_string(json, &text))
			return false;
		if (aud != NULL && orla_text_equals(text, aud))
			*found = true;
	} while (array && orla_json_take(json, ','));
	return !array || orla_json_take(json, ']');
}

static OrlaJwtError
read_text(OrlaJson *json, OrlaText *text)
{
	return orla_json_string(json, text) ? ORLA_JWT_OK : ORLA_JWT_BAD_TEXT;
}

static OrlaJwtError
read_number(OrlaJson *json, int64_t *number, bool *present)
{
	*present = orla_json_integer(json, number);
	return *present ? ORLA_JWT_OK : ORLA_JWT_BAD_NUMBER;
}

static OrlaJwtError
read_aud(OrlaJson *json, OrlaText *aud)
{
	bool		found = false;

	aud->data = json->at;
	if (!scan_audience(json, NULL, &found))
		return ORLA_JWT_BAD_AUD;
	aud->len = json->at - aud->data;
	return ORLA_JWT_OK;
}

static OrlaJwtError
read_claim(OrlaJson *json, OrlaText name, OrlaClaims *claims)
{
	if (orla_text_equals(name, "iss"))
		return read_text(json, &claims->iss);
	if (orla_text_equals(name, "sub"))
		return read_text(json, &claims->sub);
	if (orla_text_equals(name, "sid"))
		return read_text(json, &claims->sid);
	if (orla_text_equals(name, "jti"))
		return read_text(json, &claims->jti);
	if (orla_text_equals(name, "role"))
		return read_text(json, &claims->role);
	if (orla_text_equals(name, "token_use"))
		return read_text(json, &claims->token_use);
	if (orla_text_equals(name, "aud"))
		return read_aud(json, &claims->aud);
	if (orla_text_equals(name, "exp"))
		return read_number(json, &claims->exp, &claims->has_exp);
	if (orla_text_equals(name, "nbf"))
		return read_number(json, &claims->nbf, &claims->has_nbf);
	if (orla_text_equals(name, "iat"))
		return read_number(json, &claims->iat, &claims->has_iat);
	if (orla_text_equals(name, "gen"))
		return read_number(json, &claims->gen, &claims->has_gen);
	return orla_json_skip(json) ? ORLA_JWT_OK : ORLA_JWT_BAD_PAYLOAD;
}

OrlaJwtError
orla_claims_read(const char *text, size_t n, OrlaClaims *claims)
{
	OrlaJson	json;
	OrlaJsonStep step;
	OrlaText	name;

	memset(claims, 0, sizeof(*claims));
	orla_json_open(&json, text, n);
	while ((step = orla_json_next(&json, &name)) == ORLA_JSON_MEMBER)
	{
		OrlaJwtError error = read_claim(&json, name, claims);

		if (error != ORLA_JWT_OK)
			return error;
	}
	if (step == ORLA_JSON_END)
		return ORLA_JWT_OK;
	return step == ORLA_JSON_REPEATED ? ORLA_JWT_REPEATED_MEMBER
		: ORLA_JWT_BAD_PAYLOAD;
}

bool
orla_claims_has_aud(const OrlaClaims *claims, const char *aud)
{
	OrlaJson	json;
	bool		found = false;

	if (claims->aud.data == NULL)
		return false;
	orla_json_open(&json, claims->aud.data, claims->aud.len);
	return scan_audience(&json, aud, &found) && found;
}

const char *
orla_jwt_error_text(OrlaJwtError error)
{
	switch (error)
	{
		case ORLA_JWT_OK:
			return "The token is well formed.";
		case ORLA_JWT_TOO_LONG:
			return "The token is too long.";
		case ORLA_JWT_NOT_THREE_PARTS:
			return "The token does not consist of three parts.";
		case ORLA_JWT_BAD_BASE64URL:
			return "A part of the token is not base64url.";
		case ORLA_JWT_BAD_HEADER:
			return "The token's header is not a JSON object.";
		case ORLA_JWT_BAD_ALG:
			return "The token's header does not name a supported algorithm.";
		case ORLA_JWT_BAD_KID:
			return "The token's header does not name a key.";
		case ORLA_JWT_BAD_TYP:
			return "The token's header names another type of token.";
		case ORLA_JWT_HAS_CRIT:
			return "The token's header asks for an extension.";
		case ORLA_JWT_BAD_PAYLOAD:
			return "The token's payload is not a JSON object.";
		case ORLA_JWT_REPEATED_MEMBER:
			return "A member of the token's header or payload is repeated.";
		case ORLA_JWT_BAD_TEXT:
			return "One of the claims iss, sub, sid, jti, role and token_use is not a plain text.";
		case ORLA_JWT_BAD_NUMBER:
			return "One of the claims exp, nbf, iat and gen is not a whole number.";
		case ORLA_JWT_BAD_AUD:
			return "The claim aud is neither a text nor an array of texts.";
	}
	return "The token is malformed.";
}
