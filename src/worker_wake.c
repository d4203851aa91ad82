/*
 * worker_wake.c
 *		Tells the worker that there is work, once that is committed.
 *
 * Told before, it would look, see nothing, and not look again for a while.
 * Without a worker, or when the word is lost, the work is found by the next
 * look of whoever is there.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/latch.h"

#include "worker_shared.h"

PG_FUNCTION_INFO_V1(orla_wake_worker);

static bool wanted = false;
static bool registered = false;

static void
wake(void)
{
	OrlaWorkerSlot *slot;

	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	slot = orla_shared_slot_of(MyDatabaseId);
	if (slot != NULL && slot->ready)
	{
		slot->look = true;
		SetLatch(&slot->proc->procLatch);
	}
	LWLockRelease(orla_shared->lock);
}

static void
at_xact_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			if (wanted)
				wake();
			wanted = false;
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			wanted = false;
			break;
		default:
			break;
	}
}

/* orla.wake_worker() → void */
Datum
orla_wake_worker(PG_FUNCTION_ARGS)
{
	if (orla_shared != NULL)
	{
		if (!registered)
			RegisterXactCallback(at_xact_event, NULL);
		registered = true;
		wanted = true;
	}
	PG_RETURN_VOID();
}
