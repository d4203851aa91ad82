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
 * All tasks of a worker are in one process and one thread: between two steps
 * nothing of orla's changes but by other tasks.
 */
#ifndef ORLA_WORKER_TASK_H
#define ORLA_WORKER_TASK_H

#include "postgres.h"

#include "http.h"
#include "storage/dsm.h"
#include "utils/jsonb.h"

/* The engine that makes the requests.  Once per process. */
extern void orla_tasks_init(OrlaHttpEngine *engine);

/* A caller's call, whose segment has been attached; its args are taken. */
extern void orla_task_start_call(dsm_segment *segment);

/* Work of the worker's own; `work` is a step as of worker_step.h. */
extern void orla_task_start_own(Jsonb *work);

/* Goes on with the tasks whose requests have ended; how many there were. */
extern int	orla_tasks_advance(void);

/* Are there tasks that can go on now? */
extern bool orla_tasks_are_ready(void);

/*
 * Tells how much of the answers has come that somebody wants to know of, once
 * a second each, and ends the tasks that nobody waits for any more.  True
 * while there are such requests.
 */
extern bool orla_tasks_report(void);

/* Requests under way. */
extern int	orla_tasks_in_flight(void);

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
