/*
 * worker_shared.c
 *		What sessions, workers and the launcher share.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/shmem.h"

#include "worker_shared.h"

#define TRANCHE		"orla"

OrlaShared *orla_shared = NULL;

static shmem_request_hook_type previous_shmem_request = NULL;
static shmem_startup_hook_type previous_shmem_startup = NULL;

static void
request_shmem(void)
{
	if (previous_shmem_request)
		previous_shmem_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(OrlaShared)));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
start_shmem(void)
{
	bool		found;

	if (previous_shmem_startup)
		previous_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	orla_shared = ShmemInitStruct("orla", sizeof(OrlaShared), &found);
	if (!found)
	{
		memset(orla_shared, 0, sizeof(OrlaShared));
		orla_shared->lock = &GetNamedLWLockTranche(TRANCHE)->lock;
	}
	LWLockRelease(AddinShmemInitLock);
}

void
orla_shared_init(void)
{
	previous_shmem_request = shmem_request_hook;
	shmem_request_hook = request_shmem;
	previous_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = start_shmem;
}

OrlaWorkerSlot *
orla_shared_slot_of(Oid database)
{
	int			i;

	for (i = 0; i < ORLA_WORKERS_MAX; i++)
	{
		if (orla_shared->slots[i].database == database)
			return &orla_shared->slots[i];
	}
	return NULL;
}

void
orla_shared_wake_launcher(void)
{
	LWLockAcquire(orla_shared->lock, LW_SHARED);
	if (orla_shared->launcher != NULL)
		SetLatch(&orla_shared->launcher->procLatch);
	LWLockRelease(orla_shared->lock);
}
