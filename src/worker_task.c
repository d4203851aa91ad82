/*
 * worker_task.c
 *		What a worker has under way.
 *
 * Ownership: a task has a memory context of its own, which holds the task, its
 * arguments, its state and the request's response; it is deleted with the task.
 * What may hold tokens is wiped before.  The segment of a call is pinned and
 * detached with the task.
 *
 * A task is in exactly one list, or it is `current`.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "http_json.h"
#include "worker_call.h"
#include "worker_operation.h"
#include "worker_step.h"
#include "worker_task.h"

typedef struct Task
{
	dlist_node	node;
	MemoryContext memory;
	dsm_segment *segment;		/* NULL: work of our own */
	OrlaCall   *call;			/* NULL: likewise, or answered already */
	char		operation[NAMEDATALEN]; /* to be run next */
	Jsonb	   *args;			/* for it */
	Jsonb	   *call_args;		/* of the call, for running it again */
	char	   *key;			/* under which a request is in flight */
	char	   *waits_for;
	Jsonb	   *state;			/* for the operation that takes the response */
	OrlaHttpTransfer *transfer; /* the request under way */
	char	   *progress;		/* operation that is told how it goes; NULL */
	TimestampTz report_at;		/* when to tell it */
	Jsonb	   *response;
	bool		responded;		/* the request has ended, args are to be made of it */
	bool		records;		/* args hold a response */
	bool		together;		/* ... which may be recorded with others */
	int			waits;			/* how often it has waited for others */
	int			tries;			/* how often the step has met an error */
	TimestampTz began_at;		/* the step, or the waiting */
	TimestampTz run_at;			/* when to try it again */
} Task;

/* More would mean that what it waits for never helps. */
#define WAITS_MAX			3

/* How often do_<progress> is told. */
#define REPORT_EVERY_MS		1000

/* How long a caller waits for what others have under way. */
#define WAIT_MS				30000

/* How long a caller waits for locks, and how often they are tried. */
#define LOCKED_MS			2000
#define RETRY_MS			50
#define RETRY_MAX_MS		1000

/* How long a response is kept that cannot be recorded. */
#define RECORD_MS			(10 * 60 * 1000)

/*
 * Responses that are recorded in one transaction.  No more, so that requests
 * that end meanwhile are not kept waiting.
 */
#define TOGETHER_MAX		32

/*
 * Of those that wait to be recorded so many leave room for others, whose requests
 * are then on their way while these are recorded.
 */
#define HEARD_MAX			128

/*
 * How many are advanced before it is looked for work that is due: what has ended
 * makes room for others, which are not to wait until all that ended is recorded.
 */
#define ADVANCE_MAX			8

OrlaTaskCounters orla_task_counters;

static OrlaHttpEngine *http_engine = NULL;

static dlist_head requesting = DLIST_STATIC_INIT(requesting);	/* a request is under way */
static dlist_head ready = DLIST_STATIC_INIT(ready); /* can be run */
static dlist_head waiting = DLIST_STATIC_INIT(waiting); /* for another task's key */
static dlist_head aside = DLIST_STATIC_INIT(aside); /* until run_at */
static dlist_head *const lists[] = {&requesting, &ready, &waiting, &aside};
static Task *current = NULL;

void
orla_tasks_init(OrlaHttpEngine *engine)
{
	http_engine = engine;
}

/* ---- the life of a task -------------------------------------------------- */

static void
wipe_jsonb(Jsonb *jsonb)
{
	if (jsonb != NULL)
		explicit_bzero(jsonb, VARSIZE(jsonb));
}

static void
wipe_and_free(Jsonb **jsonb)
{
	wipe_jsonb(*jsonb);
	if (*jsonb != NULL)
		pfree(*jsonb);
	*jsonb = NULL;
}

static Task *
make_task(void)
{
	MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "orla task",
												 ALLOCSET_DEFAULT_SIZES);
	Task	   *task = MemoryContextAllocZero(memory, sizeof(Task));

	task->memory = memory;
	task->began_at = GetCurrentTimestamp();
	return task;
}

static bool
has_key(const Task *task, const char *key)
{
	return task->key != NULL && strcmp(task->key, key) == 0;
}

