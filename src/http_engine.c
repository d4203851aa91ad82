/*
 * http_engine.c
 *		The engine: any number of requests on libcurl's multi handle.
 *
 * The server's sets of events cannot forget a socket before version 16, so
 * the sockets of an engine are watched by an epoll descriptor of its own, and
 * whoever waits watches that.  libcurl appears in http*.c only.
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "errors.h"
#include "http.h"
#include "http_transfer.h"

/* Sockets that are looked after at a time, and how often in one run. */
#define EVENTS		64
#define ROUNDS		16

/* Connections that are kept for the next request. */
#define IDLE_CONNECTIONS			128
#define IDLE_CONNECTIONS_OF_SESSION	4

struct OrlaHttpEngine
{
	MemoryContext context;
	CURLM	   *multi;
	int			fd;				/* the epoll descriptor, or -1 */
	int64		due;			/* when the library wants to run; -1: never */
	dlist_head	running;		/* OrlaHttpTransfer */
	dlist_head	ended;			/* done() is not called yet */
	int			in_flight;		/* both lists */
};

/* Of this session, made by its first fetch. */
static OrlaHttpEngine *session_engine = NULL;

static int64
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- callbacks of the multi handle -------------------------------------- */

/* A descriptor may be another socket's by now: the kernel forgets closed ones. */
static int
watch_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *of_socket)
{
	OrlaHttpEngine *engine = arg;
	struct epoll_event event = {0};

	if (what == CURL_POLL_REMOVE)
	{
		(void) epoll_ctl(engine->fd, EPOLL_CTL_DEL, socket, NULL);
		return 0;
	}
	event.data.fd = socket;
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(engine->fd, EPOLL_CTL_MOD, socket, &event) != 0 &&
		epoll_ctl(engine->fd, EPOLL_CTL_ADD, socket, &event) != 0)
		return -1;
	return 0;
}

static int
set_timer(CURLM *multi, long timeout, void *arg)
{
	OrlaHttpEngine *engine = arg;

	engine->due = timeout < 0 ? -1 : now_ms() + timeout;
	return 0;
}

/* ---- life of an engine -------------------------------------------------- */

/* The context's reset callback; transfers, in contexts below, are gone. */
static void
release(void *arg)
{
	OrlaHttpEngine *engine = arg;
	sigset_t	saved;

	if (engine->multi != NULL)
	{
		orla_http_block_signals(&saved);
		(void) curl_multi_cleanup(engine->multi);
		orla_http_unblock_signals(&saved);
	}
	engine->multi = NULL;
	if (engine->fd >= 0)
	{
		close(engine->fd);
		ReleaseExternalFD();
	}
	engine->fd = -1;
}

static bool
set_up_multi(OrlaHttpEngine *engine, long idle_connections)
{
	sigset_t	saved;
	bool		done;

	orla_http_block_signals(&saved);
	engine->multi = curl_multi_init();
	done = engine->multi != NULL &&
		curl_multi_setopt(engine->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
		curl_multi_setopt(engine->multi, CURLMOPT_SOCKETDATA, engine) == CURLM_OK &&
		curl_multi_setopt(engine->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
		curl_multi_setopt(engine->multi, CURLMOPT_TIMERDATA, engine) == CURLM_OK &&
		curl_multi_setopt(engine->multi, CURLMOPT_MAXCONNECTS, idle_connections) == CURLM_OK;
	orla_http_unblock_signals(&saved);
	return done;
}

static OrlaHttpEngine *
create(MemoryContext parent, long idle_connections)
{
	MemoryContext context;
	OrlaHttpEngine *engine;
	MemoryContextCallback *callback;

	orla_http_require_library();
	context = AllocSetContextCreate(parent, "orla http engine", ALLOCSET_SMALL_SIZES);
	engine = MemoryContextAllocZero(context, sizeof(OrlaHttpEngine));
	callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	engine->context = context;
	engine->fd = -1;
	engine->due = -1;
	dlist_init(&engine->running);
	dlist_init(&engine->ended);
	callback->func = release;
	callback->arg = engine;
	MemoryContextRegisterResetCallback(context, callback);

	engine->fd = epoll_create1(EPOLL_CLOEXEC);
	if (engine->fd >= 0)
		ReserveExternalFD();
	if (engine->fd < 0 || !set_up_multi(engine, idle_connections))
	{
		MemoryContextDelete(context);
		ereport(ERROR,
				(errcode(ERRCODE_ORLA_UNAVAILABLE),
				 errmsg("could not make an engine for requests")));
	}
	return engine;
}

OrlaHttpEngine *
orla_http_engine_create(MemoryContext parent)
{
	return create(parent, IDLE_CONNECTIONS);
}

void
orla_http_engine_free(OrlaHttpEngine *engine)
{
	MemoryContextDelete(engine->context);
}

int
orla_http_engine_fd(const OrlaHttpEngine *engine)
{
	return engine->fd;
}

long
orla_http_engine_timeout(OrlaHttpEngine *engine)
{
	if (!dlist_is_empty(&engine->ended))
		return 0;
	return engine->due < 0 ? -1 : Max(0, engine->due - now_ms());
}

int
orla_http_in_flight(const OrlaHttpEngine *engine)
{
	return engine->in_flight;
}

/* ---- running ------------------------------------------------------------ */

static void
enlist(dlist_head *list, OrlaHttpTransfer *transfer)
{
	if (transfer->listed)
		dlist_delete(&transfer->node);
	dlist_push_tail(list, &transfer->node);
	transfer->listed = true;
}

static void
end_transfer(OrlaHttpEngine *engine, OrlaHttpTransfer *transfer, CURLcode outcome)
{
	transfer->outcome = outcome;
	enlist(&engine->ended, transfer);
}

OrlaHttpTransfer *
orla_http_start(OrlaHttpEngine *engine, const OrlaHttpRequest *request,
				OrlaHttpDone done, void *arg)
{
	OrlaHttpTransfer *transfer = orla_http_transfer_create(engine->context, request);
	sigset_t	saved;

	transfer->done = done;
	transfer->arg = arg;
	engine->in_flight++;
	if (transfer->response.failure != ORLA_HTTP_NONE)
	{
		enlist(&engine->ended, transfer);
		return transfer;
	}
	enlist(&engine->running, transfer);
	orla_http_block_signals(&saved);
	if (curl_multi_add_handle(engine->multi, transfer->easy) == CURLM_OK)
		transfer->multi = engine->multi;
	else
		end_transfer(engine, transfer, CURLE_OUT_OF_MEMORY);
	orla_http_unblock_signals(&saved);
	return transfer;
}

void
orla_http_give_up(OrlaHttpEngine *engine, OrlaHttpTransfer *transfer)
{
	engine->in_flight--;
	MemoryContextDelete(transfer->context);
}

/* One look at the sockets; were there as many as can be looked at? */
static bool
serve_sockets(OrlaHttpEngine *engine, CURLMcode *state)
{
	struct epoll_event events[EVENTS];
	int			n = epoll_wait(engine->fd, events, EVENTS, 0);
	int			running;
	int			i;

	for (i = 0; i < n && *state == CURLM_OK; i++)
	{
		int			what = 0;

		if (events[i].events & (EPOLLIN | EPOLLHUP))
			what |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			what |= CURL_CSELECT_OUT;
		if (events[i].events & EPOLLERR)
			what |= CURL_CSELECT_ERR;
		*state = curl_multi_socket_action(engine->multi, events[i].data.fd, what, &running);
	}
	return n == EVENTS;
}

static void
collect_ended(OrlaHttpEngine *engine)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(engine->multi, &left)) != NULL)
	{
		char	   *transfer = NULL;

		if (message->msg == CURLMSG_DONE &&
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) == CURLE_OK)
			end_transfer(engine, (OrlaHttpTransfer *) transfer, message->data.result);
	}
}

