/*
 * worker_aside.c
 *		Has the worker step aside for commands that need a database to
 *		themselves: DROP DATABASE, CREATE DATABASE … TEMPLATE, ALTER DATABASE
 *		RENAME and SET TABLESPACE.
 *
 * A worker that is connected would be in the way of all of them.  The session
 * that runs the command puts its pid into the worker's slot, ends the worker,
 * waits until it is gone, and takes the pid out again afterwards.  While it is
 * there the launcher starts none; where the session died, the launcher sees
 * that its pid is nobody's any more.
 */
#include "postgres.h"

#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "worker_aside.h"
#include "worker_call.h"
#include "worker_shared.h"

/* How long the command waits for the worker to end, and how often it looks. */
#define WAIT_MS			4000
#define LOOK_EVERY_MS	10

static ProcessUtility_hook_type previous_process_utility = NULL;

static Oid	sent_away = InvalidOid; /* database whose worker this session wants away */
static bool callback_registered = false;

static const char *
template_of(const CreatedbStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "template") == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return "template1";
}

static bool
moves_tablespace(const AlterDatabaseStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->options)
	{
		if (strcmp(lfirst_node(DefElem, lc)->defname, "tablespace") == 0)
			return true;
	}
	return false;
}

/* The database that the command wants for itself, NULL for other commands. */
static const char *
wanted_database(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_DropdbStmt:
			return castNode(DropdbStmt, stmt)->dbname;
		case T_CreatedbStmt:
			return template_of(castNode(CreatedbStmt, stmt));
		case T_RenameStmt:
			return castNode(RenameStmt, stmt)->renameType == OBJECT_DATABASE
				? castNode(RenameStmt, stmt)->subname : NULL;
		case T_AlterDatabaseStmt:
			return moves_tablespace(castNode(AlterDatabaseStmt, stmt))
				? castNode(AlterDatabaseStmt, stmt)->dbname : NULL;
		default:
			return NULL;
	}
}

/* A database that is no template is its owner's to copy. */
static bool
may_copy(Oid database, Oid role)
{
	HeapTuple	tuple;
	bool		may = orla_owns_database(database, role);

	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	if (HeapTupleIsValid(tuple))
	{
		may = may || ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
		ReleaseSysCache(tuple);
	}
	return may;
}

static bool
may_create_databases(Oid role)
{
	HeapTuple	tuple;
	bool		may = superuser_arg(role);

	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	if (HeapTupleIsValid(tuple))
	{
		may = may || ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
		ReleaseSysCache(tuple);
	}
	return may;
}

/* Who may not run the command must not end the worker with it either. */
static bool
may_run(Oid database, Node *stmt)
{
	if (IsA(stmt, CreatedbStmt))
		return may_create_databases(GetUserId()) && may_copy(database, GetUserId());
	return orla_owns_database(database, GetUserId());
}

/* The worker's pid, 0 when it is gone; with `ask` it is told to go. */
static int
ask_worker(Oid database, bool ask)
{
	OrlaWorkerSlot *slot;
	int			pid = 0;

	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	slot = orla_shared_slot_of(database);
	if (slot != NULL)
	{
		pid = slot->pid;
		if (ask)
		{
			slot->aside_for = MyProcPid;
			if (pid != 0)
				kill(pid, SIGTERM);
		}
	}
	LWLockRelease(orla_shared->lock);
	return pid;
}

static void
send_away(Oid database)
{
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), WAIT_MS);
	int			pid = ask_worker(database, true);

	/* The command itself says what is in its way, should that be us. */
	while (pid != 0 && GetCurrentTimestamp() < give_up)
	{
		orla_call_wait_on_latch(LOOK_EVERY_MS);
		pid = ask_worker(database, false);
	}
}

static void
let_back(Oid database)
{
	OrlaWorkerSlot *slot;

	LWLockAcquire(orla_shared->lock, LW_EXCLUSIVE);
	slot = orla_shared_slot_of(database);
	if (slot != NULL && slot->aside_for == MyProcPid)
		slot->aside_for = 0;
	LWLockRelease(orla_shared->lock);
	orla_shared_wake_launcher();
}

/*
 * Not sooner: until then the launcher does not see what the command has done.
 * None of the commands is part of a larger transaction.
 */
static void
at_end_of_command(XactEvent event, void *arg)
{
	Oid			database = sent_away;

	if (!OidIsValid(database) ||
		(event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT))
		return;
	sent_away = InvalidOid;
	let_back(database);
}

static void
go_on(PlannedStmt *pstmt, const char *query_string, bool read_only_tree,
	  ProcessUtilityContext context, ParamListInfo params,
	  QueryEnvironment *query_env, DestReceiver *dest, QueryCompletion *completion)
{
	if (previous_process_utility)
		previous_process_utility(pstmt, query_string, read_only_tree, context,
								 params, query_env, dest, completion);
	else
		standard_ProcessUtility(pstmt, query_string, read_only_tree, context,
								params, query_env, dest, completion);
}

static void
aside_process_utility(PlannedStmt *pstmt, const char *query_string,
					  bool read_only_tree, ProcessUtilityContext context,
					  ParamListInfo params, QueryEnvironment *query_env,
					  DestReceiver *dest, QueryCompletion *completion)
{
	const char *name = orla_shared == NULL ? NULL : wanted_database(pstmt->utilityStmt);
	Oid			database = name == NULL ? InvalidOid : get_database_oid(name, true);

	if (!OidIsValid(database) || !may_run(database, pstmt->utilityStmt))
	{
		go_on(pstmt, query_string, read_only_tree, context, params, query_env,
			  dest, completion);
		return;
	}

	if (!callback_registered)
		RegisterXactCallback(at_end_of_command, NULL);
	callback_registered = true;
	sent_away = database;
	send_away(database);
	go_on(pstmt, query_string, read_only_tree, context, params, query_env,
		  dest, completion);
}

void
orla_aside_init(void)
{
	previous_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = aside_process_utility;
}
