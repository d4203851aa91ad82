/*
 * worker.c
 *		The worker of one database: takes calls, makes requests, keeps the time.
 *
 * It does what must survive its callers, what must not be done twice at once
 * (refreshing a token), and what has to happen without anybody asking: mails,
 * refreshes ahead of expiry, sweeps.  One loop: calls that have come, requests
 * that have ended, work that is due; then it sleeps until its latch is set or a
 * socket is ready or the time has come.
 *
 * Where the extension is not in the database (yet), it sleeps.  It is no
 * obstacle to DROP DATABASE: worker_aside.c ends it and keeps it away.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "http.h"
#include "settings.h"
#include "worker.h"
#include "worker_call.h"
#include "worker_operation.h"
#include "worker_shared.h"
#include "worker_step.h"
#include "worker_task.h"

/* How often it looks for due work and for the extension, if nothing happens. */
#define LOOK_EVERY_MS		2000
#define HOUSEKEEPING_EVERY_MS	60000

/* While somebody wants to know how requests go. */
#define REPORT_EVERY_MS		1000

/* While it waits for a lock, everybody waits for it. */
#define LOCK_TIMEOUT		"500ms"

static OrlaWorkerSlot *slot = NULL;
static OrlaHttpEngine *engine = NULL;

static bool extension_is_here = false;
static TimestampTz look_at = 0; /* when to ask for due work */
static TimestampTz housekeeping_at = 0;
static bool watching = false;	/* requests that are reported on */

/* ---- coming and going --------------------------------------------------- */

/* Tells those who wait in the queue that nobody will come. */
static void
leave(int code, Datum arg)
{
	orla_tasks_abandon();
	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	slot->ready = false;
	slot->pid = 0;
	slot->proc = NULL;
	slot->life++;
	for (; slot->queue_head != slot->queue_tail; slot->queue_head++)
		SetLatch(&slot->queue[slot->queue_head % ORLA_QUEUE_LEN].caller->procLatch);
	LWLockRelease(orla_shared->lock);
}

/* False when there is one already, or none is wanted any more. */
static bool
take_slot(int number)
{
	bool		taken;

	slot = &orla_shared->slots[number];
	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	taken = OidIsValid(slot->database) && slot->pid == 0 && slot->aside_for == 0;
	if (taken)
	{
		slot->pid = MyProcPid;
		slot->proc = MyProc;
		slot->life++;
		slot->started_at = GetCurrentTimestamp();
		slot->queue_head = slot->queue_tail = 0;
		memset(&slot->status, 0, sizeof(slot->status));
	}
	LWLockRelease(orla_shared->lock);
	return taken;
}

static void
become_ready(void)
{
	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	slot->ready = true;
	LWLockRelease(orla_shared->lock);
}

static void
publish_status(void)
{
	OrlaTaskCounters *counters = &orla_task_counters;

	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	slot->status.calls += counters->calls;
	slot->status.requests += counters->requests;
	slot->status.failures += counters->failures;
	slot->status.in_flight = orla_tasks_in_flight();
	if (counters->last_error[0] != '\0')
	{
		strlcpy(slot->status.last_error, counters->last_error, ORLA_LAST_ERROR_LEN);
		slot->status.last_error_at = GetCurrentTimestamp();
	}
	LWLockRelease(orla_shared->lock);
	memset(counters, 0, sizeof(*counters));
	(void) pgstat_report_stat(false);
}

/* ---- calls -------------------------------------------------------------- */

static bool
next_call(dsm_handle *handle)
{
	bool		there;

	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	if (slot->look)
		look_at = 0;
	slot->look = false;
	there = slot->queue_head != slot->queue_tail;
	if (there)
		*handle = slot->queue[slot->queue_head++ % ORLA_QUEUE_LEN].segment;
	LWLockRelease(orla_shared->lock);
	return there;
}

static void
take_calls(void)
{
	dsm_handle	handle;

	while (next_call(&handle))
	{
		dsm_segment *segment = dsm_attach(handle);

		if (segment != NULL)	/* else the caller has left */
			orla_task_start_call(segment);
		look_at = 0;			/* it may have left work behind */
		CHECK_FOR_INTERRUPTS();
	}
}

