/*
 * worker_once.c
 *		A process for one call, where no worker is there to take it.
 *
 * It is a dynamic background worker: it needs no preloading, takes some
 * milliseconds, connects without a user, becomes orla_service, which nobody
 * can log in as, and runs the operation in one transaction.  Then it stays for a
 * moment, where it can, for the next call of anybody in this database; nothing of
 * a call is left in it that the worker would not have, too.
 *
 * It makes no request to a provider: only the worker, which sees all that is
 * under way, can keep two of them from using one refresh token.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "worker_call.h"
#include "worker_once.h"
#include "worker_operation.h"
#include "worker_seat.h"
#include "worker_step.h"

/* How long a caller waits for a free worker slot, and how often it looks. */
#define SLOT_WAIT_MS	3000
#define SLOT_RETRY_MS	10

/*
 * How long a process stays for another call, and how long altogether: what it has
 * in memory goes with it.
 */
#define STAY_MS			1000
#define LIFE_MS			60000

/* How often a caller looks whether it lives, if nobody wakes him. */
#define LIFE_LOOK_MS	1000

#define LOCK_TIMEOUT	"2s"

/* ---- the caller's side -------------------------------------------------- */

static void
describe_process(BackgroundWorker *worker, dsm_segment *segment)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, "orla", BGW_MAXLEN);
	strlcpy(worker->bgw_function_name, "orla_once_main", BGW_MAXLEN);
	strlcpy(worker->bgw_name, "orla call", BGW_MAXLEN);
	strlcpy(worker->bgw_type, "orla call", BGW_MAXLEN);
	worker->bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker->bgw_notify_pid = MyProcPid;
}

BackgroundWorkerHandle *
orla_once_begin(dsm_segment *segment)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	describe_process(&worker, segment);
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

bool
orla_once_is_over(BackgroundWorkerHandle *handle, dsm_segment *segment)
{
	pid_t		pid;

	return orla_call_is_over(dsm_segment_address(segment)) ||
		GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;
}

static void
report_end(OrlaCall *call)
{
	orla_call_wipe(call);
	ereport(ERROR,
			(errcode(ERRCODE_ORLA_UNAVAILABLE),
			 errmsg("too busy, try again"),
			 errdetail("The process that does the work ended before it was done."),
			 errhint("The server log tells why.")));
}

/* False where none waits for a call, or it does not take this one. */
static bool
serve_by_one_that_stayed(dsm_segment *segment)
{
	OrlaCall   *call = dsm_segment_address(segment);
	OrlaSeatTicket ticket;

	if (!orla_seat_give(segment, &ticket))
		return false;
	while (!orla_call_is_over(call))
	{
		if (orla_seat_is_left(&ticket) && !orla_call_is_over(call))
			report_end(call);
		orla_call_wait_on_latch(LIFE_LOOK_MS);
	}
	return !orla_call_take_back(call);
}

/*
 * Whoever waits takes what is free first, a process that stayed or a slot for a
 * new one: else those who come later would have the former.  NULL where one that
 * stayed has done it.  Those that wait for a call of another database make room.
 */
static BackgroundWorkerHandle *
find_process(dsm_segment *segment)
{
	BackgroundWorkerHandle *handle;
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  SLOT_WAIT_MS);

	for (;;)
	{
		if (serve_by_one_that_stayed(segment))
			return NULL;
		if ((handle = orla_once_begin(segment)) != NULL)
			return handle;
		if (GetCurrentTimestamp() >= give_up)
		{
			orla_call_wipe(dsm_segment_address(segment));
			ereport(ERROR,
					(errcode(ERRCODE_ORLA_UNAVAILABLE),
					 errmsg("too busy, try again"),
					 errdetail("No background worker slot is free."),
					 errhint("Raise max_worker_processes.")));
		}
		orla_seat_clear();
		orla_call_wait_on_latch(SLOT_RETRY_MS);
	}
}

