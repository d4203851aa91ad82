/*
 * jwt_parse.c
 *		src/jwt_parse.c and src/json_scan.c: which tokens, headers and payloads
 *		are refused, and for what reason.
 */
#include "jwt_parse.h"

#include "tap.h"

/* {"alg":"ES256","kid":"0123456789abcdef"}, {"sub":"x"}, three zeros */
#define HEADER		"eyJhbGciOiJFUzI1NiIsImtpZCI6IjAxMjM0NTY3ODlhYmNkZWYifQ"
#define PAYLOAD		"eyJzdWIiOiJ4In0"
#define SIGNATURE	"AAAA"

static const struct
{
	const char *what;
	const char *token;
	OrlaJwtError error;
}			tokens[] = {
	{"the token that all others differ from", HEADER "." PAYLOAD "." SIGNATURE, ORLA_JWT_OK},
	{"nothing", "", ORLA_JWT_NOT_THREE_PARTS},
	{"a word", "rubbish", ORLA_JWT_NOT_THREE_PARTS},
	{"one dot", ".", ORLA_JWT_NOT_THREE_PARTS},
	{"two dots", "..", ORLA_JWT_NOT_THREE_PARTS},
	{"three dots", "...", ORLA_JWT_NOT_THREE_PARTS},
	{"one part", HEADER, ORLA_JWT_NOT_THREE_PARTS},
	{"two parts", HEADER "." PAYLOAD, ORLA_JWT_NOT_THREE_PARTS},
	{"no signature", HEADER "." PAYLOAD ".", ORLA_JWT_NOT_THREE_PARTS},
	{"no payload", HEADER ".." SIGNATURE, ORLA_JWT_NOT_THREE_PARTS},
	{"no header", "." PAYLOAD "." SIGNATURE, ORLA_JWT_NOT_THREE_PARTS},
	{"a dot before", "." HEADER "." PAYLOAD "." SIGNATURE, ORLA_JWT_NOT_THREE_PARTS},
	{"a dot after", HEADER "." PAYLOAD "." SIGNATURE ".", ORLA_JWT_NOT_THREE_PARTS},
	{"four parts", HEADER "." PAYLOAD "." SIGNATURE "." SIGNATURE, ORLA_JWT_NOT_THREE_PARTS},
	{"the five parts of an encrypted token", HEADER "." PAYLOAD "." SIGNATURE ".AAAA.AAAA", ORLA_JWT_NOT_THREE_PARTS},
	{"a padded header", HEADER "=." PAYLOAD "." SIGNATURE, ORLA_JWT_BAD_BASE64URL},
	{"a padded payload", HEADER "." PAYLOAD "=." SIGNATURE, ORLA_JWT_BAD_BASE64URL},
	{"a padded signature", HEADER "." PAYLOAD ".AAA=", ORLA_JWT_BAD_BASE64URL},
	{"a plus sign", HEADER "." PAYLOAD ".AA+A", ORLA_JWT_BAD_BASE64URL},
	{"a slash", HEADER "." PAYLOAD ".AA/A", ORLA_JWT_BAD_BASE64URL},
	{"stray bits", HEADER "." PAYLOAD ".AAB", ORLA_JWT_BAD_BASE64URL},
	{"half a byte", HEADER "." PAYLOAD ".AAAAA", ORLA_JWT_BAD_BASE64URL},
	{"a space before", " " HEADER "." PAYLOAD "." SIGNATURE, ORLA_JWT_BAD_BASE64URL},
	{"a line feed after", HEADER "." PAYLOAD "." SIGNATURE "\n", ORLA_JWT_BAD_BASE64URL},
	{"its scheme", "Bearer " HEADER "." PAYLOAD "." SIGNATURE, ORLA_JWT_BAD_BASE64URL},
	{"quotes", "\"" HEADER "." PAYLOAD "." SIGNATURE "\"", ORLA_JWT_BAD_BASE64URL},
	{"beyond ASCII", HEADER "." PAYLOAD ".\xc3\xa9\xc3\xa9", ORLA_JWT_BAD_BASE64URL},
	{"a payload that is no JSON", HEADER ".AAAA." SIGNATURE, ORLA_JWT_OK}
};

#define ALG		"\"alg\":\"ES256\""
#define KID		"\"kid\":\"k\""

