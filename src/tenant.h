/*
 * tenant.h
 *		The tenant of the current transaction.
 */
#ifndef ORLA_TENANT_H
#define ORLA_TENANT_H

#include "postgres.h"

#include "utils/uuid.h"

/* NULL while nobody is proven. */
extern const pg_uuid_t *orla_tenant_current(void);

/* Proves the token and binds its tenant until the transaction ends. */
extern void orla_tenant_authenticate(const char *token);

extern void orla_tenant_init(void);

/* Called once in a process of orla's own: there orla.work_as() may be used. */
extern void orla_tenant_in_worker(void);

#endif							/* ORLA_TENANT_H */
