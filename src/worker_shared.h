/*
 * worker_shared.h
 *		What sessions, workers and the launcher share: who works for which
 *		database, and the calls that wait for it.
 *
 * There from the server's start, when orla is in shared_preload_libraries;
 * else orla_shared is NULL and every call gets a process of its own.
 *
 * Locking: one lightweight lock, orla_shared->lock, for all of it; exclusive to
 * change anything, shared to read.  Nobody does anything slow under it.  A
 * worker's own counters are written by that worker alone, under the lock.
 */
#ifndef ORLA_WORKER_SHARED_H
#define ORLA_WORKER_SHARED_H

#include "postgres.h"

#include "storage/dsm.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

/* Databases that can have a worker. */
#define ORLA_WORKERS_MAX	32

/*
 * Calls that wait for one worker; a caller who finds no room waits for some.  A
 * place keeps what it says until so many more have come.
 */
#define ORLA_QUEUE_LEN		512

#define ORLA_LAST_ERROR_LEN	256

typedef struct OrlaQueuedCall
{
	dsm_handle	segment;
	PGPROC	   *caller;			/* told when the worker ends before its turn */
	bool		refused;		/* the worker could not get at the segment */
} OrlaQueuedCall;

typedef struct OrlaWorkerStatus
{
	int64		calls;			/* taken from sessions */
	int64		requests;		/* made to providers and mail servers */
	int64		failures;		/* of those: no answer */
	int			in_flight;
	TimestampTz last_error_at;	/* 0: none */
	char		last_error[ORLA_LAST_ERROR_LEN];
} OrlaWorkerStatus;

typedef struct OrlaWorkerSlot
{
	Oid			database;		/* InvalidOid: free */
	int			pid;			/* 0: not running */
	PGPROC	   *proc;			/* of the worker, whose latch to set */
	bool		ready;			/* takes calls */
	bool		look;			/* there is work that is due */
	uint64		life;			/* another number for each process */
	TimestampTz started_at;
	int			aside_for;		/* pid of a session that wants it away; 0 */
	OrlaWorkerStatus status;
	uint32		queue_head;		/* next to be taken */
	uint32		queue_tail;		/* next free place */
	OrlaQueuedCall queue[ORLA_QUEUE_LEN];
} OrlaWorkerSlot;

/* Where a process for one call waits for another, which may be of any database. */
#define ORLA_SEATS_MAX		8

typedef struct OrlaSeat
{
	Oid			database;		/* InvalidOid: free */
	PGPROC	   *proc;			/* who sits there */
	uint64		life;			/* another number for each process */
	dsm_handle	segment;		/* its call; DSM_HANDLE_INVALID: it waits for one */
	PGPROC	   *caller;			/* told when the process ends before it has answered */
	bool		leave;			/* others need its slot */
} OrlaSeat;

typedef struct OrlaShared
{
	LWLock	   *lock;
	PGPROC	   *launcher;		/* NULL: not running */
	OrlaSeat	seats[ORLA_SEATS_MAX];
	OrlaWorkerSlot slots[ORLA_WORKERS_MAX];
} OrlaShared;

extern OrlaShared *orla_shared;

/* While the server loads its libraries. */
extern void orla_shared_init(void);

/* The slot of a database, NULL when it has none.  Hold the lock. */
extern OrlaWorkerSlot *orla_shared_slot_of(Oid database);

extern void orla_shared_wake_launcher(void);

#endif							/* ORLA_WORKER_SHARED_H */
