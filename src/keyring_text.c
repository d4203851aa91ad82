/*
 * keyring_text.c
 *		The text of a keyring: parsed strictly, printed in one way.
 */
#include "keyring_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base64url.h"
#include "crypto.h"

#define HEADER		"orla-keyring 1 "
#define HEADER_LEN	(sizeof(HEADER) - 1)

/* Half a SHA-256 as hexadecimal digits. */
#define CHECK_LEN	ORLA_SHA256_LEN

/* All of a line but its material. */
#define LINE_OVERHEAD	160

/* Seconds up to the year 9999. */
#define TIME_MAX	INT64_C(253402300799)

static const char *const use_names[] = {"seal", "sign", "mac"};

/* What is left to read. */
typedef struct Reader
{
	const char *at;
	const char *end;
	int			line;
} Reader;

/* A piece of a line. */
typedef struct Field
{
	const char *data;
	size_t		len;
} Field;

const char *
orla_key_use_name(OrlaKeyUse use)
{
	return use_names[use];
}

const char *
orla_key_alg_name(OrlaKeyUse use, OrlaAlg alg)
{
	if (use == ORLA_KEY_SEAL)
		return "A256GCM";
	if (use == ORLA_KEY_MAC)
		return "HS256";
	return orla_alg_name(alg);
}

const char *
orla_keyring_error_text(OrlaKeyringError error)
{
	switch (error)
	{
		case ORLA_KEYRING_OK:
			return "The keyring is well-formed.";
		case ORLA_KEYRING_EMPTY:
			return "It is empty.";
		case ORLA_KEYRING_TOO_LARGE:
			return "It is larger than a keyring can be.";
		case ORLA_KEYRING_NOT_A_KEYRING:
			return "It does not begin as a keyring does.";
		case ORLA_KEYRING_TRUNCATED:
			return "It ends before its last line: it is truncated.";
		case ORLA_KEYRING_BAD_LINE:
			return "The line is malformed.";
		case ORLA_KEYRING_BAD_CHECK:
			return "The line's check value does not match: it was damaged or edited.";
		case ORLA_KEYRING_TWICE:
			return "A key of this use and id came before.";
		case ORLA_KEYRING_TRAILING:
			return "There is something after the last line.";
	}
	return "It is malformed.";
}

/* The next line without its newline; false when there is no whole one. */
static bool
next_line(Reader *reader, Field *line)
{
	const char *newline = memchr(reader->at, '\n', (size_t) (reader->end - reader->at));

	reader->line++;
	if (newline == NULL)
		return false;
	line->data = reader->at;
	line->len = (size_t) (newline - reader->at);
	reader->at = newline + 1;
	return true;
}

/* Cuts the first field off; fields are separated by one space each. */
static bool
next_field(Field *rest, Field *field)
{
	const char *space = memchr(rest->data, ' ', rest->len);
	size_t		taken;

	field->data = rest->data;
	field->len = space == NULL ? rest->len : (size_t) (space - rest->data);
	taken = field->len + (space == NULL ? 0 : 1);
	rest->data += taken;
	rest->len -= taken;
	return field->len > 0;
}

static bool
field_is(Field field, const char *text)
{
	return field.len == strlen(text) && memcmp(field.data, text, field.len) == 0;
}

static bool
is_hex(Field field, size_t len)
{
	size_t		i;

	if (field.len != len)
		return false;
	for (i = 0; i < len; i++)
	{
		if (strchr("0123456789abcdef", field.data[i]) == NULL || field.data[i] == '\0')
			return false;
	}
	return true;
}

/* Lower case, so that there is one text for it. */
static bool
is_uuid(Field field)
{
	static const size_t groups[] = {8, 4, 4, 4, 12};
	size_t		at = 0;
	int			i;

	if (field.len != ORLA_KEYRING_UUID_LEN)
		return false;
	for (i = 0; i < 5; i++)
	{
		Field		group = {field.data + at, groups[i]};

		if (!is_hex(group, groups[i]))
			return false;
		at += groups[i];
		if (i < 4 && field.data[at++] != '-')
			return false;
	}
	return true;
}

