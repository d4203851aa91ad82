/*
 * http_policy.c
 *		What may be asked for, and where it may lead: urls, lists of hosts,
 *		headers.  Addresses are in http_address.c.
 */
#include "http_policy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LABEL_MAX	63

typedef struct SchemeName
{
	const char *prefix;
	OrlaScheme	scheme;
	int			port;
} SchemeName;

static const SchemeName schemes[] = {
	{"https://", ORLA_HTTPS, 443},
	{"http://", ORLA_HTTP, 80},
	{"smtps://", ORLA_SMTPS, 465},
	{"smtp://", ORLA_SMTP, 25}
};

#define N_SCHEMES	((int) (sizeof(schemes) / sizeof(schemes[0])))

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* Value of a hexadecimal digit, -1 for anything else. */
static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- hosts -------------------------------------------------------------- */

/* Some readers take a last label such as 1, 017 or 0x7f for an address. */
static bool
ends_like_an_address(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *last = dot == NULL ? host : dot + 1;

	return strspn(last, "0123456789") == strlen(last) ||
		(last[0] == '0' && last[1] == 'x');
}

/* Labels of letters, digits and inner hyphens; ASCII only, no last dot. */
static bool
is_host_name(const char *host)
{
	const char *label = host;
	const char *p;

	for (p = host;; p++)
	{
		if (*p == '.' || *p == '\0')
		{
			if (p == label || p - label > LABEL_MAX || *label == '-' || p[-1] == '-')
				return false;
			if (*p == '\0')
				return !ends_like_an_address(host);
			label = p + 1;
		}
		else if (!is_digit(*p) && !(*p >= 'a' && *p <= 'z') && *p != '-')
			return false;
	}
}

/* In the one form that inet_ntop() prints: not octal, not short. */
static bool
is_ipv4(const char *host)
{
	struct in_addr address;
	char		printed[INET_ADDRSTRLEN];

	return inet_pton(AF_INET, host, &address) == 1 &&
		inet_ntop(AF_INET, &address, printed, sizeof(printed)) != NULL &&
		strcmp(printed, host) == 0;
}

/* Replaces it by its canonical form. */
static bool
settle_ipv6(char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, host, &address) == 1 &&
		inet_ntop(AF_INET6, &address, host, INET6_ADDRSTRLEN) != NULL;
}

/* From the text between the slashes and what ends them, without the port. */
static bool
settle_host(OrlaUrl *url, const char *text, size_t len)
{
	size_t		i;

	if (len == 0 || len > ORLA_HOST_MAX)
		return false;
	for (i = 0; i < len; i++)
		url->host[i] = lower(text[i]);
	url->host[len] = '\0';
	if (url->is_ipv6)
		return len < INET6_ADDRSTRLEN && settle_ipv6(url->host);
	url->is_address = is_ipv4(url->host);
	return url->is_address || is_host_name(url->host);
}

bool
orla_host_pattern_is_good(const char *pattern)
{
	char		address[ORLA_HOST_MAX + 1];

	if (strlen(pattern) > ORLA_HOST_MAX)
		return false;
	if (strncmp(pattern, "*.", 2) == 0)
		return is_host_name(pattern + 2) && strchr(pattern + 2, '.') != NULL;
	if (pattern[0] == '[')
	{
		strcpy(address, pattern + 1);
		address[strcspn(address, "]")] = '\0';
		return settle_ipv6(address) && strlen(address) + 2 == strlen(pattern) &&
			strncmp(pattern + 1, address, strlen(address)) == 0 &&
			pattern[strlen(pattern) - 1] == ']';
	}
	return is_ipv4(pattern) || is_host_name(pattern);
}

bool
orla_host_matches(const OrlaUrl *url, const char *pattern)
{
	size_t		host_len = strlen(url->host);
	size_t		len = strlen(pattern);

	if (!orla_host_pattern_is_good(pattern))
		return false;
	if (url->is_ipv6)
		return pattern[0] == '[' && len == host_len + 2 &&
			strncmp(pattern + 1, url->host, host_len) == 0;
	if (pattern[0] != '*')
		return strcmp(url->host, pattern) == 0;
	return !url->is_address && host_len > len - 1 &&
		strcmp(url->host + host_len - (len - 1), pattern + 1) == 0;
}

