/*
 * http.h
 *		Requests to other machines: HTTP, and mail by SMTP.
 *
 * An engine carries on any number of requests at once.  Nothing here waits:
 * whoever has an engine waits for its descriptor and its timeout, beside a
 * latch, and then lets it run.
 *
 * What is refused before a byte is sent: a host that is not on the request's
 * list, an address that is not public, anything but verified TLS; redirects
 * are never followed.  To this very machine plain text and any port are
 * allowed if orla.allow_loopback_http is on.  A mail server may have a private
 * address, since an operator names it, and so may a model's server that is in
 * orla.private_hosts.
 */
#ifndef ORLA_HTTP_H
#define ORLA_HTTP_H

#include "postgres.h"

/* For a request that names no limit of its own, and the most it can name. */
#define ORLA_HTTP_MAX_BYTES			(10 * 1024 * 1024)
#define ORLA_HTTP_MAX_BYTES_MAX		(512 * 1024 * 1024)
#define ORLA_HTTP_TIMEOUT_MAX		(60 * 60 * 1000)

/* What is kept of an answer that breaks off. */
#define ORLA_HTTP_PARTIAL_MAX		(16 * 1024)

typedef struct OrlaHttpEngine OrlaHttpEngine;

/* A request under way: good until done() is called. */
typedef struct OrlaHttpTransfer OrlaHttpTransfer;

typedef struct OrlaHttpHeader
{
	const char *name;			/* in a response: lower case */
	const char *value;
} OrlaHttpHeader;

/* Zeros and NULLs stand for the usual. */
typedef struct OrlaHttpRequest
{
	const char *method;			/* NULL: POST with a body, GET without */
	const char *url;
	const char *const *hosts;	/* names, addresses, "*.suffix" */
	int			n_hosts;
	const OrlaHttpHeader *headers;
	int			n_headers;
	const char *body;			/* of mail: the text, with its headers */
	size_t		body_len;
	const char *bearer;			/* becomes a header, and goes nowhere else */
	size_t		bearer_len;
	int			timeout_ms;		/* for all; 0: orla.http_timeout */
	int			connect_timeout_ms; /* 0: orla.http_connect_timeout */
	size_t		max_bytes;		/* of the decoded body */
	bool		own_network;	/* what is in orla.private_hosts is allowed */
	bool		keeps_partial;	/* of an answer that breaks off, the beginning */

	/* for smtp:// and smtps:// */
	const char *mail_from;
	const char *const *mail_to;
	int			n_mail_to;
	bool		plain;			/* without STARTTLS: to this machine alone */
	const char *user;
	const char *password;
} OrlaHttpRequest;

typedef enum OrlaHttpFailure
{
	ORLA_HTTP_NONE,				/* there is a status */
	ORLA_HTTP_TIMEOUT,
	ORLA_HTTP_REFUSED,			/* by us: nothing was sent */
	ORLA_HTTP_TLS,				/* nothing was sent */
	ORLA_HTTP_CONNECT,			/* nothing was sent */
	ORLA_HTTP_TOO_LARGE,
	ORLA_HTTP_PROTOCOL,			/* the other side broke off, or made no sense */
	ORLA_HTTP_DROPPED			/* by whoever had asked for it */
} OrlaHttpFailure;

/* Lives in a context of its own, below the engine's until somebody moves it. */
typedef struct OrlaHttpResponse
{
	MemoryContext context;
	OrlaHttpFailure failure;
	bool		sent;			/* the other side may have acted on it */
	const char *message;		/* lower case, no secret; NULL: no failure */
	int			status;			/* of mail: the server's last reply; 0: none */
	int			n_headers;
	const OrlaHttpHeader *headers;
	const char *body;			/* never NULL; empty on failure */
	size_t		body_len;
	struct varlena *body_bytea; /* the same bytes as a bytea */
	const char *partial;		/* the beginning of one that broke off, or NULL */
	size_t		partial_len;
} OrlaHttpResponse;

typedef void (*OrlaHttpDone) (void *arg, OrlaHttpResponse *response);

/*
 * Raises for lack of memory or descriptors.  Deleting the parent, or
 * orla_http_engine_free(), ends what is in flight without a word.
 */
extern OrlaHttpEngine *orla_http_engine_create(MemoryContext parent);
extern void orla_http_engine_free(OrlaHttpEngine *engine);

/* Readable when there is something to do; -1 for a timeout means never. */
extern int	orla_http_engine_fd(const OrlaHttpEngine *engine);
extern long orla_http_engine_timeout(OrlaHttpEngine *engine);

/*
 * Copies what it needs.  A request that is refused is answered like any other,
 * by the next run: this raises for lack of memory only.
 */
extern OrlaHttpTransfer *orla_http_start(OrlaHttpEngine *engine,
										 const OrlaHttpRequest *request,
										 OrlaHttpDone done, void *arg);

/* Bytes of the answer's body that have come. */
extern size_t orla_http_received(const OrlaHttpTransfer *transfer);

/* The beginning of the answer's body, as far as it has come. */
extern const char *orla_http_begun(const OrlaHttpTransfer *transfer, size_t *len);

/* Ends it at once: done() is not called. */
extern void orla_http_give_up(OrlaHttpEngine *engine, OrlaHttpTransfer *transfer);

/*
 * Does what can be done now and calls done() for each request that has ended.
 * done() may start others and may raise; the rest is then for the next run.
 */
extern void orla_http_run(OrlaHttpEngine *engine);

extern int	orla_http_in_flight(const OrlaHttpEngine *engine);

/* Forgets them: done() is not called. */
extern void orla_http_cancel_all(OrlaHttpEngine *engine);

/*
 * One request, waited for; in the current memory context.  Interrupts are
 * taken at once.  The engine behind it stays with the session, and so do its
 * connections.
 */
extern OrlaHttpResponse *orla_http_fetch(const OrlaHttpRequest *request);

/* Wipes it, since answers hold tokens; deleting its context does the same. */
extern void orla_http_response_free(OrlaHttpResponse *response);

/* NULL if there is none; name in lower case. */
extern const char *orla_http_header(const OrlaHttpResponse *response, const char *name);

/* As it is called in SQL; NULL for ORLA_HTTP_NONE. */
extern const char *orla_http_failure_name(OrlaHttpFailure failure);

#endif							/* ORLA_HTTP_H */
