/*
 * worker.c
 *		Work that must survive its caller: orla.perform().
 *
 * What a sign-in leaves behind (attempts, counters, sessions, rotations,
 * audit rows) must not vanish because the caller rolls back, cancels or adds
 * a filter to a URL that fails afterwards.  So it is done by another process
 * and committed there before the caller gets its answer.
 *
 * That process is a dynamic background worker for one call: it needs no
 * preloading, takes some milliseconds, connects without a user and becomes
 * orla_service, which nobody can log in as.  It runs orla.do_<operation>()
 * in one transaction.
 *
 * Shared state: one dynamic shared memory segment per call, made by the
 * caller, known to these two processes alone.  There is no lock.  Each field
 * has one writer at a time, told by `state`: up to CALL_WAITING the caller
 * writes; from then on the worker, which hands back with CALL_DONE or
 * CALL_FAILED after its last write (barrier between).  A caller that is
 * cancelled detaches and leaves; the worker finishes on its own mapping.
 *
 * The arguments hold passwords and tokens: the worker wipes them in shared
 * memory as soon as it has its copy, the caller wipes the answer.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "worker.h"

PG_FUNCTION_INFO_V1(orla_perform);

/* Room for an answer or an error's texts. */
#define ANSWER_SIZE		(64 * 1024)

/*
 * More than any caller has to say; shared memory that a stranger's megabytes
 * take is missing elsewhere.
 */
#define ARGS_MAX		(4 * 1024 * 1024)

/* How long a caller waits for a free worker slot, and how often it looks. */
#define SLOT_WAIT_MS	3000
#define SLOT_RETRY_MS	10

/*
 * The worker must not wait for a lock that its own caller holds: that
 * deadlock no detector sees.
 */
#define LOCK_TIMEOUT	"2s"

typedef enum CallState
{
	CALL_WAITING,
	CALL_DONE,
	CALL_FAILED
} CallState;

