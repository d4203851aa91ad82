/*
 * crypto_sign.c
 *		src/crypto_sign.c and crypto_key.c: RFC 7515, appendix A.1 to A.3, RFC 8037, appendix
 *		A, and signatures and keys that must be refused.
 */
#include "crypto_sign.h"

#include "tap.h"

#define JOE			"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

/* RFC 7515, A.2, its JWK as PKCS#8 */
#define RSA_KEY \
	"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh-BYK4uPJtGXOjS1lYmM2" \
	"K5J9vinh8CR3_BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxLaYk8wTM_U-3QGbh3" \
	"hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNnjuygxmj3AbONv_s4yDQs4v5t" \
	"J_reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5ROjtZMEQxrZHYJqkeDrrnGya11UxMFBj" \
	"i4NmXG9veoKjlnAqH2QbgtPr8jkiGUkftoaHLFcW9Qr4NY2ai50Xw0Byj3-H2JoY2PyrZ62E" \
	"WQwuz3WTOTY8BwNNb2BvniHgVFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k" \
	"6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46su" \
	"i395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj" \
	"kn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb" \
	"1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWS" \
	"eWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0KpLttoLhyt3SmqdEf_kgHePDd" \
	"tzEafpAu-cS191R2JiuoF2yzWXnwFDcqGigp5BNr0AHQfD8_Lk8l1Mk09jxxCfui5nYooNya" \
	"c8YFjm3vItzVCVDnEd3BbVWG8qf6deqElMGAg-C2V0L4oNXnP7LZcPAZRwKBgQC5A8R-CZW2" \
	"MvRTLLHzwZkUXV866cff7tx6kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsL" \
	"q6XtON4tB5kP9jAPrq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS_l1OW1EnXUEoEHKl54" \
	"Xrrz2uNwkgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7_Ls5bkUp" \
	"5u9SN0Ai3Ya6hNnvWJMb7sXQX6U_zyO2M_hTip7tUeh7CXgwo59dkpN75gJLVds29-DAncu3" \
	"KXU4f2Fa-7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf_evpitUf-4JYbLpvN" \
	"XWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcGyoAe9fa65iNqCq-jdw6PVNGo" \
	"2hxfjSiZ8IIzHdsPXI89__pMjZcQK9r-CCoRjaZjOYiIDktVWZzmevJuv6WywUqd57LE3Zar" \
	"3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26" \
	"F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9Sb" \
	"sxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"

/* RFC 7515, A.3 and RFC 8037, A.1, likewise; hexadecimal, then the JWK's d */
#define P256_HEAD	"308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420"
#define P256_D		"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define P256_MIDDLE	"a14403420004"
#define P256_X		"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define P256_Y		"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ED25519_HEAD	"302e020100300506032b657004220420"
#define ED25519_D	"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
#define ED25519_X	"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

typedef struct Example
{
	OrlaAlg		alg;
	const char *input;
	const char *signature;
	bool		repeatable;		/* signing again gives the same */
	const char *jwk;
} Example;

static const Example examples[] = {
	{ORLA_ALG_HS256, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE,
	"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", true, NULL},
	{ORLA_ALG_ES256, "eyJhbGciOiJFUzI1NiJ9." JOE,
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
		"pmWQxfKTUJqPP3-Kg6NU1Q", false,
	"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\""},
	{ORLA_ALG_RS256, "eyJhbGciOiJSUzI1NiJ9." JOE,
		"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7"
		"AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"
		"BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
		"0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"
		"hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB"
		"p0igcN_IoypGlUPQGe77Rw", true,
		"\"kty\":\"RSA\",\"n\":\""
		"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp"
		"-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOW"
		"vG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs"
		"LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9k"
		"G4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2"
	"PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\""},
	{ORLA_ALG_EDDSA, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5B"
	"hVsPt9g7sVvpAr_MuM0KAg", true, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED25519_X "\""}
};

/* The key of an example; *len is its length. */
static uint8_t *
example_key(OrlaAlg alg, size_t *len)
{
	static uint8_t key[2048];
	size_t		n;

	switch (alg)
	{
		case ORLA_ALG_HS256:
			n = unbase64url("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH"
							"75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", key, sizeof(key));
			break;
		case ORLA_ALG_ES256:
			n = unhex(P256_HEAD, key);
			n += unbase64url(P256_D, key + n, 32);
			n += unhex(P256_MIDDLE, key + n);
			n += unbase64url(P256_X, key + n, 32);
			n += unbase64url(P256_Y, key + n, 32);
			break;
		case ORLA_ALG_EDDSA:
			n = unhex(ED25519_HEAD, key);
			n += unbase64url(ED25519_D, key + n, 32);
			break;
		default:
			n = unbase64url(RSA_KEY, key, sizeof(key));
			break;
	}
	*len = n;
	return key;
}

static OrlaSigner *
example_signer(OrlaAlg alg)
{
	size_t		len;
	uint8_t    *key = example_key(alg, &len);

	return orla_signer_load(alg, key, len);
}

