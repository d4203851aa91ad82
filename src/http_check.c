/*
 * http_check.c
 *		What is refused before libcurl hears of it.
 *
 * The address that a name leads to is not known yet: see http_io.c.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "http_transfer.h"
#include "settings.h"

/* Mail servers' ports; to this machine any. */
static const int mail_ports[] = {25, 465, 587, 2525};

static void
refuse(OrlaHttpTransfer *transfer, const char *message)
{
	if (transfer->response.failure != ORLA_HTTP_NONE)
		return;
	transfer->response.failure = ORLA_HTTP_REFUSED;
	transfer->response.message = message;
}

static bool
has_usual_port(const OrlaUrl *url)
{
	int			i;

	if (url->scheme == ORLA_HTTPS)
		return url->port == 443;
	for (i = 0; i < lengthof(mail_ports); i++)
	{
		if (url->port == mail_ports[i])
			return true;
	}
	return false;
}

static void
check_url(OrlaHttpTransfer *transfer, const OrlaHttpRequest *request)
{
	OrlaUrl    *url = &transfer->url;
	const char *problem = request->url == NULL ? "there is no url" : orla_url_parse(request->url, url);
	int			i;

	if (problem != NULL)
	{
		refuse(transfer, problem);
		return;
	}
	transfer->is_mail = url->scheme == ORLA_SMTP || url->scheme == ORLA_SMTPS;
	transfer->loopback_only = url->scheme == ORLA_HTTP || !has_usual_port(url) ||
		(url->scheme == ORLA_SMTP && request->plain);
	transfer->starttls = url->scheme == ORLA_SMTP && !request->plain;
	transfer->signed_in = request->user == NULL;
	transfer->own_network = request->own_network && !transfer->is_mail &&
		orla_host_is_listed(url, orla_private_hosts);
	for (i = 0; i < request->n_hosts; i++)
	{
		if (orla_host_matches(url, request->hosts[i]))
			break;
	}
	if (i == request->n_hosts)
		refuse(transfer, MemoryContextStrdup(transfer->context,
											 psprintf("host %s is not on the list", url->host)));
	else if (transfer->loopback_only && !transfer->allow_loopback && !transfer->own_network)
		refuse(transfer, url->scheme == ORLA_HTTP ? "url is not https" :
			   url->scheme == ORLA_SMTP && request->plain ? "mail without TLS" :
			   "url has a port that is not allowed");
}

/* An address in the url itself is not left to a proxy. */
static void
check_address(OrlaHttpTransfer *transfer)
{
	OrlaAddressClass class = orla_address_class_of(transfer->url.host);

	if (transfer->via_proxy && transfer->url.is_address && class != ORLA_ADDRESS_PUBLIC)
		refuse(transfer, "address is not public");
}

static void
check_headers(OrlaHttpTransfer *transfer, const OrlaHttpRequest *request)
{
	int			i;

	for (i = 0; i < request->n_headers; i++)
	{
		if (!orla_http_header_name_is_good(request->headers[i].name))
			refuse(transfer, "header has a name that is not allowed");
		if (!orla_http_header_value_is_good(request->headers[i].value))
			refuse(transfer, "header has a value that is not allowed");
		if (request->bearer != NULL && pg_strcasecmp(request->headers[i].name, "authorization") == 0)
			refuse(transfer, "request has two authorizations");
	}
	if (request->bearer != NULL && !orla_http_bearer_is_good(request->bearer, request->bearer_len))
		refuse(transfer, "token has a character that a header cannot carry");
}

static void
check_mail(OrlaHttpTransfer *transfer, const OrlaHttpRequest *request)
{
	int			i;

	if (request->mail_from == NULL || !orla_mail_address_is_good(request->mail_from))
		refuse(transfer, "sender's address is not one");
	for (i = 0; i < request->n_mail_to; i++)
	{
		if (!orla_mail_address_is_good(request->mail_to[i]))
			refuse(transfer, "recipient's address is not one");
	}
	if (request->n_mail_to == 0)
		refuse(transfer, "mail has no recipient");
	if (request->body_len == 0)
		refuse(transfer, "mail is empty");
	if (request->user != NULL && request->plain)
		refuse(transfer, "password without TLS");
}

static bool
is_one_of(const char *method, const char *const *methods)
{
	while (*methods != NULL && strcmp(*methods, method) != 0)
		methods++;
	return *methods != NULL;
}

static void
check_method(OrlaHttpTransfer *transfer, const char *method)
{
	static const char *const repeatable[] = {"GET", "HEAD", NULL};
	static const char *const others[] = {"POST", "PUT", "PATCH", "DELETE", NULL};

	transfer->repeatable = is_one_of(method, repeatable);
	if (!transfer->repeatable && !is_one_of(method, others))
		refuse(transfer, "method is not allowed");
	if (transfer->repeatable && transfer->body_len > 0)
		refuse(transfer, "method has no body");
}

void
orla_http_check(OrlaHttpTransfer *transfer, const OrlaHttpRequest *request, const char *method)
{
	check_url(transfer, request);
	transfer->via_proxy = orla_http_proxy[0] != '\0' && !transfer->loopback_only &&
		!transfer->own_network && !transfer->is_mail;
	check_address(transfer);
	if (transfer->is_mail)
		check_mail(transfer, request);
	else
	{
		check_method(transfer, method);
		check_headers(transfer, request);
	}
}
