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
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "http.h"
#include "settings.h"
#include "worker.h"
#include "worker_apart.h"
#include "worker_call.h"
#include "worker_operation.h"
#include "worker_shared.h"
#include "worker_step.h"
#include "worker_round.h"
#include "worker_task.h"

/* How often it looks for due work and for the extension, if nothing happens. */
#define LOOK_EVERY_MS		2000
#define HOUSEKEEPING_EVERY_MS	60000

/* How soon it looks after a call, which may have left work behind. */
#define LOOK_SOON_MS		100

/* While it waits for a lock, everybody waits for it. */
#define LOCK_TIMEOUT		"10ms"

/*
 * How long requests may still take when it is told to end: an answer that was
 * not heard can be a token that is lost.
 */
#define WIND_UP_MS			500

/* How long it waits for a moment without requests, to begin again. */
#define RESTART_WITHIN_MS	60000

/* Mails handed over at the same time. */
#define MAILS_AT_ONCE		8

static OrlaWorkerSlot *slot = NULL;
static OrlaHttpEngine *engine = NULL;

static bool extension_is_here = false;
static bool more_is_due = false;	/* than there was room for */
static TimestampTz look_at = 0; /* when to ask for due work */
static TimestampTz settings_at = 0; /* when to look at the database's settings */
static TimestampTz restart_since = 0;	/* it is to begin again; 0: it is not */

static TimestampTz housekeeping_at = 0;
static OrlaApart house;			/* of the process that keeps house; no segment: none */

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
set_ready(bool ready)
{
	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	slot->ready = ready;
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

static uint32
end_of_queue(void)
{
	uint32		end;

	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	if (slot->look)
		look_at = 0;
	slot->look = false;
	end = slot->queue_tail;
	LWLockRelease(orla_shared->lock);
	return end;
}

static bool
next_call(uint32 end, dsm_handle *handle, OrlaQueuedCall **place)
{
	bool		there;

	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	there = slot->queue_head != end;
	if (there)
	{
		*place = &slot->queue[slot->queue_head++ % ORLA_QUEUE_LEN];
		*handle = (*place)->segment;
	}
	LWLockRelease(orla_shared->lock);
	return there;
}

static void
look_soon(void)
{
	look_at = Min(look_at, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_SOON_MS));
}

/*
 * Who called cannot be answered, for want of the segment, but is told by way of
 * the queue, unless its place is another's by now; else it would wait for as
 * long as we live.  Nothing was done.
 */
static void
refuse_call(dsm_handle handle, OrlaQueuedCall *place)
{
	dsm_segment *segment = dsm_find_mapping(handle);

	if (segment != NULL)		/* half attached */
		dsm_detach(segment);
	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	if (place->segment == handle)
	{
		place->refused = true;
		SetLatch(&place->caller->procLatch);
	}
	LWLockRelease(orla_shared->lock);
}

/* NULL when the caller has left, or there is no memory or no descriptor for it. */
static dsm_segment *
attach_to_call(dsm_handle handle, OrlaQueuedCall *place)
{
	MemoryContext caller = CurrentMemoryContext;
	dsm_segment *volatile segment = NULL;

	PG_TRY();
	{
		segment = dsm_attach(handle);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		EmitErrorReport();
		FlushErrorState();
		refuse_call(handle, place);
	}
	PG_END_TRY();
	return segment;
}

/*
 * Those that are there now: what comes meanwhile waits for the next round, or
 * whoever calls without a pause would keep answers and due work waiting.
 */
static void
take_calls(void)
{
	uint32		end = end_of_queue();
	dsm_handle	handle;
	OrlaQueuedCall *place;

	while (next_call(end, &handle, &place))
	{
		dsm_segment *segment = attach_to_call(handle, place);

		if (segment != NULL)
			orla_task_start_call(segment);
		look_soon();
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

static List *
due_work(ErrorData **error)
{
	Oid			types[] = {INT4OID, INT4OID, TEXTARRAYOID};
	Datum		values[] = {
		Int32GetDatum(orla_max_requests_in_flight),
		Int32GetDatum(MAILS_AT_ONCE - orla_tasks_on_the_way_to("record_mail")),
		PointerGetDatum(orla_tasks_heard()),
	};

	return orla_operation_rows("SELECT orla.due_work($1, $2, $3)", 3, types, values, error);
}

/* The extension may have gone. */
static void
look_again(void)
{
	extension_is_here = orla_operation_settle_in(LOCK_TIMEOUT);
	if (!extension_is_here)
		set_ready(false);
}

/* What a database's settings say now counts for a process that begins now. */
static void
look_at_settings(void)
{
	settings_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_EVERY_MS);
	if (orla_operation_look_at_settings() == ORLA_SETTINGS_CHANGED && restart_since == 0)
		restart_since = GetCurrentTimestamp();
}

/* At a moment without requests, if there is one soon. */
static bool
is_to_begin_again(void)
{
	return restart_since != 0 &&
		(orla_tasks_idle() ||
		 TimestampDifferenceExceeds(restart_since, GetCurrentTimestamp(), RESTART_WITHIN_MS));
}

/* How much is taken at once is orla.due_work()'s to say, by provider. */
static void
start_due_work(void)
{
	ErrorData  *error;
	List	   *works;
	ListCell   *lc;

	look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_EVERY_MS);
	if (GetCurrentTimestamp() >= settings_at)
		look_at_settings();
	works = due_work(&error);
	/* none may be due, or there may be no room */
	more_is_due = works != NIL || (more_is_due && orla_tasks_in_flight() > 0);
	if (error != NULL)
	{
		report("find due work", error);
		look_again();
	}
	foreach(lc, works)
	{
		Jsonb	   *work = lfirst(lc);

		orla_task_start_own(work);
		explicit_bzero(work, VARSIZE(work));
	}
}

