/*
 * base64url.h
 *		base64 with the URL-safe alphabet and without padding (RFC 4648, 5).
 *
 * Strict: one text per byte string and the other way round.  A decoder that
 * ignores padding, white space or stray low bits lets a token be rewritten
 * without breaking it.  Pure C, no allocation, usable without a server.
 */
#ifndef ORLA_BASE64URL_H
#define ORLA_BASE64URL_H

#include <stddef.h>
#include <stdint.h>

/* Characters that n bytes encode to; no padding, no NUL. */
extern int	orla_base64url_encoded_len(size_t n);

/* Writes orla_base64url_encoded_len(n) characters and returns that number. */
extern size_t orla_base64url_encode(const uint8_t *src, size_t n, char *dst);

/*
 * Bytes written, or -1 for text that no encoder has made or that needs more
 * than cap bytes.  dst may then hold part of the result.
 */
extern int	orla_base64url_decode(const char *src, size_t n,
								  uint8_t *dst, size_t cap);

#endif							/* ORLA_BASE64URL_H */
