/*
 * worker_operation.c
 *		SQL functions run for others, as orla_service.
 *
 * No statement of these processes is logged by log_statement or with its
 * duration, since none comes from a client.  What would print values all the
 * same is switched off, and plans are generic: one that is made for its
 * parameters has them folded into it, and whoever prints plans prints them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "tenant.h"
#include "worker_operation.h"

/* Plans of queries that this process keeps. */
#define PLANS_KEPT	64

typedef struct Statement
{
	const char *sql;
	int			n;				/* parameters */
	Oid		   *types;
	Datum	   *values;
	List	   *rows;			/* jsonb values that it has returned */
} Statement;

static void
set_setting(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_SESSION);
}

/*
 * What a server's or a database's own defaults could spoil: an answer must be
 * durable, row security on, waiting bounded, and nothing printed.
 */
static void
set_settings(const char *lock_timeout)
{
	set_setting("lock_timeout", lock_timeout);
	set_setting("search_path", "pg_catalog, pg_temp");
	set_setting("row_security", "on");
	set_setting("default_transaction_isolation", "read committed");
	set_setting("default_transaction_read_only", "off");
	set_setting("default_transaction_deferrable", "off");
	set_setting("debug_print_parse", "off");
	set_setting("debug_print_rewritten", "off");
	set_setting("debug_print_plan", "off");
	set_setting("auto_explain.log_min_duration", "-1");
	set_setting("plan_cache_mode", "force_generic_plan");
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		set_setting("synchronous_commit", "on");
}

bool
orla_operation_settle_in(const char *lock_timeout)
{
	Oid			service;
	bool		here;

	set_settings(lock_timeout);
	orla_tenant_in_worker();
	StartTransactionCommand();
	here = OidIsValid(get_extension_oid("orla", true));
	service = here ? get_role_oid("orla_service", false) : InvalidOid;
	CommitTransactionCommand();
	if (here)
		SetUserIdAndSecContext(service, 0);
	return here;
}

static List *
collect_rows(MemoryContext keep)
{
	List	   *rows = NIL;
	uint64		i;

	for (i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[i],
										  SPI_tuptable->tupdesc, 1, &isnull);
		MemoryContext caller;

		if (isnull)
			continue;
		caller = MemoryContextSwitchTo(keep);
		rows = lappend(rows, PG_DETOAST_DATUM_COPY(value));
		MemoryContextSwitchTo(caller);
	}
	return rows;
}

/* A plan that is kept, if there is room; operations are few. */
static SPIPlanPtr
plan_of(const char *sql, int n, Oid *types)
{
	static struct
	{
		char	   *sql;
		SPIPlanPtr	plan;
	}			kept[PLANS_KEPT];
	SPIPlanPtr	plan;
	int			i;

	for (i = 0; i < PLANS_KEPT && kept[i].sql != NULL; i++)
	{
		if (strcmp(kept[i].sql, sql) == 0)
			return kept[i].plan;
	}
	plan = SPI_prepare_cursor(sql, n, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "could not prepare a query");
	if (i < PLANS_KEPT)
	{
		char	   *copy = MemoryContextStrdup(TopMemoryContext, sql);

		SPI_keepplan(plan);
		kept[i].plan = plan;
		kept[i].sql = copy;
	}
	return plan;
}

/* The rows that a query has returned, in the memory of who asked. */
static void
run_query(Statement *query, MemoryContext keep)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute_plan(plan_of(query->sql, query->n, query->types), query->values,
						 NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "query returned no rows");
	query->rows = collect_rows(keep);
	SPI_finish();
}

/*
 * All in one transaction.  The only PG_TRY: whoever waits has to learn of the
 * error.
 *
 * Nothing in it may become another role.  Between transactions the server does
 * not allow for that; an abort takes it back by itself.
 */
static bool
run_queries(Statement *queries, int n, ErrorData **error)
{
	MemoryContext keep = CurrentMemoryContext;
	Oid			service = GetUserId();

	*error = NULL;
	PG_TRY();
	{
		int			i;

		SetCurrentStatementStartTimestamp();	/* or now() would stand still */
		StartTransactionCommand();
		SetUserIdAndSecContext(service, SECURITY_LOCAL_USERID_CHANGE);
		PushActiveSnapshot(GetTransactionSnapshot());
		for (i = 0; i < n; i++)
			run_query(&queries[i], keep);
		PopActiveSnapshot();
		CommitTransactionCommand();
		SetUserIdAndSecContext(service, 0);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(keep);
		*error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(keep);
	return *error == NULL;
}

List *
orla_operation_rows(const char *sql, int n, Oid *types, Datum *values,
					ErrorData **error)
{
	Statement	query = {sql, n, types, values, NIL};

	return run_queries(&query, 1, error) ? query.rows : NIL;
}

OrlaSettings
orla_operation_look_at_settings(void)
{
	static Jsonb *first = NULL;
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(MyDatabaseId);
	ErrorData  *error;
	List	   *rows = orla_operation_rows("SELECT coalesce(jsonb_agg(setconfig), '[]') FROM pg_catalog.pg_db_role_setting"
										   " WHERE setdatabase = $1 AND setrole = 0",
										   1, &type, &value, &error);
	Jsonb	   *now = rows == NIL ? NULL : linitial(rows);

	if (now == NULL)
		return ORLA_SETTINGS_UNKNOWN;
	if (first == NULL)
	{
		first = MemoryContextAlloc(TopMemoryContext, VARSIZE(now));
		memcpy(first, now, VARSIZE(now));
	}
	return VARSIZE(now) == VARSIZE(first) && memcmp(now, first, VARSIZE(now)) == 0
		? ORLA_SETTINGS_AS_BEFORE : ORLA_SETTINGS_CHANGED;
}

static ErrorData *
no_result(const char *operation)
{
	ErrorData  *error = palloc0(sizeof(ErrorData));

	error->sqlerrcode = ERRCODE_INTERNAL_ERROR;
	error->message = psprintf("operation \"%s\" returned no result", operation);
	return error;
}

bool
orla_operation_run_together(const char *operation, int n, Jsonb **args,
							Jsonb **results, ErrorData **error)
{
	char	   *sql = psprintf("SELECT orla.do_%s($1)", operation);
	Statement  *queries = palloc0(n * sizeof(Statement));
	Datum	   *values = palloc(n * sizeof(Datum));
	Oid			type = JSONBOID;
	int			i;

	for (i = 0; i < n; i++)
	{
		values[i] = JsonbPGetDatum(args[i]);
		queries[i] = (Statement) {sql, 1, &type, &values[i], NIL};
	}
	if (run_queries(queries, n, error))
	{
		for (i = 0; i < n && *error == NULL; i++)
		{
			if (list_length(queries[i].rows) == 1)
				results[i] = linitial(queries[i].rows);
			else
				*error = no_result(operation);
		}
	}
	pfree(queries);
	pfree(values);
	pfree(sql);
	return *error == NULL;
}

Jsonb *
orla_operation_run(const char *operation, Jsonb *args, ErrorData **error)
{
	Jsonb	   *result;

	return orla_operation_run_together(operation, 1, &args, &result, error) ? result : NULL;
}
