/*
 * http_transfer.c
 *		One request, from what was asked for to the response.
 *
 * What a transfer holds of the library (handle, lists) is let go by a callback
 * of its memory context, however that ends.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "errors.h"
#include "http_transfer.h"
#include "settings.h"

#if LIBCURL_VERSION_NUM < 0x075000
#error "orla needs libcurl 7.80 or later"
#endif

/* Kept connections: not reused when they were idle for so many seconds. */
#define IDLE_MAX	30L

/* ---- options ------------------------------------------------------------ */

#define SET(transfer, option, value) \
	do { \
		if ((transfer)->setup == CURLE_OK) \
			(transfer)->setup = curl_easy_setopt((transfer)->easy, (option), (value)); \
	} while (0)

static void
add_line(OrlaHttpTransfer *transfer, struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer == NULL)
		transfer->setup = CURLE_OUT_OF_MEMORY;
	else
		*list = longer;
}

static void
set_limits(OrlaHttpTransfer *transfer, const OrlaHttpRequest *request)
{
	long		timeout = request->timeout_ms > 0 ? request->timeout_ms : orla_http_timeout;
	long		connect = request->connect_timeout_ms > 0 ? request->connect_timeout_ms
		: orla_http_connect_timeout;

	SET(transfer, CURLOPT_TIMEOUT_MS, timeout);
	SET(transfer, CURLOPT_CONNECTTIMEOUT_MS, Min(timeout, connect));
	SET(transfer, CURLOPT_NOSIGNAL, 1L);
	SET(transfer, CURLOPT_MAXAGE_CONN, IDLE_MAX);
	SET(transfer, CURLOPT_TCP_NODELAY, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Removing a transfer must not wait for a name server. */
	SET(transfer, CURLOPT_QUICK_EXIT, 1L);
#endif
}

/* What the environment or a file could add is switched off. */
static void
set_route(OrlaHttpTransfer *transfer)
{
	char		url[ORLA_URL_MAX + 64];

	if (!orla_url_print(&transfer->url, url, sizeof(url)))
		transfer->setup = CURLE_URL_MALFORMAT;
	SET(transfer, CURLOPT_URL, url);
	explicit_bzero(url, sizeof(url));
	SET(transfer, CURLOPT_PATH_AS_IS, 1L);
	SET(transfer, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(transfer, CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
#else
	SET(transfer, CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS |
											 CURLPROTO_SMTP | CURLPROTO_SMTPS));
#endif
	SET(transfer, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	SET(transfer, CURLOPT_PROXY, transfer->via_proxy ? orla_http_proxy : "");
	SET(transfer, CURLOPT_NOPROXY, "");
	SET(transfer, CURLOPT_HTTPPROXYTUNNEL, transfer->via_proxy ? 1L : 0L);
	SET(transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(transfer, CURLOPT_HEADEROPT, (long) CURLHEADER_SEPARATE);
}

static void
set_tls(OrlaHttpTransfer *transfer)
{
	SET(transfer, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	SET(transfer, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(transfer, CURLOPT_SSL_VERIFYHOST, 2L);
	/* With a folder of certificates the library would read all at each connection. */
	SET(transfer, CURLOPT_CAPATH, NULL);
	if (orla_ca_file[0] != '\0')
	{
		SET(transfer, CURLOPT_CAINFO, orla_ca_file);
		SET(transfer, CURLOPT_PROXY_CAINFO, orla_ca_file);
	}
	SET(transfer, CURLOPT_PROXY_CAPATH, NULL);
#if LIBCURL_VERSION_NUM >= 0x075700
	SET(transfer, CURLOPT_CA_CACHE_TIMEOUT, 600L);
#endif
	if (transfer->starttls)
		SET(transfer, CURLOPT_USE_SSL, (long) CURLUSESSL_ALL);
}

static void
set_callbacks(OrlaHttpTransfer *transfer)
{
	SET(transfer, CURLOPT_PRIVATE, transfer);
	SET(transfer, CURLOPT_ERRORBUFFER, transfer->error);
	SET(transfer, CURLOPT_OPENSOCKETFUNCTION, orla_http_open_socket);
	SET(transfer, CURLOPT_OPENSOCKETDATA, transfer);
	SET(transfer, CURLOPT_CLOSESOCKETFUNCTION, orla_http_close_socket);
	SET(transfer, CURLOPT_CLOSESOCKETDATA, NULL);
	SET(transfer, CURLOPT_PREREQFUNCTION, orla_http_before_sending);
	SET(transfer, CURLOPT_PREREQDATA, transfer);
	SET(transfer, CURLOPT_HEADERFUNCTION, orla_http_take_head);
	SET(transfer, CURLOPT_HEADERDATA, transfer);
	SET(transfer, CURLOPT_WRITEFUNCTION, orla_http_take_body);
	SET(transfer, CURLOPT_WRITEDATA, transfer);
}

static void
set_method(OrlaHttpTransfer *transfer, const char *method)
{
	SET(transfer, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
	SET(transfer, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	SET(transfer, CURLOPT_USERAGENT, "orla");
	if (strcmp(method, "HEAD") == 0)
		SET(transfer, CURLOPT_NOBODY, 1L);
	else
		SET(transfer, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t) transfer->max_bytes);
	if (!transfer->repeatable)
	{
		SET(transfer, CURLOPT_POST, 1L);
		SET(transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) transfer->body_len);
		SET(transfer, CURLOPT_POSTFIELDS, transfer->body);
		SET(transfer, CURLOPT_CUSTOMREQUEST, method);
	}
}

/* The library copies the lines, and wipes what it frees. */
static void
set_headers(OrlaHttpTransfer *transfer, char **lines, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		add_line(transfer, &transfer->headers, lines[i]);
	SET(transfer, CURLOPT_HTTPHEADER, transfer->headers);
}

static void
set_mail(OrlaHttpTransfer *transfer, const OrlaHttpRequest *request)
{
	long		patience = (request->timeout_ms > 0 ? request->timeout_ms : orla_http_timeout) / 1000;
	int			i;

	for (i = 0; i < request->n_mail_to; i++)
		add_line(transfer, &transfer->recipients, request->mail_to[i]);
	SET(transfer, CURLOPT_MAIL_FROM, request->mail_from);
	SET(transfer, CURLOPT_MAIL_RCPT, transfer->recipients);
	SET(transfer, CURLOPT_UPLOAD, 1L);
	SET(transfer, CURLOPT_INFILESIZE_LARGE, (curl_off_t) transfer->body_len);
	SET(transfer, CURLOPT_READFUNCTION, orla_http_give_body);
	SET(transfer, CURLOPT_READDATA, transfer);
	SET(transfer, CURLOPT_SERVER_RESPONSE_TIMEOUT, Max(1L, patience));
	SET(transfer, CURLOPT_FORBID_REUSE, 1L);
	SET(transfer, CURLOPT_FRESH_CONNECT, 1L);
	/* One address after the other: the last socket is the connection's. */
	SET(transfer, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, (long) ORLA_HTTP_TIMEOUT_MAX);
	if (request->user != NULL)
	{
		SET(transfer, CURLOPT_USERNAME, request->user);
		SET(transfer, CURLOPT_PASSWORD, request->password ? request->password : "");
	}
}

/* To be wiped, since one of them has the token. */
static char **
header_lines(const OrlaHttpRequest *request, bool has_body, int *n)
{
	char	  **lines = palloc((request->n_headers + 3) * sizeof(char *));
	bool		has_type = false;
	int			i;

	*n = 0;
	for (i = 0; i < request->n_headers; i++)
	{
		const OrlaHttpHeader *header = &request->headers[i];

		has_type |= pg_strcasecmp(header->name, "content-type") == 0;
		lines[(*n)++] = header->value[0] == '\0' ? psprintf("%s;", header->name)
			: psprintf("%s: %s", header->name, header->value);
	}
	if (request->bearer != NULL)
		lines[(*n)++] = psprintf("Authorization: Bearer %.*s", (int) request->bearer_len,
								 request->bearer);
	/* No type that nobody named, no pause before the body. */
	if (!has_type)
		lines[(*n)++] = pstrdup("Content-Type:");
	lines[(*n)++] = pstrdup("Expect:");
	return lines;
}

static void
wipe_lines(char **lines, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		explicit_bzero(lines[i], strlen(lines[i]));
		pfree(lines[i]);
	}
	pfree(lines);
}

/* ---- life --------------------------------------------------------------- */

void
orla_http_transfer_let_go(OrlaHttpTransfer *transfer)
{
	sigset_t	saved;

	orla_http_block_signals(&saved);
	if (transfer->multi != NULL)
		(void) curl_multi_remove_handle(transfer->multi, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	curl_slist_free_all(transfer->recipients);
	orla_http_unblock_signals(&saved);
	transfer->multi = NULL;
	transfer->easy = NULL;
	transfer->headers = transfer->recipients = NULL;
	if (transfer->body != NULL)
		explicit_bzero(transfer->body, transfer->body_len);
}

/* The context's reset callback. */
static void
release(void *arg)
{
	OrlaHttpTransfer *transfer = arg;

	orla_http_transfer_let_go(transfer);
	if (transfer->listed)
		dlist_delete(&transfer->node);
	transfer->listed = false;
	if (transfer->head.data != NULL)
		explicit_bzero(transfer->head.data, transfer->head.len);
	if (transfer->answer.data != NULL)
		explicit_bzero(transfer->answer.data, transfer->answer.len);
}

static OrlaHttpTransfer *
make_empty(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "orla http transfer",
												  ALLOCSET_SMALL_SIZES);
	OrlaHttpTransfer *transfer = MemoryContextAllocZero(context, sizeof(OrlaHttpTransfer));
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));

	transfer->context = transfer->response.context = context;
	callback->func = release;
	callback->arg = transfer;
	MemoryContextRegisterResetCallback(context, callback);
	return transfer;
}

static void
set_up(OrlaHttpTransfer *transfer, const OrlaHttpRequest *request, const char *method,
	   char **lines, int n)
{
	sigset_t	saved;

	orla_http_block_signals(&saved);
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL)
		transfer->setup = CURLE_OUT_OF_MEMORY;
	set_callbacks(transfer);
	set_limits(transfer, request);
	set_route(transfer);
	set_tls(transfer);
	if (transfer->is_mail)
		set_mail(transfer, request);
	else
	{
		set_method(transfer, method);
		set_headers(transfer, lines, n);
	}
	orla_http_unblock_signals(&saved);
}

OrlaHttpTransfer *
orla_http_transfer_create(MemoryContext parent, const OrlaHttpRequest *request)
{
	OrlaHttpTransfer *transfer = make_empty(parent);
	const char *method = request->method != NULL ? request->method
		: request->body != NULL ? "POST" : "GET";
	char	  **lines;
	int			n;

	transfer->allow_loopback = orla_allow_loopback_http;
	transfer->keeps_partial = request->keeps_partial;
	transfer->max_bytes = request->max_bytes == 0 ? ORLA_HTTP_MAX_BYTES
		: Min(request->max_bytes, ORLA_HTTP_MAX_BYTES_MAX);
	transfer->body = MemoryContextAllocHuge(transfer->context, request->body_len + 1);
	transfer->body_len = request->body_len;
	if (request->body_len > 0)
		memcpy(transfer->body, request->body, request->body_len);

	orla_http_check(transfer, request, method);
	if (transfer->response.failure != ORLA_HTTP_NONE)
		return transfer;

	lines = header_lines(request, transfer->body_len > 0, &n);
	set_up(transfer, request, method, lines, n);
	wipe_lines(lines, n);
	if (transfer->setup != CURLE_OK)
	{
		MemoryContextDelete(transfer->context);
		ereport(ERROR,
				(errcode(ERRCODE_ORLA_UNAVAILABLE),
				 errmsg("could not set up a request")));
	}
	return transfer;
}
