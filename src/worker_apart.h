/*
 * worker_apart.h
 *		A call that is given to a process of its own: the side of who gives it,
 *		without waiting.
 *
 * A process that has stayed takes it (worker_seat.h), or one is started
 * (worker_once.h).  Whoever gives the call has its latch set when there is news,
 * and looks; it owns the segment throughout.
 */
#ifndef ORLA_WORKER_APART_H
#define ORLA_WORKER_APART_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"

#include "worker_seat.h"

typedef enum OrlaApartState
{
	ORLA_APART_WAITS,			/* no process is free; look again soon */
	ORLA_APART_RUNS,
	ORLA_APART_ANSWERED,
	ORLA_APART_NO_ROOM,			/* none was free for too long */
	ORLA_APART_ENDED			/* the process went without an answer */
} OrlaApartState;

typedef struct OrlaApart
{
	dsm_segment *segment;
	TimestampTz give_up_at;		/* where no process is free */
	bool		seated;			/* given to a process that had stayed: */
	OrlaSeatTicket seat;
	BackgroundWorkerHandle *process;	/* given to one that was started */
} OrlaApart;

/* The segment holds the call; see orla_call_make(). */
extern void orla_apart_init(OrlaApart *apart, dsm_segment *segment);

/*
 * Gives the call away, if it is not yet, and tells how it stands.  May allocate
 * in the current memory context, which has to live as long.  The arguments are
 * wiped where nobody will answer.
 */
extern OrlaApartState orla_apart_look(OrlaApart *apart);

/* When to look again at the latest, ms. */
extern long orla_apart_timeout(OrlaApartState state);

/* For ORLA_APART_NO_ROOM and ORLA_APART_ENDED: what to say beside "too busy, try again". */
extern void orla_apart_problem(OrlaApartState state, const char **detail, const char **hint);

/* Lets go of the segment; what has begun goes on without us. */
extern void orla_apart_leave(OrlaApart *apart);

#endif							/* ORLA_WORKER_APART_H */
