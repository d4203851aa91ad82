/*
 * worker_task.c
 *		What a worker has under way.
 *
 * Ownership: a task has a memory context of its own, which holds the task, its
 * arguments, its state and the request's response; it is deleted with the task.
 * What may hold tokens is wiped before.  The segment of a call is pinned and
 * detached with the task.
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"

#include "errors.h"
#include "http_json.h"
#include "worker_call.h"
#include "worker_operation.h"
#include "worker_step.h"
#include "worker_task.h"

typedef struct Task
{
	dlist_node	node;			/* in running, advancing or waiting */
	MemoryContext memory;
	dsm_segment *segment;		/* NULL: work of our own */
	OrlaCall   *call;			/* NULL: likewise */
	Jsonb	   *args;			/* of the call, for running it again */
	int			runs;			/* how often the call was run from the start */
	char	   *key;			/* under which a request is in flight */
	char	   *waits_for;
	char	   *next;			/* operation for the response */
	char	   *progress;		/* operation that is told how it goes; NULL */
	TimestampTz report_at;		/* when to tell it */
	OrlaHttpTransfer *transfer; /* NULL: no request under way */
	Jsonb	   *state;
	Jsonb	   *response;		/* once the request has ended */
	Jsonb	   *continuation;	/* what the operation now running was given */
} Task;

/* How often do_<progress> is told. */
#define REPORT_EVERY_MS	1000

/* More would mean that what it waits for never helps. */
#define RUNS_MAX	3

OrlaTaskCounters orla_task_counters;

static OrlaHttpEngine *http_engine = NULL;

static dlist_head running = DLIST_STATIC_INIT(running); /* a request is under way */
static dlist_head advancing = DLIST_STATIC_INIT(advancing); /* its response is there */
static dlist_head waiting = DLIST_STATIC_INIT(waiting); /* for another task's key */

static void run_step(Task *task, const char *operation, Jsonb *args);

void
orla_tasks_init(OrlaHttpEngine *engine)
{
	http_engine = engine;
}

int
orla_tasks_in_flight(void)
{
	return orla_http_in_flight(http_engine);
}

static void
wipe_jsonb(Jsonb *jsonb)
{
	if (jsonb != NULL)
		explicit_bzero(jsonb, VARSIZE(jsonb));
}

static Task *
make_task(void)
{
	MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "orla task",
												 ALLOCSET_DEFAULT_SIZES);
	Task	   *task = MemoryContextAllocZero(memory, sizeof(Task));

	task->memory = memory;
	return task;
}

/* The task is in no list. */
static void
end_task(Task *task)
{
	wipe_jsonb(task->args);
	wipe_jsonb(task->state);
	wipe_jsonb(task->response);
	wipe_jsonb(task->continuation);
	if (task->segment != NULL)
		dsm_detach(task->segment);
	MemoryContextDelete(task->memory);
}

static void
note_error(const char *message)
{
	strlcpy(orla_task_counters.last_error, message,
			sizeof(orla_task_counters.last_error));
}

static void
fail_task(Task *task, int sqlstate, const char *message, const char *detail,
		  const char *hint)
{
	if (task->call != NULL)
		orla_call_fail(task->call, sqlstate, message, detail, hint);
}

/* Runs those again that waited for what the task had under way. */
static void
release_waiters(const char *key)
{
	dlist_mutable_iter iter;
	dlist_head	released;

	dlist_init(&released);
	dlist_foreach_modify(iter, &waiting)
	{
		Task	   *task = dlist_container(Task, node, iter.cur);

		if (strcmp(task->waits_for, key) == 0)
		{
			dlist_delete(&task->node);
			dlist_push_tail(&released, &task->node);
		}
	}
	while (!dlist_is_empty(&released))
	{
		Task	   *task = dlist_container(Task, node, dlist_pop_head_node(&released));

		run_step(task, task->call->operation, task->args);
	}
}

static void
finish_task(Task *task)
{
	char	   *key = task->key == NULL ? NULL :
		MemoryContextStrdup(TopMemoryContext, task->key);

	MemoryContextSwitchTo(TopMemoryContext);
	end_task(task);
	if (key != NULL)
	{
		release_waiters(key);
		pfree(key);
	}
}

