/*
 * worker_perform.c
 *		Work that must survive its caller: orla.perform().
 *
 * What a sign-in leaves behind (attempts, counters, sessions, rotations, audit
 * rows) must not vanish because the caller rolls back, cancels or adds a filter
 * to a URL that fails afterwards.  So it is done by another process and
 * committed there before the caller gets its answer: by the worker of this
 * database, or by a process for this one call where there is no worker.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "errors.h"
#include "place.h"
#include "settings.h"
#include "tenant.h"
#include "worker_apart.h"
#include "worker_call.h"
#include "worker_shared.h"
#include "worker_step.h"

PG_FUNCTION_INFO_V1(orla_perform);
PG_FUNCTION_INFO_V1(orla_perform_by_worker);
PG_FUNCTION_INFO_V1(orla_consult);
PG_FUNCTION_INFO_V1(orla_require_worker);

/* How long a caller waits for room in the worker's queue, and how often it looks. */
#define ROOM_WAIT_MS	3000
#define ROOM_RETRY_MS	10

/* How long for a worker that is not there yet, or not there again. */
#define WORKER_WAIT_MS	5000
#define WORKER_RETRY_MS	20

/* How often a caller looks whether the worker lives, if nobody wakes it. */
#define LIFE_LOOK_MS	1000

/* Where a call waits. */
typedef struct Ticket
{
	uint64		life;			/* of the worker */
	uint32		place;			/* in its queue */
	dsm_handle	segment;
} Ticket;

typedef enum Enqueued
{
	ENQUEUED,
	QUEUE_FULL,
	NO_WORKER
} Enqueued;

static Enqueued
try_enqueue(dsm_segment *segment, Ticket *ticket)
{
	OrlaWorkerSlot *slot;
	Enqueued	outcome = NO_WORKER;

	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	slot = orla_shared_slot_of(MyDatabaseId);
	if (slot != NULL && slot->ready)
	{
		outcome = QUEUE_FULL;
		if (slot->queue_tail - slot->queue_head < ORLA_QUEUE_LEN)
		{
			OrlaQueuedCall *place = &slot->queue[slot->queue_tail % ORLA_QUEUE_LEN];

			place->segment = dsm_segment_handle(segment);
			place->caller = MyProc;
			place->refused = false;
			*ticket = (Ticket) {slot->life, slot->queue_tail % ORLA_QUEUE_LEN, place->segment};
			slot->queue_tail++;
			SetLatch(&slot->proc->procLatch);
			outcome = ENQUEUED;
		}
	}
	LWLockRelease(orla_shared->lock);
	return outcome;
}

/* False when there is no worker. */
static bool
enqueue(dsm_segment *segment, Ticket *ticket)
{
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  ROOM_WAIT_MS);
	Enqueued	outcome;

	while ((outcome = try_enqueue(segment, ticket)) == QUEUE_FULL)
	{
		if (GetCurrentTimestamp() >= give_up)
		{
			orla_call_wipe(dsm_segment_address(segment));
			ereport(ERROR,
					(errcode(ERRCODE_ORLA_UNAVAILABLE),
					 errmsg("too busy, try again"),
					 errdetail("The worker has as many calls waiting as it takes.")));
		}
		orla_call_wait_on_latch(ROOM_RETRY_MS);
	}
	return outcome == ENQUEUED;
}

/* ---- a worker that is needed ------------------------------------------- */

/* Whether this database is one of those that have a worker. */
static bool
has_worker(void)
{
	char	   *own = get_database_name(MyDatabaseId);
	List	   *names = NIL;
	ListCell   *lc;

	if (orla_shared == NULL || own == NULL ||
		!SplitIdentifierString(pstrdup(orla_databases), ',', &names))
		return false;
	foreach(lc, names)
	{
		if (strcmp((char *) lfirst(lc), own) == 0)
			return true;
	}
	return false;
}

static bool
worker_is_ready(void)
{
	OrlaWorkerSlot *slot;
	bool		is_ready;

	LWLockAcquire(orla_shared->lock, LW_SHARED);
	slot = orla_shared_slot_of(MyDatabaseId);
	is_ready = slot != NULL && slot->ready;
	LWLockRelease(orla_shared->lock);
	return is_ready;
}

/* One that has just ended is started again soon. */
static void
require_worker(void)
{
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  WORKER_WAIT_MS);

	if (!has_worker())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg(ORLA_NO_WORKER_MESSAGE),
				 errdetail(ORLA_NO_WORKER_DETAIL),
				 errhint(ORLA_NO_WORKER_HINT)));
	while (!worker_is_ready())
	{
		if (GetCurrentTimestamp() >= give_up)
			ereport(ERROR,
					(errcode(ERRCODE_ORLA_UNAVAILABLE),
					 errmsg("too busy, try again"),
					 errdetail("The worker of this database is not running at the moment."),
					 errhint("The server log tells why.")));
		orla_call_wait_on_latch(WORKER_RETRY_MS);
	}
}

/* ---- performing --------------------------------------------------------- */

