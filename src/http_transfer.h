/*
 * http_transfer.h
 *		One request on its way: what http.c and http_transfer.c share.
 */
#ifndef ORLA_HTTP_TRANSFER_H
#define ORLA_HTTP_TRANSFER_H

#include "postgres.h"

#include <signal.h>

#include <curl/curl.h>

#include "lib/ilist.h"

#include "http.h"
#include "http_policy.h"

/* Grows without raising: it is filled by callbacks of the library. */
typedef struct OrlaHttpBytes
{
	char	   *data;
	size_t		len;
	size_t		cap;
} OrlaHttpBytes;

struct OrlaHttpTransfer
{
	dlist_node	node;			/* in one of its engine's lists */
	bool		listed;
	MemoryContext context;		/* of this, and of the response */
	OrlaHttpResponse response;
	OrlaHttpDone done;
	void	   *arg;

	CURLM	   *multi;			/* while it is there, else NULL */
	CURL	   *easy;
	struct curl_slist *headers;
	struct curl_slist *recipients;
	CURLcode	setup;			/* the first option that was not taken */
	CURLcode	outcome;
	char		error[CURL_ERROR_SIZE];

	OrlaUrl		url;
	bool		is_mail;
	bool		repeatable;		/* a method that may be sent twice */
	bool		loopback_only;	/* plain text, or an odd port */
	bool		via_proxy;
	bool		allow_loopback;
	bool		own_network;	/* the host is in orla.private_hosts, and may be */
	bool		keeps_partial;

	char	   *body;			/* of the request, a copy */
	size_t		body_len;
	size_t		body_sent;		/* mail: how much the library has taken */
	size_t		max_bytes;
	OrlaHttpBytes head;			/* of the response: name NUL value NUL … */
	int			fields;			/* lines of it */
	OrlaHttpBytes answer;		/* the bytea to be */
	bool		body_read;		/* mail: all of it */
	bool		starttls;		/* mail: to be asked for */
	bool		signed_in;		/* mail: or without a user */
	bool		decided;		/* of mail: the reply has come that counts */
	int			replies;		/* mail: so far */
	int			reply_code;		/* mail: of the last */
	char		reply[16];		/* mail: with the enhanced one */
	curl_socket_t socket;		/* mail: the connection's */

	bool		address_refused;
	bool		sent;
	bool		too_large;
	bool		no_memory;
};

/* Raises 0A000 where the library is not fit; in http_library.c. */
extern void orla_http_require_library(void);

/*
 * Every call of the library lies between these two: threads that it starts
 * must not run the server's signal handlers.  Nothing may raise in between.
 */
extern void orla_http_block_signals(sigset_t *saved);
extern void orla_http_unblock_signals(const sigset_t *saved);

/* Sets response.failure if it is refused, and what the url means; in http_check.c. */
extern void orla_http_check(OrlaHttpTransfer *transfer, const OrlaHttpRequest *request,
							const char *method);

/* What the library calls; in http_io.c. */
extern size_t orla_http_take_head(char *line, size_t size, size_t n, void *arg);
extern size_t orla_http_take_body(char *data, size_t size, size_t n, void *arg);
extern size_t orla_http_give_body(char *room, size_t size, size_t n, void *arg);
extern curl_socket_t orla_http_open_socket(void *arg, curlsocktype purpose,
										   struct curl_sockaddr *address);
extern int	orla_http_close_socket(void *arg, curl_socket_t socket);
extern int	orla_http_before_sending(void *arg, char *address, char *own_address,
									 int port, int own_port);

/* Copies what it needs.  Ready to be run, unless response.failure is set. */
extern OrlaHttpTransfer *orla_http_transfer_create(MemoryContext parent,
												   const OrlaHttpRequest *request);

/* Of everything that it holds of the library; what it was told stays. */
extern void orla_http_transfer_let_go(OrlaHttpTransfer *transfer);

/* Makes the response from how it went; in http_outcome.c. */
extern void orla_http_transfer_conclude(OrlaHttpTransfer *transfer);

#endif							/* ORLA_HTTP_TRANSFER_H */