/* ---- urls --------------------------------------------------------------- */

/* From 1 to 65535 without a leading zero; 0 for anything else. */
static int
read_port(const char *text, size_t len)
{
	int			port = 0;
	size_t		i;

	if (len == 0 || len > 5 || text[0] == '0')
		return 0;
	for (i = 0; i < len; i++)
	{
		if (!is_digit(text[i]))
			return 0;
		port = port * 10 + (text[i] - '0');
	}
	return port <= 65535 ? port : 0;
}

/* A dot, also one that is encoded; its length, or 0. */
static int
dot_len(const char *p)
{
	if (p[0] == '.')
		return 1;
	return p[0] == '%' && p[1] == '2' && lower(p[2]) == 'e' ? 3 : 0;
}

/* A segment . or .. at p, which follows a slash. */
static bool
is_dot_segment(const char *p)
{
	int			first = dot_len(p);
	int			second = first ? dot_len(p + first) : 0;

	return first && strchr("/?", p[first + second]) != NULL;
}

/* Path and query. */
static const char *
rest_problem(const char *rest)
{
	bool		in_path = true;
	const char *p;

	for (p = rest; *p != '\0'; p++)
	{
		if (*p == '#')
			return "url has a fragment";
		if (*p == '%' && (hex_value(p[1]) < 0 || hex_value(p[2]) < 0))
			return "url has a stray percent sign";
		if (*p == '?')
			in_path = false;
		if (in_path && *p == '/' && is_dot_segment(p + 1))
			return "url has a dot segment";
	}
	return NULL;
}

static const char *
text_problem(const char *text)
{
	const char *p;

	if (strlen(text) > ORLA_URL_MAX)
		return "url is too long";
	for (p = text; *p != '\0'; p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\", c) != NULL)
			return "url has a character that it must not have";
	}
	return NULL;
}

static const char *
authority_problem(const char *text, size_t len, OrlaUrl *url)
{
	const char *end = text + len;
	const char *host_end;

	if (memchr(text, '@', len) != NULL)
		return "url has a user name";
	url->is_ipv6 = url->is_address = len > 0 && *text == '[';
	if (url->is_ipv6)
	{
		text++;
		host_end = memchr(text, ']', end - text);
	}
	else
		host_end = memchr(text, ':', len) ? memchr(text, ':', len) : end;
	if (host_end == NULL || !settle_host(url, text, host_end - text))
		return "url has no good host";
	if (url->is_ipv6)
		host_end++;
	if (host_end < end)
	{
		url->port = *host_end == ':' ? read_port(host_end + 1, end - host_end - 1) : 0;
		if (url->port == 0)
			return "url has no good port";
	}
	return NULL;
}

const char *
orla_url_parse(const char *text, OrlaUrl *url)
{
	const char *problem = text_problem(text);
	const char *authority = NULL;
	size_t		len;
	int			i;

	memset(url, 0, sizeof(*url));
	if (problem != NULL)
		return problem;
	for (i = 0; i < N_SCHEMES && authority == NULL; i++)
	{
		size_t		prefix_len = strlen(schemes[i].prefix);

		if (strncasecmp(text, schemes[i].prefix, prefix_len) == 0)
		{
			authority = text + prefix_len;
			url->scheme = schemes[i].scheme;
			url->port = schemes[i].port;
		}
	}
	if (authority == NULL)
		return "url has no scheme that is supported";
	len = strcspn(authority, "/?#");
	url->rest = authority + len;
	problem = authority_problem(authority, len, url);
	return problem != NULL ? problem : rest_problem(url->rest);
}

bool
orla_url_print(const OrlaUrl *url, char *text, size_t cap)
{
	const char *prefix = "";
	int			i;
	int			len;

	for (i = 0; i < N_SCHEMES; i++)
	{
		if (schemes[i].scheme == url->scheme)
			prefix = schemes[i].prefix;
	}
	len = snprintf(text, cap, "%s%s%s%s:%d%s%s", prefix,
				   url->is_ipv6 ? "[" : "", url->host, url->is_ipv6 ? "]" : "",
				   url->port, url->rest[0] == '/' ? "" : "/", url->rest);
	return len > 0 && (size_t) len < cap;
}

