/*
 * checks.c
 *		Conditions of policies that say the same are checked once.
 *
 * The fence says each condition twice, in a permissive and in a restrictive
 * policy.  Of USING conditions the server keeps one where they are equal; of
 * WITH CHECK conditions it keeps both, to be able to name a restrictive policy
 * in its error, and prepares and evaluates both for each row that is written.
 * Here the second one is taken out before the query is planned.  What decides
 * is the first, as before: it comes first, and it raises.
 *
 * Only what is equal in every respect but the policy's name is taken out, and
 * nothing that contains a volatile function, whose second answer may differ.
 */
#include "postgres.h"

#include "nodes/parsenodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"

#include "checks.h"

static planner_hook_type previous_planner = NULL;

static bool
is_repeated(const WithCheckOption *check, const List *earlier)
{
	ListCell   *lc;

	foreach(lc, earlier)
	{
		WithCheckOption *other = lfirst_node(WithCheckOption, lc);

		if (other->kind == check->kind && other->cascaded == check->cascaded &&
			strcmp(other->relname, check->relname) == 0 &&
			equal(other->qual, check->qual))
			return !contain_volatile_functions(check->qual);
	}
	return false;
}

/* An HTTP layer writes in WITH queries, hence those too. */
static void
spare_repeated_checks(Query *query)
{
	List	   *kept = NIL;
	ListCell   *lc;

	foreach(lc, query->withCheckOptions)
	{
		if (!is_repeated(lfirst_node(WithCheckOption, lc), kept))
			kept = lappend(kept, lfirst(lc));
	}
	query->withCheckOptions = kept;

	foreach(lc, query->cteList)
	{
		Node	   *with = lfirst_node(CommonTableExpr, lc)->ctequery;

		if (IsA(with, Query))
			spare_repeated_checks((Query *) with);
	}
}

static PlannedStmt *
checks_planner(Query *query, const char *query_string, int cursor_options,
			   ParamListInfo params)
{
	spare_repeated_checks(query);
	return previous_planner
		? previous_planner(query, query_string, cursor_options, params)
		: standard_planner(query, query_string, cursor_options, params);
}

void
orla_checks_init(void)
{
	previous_planner = planner_hook;
	planner_hook = checks_planner;
}
