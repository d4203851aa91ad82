/*
 * worker_task.c
 *		One task of a worker: its steps.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "utils/builtins.h"

#include "errors.h"
#include "http_json.h"
#include "worker_apart.h"
#include "worker_call.h"
#include "worker_list.h"
#include "worker_operation.h"
#include "worker_step.h"
#include "worker_task.h"

/* More would mean that what it waits for never helps. */
#define WAITS_MAX			3

/* How long a caller waits for locks, and how often they are tried. */
#define LOCKED_MS			2000
#define RETRY_MS			50
#define RETRY_MAX_MS		1000

/* How long a response is kept that cannot be recorded. */
#define RECORD_MS			(10 * 60 * 1000)

OrlaTaskCounters orla_task_counters;

static OrlaHttpEngine *http_engine = NULL;

void
orla_tasks_init(OrlaHttpEngine *engine)
{
	http_engine = engine;
}

/* ---- the end of a task --------------------------------------------------- */

static void
note_error(const char *message)
{
	strlcpy(orla_task_counters.last_error, message,
			sizeof(orla_task_counters.last_error));
}

/* The caller has its answer; the task may go on without. */
static void
fail_call(OrlaTask *task, int sqlstate, const char *message, const char *detail,
		  const char *hint)
{
	if (task->call != NULL)
		orla_call_fail(task->call, sqlstate, message, detail, hint);
	task->call = NULL;
}

void
orla_task_fail_busy(OrlaTask *task, const char *detail)
{
	fail_call(task, ERRCODE_ORLA_UNAVAILABLE, "too busy, try again", detail,
			  "Try again in a moment.");
}

void
orla_task_give_up(OrlaTask *task)
{
	ErrorData  *error;

	orla_task_fail_busy(task, "The work came to no end.");	/* unless it has an answer */
	if (task->key != NULL)
	{
		Jsonb	   *key = orla_step_key(task->key);

		(void) orla_operation_run("release_claim", key, &error);
	}
	orla_task_free(task);
}

/* ---- requests ------------------------------------------------------------ */

/* The engine's callback: only takes note, orla_tasks_advance() goes on. */
static void
request_ended(void *arg, OrlaHttpResponse *response)
{
	OrlaTask   *task = arg;
	MemoryContext caller = MemoryContextSwitchTo(task->memory);

	/* First of all: what follows may raise. */
	orla_task_move(task, ORLA_TASKS_READY);
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
send_request(OrlaTask *task, Jsonb *json)
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
	explicit_bzero(json, VARSIZE(json));
	return task->transfer != NULL;
}

/* A task keeps the key that it began with, whatever its later requests say. */
static void
start_request(OrlaTask *task, OrlaStep *step)
{
	if (task->key == NULL)
		task->key = step->key;
	if (!send_request(task, step->request))
	{
		fail_call(task, ERRCODE_INTERNAL_ERROR, "malformed request", NULL, NULL);
		orla_task_give_up(task);
		return;
	}
	strlcpy(task->operation, step->next, NAMEDATALEN);
	task->state = step->state;
	task->progress = step->progress;
	task->report_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ORLA_TASK_REPORT_EVERY_MS);
	task->together = step->together;
	orla_task_put(task, ORLA_TASKS_REQUESTING);
	orla_task_counters.requests++;
}

/* ---- another process ----------------------------------------------------- */

/* NULL where there is no memory or no descriptor for it. */
static dsm_segment *
make_call(const char *operation, Jsonb *args)
{
	MemoryContext caller = CurrentMemoryContext;
	dsm_segment *volatile segment = NULL;

	PG_TRY();
	{
		segment = orla_call_make(operation, args);
		dsm_pin_mapping(segment);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		EmitErrorReport();
		FlushErrorState();
	}
	PG_END_TRY();
	return segment;
}

static void
start_apart(OrlaTask *task, OrlaStep *step)
{
	dsm_segment *segment = make_call(step->apart, step->args);

	explicit_bzero(step->args, VARSIZE(step->args));
	if (segment == NULL)
	{
		orla_task_fail_busy(task, "The worker had no memory or no descriptor for another process.");
		orla_task_give_up(task);
		return;
	}
	orla_apart_init(&task->apart, segment);
	strlcpy(task->operation, step->next != NULL ? step->next : "", NAMEDATALEN);
	task->state = step->state;
	orla_task_put(task, ORLA_TASKS_APART);
	(void) orla_task_look_apart(task);
}