/* ---- headers, mail, proxies --------------------------------------------- */

bool
orla_http_header_name_is_good(const char *name)
{
	static const char *const ours[] = {
		"connection", "content-encoding", "content-length", "expect", "host",
		"keep-alive", "te", "trailer", "transfer-encoding", "upgrade"
	};
	const char *p;
	size_t		i;

	for (p = name; *p != '\0'; p++)
	{
		if (!is_digit(*p) && !is_letter(*p) && strchr("!#$%&'*+-.^_`|~", *p) == NULL)
			return false;
	}
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
	{
		if (strcasecmp(name, ours[i]) == 0)
			return false;
	}
	return p > name && strncasecmp(name, "proxy-", 6) != 0;
}

bool
orla_http_header_value_is_good(const char *value)
{
	const char *p;

	for (p = value; *p != '\0'; p++)
	{
		unsigned char c = (unsigned char) *p;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

bool
orla_http_bearer_is_good(const char *bearer, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		if (bearer[i] <= 0x20 || bearer[i] >= 0x7f)
			return false;
	}
	return len > 0;
}

bool
orla_mail_address_is_good(const char *address)
{
	const char *at = strrchr(address, '@');
	const char *p;

	for (p = address; *p != '\0'; p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c <= 0x20 || c == 0x7f || strchr("<>\",;:\\", c) != NULL)
			return false;
	}
	return at != NULL && at > address && at[1] != '\0' && p - address <= 254;
}

/* With a user name and a password in front of the host, if need be. */
const char *
orla_http_proxy_problem(const char *proxy)
{
	OrlaUrl		url;
	const char *host = strstr(proxy, "://");
	const char *at = strrchr(proxy, '@');
	char		text[ORLA_HOST_MAX + 32];

	if (proxy[0] == '\0')
		return NULL;
	if (text_problem(proxy) != NULL || host == NULL)
		return "The value must be a URL of a scheme, a host and a port.";
	host = at != NULL && at > host ? at + 1 : host + 3;
	if (strlen(host) > ORLA_HOST_MAX + 6 ||
		(strncmp(proxy, "http://", 7) != 0 && strncmp(proxy, "https://", 8) != 0))
		return "The value must be a URL that begins with http:// or https://.";
	snprintf(text, sizeof(text), "http://%s", host);
	if (orla_url_parse(text, &url) != NULL || url.rest[0] != '\0' ||
		strchr(url.is_ipv6 ? strchr(host, ']') : host, ':') == NULL)
		return "The value must end with a host and a port, without a path.";
	return NULL;
}

/* ---- hosts of the own network ------------------------------------------- */

/*
 * The next host with its port of a list, where commas and spaces divide; what
 * follows it, or NULL at the end.  One that is none is an url without a host.
 */
static const char *
next_place(const char *list, OrlaUrl *place)
{
	char		text[sizeof("https://") + ORLA_HOST_MAX + sizeof("[]:65535")];
	const char *start = list + strspn(list, ", ");
	size_t		len = strcspn(start, ", ");
	const char *host_end = memchr(start, ']', len) != NULL ? memchr(start, ']', len) : start;

	if (len == 0)
		return NULL;
	snprintf(text, sizeof(text), "https://%.*s", (int) len, start);
	if (strlen(text) != strlen("https://") + len || orla_url_parse(text, place) != NULL ||
		place->rest[0] != '\0' || memchr(host_end, ':', start + len - host_end) == NULL)
		memset(place, 0, sizeof(*place));
	place->rest = NULL;
	return start + len;
}

const char *
orla_private_hosts_problem(const char *list)
{
	OrlaUrl		place;

	while ((list = next_place(list, &place)) != NULL)
	{
		if (place.host[0] == '\0')
			return "The value must be a list of hosts with their ports, such as models.internal:11434.";
	}
	return NULL;
}

bool
orla_host_is_listed(const OrlaUrl *url, const char *list)
{
	OrlaUrl		place;

	while ((list = next_place(list, &place)) != NULL)
	{
		if (place.host[0] != '\0' && place.port == url->port &&
			place.is_ipv6 == url->is_ipv6 && strcmp(place.host, url->host) == 0)
			return true;
	}
	return false;
}
