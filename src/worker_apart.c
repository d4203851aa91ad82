/*
 * worker_apart.c
 *		A call that is given to a process of its own: the side of who gives it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "worker_apart.h"
#include "worker_call.h"

/* How long it is waited for a free process, and how often it is looked for one. */
#define SLOT_WAIT_MS	3000
#define SLOT_RETRY_MS	10

/* How often it is looked whether the process lives, if nobody wakes us. */
#define LIFE_LOOK_MS	1000

void
orla_apart_init(OrlaApart *apart, dsm_segment *segment)
{
	memset(apart, 0, sizeof(*apart));
	apart->segment = segment;
	apart->give_up_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SLOT_WAIT_MS);
}

static BackgroundWorkerHandle *
start_process(dsm_segment *segment)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "orla", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "orla_once_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "orla call", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "orla call", BGW_MAXLEN);
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

static bool
has_process(const OrlaApart *apart)
{
	return apart->seated || apart->process != NULL;
}

/*
 * Whoever waits takes what is free first, a process that stayed or a slot for a
 * new one: else those who come later would have the former.  Those that wait for
 * a call of another database make room.
 */
static bool
is_given(OrlaApart *apart)
{
	if (has_process(apart))
		return true;
	apart->seated = orla_seat_give(apart->segment, &apart->seat);
	if (!apart->seated)
		apart->process = start_process(apart->segment);
	if (!apart->seated && apart->process == NULL)
		orla_seat_clear();
	return has_process(apart);
}

static bool
process_is_gone(const OrlaApart *apart)
{
	pid_t		pid;

	return apart->seated ? orla_seat_is_left(&apart->seat)
		: GetBackgroundWorkerPid(apart->process, &pid) == BGWH_STOPPED;
}

/* False too where one that had stayed had no time for another call. */
static bool
is_answered(OrlaApart *apart, OrlaCall *call)
{
	if (!orla_call_is_over(call))
		return false;
	if (!orla_call_take_back(call))
		return true;
	apart->seated = false;
	return false;
}

OrlaApartState
orla_apart_look(OrlaApart *apart)
{
	OrlaCall   *call = dsm_segment_address(apart->segment);

	if (is_answered(apart, call))
		return ORLA_APART_ANSWERED;
	if (is_given(apart))
	{
		/* It may answer, or decline, and go in between. */
		if (!process_is_gone(apart))
			return ORLA_APART_RUNS;
		if (is_answered(apart, call))
			return ORLA_APART_ANSWERED;
		if (has_process(apart))
		{
			orla_call_wipe(call);
			return ORLA_APART_ENDED;
		}
	}
	if (GetCurrentTimestamp() < apart->give_up_at)
		return ORLA_APART_WAITS;
	orla_call_wipe(call);
	return ORLA_APART_NO_ROOM;
}

long
orla_apart_timeout(OrlaApartState state)
{
	return state == ORLA_APART_WAITS ? SLOT_RETRY_MS : LIFE_LOOK_MS;
}

void
orla_apart_problem(OrlaApartState state, const char **detail, const char **hint)
{
	if (state == ORLA_APART_NO_ROOM)
	{
		*detail = "No background worker slot is free.";
		*hint = "Raise max_worker_processes.";
	}
	else
	{
		*detail = "The process that does the work ended before it was done.";
		*hint = "The server log tells why.";
	}
}

void
orla_apart_leave(OrlaApart *apart)
{
	if (apart->segment != NULL)
		dsm_detach(apart->segment);
	if (apart->process != NULL)
		pfree(apart->process);
	apart->segment = NULL;
	apart->process = NULL;
}
