/*
 * http_policy.h
 *		What may be asked for, and where it may lead: urls, lists of hosts,
 *		addresses, headers.
 *
 * Urls come from providers' answers, names and values from their users.  What
 * is not plainly good is refused: no two readers of an url may see two hosts
 * in it.  Pure C, no allocation, usable without a server.
 */
#ifndef ORLA_HTTP_POLICY_H
#define ORLA_HTTP_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ORLA_URL_MAX	16384
#define ORLA_HOST_MAX	253

typedef enum OrlaScheme
{
	ORLA_HTTPS,
	ORLA_HTTP,
	ORLA_SMTPS,
	ORLA_SMTP
} OrlaScheme;

typedef enum OrlaAddressClass
{
	ORLA_ADDRESS_PUBLIC,
	ORLA_ADDRESS_LOOPBACK,
	ORLA_ADDRESS_PRIVATE,		/* RFC 1918, RFC 6598, RFC 4193 */
	ORLA_ADDRESS_SPECIAL		/* link-local, multicast, reserved: never */
} OrlaAddressClass;

typedef struct OrlaUrl
{
	OrlaScheme	scheme;
	char		host[ORLA_HOST_MAX + 1];	/* lower case, no brackets */
	bool		is_address;		/* in its one canonical form */
	bool		is_ipv6;
	int			port;			/* the scheme's, where none is given */
	const char *rest;			/* path and query, in the text that was read */
} OrlaUrl;

/* NULL for a good url, else what is wrong with it, for a message. */
extern const char *orla_url_parse(const char *text, OrlaUrl *url);

/*
 * The url in the form that its reader sees.  Has room for cap bytes; false if
 * that is too little.
 */
extern bool orla_url_print(const OrlaUrl *url, char *text, size_t cap);

/*
 * Is a pattern a host name, an address, or "*." before at least two labels,
 * which stands for all names below them?
 */
extern bool orla_host_pattern_is_good(const char *pattern);
extern bool orla_host_matches(const OrlaUrl *url, const char *pattern);

extern OrlaAddressClass orla_address_class(const struct sockaddr *address);

/* Of a text without brackets; names are ORLA_ADDRESS_SPECIAL. */
extern OrlaAddressClass orla_address_class_of(const char *address);

/*
 * A name that is free to be set: the ones that say where a message ends, or
 * whom it goes to, are not.
 */
extern bool orla_http_header_name_is_good(const char *name);

/* No control characters: they would begin another header. */
extern bool orla_http_header_value_is_good(const char *value);

/* Visible ASCII, from one character on. */
extern bool orla_http_bearer_is_good(const char *bearer, size_t len);

/* In an envelope, and nothing that would end it. */
extern bool orla_mail_address_is_good(const char *address);

/* orla.private_hosts: NULL for a good value, else a sentence. */
extern const char *orla_private_hosts_problem(const char *list);

/* Is the url's host on such a list, with its port? */
extern bool orla_host_is_listed(const OrlaUrl *url, const char *list);

/* orla.http_proxy: NULL for a good value, else a sentence. */
extern const char *orla_http_proxy_problem(const char *proxy);

#endif							/* ORLA_HTTP_POLICY_H */