/* The engine's callback: only takes note, orla_tasks_advance() goes on. */
static void
request_ended(void *arg, OrlaHttpResponse *response)
{
	Task	   *task = arg;
	MemoryContext caller = MemoryContextSwitchTo(task->memory);

	task->transfer = NULL;
	task->response = orla_http_response_to_jsonb(response);
	if (response->failure != ORLA_HTTP_NONE)
	{
		orla_task_counters.failures++;
		note_error(response->message);
	}
	MemoryContextSwitchTo(caller);
	orla_http_response_free(response);
	dlist_delete(&task->node);
	dlist_push_tail(&advancing, &task->node);
}

/* The engine has copies of what it needs, and wipes them. */
static void
wipe_request(OrlaHttpRequest *request)
{
	int			i;

	for (i = 0; i < request->n_headers; i++)
		explicit_bzero(unconstify(char *, request->headers[i].value),
					   strlen(request->headers[i].value));
	if (request->bearer != NULL)
		explicit_bzero(unconstify(char *, request->bearer), request->bearer_len);
	if (request->body != NULL)
		explicit_bzero(unconstify(char *, request->body), request->body_len);
	if (request->password != NULL)
		explicit_bzero(unconstify(char *, request->password), strlen(request->password));
}

/*
 * False when the operation asked for something that is no request, which is a
 * fault of ours and no reason to end the process.
 */
static bool
send_request(Task *task, Jsonb *json)
{
	MemoryContext caller = CurrentMemoryContext;

	PG_TRY();
	{
		OrlaHttpRequest *request = orla_http_request_from_jsonb(json, true);

		task->transfer = orla_http_start(http_engine, request, request_ended, task);
		wipe_request(request);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		EmitErrorReport();
		FlushErrorState();
	}
	PG_END_TRY();
	wipe_jsonb(json);
	return task->transfer != NULL;
}

/* A task keeps the key that it began with, whatever its later requests say. */
static void
start_request(Task *task, OrlaStep *step)
{
	if (!send_request(task, step->request))
	{
		fail_task(task, ERRCODE_INTERNAL_ERROR, "malformed request", NULL, NULL);
		finish_task(task);
		return;
	}
	if (task->key == NULL)
		task->key = step->key;
	task->next = step->next;
	task->state = step->state;
	task->progress = step->progress;
	task->report_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), REPORT_EVERY_MS);
	dlist_push_tail(&running, &task->node);
	orla_task_counters.requests++;
}

/* The operation runs when the tasks are advanced, not while others look on. */
static void
run_later(Task *task, OrlaStep *step)
{
	if (task->key == NULL)
		task->key = step->key;
	task->next = step->next;
	task->continuation = step->args;
	dlist_push_tail(&advancing, &task->node);
}

static bool
is_in_flight(const char *key)
{
	dlist_head *lists[] = {&running, &advancing};
	int			i;

	for (i = 0; i < lengthof(lists); i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, lists[i])
		{
			Task	   *task = dlist_container(Task, node, iter.cur);

			if (task->key != NULL && strcmp(task->key, key) == 0)
				return true;
		}
	}
	return false;
}

static void
wait_for_key(Task *task, OrlaStep *step)
{
	if (task->call == NULL || !is_in_flight(step->key) || task->runs > RUNS_MAX)
	{
		fail_task(task, ERRCODE_ORLA_UNAVAILABLE, "too busy, try again",
				  "What the call waited for has not ended.", NULL);
		end_task(task);
		return;
	}
	task->waits_for = step->key;
	dlist_push_tail(&waiting, &task->node);
}

/* What to do with an operation's result. */
static void
take_step(Task *task, const char *operation, Jsonb *result)
{
	OrlaStep	step;

	orla_step_read(result, &step);
	switch (step.kind)
	{
		case ORLA_STEP_RESULT:
			if (task->call != NULL)
				orla_call_answer(task->call, result);
			wipe_jsonb(result);
			finish_task(task);
			break;
		case ORLA_STEP_HTTP:
			wipe_jsonb(result);
			start_request(task, &step);
			break;
		case ORLA_STEP_RUN:
			run_later(task, &step);
			wipe_jsonb(result);
			break;
		case ORLA_STEP_WAIT:
			wait_for_key(task, &step);
			break;
		case ORLA_STEP_MALFORMED:
			elog(LOG, "orla operation \"%s\" returned no step", operation);
			fail_task(task, ERRCODE_INTERNAL_ERROR, "malformed step", NULL, NULL);
			finish_task(task);
			break;
	}
}

