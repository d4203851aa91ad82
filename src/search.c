/*
 * search.c
 *		Full-text search that uses its index behind a policy.
 *
 * Behind a policy the planner may only use an index for an operator that is
 * leak-proof, and tsvector @@ tsquery is not marked so (for a tenant with
 * 300,000 rows that costs a factor of thousands).  The operator orla.@@@ is
 * the same match under a function that we mark LEAKPROOF; docs/security.md
 * argues why it may be: whether it raises or prints depends on the query
 * alone, never on a stored row.
 *
 * The index is GIN over (user_id, search), so that a search reads entries of
 * its own tenant.  Core has no GIN operator class for uuid, hence ours; it
 * knows equality only.
 */
#include "postgres.h"

#include "access/gin.h"
#include "fmgr.h"
#include "tsearch/ts_utils.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(orla_matches);
PG_FUNCTION_INFO_V1(orla_uuid_gin_extract_value);
PG_FUNCTION_INFO_V1(orla_uuid_gin_extract_query);
PG_FUNCTION_INFO_V1(orla_uuid_gin_consistent);

/* orla.matches(tsvector, tsquery) → boolean */
Datum
orla_matches(PG_FUNCTION_ARGS)
{
	return ts_match_vq(fcinfo);
}

/* A row has one entry: its uuid. */
Datum
orla_uuid_gin_extract_value(PG_FUNCTION_ARGS)
{
	Datum		value = PG_GETARG_DATUM(0);
	int32	   *nentries = (int32 *) PG_GETARG_POINTER(1);
	Datum	   *entries = (Datum *) palloc(sizeof(Datum));

	entries[0] = value;
	*nentries = 1;
	PG_RETURN_POINTER(entries);
}

/* So has a question, since equality is the only one. */
Datum
orla_uuid_gin_extract_query(PG_FUNCTION_ARGS)
{
	Datum		value = PG_GETARG_DATUM(0);
	int32	   *nentries = (int32 *) PG_GETARG_POINTER(1);
	Datum	   *entries = (Datum *) palloc(sizeof(Datum));

	entries[0] = value;
	*nentries = 1;
	PG_RETURN_POINTER(entries);
}

/* The entry was found, and it is the whole value: no need to look again. */
Datum
orla_uuid_gin_consistent(PG_FUNCTION_ARGS)
{
	bool	   *recheck = (bool *) PG_GETARG_POINTER(5);

	*recheck = false;
	PG_RETURN_BOOL(true);
}
