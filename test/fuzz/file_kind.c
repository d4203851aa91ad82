/*
 * file_kind.c
 *		A media type, a NUL and bytes: some kind, the same without white space in
 *		front.
 */
#include "file_kind.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size == 0 ? NULL : memchr(data, '\0', size);
	size_t		type_len = nul == NULL ? 0 : nul - data;
	size_t		n = nul == NULL ? size : size - type_len - 1;
	char	   *type = as_text(data, type_len);
	uint8_t    *bytes = room(n);
	OrlaFileKind kind;

	if (n > 0)
		memcpy(bytes, data + size - n, n);
	kind = orla_file_kind(bytes, n, type);
	MUST((kind == ORLA_FILE_EMPTY) == (n == 0));
	if (n >= 5 && memcmp(bytes, "%PDF-", 5) == 0)
		MUST(kind == ORLA_FILE_PDF);
	if (n > 0 && orla_markup_type(bytes, n) != NULL)
		MUST(kind == ORLA_FILE_MARKUP || kind == ORLA_FILE_OTHER || kind == ORLA_FILE_PDF);
	free(bytes);
	free(type);
	return 0;
}
