/*
 * http_outcome.c
 *		How a request went: the response, or why there is none.
 *
 * Messages are ours, since the library's may quote what was sent.  The one
 * exception is what it says of certificates.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "http_transfer.h"

/* In the transfer's context. */
static char *
told(OrlaHttpTransfer *transfer, const char *format, const char *what)
{
	MemoryContext caller = MemoryContextSwitchTo(transfer->context);
	char	   *text = psprintf(format, what);

	MemoryContextSwitchTo(caller);
	return text;
}

static void
fail(OrlaHttpTransfer *transfer, OrlaHttpFailure failure, const char *format, const char *what)
{
	transfer->response.failure = failure;
	transfer->response.message = told(transfer, format, what);
}

static bool
is_about_tls(CURLcode outcome)
{
	switch (outcome)
	{
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_USE_SSL_FAILED:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
			return true;
		default:
			return false;
	}
}

/* Printable, without a last full stop. */
static void
tidy(char *text)
{
	size_t		n = strlen(text);
	size_t		i;

	for (i = 0; i < n; i++)
	{
		if (text[i] < ' ' || text[i] >= 0x7f)
			text[i] = ' ';
	}
	while (n > 0 && (text[n - 1] == '.' || text[n - 1] == ' '))
		text[--n] = '\0';
}

static void
fail_tls(OrlaHttpTransfer *transfer)
{
	if (transfer->outcome == CURLE_SSL_CACERT_BADFILE)
		fail(transfer, ORLA_HTTP_TLS, "%s cannot be read", "the file of certificates");
	else if (transfer->outcome == CURLE_USE_SSL_FAILED)
		fail(transfer, ORLA_HTTP_TLS, "host %s does not offer TLS", transfer->url.host);
	else
	{
		tidy(transfer->error);
		fail(transfer, ORLA_HTTP_TLS, "no trusted connection: %s",
			 transfer->error[0] ? transfer->error : "TLS failed");
	}
}

/* Nothing was sent. */
static void
fail_connect(OrlaHttpTransfer *transfer)
{
	const char *host = transfer->url.host;

	switch (transfer->outcome)
	{
		case CURLE_COULDNT_RESOLVE_HOST:
			fail(transfer, ORLA_HTTP_CONNECT, "could not resolve host %s", host);
			break;
		case CURLE_COULDNT_RESOLVE_PROXY:
			fail(transfer, ORLA_HTTP_CONNECT, "could not resolve %s", "the proxy's host");
			break;
		default:
			fail(transfer, ORLA_HTTP_CONNECT, transfer->via_proxy
				 ? "could not connect to host %s by way of the proxy"
				 : "could not connect to host %s", host);
			break;
	}
}

static void
fail_protocol(OrlaHttpTransfer *transfer)
{
	const char *host = transfer->url.host;

	switch (transfer->outcome)
	{
		case CURLE_PARTIAL_FILE:
			fail(transfer, ORLA_HTTP_PROTOCOL, "answer of host %s is cut off", host);
			break;
		case CURLE_BAD_CONTENT_ENCODING:
			fail(transfer, ORLA_HTTP_PROTOCOL, "answer of host %s is badly compressed", host);
			break;
		case CURLE_OK:
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_WEIRD_SERVER_REPLY:
			fail(transfer, ORLA_HTTP_PROTOCOL, "answer of host %s makes no sense", host);
			break;
		default:
			fail(transfer, ORLA_HTTP_PROTOCOL, "host %s closed the connection before its answer was complete", host);
			break;
	}
}

static void
judge_failure(OrlaHttpTransfer *transfer)
{
	const char *host = transfer->url.host;

	if (transfer->no_memory || transfer->outcome == CURLE_OUT_OF_MEMORY)
		fail(transfer, ORLA_HTTP_TOO_LARGE, "no memory for the answer of host %s", host);
	else if (transfer->too_large || transfer->outcome == CURLE_FILESIZE_EXCEEDED)
		fail(transfer, ORLA_HTTP_TOO_LARGE, "answer of host %s is too large", host);
	else if (transfer->outcome == CURLE_OPERATION_TIMEDOUT)
		fail(transfer, ORLA_HTTP_TIMEOUT, transfer->sent ? "host %s did not answer in time"
			 : "could not connect to host %s in time", host);
	else if (transfer->address_refused && !transfer->sent)
		fail(transfer, ORLA_HTTP_REFUSED, "host %s has an address that is not allowed", host);
	else if (is_about_tls(transfer->outcome))
		fail_tls(transfer);
	else if (!transfer->sent)
		fail_connect(transfer);
	else
		fail_protocol(transfer);
}