typedef struct Call
{
	pg_atomic_uint32 state;
	Oid			database;
	PGPROC	   *caller;			/* whose latch to set */
	char		operation[NAMEDATALEN];
	int			sqlstate;		/* CALL_FAILED */
	Size		args_size;		/* a jsonb at the start of data */
	Size		data_size;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Call;

/* The texts of an error as they lie in data, one after the other. */
typedef struct ErrorTexts
{
	const char *message;
	const char *detail;
	const char *hint;
} ErrorTexts;

/* ---- the caller's side -------------------------------------------------- */

/* Operations are names of ours; checked all the same, they end up in SQL. */
static void
check_operation(const char *operation)
{
	if (strlen(operation) == 0 || strlen(operation) >= NAMEDATALEN - 4 ||
		strspn(operation, "abcdefghijklmnopqrstuvwxyz_") != strlen(operation))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid operation")));
}

static dsm_segment *
make_call(const char *operation, const Jsonb *args)
{
	Size		args_size = VARSIZE(args);
	Size		data_size = Max(args_size, ANSWER_SIZE);
	dsm_segment *segment;
	Call	   *call;

	if (args_size > ARGS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments are too large")));
	segment = dsm_create(offsetof(Call, data) + data_size, 0);
	call = dsm_segment_address(segment);
	pg_atomic_init_u32(&call->state, CALL_WAITING);
	call->database = MyDatabaseId;
	call->caller = MyProc;
	strlcpy(call->operation, operation, NAMEDATALEN);
	call->args_size = args_size;
	call->data_size = data_size;
	memcpy(call->data, args, args_size);
	return segment;
}

static void
wipe_call(Call *call)
{
	explicit_bzero(call->data, call->data_size);
}

static void
wait_on_latch(int events, long timeout)
{
	(void) WaitLatch(MyLatch, events | WL_LATCH_SET | WL_EXIT_ON_PM_DEATH,
					 timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Starts the process; waits a little where all slots are taken. */
static BackgroundWorkerHandle *
start_worker(dsm_segment *segment)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  SLOT_WAIT_MS);

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "orla", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "orla_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "orla call", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "orla call", BGW_MAXLEN);
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;

	while (!RegisterDynamicBackgroundWorker(&worker, &handle))
	{
		if (GetCurrentTimestamp() >= give_up)
		{
			wipe_call(dsm_segment_address(segment));
			ereport(ERROR,
					(errcode(ERRCODE_ORLA_UNAVAILABLE),
					 errmsg("too busy, try again"),
					 errdetail("No background worker slot is free."),
					 errhint("Raise max_worker_processes.")));
		}
		wait_on_latch(WL_TIMEOUT, SLOT_RETRY_MS);
	}
	return handle;
}

/* Waits for the answer; a process that died without one is an error. */
static void
wait_for_answer(Call *call, BackgroundWorkerHandle *handle)
{
	pid_t		pid;

	while (pg_atomic_read_u32(&call->state) == CALL_WAITING)
	{
		BgwHandleStatus status = GetBackgroundWorkerPid(handle, &pid);

		pg_read_barrier();
		if (status == BGWH_STOPPED &&
			pg_atomic_read_u32(&call->state) == CALL_WAITING)
		{
			wipe_call(call);
			ereport(ERROR,
					(errcode(ERRCODE_ORLA_UNAVAILABLE),
					 errmsg("too busy, try again"),
					 errdetail("The process that does the work ended before it was done."),
					 errhint("The server log tells why.")));
		}
		wait_on_latch(0, -1);
	}
	pg_read_barrier();
}

/*
 * The caller's own limits are its own fault; everything of ours is 503.  Not
 * as class 53, which HTTP layers take for a lost server.
 */
static int
sqlstate_for_caller(int sqlstate)
{
	if (ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_INSUFFICIENT_RESOURCES)
		return ERRCODE_ORLA_UNAVAILABLE;
	switch (sqlstate)
	{
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_QUERY_CANCELED:
		case ERRCODE_ADMIN_SHUTDOWN:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
			return ERRCODE_ORLA_UNAVAILABLE;
		default:
			return sqlstate;
	}
}

static void
rethrow(const Call *call)
{
	const char *message = pstrdup(call->data);
	const char *detail = pstrdup(call->data + strlen(message) + 1);
	const char *hint = pstrdup(call->data + strlen(message) + strlen(detail) + 2);

	ereport(ERROR,
			(errcode(sqlstate_for_caller(call->sqlstate)),
			 errmsg_internal("%s", message),
			 detail[0] ? errdetail_internal("%s", detail) : 0,
			 hint[0] ? errhint("%s", hint) : 0));
}

static char *
text_member(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	if (getKeyJsonValueFromContainer(object, name, strlen(name), &value) == NULL ||
		value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/* A refusal that do_<operation>() returned, so that its writes could commit. */
static void
raise_refusal(JsonbContainer *refusal)
{
	char	   *code = text_member(refusal, "sqlstate");
	char	   *message = text_member(refusal, "message");
	char	   *detail = text_member(refusal, "detail");
	char	   *hint = text_member(refusal, "hint");

	if (code == NULL || strlen(code) != 5 || message == NULL)
		elog(ERROR, "malformed refusal");
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4])),
			 errmsg_internal("%s", message),
			 detail ? errdetail_internal("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0));
}

static Jsonb *
answer_of(Jsonb *result)
{
	JsonbValue	value;

	if (JB_ROOT_IS_OBJECT(result) &&
		getKeyJsonValueFromContainer(&result->root, "answer", 6, &value) != NULL)
		return JsonbValueToJsonb(&value);
	if (JB_ROOT_IS_OBJECT(result) &&
		getKeyJsonValueFromContainer(&result->root, "refusal", 7, &value) != NULL &&
		value.type == jbvBinary)
		raise_refusal(value.val.binary.data);
	elog(ERROR, "operation returned neither answer nor refusal");
	return NULL;				/* keep compilers quiet */
}

/*
 * orla.perform(operation text, args jsonb) → jsonb
 *
 * Raises 25006 in a read-only transaction, PT503 where no process can be
 * had, and whatever the operation refuses or raises.
 */
Datum
orla_perform(PG_FUNCTION_ARGS)
{
	char	   *operation = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Jsonb	   *args = PG_GETARG_JSONB_P(1);
	dsm_segment *segment;
	Call	   *call;
	Jsonb	   *result;

	check_operation(operation);
	PreventCommandIfReadOnly(operation);

	segment = make_call(operation, args);
	call = dsm_segment_address(segment);
	wait_for_answer(call, start_worker(segment));

	if (pg_atomic_read_u32(&call->state) == CALL_FAILED)
		rethrow(call);
	result = (Jsonb *) palloc(VARSIZE(call->data));
	memcpy(result, call->data, VARSIZE(call->data));
	wipe_call(call);
	dsm_detach(segment);
	PG_RETURN_JSONB_P(answer_of(result));
}

/* ---- the worker's side -------------------------------------------------- */

static void
set_setting(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_SESSION);
}

/*
 * What a database's own defaults could spoil: an answer must be durable, row
 * security on, and waiting bounded.
 */
static void
settle_in(void)
{
	set_setting("lock_timeout", LOCK_TIMEOUT);
	set_setting("search_path", "pg_catalog, pg_temp");
	set_setting("row_security", "on");
	set_setting("default_transaction_isolation", "read committed");
	set_setting("default_transaction_read_only", "off");
	set_setting("default_transaction_deferrable", "off");
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		set_setting("synchronous_commit", "on");
}

/* From here on this process is orla_service, under the fence like anybody. */
static void
become_service(void)
{
	Oid			service;

	StartTransactionCommand();
	service = get_role_oid("orla_service", false);
	CommitTransactionCommand();
	SetUserIdAndSecContext(service, SECURITY_LOCAL_USERID_CHANGE);
}

/* Runs the operation; its result is copied to `keep`. */
static Jsonb *
run_operation(const char *operation, Jsonb *args, MemoryContext keep)
{
	Oid			types[1] = {JSONBOID};
	Datum		values[1];
	char	   *sql = psprintf("SELECT orla.do_%s($1)", operation);
	Jsonb	   *result;
	MemoryContext caller;
	bool		isnull;

	values[0] = JsonbPGetDatum(args);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute_with_args(sql, 1, types, values, NULL, false, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "operation returned no row");
	result = DatumGetJsonbP(SPI_getbinval(SPI_tuptable->vals[0],
										  SPI_tuptable->tupdesc, 1, &isnull));
	if (isnull)
		elog(ERROR, "operation returned NULL");
	caller = MemoryContextSwitchTo(keep);
	result = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(result));
	MemoryContextSwitchTo(caller);
	SPI_finish();
	return result;
}