/* Every bit of the signature, and of the data, and the lengths. */
static void
check_touched(const OrlaSigner *signer, const Example *example)
{
	const char *name = orla_alg_name(example->alg);
	uint8_t		sig[1025];
	char		input[256];
	size_t		len = unbase64url(example->signature, sig, sizeof(sig));
	size_t		n = strlen(example->input);
	bool		noticed = true;
	size_t		bit;

	memcpy(input, example->input, n);
	for (bit = 0; bit < 8 * len; bit++)
	{
		sig[bit / 8] ^= 1 << bit % 8;
		noticed = noticed && !orla_verify(signer, input, n, sig, len);
		sig[bit / 8] ^= 1 << bit % 8;
	}
	ok(noticed, "%s: every bit of the signature counts", name);
	noticed = true;
	for (bit = 0; bit < 8 * n; bit += 41)
	{
		input[bit / 8] ^= 1 << bit % 8;
		noticed = noticed && !orla_verify(signer, input, n, sig, len);
		input[bit / 8] ^= 1 << bit % 8;
	}
	ok(noticed, "%s: the data count", name);
	sig[len] = 0;
	ok(!orla_verify(signer, input, n, sig, len + 1), "%s: a longer signature is refused", name);
	ok(!orla_verify(signer, input, n, sig, len - 1), "%s: a shorter one too", name);
	ok(!orla_verify(signer, input, n, sig, 0), "%s: none too", name);
	ok(!orla_verify(signer, input, n - 1, sig, len), "%s: so are shorter data", name);
	memset(sig, 0, sizeof(sig));
	ok(!orla_verify(signer, input, n, sig, len), "%s: zeros are no signature", name);
	memset(sig, 0xff, sizeof(sig));
	ok(!orla_verify(signer, input, n, sig, len), "%s: nor are ones", name);
}

static void
check_example(const Example *example)
{
	const char *name = orla_alg_name(example->alg);
	OrlaSigner *signer = example_signer(example->alg);
	uint8_t		expected[1024];
	uint8_t		sig[1024];
	char		jwk[2048];
	size_t		expected_len = unbase64url(example->signature, expected, sizeof(expected));
	size_t		len = sizeof(sig);
	size_t		n = strlen(example->input);
	int			i;

	ok(signer != NULL, "%s: loads the example's key", name);
	if (signer == NULL)
		return;
	for (i = 0; i < 2; i++)
	{
		ok(orla_verify(signer, example->input, n, expected, expected_len),
		   "%s: verifies the example", name);
		len = sizeof(sig);
		ok(orla_sign(signer, example->input, n, sig, &len) &&
		   len == expected_len &&
		   example->repeatable == (memcmp(sig, expected, len) == 0),
		   "%s: signs it", name);
		ok(orla_verify(signer, example->input, n, sig, len),
		   "%s: verifies what it signed", name);
	}
	len = orla_signature_max(example->alg) - 1;
	ok(!orla_sign(signer, example->input, n, sig, &len), "%s: needs room", name);

	if (example->jwk == NULL)
		ok(!orla_signer_jwk(signer, jwk, sizeof(jwk)), "%s: nothing is public", name);
	else
	{
		size_t		need = strlen(example->jwk) + 1;

		ok(orla_signer_jwk(signer, jwk, need) && strcmp(jwk, example->jwk) == 0,
		   "%s: prints the example's public key", name);
		for (i = 0; i < (int) need && !orla_signer_jwk(signer, jwk, i); i++)
			;
		ok(i == (int) need, "%s: and nothing into less room", name);
	}
	check_touched(signer, example);
	orla_signer_free(signer);
}

/* r and s out of range: 0, and the order of the curve. */
static void
check_es256_range(void)
{
	static const char order[] =
	"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
	OrlaSigner *signer = example_signer(ORLA_ALG_ES256);
	const char *input = examples[1].input;
	uint8_t		sig[64];
	int			i;

	for (i = 0; i < 2; i++)
	{
		unbase64url(examples[1].signature, sig, sizeof(sig));
		memset(sig + 32 * i, 0, 32);
		ok(!orla_verify(signer, input, strlen(input), sig, 64),
		   "ES256: %c = 0 is refused", "rs"[i]);
		unhex(order, sig + 32 * i);
		ok(!orla_verify(signer, input, strlen(input), sig, 64),
		   "ES256: %c = n is refused", "rs"[i]);
	}
	orla_signer_free(signer);
}

/* About one in 128 signatures has an r or s with a zero in front. */
static void
check_es256_lengths(void)
{
	OrlaSigner *signer = example_signer(ORLA_ALG_ES256);
	bool		good = true;
	int			short_ones = 0;
	int			i;

	for (i = 0; i < 2000; i++)
	{
		uint8_t		sig[64];
		size_t		len = sizeof(sig);

		good = good && orla_sign(signer, &i, sizeof(i), sig, &len) &&
			len == 64 && orla_verify(signer, &i, sizeof(i), sig, len);
		short_ones += sig[0] == 0 || sig[32] == 0;
	}
	ok(good && short_ones > 0, "ES256: r and s with zeros in front keep their width");
	orla_signer_free(signer);
}

