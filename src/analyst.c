/*
 * analyst.c
 *		Which tenants an analyst's session may read.
 *
 * Policies for orla_analyst say user_id = ANY (orla.granted_tenants()).  The
 * function is asked once per row where no index helps, so the grants are kept
 * from one call to the next; every statement that starts to execute marks
 * them stale, which is how a grant withdrawn in mid-session counts from the
 * next statement on.
 *
 * The analyst is the session's login (session_user): SET ROLE reaches group
 * roles, and through them must not reach another person's grants.
 *
 * orla.narrow_to can only take tenants away, so anybody may set it, anywhere.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "analyst.h"
#include "rows.h"
#include "uuidtext.h"

PG_FUNCTION_INFO_V1(orla_granted_tenants);

static char *narrow_to_setting = NULL;

/* The one tenant to narrow to, as long as narrowed says so. */
static bool narrowed = false;
static pg_uuid_t narrow_to;

/*
 * The answer for the statements of this transaction.  An older answer stays
 * allocated until the transaction ends, since an expression that is half
 * evaluated may still hold it.
 */
static ArrayType *granted = NULL;
static bool granted_is_stale = true;

static ExecutorStart_hook_type previous_executor_start = NULL;

/* '' stands for all tenants that are granted. */
static bool
check_narrow_to(char **newval, void **extra, GucSource source)
{
	pg_uuid_t	uuid;

	if ((*newval)[0] == '\0' ||
		orla_uuid_parse(*newval, strlen(*newval), &uuid))
		return true;
	GUC_check_errcode(ERRCODE_INVALID_TEXT_REPRESENTATION);
	GUC_check_errdetail("The value must be the uuid of a tenant, or empty.");
	return false;
}

static void
assign_narrow_to(const char *newval, void *extra)
{
	narrowed = orla_uuid_parse(newval, strlen(newval), &narrow_to);
	granted_is_stale = true;
}

/* The grants of this session's login, cut down to orla.narrow_to. */
static ArrayType *
read_grants(void)
{
	pg_uuid_t  *tenants;
	Datum	   *elements;
	ArrayType  *result;
	MemoryContext caller;
	int			count;
	int			kept = 0;
	int			i;

	tenants = orla_rows_grants(GetUserNameFromId(GetSessionUserId(), false),
							   &count);
	elements = palloc(Max(count, 1) * sizeof(Datum));
	for (i = 0; i < count; i++)
	{
		if (!narrowed || orla_uuid_equal(&tenants[i], &narrow_to))
			elements[kept++] = UUIDPGetDatum(&tenants[i]);
	}

	caller = MemoryContextSwitchTo(TopTransactionContext);
	result = construct_array(elements, kept, UUIDOID, UUID_LEN, false,
							 TYPALIGN_CHAR);
	MemoryContextSwitchTo(caller);
	pfree(elements);
	if (tenants != NULL)
		pfree(tenants);
	return result;
}

static void
mark_stale_at_start(QueryDesc *query, int eflags)
{
	granted_is_stale = true;
	if (previous_executor_start)
		previous_executor_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

/* The answer lives in the transaction's memory; forget it before that goes. */
static void
forget_at_xact_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
			granted = NULL;
			granted_is_stale = true;
			break;
		default:
			break;
	}
}

void
orla_analyst_init(void)
{
	DefineCustomStringVariable("orla.narrow_to",
							   "The one granted tenant that an analyst wants to see.",
							   "Empty: all tenants granted to the analyst.",
							   &narrow_to_setting, "", PGC_USERSET, 0,
							   check_narrow_to, assign_narrow_to, NULL);
	previous_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = mark_stale_at_start;
	RegisterXactCallback(forget_at_xact_event, NULL);
}

/* orla.granted_tenants() → uuid[], empty for whoever is no analyst */
Datum
orla_granted_tenants(PG_FUNCTION_ARGS)
{
	if (granted == NULL || granted_is_stale)
	{
		ArrayType  *fresh = read_grants();

		if (granted != NULL && VARSIZE(granted) == VARSIZE(fresh) &&
			memcmp(granted, fresh, VARSIZE(fresh)) == 0)
			pfree(fresh);
		else
			granted = fresh;
		granted_is_stale = false;
	}
	PG_RETURN_ARRAYTYPE_P(granted);
}