static const struct
{
	const char *what;
	const char *header;
	OrlaJwtError error;
}			headers[] = {
	{"alg and kid", "{" ALG "," KID "}", ORLA_JWT_OK},
	{"kid and alg", "{" KID "," ALG "}", ORLA_JWT_OK},
	{"typ JWT", "{" ALG "," KID ",\"typ\":\"JWT\"}", ORLA_JWT_OK},
	{"typ at+jwt", "{" ALG "," KID ",\"typ\":\"at+jwt\"}", ORLA_JWT_OK},
	{"white space", " {\r\n\t\"alg\" : \"ES256\" , " KID " } \n", ORLA_JWT_OK},
	{"HS256", "{\"alg\":\"HS256\"," KID "}", ORLA_JWT_OK},
	{"RS256", "{\"alg\":\"RS256\"," KID "}", ORLA_JWT_OK},
	{"EdDSA", "{\"alg\":\"EdDSA\"," KID "}", ORLA_JWT_OK},
	{"a key in it, which is not looked at", "{" ALG "," KID ",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}", ORLA_JWT_OK},
	{"a key elsewhere, which is not fetched", "{" ALG "," KID ",\"jku\":\"https://example.org/\",\"x5u\":\"file:///etc/passwd\"}", ORLA_JWT_OK},
	{"a certificate, which is not read", "{" ALG "," KID ",\"x5c\":[\"AAAA\"],\"x5t\":\"\"}", ORLA_JWT_OK},
	{"zip, which means nothing here", "{" ALG "," KID ",\"zip\":\"DEF\"}", ORLA_JWT_OK},
	{"all kinds of values", "{" ALG "," KID ",\"a\":[1,-0.5e+3,true,false,null,{\"b\":[]},\"\\u00e9\\ud83d\\ude00\\n\"]}", ORLA_JWT_OK},
	{"escapes in what is skipped", "{" ALG "," KID ",\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"}", ORLA_JWT_OK},
	{"a kid of 64 octets", "{" ALG ",\"kid\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", ORLA_JWT_OK},
	{"a member repeated deeper down", "{" ALG "," KID ",\"a\":{\"b\":1,\"b\":2}}", ORLA_JWT_OK},
	{"alg none", "{\"alg\":\"none\"," KID "}", ORLA_JWT_BAD_ALG},
	{"alg None", "{\"alg\":\"None\"," KID "}", ORLA_JWT_BAD_ALG},
	{"alg NONE", "{\"alg\":\"NONE\"," KID "}", ORLA_JWT_BAD_ALG},
	{"alg empty", "{\"alg\":\"\"," KID "}", ORLA_JWT_BAD_ALG},
	{"alg in lower case", "{\"alg\":\"es256\"," KID "}", ORLA_JWT_BAD_ALG},
	{"alg ES384", "{\"alg\":\"ES384\"," KID "}", ORLA_JWT_BAD_ALG},
	{"alg PS256", "{\"alg\":\"PS256\"," KID "}", ORLA_JWT_BAD_ALG},
	{"alg with a space", "{\"alg\":\"ES256 \"," KID "}", ORLA_JWT_BAD_ALG},
	{"alg with a NUL", "{\"alg\":\"ES256\\u0000\"," KID "}", ORLA_JWT_BAD_ALG},
	{"alg with an escape", "{\"alg\":\"\\u0045S256\"," KID "}", ORLA_JWT_BAD_ALG},
	{"alg a number", "{\"alg\":256," KID "}", ORLA_JWT_BAD_ALG},
	{"alg null", "{\"alg\":null," KID "}", ORLA_JWT_BAD_ALG},
	{"alg an array", "{\"alg\":[\"ES256\"]," KID "}", ORLA_JWT_BAD_ALG},
	{"alg an object", "{\"alg\":{\"a\":\"ES256\"}," KID "}", ORLA_JWT_BAD_ALG},
	{"no alg", "{" KID "}", ORLA_JWT_BAD_ALG},
	{"alg in capitals", "{\"ALG\":\"ES256\"," KID "}", ORLA_JWT_BAD_ALG},
	{"alg twice", "{" ALG "," KID ",\"alg\":\"none\"}", ORLA_JWT_REPEATED_MEMBER},
	{"alg twice the same", "{" ALG "," ALG "," KID "}", ORLA_JWT_REPEATED_MEMBER},
	{"kid twice", "{" ALG "," KID ",\"kid\":\"l\"}", ORLA_JWT_REPEATED_MEMBER},
	{"an unknown member twice", "{" ALG "," KID ",\"a\":1,\"a\":1}", ORLA_JWT_REPEATED_MEMBER},
	{"two members without a name", "{" ALG "," KID ",\"\":1,\"\":1}", ORLA_JWT_REPEATED_MEMBER},
	{"alg in disguise", "{" ALG "," KID ",\"\\u0061lg\":\"none\"}", ORLA_JWT_BAD_HEADER},
	{"no kid", "{" ALG "}", ORLA_JWT_BAD_KID},
	{"kid empty", "{" ALG ",\"kid\":\"\"}", ORLA_JWT_BAD_KID},
	{"kid a number", "{" ALG ",\"kid\":1}", ORLA_JWT_BAD_KID},
	{"kid null", "{" ALG ",\"kid\":null}", ORLA_JWT_BAD_KID},
	{"kid with an escape", "{" ALG ",\"kid\":\"\\u006b\"}", ORLA_JWT_BAD_KID},
	{"a kid of 65 octets", "{" ALG ",\"kid\":\"01234567890123456789012345678901234567890123456789012345678901234\"}", ORLA_JWT_BAD_KID},
	{"typ JWE", "{" ALG "," KID ",\"typ\":\"JWE\"}", ORLA_JWT_BAD_TYP},
	{"typ empty", "{" ALG "," KID ",\"typ\":\"\"}", ORLA_JWT_BAD_TYP},
	{"typ a number", "{" ALG "," KID ",\"typ\":1}", ORLA_JWT_BAD_TYP},
	{"crit", "{" ALG "," KID ",\"crit\":[\"exp\"]}", ORLA_JWT_HAS_CRIT},
	{"crit empty", "{" ALG "," KID ",\"crit\":[]}", ORLA_JWT_HAS_CRIT},
	{"crit of another kind", "{" ALG "," KID ",\"crit\":null}", ORLA_JWT_HAS_CRIT},
	{"an empty object", "{}", ORLA_JWT_BAD_ALG},
	{"white space alone", "  ", ORLA_JWT_BAD_HEADER},
	{"an array", "[" ALG "]", ORLA_JWT_BAD_HEADER},
	{"a string", "\"ES256\"", ORLA_JWT_BAD_HEADER},
	{"a number", "256", ORLA_JWT_BAD_HEADER},
	{"null", "null", ORLA_JWT_BAD_HEADER},
	{"not closed", "{" ALG "," KID, ORLA_JWT_BAD_HEADER},
	{"not opened", ALG "," KID "}", ORLA_JWT_BAD_HEADER},
	{"a comma too many", "{" ALG "," KID ",}", ORLA_JWT_BAD_HEADER},
	{"a comma in front", "{," ALG "," KID "}", ORLA_JWT_BAD_HEADER},
	{"two commas", "{" ALG ",," KID "}", ORLA_JWT_BAD_HEADER},
	{"no comma", "{" ALG " " KID "}", ORLA_JWT_BAD_HEADER},
	{"no colon", "{\"alg\" \"ES256\"," KID "}", ORLA_JWT_BAD_HEADER},
	{"no value", "{" ALG "," KID ",\"a\":}", ORLA_JWT_BAD_HEADER},
	{"no name", "{" ALG "," KID ",:1}", ORLA_JWT_BAD_HEADER},
	{"a name without quotes", "{" ALG "," KID ",a:1}", ORLA_JWT_BAD_HEADER},
	{"a name in single quotes", "{" ALG "," KID ",'a':1}", ORLA_JWT_BAD_HEADER},
	{"something after it", "{" ALG "," KID "}x", ORLA_JWT_BAD_HEADER},
	{"another object after it", "{" ALG "," KID "}{}", ORLA_JWT_BAD_HEADER},
	{"a byte order mark", "\xef\xbb\xbf{" ALG "," KID "}", ORLA_JWT_BAD_HEADER},
	{"a comment", "{" ALG "," KID "/* */}", ORLA_JWT_BAD_HEADER},
	{"a string that is not closed", "{" ALG "," KID ",\"a\":\"}", ORLA_JWT_BAD_HEADER},
	{"a string that ends in a backslash", "{" ALG "," KID ",\"a\":\"\\", ORLA_JWT_BAD_HEADER},
	{"a line feed in a string", "{" ALG "," KID ",\"a\":\"\n\"}", ORLA_JWT_BAD_HEADER},
	{"an unknown escape", "{" ALG "," KID ",\"a\":\"\\x\"}", ORLA_JWT_BAD_HEADER},
	{"a short escape", "{" ALG "," KID ",\"a\":\"\\u12\"}", ORLA_JWT_BAD_HEADER},
	{"an escaped NUL", "{" ALG "," KID ",\"a\":\"\\u0000\"}", ORLA_JWT_BAD_HEADER},
	{"half a surrogate pair", "{" ALG "," KID ",\"a\":\"\\ud83d\"}", ORLA_JWT_BAD_HEADER},
	{"the other half", "{" ALG "," KID ",\"a\":\"\\ude00\"}", ORLA_JWT_BAD_HEADER},
	{"two first halves", "{" ALG "," KID ",\"a\":\"\\ud83d\\ud83d\"}", ORLA_JWT_BAD_HEADER},
	{"a stray octet", "{" ALG "," KID ",\"a\":\"\x80\"}", ORLA_JWT_BAD_HEADER},
	{"Latin 1", "{" ALG "," KID ",\"a\":\"\xe9\"}", ORLA_JWT_BAD_HEADER},
	{"two octets for one", "{" ALG "," KID ",\"a\":\"\xc1\xa1\"}", ORLA_JWT_BAD_HEADER},
	{"three octets for two", "{" ALG "," KID ",\"a\":\"\xe0\x9f\xbf\"}", ORLA_JWT_BAD_HEADER},
	{"four octets for three", "{" ALG "," KID ",\"a\":\"\xf0\x8f\xbf\xbf\"}", ORLA_JWT_BAD_HEADER},
	{"a surrogate in UTF-8", "{" ALG "," KID ",\"a\":\"\xed\xa0\x80\"}", ORLA_JWT_BAD_HEADER},
	{"beyond Unicode", "{" ALG "," KID ",\"a\":\"\xf4\x90\x80\x80\"}", ORLA_JWT_BAD_HEADER},
	{"half a character", "{" ALG "," KID ",\"a\":\"\xe2\x82\"}", ORLA_JWT_BAD_HEADER},
	{"a leading zero", "{" ALG "," KID ",\"a\":01}", ORLA_JWT_BAD_HEADER},
	{"a leading plus", "{" ALG "," KID ",\"a\":+1}", ORLA_JWT_BAD_HEADER},
	{"a sign alone", "{" ALG "," KID ",\"a\":-}", ORLA_JWT_BAD_HEADER},
	{"no digit before the point", "{" ALG "," KID ",\"a\":.5}", ORLA_JWT_BAD_HEADER},
	{"no digit after the point", "{" ALG "," KID ",\"a\":5.}", ORLA_JWT_BAD_HEADER},
	{"no exponent", "{" ALG "," KID ",\"a\":5e}", ORLA_JWT_BAD_HEADER},
	{"NaN", "{" ALG "," KID ",\"a\":NaN}", ORLA_JWT_BAD_HEADER},
	{"True", "{" ALG "," KID ",\"a\":True}", ORLA_JWT_BAD_HEADER},
	{"tru", "{" ALG "," KID ",\"a\":tru}", ORLA_JWT_BAD_HEADER},
	{"brackets that do not match", "{" ALG "," KID ",\"a\":[}]}", ORLA_JWT_BAD_HEADER},
	{"braces that do not match", "{" ALG "," KID ",\"a\":{]}", ORLA_JWT_BAD_HEADER},
	{"an array's comma too many", "{" ALG "," KID ",\"a\":[1,]}", ORLA_JWT_BAD_HEADER},
	{"a name in an array", "{" ALG "," KID ",\"a\":[\"b\":1]}", ORLA_JWT_BAD_HEADER},
	{"an inner object without names", "{" ALG "," KID ",\"a\":{1}}", ORLA_JWT_BAD_HEADER},
	{"a depth of 32", "{" ALG "," KID ",\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", ORLA_JWT_OK},
	{"a depth of 33", "{" ALG "," KID ",\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", ORLA_JWT_BAD_HEADER}
};

