/*
 * triggers.c
 *		Whose triggers run with the rights of orla_service.
 *
 * When an account is deleted, foreign keys delete its rows in tables of others.
 * The key's own statement runs as the table's owner, and so do BEFORE triggers;
 * AFTER triggers wait for the end of the outer statement, deferred ones for the
 * end of the transaction, and would run as orla_service, which opens tokens.
 * (Since PostgreSQL 18 they run as whoever was active when they were queued.)
 *
 * So none does whose function is not a superuser's.  It is refused, with the
 * deletion, and not left out: whoever made it relies on it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "triggers.h"

static needs_fmgr_hook_type next_needs_fmgr_hook;
static fmgr_hook_type next_fmgr_hook;

/* Whether it is a trigger's, of somebody who is no superuser. */
static bool
is_of_others(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		found = false;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

		found = form->prorettype == TRIGGEROID && !form->prosecdef &&
			!superuser_arg(form->proowner);
		ReleaseSysCache(tuple);
	}
	return found;
}

static bool
needs_fmgr(Oid function)
{
	return (next_needs_fmgr_hook != NULL && next_needs_fmgr_hook(function)) ||
		is_of_others(function);
}

/* Who deletes the account is told little, the log which function it is. */
static void
refuse(Oid function)
{
	ereport(LOG,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("orla refused to run trigger function %s as orla_service",
					format_procedure(function)),
			 errhint("Have a superuser own it, or make it a BEFORE trigger.")));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to run a trigger as orla_service"),
			 errdetail("Its function does not belong to a superuser."),
			 errhint("orla.check_isolation() names the trigger.")));
}

static void
on_fmgr(FmgrHookEventType event, FmgrInfo *flinfo, Datum *arg)
{
	if (event == FHET_START && is_of_others(flinfo->fn_oid) &&
		GetUserId() == get_role_oid("orla_service", true))
		refuse(flinfo->fn_oid);
	if (next_fmgr_hook != NULL)
		next_fmgr_hook(event, flinfo, arg);
}

void
orla_triggers_init(void)
{
	next_needs_fmgr_hook = needs_fmgr_hook;
	needs_fmgr_hook = needs_fmgr;
	next_fmgr_hook = fmgr_hook;
	fmgr_hook = on_fmgr;
}
