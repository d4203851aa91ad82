/*
 * fence.c
 *		Hooks that close what row security leaves open.
 *
 * For sessions under the fence, that is those whose current or login role is
 * a member of one of orla's roles and not exempt from row security:
 *
 * - EXPLAIN shows no costs, no row estimates and no buffers, and refuses
 *   ANALYZE: they count what is other tenants';
 * - debug_print_plan is refused where the session would be shown the plan;
 * - cursors WITH HOLD are refused: they outlive the transaction, and with it
 *   the tenant whose rows they hold;
 * - locks that shut other tenants out are refused (fence_locks.c);
 * - settings, passwords and default privileges of roles that several people
 *   share are refused: they would reach whoever comes next.
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

#include "compat.h"
#include "fence.h"
#include "fence_locks.h"
#include "rows.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(orla_guard_drop);
PG_FUNCTION_INFO_V1(orla_preloaded);

static ProcessUtility_hook_type previous_process_utility = NULL;
static planner_hook_type previous_planner = NULL;
static object_access_hook_type previous_object_access = NULL;

/* Did the server itself load us, for all sessions of all databases? */
static bool preloaded = false;

/* Roles whose members are under the fence. */
static const char *const fenced_roles[] = {
	"orla_user", "orla_anon", "orla_gateway", "orla_analyst", "orla_admin",
	"orla_service"
};

/* Those of them that stand for everybody: the first so many of the list. */
#define SHARED_ROLES	3

/* Is the role a member of one of the first n of orla's roles, and not exempt? */
static bool
role_is_fenced(Oid role, int n)
{
	int			i;

	if (has_bypassrls_privilege(role))	/* superusers too */
		return false;
	for (i = 0; i < n; i++)
	{
		Oid			fenced = get_role_oid(fenced_roles[i], true);

		if (OidIsValid(fenced) && is_member_of_role_nosuper(role, fenced))
			return true;
	}
	return false;
}

/*
 * The login counts as well as the current role, each for itself: neither
 * RESET ROLE nor a superuser's SECURITY DEFINER function must lead out.
 */
static bool
session_is_fenced(int n)
{
	return OidIsValid(get_namespace_oid("orla", true)) &&
		(role_is_fenced(GetUserId(), n) || role_is_fenced(GetSessionUserId(), n));
}

static bool
under_fence(void)
{
	return session_is_fenced(lengthof(fenced_roles));
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
	stmt->options = lappend(stmt->options,
							makeDefElem("buffers", (Node *) makeBoolean(false), -1));
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

/*
 * Every role may change its own password and the settings that its sessions
 * begin with.  Where a role or a login is shared, that reaches the others,
 * and outlives DISCARD ALL.
 */
static void
refuse_shared_role(const RoleSpec *spec)
{
	Oid			target = spec == NULL ? InvalidOid : get_rolespec_oid(spec, true);
	bool		shared = session_is_fenced(SHARED_ROLES);
	int			i;

	for (i = 0; i < lengthof(fenced_roles) && !shared; i++)
		shared = OidIsValid(target) &&
			target == get_role_oid(fenced_roles[i], true);
	if (shared)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to alter a role that is shared"),
				 errdetail("What is set for it reaches the sessions of others."),
				 errhint("Use SET inside the transaction, or ask an operator.")));
}

/* Without FOR ROLE they are those of the current role. */
static void
refuse_default_privileges(const AlterDefaultPrivilegesStmt *stmt)
{
	ListCell   *option;
	ListCell   *role;
	bool		named = false;

	foreach(option, stmt->options)
	{
		DefElem    *element = lfirst_node(DefElem, option);

		if (strcmp(element->defname, "roles") != 0)
			continue;
		named = true;
		foreach(role, (List *) element->arg)
			refuse_shared_role(lfirst_node(RoleSpec, role));
	}
	if (!named)
	{
		RoleSpec	current = {T_RoleSpec, ROLESPEC_CURRENT_USER, NULL, -1};

		refuse_shared_role(&current);
	}
}

/* Checks a statement under the fence; returns what is to be executed. */
static PlannedStmt *
fenced_statement(PlannedStmt *pstmt)
{
	Node	   *stmt = pstmt->utilityStmt;

	switch (nodeTag(stmt))
	{
		case T_ExplainStmt:
			return explain_without_counts(pstmt);
		case T_DeclareCursorStmt:
			refuse_holdable_cursor(castNode(DeclareCursorStmt, stmt));
			break;
		case T_AlterRoleStmt:
			refuse_shared_role(castNode(AlterRoleStmt, stmt)->role);
			break;
		case T_AlterRoleSetStmt:
			refuse_shared_role(castNode(AlterRoleSetStmt, stmt)->role);
			break;
		case T_AlterDefaultPrivilegesStmt:
			refuse_default_privileges(castNode(AlterDefaultPrivilegesStmt, stmt));
			break;
		default:
			orla_refuse_locks(stmt);
			break;
	}
	return pstmt;
}

/* Spares all other statements the look at the roles. */
static bool
concerns_fence(const Node *stmt)
{
	return IsA(stmt, ExplainStmt) || IsA(stmt, DeclareCursorStmt) ||
		IsA(stmt, AlterRoleStmt) || IsA(stmt, AlterRoleSetStmt) ||
		IsA(stmt, AlterDefaultPrivilegesStmt) || orla_locks_first(stmt);
}

static void
fence_process_utility(PlannedStmt *pstmt, const char *query_string,
					  bool read_only_tree, ProcessUtilityContext context,
					  ParamListInfo params, QueryEnvironment *query_env,
					  DestReceiver *dest, QueryCompletion *completion)
{
	if (concerns_fence(pstmt->utilityStmt) && under_fence())
		pstmt = fenced_statement(pstmt);

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
 * Asked after planning, since functions that are folded may change settings.
 */
static PlannedStmt *
fence_planner(Query *query, const char *query_string, int cursor_options,
			  ParamListInfo params)
{
	PlannedStmt *plan = previous_planner
		? previous_planner(query, query_string, cursor_options, params)
		: standard_planner(query, query_string, cursor_options, params);

	if (Debug_print_plan && client_min_messages <= LOG && under_fence())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to print plans"),
				 errdetail("The estimates in a plan include rows of other tenants."),
				 errhint("Set debug_print_plan to off.")));
	return plan;
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
		object_id != get_relname_relid("instance", nsp) &&
		orla_rows_is_ours(object_id);
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
	preloaded = process_shared_preload_libraries_in_progress;
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

/*
 * orla.preloaded() → boolean: shared_preload_libraries itself is hidden from
 * operators
 */
Datum
orla_preloaded(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(preloaded);
}
