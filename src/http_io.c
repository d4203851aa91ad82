/*
 * http_io.c
 *		What libcurl calls while a request is on its way: sockets, bytes.
 *
 * These run between frames of a library that knows nothing of longjmp, with
 * signals blocked.  So nothing here raises: what goes wrong is recorded in the
 * transfer and told when it has ended.
 */
#include "postgres.h"

#include <ctype.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage/fd.h"
#include "utils/memutils.h"

#include "http_transfer.h"

/* All headers of an answer together, and how many: each is compared with all. */
#define HEAD_MAX	(256 * 1024)
#define FIELDS_MAX	1000

/* ---- sockets ------------------------------------------------------------ */

/* Asked for the address that is connected to, whatever a name stood for. */
static bool
may_connect(const OrlaHttpTransfer *transfer, OrlaAddressClass class)
{
	switch (class)
	{
		case ORLA_ADDRESS_PUBLIC:
			return !transfer->loopback_only;
		case ORLA_ADDRESS_LOOPBACK:
			return transfer->allow_loopback || transfer->own_network;
		case ORLA_ADDRESS_PRIVATE:
			return transfer->own_network || (transfer->is_mail && !transfer->loopback_only);
		case ORLA_ADDRESS_SPECIAL:
			break;
	}
	return false;
}

curl_socket_t
orla_http_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	OrlaHttpTransfer *transfer = arg;
	curl_socket_t fd;

	if (purpose != CURLSOCKTYPE_IPCXN ||
		(!transfer->via_proxy && !may_connect(transfer, orla_address_class(&address->addr))))
	{
		transfer->address_refused = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	ReserveExternalFD();
	transfer->socket = fd;
	return fd;
}

/* The transfer may be long gone: the connection was kept for others. */
int
orla_http_close_socket(void *arg, curl_socket_t socket)
{
	ReleaseExternalFD();
	return close(socket);
}

/*
 * The connection is there and the request is about to go out: again the
 * address, for a connection from before a setting was changed, and never twice
 * what must not be done twice.  (The library sends a request again when a
 * kept connection turns out to be closed.)
 */
int
orla_http_before_sending(void *arg, char *address, char *own_address, int port, int own_port)
{
	OrlaHttpTransfer *transfer = arg;

	if (transfer->sent && !transfer->repeatable)
		return CURL_PREREQFUNC_ABORT;
	if (!transfer->via_proxy && !may_connect(transfer, orla_address_class_of(address)))
	{
		transfer->address_refused = true;
		return CURL_PREREQFUNC_ABORT;
	}
	transfer->sent = true;
	return CURL_PREREQFUNC_OK;
}

/* ---- bytes -------------------------------------------------------------- */

/* What is left behind is wiped, since answers hold tokens. */
static bool
append(OrlaHttpTransfer *transfer, OrlaHttpBytes *bytes, const char *data, size_t len, size_t hint)
{
	if (len > bytes->cap - bytes->len)
	{
		size_t		cap = Max(Max(bytes->cap * 2, bytes->len + len), hint);
		char	   *grown = MemoryContextAllocExtended(transfer->context, cap,
													   MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);

		if (grown == NULL)
		{
			transfer->no_memory = true;
			return false;
		}
		if (bytes->data != NULL)
		{
			memcpy(grown, bytes->data, bytes->len);
			explicit_bzero(bytes->data, bytes->len);
			pfree(bytes->data);
		}
		bytes->data = grown;
		bytes->cap = cap;
	}
	memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
	return true;
}

/* Room for the whole answer, where the other side says how long it is. */
static size_t
expected_size(const OrlaHttpTransfer *transfer)
{
	curl_off_t	length = 0;

	(void) curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (length <= 0 || length > transfer->max_bytes)
		length = Min(transfer->max_bytes, 8192);
	return VARHDRSZ + length;
}

/* Decoded bytes: what was compressed counts at its full size. */
size_t
orla_http_take_body(char *data, size_t size, size_t n, void *arg)
{
	OrlaHttpTransfer *transfer = arg;
	OrlaHttpBytes *answer = &transfer->answer;
	size_t		len = size * n;

	if (answer->data == NULL &&
		!append(transfer, answer, "\0\0\0", VARHDRSZ, expected_size(transfer)))
		return 0;
	if (len > transfer->max_bytes - (answer->len - VARHDRSZ))
	{
		transfer->too_large = true;
		return 0;
	}
	return append(transfer, answer, data, len, 0) ? len : 0;
}