/* The task is in no list. */
static void
take_apart_answer(OrlaTask *task)
{
	OrlaCall   *apart = dsm_segment_address(task->apart.segment);
	Jsonb	   *result;

	if (orla_call_has_failed(apart))
	{
		if (task->call != NULL)
			orla_call_fail_as(task->call, apart);
		task->call = NULL;
		orla_task_give_up(task);
		return;
	}
	result = orla_call_take_result(apart);
	orla_apart_leave(&task->apart);
	task->began_at = GetCurrentTimestamp();
	task->records = false;
	task->tries = 0;
	if (task->operation[0] == '\0')
		task->result = result;
	else
	{
		orla_wipe_and_free(&task->args);
		task->args = orla_step_continue(task->state, result);
		orla_wipe_and_free(&task->state);
		orla_wipe_and_free(&result);
	}
	orla_task_put_before_recordings(task);
}

long
orla_task_look_apart(OrlaTask *task)
{
	MemoryContext caller = MemoryContextSwitchTo(task->memory);
	OrlaApartState state = orla_apart_look(&task->apart);
	const char *detail;
	const char *hint;

	if (state == ORLA_APART_ANSWERED || state == ORLA_APART_NO_ROOM || state == ORLA_APART_ENDED)
	{
		dlist_delete(&task->node);
		orla_task_current = task;
	}
	if (state == ORLA_APART_ANSWERED)
		take_apart_answer(task);
	else if (state == ORLA_APART_NO_ROOM || state == ORLA_APART_ENDED)
	{
		orla_apart_problem(state, &detail, &hint);
		fail_call(task, ERRCODE_ORLA_UNAVAILABLE, "too busy, try again", detail, hint);
		orla_task_give_up(task);
	}
	MemoryContextSwitchTo(caller);
	return orla_apart_timeout(state);
}

/* ---- steps --------------------------------------------------------------- */

/*
 * Who waits for something that is not under way has met a claim of a task that
 * came to no end, and is told so.
 */
static void
wait_for_key(OrlaTask *task, OrlaStep *step)
{
	if (task->call_args == NULL || task->records || ++task->waits > WAITS_MAX)
	{
		orla_task_fail_busy(task, "What the call waited for has not ended.");
		orla_task_give_up(task);
		return;
	}
	task->args = orla_step_flag(task->call_args,
								orla_task_is_in_flight(step->key) ? "waited" : "unclaimed");
	task->waits_for = step->key;
	task->began_at = GetCurrentTimestamp();
	orla_task_put(task, orla_task_is_in_flight(step->key) ? ORLA_TASKS_WAITING : ORLA_TASKS_READY);
}

/* In a transaction of its own, when the tasks are advanced. */
static void
run_next(OrlaTask *task, OrlaStep *step)
{
	if (task->key == NULL)
		task->key = step->key;
	strlcpy(task->operation, step->next, NAMEDATALEN);
	task->args = step->args;
	task->records = false;
	task->tries = 0;
	task->began_at = GetCurrentTimestamp();
	orla_task_put_before_recordings(task);
}

/* Not before its time, which then tells nothing of what the step took. */
static void
take_result(OrlaTask *task, OrlaStep *step, Jsonb *result)
{
	TimestampTz when = TimestampTzPlusMilliseconds(task->began_at, step->hold_ms);

	if (step->hold_ms > 0 && GetCurrentTimestamp() < when)
	{
		task->result = result;
		task->run_at = when;
		orla_task_put(task, ORLA_TASKS_ASIDE);
		return;
	}
	if (task->call != NULL)
		orla_call_answer(task->call, result);
	explicit_bzero(result, VARSIZE(result));
	orla_task_free(task);
}

static void
take_malformed_step(OrlaTask *task)
{
	elog(LOG, "orla operation \"%s\" returned no step", task->operation);
	fail_call(task, ERRCODE_INTERNAL_ERROR, "malformed step", NULL, NULL);
	orla_task_give_up(task);
}

