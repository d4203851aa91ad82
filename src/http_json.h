/*
 * http_json.h
 *		Requests and responses as SQL has them.
 *
 * A request is an object of
 *
 *		url, hosts [name, …]				needed
 *		method, headers {name: value}
 *		body | body_base64 | form {name: value}
 *		timeout_ms, max_bytes
 *
 * and, for the worker alone, of bearer, mail {from, to, text} with username,
 * password and starttls (true unless said), and for models of own_network and
 * keeps_partial (false unless said).  to is a text or an array.  A
 * member that is null is as if it was not there; others than these are refused.
 *
 * A response is an object of status, headers (names in lower case; values of
 * one name are joined with commas), body or body_base64 (where it is not text
 * in the database's encoding), failure, message, sent; partial, where that was
 * asked for and the answer broke off: its beginning, as far as it is text.
 */
#ifndef ORLA_HTTP_JSON_H
#define ORLA_HTTP_JSON_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "http.h"

/* A text in a jsonb can have so many bytes; base64 makes 4 of 3. */
#define ORLA_HTTP_JSON_BODY_MAX	(128 * 1024 * 1024)

/* In the current context.  Raises 22023 for what is not a request. */
extern OrlaHttpRequest *orla_http_request_from_jsonb(Jsonb *json, bool for_worker);

/* Of an answer that is too large for a jsonb, a response that says so. */
extern Jsonb *orla_http_response_to_jsonb(const OrlaHttpResponse *response);

/* The headers alone. */
extern Jsonb *orla_http_headers_to_jsonb(const OrlaHttpResponse *response);

#endif							/* ORLA_HTTP_JSON_H */