/* Runs an operation of the task, which is in no list. */
static void
run_step(Task *task, const char *operation, Jsonb *args)
{
	MemoryContext caller = MemoryContextSwitchTo(task->memory);
	ErrorData  *error;
	Jsonb	   *result;

	if (args == task->args)
		task->runs++;
	pgstat_report_activity(STATE_RUNNING, operation);
	result = orla_operation_run(operation, args, &error);
	pgstat_report_activity(STATE_IDLE, NULL);
	if (result != NULL)
		take_step(task, operation, result);
	else
	{
		orla_step_report_fault(operation, error);
		note_error(error->message);
		fail_task(task, error->sqlerrcode, error->message, error->detail, error->hint);
		finish_task(task);
	}
	MemoryContextSwitchTo(caller);
}

void
orla_task_start_call(dsm_segment *segment)
{
	Task	   *task = make_task();
	MemoryContext caller = MemoryContextSwitchTo(task->memory);

	dsm_pin_mapping(segment);
	task->segment = segment;
	task->call = dsm_segment_address(segment);
	task->args = orla_call_take_args(task->call);
	MemoryContextSwitchTo(caller);
	orla_task_counters.calls++;
	run_step(task, task->call->operation, task->args);
}

void
orla_task_start_own(Jsonb *work)
{
	Task	   *task = make_task();
	MemoryContext caller = MemoryContextSwitchTo(task->memory);

	/* What the step points to has to live as long as the task. */
	take_step(task, "due_work", (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(work)));
	MemoryContextSwitchTo(caller);
}

int
orla_tasks_advance(void)
{
	int			n = 0;

	while (!dlist_is_empty(&advancing))
	{
		Task	   *task = dlist_container(Task, node, dlist_head_node(&advancing));
		MemoryContext caller = MemoryContextSwitchTo(task->memory);

		dlist_delete(&task->node);
		if (task->response != NULL)
		{
			wipe_jsonb(task->continuation);
			task->continuation = orla_step_continue(task->state, task->response);
		}
		MemoryContextSwitchTo(caller);
		wipe_jsonb(task->state);
		wipe_jsonb(task->response);
		task->state = task->response = NULL;
		run_step(task, task->next, task->continuation);
		n++;
		CHECK_FOR_INTERRUPTS();
	}
	return n;
}

bool
orla_tasks_are_ready(void)
{
	return !dlist_is_empty(&advancing);
}

/* An error says nothing: the request goes on. */
static bool
is_wanted(Task *task)
{
	Jsonb	   *args = orla_step_progress(task->state, orla_http_received(task->transfer));
	ErrorData  *error;
	Jsonb	   *result = orla_operation_run(task->progress, args, &error);

	if (result == NULL)
		orla_step_report_fault(task->progress, error);
	return result == NULL || !orla_step_is_no(result);
}

bool
orla_tasks_report(void)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		watched = false;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &running)
	{
		Task	   *task = dlist_container(Task, node, iter.cur);

		watched |= task->progress != NULL;
		if (task->progress == NULL || now < task->report_at)
			continue;
		task->report_at = TimestampTzPlusMilliseconds(now, REPORT_EVERY_MS);
		if (!is_wanted(task))
		{
			orla_http_give_up(http_engine, task->transfer);
			dlist_delete(&task->node);
			finish_task(task);
		}
	}
	return watched;
}

void
orla_tasks_abandon(void)
{
	dlist_head *lists[] = {&running, &advancing, &waiting};
	int			i;

	for (i = 0; i < lengthof(lists); i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, lists[i])
			fail_task(dlist_container(Task, node, iter.cur),
					  ERRCODE_ORLA_UNAVAILABLE, "too busy, try again",
					  "The worker was stopped.", "Try again in a moment.");
	}
}
