/*
 * worker_list.h
 *		What a worker has under way, and in which list each of it is.
 *
 * Ownership: a task has a memory context of its own, which holds the task, its
 * arguments, its state and the request's response; it is deleted with the task.
 * What may hold tokens or passwords is wiped before.  The segment of a call is
 * pinned and detached with the task.
 *
 * A task is in exactly one list, or it is orla_task_current.
 */
#ifndef ORLA_WORKER_LIST_H
#define ORLA_WORKER_LIST_H

#include "postgres.h"

#include "lib/ilist.h"
#include "storage/dsm.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "http.h"
#include "worker_apart.h"
#include "worker_call.h"

typedef enum OrlaTaskList
{
	ORLA_TASKS_REQUESTING,		/* a request is under way */
	ORLA_TASKS_APART,			/* another process is at it, or to be */
	ORLA_TASKS_READY,			/* can be run */
	ORLA_TASKS_WAITING,			/* for another task's key */
	ORLA_TASKS_ASIDE			/* until run_at */
} OrlaTaskList;

#define ORLA_TASK_LISTS		5

typedef struct OrlaTask
{
	dlist_node	node;
	MemoryContext memory;
	dsm_segment *segment;		/* NULL: work of our own */
	OrlaCall   *call;			/* NULL: likewise, or answered already */
	char		operation[NAMEDATALEN]; /* to be run next; empty: none, take the response */
	Jsonb	   *args;			/* for it */
	Jsonb	   *call_args;		/* of the call, for running it again */
	char	   *key;			/* under which a request is in flight */
	char	   *waits_for;
	Jsonb	   *state;			/* for the operation that takes the response */
	OrlaHttpTransfer *transfer; /* the request under way */
	OrlaApart	apart;			/* what another process does */
	char	   *progress;		/* operation that is told how it goes; NULL */
	TimestampTz report_at;		/* when to tell it */
	Jsonb	   *response;
	bool		responded;		/* the request has ended, args are to be made of it */
	bool		records;		/* args hold a provider's response */
	bool		together;		/* ... which may be recorded with others */
	Jsonb	   *result;			/* of an operation that has run: still to be taken */
	int			waits;			/* how often it has waited for others */
	int			tries;			/* how often the step has met an error */
	TimestampTz began_at;		/* the step, or the waiting */
	TimestampTz run_at;			/* when to try it again */
} OrlaTask;

extern OrlaTask *orla_task_current;

extern dlist_head *orla_list(OrlaTaskList list);

#define orla_task_of(node_)	dlist_container(OrlaTask, node, (node_))

/* Nothing in it, in no list. */
extern OrlaTask *orla_task_make(void);

/* Wipes and frees it, which is in no list; whoever waits for its key is ready. */
extern void orla_task_free(OrlaTask *task);

/* Into a list, at its end, from none; it is not the current one any more. */
extern void orla_task_put(OrlaTask *task, OrlaTaskList list);

/* From the list that it is in to the end of another. */
extern void orla_task_move(OrlaTask *task, OrlaTaskList list);

/* Ready, before those that have an answer to record: a place is free that they leave empty. */
extern void orla_task_put_before_recordings(OrlaTask *task);

/* A task that waits for its own key holds none yet. */
extern bool orla_task_is_in_flight(const char *key);

/*
 * Lets go of the calls whose callers have left: there are only so many segments
 * in the whole server, and whoever calls and cancels, again and again, would
 * take them all.
 */
extern void orla_tasks_forget_callers(void);

/* Those whose next operation this is, recording included. */
extern int	orla_tasks_on_the_way_to(const char *operation);

/* Frees a value after wiping it; it may be NULL, and is then. */
extern void orla_wipe_and_free(Jsonb **jsonb);

#endif							/* ORLA_WORKER_LIST_H */