static const struct
{
	const char *what;
	const char *payload;
	OrlaJwtError error;
}			payloads[] = {
	{"nothing in it", "{}", ORLA_JWT_OK},
	{"texts", "{\"iss\":\"a\",\"sub\":\"b\",\"sid\":\"c\",\"jti\":\"d\",\"role\":\"e\",\"token_use\":\"f\"}", ORLA_JWT_OK},
	{"numbers", "{\"exp\":1,\"nbf\":0,\"iat\":9007199254740991,\"gen\":2147483647}", ORLA_JWT_OK},
	{"other claims", "{\"email\":\"a\\u0040b\",\"scope\":[{}],\"nested\":{\"exp\":null}}", ORLA_JWT_OK},
	{"UTF-8", "{\"sub\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}", ORLA_JWT_OK},
	{"aud a text", "{\"aud\":\"orla\"}", ORLA_JWT_OK},
	{"aud an array", "{\"aud\":[\"a\",\"orla\"]}", ORLA_JWT_OK},
	{"aud an empty array", "{\"aud\":[]}", ORLA_JWT_OK},
	{"not an object", "[]", ORLA_JWT_BAD_PAYLOAD},
	{"nothing", "", ORLA_JWT_BAD_PAYLOAD},
	{"not closed", "{\"sub\":\"a\"", ORLA_JWT_BAD_PAYLOAD},
	{"something after it", "{\"sub\":\"a\"},", ORLA_JWT_BAD_PAYLOAD},
	{"sub twice", "{\"sub\":\"a\",\"sub\":\"b\"}", ORLA_JWT_REPEATED_MEMBER},
	{"exp twice", "{\"exp\":1,\"exp\":2}", ORLA_JWT_REPEATED_MEMBER},
	{"another claim twice", "{\"x\":1,\"y\":1,\"x\":2}", ORLA_JWT_REPEATED_MEMBER},
	{"sub in disguise", "{\"sub\":\"a\",\"s\\u0075b\":\"b\"}", ORLA_JWT_BAD_PAYLOAD},
	{"sub null", "{\"sub\":null}", ORLA_JWT_BAD_TEXT},
	{"sub a number", "{\"sub\":1}", ORLA_JWT_BAD_TEXT},
	{"sub an array", "{\"sub\":[\"a\"]}", ORLA_JWT_BAD_TEXT},
	{"iss with an escape", "{\"iss\":\"\\u0061\"}", ORLA_JWT_BAD_TEXT},
	{"role with a line feed", "{\"role\":\"orla_user\n\"}", ORLA_JWT_BAD_TEXT},
	{"token_use true", "{\"token_use\":true}", ORLA_JWT_BAD_TEXT},
	{"jti not closed", "{\"jti\":\"a}", ORLA_JWT_BAD_TEXT},
	{"sid not UTF-8", "{\"sid\":\"\xff\"}", ORLA_JWT_BAD_TEXT},
	{"exp a text", "{\"exp\":\"1\"}", ORLA_JWT_BAD_NUMBER},
	{"exp null", "{\"exp\":null}", ORLA_JWT_BAD_NUMBER},
	{"exp with an exponent", "{\"exp\":1e9}", ORLA_JWT_BAD_NUMBER},
	{"exp with a fraction", "{\"exp\":1.0}", ORLA_JWT_BAD_NUMBER},
	{"exp negative", "{\"exp\":-1}", ORLA_JWT_BAD_NUMBER},
	{"exp minus zero", "{\"exp\":-0}", ORLA_JWT_BAD_NUMBER},
	{"exp with a leading zero", "{\"exp\":01}", ORLA_JWT_BAD_NUMBER},
	{"exp beyond 53 bits", "{\"exp\":9007199254740992}", ORLA_JWT_BAD_NUMBER},
	{"exp beyond 64 bits", "{\"exp\":18446744073709551617}", ORLA_JWT_BAD_NUMBER},
	{"exp beyond everything", "{\"exp\":99999999999999999999999999999999999999999999999999999999999999999999}", ORLA_JWT_BAD_NUMBER},
	{"exp infinite", "{\"exp\":1e999}", ORLA_JWT_BAD_NUMBER},
	{"exp without a value", "{\"exp\":}", ORLA_JWT_BAD_NUMBER},
	{"nbf true", "{\"nbf\":true}", ORLA_JWT_BAD_NUMBER},
	{"iat an object", "{\"iat\":{}}", ORLA_JWT_BAD_NUMBER},
	{"gen a fraction", "{\"gen\":0.5}", ORLA_JWT_BAD_NUMBER},
	{"digits that run into a word", "{\"gen\":1a}", ORLA_JWT_BAD_PAYLOAD},
	{"aud a number", "{\"aud\":1}", ORLA_JWT_BAD_AUD},
	{"aud null", "{\"aud\":null}", ORLA_JWT_BAD_AUD},
	{"aud an object", "{\"aud\":{\"a\":\"orla\"}}", ORLA_JWT_BAD_AUD},
	{"aud with a number in it", "{\"aud\":[\"orla\",1]}", ORLA_JWT_BAD_AUD},
	{"aud with an array in it", "{\"aud\":[[\"orla\"]]}", ORLA_JWT_BAD_AUD},
	{"aud with an escape", "{\"aud\":\"\\u006frla\"}", ORLA_JWT_BAD_AUD},
	{"aud with a comma too many", "{\"aud\":[\"orla\",]}", ORLA_JWT_BAD_AUD},
	{"aud not closed", "{\"aud\":[\"orla\"}", ORLA_JWT_BAD_AUD}
};

