/*
 * Http.c
 *		A function for 105_http_engine.pl: an engine that has many requests at once.
 *
 * many(requests jsonb[], give_up_ms int) → jsonb[]: the responses with the
 * milliseconds that each took; null for those that were given up.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "http.h"
#include "http_json.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(many);

typedef struct Slot
{
	Datum		response;
	bool		missing;
	long		took;
} Slot;

static TimestampTz began;

static long
elapsed(void)
{
	return TimestampDifferenceMilliseconds(began, GetCurrentTimestamp());
}

static void
finished(void *arg, OrlaHttpResponse *response)
{
	Slot	   *slot = arg;
	Jsonb	   *json = orla_http_response_to_jsonb(response);
	char	   *text = JsonbToCString(NULL, &json->root, VARSIZE(json));

	slot->response = DirectFunctionCall1(jsonb_in, CStringGetDatum(
		psprintf("{\"ms\": %ld, \"response\": %s}", elapsed(), text)));
	slot->missing = false;
	orla_http_response_free(response);
}

Datum
many(PG_FUNCTION_ARGS)
{
	OrlaHttpEngine *engine = orla_http_engine_create(CurrentMemoryContext);
	long		give_up = PG_GETARG_INT32(1);
	Datum	   *requests;
	Slot	   *slots;
	Datum	   *results;
	bool	   *nulls;
	int			lower = 1;
	int			n;
	int			i;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), JSONBOID, -1, false, TYPALIGN_INT,
					  &requests, NULL, &n);
	slots = palloc0(n * sizeof(Slot));
	results = palloc(n * sizeof(Datum));
	nulls = palloc(n * sizeof(bool));
	began = GetCurrentTimestamp();
	for (i = 0; i < n; i++)
	{
		slots[i].missing = true;
		orla_http_start(engine, orla_http_request_from_jsonb(DatumGetJsonbP(requests[i]), true),
						finished, &slots[i]);
	}
	orla_http_run(engine);
	while (orla_http_in_flight(engine) > 0 && elapsed() < give_up)
	{
		long		timeout = orla_http_engine_timeout(engine);
		long		left = give_up - elapsed();

		(void) WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
								 orla_http_engine_fd(engine),
								 Max(0, timeout < 0 ? left : Min(timeout, left)), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		orla_http_run(engine);
	}
	if (orla_http_in_flight(engine) > 0)
		orla_http_cancel_all(engine);
	orla_http_engine_free(engine);
	for (i = 0; i < n; i++)
	{
		results[i] = slots[i].response;
		nulls[i] = slots[i].missing;
	}
	PG_RETURN_ARRAYTYPE_P(construct_md_array(results, nulls, 1, &n, &lower, JSONBOID, -1, false, TYPALIGN_INT));
}