/* A task that waits for its own key holds none yet. */
static bool
is_in_flight(const char *key)
{
	int			i;

	for (i = 0; i < lengthof(lists); i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, lists[i])
		{
			if (has_key(dlist_container(Task, node, iter.cur), key))
				return true;
		}
	}
	return current != NULL && has_key(current, key);
}

/* Those that waited for the key can run again. */
static void
release_waiters(const char *key)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &waiting)
	{
		Task	   *task = dlist_container(Task, node, iter.cur);

		if (strcmp(task->waits_for, key) == 0)
		{
			task->began_at = GetCurrentTimestamp();
			dlist_delete(&task->node);
			dlist_push_tail(&ready, &task->node);
		}
	}
}

/* The task is in no list. */
static void
finish_task(Task *task)
{
	if (current == task)
		current = NULL;
	if (task->key != NULL)
		release_waiters(task->key);
	wipe_jsonb(task->args);
	wipe_jsonb(task->call_args);
	wipe_jsonb(task->state);
	wipe_jsonb(task->response);
	if (task->segment != NULL)
		dsm_detach(task->segment);
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(task->memory);
}

static void
note_error(const char *message)
{
	strlcpy(orla_task_counters.last_error, message,
			sizeof(orla_task_counters.last_error));
}

/* The caller has its answer; the task may go on without. */
static void
fail_call(Task *task, int sqlstate, const char *message, const char *detail,
		  const char *hint)
{
	if (task->call != NULL)
		orla_call_fail(task->call, sqlstate, message, detail, hint);
	task->call = NULL;
}

static void
fail_busy(Task *task, const char *detail)
{
	fail_call(task, ERRCODE_ORLA_UNAVAILABLE, "too busy, try again", detail,
			  "Try again in a moment.");
}

/*
 * Lets go of the calls whose callers have left: there are only so many segments
 * in the whole server, and whoever calls and cancels, again and again, would
 * take them all.
 */
static void
forget_callers(void)
{
	int			i;

	for (i = 0; i < lengthof(lists); i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, lists[i])
		{
			Task	   *task = dlist_container(Task, node, iter.cur);

			if (task->segment == NULL || !orla_call_is_left(dsm_segment_address(task->segment)))
				continue;
			dsm_detach(task->segment);
			task->segment = NULL;
			task->call = NULL;
		}
	}
}

/*
 * Ends a task that has not come to its end.  What it had claimed nobody has
 * under way any more.
 */
static void
give_up(Task *task)
{
	ErrorData  *error;

	fail_busy(task, "The work came to no end.");	/* unless it has an answer */
	if (task->key != NULL)
	{
		Jsonb	   *key = orla_step_key(task->key);

		(void) orla_operation_run("release_claim", key, &error);
	}
	finish_task(task);
}

/* ---- requests ------------------------------------------------------------ */

/* The engine's callback: only takes note, orla_tasks_advance() goes on. */
static void
request_ended(void *arg, OrlaHttpResponse *response)
{
	Task	   *task = arg;
	MemoryContext caller = MemoryContextSwitchTo(task->memory);

	/* First of all: what follows may raise. */
	dlist_delete(&task->node);
	dlist_push_tail(&ready, &task->node);
	task->transfer = NULL;
	task->responded = true;
	if (response->failure != ORLA_HTTP_NONE)
	{
		orla_task_counters.failures++;
		note_error(response->message);
	}
	task->response = orla_http_response_to_jsonb(response);
	MemoryContextSwitchTo(caller);
	orla_http_response_free(response);
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
	if (task->key == NULL)
		task->key = step->key;
	if (strlen(step->next) >= NAMEDATALEN || !send_request(task, step->request))
	{
		fail_call(task, ERRCODE_INTERNAL_ERROR, "malformed request", NULL, NULL);
		give_up(task);
		return;
	}
	strlcpy(task->operation, step->next, NAMEDATALEN);
	task->state = step->state;
	task->progress = step->progress;
	task->report_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), REPORT_EVERY_MS);
	task->together = step->together;
	dlist_push_tail(&requesting, &task->node);
	current = NULL;
	orla_task_counters.requests++;
}

/* ---- steps --------------------------------------------------------------- */

/*
 * Who waits for something that is not under way has met a claim of a task that
 * came to no end, and is told so.
 */
