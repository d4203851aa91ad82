/*
 * worker_task.h
 *		What a worker has under way: operations of callers and of its own, step
 *		by step.
 *
 * A task runs an operation, makes the request that its result asks for, runs
 * the next operation with the response, and so on until there is an answer.
 * Each step is committed before the next begins, so that whatever ends the
 * process leaves a state from which the work can be taken up again.
 *
 * An operation that meets a lock is put aside and run again, so that nobody
 * else waits.  One that records a response is run again whatever its error was:
 * the response may hold the only copy of a token.
 *
 * All tasks of a worker are in one process and one thread: between two steps
 * nothing of orla's changes but by other tasks.
 */
#ifndef ORLA_WORKER_TASK_H
#define ORLA_WORKER_TASK_H

#include "postgres.h"

#include "http.h"
#include "storage/dsm.h"
#include "utils/array.h"
#include "utils/jsonb.h"

/* The engine that makes the requests.  Once per process. */
extern void orla_tasks_init(OrlaHttpEngine *engine);

/* A caller's call, whose segment has been attached; its args are taken. */
extern void orla_task_start_call(dsm_segment *segment);

/* Work of the worker's own; `work` is a step as of worker_step.h. */
extern void orla_task_start_own(Jsonb *work);

/* Goes on with tasks that can, some at a time; how many there were. */
extern int	orla_tasks_advance(void);

/* Keys (text) of those that it goes on with first, and whose requests have ended. */
extern ArrayType *orla_tasks_heard(void);

/* ms until a task wants to go on or to be reported on; -1: none. */
extern long orla_tasks_timeout(void);

/* Requests under way. */
extern int	orla_tasks_in_flight(void);

/* Those whose responses go to this operation, recording them included. */
extern int	orla_tasks_on_the_way_to(const char *operation);

/*
 * After an error that left the middle of a step: ends the task that it came
 * from.  Call it outside of any transaction.
 */
extern void orla_tasks_recover(void);

/* Whether the process may end: nothing is under way, nothing to be recorded. */
extern bool orla_tasks_idle(void);

/* Fails all calls, because the process ends. */
extern void orla_tasks_abandon(void);

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
