/*
 * rows.h
 *		The few rows that are read before, or regardless of, a tenant.
 *
 * Each is one look-up by primary key in the newest committed state, past the
 * policies: proving who somebody is cannot wait for a fence that needs the
 * proof.  Nothing here is callable from SQL, nothing writes.  All functions
 * need a live transaction; palloc'd results belong to the caller's context.
 */
#ifndef ORLA_ROWS_H
#define ORLA_ROWS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/uuid.h"

#define ORLA_KEYRING_ID_LEN 36	/* a uuid as text */
#define ORLA_KEY_ID_LEN		16	/* hexadecimal digits */

typedef struct OrlaSessionRow
{
	int32		generation;
	bool		ended;
	TimestampTz expires_at;
} OrlaSessionRow;

/* Is it a table of the extension, and not one of the same name? */
extern bool orla_rows_is_ours(Oid table_oid);

/* False while the database has no instance row yet (nobody ever signed up). */
extern bool orla_rows_instance(pg_uuid_t *id,
							   char keyring_id[ORLA_KEYRING_ID_LEN + 1]);

/* False when the account does not exist or is deactivated. */
extern bool orla_rows_user_is_active(const pg_uuid_t *user_id);

extern bool orla_rows_session(const pg_uuid_t *user_id,
							  const pg_uuid_t *session_id,
							  OrlaSessionRow *session);

/* The tenant's data key as stored, that is wrapped by key_id of the keyring. */
extern bool orla_rows_tenant_key(const pg_uuid_t *user_id, bytea **wrapped,
								 char key_id[ORLA_KEY_ID_LEN + 1]);

/* Tenants granted to an analyst; *count of them, NULL when none. */
extern pg_uuid_t *orla_rows_grants(const char *analyst, int *count);

#endif							/* ORLA_ROWS_H */
