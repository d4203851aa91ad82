/*
 * compat.h
 *		Every difference between the PostgreSQL versions that orla is written
 *		for, 15 to 18, in one place.
 */
#ifndef ORLA_COMPAT_H
#define ORLA_COMPAT_H

#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"

/* Ownership, asked per kind of object until 15. */
#if PG_VERSION_NUM >= 160000
#define orla_owns_table(table, role) \
	object_ownercheck(RelationRelationId, (table), (role))
#define orla_owns_database(database, role) \
	object_ownercheck(DatabaseRelationId, (database), (role))
#else
#define orla_owns_table(table, role)	pg_class_ownercheck((table), (role))
#define orla_owns_database(database, role) \
	pg_database_ownercheck((database), (role))
#endif

/* Memory of a setting's value and extra: malloc until 15, guc_malloc since. */
#if PG_VERSION_NUM >= 160000
#define orla_guc_malloc(size)	guc_malloc(LOG, (size))
#define orla_guc_free(ptr)		guc_free(ptr)
#else
#define orla_guc_malloc(size)	malloc(size)
#define orla_guc_free(ptr)		free(ptr)
#endif

/* The record of a setting that is known to exist. */
static inline struct config_generic *
orla_find_setting(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return find_option(name, false, false, ERROR);
#else
	struct config_generic **all = get_guc_variables();
	int			n = GetNumConfigOptions();
	int			i;

	for (i = 0; i < n; i++)
	{
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	}
	elog(ERROR, "setting \"%s\" is missing", name);
	return NULL;				/* keep compilers quiet */
#endif
}

#endif							/* ORLA_COMPAT_H */