static void
wait_for_key(Task *task, OrlaStep *step)
{
	if (task->call_args == NULL || task->records || ++task->waits > WAITS_MAX)
	{
		fail_busy(task, "What the call waited for has not ended.");
		give_up(task);
		return;
	}
	task->args = orla_step_flag(task->call_args,
								is_in_flight(step->key) ? "waited" : "unclaimed");
	task->waits_for = step->key;
	task->began_at = GetCurrentTimestamp();
	dlist_push_tail(is_in_flight(step->key) ? &waiting : &ready, &task->node);
	current = NULL;
}

/* Before those that have an answer to record: a place is free that they leave empty. */
static void
put_before_recordings(Task *task)
{
	dlist_iter	iter;

	dlist_foreach(iter, &ready)
	{
		Task	   *other = dlist_container(Task, node, iter.cur);

		if (other->responded || other->records)
		{
			dlist_insert_before(iter.cur, &task->node);
			return;
		}
	}
	dlist_push_tail(&ready, &task->node);
}

/* In a transaction of its own, when the tasks are advanced. */
static void
run_next(Task *task, OrlaStep *step)
{
	if (task->key == NULL)
		task->key = step->key;
	if (strlen(step->next) >= NAMEDATALEN)
	{
		fail_call(task, ERRCODE_INTERNAL_ERROR, "malformed step", NULL, NULL);
		give_up(task);
		return;
	}
	strlcpy(task->operation, step->next, NAMEDATALEN);
	task->args = step->args;
	task->records = false;
	task->tries = 0;
	task->began_at = GetCurrentTimestamp();
	put_before_recordings(task);
	current = NULL;
}

/* What to do with an operation's result. */
static void
take_step(Task *task, Jsonb *result)
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
			wipe_jsonb(result);
			run_next(task, &step);
			break;
		case ORLA_STEP_WAIT:
			wait_for_key(task, &step);
			break;
		case ORLA_STEP_MALFORMED:
			elog(LOG, "orla operation \"%s\" returned no step", task->operation);
			fail_call(task, ERRCODE_INTERNAL_ERROR, "malformed step", NULL, NULL);
			give_up(task);
			break;
	}
}

/* Somebody holds what the operation needs, or has it under way. */
static bool
is_about_locks(const ErrorData *error)
{
	switch (error->sqlerrcode)
	{
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_OBJECT_IN_USE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
			return true;
		default:
			return false;
	}
}

static bool
is_worth_another_try(const Task *task, const ErrorData *error, long spent)
{
	if (task->records)
		return spent < RECORD_MS;
	return is_about_locks(error) && spent < LOCKED_MS;
}

static void
put_aside(Task *task)
{
	long		pause = Min(RETRY_MS << Min(task->tries, 10), RETRY_MAX_MS);

	task->tries++;
	task->run_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), pause);
	dlist_push_tail(&aside, &task->node);
	current = NULL;
}

/* A caller does not wait for a recording that takes its time. */
static void
take_error(Task *task, ErrorData *error)
{
	long		spent = TimestampDifferenceMilliseconds(task->began_at, GetCurrentTimestamp());
	long		patience = error->sqlerrcode == ERRCODE_OBJECT_IN_USE ? WAIT_MS : LOCKED_MS;

	note_error(error->message);
	if (is_about_locks(error) && spent >= patience)
		fail_busy(task, "Somebody holds a lock that the work needs.");
	else if (!is_about_locks(error))
	{
		orla_step_report_fault(task->operation, error);
		fail_call(task, error->sqlerrcode, error->message, error->detail, error->hint);
	}
	if (is_worth_another_try(task, error, spent))
		put_aside(task);
	else
		give_up(task);
}

/* The response that has come, as arguments of the operation that takes it. */
static void
take_response(Task *task)
{
	wipe_and_free(&task->args);
	task->args = orla_step_continue(task->state, task->response);
	wipe_and_free(&task->state);
	wipe_and_free(&task->response);
	task->responded = false;
	task->records = true;
	task->tries = 0;
	task->began_at = GetCurrentTimestamp();
}