static const struct
{
	const char *payload;
	bool		has;
}			audiences[] = {
	{"{\"aud\":\"orla\"}", true},
	{"{\"aud\": [\"orla\"]}", true},
	{"{\"aud\":[ \"a\" , \"orla\" , \"b\" ] }", true},
	{"{\"aud\":\"orl\"}", false},
	{"{\"aud\":\"orlas\"}", false},
	{"{\"aud\":\"Orla\"}", false},
	{"{\"aud\":\"\"}", false},
	{"{\"aud\":\"[\\\"orla\"}", false},
	{"{\"aud\":[]}", false},
	{"{\"aud\":[\"a\",\"b\"]}", false},
	{"{\"sub\":\"orla\"}", false}
};

static OrlaJwtError
split(const char *token, size_t n)
{
	char	   *copy = exact_copy(token, n);
	char	   *buf = malloc(n > 0 ? n : 1);
	OrlaJwt		jwt;
	OrlaJwtError error = orla_jwt_split(copy, n, buf, n, &jwt);

	free(buf);
	free(copy);
	return error;
}

static void
check_header(const char *what, const char *header, OrlaJwtError expected)
{
	char		token[1024];
	size_t		n = orla_base64url_encode((const uint8_t *) header,
										  strlen(header), token);
	OrlaJwtError error;

	strcpy(token + n, "." PAYLOAD "." SIGNATURE);
	error = split(token, strlen(token));
	ok(error == expected, "header: %s: %s", what, orla_jwt_error_text(error));
}