/* A process that died without an answer is an error. */
void
orla_once_serve(dsm_segment *segment)
{
	OrlaCall   *call = dsm_segment_address(segment);
	BackgroundWorkerHandle *handle = find_process(segment);

	if (handle == NULL)
		return;
	while (!orla_call_is_over(call))
	{
		if (orla_once_is_over(handle, segment) && !orla_call_is_over(call))
			report_end(call);
		orla_call_wait_on_latch(-1);
	}
}

/* ---- the process's side ------------------------------------------------- */

static void
serve(OrlaCall *call, Jsonb *args)
{
	ErrorData  *error;
	Jsonb	   *result = orla_operation_run(call->operation, args, &error);
	OrlaStep	step;

	if (result == NULL)
	{
		orla_step_report_fault(call->operation, error);
		orla_call_fail(call, error->sqlerrcode, error->message, error->detail,
					   error->hint);
		return;
	}
	orla_step_read(result, &step);
	if (step.kind == ORLA_STEP_RESULT)
		orla_call_answer(call, result);
	else
		orla_call_fail(call, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
					   ORLA_NO_WORKER_MESSAGE, ORLA_NO_WORKER_DETAIL,
					   ORLA_NO_WORKER_HINT);
	explicit_bzero(result, VARSIZE(result));
}

/* As a new process would have them; false if that cannot be, and one is needed. */
static bool
settings_are_those(const Jsonb *known)
{
	ErrorData  *error;
	Jsonb	   *now;

	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	now = orla_operation_settings(&error);
	return now != NULL && VARSIZE(now) == VARSIZE(known) &&
		memcmp(now, known, VARSIZE(now)) == 0;
}

static void
take(OrlaCall *call)
{
	Jsonb	   *args = orla_call_take_args(call);

	pgstat_report_activity(STATE_RUNNING, call->operation);
	serve(call, args);
	explicit_bzero(args, VARSIZE(args));
	pgstat_report_activity(STATE_IDLE, NULL);
	(void) pgstat_report_stat(true);
}

/* Calls of others, each in memory of its own, until none comes for a moment. */
static void
stay(const Jsonb *settings)
{
	MemoryContext of_call = AllocSetContextCreate(CurrentMemoryContext, "orla call of another",
												  ALLOCSET_DEFAULT_SIZES);
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LIFE_MS);
	dsm_handle	handle;
	bool		stays = true;

	MemoryContextSwitchTo(of_call);
	while (stays && GetCurrentTimestamp() < end && orla_seat_wait(STAY_MS, &handle))
	{
		dsm_segment *segment = dsm_attach(handle);

		if (segment == NULL)	/* the caller left, or will see that we do */
			return;
		stays = settings_are_those(settings);
		if (stays)
			take(dsm_segment_address(segment));
		else
			orla_call_decline(dsm_segment_address(segment));
		dsm_detach(segment);
		MemoryContextReset(of_call);
	}
}

void
orla_once_main(Datum arg)
{
	dsm_segment *segment;
	OrlaCall   *call;
	Jsonb	   *settings;
	ErrorData  *error;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();

	CurrentResourceOwner = ResourceOwnerCreate(NULL, "orla call");
	CurrentMemoryContext = AllocSetContextCreate(TopMemoryContext, "orla call",
												 ALLOCSET_DEFAULT_SIZES);
	segment = dsm_attach(DatumGetUInt32(arg));
	if (segment == NULL)
		proc_exit(0);			/* the caller left before we came */
	dsm_pin_mapping(segment);
	call = dsm_segment_address(segment);

	BackgroundWorkerInitializeConnectionByOid(call->database, InvalidOid, 0);
	if (!orla_operation_settle_in(LOCK_TIMEOUT))
		proc_exit(0);			/* the caller sees that we ended */

	settings = orla_operation_settings(&error);
	take(call);
	dsm_detach(segment);
	if (settings != NULL)
		stay(settings);
	proc_exit(0);
}
