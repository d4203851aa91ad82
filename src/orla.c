/*
 * orla.c
 *		The module: magic, and the list of what is set up when it is loaded.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "analyst.h"
#include "checks.h"
#include "fence.h"
#include "order.h"
#include "settings.h"
#include "tenant.h"
#include "triggers.h"
#include "worker_aside.h"
#include "worker_launcher.h"
#include "worker_shared.h"

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
	orla_triggers_init();
	orla_aside_init();
	if (process_shared_preload_libraries_in_progress)
	{
		orla_shared_init();
		orla_launcher_register();
	}
	MarkGUCPrefixReserved("orla");
}
