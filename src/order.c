/*
 * order.c
 *		The fence's condition is evaluated before those of the query.
 *
 * The server keeps a condition that might tell what it is called with behind
 * the policies.  One that is leak-proof, as = and < of text are, may stand
 * before them, and the planner puts it there where that is cheaper.  It tells
 * nothing itself; but the next condition is evaluated only where it held, and
 * if that one has to fetch and decompress a large value, the clock shows it:
 *
 *		WHERE title >= 'M' AND title < 'N' AND content >= ''
 *
 * took a hundred times as long where anybody had such a title, and so titles
 * could be asked for letter by letter, over HTTP as well.  Here the condition
 * on the tenant is put first in every scan, after planning: what a scan reads
 * of others' rows is then their tenant and no more.
 *
 * The condition need not look like that of the policy: in WHERE user_id = $1
 * the planner has the scan compare with $1, and compares that with the tenant
 * once.  So any comparison of the tenant's column with something that is the
 * same for all rows goes first; it is leak-proof in itself.  Nothing else is
 * moved, in particular nothing that a query could bring a function in with.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "parser/parsetree.h"
#include "rewrite/rowsecurity.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "order.h"

/* What the walk over a plan knows. */
typedef struct Walk
{
	const PlannedStmt *stmt;
	Oid			current_tenant;
	Oid			granted_tenants;
} Walk;

/* A scan whose conditions are put in order. */
typedef struct Fenced
{
	const Walk *walk;
	AttrNumber	tenant;			/* the tenant's column */
	List	   *index_columns;	/* of an index-only scan */
} Fenced;

static planner_hook_type previous_planner = NULL;

static void order_plan(Plan *plan, const Walk *walk);

/* ---- the tenant's column ------------------------------------------------ */

/* Whoever asks need not have USAGE on the schema: views may lead here. */
static Oid
function_of_fence(const char *name)
{
	Oid			nsp = get_namespace_oid("orla", true);

	if (!OidIsValid(nsp))
		return InvalidOid;
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum(name),
						   PointerGetDatum(buildoidvector(NULL, 0)),
						   ObjectIdGetDatum(nsp));
}

static bool
is_call_of_fence(const Node *node, const Walk *walk)
{
	return IsA(node, FuncExpr) &&
		(((const FuncExpr *) node)->funcid == walk->current_tenant ||
		 ((const FuncExpr *) node)->funcid == walk->granted_tenants);
}

/* The arguments of = or = ANY over uuids, NIL for anything else. */
static List *
uuid_comparison(const Node *clause)
{
	if (IsA(clause, OpExpr) && ((const OpExpr *) clause)->opfuncid == F_UUID_EQ)
		return ((const OpExpr *) clause)->args;
	if (IsA(clause, ScalarArrayOpExpr) &&
		((const ScalarArrayOpExpr *) clause)->opfuncid == F_UUID_EQ &&
		((const ScalarArrayOpExpr *) clause)->useOr)
		return ((const ScalarArrayOpExpr *) clause)->args;
	return NIL;
}

/* Finds the column that a policy compares with one of our functions. */
typedef struct Search
{
	const Walk *walk;
	AttrNumber	found;
} Search;

static bool
find_column(Node *node, Search *search)
{
	List	   *args;

	if (node == NULL)
		return false;
	args = uuid_comparison(node);
	if (args != NIL && IsA(linitial(args), Var) &&
		is_call_of_fence(lsecond(args), search->walk))
	{
		search->found = linitial_node(Var, args)->varattno;
		return true;
	}
	return expression_tree_walker(node, find_column, search);
}

static AttrNumber
column_in_policies(Oid table_oid, const Walk *walk)
{
	Relation	table = table_open(table_oid, NoLock);
	Search		search = {walk, InvalidAttrNumber};
	ListCell   *lc;

	if (table->rd_rsdesc != NULL)
	{
		foreach(lc, table->rd_rsdesc->policies)
		{
			RowSecurityPolicy *policy = lfirst(lc);

			if (find_column((Node *) policy->qual, &search))
				break;
		}
	}
	table_close(table, NoLock);
	return search.found;
}

/*
 * The table that the query names, whose policies count: a partition or child
 * that is read by way of it stands beside it in the plan.
 */
static Index
table_named_in_query(Index rti, const PlannedStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->appendRelations)
	{
		AppendRelInfo *part = lfirst_node(AppendRelInfo, lc);

		if (part->child_relid == rti &&
			rt_fetch(part->parent_relid, stmt->rtable)->rtekind == RTE_RELATION)
			return table_named_in_query(part->parent_relid, stmt);
	}
	return rti;
}