static void
check_payload(const char *what, const char *payload, OrlaJwtError expected)
{
	size_t		n = strlen(payload);
	char	   *copy = exact_copy(payload, n);
	OrlaClaims	claims;
	OrlaJwtError error = orla_claims_read(copy, n, &claims);

	ok(error == expected, "payload: %s: %s", what, orla_jwt_error_text(error));
	free(copy);
}

static void
check_audience(const char *payload, bool has)
{
	OrlaClaims	claims;
	bool		found;

	(void) orla_claims_read(payload, strlen(payload), &claims);
	found = orla_claims_has_aud(&claims, "orla");
	ok(found == has, "%s %s for orla", payload, has ? "is" : "is not");
}

static void
check_parts(void)
{
	static const char token[] = HEADER "." PAYLOAD "." SIGNATURE;
	size_t		n = strlen(token);
	char		buf[sizeof(token)];
	OrlaJwt		jwt;

	ok(orla_jwt_split(token, n, buf, n, &jwt) == ORLA_JWT_OK, "takes a token apart");
	ok(jwt.alg == ORLA_ALG_ES256, "alg");
	ok(jwt.kid_len == 16 && memcmp(jwt.kid, "0123456789abcdef", 16) == 0, "kid");
	ok(jwt.signing_input == token && jwt.signing_input_len == strlen(HEADER "." PAYLOAD), "what is signed");
	ok(jwt.payload_len == 11 && memcmp(jwt.payload, "{\"sub\":\"x\"}", 11) == 0, "payload");
	ok(jwt.signature_len == 3 && memcmp(jwt.signature, "\0\0\0", 3) == 0, "signature");
	ok(orla_jwt_split(token, n, buf, n - 1, &jwt) == ORLA_JWT_TOO_LONG, "a buffer that may be too small");
}

