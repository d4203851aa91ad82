/*
 * worker_task.h
 *		One task of a worker: an operation of a caller or of its own, step by step.
 *
 * A task runs an operation, makes the request that its result asks for or has
 * another process do what takes long, runs the next operation with the response,
 * and so on until there is an answer.  Each step is committed before the next
 * begins, so that whatever ends the process leaves a state from which the work can
 * be taken up again.
 *
 * An operation that meets a lock is put aside and run again, so that nobody
 * else waits.  One that records a provider's response is run again whatever its
 * error was: the response may hold the only copy of a token.
 */
#ifndef ORLA_WORKER_TASK_H
#define ORLA_WORKER_TASK_H

#include "postgres.h"

#include "http.h"
#include "storage/dsm.h"
#include "utils/jsonb.h"

#include "worker_list.h"

/* How long a caller waits for what others have under way. */
#define ORLA_TASK_WAIT_MS	30000

/* How often do_<progress> is told. */
#define ORLA_TASK_REPORT_EVERY_MS	1000

/* The engine that makes the requests.  Once per process. */
extern void orla_tasks_init(OrlaHttpEngine *engine);

/* A caller's call, whose segment has been attached; its args are taken. */
extern void orla_task_start_call(dsm_segment *segment);

/* Work of the worker's own; `work` is a step as of worker_step.h. */
extern void orla_task_start_own(Jsonb *work);

/* ---- for worker_round.c; the task is in no list unless it says otherwise ---- */

/* The next operation, or what to do with the result that it has. */
extern void orla_task_run(OrlaTask *task);

/* The response that has come, as arguments of the operation that takes it.  In any list. */
extern void orla_task_take_response(OrlaTask *task);

/* How it stands with the other process; when to look again, ms.  In ORLA_TASKS_APART. */
extern long orla_task_look_apart(OrlaTask *task);

/* Tells the caller, if there is one that has no answer yet.  In any list. */
extern void orla_task_fail_busy(OrlaTask *task, const char *detail);

/*
 * Ends a task that has not come to its end.  What it had claimed nobody has
 * under way any more.
 */
extern void orla_task_give_up(OrlaTask *task);

/* To be run again later, more so the more often it was. */
extern void orla_task_put_aside(OrlaTask *task);

/* What to count, set to zero by whoever has taken it over. */
typedef struct OrlaTaskCounters
{
	int64		calls;
	int64		requests;
	int64		failures;
	char		last_error[256];	/* empty: none since */
} OrlaTaskCounters;

extern OrlaTaskCounters orla_task_counters;

#endif							/* ORLA_WORKER_TASK_H */
