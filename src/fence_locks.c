/*
 * fence_locks.c
 *		Statements that lock a table before they ask whether they may.
 *
 * Whoever may update a row may lock the whole table against everybody: LOCK
 * TABLE asks for no more.  And some statements take, or wait for, a lock that
 * shuts others out and look at permissions only when they have it: CREATE
 * RULE and CREATE TRIGGER, a foreign key's other table, a parent that a
 * partition is made of, a partition that is attached, ALTER INDEX … DEPENDS ON
 * EXTENSION.  While they wait, everybody else waits behind them: with a second
 * session that keeps a transaction open, a tenant could stop a table for all.
 *
 * So under the fence the question comes first, and the answer is the server's
 * own error.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lockdefs.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "fence_locks.h"

static Oid
table_named(const RangeVar *name)
{
	return name == NULL ? InvalidOid : RangeVarGetRelid(name, NoLock, true);
}

static void
raise_as_server(Oid table, AclResult why)
{
	aclcheck_error(why, get_relkind_objtype(get_rel_relkind(table)),
				   get_rel_name(table));
}

/* As the server would ask, had it not locked the table already. */
static void
require_owner(const RangeVar *name)
{
	Oid			table = table_named(name);

	if (OidIsValid(table) && !orla_owns_table(table, GetUserId()))
		raise_as_server(table, ACLCHECK_NOT_OWNER);
}

static void
require_privilege(const RangeVar *name, AclMode privilege)
{
	Oid			table = table_named(name);

	if (OidIsValid(table) &&
		pg_class_aclcheck(table, GetUserId(), privilege) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(table, GetUserId(), privilege,
								  ACLMASK_ANY) != ACLCHECK_OK)
		raise_as_server(table, ACLCHECK_NO_PRIV);
}

/*
 * A view is locked with all the tables under it, of which its owner need own
 * none.
 */
static void
check_lock_table(const LockStmt *stmt)
{
	ListCell   *lc;

	if (stmt->mode <= RowExclusiveLock)
		return;
	foreach(lc, stmt->relations)
	{
		Oid			table = table_named(lfirst_node(RangeVar, lc));

		if (OidIsValid(table) &&
			(!orla_owns_table(table, GetUserId()) ||
			 get_rel_relkind(table) == RELKIND_VIEW))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied for LOCK TABLE in this mode"),
					 errdetail("It would shut other tenants out."),
					 errhint("Lock rows with SELECT … FOR UPDATE.")));
	}
}

static void
check_constraint(const Node *node)
{
	if (IsA(node, Constraint) &&
		((const Constraint *) node)->contype == CONSTR_FOREIGN)
		require_privilege(((const Constraint *) node)->pktable, ACL_REFERENCES);
}

/* A column, or a constraint of the whole table. */
static void
check_table_element(const Node *element)
{
	ListCell   *lc;

	if (element == NULL)
		return;
	check_constraint(element);
	if (!IsA(element, ColumnDef))
		return;
	foreach(lc, ((const ColumnDef *) element)->constraints)
		check_constraint(lfirst(lc));
}

static void
check_create_table(const CreateStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->tableElts)
		check_table_element(lfirst(lc));
	if (stmt->partbound == NULL)
		return;
	foreach(lc, stmt->inhRelations)
		require_owner(lfirst_node(RangeVar, lc));
}

static void
check_alter_table(const AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddColumn || cmd->subtype == AT_AddConstraint)
			check_table_element(cmd->def);
		else if (cmd->subtype == AT_AttachPartition)
			require_owner(castNode(PartitionCmd, cmd->def)->name);
	}
}

/* Spares all other statements the look at the roles. */
bool
orla_locks_first(const Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_LockStmt:
		case T_RuleStmt:
		case T_CreateTrigStmt:
		case T_CreateStmt:
		case T_CreateForeignTableStmt:
		case T_AlterTableStmt:
		case T_AlterObjectDependsStmt:
			return true;
		default:
			return false;
	}
}

void
orla_refuse_locks(const Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_LockStmt:
			check_lock_table((const LockStmt *) stmt);
			break;
		case T_RuleStmt:
			require_owner(((const RuleStmt *) stmt)->relation);
			break;
		case T_CreateTrigStmt:
			require_privilege(((const CreateTrigStmt *) stmt)->relation,
							  ACL_TRIGGER);
			break;
		case T_CreateStmt:
			check_create_table((const CreateStmt *) stmt);
			break;
		case T_CreateForeignTableStmt:
			check_create_table(&((const CreateForeignTableStmt *) stmt)->base);
			break;
		case T_AlterTableStmt:
			check_alter_table((const AlterTableStmt *) stmt);
			break;
		case T_AlterObjectDependsStmt:
			require_owner(((const AlterObjectDependsStmt *) stmt)->relation);
			break;
		default:
			break;
	}
}
