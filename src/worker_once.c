/*
 * worker_once.c
 *		A process for one call, where no worker is there to take it.
 *
 * It is a dynamic background worker: it needs no preloading, takes some
 * milliseconds, connects without a user, becomes orla_service, which nobody
 * can log in as, runs the operation in one transaction and ends.
 *
 * It makes no request to a provider: only the worker, which sees all that is
 * under way, can keep two of them from using one refresh token.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "worker_call.h"
#include "worker_once.h"
#include "worker_operation.h"
#include "worker_step.h"

/* How long a caller waits for a free worker slot, and how often it looks. */
#define SLOT_WAIT_MS	3000
#define SLOT_RETRY_MS	10

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

/* Starts the process; waits a little where all slots are taken. */
static BackgroundWorkerHandle *
start_process(dsm_segment *segment)
{
	BackgroundWorkerHandle *handle;
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  SLOT_WAIT_MS);

	while ((handle = orla_once_begin(segment)) == NULL)
	{
		if (GetCurrentTimestamp() >= give_up)
		{
			orla_call_wipe(dsm_segment_address(segment));
			ereport(ERROR,
					(errcode(ERRCODE_ORLA_UNAVAILABLE),
					 errmsg("too busy, try again"),
					 errdetail("No background worker slot is free."),
					 errhint("Raise max_worker_processes.")));
		}
		orla_call_wait_on_latch(SLOT_RETRY_MS);
	}
	return handle;
}

/* A process that died without an answer is an error. */
void
orla_once_serve(dsm_segment *segment)
{
	OrlaCall   *call = dsm_segment_address(segment);
	BackgroundWorkerHandle *handle = start_process(segment);

	while (!orla_call_is_over(call))
	{
		if (orla_once_is_over(handle, segment) && !orla_call_is_over(call))
		{
			orla_call_wipe(call);
			ereport(ERROR,
					(errcode(ERRCODE_ORLA_UNAVAILABLE),
					 errmsg("too busy, try again"),
					 errdetail("The process that does the work ended before it was done."),
					 errhint("The server log tells why.")));
		}
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

void
orla_once_main(Datum arg)
{
	dsm_segment *segment;
	OrlaCall   *call;
	Jsonb	   *args;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	CurrentResourceOwner = ResourceOwnerCreate(NULL, "orla call");
	CurrentMemoryContext = AllocSetContextCreate(TopMemoryContext, "orla call",
												 ALLOCSET_DEFAULT_SIZES);
	segment = dsm_attach(DatumGetUInt32(arg));
	if (segment == NULL)
		proc_exit(0);			/* the caller left before we came */
	dsm_pin_mapping(segment);
	call = dsm_segment_address(segment);
	args = orla_call_take_args(call);

	BackgroundWorkerInitializeConnectionByOid(call->database, InvalidOid, 0);
	if (!orla_operation_settle_in(LOCK_TIMEOUT))
		proc_exit(0);			/* the caller sees that we ended */

	pgstat_report_activity(STATE_RUNNING, call->operation);
	serve(call, args);
	explicit_bzero(args, VARSIZE(args));
	pgstat_report_activity(STATE_IDLE, NULL);
	proc_exit(0);
}