/* The task is in no list. */
static void
run_task(Task *task)
{
	MemoryContext caller = MemoryContextSwitchTo(task->memory);
	ErrorData  *error;
	Jsonb	   *result;

	current = task;
	if (task->responded)
		take_response(task);
	pgstat_report_activity(STATE_RUNNING, task->operation);
	result = orla_operation_run(task->operation, task->args, &error);
	pgstat_report_activity(STATE_IDLE, NULL);
	if (result != NULL)
		take_step(task, result);
	else
		take_error(task, error);
	MemoryContextSwitchTo(caller);
}

/* Those at the head of the list that may be recorded in one transaction. */
static int
find_company(Task **tasks)
{
	int			n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &ready)
	{
		Task	   *task = dlist_container(Task, node, iter.cur);

		if (n == TOGETHER_MAX || !task->together ||
			strcmp(task->operation, dlist_container(Task, node, dlist_head_node(&ready))->operation) != 0)
			break;
		tasks[n++] = task;
	}
	return n;
}

/*
 * One commit for many; how many there were.  They stay in the list until it is
 * done; where one of them fails, each is run by itself.
 */
static int
run_together(void)
{
	Task	   *tasks[TOGETHER_MAX];
	Jsonb	   *args[TOGETHER_MAX];
	Jsonb	   *results[TOGETHER_MAX];
	MemoryContext caller = CurrentMemoryContext;
	ErrorData  *error;
	int			n = find_company(tasks);
	int			i;

	if (n < 2)
		return 0;
	for (i = 0; i < n; i++)
	{
		MemoryContextSwitchTo(tasks[i]->memory);
		if (tasks[i]->responded)
			take_response(tasks[i]);
		args[i] = tasks[i]->args;
		tasks[i]->together = false;
	}
	MemoryContextSwitchTo(caller);
	pgstat_report_activity(STATE_RUNNING, tasks[0]->operation);
	if (!orla_operation_run_together(tasks[0]->operation, n, args, results, &error))
		return 0;
	pgstat_report_activity(STATE_IDLE, NULL);
	for (i = 0; i < n; i++)
	{
		MemoryContextSwitchTo(tasks[i]->memory);
		dlist_delete(&tasks[i]->node);
		current = tasks[i];
		take_step(tasks[i], results[i]);
		MemoryContextSwitchTo(caller);
	}
	return n;
}

void
orla_task_start_call(dsm_segment *segment)
{
	Task	   *task = make_task();
	MemoryContext caller = MemoryContextSwitchTo(task->memory);

	dsm_pin_mapping(segment);
	task->segment = segment;
	task->call = dsm_segment_address(segment);
	strlcpy(task->operation, task->call->operation, NAMEDATALEN);
	task->call_args = orla_call_take_args(task->call);
	task->args = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(task->call_args));
	MemoryContextSwitchTo(caller);
	orla_task_counters.calls++;
	run_task(task);
}

void
orla_task_start_own(Jsonb *work)
{
	Task	   *task = make_task();
	MemoryContext caller = MemoryContextSwitchTo(task->memory);

	current = task;
	strlcpy(task->operation, "due_work", NAMEDATALEN);
	/* What the step points to has to live as long as the task. */
	take_step(task, (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(work)));
	MemoryContextSwitchTo(caller);
}

/* ---- all of them ---------------------------------------------------------- */

/*
 * Those that were put aside for long enough, and callers that waited too long or
 * have left.
 */
static void
look_at_the_clock(void)
{
	TimestampTz now = GetCurrentTimestamp();
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &aside)
	{
		Task	   *task = dlist_container(Task, node, iter.cur);

		if (task->run_at <= now)
		{
			dlist_delete(&task->node);
			dlist_push_tail(&ready, &task->node);
		}
	}
	dlist_foreach_modify(iter, &waiting)
	{
		Task	   *task = dlist_container(Task, node, iter.cur);

		/* Nothing is done yet, and nobody waits for it. */
		if (task->segment == NULL ||
			TimestampDifferenceExceeds(task->began_at, now, WAIT_MS))
		{
			dlist_delete(&task->node);
			fail_busy(task, "What the call waited for has not ended.");
			finish_task(task);
		}
	}
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

