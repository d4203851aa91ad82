/*
 * keyring_text.h
 *		The text of a keyring, one line per key.
 *
 *		orla-keyring 1 <uuid>
 *		<use> <id> <alg> <created> <active_from> <retire_at> <material> <check>
 *		end <number of keys>
 *
 * use is seal, sign or mac; id 16 hexadecimal digits; alg A256GCM for seal,
 * HS256 for mac, that of crypto_key.h for sign; times are Unix seconds, a
 * retire_at of 0 means never; material is base64url; check is the first half
 * of the SHA-256 of the line before it, against typing errors, not against
 * people.  The last line makes a truncated file show.
 *
 * Pure: no server, nothing allocated, nothing raised.  One text per keyring:
 * what parses prints as it was.
 */
#ifndef ORLA_KEYRING_TEXT_H
#define ORLA_KEYRING_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto_key.h"

#define ORLA_KEYRING_TEXT_MAX	(1024 * 1024)	/* bytes */
#define ORLA_KEYRING_KEYS_MAX	256
#define ORLA_KEY_MATERIAL_MAX	8192	/* bytes of one key */

#define ORLA_KEYRING_UUID_LEN	36
#define ORLA_KEY_HEX_LEN		16

typedef enum OrlaKeyUse
{
	ORLA_KEY_SEAL,
	ORLA_KEY_SIGN,
	ORLA_KEY_MAC
} OrlaKeyUse;

typedef struct OrlaKeyText
{
	OrlaKeyUse	use;
	char		id[ORLA_KEY_HEX_LEN + 1];
	OrlaAlg		alg;			/* of sign keys; else ORLA_ALG_NONE */
	int64_t		created_at;
	int64_t		active_from;
	int64_t		retire_at;
	const uint8_t *material;	/* in the caller's space */
	size_t		len;
} OrlaKeyText;

typedef struct OrlaKeyringText
{
	char		id[ORLA_KEYRING_UUID_LEN + 1];
	int			nkeys;
	OrlaKeyText keys[ORLA_KEYRING_KEYS_MAX];
} OrlaKeyringText;

typedef enum OrlaKeyringError
{
	ORLA_KEYRING_OK,
	ORLA_KEYRING_EMPTY,
	ORLA_KEYRING_TOO_LARGE,
	ORLA_KEYRING_NOT_A_KEYRING,
	ORLA_KEYRING_TRUNCATED,
	ORLA_KEYRING_BAD_LINE,
	ORLA_KEYRING_BAD_CHECK,
	ORLA_KEYRING_TWICE,
	ORLA_KEYRING_TRAILING
} OrlaKeyringError;

/*
 * space takes the keys' material and must have n bytes; ring points into it.
 * *line is the line at fault, counted from 1.
 */
extern OrlaKeyringError orla_keyring_text_parse(const char *text, size_t n,
												OrlaKeyringText *ring,
												uint8_t *space, int *line);

/* Bytes that printing takes at most, with a NUL. */
extern size_t orla_keyring_text_size(const OrlaKeyringText *ring);

/* The length printed, without the NUL. */
extern size_t orla_keyring_text_print(const OrlaKeyringText *ring, char *buf);

/* A sentence for a DETAIL, without the line. */
extern const char *orla_keyring_error_text(OrlaKeyringError error);

extern const char *orla_key_use_name(OrlaKeyUse use);

/* As in the line: A256GCM, HS256, ES256 and so on. */
extern const char *orla_key_alg_name(OrlaKeyUse use, OrlaAlg alg);

#endif							/* ORLA_KEYRING_TEXT_H */