/* InvalidAttrNumber for a table without a fence. */
static AttrNumber
tenant_column(Index rti, const Walk *walk)
{
	Index		named = table_named_in_query(rti, walk->stmt);
	Oid			part = rt_fetch(rti, walk->stmt->rtable)->relid;
	Oid			whole = rt_fetch(named, walk->stmt->rtable)->relid;
	AttrNumber	column;

	if (!OidIsValid(part) || !OidIsValid(whole))
		return InvalidAttrNumber;
	column = column_in_policies(whole, walk);
	if (column == InvalidAttrNumber || part == whole)
		return column;
	return get_attnum(part, get_attname(whole, column, false));
}

/* ---- conditions --------------------------------------------------------- */

static bool
is_tenant(const Node *node, const Fenced *scan)
{
	const Var  *var = (const Var *) node;

	if (!IsA(node, Var))
		return false;
	if (var->varno == INDEX_VAR)
	{
		TargetEntry *entry = get_tle_by_resno(scan->index_columns, var->varattno);

		return entry != NULL && IsA(entry->expr, Var) &&
			((Var *) entry->expr)->varattno == scan->tenant;
	}
	return var->varattno == scan->tenant;
}

/* 0: as the policy says it; 1: what may stand in for it; 2: anything else. */
static int
rank(Node *clause, const Fenced *scan)
{
	List	   *args = uuid_comparison(clause);
	Node	   *other;

	if (args == NIL)
		return 2;
	if (is_tenant(linitial(args), scan))
		other = lsecond(args);
	else if (is_tenant(lsecond(args), scan))
		other = linitial(args);
	else
		return 2;
	if (is_call_of_fence(other, scan->walk))
		return 0;
	return IsA(clause, OpExpr) && !contain_var_clause(other) &&
		!contain_volatile_functions(other) && !contain_subplans(other) ? 1 : 2;
}

static List *
order_conditions(List *clauses, const Fenced *scan)
{
	List	   *ordered = NIL;
	ListCell   *lc;
	int			i;

	if (list_length(clauses) < 2)
		return clauses;
	for (i = 0; i <= 2; i++)
	{
		foreach(lc, clauses)
		{
			if (rank(lfirst(lc), scan) == i)
				ordered = lappend(ordered, lfirst(lc));
		}
	}
	return ordered;
}

/* What is compared again where an index or a bitmap is not exact comes too. */
static void
order_scan(Scan *node, const Walk *walk)
{
	Fenced		scan = {walk, InvalidAttrNumber, NIL};
	List	  **again = NULL;

	if (IsA(node, IndexOnlyScan))
	{
		scan.index_columns = ((IndexOnlyScan *) node)->indextlist;
		again = &((IndexOnlyScan *) node)->recheckqual;
	}
	else if (IsA(node, IndexScan))
		again = &((IndexScan *) node)->indexqualorig;
	else if (IsA(node, BitmapHeapScan))
		again = &((BitmapHeapScan *) node)->bitmapqualorig;
	if (list_length(node->plan.qual) < 2 && (again == NULL || list_length(*again) < 2))
		return;

	scan.tenant = tenant_column(node->scanrelid, walk);
	if (scan.tenant == InvalidAttrNumber)
		return;
	node->plan.qual = order_conditions(node->plan.qual, &scan);
	if (again != NULL)
		*again = order_conditions(*again, &scan);
}

/* ---- plans -------------------------------------------------------------- */

static void
order_plans(List *plans, const Walk *walk)
{
	ListCell   *lc;

	foreach(lc, plans)
		order_plan(lfirst(lc), walk);
}

static void
order_plan(Plan *plan, const Walk *walk)
{
	if (plan == NULL)
		return;
	check_stack_depth();
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
			order_scan((Scan *) plan, walk);
			break;
		case T_Append:
			order_plans(((Append *) plan)->appendplans, walk);
			break;
		case T_MergeAppend:
			order_plans(((MergeAppend *) plan)->mergeplans, walk);
			break;
		case T_SubqueryScan:
			order_plan(((SubqueryScan *) plan)->subplan, walk);
			break;
		case T_CustomScan:
			order_plans(((CustomScan *) plan)->custom_plans, walk);
			break;
		default:
			break;
	}
	order_plan(plan->lefttree, walk);
	order_plan(plan->righttree, walk);
}

/* Policies are in the query, or came in with a function that was inlined. */
static PlannedStmt *
order_planner(Query *query, const char *query_string, int cursor_options,
			  ParamListInfo params)
{
	bool		fenced = query->hasRowSecurity;
	PlannedStmt *stmt = previous_planner
		? previous_planner(query, query_string, cursor_options, params)
		: standard_planner(query, query_string, cursor_options, params);
	Walk		walk = {stmt, InvalidOid, InvalidOid};

	if (!fenced && !stmt->dependsOnRole)
		return stmt;
	walk.current_tenant = function_of_fence("current_tenant");
	walk.granted_tenants = function_of_fence("granted_tenants");
	if (OidIsValid(walk.current_tenant))
	{
		order_plan(stmt->planTree, &walk);
		order_plans(stmt->subplans, &walk);
	}
	return stmt;
}

void
orla_order_init(void)
{
	previous_planner = planner_hook;
	planner_hook = order_planner;
}
