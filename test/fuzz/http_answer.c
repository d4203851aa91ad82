/*
 * http_answer.c
 *		What another server answers: header lines and a body, or the replies of a
 *		mail server.
 *
 * The module is built in here, without the server and the library: memory is
 * malloc's, and the library has taken what the first bytes say.  They are flags
 * (mail, STARTTLS, signed in, the mail is read), an outcome and a status; lines
 * follow, up to an empty one, and the body.
 */
#include "postgres.h"

#include <curl/curl.h>

#undef curl_easy_getinfo
#define curl_easy_getinfo(easy, what, to)	tell((what), (to))

static CURLcode tell(CURLINFO what, void *to);

#include "http_io.c"
#include "http_outcome.c"

/* The server's header renames them. */
#undef fprintf
#undef snprintf
#undef vsnprintf

#include "fuzz.h"

#define PIECES_MAX	4096
#define BODY_MAX	256

MemoryContext CurrentMemoryContext = NULL;

static void *pieces[PIECES_MAX];
static int	n_pieces;
static long status;

static CURLcode
tell(CURLINFO what, void *to)
{
	if (what == CURLINFO_RESPONSE_CODE)
		*(long *) to = status;
	else
		*(curl_off_t *) to = status * 7 - 1400;
	return CURLE_OK;
}

/* ---- what the server has ---------------------------------------------------- */

void *
MemoryContextAlloc(MemoryContext context, Size n)
{
	MUST(n_pieces < PIECES_MAX);
	return pieces[n_pieces++] = room(n);
}

void *
MemoryContextAllocExtended(MemoryContext context, Size n, int flags)
{
	return MemoryContextAlloc(context, n);
}

void
pfree(void *piece)
{
	int			i;

	for (i = n_pieces - 1; pieces[i] != piece; i--)
		MUST(i > 0);
	pieces[i] = pieces[--n_pieces];
	free(piece);
}

void
MemoryContextDelete(MemoryContext context)
{
	while (n_pieces > 0)
		free(pieces[--n_pieces]);
}

char *
psprintf(const char *format,...)
{
	char	   *text = MemoryContextAlloc(NULL, 1024);
	va_list		args;

	va_start(args, format);
	MUST(vsnprintf(text, 1024, format, args) < 1024);
	va_end(args);
	return text;
}

unsigned char
pg_ascii_tolower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

void
ReserveExternalFD(void)
{
}

void
ReleaseExternalFD(void)
{
}

void
orla_http_block_signals(sigset_t *saved)
{
}

void
orla_http_unblock_signals(const sigset_t *saved)
{
}

void
orla_http_transfer_let_go(OrlaHttpTransfer *transfer)
{
}

/* ---- the answer --------------------------------------------------------------- */

static void
check_response(const OrlaHttpTransfer *transfer)
{
	const OrlaHttpResponse *response = &transfer->response;
	int			i;

	for (i = 0; i < response->n_headers; i++)
	{
		const char *name = response->headers[i].name;
		const char *value = response->headers[i].value;

		MUST(lies_in(name, strlen(name) + 1, transfer->head.data, transfer->head.len));
		MUST(lies_in(value, strlen(value) + 1, transfer->head.data, transfer->head.len));
		MUST(*name != '\0');
		for (; *name != '\0'; name++)
			MUST(*name > ' ' && *name < 0x7f && *name != ':' && !(*name >= 'A' && *name <= 'Z'));
		for (; *value != '\0'; value++)
			MUST((unsigned char) *value >= ' ' && *value != 0x7f);
	}
	MUST(response->n_headers <= FIELDS_MAX);
	MUST(response->body_len <= BODY_MAX);
	MUST(VARSIZE(response->body_bytea) == response->body_len + VARHDRSZ);
	MUST(response->failure == ORLA_HTTP_NONE || (response->message != NULL && response->body_len == 0));
	if (transfer->is_mail)
	{
		MUST(transfer->reply_code == 0 || (transfer->reply_code >= 200 && transfer->reply_code < 600));
		MUST(strspn(transfer->reply, "0123456789. ") == strlen(transfer->reply));
	}
}

/* False when no more is wanted. */
static bool
give_lines(OrlaHttpTransfer *transfer, char *data, size_t size, size_t *at)
{
	while (*at < size)
	{
		char	   *end = memchr(data + *at, '\n', size - *at);
		size_t		len = end == NULL ? size - *at : end + 1 - (data + *at);
		char	   *line = room(len);
		size_t		taken;

		memcpy(line, data + *at, len);
		taken = orla_http_take_head(line, 1, len, transfer);
		*at += len;
		free(line);
		if (taken != len)
			return false;
		if (len == 1 || (len == 2 && data[*at - 2] == '\r'))
			return true;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OrlaHttpTransfer transfer = {.socket = -1, .max_bytes = BODY_MAX};
	size_t		at = 3;
	bool		wanted;

	if (size < at)
		return 0;
	transfer.is_mail = data[0] & 1;
	transfer.starttls = data[0] & 2;
	transfer.signed_in = data[0] & 4;
	transfer.body_read = data[0] & 8;
	transfer.sent = data[0] & 16;
	transfer.outcome = data[1] % CURL_LAST;
	status = data[2] * 4L;
	wanted = give_lines(&transfer, (char *) data, size, &at);
	while (wanted && !transfer.is_mail && at < size)
	{
		size_t		len = Min(size - at, 61);

		wanted = orla_http_take_body((char *) data + at, 1, len, &transfer) == len;
		at += len;
	}
	if (!wanted)
		transfer.outcome = CURLE_WRITE_ERROR;
	orla_http_transfer_conclude(&transfer);
	check_response(&transfer);
	orla_http_response_free(&transfer.response);
	return 0;
}