size_t
orla_http_give_body(char *room, size_t size, size_t n, void *arg)
{
	OrlaHttpTransfer *transfer = arg;
	size_t		len = Min(size * n, transfer->body_len - transfer->body_sent);

	if (len > 0)
		memcpy(room, transfer->body + transfer->body_sent, len);
	transfer->body_sent += len;
	transfer->body_read = transfer->body_sent == transfer->body_len;
	return len;
}

/*
 * Does a mail server's reply end the matter?  Not a refused EHLO, after which
 * HELO is tried, nor a refused way of signing in, after which the next one is.
 */
static bool
is_decisive(const OrlaHttpTransfer *transfer, int code)
{
	if (transfer->body_read)
		return true;
	if (code < 400 || transfer->replies == 2)
		return false;
	return transfer->signed_in || code < 500 || code > 504 ||
		(transfer->replies == 3 && transfer->starttls);
}

/*
 * A line of a mail server's reply.  What the library takes for its end counts:
 * a code and a space, or nothing more.  Only the codes are kept, such as "550
 * 5.1.1": a server may repeat what it was sent.  After the reply that decides,
 * nothing more is to be read: the library says QUIT and would wait for an
 * answer, and everybody with it.  Where that answer comes all the same, it does
 * not count.
 */
static void
take_reply(OrlaHttpTransfer *transfer, const char *line, size_t len)
{
	size_t		i;

	if (transfer->decided || len < 4 || line[0] < '2' || line[0] > '5' || !isdigit((unsigned char) line[1]) ||
		!isdigit((unsigned char) line[2]) || (line[3] != ' ' && len != 5))
		return;
	for (i = 0; i < len && i < sizeof(transfer->reply) - 1; i++)
	{
		if (i != 3 && !isdigit((unsigned char) line[i]) && line[i] != '.')
			break;
		transfer->reply[i] = line[i];
	}
	if (i < 9 || line[5] != '.')
		i = 3;
	transfer->reply[i] = '\0';
	transfer->replies++;
	transfer->reply_code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
	if (transfer->reply_code == 235)
		transfer->signed_in = true;
	transfer->decided = is_decisive(transfer, transfer->reply_code);
	if (transfer->decided)
		(void) shutdown(transfer->socket, SHUT_RD);
}

/* Name and value of a header line, or nothing. */
static bool
take_field(OrlaHttpTransfer *transfer, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const char *value = colon == NULL ? NULL : colon + 1;
	const char *end = line + len;
	size_t		start = transfer->head.len;
	size_t		i;

	if (colon == NULL || colon == line)
		return true;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (unsigned char) end[-1] <= ' ')
		end--;
	if (!append(transfer, &transfer->head, line, colon - line, 1024) ||
		!append(transfer, &transfer->head, "", 1, 0) ||
		!append(transfer, &transfer->head, value, end - value, 0) ||
		!append(transfer, &transfer->head, "", 1, 0))
		return false;
	for (i = start; i < start + (colon - line); i++)
	{
		unsigned char c = (unsigned char) transfer->head.data[i];

		if (c <= ' ' || c >= 0x7f)	/* no name: as if it was not there */
		{
			transfer->head.len = start;
			return true;
		}
		transfer->head.data[i] = pg_ascii_tolower(c);
	}
	for (i++; i < transfer->head.len - 1; i++)
	{
		unsigned char c = (unsigned char) transfer->head.data[i];

		if (c < ' ' || c == 0x7f)
			transfer->head.data[i] = ' ';
	}
	return true;
}

size_t
orla_http_take_head(char *line, size_t size, size_t n, void *arg)
{
	OrlaHttpTransfer *transfer = arg;
	size_t		len = size * n;

	if (transfer->is_mail)
		take_reply(transfer, line, len);
	else if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		transfer->head.len = transfer->fields = 0;	/* the one before was an interim one */
	else if (transfer->answer.data != NULL)
		return len;				/* trailers */
	else if (transfer->head.len + len > HEAD_MAX || ++transfer->fields > FIELDS_MAX)
	{
		transfer->too_large = true;
		return 0;
	}
	else if (!take_field(transfer, line, len))
		return 0;
	return len;
}
