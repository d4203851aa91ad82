/*
 * worker_launcher.c
 *		Keeps a worker running for each database that orla.databases names.
 *
 * The launcher connects to no database, so it is in nobody's way.  Every few
 * seconds, on SIGHUP, and when a worker ends, it compares the list with the
 * databases that there are and with the workers that run: it starts what is
 * missing, ends what is no longer named, and leaves alone a database that a
 * session wants to drop, copy or rename (worker_aside.c).
 */
#include "postgres.h"

#include <signal.h>

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

#include "settings.h"
#include "worker_launcher.h"
#include "worker_shared.h"

/* How often it looks, if nobody wakes it. */
#define LOOK_EVERY_MS	2000

/* A worker that ended is not started again before this. */
#define RESTART_AFTER_MS	1000

/* When each slot's worker was started last; the launcher's own memory. */
static TimestampTz started_last[ORLA_WORKERS_MAX];

void
orla_launcher_register(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "orla", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "orla_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "orla launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "orla launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

static bool
is_named(const char *database, List *names)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp((char *) lfirst(lc), database) == 0)
			return true;
	}
	return false;
}

/*
 * Oids of the databases that are named and take connections.  By a scan of the
 * heap: without a database of its own, a process cannot open an index.
 */
static List *
named_databases(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *names = NIL;
	List	   *oids = NIL;
	Relation	databases;
	TableScanDesc scan;
	HeapTuple	tuple;

	if (!SplitIdentifierString(pstrdup(orla_databases), ',', &names))
		return NIL;				/* the check hook lets no such value through */

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	databases = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(databases, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext transaction = MemoryContextSwitchTo(caller);

		if (database->datallowconn && is_named(NameStr(database->datname), names))
			oids = lappend_oid(oids, database->oid);
		MemoryContextSwitchTo(transaction);
	}
	table_endscan(scan);
	table_close(databases, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return oids;
}

/* A session that wanted the worker away may have died with its wish. */
static bool
is_wanted_away(OrlaWorkerSlot *slot)
{
	if (slot->aside_for != 0 && BackendPidGetProc(slot->aside_for) == NULL)
		slot->aside_for = 0;
	return slot->aside_for != 0;
}

/* Gives a slot to each database named, and takes it from the others. */
static void
assign_slots(List *databases)
{
	ListCell   *lc;
	int			i;

	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < ORLA_WORKERS_MAX; i++)
	{
		OrlaWorkerSlot *slot = &orla_shared->slots[i];

		if (!OidIsValid(slot->database) ||
			list_member_oid(databases, slot->database))
			continue;
		if (slot->pid != 0)
			kill(slot->pid, SIGTERM);
		else if (!is_wanted_away(slot))
			slot->database = InvalidOid;
	}
	foreach(lc, databases)
	{
		OrlaWorkerSlot *slot;
		uint64		life;

		if (orla_shared_slot_of(lfirst_oid(lc)) != NULL)
			continue;
		slot = orla_shared_slot_of(InvalidOid);
		if (slot == NULL)
			break;
		life = slot->life;		/* a caller may remember one */
		memset(slot, 0, offsetof(OrlaWorkerSlot, queue));
		slot->life = life + 1;
		slot->database = lfirst_oid(lc);
		started_last[slot - orla_shared->slots] = 0;
	}
	LWLockRelease(orla_shared->lock);
}

static bool
start_worker(int i)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "orla", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "orla_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "orla worker", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "orla worker", BGW_MAXLEN);
	worker.bgw_main_arg = Int32GetDatum(i);
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, NULL);
}

/* Starts what should run and does not; ms until it wants to look again. */
static long
start_missing(void)
{
	long		wait = LOOK_EVERY_MS;
	int			i;

	for (i = 0; i < ORLA_WORKERS_MAX; i++)
	{
		OrlaWorkerSlot *slot = &orla_shared->slots[i];
		TimestampTz now = GetCurrentTimestamp();
		bool		missing;

		LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
		missing = OidIsValid(slot->database) && slot->pid == 0 &&
			!is_wanted_away(slot);
		LWLockRelease(orla_shared->lock);
		if (!missing)
			continue;
		if (!TimestampDifferenceExceeds(started_last[i], now, RESTART_AFTER_MS))
		{
			wait = Min(wait, RESTART_AFTER_MS);
			continue;
		}
		started_last[i] = now;
		if (!start_worker(i))
			wait = Min(wait, RESTART_AFTER_MS);
	}
	return wait;
}

static void
leave(int code, Datum arg)
{
	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	orla_shared->launcher = NULL;
	LWLockRelease(orla_shared->lock);
}

void
orla_launcher_main(Datum arg)
{
	MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "orla launcher",
												 ALLOCSET_DEFAULT_SIZES);

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	orla_shared->launcher = MyProc;
	LWLockRelease(orla_shared->lock);
	before_shmem_exit(leave, 0);

	for (;;)
	{
		long		wait;

		MemoryContextSwitchTo(memory);
		assign_slots(named_databases());
		wait = start_missing();
		MemoryContextReset(memory);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 wait, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
}