/* A key of one algorithm is none of another. */
static void
check_confusion(void)
{
	OrlaAlg		alg;
	OrlaAlg		other;

	for (alg = ORLA_ALG_ES256; alg <= ORLA_ALG_EDDSA; alg++)
	{
		for (other = ORLA_ALG_NONE; other <= ORLA_ALG_EDDSA; other++)
		{
			size_t		len;
			uint8_t    *key = example_key(alg, &len);
			OrlaSigner *signer;

			/* Any bytes are a secret, if there are not too many. */
			if (other == alg || other == ORLA_ALG_HS256)
				continue;
			signer = orla_signer_load(other, key, len);
			ok(signer == NULL, "a key for %s is none for %s",
			   orla_alg_name(alg), orla_alg_name(other));
			orla_signer_free(signer);
		}
	}
}

static void
refuse_key(OrlaAlg alg, const char *what, const uint8_t *key, size_t len)
{
	uint8_t    *copy = exact_copy(key, len);
	OrlaSigner *signer = orla_signer_load(alg, copy, len);

	ok(signer == NULL, "%s: refuses %s", orla_alg_name(alg), what);
	orla_signer_free(signer);
	free(copy);
}

static void
check_refused_keys(void)
{
	uint8_t		key[2048];
	uint8_t    *example;
	size_t		len;

	memset(key, 7, sizeof(key));
	refuse_key(ORLA_ALG_HS256, "an empty secret", key, 0);
	refuse_key(ORLA_ALG_HS256, "31 bytes", key, 31);
	refuse_key(ORLA_ALG_HS256, "1025 bytes", key, 1025);
	refuse_key(ORLA_ALG_ES256, "nothing", key, 0);
	refuse_key(ORLA_ALG_ES256, "what is not DER", key, 138);

	example = example_key(ORLA_ALG_ES256, &len);
	refuse_key(ORLA_ALG_ES256, "a truncated key", example, len - 1);
	memcpy(key, example, len);
	refuse_key(ORLA_ALG_ES256, "a byte after the key", key, len + 1);
	/* the last octet of the curve's name: secp256r1 is 7 */
	key[25] = 6;
	refuse_key(ORLA_ALG_ES256, "another curve", key, len);
	example = example_key(ORLA_ALG_EDDSA, &len);
	memcpy(key, example, len);
	key[11] = 0x71;
	refuse_key(ORLA_ALG_EDDSA, "Ed448", key, len);
	refuse_key(ORLA_ALG_RS256, "rubbish", key + 100, 1200);
}

static void
check_generated(OrlaAlg alg)
{
	const char *name = orla_alg_name(alg);
	uint8_t    *material = NULL;
	uint8_t		sig[1024];
	size_t		sig_len = sizeof(sig);
	size_t		len = 0;
	OrlaSigner *signer;
	OrlaSigner *again;

	ok(orla_generate_key(alg, &material, &len), "%s: makes a key", name);
	signer = orla_signer_load(alg, material, len);
	again = orla_signer_load(alg, material, len);
	ok(signer != NULL && again != NULL, "%s: loads it", name);
	ok(orla_sign(signer, "data", 4, sig, &sig_len) &&
	   orla_verify(again, "data", 4, sig, sig_len), "%s: uses it", name);
	orla_signer_free(again);
	again = example_signer(alg);
	ok(!orla_verify(again, "data", 4, sig, sig_len), "%s: another key says no", name);
	orla_signer_free(again);
	orla_signer_free(signer);
	free(material);
}

static void
check_names(void)
{
	static const char *const none[] = {"none", "None", "hs256", "HS512", "ES256K",
	"ES25", "", "PS256", "EDDSA", "Ed25519"};
	OrlaAlg		alg;
	size_t		i;

	for (alg = ORLA_ALG_HS256; alg <= ORLA_ALG_EDDSA; alg++)
		ok(orla_alg_from_name(orla_alg_name(alg), strlen(orla_alg_name(alg))) == alg,
		   "%s is an algorithm", orla_alg_name(alg));
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ok(orla_alg_from_name(none[i], strlen(none[i])) == ORLA_ALG_NONE,
		   "\"%s\" is not", none[i]);
	ok(orla_alg_from_name("HS256\0", 6) == ORLA_ALG_NONE, "nor is a name with a NUL");
}

int
main(void)
{
	size_t		i;
	OrlaAlg		alg;

	check_names();
	for (i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		check_example(&examples[i]);
	check_es256_range();
	check_es256_lengths();
	check_confusion();
	check_refused_keys();
	for (alg = ORLA_ALG_HS256; alg <= ORLA_ALG_EDDSA; alg++)
		check_generated(alg);
	orla_signer_free(NULL);
	return done_testing();
}