/* Decimal, without sign or leading zeros. */
static bool
read_number(Field field, int64_t max, int64_t *number)
{
	int64_t		value = 0;
	size_t		i;

	if (field.len == 0 || field.len > 12 || (field.data[0] == '0' && field.len > 1))
		return false;
	for (i = 0; i < field.len; i++)
	{
		if (field.data[i] < '0' || field.data[i] > '9')
			return false;
		value = value * 10 + (field.data[i] - '0');
	}
	*number = value;
	return value <= max;
}

static void
line_check(const char *line, size_t n, char check[CHECK_LEN + 1])
{
	uint8_t		digest[ORLA_SHA256_LEN];
	int			i;

	orla_sha256(line, n, digest);
	for (i = 0; i < CHECK_LEN / 2; i++)
		snprintf(check + 2 * i, 3, "%02x", digest[i]);
}

static bool
read_use(Field field, OrlaKeyUse *use)
{
	int			i;

	for (i = 0; i < 3; i++)
	{
		if (field_is(field, use_names[i]))
		{
			*use = (OrlaKeyUse) i;
			return true;
		}
	}
	return false;
}

static bool
read_alg(Field field, OrlaKeyText *key)
{
	key->alg = ORLA_ALG_NONE;
	if (key->use != ORLA_KEY_SIGN)
		return field_is(field, orla_key_alg_name(key->use, ORLA_ALG_NONE));
	key->alg = orla_alg_from_name(field.data, field.len);
	return key->alg != ORLA_ALG_NONE;
}

static bool
read_material(Field field, OrlaKeyText *key, uint8_t *space)
{
	int			len = orla_base64url_decode(field.data, field.len, space,
											ORLA_KEY_MATERIAL_MAX);

	if (len < 32 || (key->use != ORLA_KEY_SIGN && len != 32))
		return false;
	key->material = space;
	key->len = (size_t) len;
	return true;
}

/* One key; space has room for the line. */
static OrlaKeyringError
read_key(Field line, OrlaKeyText *key, uint8_t *space)
{
	Field		rest = line;
	Field		field;
	char		check[CHECK_LEN + 1];
	size_t		checked;

	if (line.len <= CHECK_LEN + 1 || line.data[line.len - CHECK_LEN - 1] != ' ')
		return ORLA_KEYRING_BAD_LINE;
	checked = line.len - CHECK_LEN - 1;
	line_check(line.data, checked, check);
	if (memcmp(check, line.data + checked + 1, CHECK_LEN) != 0)
		return ORLA_KEYRING_BAD_CHECK;

	rest.len = checked;
	if (!next_field(&rest, &field) || !read_use(field, &key->use))
		return ORLA_KEYRING_BAD_LINE;
	if (!next_field(&rest, &field) || !is_hex(field, ORLA_KEY_HEX_LEN))
		return ORLA_KEYRING_BAD_LINE;
	memcpy(key->id, field.data, ORLA_KEY_HEX_LEN);
	key->id[ORLA_KEY_HEX_LEN] = '\0';
	if (!next_field(&rest, &field) || !read_alg(field, key))
		return ORLA_KEYRING_BAD_LINE;
	if (!next_field(&rest, &field) || !read_number(field, TIME_MAX, &key->created_at))
		return ORLA_KEYRING_BAD_LINE;
	if (!next_field(&rest, &field) || !read_number(field, TIME_MAX, &key->active_from))
		return ORLA_KEYRING_BAD_LINE;
	if (!next_field(&rest, &field) || !read_number(field, TIME_MAX, &key->retire_at))
		return ORLA_KEYRING_BAD_LINE;
	/* the last field: nothing, not even a space, may follow it */
	if (memchr(rest.data, ' ', rest.len) != NULL || !read_material(rest, key, space))
		return ORLA_KEYRING_BAD_LINE;
	return ORLA_KEYRING_OK;
}

static bool
is_known(const OrlaKeyringText *ring, const OrlaKeyText *key)
{
	int			i;

	for (i = 0; i < ring->nkeys; i++)
	{
		if (ring->keys[i].use == key->use && strcmp(ring->keys[i].id, key->id) == 0)
			return true;
	}
	return false;
}