static void
hand_back(Call *call, CallState state)
{
	pg_write_barrier();
	pg_atomic_write_u32(&call->state, state);
	SetLatch(&call->caller->procLatch);
}

static Size
put_text(Call *call, Size at, const char *text)
{
	Size		room = call->data_size - at;
	Size		len = text == NULL ? 0 : Min(strlen(text), room - 1);

	if (len > 0)
		memcpy(call->data + at, text, len);
	call->data[at + len] = '\0';
	return at + len + 1;
}

/* Message first, and never more than a third each: all three must fit. */
static void
hand_back_error(Call *call, const ErrorData *error)
{
	ErrorTexts	texts = {error->message, error->detail, error->hint};
	char		shortened[3][4096];
	Size		at = 0;

	strlcpy(shortened[0], texts.message ? texts.message : "", sizeof(shortened[0]));
	strlcpy(shortened[1], texts.detail ? texts.detail : "", sizeof(shortened[1]));
	strlcpy(shortened[2], texts.hint ? texts.hint : "", sizeof(shortened[2]));
	at = put_text(call, at, shortened[0]);
	at = put_text(call, at, shortened[1]);
	(void) put_text(call, at, shortened[2]);
	call->sqlstate = error->sqlerrcode;
	hand_back(call, CALL_FAILED);
}

/*
 * One transaction, from the arguments to the answer.  The only PG_TRY: the
 * caller has to learn of the error, and the log of faults that are ours.
 */
static void
serve(Call *call, Jsonb *args)
{
	MemoryContext keep = CurrentMemoryContext;

	PG_TRY();
	{
		Jsonb	   *result;

		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		result = run_operation(call->operation, args, keep);
		if (VARSIZE(result) > call->data_size)
			elog(ERROR, "answer of %zu bytes is too large", (Size) VARSIZE(result));
		PopActiveSnapshot();
		CommitTransactionCommand();

		memcpy(call->data, result, VARSIZE(result));
		explicit_bzero(result, VARSIZE(result));
		hand_back(call, CALL_DONE);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(keep);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INTERNAL_ERROR)
			EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		hand_back_error(call, error);
	}
	PG_END_TRY();
}

void
orla_worker_main(Datum arg)
{
	dsm_segment *segment;
	Call	   *call;
	Jsonb	   *args;
	Size		args_size;

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

	args_size = call->args_size;
	args = (Jsonb *) palloc(args_size);
	memcpy(args, call->data, args_size);
	explicit_bzero(call->data, args_size);

	BackgroundWorkerInitializeConnectionByOid(call->database, InvalidOid, 0);
	settle_in();
	become_service();

	pgstat_report_activity(STATE_RUNNING, call->operation);
	serve(call, args);
	explicit_bzero(args, args_size);
	pgstat_report_activity(STATE_IDLE, NULL);
	proc_exit(0);
}
