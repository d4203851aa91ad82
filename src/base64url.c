/*
 * base64url.c
 *		base64 with the URL-safe alphabet and without padding (RFC 4648, 5).
 */
#include "base64url.h"

#include <limits.h>

static const char alphabet[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Value of each octet as a digit, plus one; 0 is not a digit. */
static const uint8_t digit_plus_one[256] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6,
	['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12,
	['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
	['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
	['Y'] = 25, ['Z'] = 26,
	['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
	['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38,
	['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44,
	['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50,
	['y'] = 51, ['z'] = 52,
	['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58,
	['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64
};

int
orla_base64url_encoded_len(size_t n)
{
	static const int rest[] = {0, 2, 3};

	return (int) (n / 3 * 4) + rest[n % 3];
}

size_t
orla_base64url_encode(const uint8_t *src, size_t n, char *dst)
{
	char	   *out = dst;

	for (; n >= 3; n -= 3, src += 3)
	{
		uint32_t	group = (uint32_t) src[0] << 16 | src[1] << 8 | src[2];

		*out++ = alphabet[group >> 18];
		*out++ = alphabet[group >> 12 & 63];
		*out++ = alphabet[group >> 6 & 63];
		*out++ = alphabet[group & 63];
	}
	if (n > 0)
	{
		*out++ = alphabet[src[0] >> 2];
		if (n == 1)
			*out++ = alphabet[(src[0] & 3) << 4];
		else
		{
			*out++ = alphabet[(src[0] & 3) << 4 | src[1] >> 4];
			*out++ = alphabet[(src[1] & 15) << 2];
		}
	}
	return out - dst;
}

/*
 * The bits of n digits as one number.  What is not a digit has the value -1
 * there, which sets bits above those of any digit: *bad collects them.
 */
static uint32_t
digits(const char *src, int n, uint32_t *bad)
{
	uint32_t	group = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		uint32_t	digit = (uint32_t) digit_plus_one[(unsigned char) src[i]] - 1;

		*bad |= digit & ~(uint32_t) 63;
		group = group << 6 | (digit & 63);
	}
	return group;
}

int
orla_base64url_decode(const char *src, size_t n, uint8_t *dst, size_t cap)
{
	size_t		rest = n % 4;
	size_t		len;
	uint32_t	bad = 0;
	uint32_t	group;

	if (rest == 1 || n > INT_MAX)
		return -1;
	len = n / 4 * 3 + (rest == 0 ? 0 : rest - 1);
	if (len > cap)
		return -1;

	for (; n >= 4; n -= 4, src += 4)
	{
		group = digits(src, 4, &bad);
		*dst++ = group >> 16;
		*dst++ = group >> 8;
		*dst++ = group;
	}
	if (rest == 2)
	{
		group = digits(src, 2, &bad);
		bad |= group & 0x0f;	/* bits that belong to no byte */
		*dst++ = group >> 4;
	}
	else if (rest == 3)
	{
		group = digits(src, 3, &bad);
		bad |= group & 0x03;
		*dst++ = group >> 10;
		*dst++ = group >> 2;
	}
	return bad ? -1 : (int) len;
}
