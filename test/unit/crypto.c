/*
 * crypto.c
 *		src/crypto.c: FIPS 180-4 examples, RFC 4231, the GCM specification's
 *		test cases for AES-256, and sealed values that somebody has touched.
 */
#include "crypto.h"

#include "tap.h"

static const struct
{
	const char *data;
	const char *digest;
}			digests[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}
};

/* RFC 4231, 4.2 to 4.8 without the truncated one; keys and data in hex. */
static const struct
{
	const char *what;
	const char *key;
	const char *data;
	const char *mac;
}			macs[] = {
	{"case 1", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"case 2", "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{"case 3", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"dddddddddddddddddddddddddddddddddddddddddddddddddd"
		"dddddddddddddddddddddddddddddddddddddddddddddddddd",
	"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{"case 4", "0102030405060708090a0b0c0d0e0f10111213141516171819",
		"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
		"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
	"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"}
};

/* The specification's test cases 13 to 16. */
static const struct
{
	const char *what;
	const char *key;
	const char *nonce;
	const char *aad;
	const char *plain;
	const char *sealed;			/* and the tag */
}			seals[] = {
	{"case 13",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"000000000000000000000000", "", "",
	"530f8afbc74536b9a963b4f1c4cb738b"},
	{"case 14",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"000000000000000000000000", "", "00000000000000000000000000000000",
	"cea7403d4d606b6e074ec5d3baf39d18" "d0d1c8a799996bf0265b98b5d48ab919"},
	{"case 15",
		"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
		"cafebabefacedbaddecaf888", "",
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
	"b094dac5d93471bdec1a502270e3cc6c"},
	{"case 16",
		"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
		"cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
	"76fc6ece0f4e1768cddf8853bb2d551b"}
};

static void
check_digests(void)
{
	size_t		i;
	uint8_t		expected[ORLA_SHA256_LEN];
	uint8_t		digest[ORLA_SHA256_LEN];

	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
	{
		unhex(digests[i].digest, expected);
		orla_sha256(digests[i].data, strlen(digests[i].data), digest);
		ok(memcmp(digest, expected, sizeof(digest)) == 0,
		   "SHA-256 of %zu octets", strlen(digests[i].data));
	}
}

static void
check_mac(const char *what, const void *key, size_t key_len,
		  const void *data, size_t n, const char *expected)
{
	uint8_t		right[ORLA_SHA256_LEN];
	uint8_t		mac[ORLA_SHA256_LEN];

	unhex(expected, right);
	ok(orla_hmac_sha256(key, key_len, data, n, mac) &&
	   orla_equal(mac, right, sizeof(mac)), "HMAC-SHA-256, %s", what);
}

