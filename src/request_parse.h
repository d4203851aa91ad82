/*
 * request_parse.h
 *		Reads what a request carries in its headers.
 *
 * Pure C, no allocation, usable without a server.
 */
#ifndef ORLA_REQUEST_PARSE_H
#define ORLA_REQUEST_PARSE_H

#include <stdbool.h>

/*
 * The token of "Bearer <token>" (RFC 6750; the scheme's case does not
 * matter), within authorization, possibly empty.  NULL for another scheme and
 * when there is no such header.
 */
extern char *orla_bearer_token(char *authorization);

/*
 * Is origin (NULL without such a header) scheme://host[:port] of the
 * application, as browsers send it?  public_url is a good orla.public_url.
 */
extern bool orla_is_own_origin(const char *public_url, const char *origin);

/*
 * Does path (NULL where the layer has none) lead to a page, to what a page is
 * made of, or to the begin or end of a session?  What is there is the same for
 * everybody, or looks at its own cookie.
 */
extern bool orla_path_needs_nobody(const char *path);

#endif							/* ORLA_REQUEST_PARSE_H */
