/*
 * orla.c
 *		The module: magic, and the list of what is set up when it is loaded.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "analyst.h"
#include "checks.h"
#include "fence.h"
#include "order.h"
#include "settings.h"
#include "tenant.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	orla_settings_init();
	orla_tenant_init();
	orla_analyst_init();
	orla_checks_init();
	orla_order_init();
	orla_fence_init();
	MarkGUCPrefixReserved("orla");
}