/* Not to be expected: the handle as a whole does not go on. */
static void
end_all(OrlaHttpEngine *engine)
{
	while (!dlist_is_empty(&engine->running))
		end_transfer(engine, dlist_head_element(OrlaHttpTransfer, node, &engine->running),
					 CURLE_RECV_ERROR);
}

static void
make_progress(OrlaHttpEngine *engine)
{
	CURLMcode	state = CURLM_OK;
	sigset_t	saved;
	int			running;
	int			rounds = 0;

	orla_http_block_signals(&saved);
	while (serve_sockets(engine, &state) && ++rounds < ROUNDS)
		;
	if (engine->due >= 0 && engine->due <= now_ms() && state == CURLM_OK)
	{
		engine->due = -1;
		state = curl_multi_socket_action(engine->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	collect_ended(engine);
	if (state != CURLM_OK)
		end_all(engine);
	orla_http_unblock_signals(&saved);
}

void
orla_http_run(OrlaHttpEngine *engine)
{
	make_progress(engine);
	while (!dlist_is_empty(&engine->ended))
	{
		OrlaHttpTransfer *transfer = dlist_head_element(OrlaHttpTransfer, node, &engine->ended);

		orla_http_transfer_conclude(transfer);
		dlist_delete(&transfer->node);
		transfer->listed = false;
		engine->in_flight--;
		transfer->done(transfer->arg, &transfer->response);
	}
}

/* Answers that were handed over and stayed below the engine are not touched. */
void
orla_http_cancel_all(OrlaHttpEngine *engine)
{
	while (!dlist_is_empty(&engine->ended))
		MemoryContextDelete(dlist_head_element(OrlaHttpTransfer, node, &engine->ended)->context);
	while (!dlist_is_empty(&engine->running))
		MemoryContextDelete(dlist_head_element(OrlaHttpTransfer, node, &engine->running)->context);
	engine->in_flight = 0;
}

/* ---- one request, waited for -------------------------------------------- */

static void
keep_response(void *arg, OrlaHttpResponse *response)
{
	*(OrlaHttpResponse *volatile *) arg = response;
}

static void
wait_for_engine(OrlaHttpEngine *engine)
{
	long		timeout = orla_http_engine_timeout(engine);
	int			events = WL_LATCH_SET | WL_SOCKET_READABLE | WL_EXIT_ON_PM_DEATH;

	(void) WaitLatchOrSocket(MyLatch, timeout < 0 ? events : events | WL_TIMEOUT,
							 engine->fd, timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

OrlaHttpResponse *
orla_http_fetch(const OrlaHttpRequest *request)
{
	OrlaHttpResponse *volatile response = NULL;

	if (session_engine == NULL)
		session_engine = create(TopMemoryContext, IDLE_CONNECTIONS_OF_SESSION);
	orla_http_cancel_all(session_engine);	/* nothing, unless an error was odd */
	PG_TRY();
	{
		orla_http_start(session_engine, request, keep_response, (void *) &response);
		orla_http_run(session_engine);
		while (response == NULL)
		{
			wait_for_engine(session_engine);
			orla_http_run(session_engine);
		}
	}
	PG_CATCH();
	{
		orla_http_cancel_all(session_engine);
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSetParent(response->context, CurrentMemoryContext);
	return response;
}