static void
check_macs(void)
{
	static const char hash_key[] =
	"Test Using Larger Than Block-Size Key - Hash Key First";
	static const char both[] =
	"This is a test using a larger than block-size key and a larger than "
	"block-size data. The key needs to be hashed before being used by the "
	"HMAC algorithm.";
	uint8_t		key[131];
	uint8_t		data[64];
	uint8_t		mac[ORLA_SHA256_LEN];
	size_t		i;

	for (i = 0; i < sizeof(macs) / sizeof(macs[0]); i++)
	{
		size_t		key_len = unhex(macs[i].key, key);
		size_t		n = unhex(macs[i].data, data);

		check_mac(macs[i].what, key, key_len, data, n, macs[i].mac);
	}
	memset(key, 0xaa, sizeof(key));
	check_mac("case 6", key, sizeof(key), hash_key, strlen(hash_key),
			  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	check_mac("case 7", key, sizeof(key), both, strlen(both),
			  "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
	ok(!orla_hmac_sha256(NULL, 0, data, 1, mac), "HMAC without a key is refused");
}

static void
check_seal(size_t i)
{
	uint8_t		key[32];
	uint8_t		nonce[12];
	uint8_t		aad[32];
	uint8_t		plain[64];
	uint8_t		expected[80];
	uint8_t		sealed[80];
	uint8_t		opened[64];
	size_t		aad_len = unhex(seals[i].aad, aad);
	size_t		n = unhex(seals[i].plain, plain);

	unhex(seals[i].key, key);
	unhex(seals[i].nonce, nonce);
	unhex(seals[i].sealed, expected);
	ok(orla_aead_seal(key, nonce, aad, aad_len, plain, n, sealed) &&
	   memcmp(sealed, expected, n + ORLA_AEAD_TAG_LEN) == 0,
	   "AES-256-GCM, %s seals", seals[i].what);
	ok(orla_aead_open(key, nonce, aad, aad_len, sealed,
					  n + ORLA_AEAD_TAG_LEN, opened) &&
	   memcmp(opened, plain, n) == 0, "AES-256-GCM, %s opens", seals[i].what);
}

/* One bit anywhere is noticed, and nothing of the plain text is left. */
static void
check_touched(void)
{
	uint8_t		key[32] = {1};
	uint8_t		nonce[12] = {2};
	char		aad[] = "orla|purpose";
	char		plain[] = "something that must not be seen";
	uint8_t		sealed[sizeof(plain) + ORLA_AEAD_TAG_LEN];
	uint8_t		opened[sizeof(plain)];
	uint8_t		zeros[sizeof(plain)] = {0};
	bool		noticed = orla_aead_seal(key, nonce, aad, sizeof(aad),
										 plain, sizeof(plain), sealed);
	bool		wiped = true;
	size_t		bit;

	for (bit = 0; bit < 8 * sizeof(sealed); bit++)
	{
		sealed[bit / 8] ^= 1 << bit % 8;
		memset(opened, 1, sizeof(opened));
		noticed = noticed && !orla_aead_open(key, nonce, aad, sizeof(aad),
											 sealed, sizeof(sealed), opened);
		wiped = wiped && memcmp(opened, zeros, sizeof(opened)) == 0;
		sealed[bit / 8] ^= 1 << bit % 8;
	}
	ok(noticed, "every bit of a sealed value counts");
	ok(wiped, "nothing is left of what did not open");

	aad[0]++;
	ok(!orla_aead_open(key, nonce, aad, sizeof(aad), sealed, sizeof(sealed),
					   opened), "the additional data count");
	aad[0]--;
	ok(!orla_aead_open(key, nonce, aad, sizeof(aad) - 1, sealed,
					   sizeof(sealed), opened), "so does their length");
	key[31] = 1;
	ok(!orla_aead_open(key, nonce, aad, sizeof(aad), sealed, sizeof(sealed),
					   opened), "the key counts");
	key[31] = 0;
	nonce[11] = 1;
	ok(!orla_aead_open(key, nonce, aad, sizeof(aad), sealed, sizeof(sealed),
					   opened), "the nonce counts");
	nonce[11] = 0;
	ok(!orla_aead_open(key, nonce, aad, sizeof(aad), sealed,
					   ORLA_AEAD_TAG_LEN - 1, opened), "a value shorter than its tag is refused");
	ok(!orla_aead_open(key, nonce, aad, sizeof(aad), sealed,
					   sizeof(sealed) - 1, opened), "a truncated value is refused");
	ok(orla_aead_open(key, nonce, aad, sizeof(aad), sealed, sizeof(sealed),
					  opened) && memcmp(opened, plain, sizeof(plain)) == 0,
	   "the untouched value still opens");
}

int
main(void)
{
	uint8_t		a[32] = {0};
	uint8_t		b[32] = {0};
	size_t		i;

	check_digests();
	check_macs();
	for (i = 0; i < sizeof(seals) / sizeof(seals[0]); i++)
		check_seal(i);
	check_touched();

	ok(orla_equal(a, b, sizeof(a)), "equal bytes are equal");
	b[31] = 1;
	ok(!orla_equal(a, b, sizeof(a)), "different bytes are not");
	ok(orla_random(a, sizeof(a)) && orla_random(b, sizeof(b)) &&
	   !orla_equal(a, b, sizeof(a)), "random bytes differ");
	return done_testing();
}
