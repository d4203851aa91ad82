/*
 * worker_seat.c
 *		Processes that stay for a moment after their call.
 *
 * A seat has one owner, the process that sits there, told by `life`, another
 * number for each.  What is in it changes under orla_shared->lock.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "worker_seat.h"
#include "worker_shared.h"

static OrlaSeat *own = NULL;

/* ---- the caller's side -------------------------------------------------- */

static bool
is_waiting(const OrlaSeat *seat)
{
	return OidIsValid(seat->database) && seat->segment == DSM_HANDLE_INVALID &&
		!seat->leave;
}

bool
orla_seat_give(dsm_segment *segment, OrlaSeatTicket *ticket)
{
	bool		given = false;
	int			i;

	if (orla_shared == NULL)
		return false;
	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < ORLA_SEATS_MAX && !given; i++)
	{
		OrlaSeat   *seat = &orla_shared->seats[i];

		if (!is_waiting(seat) || seat->database != MyDatabaseId)
			continue;
		seat->segment = dsm_segment_handle(segment);
		seat->caller = MyProc;
		*ticket = (OrlaSeatTicket) {i, seat->life};
		SetLatch(&seat->proc->procLatch);
		given = true;
	}
	LWLockRelease(orla_shared->lock);
	return given;
}

bool
orla_seat_is_left(const OrlaSeatTicket *ticket)
{
	bool		left;

	LWLockAcquire(orla_shared->lock, LW_SHARED);
	left = orla_shared->seats[ticket->seat].life != ticket->life ||
		!OidIsValid(orla_shared->seats[ticket->seat].database);
	LWLockRelease(orla_shared->lock);
	return left;
}

void
orla_seat_clear(void)
{
	int			i;

	if (orla_shared == NULL)
		return;
	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < ORLA_SEATS_MAX; i++)
	{
		OrlaSeat   *seat = &orla_shared->seats[i];

		if (!is_waiting(seat))
			continue;
		seat->leave = true;
		SetLatch(&seat->proc->procLatch);
	}
	LWLockRelease(orla_shared->lock);
}

/* ---- the process's side ------------------------------------------------- */

/* Hold the lock. */
static void
get_up(void)
{
	own->database = InvalidOid;
	own->proc = NULL;
	own->segment = DSM_HANDLE_INVALID;
	own->caller = NULL;
	own = NULL;
}

/* The caller learns of it, if a call was given or begun. */
static void
leave(int code, Datum arg)
{
	if (own == NULL)
		return;
	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	if (own->caller != NULL)
		SetLatch(&own->caller->procLatch);
	get_up();
	LWLockRelease(orla_shared->lock);
}

/* The worker may have a call that nobody had time for.  Hold the lock. */
static void
tell_worker(void)
{
	OrlaWorkerSlot *slot = orla_shared_slot_of(MyDatabaseId);

	if (slot != NULL && slot->proc != NULL)
		SetLatch(&slot->proc->procLatch);
}

/* Ready for a call: on the seat that it has, or a free one. */
static void
sit_down(void)
{
	static bool comes_to_leave = false;
	int			i;

	if (!comes_to_leave)
		before_shmem_exit(leave, (Datum) 0);
	comes_to_leave = true;
	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < ORLA_SEATS_MAX && own == NULL; i++)
	{
		if (OidIsValid(orla_shared->seats[i].database))
			continue;
		own = &orla_shared->seats[i];
		own->database = MyDatabaseId;
		own->proc = MyProc;
		own->life++;
		own->leave = false;
	}
	if (own != NULL)
	{
		own->segment = DSM_HANDLE_INVALID;
		own->caller = NULL;
		tell_worker();
	}
	LWLockRelease(orla_shared->lock);
}

/* Takes the call that was given; gets up if it is time, and none was. */
static dsm_handle
look_for_call(bool is_time)
{
	dsm_handle	given;

	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	given = own->segment;
	if (given == DSM_HANDLE_INVALID && (is_time || own->leave))
		get_up();
	LWLockRelease(orla_shared->lock);
	return given;
}

bool
orla_seat_wait(long timeout, dsm_handle *segment)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout);

	if (orla_shared == NULL)
		return false;
	sit_down();
	while (own != NULL)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

		/* A server that shuts down, or somebody who wants us gone. */
		if (ProcDiePending)
			return false;
		CHECK_FOR_INTERRUPTS();
		*segment = look_for_call(left == 0);
		if (*segment != DSM_HANDLE_INVALID)
			return true;
		if (own == NULL)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 left, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	return false;
}
