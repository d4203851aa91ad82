/*
 * worker_round.h
 *		All that a worker has under way: what can go on does, round by round.
 *
 * All tasks of a worker are in one process and one thread: between two steps
 * nothing of orla's changes but by other tasks.
 */
#ifndef ORLA_WORKER_ROUND_H
#define ORLA_WORKER_ROUND_H

#include "postgres.h"

#include "http.h"
#include "utils/array.h"

/* The engine that makes the requests.  Once per process. */
extern void orla_round_init(OrlaHttpEngine *engine);

/* Goes on with tasks that can, some at a time; how many there were. */
extern int	orla_tasks_advance(void);

/* Keys (text) of those that it goes on with first, and whose requests have ended. */
extern ArrayType *orla_tasks_heard(void);

/* ms until a task wants to go on or to be looked at; -1: none. */
extern long orla_tasks_timeout(void);

/* Requests under way. */
extern int	orla_tasks_in_flight(void);

/*
 * After an error that left the middle of a step: ends the task that it came
 * from.  Call it outside of any transaction.
 */
extern void orla_tasks_recover(void);

/* Whether the process may end: nothing is under way, nothing to be recorded. */
extern bool orla_tasks_idle(void);

/* Fails all calls, because the process ends. */
extern void orla_tasks_abandon(void);

#endif							/* ORLA_WORKER_ROUND_H */