static Jsonb *
no_arguments(void)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
}

/* By a process of its own, since it takes long. */
static void
begin_to_keep_house(void)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
	Jsonb	   *nothing = no_arguments();

	housekeeping_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												  HOUSEKEEPING_EVERY_MS);
	orla_apart_init(&house, orla_call_make("keep_house", nothing));
	pfree(nothing);
	MemoryContextSwitchTo(caller);
}

/* Where no process is free, it is tried again at the next time. */
static void
keep_house(void)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

	if (house.segment == NULL && GetCurrentTimestamp() >= housekeeping_at)
		begin_to_keep_house();
	if (house.segment != NULL && orla_apart_look(&house) != ORLA_APART_RUNS)
		orla_apart_leave(&house);
	MemoryContextSwitchTo(caller);
}

/* The claims of a worker that died are void: nobody else can hold one. */
static bool
take_over(void)
{
	ErrorData  *error;

	(void) orla_operation_run("take_over", no_arguments(), &error);
	if (error != NULL)
		report("take over", error);
	return error == NULL;
}

static void
begin_to_work(void)
{
	look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_EVERY_MS);
	extension_is_here = orla_operation_settle_in(LOCK_TIMEOUT) && take_over();
	if (extension_is_here)
	{
		set_ready(true);
		look_at = 0;
	}
}

static void
do_due_work(void)
{
	if (!extension_is_here && GetCurrentTimestamp() >= look_at)
		begin_to_work();
	if (extension_is_here && GetCurrentTimestamp() >= look_at)
		start_due_work();
	if (extension_is_here)
		keep_house();
}

/* ---- the loop ----------------------------------------------------------- */

static long
ms_until(TimestampTz when)
{
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), when);
}

/* -1 is no time at all. */
static long
sooner(long wait, long other)
{
	return other < 0 ? wait : Min(wait, other);
}

static long
time_to_sleep(void)
{
	long		wait = Min(LOOK_EVERY_MS, ms_until(look_at));

	wait = sooner(wait, orla_http_engine_timeout(engine));
	wait = sooner(wait, orla_tasks_timeout());
	if (extension_is_here && house.segment == NULL)
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
rest(WaitEventSet *set, long ms)
{
	WaitEvent	event;

	(void) WaitEventSetWait(set, ms, &event, 1, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
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

/* Calls, answers, what is due; in the memory of this round. */
static void
work_once(MemoryContext memory)
{
	MemoryContextSwitchTo(memory);
	take_calls();
	orla_http_run(engine);
	if (more_is_due && orla_tasks_timeout() == 0)
		look_at = 0;			/* there is room: others go out before these are recorded */
	do_due_work();
	orla_http_run(engine);		/* what has been started goes out */
	(void) orla_tasks_advance();
	publish_status();
	MemoryContextSwitchTo(memory);
	MemoryContextReset(memory);
}

/* Takes no more calls, hears the answers that come soon, and ends. */
static void
wind_up(WaitEventSet *set)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), WIND_UP_MS);

	set_ready(false);
	while (!orla_tasks_idle() && GetCurrentTimestamp() < end)
	{
		orla_http_run(engine);
		(void) orla_tasks_advance();
		if (!orla_tasks_idle())
			rest(set, sooner(sooner(ms_until(end), orla_http_engine_timeout(engine)),
							 orla_tasks_timeout()));
	}
	proc_exit(0);
}

/* An error outside of an operation ends neither the process nor its requests. */
static void
survive_error(void)
{
	HOLD_INTERRUPTS();
	error_context_stack = NULL;
	EmitErrorReport();
	LWLockReleaseAll();
	AbortCurrentTransaction();
	MemoryContextSwitchTo(TopMemoryContext);
	FlushErrorState();
	RESUME_INTERRUPTS();
	look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_EVERY_MS);
}

void
orla_worker_main(Datum arg)
{
	MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "orla worker",
												 ALLOCSET_DEFAULT_SIZES);
	WaitEventSet *set;
	sigjmp_buf	error;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	if (!take_slot(DatumGetInt32(arg)))
		proc_exit(0);
	before_shmem_exit(leave, 0);

	BackgroundWorkerInitializeConnectionByOid(slot->database, InvalidOid, 0);
	engine = orla_http_engine_create(TopMemoryContext);
	orla_round_init(engine);
	set = make_wait_set();

	if (sigsetjmp(error, 1) != 0)
	{
		survive_error();
		PG_exception_stack = &error;
		orla_tasks_recover();
	}
	PG_exception_stack = &error;
	while (!ShutdownRequestPending && !is_to_begin_again())
	{
		work_once(memory);
		if (!ShutdownRequestPending && !is_to_begin_again())
			rest(set, time_to_sleep());
		reload();
	}
	wind_up(set);
}