static void
check_claims(void)
{
	static const char json[] =
	"{\"iss\":\"orla:1\",\"sub\":\"s\",\"sid\":\"\",\"exp\":1900000000,\"iat\":7,\"gen\":3}";
	OrlaClaims	claims;

	ok(orla_claims_read(json, strlen(json), &claims) == ORLA_JWT_OK, "reads claims");
	ok(orla_text_equals(claims.iss, "orla:1") && orla_text_equals(claims.sub, "s"), "texts");
	ok(claims.sid.data != NULL && claims.sid.len == 0, "an empty text is there");
	ok(claims.jti.data == NULL && claims.role.data == NULL, "absent texts are not");
	ok(claims.has_exp && claims.exp == 1900000000 && claims.has_iat &&
	   claims.iat == 7 && claims.has_gen && claims.gen == 3, "numbers");
	ok(!claims.has_nbf, "an absent number");
}

static void
check_limits(void)
{
	static char token[ORLA_JWT_MAX + 2];
	char		json[1024];
	int			i;
	OrlaClaims	claims;

	memset(token, 'A', sizeof(token));
	memcpy(token, HEADER ".", strlen(HEADER) + 1);
	token[100] = '.';
	ok(split(token, ORLA_JWT_MAX) != ORLA_JWT_TOO_LONG, "8192 octets are looked at");
	ok(split(token, ORLA_JWT_MAX + 1) == ORLA_JWT_TOO_LONG, "8193 are not");
	ok(split(HEADER "." PAYLOAD ".AA\0A", strlen(HEADER "." PAYLOAD) + 5) == ORLA_JWT_BAD_BASE64URL,
	   "a NUL in a token");

	strcpy(json, "{\"m0\":0");
	for (i = 1; i < ORLA_JSON_MEMBERS_MAX; i++)
		sprintf(json + strlen(json), ",\"m%d\":0", i);
	strcat(json, "}");
	ok(orla_claims_read(json, strlen(json), &claims) == ORLA_JWT_OK, "%d members", i);
	strcpy(json + strlen(json) - 1, ",\"one\":0}");
	ok(orla_claims_read(json, strlen(json), &claims) == ORLA_JWT_BAD_PAYLOAD, "%d members", i + 1);
}

