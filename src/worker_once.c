/*
 * worker_once.c
 *		A process for one call: of a session where no worker is there to take it,
 *		or of the worker for what takes long.
 *
 * It is a dynamic background worker: it needs no preloading, takes some
 * milliseconds, connects without a user, becomes orla_service, which nobody
 * can log in as, and runs the operation, each step in a transaction.  Then it
 * stays for a moment, where it can, for the next call of anybody in this database;
 * nothing of a call is left in it that the worker would not have, too.
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

#include "worker_call.h"
#include "worker_once.h"
#include "worker_operation.h"
#include "worker_seat.h"
#include "worker_step.h"

/*
 * How long a process stays for another call, and how long altogether: what it has
 * in memory goes with it.
 */
#define STAY_MS			1000
#define LIFE_MS			60000

#define LOCK_TIMEOUT	"2s"

/* ---- one call ------------------------------------------------------------ */

static void
wipe(Jsonb *jsonb)
{
	if (jsonb != NULL)
		explicit_bzero(jsonb, VARSIZE(jsonb));
}

/* One step; NULL when it met an error, which the caller is told of. */
static Jsonb *
run(OrlaCall *call, const char *operation, Jsonb *args, OrlaStep *step)
{
	ErrorData  *error;
	Jsonb	   *result = orla_operation_run(operation, args, &error);

	if (result == NULL)
	{
		orla_step_report_fault(operation, error);
		orla_call_fail(call, error->sqlerrcode, error->message, error->detail,
					   error->hint);
		return NULL;
	}
	orla_step_read(result, step);
	return result;
}

/* What the worker would have another process do, and what follows that. */
static Jsonb *
run_apart(OrlaCall *call, OrlaStep *step, TimestampTz *began)
{
	OrlaStep	apart = *step;
	Jsonb	   *response = run(call, apart.apart, apart.args, step);
	Jsonb	   *result = response;

	wipe(apart.args);
	if (response != NULL && apart.next != NULL)
	{
		Jsonb	   *args = orla_step_continue(apart.state, response);

		*began = GetCurrentTimestamp();
		result = run(call, apart.next, args, step);
		wipe(args);
		wipe(response);
	}
	wipe(apart.state);
	return result;
}

static void
wait_until(TimestampTz moment)
{
	while (GetCurrentTimestamp() < moment)
		orla_call_wait_on_latch(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), moment));
}

static void
serve(OrlaCall *call, Jsonb *args)
{
	TimestampTz began = GetCurrentTimestamp();
	OrlaStep	step;
	Jsonb	   *result = run(call, call->operation, args, &step);

	while (result != NULL && step.kind == ORLA_STEP_APART)
	{
		wipe(result);
		result = run_apart(call, &step, &began);
	}
	if (result == NULL)
		return;
	if (step.kind == ORLA_STEP_RESULT)
	{
		wait_until(TimestampTzPlusMilliseconds(began, step.hold_ms));
		orla_call_answer(call, result);
	}
	else
		orla_call_fail(call, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
					   ORLA_NO_WORKER_MESSAGE, ORLA_NO_WORKER_DETAIL,
					   ORLA_NO_WORKER_HINT);
	wipe(result);
}

static void
take(OrlaCall *call)
{
	Jsonb	   *args = orla_call_take_args(call);

	pgstat_report_activity(STATE_RUNNING, call->operation);
	serve(call, args);
	wipe(args);
	pgstat_report_activity(STATE_IDLE, NULL);
	(void) pgstat_report_stat(true);
}

/* ---- the process --------------------------------------------------------- */

/* Calls of others, each in memory of its own, until none comes for a moment. */
static void
stay(void)
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
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		stays = orla_operation_look_at_settings() == ORLA_SETTINGS_AS_BEFORE;
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
	bool		can_stay;

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

	can_stay = orla_operation_look_at_settings() == ORLA_SETTINGS_AS_BEFORE;
	take(call);
	dsm_detach(segment);
	if (can_stay)
		stay();
	proc_exit(0);
}