static OrlaKeyringError
read_header(Reader *reader, OrlaKeyringText *ring)
{
	Field		line;
	Field		id;

	if (!next_line(reader, &line))
		return ORLA_KEYRING_NOT_A_KEYRING;
	if (line.len <= HEADER_LEN || memcmp(line.data, HEADER, HEADER_LEN) != 0)
		return ORLA_KEYRING_NOT_A_KEYRING;
	id.data = line.data + HEADER_LEN;
	id.len = line.len - HEADER_LEN;
	if (!is_uuid(id))
		return ORLA_KEYRING_BAD_LINE;
	memcpy(ring->id, id.data, ORLA_KEYRING_UUID_LEN);
	ring->id[ORLA_KEYRING_UUID_LEN] = '\0';
	return ORLA_KEYRING_OK;
}

/* Keys, up to and with the last line. */
static OrlaKeyringError
read_keys(Reader *reader, OrlaKeyringText *ring, uint8_t *space)
{
	for (;;)
	{
		OrlaKeyText *key = &ring->keys[ring->nkeys];
		OrlaKeyringError error;
		Field		line;
		Field		rest;
		int64_t		count;

		if (!next_line(reader, &line))
			return ORLA_KEYRING_TRUNCATED;
		if (line.len > 4 && memcmp(line.data, "end ", 4) == 0)
		{
			rest.data = line.data + 4;
			rest.len = line.len - 4;
			if (!read_number(rest, ORLA_KEYRING_KEYS_MAX, &count))
				return ORLA_KEYRING_BAD_LINE;
			return count == ring->nkeys ? ORLA_KEYRING_OK : ORLA_KEYRING_TRUNCATED;
		}
		if (ring->nkeys == ORLA_KEYRING_KEYS_MAX)
			return ORLA_KEYRING_TOO_LARGE;
		error = read_key(line, key, space);
		if (error != ORLA_KEYRING_OK)
			return error;
		if (is_known(ring, key))
			return ORLA_KEYRING_TWICE;
		space += key->len;
		ring->nkeys++;
	}
}

OrlaKeyringError
orla_keyring_text_parse(const char *text, size_t n, OrlaKeyringText *ring,
						uint8_t *space, int *line)
{
	Reader		reader = {text, text + n, 0};
	OrlaKeyringError error;

	ring->nkeys = 0;
	*line = 1;
	if (n == 0)
		return ORLA_KEYRING_EMPTY;
	if (n > ORLA_KEYRING_TEXT_MAX)
		return ORLA_KEYRING_TOO_LARGE;
	error = read_header(&reader, ring);
	if (error == ORLA_KEYRING_OK)
		error = read_keys(&reader, ring, space);
	if (error == ORLA_KEYRING_OK && reader.at != reader.end)
		error = ORLA_KEYRING_TRAILING;
	*line = reader.line;
	return error;
}

size_t
orla_keyring_text_size(const OrlaKeyringText *ring)
{
	size_t		size = 2 * LINE_OVERHEAD;
	int			i;

	for (i = 0; i < ring->nkeys; i++)
		size += LINE_OVERHEAD + (size_t) orla_base64url_encoded_len(ring->keys[i].len);
	return size;
}

static size_t
print_key(const OrlaKeyText *key, char *buf)
{
	char		check[CHECK_LEN + 1];
	size_t		n = (size_t) sprintf(buf, "%s %s %s %" PRId64 " %" PRId64 " %" PRId64 " ",
									 use_names[key->use], key->id,
									 orla_key_alg_name(key->use, key->alg),
									 key->created_at, key->active_from,
									 key->retire_at);

	n += orla_base64url_encode(key->material, key->len, buf + n);
	line_check(buf, n, check);
	return n + (size_t) sprintf(buf + n, " %s\n", check);
}

size_t
orla_keyring_text_print(const OrlaKeyringText *ring, char *buf)
{
	size_t		n = (size_t) sprintf(buf, HEADER "%s\n", ring->id);
	int			i;

	for (i = 0; i < ring->nkeys; i++)
		n += print_key(&ring->keys[i], buf + n);
	return n + (size_t) sprintf(buf + n, "end %d\n", ring->nkeys);
}
