/*
 * place.c
 *		So many at a time, over the whole cluster.
 *
 * The bound needs no shared memory of orla's: the places are locks of the
 * server's lock manager, with tags that no SQL function can name, of no
 * database in particular.  So they count over the whole cluster, an error or
 * the death of a process frees them, and pg_locks shows them.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "place.h"

/* How often one looks who waits. */
#define RETRY_MS	5

/*
 * The last field of an advisory lock's tag tells its kind; the functions of
 * SQL use 1 and 2, and always a database.  Starts somewhere, lest all try the
 * first.
 */
static bool
try_places(OrlaPlaceKind kind, uint32 key, int places, LOCKTAG *place)
{
	int			first = MyProcPid % places;
	int			i;

	for (i = 0; i < places; i++)
	{
		SET_LOCKTAG_ADVISORY(*place, InvalidOid, key, (first + i) % places, kind);
		if (LockAcquire(place, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL)
			return true;
	}
	return false;
}

static bool
wait_for_place(OrlaPlaceKind kind, uint32 key, int places, int wait_ms, LOCKTAG *place)
{
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_ms);

	while (!try_places(kind, key, places, place))
	{
		if (GetCurrentTimestamp() >= give_up)
			return false;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 RETRY_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return true;
}

bool
orla_place_take(OrlaPlaceKind kind, int places, int wait_ms, LOCKTAG *place)
{
	return wait_for_place(kind, 0, places, wait_ms, place);
}

bool
orla_place_take_own(OrlaPlaceKind kind, uint32 key, int wait_ms, LOCKTAG *place)
{
	return wait_for_place(kind, key, 1, wait_ms, place);
}

void
orla_place_give_back(const LOCKTAG *place)
{
	(void) LockRelease(place, ExclusiveLock, false);
}