/* What has come until now is for the operation that takes the response. */
static void
drop_request(Task *task)
{
	OrlaHttpResponse dropped = {.failure = ORLA_HTTP_DROPPED, .sent = true, .body = ""};
	MemoryContext caller = MemoryContextSwitchTo(task->memory);

	dropped.message = "nobody waits for the answer";
	dropped.partial = orla_http_begun(task->transfer, &dropped.partial_len);
	task->response = orla_http_response_to_jsonb(&dropped);
	orla_http_give_up(http_engine, task->transfer);
	task->transfer = NULL;
	task->responded = true;
	dlist_delete(&task->node);
	dlist_push_tail(&ready, &task->node);
	MemoryContextSwitchTo(caller);
}

/*
 * Tells how much has come of the answers that somebody wants to know of, and
 * drops the requests that nobody waits for any more.
 */
static void
report_progress(void)
{
	TimestampTz now = GetCurrentTimestamp();
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &requesting)
	{
		Task	   *task = dlist_container(Task, node, iter.cur);

		if (task->progress == NULL || now < task->report_at)
			continue;
		task->report_at = TimestampTzPlusMilliseconds(now, REPORT_EVERY_MS);
		if (!is_wanted(task))
			drop_request(task);
	}
}

int
orla_tasks_advance(void)
{
	int			n = 0;
	int			together;
	int64		requests;

	forget_callers();
	look_at_the_clock();
	report_progress();
	while (!dlist_is_empty(&ready) && n < ADVANCE_MAX)
	{
		together = run_together();
		CHECK_FOR_INTERRUPTS();
		if (together > 0)
			return n + together;
		requests = orla_task_counters.requests;
		run_task(dlist_container(Task, node, dlist_pop_head_node(&ready)));
		n++;
		/* What it asks for goes out now, not when all the others are ready. */
		if (orla_task_counters.requests > requests)
			orla_http_run(http_engine);
		CHECK_FOR_INTERRUPTS();
	}
	return n;
}

ArrayType *
orla_tasks_heard(void)
{
	Datum		keys[HEARD_MAX];
	int			n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &ready)
	{
		Task	   *task = dlist_container(Task, node, iter.cur);

		if (n < HEARD_MAX && task->responded && task->key != NULL)
			keys[n++] = CStringGetTextDatum(task->key);
	}
	return construct_array(keys, n, TEXTOID, -1, false, TYPALIGN_INT);
}

long
orla_tasks_timeout(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long		wait = -1;
	dlist_iter	iter;

	if (!dlist_is_empty(&ready))
		return 0;
	dlist_foreach(iter, &aside)
	{
		long		ms = TimestampDifferenceMilliseconds(now, dlist_container(Task, node, iter.cur)->run_at);

		wait = wait < 0 ? ms : Min(wait, ms);
	}
	dlist_foreach(iter, &requesting)
	{
		Task	   *task = dlist_container(Task, node, iter.cur);
		long		ms = TimestampDifferenceMilliseconds(now, task->report_at);

		if (task->progress != NULL)
			wait = wait < 0 ? ms : Min(wait, ms);
	}
	return wait;
}

int
orla_tasks_in_flight(void)
{
	return orla_http_in_flight(http_engine);
}

int
orla_tasks_on_the_way_to(const char *operation)
{
	int			n = 0;
	int			i;

	for (i = 0; i < lengthof(lists); i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, lists[i])
			n += strcmp(dlist_container(Task, node, iter.cur)->operation, operation) == 0;
	}
	return n;
}

bool
orla_tasks_idle(void)
{
	return dlist_is_empty(&requesting) && dlist_is_empty(&ready) && dlist_is_empty(&aside);
}

void
orla_tasks_recover(void)
{
	Task	   *task = current;

	if (task == NULL)
		return;
	MemoryContextSwitchTo(task->memory);
	if (task->records)
		put_aside(task);
	else
	{
		fail_busy(task, "The worker met an error.");
		give_up(task);
	}
	MemoryContextSwitchTo(TopMemoryContext);
}

void
orla_tasks_abandon(void)
{
	int			i;

	for (i = 0; i < lengthof(lists); i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, lists[i])
			fail_busy(dlist_container(Task, node, iter.cur), "The worker was stopped.");
	}
	if (current != NULL)
		fail_busy(current, "The worker was stopped.");
}