/* A mail server's refusal is an answer. */
static bool
is_answered(const OrlaHttpTransfer *transfer)
{
	int			status = transfer->response.status;

	if (!transfer->is_mail)
		return transfer->outcome == CURLE_OK && status >= 200;
	if (transfer->outcome == CURLE_OK)
		return status >= 200 && status < 400;
	return status >= 400 && transfer->outcome != CURLE_OPERATION_TIMEDOUT &&
		!is_about_tls(transfer->outcome);
}

static void
list_headers(OrlaHttpTransfer *transfer)
{
	OrlaHttpHeader *headers;
	const char *at = transfer->head.data;
	const char *end = at == NULL ? NULL : at + transfer->head.len;
	int			n = 0;
	size_t		i;

	for (i = 0; i < transfer->head.len; i++)
		n += at[i] == '\0';
	headers = MemoryContextAlloc(transfer->context, (n / 2 + 1) * sizeof(OrlaHttpHeader));
	for (n = 0; at < end; n++)
	{
		headers[n].name = at;
		headers[n].value = at + strlen(at) + 1;
		at = headers[n].value + strlen(headers[n].value) + 1;
	}
	transfer->response.headers = headers;
	transfer->response.n_headers = n;
}

size_t
orla_http_received(const OrlaHttpTransfer *transfer)
{
	return transfer->answer.len > VARHDRSZ ? transfer->answer.len - VARHDRSZ : 0;
}

const char *
orla_http_begun(const OrlaHttpTransfer *transfer, size_t *len)
{
	*len = Min(orla_http_received(transfer), ORLA_HTTP_PARTIAL_MAX);
	return *len == 0 ? "" : transfer->answer.data + VARHDRSZ;
}

/* A copy, since the answer itself is wiped. */
static void
keep_partial(OrlaHttpTransfer *transfer)
{
	OrlaHttpResponse *response = &transfer->response;
	size_t		len;
	const char *begun = orla_http_begun(transfer, &len);
	char	   *copy;

	if (!transfer->keeps_partial || len == 0)
		return;
	copy = MemoryContextAlloc(transfer->context, len);
	memcpy(copy, begun, len);
	response->partial = copy;
	response->partial_len = len;
}

static void
settle_body(OrlaHttpTransfer *transfer)
{
	OrlaHttpBytes *answer = &transfer->answer;
	OrlaHttpResponse *response = &transfer->response;

	if (answer->data == NULL)
	{
		answer->data = MemoryContextAlloc(transfer->context, VARHDRSZ);
		answer->len = VARHDRSZ;
	}
	else if (response->failure != ORLA_HTTP_NONE)
	{
		keep_partial(transfer);
		explicit_bzero(answer->data, answer->len);
		answer->len = VARHDRSZ;
	}
	SET_VARSIZE(answer->data, answer->len);
	response->body_bytea = (struct varlena *) answer->data;
	response->body = VARDATA(answer->data);
	response->body_len = answer->len - VARHDRSZ;
}

static int
read_status(OrlaHttpTransfer *transfer)
{
	long		status = 0;
	sigset_t	saved;

	orla_http_block_signals(&saved);
	(void) curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	orla_http_unblock_signals(&saved);
	return (int) status;
}

void
orla_http_transfer_conclude(OrlaHttpTransfer *transfer)
{
	OrlaHttpResponse *response = &transfer->response;

	if (response->failure == ORLA_HTTP_NONE)
	{
		response->status = transfer->is_mail ? transfer->reply_code : read_status(transfer);
		response->sent = transfer->is_mail ? transfer->body_read : transfer->sent;
		if (!is_answered(transfer))
			judge_failure(transfer);
		else if (transfer->outcome != CURLE_OK)
			response->message = told(transfer, "mail server answered %s", transfer->reply);
	}
	orla_http_transfer_let_go(transfer);
	list_headers(transfer);
	settle_body(transfer);
}

/* ---- responses ---------------------------------------------------------- */

void
orla_http_response_free(OrlaHttpResponse *response)
{
	MemoryContextDelete(response->context);
}

const char *
orla_http_header(const OrlaHttpResponse *response, const char *name)
{
	int			i;

	for (i = 0; i < response->n_headers; i++)
	{
		if (strcmp(response->headers[i].name, name) == 0)
			return response->headers[i].value;
	}
	return NULL;
}

const char *
orla_http_failure_name(OrlaHttpFailure failure)
{
	static const char *const names[] = {
		[ORLA_HTTP_NONE] = NULL,
		[ORLA_HTTP_TIMEOUT] = "timeout",
		[ORLA_HTTP_REFUSED] = "refused",
		[ORLA_HTTP_TLS] = "tls",
		[ORLA_HTTP_CONNECT] = "connect",
		[ORLA_HTTP_TOO_LARGE] = "too_large",
		[ORLA_HTTP_PROTOCOL] = "protocol",
		[ORLA_HTTP_DROPPED] = "dropped"
	};

	return names[failure];
}
