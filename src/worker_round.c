/*
 * worker_round.c
 *		All that a worker has under way: what can go on does, round by round.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "http_json.h"
#include "worker_list.h"
#include "worker_operation.h"
#include "worker_round.h"
#include "worker_step.h"
#include "worker_task.h"

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

static OrlaHttpEngine *http_engine = NULL;

/* When to look again at what other processes do, ms; -1: they do nothing. */
static long look_apart_in = -1;

void
orla_round_init(OrlaHttpEngine *engine)
{
	http_engine = engine;
	orla_tasks_init(engine);
}

/* ---- recording together -------------------------------------------------- */

/* Those at the head of the list that may be recorded in one transaction. */
static int
find_company(OrlaTask **tasks)
{
	int			n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, orla_list(ORLA_TASKS_READY))
	{
		OrlaTask   *task = orla_task_of(iter.cur);

		if (n == TOGETHER_MAX || !task->together ||
			strcmp(task->operation, orla_task_of(dlist_head_node(orla_list(ORLA_TASKS_READY)))->operation) != 0)
			break;
		tasks[n++] = task;
	}
	return n;
}

/* Each keeps what was committed for it until that is taken, whatever becomes of the others. */
static void
take_steps(OrlaTask **tasks, Jsonb **results, int n)
{
	MemoryContext caller = CurrentMemoryContext;
	int			i;

	for (i = 0; i < n; i++)
	{
		MemoryContextSwitchTo(tasks[i]->memory);
		tasks[i]->result = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(results[i]));
		explicit_bzero(results[i], VARSIZE(results[i]));
	}
	MemoryContextSwitchTo(caller);
	for (i = 0; i < n; i++)
	{
		dlist_delete(&tasks[i]->node);
		orla_task_run(tasks[i]);
	}
}

/*
 * One commit for many; how many there were.  They stay in the list until it is
 * done; where one of them fails, each is run by itself.
 */
static int
run_together(void)
{
	OrlaTask   *tasks[TOGETHER_MAX];
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
			orla_task_take_response(tasks[i]);
		args[i] = tasks[i]->args;
		tasks[i]->together = false;
	}
	MemoryContextSwitchTo(caller);
	pgstat_report_activity(STATE_RUNNING, tasks[0]->operation);
	if (!orla_operation_run_together(tasks[0]->operation, n, args, results, &error))
		return 0;
	pgstat_report_activity(STATE_IDLE, NULL);
	take_steps(tasks, results, n);
	return n;
}

/* ---- a round -------------------------------------------------------------- */

/*
 * Those that were put aside for long enough, and callers that waited too long or
 * have left.
 */
static void
look_at_the_clock(void)
{
	TimestampTz now = GetCurrentTimestamp();
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, orla_list(ORLA_TASKS_ASIDE))
	{
		OrlaTask   *task = orla_task_of(iter.cur);

		if (task->run_at <= now)
			orla_task_move(task, ORLA_TASKS_READY);
	}
	dlist_foreach_modify(iter, orla_list(ORLA_TASKS_WAITING))
	{
		OrlaTask   *task = orla_task_of(iter.cur);

		/* Nothing is done yet, and nobody waits for it. */
		if (task->segment == NULL ||
			TimestampDifferenceExceeds(task->began_at, now, ORLA_TASK_WAIT_MS))
		{
			dlist_delete(&task->node);
			orla_task_fail_busy(task, "What the call waited for has not ended.");
			orla_task_free(task);
		}
	}
}

