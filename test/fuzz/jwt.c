/*
 * jwt.c
 *		Tokens, and the JSON inside of them.
 *
 * The first byte tells what the others are: a token, a payload, or the JSON
 * of a header and a payload, separated by a NUL, from which a token is made.
 */
#include "base64url.h"
#include "fuzz.h"
#include "jwt_parse.h"

static void
check_text(OrlaText text, const char *json, size_t n)
{
	if (text.data == NULL)
		return;
	MUST(lies_in(text.data, text.len, json, n));
	MUST(memchr(text.data, '\\', text.len) == NULL);
	MUST(memchr(text.data, '"', text.len) == NULL);
	MUST(memchr(text.data, '\0', text.len) == NULL);
}

static void
check_number(bool present, int64_t number)
{
	MUST(number >= 0 && number <= ORLA_JSON_INTEGER_MAX);
	MUST(present || number == 0);
}

/* Of a good payload, the whole text counts: no part of it is one. */
static void
check_cut(const char *json, size_t n)
{
	OrlaClaims	claims;

	while (n > 0 && strchr(" \t\r\n", json[n - 1]) != NULL)
		n--;
	MUST(n > 0 && orla_claims_read(json, n - 1, &claims) != ORLA_JWT_OK);
}

static void
try_claims(const char *json, size_t n)
{
	OrlaClaims	claims;
	bool		has;

	if (orla_claims_read(json, n, &claims) != ORLA_JWT_OK)
		return;
	MUST(memchr(json, '\0', n) == NULL);
	check_text(claims.iss, json, n);
	check_text(claims.sub, json, n);
	check_text(claims.sid, json, n);
	check_text(claims.jti, json, n);
	check_text(claims.role, json, n);
	check_text(claims.token_use, json, n);
	check_number(claims.has_exp, claims.exp);
	check_number(claims.has_nbf, claims.nbf);
	check_number(claims.has_iat, claims.iat);
	check_number(claims.has_gen, claims.gen);
	if (claims.aud.data != NULL)
		MUST(lies_in(claims.aud.data, claims.aud.len, json, n));
	has = orla_claims_has_aud(&claims, "orla");
	MUST(!has || claims.aud.len >= strlen("\"orla\""));
	check_cut(json, n);
}

/* The token's text must be the one that its parts encode to. */
static void
check_encoding(const char *token, size_t n, const OrlaJwt *jwt)
{
	char	   *again = room(n);
	size_t		signature = jwt->signing_input_len + 1;
	size_t		payload = jwt->signing_input_len -
		orla_base64url_encoded_len(jwt->payload_len);

	MUST(orla_base64url_encode(jwt->signature, jwt->signature_len, again) == n - signature);
	MUST(memcmp(again, token + signature, n - signature) == 0);
	orla_base64url_encode((const uint8_t *) jwt->payload, jwt->payload_len, again);
	MUST(memcmp(again, token + payload, jwt->signing_input_len - payload) == 0);
	MUST(token[payload - 1] == '.' && token[signature - 1] == '.');
	free(again);
}

static void
try_token(const char *token, size_t n)
{
	char	   *buf = room(n);
	OrlaJwt		jwt;
	OrlaJwtError error = orla_jwt_split(token, n, buf, n, &jwt);

	MUST(orla_jwt_error_text(error)[0] != '\0');
	if (error == ORLA_JWT_OK)
	{
		MUST(n <= ORLA_JWT_MAX);
		MUST(jwt.alg >= ORLA_ALG_HS256 && jwt.alg <= ORLA_ALG_EDDSA);
		MUST(jwt.kid_len >= 1 && jwt.kid_len <= ORLA_JWT_KID_MAX);
		MUST(lies_in(jwt.kid, jwt.kid_len, buf, n));
		MUST(lies_in(jwt.payload, jwt.payload_len, buf, n));
		MUST(lies_in(jwt.signature, jwt.signature_len, buf, n));
		MUST(jwt.payload_len > 0 && jwt.signature_len > 0);
		MUST(jwt.signing_input == token && jwt.signing_input_len < n);
		check_encoding(token, n, &jwt);
		try_claims(jwt.payload, jwt.payload_len);
	}
	free(buf);
}

static void
try_parts(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, '\0', size);
	size_t		header = nul == NULL ? size : (size_t) (nul - data);
	size_t		payload = nul == NULL ? 0 : size - header - 1;
	char	   *token = room(orla_base64url_encoded_len(header) +
							 orla_base64url_encoded_len(payload) + 6);
	size_t		n = orla_base64url_encode(data, header, token);

	token[n++] = '.';
	n += orla_base64url_encode(data + size - payload, payload, token + n);
	memcpy(token + n, ".AAAA", 5);
	try_token(token, n + 5);
	free(token);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 4)
	{
		case 0:
			try_token((const char *) data + 1, size - 1);
			break;
		case 1:
			try_claims((const char *) data + 1, size - 1);
			break;
		default:
			try_parts(data + 1, size - 1);
			break;
	}
	return 0;
}
