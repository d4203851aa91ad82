/*
 * worker_operation.h
 *		What the processes run for others: SQL functions, as orla_service, each
 *		in a transaction of its own that is committed before anybody learns of it.
 */
#ifndef ORLA_WORKER_OPERATION_H
#define ORLA_WORKER_OPERATION_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/*
 * After the process has connected without a user: from here on it is
 * orla_service, under the fence like anybody, with settings of its own.  False
 * where the extension is not in this database (yet); nothing may be run then.
 *
 * lock_timeout, as the setting takes it: the process must not wait for long for
 * a lock that its own caller holds, since that deadlock no detector sees.
 */
extern bool orla_operation_settle_in(const char *lock_timeout);

/*
 * The jsonb values that a query returns.  They are copied to the current memory
 * context.  An error is caught, the transaction aborted: NIL is returned and
 * *error says what it was.
 */
extern List *orla_operation_rows(const char *sql, int n, Oid *types, Datum *values,
								 ErrorData **error);

typedef enum OrlaSettings
{
	ORLA_SETTINGS_AS_BEFORE,
	ORLA_SETTINGS_CHANGED,
	ORLA_SETTINGS_UNKNOWN		/* they could not be read */
} OrlaSettings;

/*
 * Whether ALTER DATABASE … SET says what it said when this process looked first.
 * What it says counts for sessions that begin later, so a process that has to
 * heed it ends and begins again.
 */
extern OrlaSettings orla_operation_look_at_settings(void);

/* What orla.do_<operation>(args) returns; NULL and *error on an error. */
extern Jsonb *orla_operation_run(const char *operation, Jsonb *args,
								 ErrorData **error);

/*
 * The same for several arguments, in one transaction: one commit for all, or
 * false, *error, and nothing done.
 */
extern bool orla_operation_run_together(const char *operation, int n, Jsonb **args,
										Jsonb **results, ErrorData **error);

#endif							/* ORLA_WORKER_OPERATION_H */