/* An error says nothing: the request goes on. */
static bool
is_wanted(OrlaTask *task)
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
drop_request(OrlaTask *task)
{
	OrlaHttpResponse dropped = {.failure = ORLA_HTTP_DROPPED, .sent = true, .body = ""};
	MemoryContext caller = MemoryContextSwitchTo(task->memory);

	dropped.message = "nobody waits for the answer";
	dropped.partial = orla_http_begun(task->transfer, &dropped.partial_len);
	task->response = orla_http_response_to_jsonb(&dropped);
	orla_http_give_up(http_engine, task->transfer);
	task->transfer = NULL;
	task->responded = true;
	orla_task_move(task, ORLA_TASKS_READY);
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

	dlist_foreach_modify(iter, orla_list(ORLA_TASKS_REQUESTING))
	{
		OrlaTask   *task = orla_task_of(iter.cur);

		if (task->progress == NULL || now < task->report_at)
			continue;
		task->report_at = TimestampTzPlusMilliseconds(now, ORLA_TASK_REPORT_EVERY_MS);
		if (!is_wanted(task))
			drop_request(task);
	}
}

/* How it stands with what other processes do. */
static void
look_apart(void)
{
	dlist_mutable_iter iter;

	look_apart_in = -1;
	dlist_foreach_modify(iter, orla_list(ORLA_TASKS_APART))
	{
		long		ms = orla_task_look_apart(orla_task_of(iter.cur));

		look_apart_in = look_apart_in < 0 ? ms : Min(look_apart_in, ms);
	}
}

int
orla_tasks_advance(void)
{
	int			n = 0;
	int			together;
	int64		requests;

	orla_tasks_forget_callers();
	look_at_the_clock();
	report_progress();
	look_apart();
	while (!dlist_is_empty(orla_list(ORLA_TASKS_READY)) && n < ADVANCE_MAX)
	{
		together = run_together();
		CHECK_FOR_INTERRUPTS();
		if (together > 0)
			return n + together;
		requests = orla_task_counters.requests;
		orla_task_run(orla_task_of(dlist_pop_head_node(orla_list(ORLA_TASKS_READY))));
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

	dlist_foreach(iter, orla_list(ORLA_TASKS_READY))
	{
		OrlaTask   *task = orla_task_of(iter.cur);

		if (n < HEARD_MAX && task->responded && task->key != NULL)
			keys[n++] = CStringGetTextDatum(task->key);
	}
	return construct_array(keys, n, TEXTOID, -1, false, TYPALIGN_INT);
}

long
orla_tasks_timeout(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long		wait = dlist_is_empty(orla_list(ORLA_TASKS_APART)) ? -1 : Max(look_apart_in, 0);
	dlist_iter	iter;

	if (!dlist_is_empty(orla_list(ORLA_TASKS_READY)))
		return 0;
	dlist_foreach(iter, orla_list(ORLA_TASKS_ASIDE))
	{
		long		ms = TimestampDifferenceMilliseconds(now, orla_task_of(iter.cur)->run_at);

		wait = wait < 0 ? ms : Min(wait, ms);
	}
	dlist_foreach(iter, orla_list(ORLA_TASKS_REQUESTING))
	{
		OrlaTask   *task = orla_task_of(iter.cur);
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

bool
orla_tasks_idle(void)
{
	return dlist_is_empty(orla_list(ORLA_TASKS_REQUESTING)) &&
		dlist_is_empty(orla_list(ORLA_TASKS_APART)) &&
		dlist_is_empty(orla_list(ORLA_TASKS_READY)) &&
		dlist_is_empty(orla_list(ORLA_TASKS_ASIDE));
}

void
orla_tasks_recover(void)
{
	OrlaTask   *task = orla_task_current;

	if (task == NULL)
		return;
	MemoryContextSwitchTo(task->memory);
	if (task->records)
		orla_task_put_aside(task);
	else
	{
		orla_task_fail_busy(task, "The worker met an error.");
		orla_task_give_up(task);
	}
	MemoryContextSwitchTo(TopMemoryContext);
}

void
orla_tasks_abandon(void)
{
	int			i;

	for (i = 0; i < ORLA_TASK_LISTS; i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, orla_list(i))
			orla_task_fail_busy(orla_task_of(iter.cur), "The worker was stopped.");
	}
	if (orla_task_current != NULL)
		orla_task_fail_busy(orla_task_current, "The worker was stopped.");
}
