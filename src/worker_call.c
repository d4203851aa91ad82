/*
 * worker_call.c
 *		One call from a session to a process that works for it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"

#include "errors.h"
#include "worker_call.h"

/* Room for an answer or an error's texts. */
#define ANSWER_SIZE		(64 * 1024)

/*
 * More than any caller has to say; shared memory that a stranger's megabytes
 * take is missing elsewhere.
 */
#define ARGS_MAX		(4 * 1024 * 1024)

/* Longest message, detail or hint that is handed over, with its NUL. */
#define TEXT_SIZE		4096

/* Operations are names of ours; checked all the same, they end up in SQL. */
void
orla_call_check_operation(const char *operation)
{
	if (strlen(operation) == 0 || strlen(operation) >= NAMEDATALEN - 4 ||
		strspn(operation, "abcdefghijklmnopqrstuvwxyz_") != strlen(operation))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid operation")));
}

static void
leave(dsm_segment *segment, Datum arg)
{
	OrlaCall   *call = dsm_segment_address(segment);

	pg_atomic_write_u32(&call->left, 1);
}

dsm_segment *
orla_call_make(const char *operation, const Jsonb *args)
{
	Size		args_size = VARSIZE(args);
	Size		data_size = Max(args_size, ANSWER_SIZE);
	dsm_segment *segment;
	OrlaCall   *call;

	if (args_size > ARGS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments are too large")));
	segment = dsm_create(offsetof(OrlaCall, data) + data_size, 0);
	call = dsm_segment_address(segment);
	pg_atomic_init_u32(&call->state, ORLA_CALL_WAITING);
	pg_atomic_init_u32(&call->left, 0);
	on_dsm_detach(segment, leave, 0);
	call->database = MyDatabaseId;
	call->caller = MyProc;
	strlcpy(call->operation, operation, NAMEDATALEN);
	call->args_size = args_size;
	call->data_size = data_size;
	memcpy(call->data, args, args_size);
	return segment;
}

void
orla_call_wipe(OrlaCall *call)
{
	explicit_bzero(call->data, call->data_size);
}

bool
orla_call_is_over(OrlaCall *call)
{
	bool		over = pg_atomic_read_u32(&call->state) != ORLA_CALL_WAITING;

	pg_read_barrier();
	return over;
}

bool
orla_call_take_back(OrlaCall *call)
{
	uint32		declined = ORLA_CALL_DECLINED;

	return pg_atomic_compare_exchange_u32(&call->state, &declined, ORLA_CALL_WAITING);
}

void
orla_call_wait_on_latch(long timeout)
{
	(void) WaitLatch(MyLatch,
					 WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
					 (timeout >= 0 ? WL_TIMEOUT : 0),
					 timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
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

/* As orla_call_fail() has put them: one after the other. */
static void
find_texts(const OrlaCall *call, const char **message, const char **detail,
		   const char **hint)
{
	*message = call->data;
	*detail = *message + strlen(*message) + 1;
	*hint = *detail + strlen(*detail) + 1;
}

static void
rethrow(const OrlaCall *call)
{
	const char *message;
	const char *detail;
	const char *hint;

	find_texts(call, &message, &detail, &hint);
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

bool
orla_call_has_failed(OrlaCall *call)
{
	return pg_atomic_read_u32(&call->state) == ORLA_CALL_FAILED;
}

Jsonb *
orla_call_take_result(OrlaCall *call)
{
	Jsonb	   *result = (Jsonb *) palloc(VARSIZE(call->data));

	memcpy(result, call->data, VARSIZE(call->data));
	orla_call_wipe(call);
	return result;
}

Jsonb *
orla_call_take_answer(dsm_segment *segment)
{
	OrlaCall   *call = dsm_segment_address(segment);
	Jsonb	   *result;

	if (orla_call_has_failed(call))
		rethrow(call);
	result = orla_call_take_result(call);
	dsm_detach(segment);
	return answer_of(result);
}

Jsonb *
orla_call_take_args(OrlaCall *call)
{
	Jsonb	   *args = (Jsonb *) palloc(call->args_size);

	memcpy(args, call->data, call->args_size);
	explicit_bzero(call->data, call->args_size);
	return args;
}

bool
orla_call_is_left(OrlaCall *call)
{
	return pg_atomic_read_u32(&call->left) != 0;
}

static void
hand_back(OrlaCall *call, OrlaCallState state)
{
	pg_write_barrier();
	pg_atomic_write_u32(&call->state, state);
	SetLatch(&call->caller->procLatch);
}

void
orla_call_decline(OrlaCall *call)
{
	hand_back(call, ORLA_CALL_DECLINED);
}

void
orla_call_answer(OrlaCall *call, const Jsonb *result)
{
	if (VARSIZE(result) > call->data_size)
	{
		orla_call_fail(call, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
					   "answer is too large", NULL, NULL);
		return;
	}
	memcpy(call->data, result, VARSIZE(result));
	hand_back(call, ORLA_CALL_DONE);
}

/* The texts lie in data one after the other; there is room for all three. */
void
orla_call_fail(OrlaCall *call, int sqlstate, const char *message,
			   const char *detail, const char *hint)
{
	const char *texts[] = {message, detail, hint};
	char	   *at = call->data;
	int			i;

	for (i = 0; i < lengthof(texts); i++)
	{
		strlcpy(at, texts[i] != NULL ? texts[i] : "", TEXT_SIZE);
		at += strlen(at) + 1;
	}
	call->sqlstate = sqlstate;
	hand_back(call, ORLA_CALL_FAILED);
}

void
orla_call_fail_as(OrlaCall *call, OrlaCall *other)
{
	const char *message;
	const char *detail;
	const char *hint;

	find_texts(other, &message, &detail, &hint);
	orla_call_fail(call, other->sqlstate, message, detail, hint);
}