/* What keeps the worker from ever answering, NULL if nothing does. */
static const char *
hindrance(const Ticket *ticket)
{
	OrlaWorkerSlot *slot;
	const char *detail = NULL;

	LWLockAcquire(orla_shared->lock, LW_SHARED);
	slot = orla_shared_slot_of(MyDatabaseId);
	if (slot == NULL || slot->life != ticket->life)
		detail = "The worker ended before it was done.";
	else if (slot->queue[ticket->place].segment == ticket->segment &&
			 slot->queue[ticket->place].refused)
		detail = "The worker had no memory or no descriptor to take the call.";
	LWLockRelease(orla_shared->lock);
	return detail;
}

static void
wait_for_worker(dsm_segment *segment, const Ticket *ticket)
{
	OrlaCall   *call = dsm_segment_address(segment);

	while (!orla_call_is_over(call))
	{
		const char *detail = hindrance(ticket);

		if (detail != NULL && !orla_call_is_over(call))
		{
			orla_call_wipe(call);
			ereport(ERROR,
					(errcode(ERRCODE_ORLA_UNAVAILABLE),
					 errmsg("too busy, try again"),
					 errdetail_internal("%s", detail),
					 errhint("Try again in a moment.")));
		}
		orla_call_wait_on_latch(LIFE_LOOK_MS);
	}
}

/* Where there is no worker. */
static void
have_it_done_apart(dsm_segment *segment)
{
	OrlaApart	apart;
	OrlaApartState state;

	orla_apart_init(&apart, segment);
	while ((state = orla_apart_look(&apart)) != ORLA_APART_ANSWERED)
	{
		if (state == ORLA_APART_NO_ROOM || state == ORLA_APART_ENDED)
		{
			const char *detail;
			const char *hint;

			orla_apart_problem(state, &detail, &hint);
			ereport(ERROR,
					(errcode(ERRCODE_ORLA_UNAVAILABLE),
					 errmsg("too busy, try again"),
					 errdetail_internal("%s", detail),
					 errhint("%s", hint)));
		}
		orla_call_wait_on_latch(orla_apart_timeout(state));
	}
}

static void
have_it_done(dsm_segment *segment)
{
	Ticket		ticket;

	if (orla_shared != NULL && enqueue(segment, &ticket))
		wait_for_worker(segment, &ticket);
	else
		have_it_done_apart(segment);
}

/*
 * Of what takes a process a tenant has one at a time: with many sessions it would
 * take them from everybody who signs in.
 */
static void
have_it_done_for_tenant(const pg_uuid_t *tenant, dsm_segment *segment)
{
	LOCKTAG		place;

	if (!orla_place_take_own(ORLA_PLACE_TENANT,
							 DatumGetUInt32(hash_any(tenant->data, UUID_LEN)),
							 ROOM_WAIT_MS, &place))
	{
		orla_call_wipe(dsm_segment_address(segment));
		ereport(ERROR,
				(errcode(ERRCODE_ORLA_UNAVAILABLE),
				 errmsg("too busy, try again"),
				 errdetail("Other sessions of yours do something like it.")));
	}
	have_it_done(segment);
	orla_place_give_back(&place);
}

/* By the worker, where there has to be one. */
static Jsonb *
perform_by_worker(const char *operation, const Jsonb *args)
{
	dsm_segment *segment;

	orla_call_check_operation(operation);
	require_worker();
	segment = orla_call_make(operation, args);
	have_it_done(segment);
	return orla_call_take_answer(segment);
}

static Jsonb *
perform(const char *operation, const Jsonb *args)
{
	dsm_segment *segment;

	orla_call_check_operation(operation);
	segment = orla_call_make(operation, args);
	if (orla_tenant_current() != NULL)
		have_it_done_for_tenant(orla_tenant_current(), segment);
	else
		have_it_done(segment);
	return orla_call_take_answer(segment);
}

/*
 * orla.perform(operation text, args jsonb) → jsonb
 *
 * Raises 25006 in a read-only transaction, PT503 where no process can be had,
 * and whatever the operation refuses or raises.
 */
Datum
orla_perform(PG_FUNCTION_ARGS)
{
	char	   *operation = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PreventCommandIfReadOnly(operation);
	PG_RETURN_JSONB_P(perform(operation, PG_GETARG_JSONB_P(1)));
}

/*
 * orla.perform_by_worker(operation text, args jsonb) → jsonb
 *
 * The same for what makes requests to providers.  Raises 55000 where there is no
 * worker, before anything is done.
 */
Datum
orla_perform_by_worker(PG_FUNCTION_ARGS)
{
	char	   *operation = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PreventCommandIfReadOnly(operation);
	PG_RETURN_JSONB_P(perform_by_worker(operation, PG_GETARG_JSONB_P(1)));
}

/*
 * orla.consult(operation text, args jsonb) → jsonb
 *
 * The same for operations that change nothing that the caller could ask for,
 * such as keeping a token fresh: in a read-only transaction as well.
 */
Datum
orla_consult(PG_FUNCTION_ARGS)
{
	char	   *operation = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_JSONB_P(perform_by_worker(operation, PG_GETARG_JSONB_P(1)));
}

/* orla.require_worker(): raises 55000 where there is none. */
Datum
orla_require_worker(PG_FUNCTION_ARGS)
{
	require_worker();
	PG_RETURN_VOID();
}