/* What to do with an operation's result. */
static void
take_step(OrlaTask *task, Jsonb *result)
{
	OrlaStep	step;

	orla_step_read(result, &step);
	if (step.kind == ORLA_STEP_RESULT)
	{
		take_result(task, &step, result);
		return;
	}
	explicit_bzero(result, VARSIZE(result));
	switch (step.kind)
	{
		case ORLA_STEP_HTTP:
			start_request(task, &step);
			break;
		case ORLA_STEP_APART:
			start_apart(task, &step);
			break;
		case ORLA_STEP_RUN:
			run_next(task, &step);
			break;
		case ORLA_STEP_WAIT:
			wait_for_key(task, &step);
			break;
		case ORLA_STEP_RESULT:
		case ORLA_STEP_MALFORMED:
			take_malformed_step(task);
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
is_worth_another_try(const OrlaTask *task, const ErrorData *error, long spent)
{
	if (task->records)
		return spent < RECORD_MS;
	return is_about_locks(error) && spent < LOCKED_MS;
}

void
orla_task_put_aside(OrlaTask *task)
{
	long		pause = Min(RETRY_MS << Min(task->tries, 10), RETRY_MAX_MS);

	task->tries++;
	task->run_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), pause);
	orla_task_put(task, ORLA_TASKS_ASIDE);
}

/* A caller does not wait for a recording that takes its time. */
static void
take_error(OrlaTask *task, ErrorData *error)
{
	long		spent = TimestampDifferenceMilliseconds(task->began_at, GetCurrentTimestamp());
	long		patience = error->sqlerrcode == ERRCODE_OBJECT_IN_USE ? ORLA_TASK_WAIT_MS : LOCKED_MS;

	note_error(error->message);
	if (is_about_locks(error) && spent >= patience)
		orla_task_fail_busy(task, "Somebody holds a lock that the work needs.");
	else if (!is_about_locks(error))
	{
		orla_step_report_fault(task->operation, error);
		fail_call(task, error->sqlerrcode, error->message, error->detail, error->hint);
	}
	if (is_worth_another_try(task, error, spent))
		orla_task_put_aside(task);
	else
		orla_task_give_up(task);
}

void
orla_task_take_response(OrlaTask *task)
{
	orla_wipe_and_free(&task->args);
	task->args = orla_step_continue(task->state, task->response);
	orla_wipe_and_free(&task->state);
	orla_wipe_and_free(&task->response);
	task->responded = false;
	task->records = true;
	task->tries = 0;
	task->began_at = GetCurrentTimestamp();
}

static Jsonb *
run_operation(OrlaTask *task, ErrorData **error)
{
	Jsonb	   *result;

	pgstat_report_activity(STATE_RUNNING, task->operation);
	result = orla_operation_run(task->operation, task->args, error);
	pgstat_report_activity(STATE_IDLE, NULL);
	return result;
}

void
orla_task_run(OrlaTask *task)
{
	MemoryContext caller = MemoryContextSwitchTo(task->memory);
	ErrorData  *error;
	Jsonb	   *result;

	orla_task_current = task;
	if (task->responded)
		orla_task_take_response(task);
	result = task->result;
	task->result = NULL;
	if (result == NULL)
		result = run_operation(task, &error);
	if (result != NULL)
		take_step(task, result);
	else
		take_error(task, error);
	MemoryContextSwitchTo(caller);
}

void
orla_task_start_call(dsm_segment *segment)
{
	OrlaTask   *task = orla_task_make();
	MemoryContext caller = MemoryContextSwitchTo(task->memory);

	dsm_pin_mapping(segment);
	task->segment = segment;
	task->call = dsm_segment_address(segment);
	strlcpy(task->operation, task->call->operation, NAMEDATALEN);
	task->call_args = orla_call_take_args(task->call);
	task->args = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(task->call_args));
	MemoryContextSwitchTo(caller);
	orla_task_counters.calls++;
	orla_task_run(task);
}

void
orla_task_start_own(Jsonb *work)
{
	OrlaTask   *task = orla_task_make();
	MemoryContext caller = MemoryContextSwitchTo(task->memory);

	orla_task_current = task;
	strlcpy(task->operation, "due_work", NAMEDATALEN);
	/* What the step points to has to live as long as the task. */
	take_step(task, (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(work)));
	MemoryContextSwitchTo(caller);
}
