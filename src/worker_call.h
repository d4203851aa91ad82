/*
 * worker_call.h
 *		One call from a session to a process that works for it: how it lies in
 *		shared memory.
 *
 * One dynamic shared memory segment per call, made by the caller, known to the
 * two processes alone.  There is no lock.  Each field has one writer at a time,
 * told by `state`: up to ORLA_CALL_WAITING the caller writes; from then on the
 * other process, which hands back with one of the other states after its last
 * write (barrier between).  A caller that is cancelled detaches
 * and leaves, which `left` tells; the other process finishes on its own mapping,
 * or without.
 *
 * Arguments and answers hold passwords and tokens: whoever has its copy wipes
 * them in the segment.
 */
#ifndef ORLA_WORKER_CALL_H
#define ORLA_WORKER_CALL_H

#include "postgres.h"

#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/proc.h"
#include "utils/jsonb.h"

typedef enum OrlaCallState
{
	ORLA_CALL_WAITING,
	ORLA_CALL_DONE,
	ORLA_CALL_FAILED,
	ORLA_CALL_DECLINED			/* not begun; the caller may give it to another */
} OrlaCallState;

typedef struct OrlaCall
{
	pg_atomic_uint32 state;
	pg_atomic_uint32 left;		/* set by the caller as it detaches */
	Oid			database;
	PGPROC	   *caller;			/* whose latch to set */
	char		operation[NAMEDATALEN];
	int			sqlstate;		/* ORLA_CALL_FAILED */
	Size		args_size;		/* a jsonb at the start of data */
	Size		data_size;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} OrlaCall;

/* ---- the caller --------------------------------------------------------- */

/* Raises 22023 for what cannot be the name of an operation. */
extern void orla_call_check_operation(const char *operation);

/* A segment that holds the call; it goes with the transaction's end. */
extern dsm_segment *orla_call_make(const char *operation, const Jsonb *args);

/* Whether an answer is there. */
extern bool orla_call_is_over(OrlaCall *call);

/* Whether it was declined; it is then ready to be given to another. */
extern bool orla_call_take_back(OrlaCall *call);

/* Waits on the latch and takes interrupts; timeout in ms, -1 for none. */
extern void orla_call_wait_on_latch(long timeout);

/*
 * The answer, palloc'd; raises what the operation raised or refused.  Wipes
 * the segment and lets go of it.
 */
extern Jsonb *orla_call_take_answer(dsm_segment *segment);

/* Whether the operation raised an error. */
extern bool orla_call_has_failed(OrlaCall *call);

/* What it returned where it raised none, palloc'd; wiped in the segment. */
extern Jsonb *orla_call_take_result(OrlaCall *call);

extern void orla_call_wipe(OrlaCall *call);

/* ---- the process that works --------------------------------------------- */

/* Before the arguments are taken: nothing has been done. */
extern void orla_call_decline(OrlaCall *call);

/* The arguments, palloc'd; they are wiped in the segment. */
extern Jsonb *orla_call_take_args(OrlaCall *call);

/* Whether the caller has detached, so that nobody reads the answer. */
extern bool orla_call_is_left(OrlaCall *call);

extern void orla_call_answer(OrlaCall *call, const Jsonb *result);

/* message, detail and hint may be NULL; each is cut to 4 kB. */
extern void orla_call_fail(OrlaCall *call, int sqlstate, const char *message,
						   const char *detail, const char *hint);

/* The error that `other` failed with. */
extern void orla_call_fail_as(OrlaCall *call, OrlaCall *other);

#endif							/* ORLA_WORKER_CALL_H */
