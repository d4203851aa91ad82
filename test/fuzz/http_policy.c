/*
 * http_policy.c
 *		Urls, host lists, headers' values, addresses of mail and proxies.  The
 *		first byte tells which.
 *
 * A url that is taken must be read by libcurl, as it came and as we print it,
 * with the same host and port, and without a user.
 */
#include <stdlib.h>
#include <strings.h>

#include <curl/curl.h>

#include "fuzz.h"
#include "http_policy.h"

static void
must_read(const char *text, const OrlaUrl *url)
{
	CURLU	   *reader = curl_url();
	char	   *host = NULL;
	char	   *port = NULL;
	char	   *user = NULL;
	size_t		len;

	MUST(reader != NULL);
	MUST(curl_url_set(reader, CURLUPART_URL, text, 0) == CURLUE_OK);
	MUST(curl_url_get(reader, CURLUPART_HOST, &host, 0) == CURLUE_OK);
	MUST(curl_url_get(reader, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK);
	MUST(curl_url_get(reader, CURLUPART_USER, &user, 0) != CURLUE_OK);
	len = strlen(url->host);
	MUST(host[0] == '[' ? url->is_ipv6 && strlen(host) == len + 2 : !url->is_ipv6);
	MUST(strncasecmp(url->is_ipv6 ? host + 1 : host, url->host, len) == 0);
	MUST(url->is_ipv6 || strlen(host) == len);
	MUST(atoi(port) == url->port);
	curl_free(host);
	curl_free(port);
	curl_free(user);
	curl_url_cleanup(reader);
}

static void
try_url(const char *text)
{
	char		printed[4096];
	OrlaUrl		url;
	OrlaUrl		again;

	if (orla_url_parse(text, &url) != NULL)
		return;
	MUST(orla_url_print(&url, printed, sizeof(printed)));
	MUST(orla_url_parse(printed, &again) == NULL);
	MUST(strcmp(url.host, again.host) == 0 && url.port == again.port && url.scheme == again.scheme);
	must_read(printed, &url);
	if (!url.is_ipv6 || strncmp(strchr(text, '[') + 1, url.host, strlen(url.host)) == 0)
		must_read(text, &url);
	(void) orla_address_class_of(url.host);
}

/* Pattern and url, separated by a NUL: the host ends as the pattern does. */
static void
try_pattern(const char *pattern, size_t size)
{
	size_t		len = strlen(pattern);
	size_t		host_len;
	OrlaUrl		url;

	if (len >= size || orla_url_parse(pattern + len + 1, &url) != NULL ||
		!orla_host_matches(&url, pattern))
		return;
	host_len = strlen(url.host);
	MUST(orla_host_pattern_is_good(pattern));
	if (pattern[0] == '*')
		MUST(host_len >= len && strcmp(url.host + host_len - (len - 1), pattern + 1) == 0);
	else
		MUST(strstr(pattern, url.host) == pattern + (url.is_ipv6 ? 1 : 0));
}

static void
try_texts(const char *text)
{
	if (orla_http_header_name_is_good(text))
		MUST(text[0] != '\0' && strpbrk(text, ": \r\n\t") == NULL);
	if (orla_http_header_value_is_good(text))
		MUST(strpbrk(text, "\r\n") == NULL);
	if (orla_mail_address_is_good(text))
		MUST(strpbrk(text, "\r\n<> ,") == NULL && strchr(text, '@') != NULL);
	if (orla_http_bearer_is_good(text, strlen(text)))
		MUST(strpbrk(text, "\r\n \t") == NULL);
	(void) orla_http_proxy_problem(text);
	(void) orla_private_hosts_problem(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text;

	if (size == 0)
		return 0;
	text = as_text(data + 1, size - 1);
	switch (data[0] % 3)
	{
		case 0:
			try_url(text);
			break;
		case 1:
			try_pattern(text, size - 1);
			break;
		case 2:
			try_texts(text);
			break;
	}
	free(text);
	return 0;
}
