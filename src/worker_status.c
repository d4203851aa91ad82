/*
 * worker_status.c
 *		What operators see of the worker of this database.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "worker_shared.h"

PG_FUNCTION_INFO_V1(orla_worker_state);

/* A copy, so that nothing is built under the lock; false without a worker. */
static bool
copy_slot(OrlaWorkerSlot *copy)
{
	OrlaWorkerSlot *slot;

	if (orla_shared == NULL)
		return false;
	LWLockAcquire(orla_shared->lock, LW_SHARED);
	slot = orla_shared_slot_of(MyDatabaseId);
	if (slot != NULL)
		memcpy(copy, slot, offsetof(OrlaWorkerSlot, queue));
	LWLockRelease(orla_shared->lock);
	return slot != NULL && copy->pid != 0;
}

/*
 * orla.worker_state() → pid, ready, started_at, queued, in_flight, calls,
 * requests, failures, last_error, last_error_at; all NULL without a worker
 */
Datum
orla_worker_state(PG_FUNCTION_ARGS)
{
	OrlaWorkerSlot *slot = palloc(sizeof(OrlaWorkerSlot));
	TupleDesc	desc;
	Datum		values[10];
	bool		nulls[10] = {false};
	int			i = 0;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	if (!copy_slot(slot))
	{
		memset(nulls, true, sizeof(nulls));
		memset(values, 0, sizeof(values));
		PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
	}

	values[i++] = Int32GetDatum(slot->pid);
	values[i++] = BoolGetDatum(slot->ready);
	values[i++] = TimestampTzGetDatum(slot->started_at);
	values[i++] = Int32GetDatum((int32) (slot->queue_tail - slot->queue_head));
	values[i++] = Int32GetDatum(slot->status.in_flight);
	values[i++] = Int64GetDatum(slot->status.calls);
	values[i++] = Int64GetDatum(slot->status.requests);
	values[i++] = Int64GetDatum(slot->status.failures);
	nulls[i] = nulls[i + 1] = slot->status.last_error_at == 0;
	values[i++] = CStringGetTextDatum(slot->status.last_error);
	values[i++] = TimestampTzGetDatum(slot->status.last_error_at);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