/* ---- work of its own ---------------------------------------------------- */

static void
report(const char *what, ErrorData *error)
{
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("orla worker could not %s: %s", what, error->message)));
}

/* How much is taken at once is orla.due_work()'s to say, by provider. */
static void
start_due_work(void)
{
	ErrorData  *error;
	List	   *works;
	ListCell   *lc;

	works = orla_operation_rows("SELECT orla.due_work($1)", INT4OID,
								Int32GetDatum(orla_max_requests_in_flight), &error);
	if (error != NULL)
		report("find due work", error);
	foreach(lc, works)
	{
		Jsonb	   *work = lfirst(lc);

		orla_task_start_own(work);
		explicit_bzero(work, VARSIZE(work));
	}
	look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_EVERY_MS);
}

static void
keep_house(void)
{
	ErrorData  *error;

	(void) orla_operation_rows("SELECT orla.housekeeping($1)", INT4OID,
							   Int32GetDatum(0), &error);
	if (error != NULL)
		report("keep house", error);
	housekeeping_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												  HOUSEKEEPING_EVERY_MS);
}

/* The claims of a worker that died are void: nobody else can hold one. */
static void
take_over(void)
{
	ErrorData  *error;

	(void) orla_operation_rows("SELECT orla.worker_started($1)", INT4OID,
							   Int32GetDatum(MyProcPid), &error);
	if (error != NULL)
		report("take over", error);
}

static void
do_due_work(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!extension_is_here && now >= look_at)
	{
		extension_is_here = orla_operation_settle_in(LOCK_TIMEOUT);
		look_at = TimestampTzPlusMilliseconds(now, LOOK_EVERY_MS);
		if (extension_is_here)
		{
			take_over();
			become_ready();
			look_at = 0;
		}
	}
	if (!extension_is_here)
		return;
	if (now >= look_at)
		start_due_work();
	if (now >= housekeeping_at)
		keep_house();
}

/* ---- the loop ----------------------------------------------------------- */

static long
ms_until(TimestampTz when)
{
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), when);
}

static long
time_to_sleep(void)
{
	long		wait = LOOK_EVERY_MS;
	long		engine_wait = orla_http_engine_timeout(engine);

	if (orla_tasks_are_ready())
		return 0;
	if (engine_wait >= 0)
		wait = Min(wait, engine_wait);
	if (watching)
		wait = Min(wait, REPORT_EVERY_MS);
	wait = Min(wait, ms_until(look_at));
	if (extension_is_here)
		wait = Min(wait, ms_until(housekeeping_at));
	return Max(wait, 0);
}

static WaitEventSet *
make_wait_set(void)
{
	WaitEventSet *set = CreateWaitEventSet(TopMemoryContext, 3);

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(set, WL_SOCKET_READABLE, orla_http_engine_fd(engine), NULL, NULL);
	return set;
}

static void
reload(void)
{
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		look_at = 0;
	}
}

void
orla_worker_main(Datum arg)
{
	MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "orla worker",
												 ALLOCSET_DEFAULT_SIZES);
	WaitEventSet *set;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (!take_slot(DatumGetInt32(arg)))
		proc_exit(0);
	before_shmem_exit(leave, 0);

	BackgroundWorkerInitializeConnectionByOid(slot->database, InvalidOid, 0);
	engine = orla_http_engine_create(TopMemoryContext);
	orla_tasks_init(engine);
	set = make_wait_set();

	for (;;)
	{
		WaitEvent	event;

		MemoryContextSwitchTo(memory);
		take_calls();
		orla_http_run(engine);
		if (orla_tasks_advance() > 0)
			look_at = 0;		/* there is room for more */
		do_due_work();
		watching = orla_tasks_report();
		publish_status();
		MemoryContextSwitchTo(memory);
		MemoryContextReset(memory);

		(void) WaitEventSetWait(set, time_to_sleep(), &event, 1, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		reload();
	}
}
