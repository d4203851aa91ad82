/*
 * fence.c
 *		Hooks that close what row security leaves open.
 *
 * For sessions under the fence, that is those whose current or login role is
 * a member of one of orla's roles and not exempt from row security:
 *
 * - EXPLAIN shows no costs and no row estimates, and refuses ANALYZE: both
 *   count rows of other tenants;
 * - debug_print_plan is refused where the session would be shown the plan;
 * - cursors WITH HOLD are refused: they outlive the transaction, and with it
 *   the tenant whose rows they hold.
 *
 * For everybody: dropping a table of orla that has rows in it is refused,
 * whatever statement it comes from (DROP EXTENSION, DROP EXTENSION pgcrypto
 * CASCADE, DROP OWNED), until a superuser sets orla.allow_drop.
 *
 * Hooks work from the statement on at which the library is loaded.  That is
 * the first of a session only with session_preload_libraries or
 * shared_preload_libraries; check_isolation() says when neither is set.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/planner.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "fence.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(orla_guard_drop);

static ProcessUtility_hook_type previous_process_utility = NULL;
static planner_hook_type previous_planner = NULL;
static object_access_hook_type previous_object_access = NULL;

/* Roles whose members are under the fence. */
static const char *const fenced_roles[] = {
	"orla_user", "orla_anon", "orla_analyst", "orla_gateway", "orla_admin",
	"orla_service"
};

/*
 * The login counts as well as the current role: RESET ROLE inside a request
 * must not lead out.
 */
static bool
under_fence(void)
{
	int			i;

	if (!OidIsValid(get_namespace_oid("orla", true)))
		return false;
	if (superuser() || has_bypassrls_privilege(GetUserId()))
		return false;
	for (i = 0; i < lengthof(fenced_roles); i++)
	{
		Oid			role = get_role_oid(fenced_roles[i], true);

		if (OidIsValid(role) &&
			(is_member_of_role_nosuper(GetUserId(), role) ||
			 is_member_of_role_nosuper(GetSessionUserId(), role)))
			return true;
	}
	return false;
}

/* The statement without estimates; options given twice count as the last. */
static PlannedStmt *
explain_without_counts(PlannedStmt *pstmt)
{
	PlannedStmt *copy = copyObject(pstmt);
	ExplainStmt *stmt = castNode(ExplainStmt, copy->utilityStmt);
	ListCell   *lc;
	bool		analyze = false;

	foreach(lc, stmt->options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "analyze") == 0)
			analyze = defGetBoolean(option);
	}
	if (analyze)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for EXPLAIN ANALYZE"),
				 errdetail("Its row counts include rows of other tenants."),
				 errhint("Use EXPLAIN without ANALYZE, or ask an operator.")));

	stmt->options = lappend(stmt->options,
							makeDefElem("costs", (Node *) makeBoolean(false), -1));
	return copy;
}

static void
refuse_holdable_cursor(const DeclareCursorStmt *stmt)
{
	if (stmt->options & CURSOR_OPT_HOLD)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for a cursor WITH HOLD"),
				 errdetail("It would keep rows of this tenant beyond the end of the transaction."),
				 errhint("Use the cursor inside one transaction.")));
}

static void
fence_process_utility(PlannedStmt *pstmt, const char *query_string,
					  bool read_only_tree, ProcessUtilityContext context,
					  ParamListInfo params, QueryEnvironment *query_env,
					  DestReceiver *dest, QueryCompletion *completion)
{
	Node	   *stmt = pstmt->utilityStmt;

	if (IsA(stmt, ExplainStmt) && under_fence())
		pstmt = explain_without_counts(pstmt);
	else if (IsA(stmt, DeclareCursorStmt) && under_fence())
		refuse_holdable_cursor(castNode(DeclareCursorStmt, stmt));

	if (previous_process_utility)
		previous_process_utility(pstmt, query_string, read_only_tree, context,
								 params, query_env, dest, completion);
	else
		standard_ProcessUtility(pstmt, query_string, read_only_tree, context,
								params, query_env, dest, completion);
}