/* Nothing is read beyond the end either. */
static void
check_cuts(void)
{
	static const char json[] =
	"{\"iss\":\"\\u00e9\",\"a\":[{\"b\":-1.5e+3},true,\"\\ud83d\\ude00\",\"\xf0\x9f\x98\x80\"],\"exp\":12}";
	bool		refused = true;
	size_t		n;

	for (n = 0; n < strlen(json); n++)
	{
		char	   *copy = exact_copy(json, n);
		OrlaClaims	claims;

		refused = refused && orla_claims_read(copy, n, &claims) != ORLA_JWT_OK;
		free(copy);
	}
	ok(refused, "cut off anywhere, a payload is refused");
}

static void
check_error_texts(void)
{
	bool		sentences = true;
	int			error;

	for (error = ORLA_JWT_OK; error <= ORLA_JWT_BAD_AUD; error++)
	{
		const char *text = orla_jwt_error_text(error);

		sentences = sentences && text[0] >= 'A' && text[0] <= 'Z' &&
			text[strlen(text) - 1] == '.';
	}
	ok(sentences, "every reason is a sentence");
}

int
main(void)
{
	size_t		i;

	check_parts();
	check_claims();
	for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
	{
		OrlaJwtError error = split(tokens[i].token, strlen(tokens[i].token));

		ok(error == tokens[i].error, "token: %s: %s", tokens[i].what,
		   orla_jwt_error_text(error));
	}
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		check_header(headers[i].what, headers[i].header, headers[i].error);
	for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
		check_payload(payloads[i].what, payloads[i].payload, payloads[i].error);
	for (i = 0; i < sizeof(audiences) / sizeof(audiences[0]); i++)
		check_audience(audiences[i].payload, audiences[i].has);
	check_limits();
	check_cuts();
	check_error_texts();
	return done_testing();
}
