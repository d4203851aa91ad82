/*
 * http_json_response.c
 *		Responses as SQL has them.
 */
#include "postgres.h"

#include "common/base64.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/numeric.h"

#include "http_json.h"

/* Can it be a text of this database as it is? */
static bool
is_text(const char *bytes, size_t len)
{
	size_t		i;

	if (GetDatabaseEncoding() == PG_UTF8)
		return pg_verify_mbstr(PG_UTF8, bytes, len, true);
	for (i = 0; i < len; i++)
	{
		if (bytes[i] == '\0' || IS_HIGHBIT_SET(bytes[i]))
			return false;
	}
	return true;
}

static JsonbValue
text_value(const char *text, size_t len)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = len;
	return value;
}

static void
push_key(JsonbParseState **state, const char *name)
{
	JsonbValue	key = text_value(name, strlen(name));

	(void) pushJsonbValue(state, WJB_KEY, &key);
}

static void
push_text(JsonbParseState **state, const char *name, const char *text)
{
	JsonbValue	value;

	push_key(state, name);
	if (text != NULL)
		value = text_value(text, strlen(text));
	else
		value.type = jbvNull;
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

/* A header is Latin 1 or anything: what is no text here becomes question marks. */
static char *
header_text(const char *value)
{
	char	   *text = pstrdup(value);
	char	   *p;

	if (!is_text(text, strlen(text)))
	{
		for (p = text; *p != '\0'; p++)
		{
			if (IS_HIGHBIT_SET(*p))
				*p = '?';
		}
	}
	return text;
}

static bool
came_before(const OrlaHttpResponse *response, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (strcmp(response->headers[i].name, response->headers[n].name) == 0)
			return true;
	}
	return false;
}

/* All values of the nth header's name. */
static char *
joined_values(const OrlaHttpResponse *response, int n)
{
	StringInfoData values;
	int			i;

	initStringInfo(&values);
	appendStringInfoString(&values, response->headers[n].value);
	for (i = n + 1; i < response->n_headers; i++)
	{
		if (strcmp(response->headers[i].name, response->headers[n].name) == 0)
			appendStringInfo(&values, ", %s", response->headers[i].value);
	}
	return header_text(values.data);
}

static JsonbValue *
push_headers(JsonbParseState **state, const OrlaHttpResponse *response)
{
	int			i;

	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (i = 0; i < response->n_headers; i++)
	{
		if (!came_before(response, i))
			push_text(state, response->headers[i].name, joined_values(response, i));
	}
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

Jsonb *
orla_http_headers_to_jsonb(const OrlaHttpResponse *response)
{
	JsonbParseState *state = NULL;

	return JsonbValueToJsonb(push_headers(&state, response));
}

static void
push_body(JsonbParseState **state, const OrlaHttpResponse *response)
{
	JsonbValue	value;
	char	   *encoded;
	int			cap;

	if (is_text(response->body, response->body_len))
	{
		push_key(state, "body");
		value = text_value(response->body, response->body_len);
	}
	else
	{
		cap = pg_b64_enc_len(response->body_len);
		encoded = palloc(cap + 1);
		push_key(state, "body_base64");
		value = text_value(encoded, pg_b64_encode((const void *) response->body,
												  response->body_len, encoded, cap));
	}
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

/* Up to the first byte that is no text here. */
static void
push_partial(JsonbParseState **state, const OrlaHttpResponse *response)
{
	JsonbValue	value;
	size_t		len = 0;

	if (GetDatabaseEncoding() == PG_UTF8)
		len = pg_encoding_verifymbstr(PG_UTF8, response->partial, response->partial_len);
	else
	{
		while (len < response->partial_len && is_text(response->partial + len, 1))
			len++;
	}
	push_key(state, "partial");
	value = text_value(response->partial, len);
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

Jsonb *
orla_http_response_to_jsonb(const OrlaHttpResponse *response)
{
	JsonbParseState *state = NULL;
	JsonbValue	value;
	bool		fits = response->body_len <= ORLA_HTTP_JSON_BODY_MAX;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_key(&state, "status");
	value.type = jbvNull;
	if (response->status != 0 && fits)
	{
		value.type = jbvNumeric;
		value.val.numeric = int64_to_numeric(response->status);
	}
	(void) pushJsonbValue(&state, WJB_VALUE, &value);
	push_key(&state, "headers");
	(void) push_headers(&state, response);
	if (fits)
		push_body(&state, response);
	if (response->partial != NULL)
		push_partial(&state, response);
	push_text(&state, "failure", orla_http_failure_name(fits ? response->failure : ORLA_HTTP_TOO_LARGE));
	push_text(&state, "message", fits ? response->message : "answer is too large for the queue");
	push_key(&state, "sent");
	value.type = jbvBool;
	value.val.boolean = response->sent;
	(void) pushJsonbValue(&state, WJB_VALUE, &value);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