/*
 * The server prints the plan, with its estimates, right after the planner
 * returns; to the client as well where client_min_messages lets LOG through.
 */
static PlannedStmt *
fence_planner(Query *query, const char *query_string, int cursor_options,
			  ParamListInfo params)
{
	if (Debug_print_plan && client_min_messages <= LOG && under_fence())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to print plans"),
				 errdetail("The estimates in a plan include rows of other tenants."),
				 errhint("Set debug_print_plan to off.")));

	if (previous_planner)
		return previous_planner(query, query_string, cursor_options, params);
	return standard_planner(query, query_string, cursor_options, params);
}

/* Rows of a table, counted as far as it takes to tell somebody. */
#define COUNT_LIMIT 100000

static int64
count_rows(Oid table_oid)
{
	Relation	table = table_open(table_oid, AccessShareLock);
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	int64		n = 0;

	while (n < COUNT_LIMIT && HeapTupleIsValid(systable_getnext(scan)))
		n++;
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return n;
}

/* What is lost is told in the words of a person, not of the schema. */
static void
refuse_drop(Oid table_oid, int64 rows)
{
	Oid			nsp = get_namespace_oid("orla", false);
	Oid			users = get_relname_relid("users", nsp);
	Oid			content = get_relname_relid("content_library", nsp);
	int64		accounts = OidIsValid(users) ? count_rows(users) : 0;
	int64		posts = OidIsValid(content) ? count_rows(content) : 0;

	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop extension orla because its tables have rows"),
			 errdetail("Table \"%s\" has %s%lld row(s); altogether %s%lld account(s) and %s%lld content item(s) would be lost, and no key can open the sealed ones again.",
					   get_rel_name(table_oid),
					   rows == COUNT_LIMIT ? "at least " : "",
					   (long long) rows,
					   accounts == COUNT_LIMIT ? "at least " : "",
					   (long long) accounts,
					   posts == COUNT_LIMIT ? "at least " : "",
					   (long long) posts),
			 errhint("Take a dump first; to insist, a superuser sets orla.allow_drop to on.")));
}

/* The instance row is made again at the next first use: nothing is lost. */
static bool
is_table_of_orla(Oid class_id, Oid object_id, int sub_id)
{
	Oid			nsp;

	if (class_id != RelationRelationId || sub_id != 0)
		return false;
	nsp = get_namespace_oid("orla", true);
	return OidIsValid(nsp) && get_rel_namespace(object_id) == nsp &&
		get_rel_relkind(object_id) == RELKIND_RELATION &&
		object_id != get_relname_relid("instance", nsp);
}

/*
 * Dependent objects are dropped before the extension itself, so its own
 * OAT_DROP would come when the tables are gone: the tables are watched.
 */
static void
fence_object_access(ObjectAccessType access, Oid class_id, Oid object_id,
					int sub_id, void *arg)
{
	if (previous_object_access)
		previous_object_access(access, class_id, object_id, sub_id, arg);

	if (access == OAT_DROP && !creating_extension && !orla_allow_drop &&
		is_table_of_orla(class_id, object_id, sub_id))
	{
		int64		rows = count_rows(object_id);

		if (rows > 0)
			refuse_drop(object_id, rows);
	}
}

void
orla_fence_init(void)
{
	previous_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = fence_process_utility;
	previous_planner = planner_hook;
	planner_hook = fence_planner;
	previous_object_access = object_access_hook;
	object_access_hook = fence_object_access;
}

/*
 * orla.guard_drop(): the event trigger that runs before a DROP.  Calling it
 * loads the library, and with it the hook above, in sessions that have not
 * needed it yet; there is nothing left for it to do.
 */
Datum
orla_guard_drop(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("orla.guard_drop() can only be called as an event trigger")));
	PG_RETURN_NULL();
}
