/*
 * http_fetch.c
 *		orla.http_fetch(): a backend reads from a provider.
 *
 * With a token that comes sealed and is opened for this request alone: no
 * statement has it, and so no view of statements and no log.  Nothing is
 * locked meanwhile, and a cancelled statement ends at once.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "http.h"
#include "http_json.h"
#include "http_policy.h"
#include "seal.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(orla_http_fetch_sql);
PG_FUNCTION_INFO_V1(orla_is_private_server);

/* The token opened, or NULL; to be wiped. */
static char *
open_bearer(FunctionCallInfo fcinfo, size_t *len)
{
	if (PG_ARGISNULL(1))
		return NULL;
	if (PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a purpose is needed"),
				 errdetail("It binds the sealed value to one use.")));
	return orla_unseal(PG_GETARG_BYTEA_PP(1), PG_ARGISNULL(2) ? NULL : PG_GETARG_UUID_P(2),
					   text_to_cstring(PG_GETARG_TEXT_PP(3)), len);
}

static OrlaHttpResponse *
fetch_and_wipe(OrlaHttpRequest *request, char *bearer)
{
	OrlaHttpResponse *response = NULL;

	PG_TRY();
	{
		response = orla_http_fetch(request);
	}
	PG_FINALLY();
	{
		if (bearer != NULL)
			explicit_bzero(bearer, request->bearer_len);
	}
	PG_END_TRY();
	return response;
}

static Datum
response_row(FunctionCallInfo fcinfo, const OrlaHttpResponse *response)
{
	const char *failure = orla_http_failure_name(response->failure);
	TupleDesc	desc;
	Datum		values[5] = {0};
	bool		nulls[5] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int32GetDatum(response->status);
	nulls[0] = response->status == 0;
	values[1] = JsonbPGetDatum(orla_http_headers_to_jsonb(response));
	values[2] = PointerGetDatum(response->body_bytea);
	nulls[3] = failure == NULL;
	if (failure != NULL)
		values[3] = CStringGetTextDatum(failure);
	nulls[4] = response->message == NULL;
	if (response->message != NULL)
		values[4] = CStringGetTextDatum(response->message);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * orla.http_fetch(request jsonb, sealed_bearer bytea, tenant uuid, purpose text)
 *		→ (status int, headers jsonb, body bytea, failure text, message text)
 */
Datum
orla_http_fetch_sql(PG_FUNCTION_ARGS)
{
	OrlaHttpRequest *request;
	OrlaHttpResponse *response;
	char	   *bearer;
	Datum		row;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a request is needed")));
	request = orla_http_request_from_jsonb(PG_GETARG_JSONB_P(0), false);
	bearer = open_bearer(fcinfo, &request->bearer_len);
	request->bearer = bearer;
	response = fetch_and_wipe(request, bearer);
	row = response_row(fcinfo, response);
	orla_http_response_free(response);
	return row;
}

/* orla.is_private_server(url text) → boolean */
Datum
orla_is_private_server(PG_FUNCTION_ARGS)
{
	OrlaUrl		url;
	const char *problem = orla_url_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &url);

	PG_RETURN_BOOL(problem == NULL && (url.scheme == ORLA_HTTP || url.scheme == ORLA_HTTPS) &&
				   orla_host_is_listed(&url, orla_private_hosts));
}
