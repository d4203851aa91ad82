/*
 * http_json.c
 *		Requests as SQL has them; responses are in http_json_response.c.
 */
#include "postgres.h"

#include "common/base64.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "http_json.h"

static const char *const plain_members[] = {
	"body", "body_base64", "form", "headers", "hosts", "max_bytes", "method",
	"timeout_ms", "url", NULL
};

static const char *const worker_members[] = {
	"bearer", "keeps_partial", "mail", "own_network", "password", "starttls",
	"username", NULL
};

static void
raise_malformed(const char *member, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("malformed request"),
			 errdetail(detail, member)));
}

static bool
is_named(const char *const *names, const JsonbValue *key)
{
	for (; *names != NULL; names++)
	{
		if (strlen(*names) == key->val.string.len &&
			memcmp(*names, key->val.string.val, key->val.string.len) == 0)
			return true;
	}
	return false;
}

/* A misspelt member must not go unseen: it may be the list of hosts. */
static void
check_members(Jsonb *json, bool for_worker)
{
	JsonbIterator *it = JsonbIteratorInit(&json->root);
	JsonbValue	value;
	JsonbIteratorToken token;

	if (!JB_ROOT_IS_OBJECT(json))
		raise_malformed("", "It is not an object%s.");
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY && !is_named(plain_members, &value) &&
			!(for_worker && is_named(worker_members, &value)))
			raise_malformed(pnstrdup(value.val.string.val, value.val.string.len),
							"It has a member \"%s\".");
	}
}

/* The member, unless there is none or it is null. */
static bool
find(JsonbContainer *object, const char *name, enum jbvType type, JsonbValue *value)
{
	if (getKeyJsonValueFromContainer(object, name, strlen(name), value) == NULL ||
		value->type == jbvNull)
		return false;
	if (value->type != type)
		raise_malformed(name, "Its member \"%s\" is of another type.");
	return true;
}

/* As it goes over the wire. */
static char *
utf8(const JsonbValue *value, size_t *len)
{
	char	   *text = pnstrdup(value->val.string.val, value->val.string.len);
	char	   *converted = pg_server_to_any(text, value->val.string.len, PG_UTF8);

	*len = converted == text ? value->val.string.len : strlen(converted);
	return converted;
}

static char *
text_member(JsonbContainer *object, const char *name, size_t *len)
{
	JsonbValue	value;
	size_t		ignored;

	return find(object, name, jbvString, &value) ? utf8(&value, len ? len : &ignored) : NULL;
}

static int64
integer_member(JsonbContainer *object, const char *name, int64 max)
{
	JsonbValue	value;
	int64		number;

	if (!find(object, name, jbvNumeric, &value))
		return 0;
	number = DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value.val.numeric)));
	if (number < 1 || number > max)
		raise_malformed(name, "Its member \"%s\" is out of range.");
	return number;
}

static bool
boolean_member(JsonbContainer *object, const char *name, bool otherwise)
{
	JsonbValue	value;

	return find(object, name, jbvBool, &value) ? value.val.boolean : otherwise;
}

/* An object or an array, or NULL. */
static JsonbContainer *
container_member(JsonbContainer *object, const char *name, bool is_object)
{
	JsonbValue	value;

	if (!find(object, name, jbvBinary, &value))
		return NULL;
	if (is_object ? !JsonContainerIsObject(value.val.binary.data)
		: !JsonContainerIsArray(value.val.binary.data))
		raise_malformed(name, "Its member \"%s\" is of another type.");
	return value.val.binary.data;
}

static const char *const *
texts(JsonbContainer *array, const char *name, int *n)
{
	const char **list;
	size_t		len;
	int			i;

	*n = array == NULL ? 0 : JsonContainerSize(array);
	list = palloc((*n + 1) * sizeof(char *));
	for (i = 0; i < *n; i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(array, i);

		if (value->type != jbvString)
			raise_malformed(name, "Its member \"%s\" is of another type.");
		list[i] = utf8(value, &len);
	}
	return list;
}

/* Names and values of an object of texts; room for one more. */
static OrlaHttpHeader *
pairs(JsonbContainer *object, const char *name, int *n)
{
	int			size = object == NULL ? 0 : JsonContainerSize(object);
	OrlaHttpHeader *list = palloc((size + 1) * sizeof(OrlaHttpHeader));
	JsonbIterator *it;
	JsonbValue	value;
	JsonbIteratorToken token;
	size_t		len;

	*n = 0;
	if (object == NULL)
		return list;
	it = JsonbIteratorInit(object);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			list[*n].name = utf8(&value, &len);
		else if (token == WJB_VALUE && value.type == jbvString)
			list[(*n)++].value = utf8(&value, &len);
		else if (token == WJB_VALUE && value.type != jbvNull)
			raise_malformed(name, "Its member \"%s\" has a value that is not a text.");
	}
	return list;
}

/* application/x-www-form-urlencoded, with every byte encoded that could be misread. */
static void
append_encoded(StringInfo out, const char *text)
{
	const char *p;

	for (p = text; *p != '\0'; p++)
	{
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *p))
			appendStringInfoChar(out, *p);
		else
			appendStringInfo(out, "%%%02X", (unsigned char) *p);
	}
}

static void
take_form(OrlaHttpRequest *request, OrlaHttpHeader *headers, JsonbContainer *form)
{
	StringInfoData encoded;
	int			n;
	OrlaHttpHeader *fields = pairs(form, "form", &n);
	int			i;

	initStringInfo(&encoded);
	for (i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoChar(&encoded, '&');
		append_encoded(&encoded, fields[i].name);
		appendStringInfoChar(&encoded, '=');
		append_encoded(&encoded, fields[i].value);
	}
	request->body = encoded.data;
	request->body_len = encoded.len;
	for (i = 0; i < request->n_headers; i++)
	{
		if (pg_strcasecmp(headers[i].name, "content-type") == 0)
			return;
	}
	headers[request->n_headers].name = "Content-Type";
	/* A copy: the worker wipes values, since some are keys. */
	headers[request->n_headers++].value = pstrdup("application/x-www-form-urlencoded");
}

static void
take_base64(OrlaHttpRequest *request, const char *encoded, size_t len)
{
	char	   *bytes = palloc(len + 1);
	int			n = len > ORLA_HTTP_JSON_BODY_MAX ? -1 : pg_b64_decode(encoded, len, (void *) bytes, len);

	if (n < 0)
		raise_malformed("body_base64", "Its member \"%s\" is not base64.");
	request->body = bytes;
	request->body_len = n;
}

static void
take_body(OrlaHttpRequest *request, OrlaHttpHeader *headers, JsonbContainer *object)
{
	JsonbContainer *form = container_member(object, "form", true);
	size_t		len;
	char	   *encoded = text_member(object, "body_base64", &len);

	request->body = text_member(object, "body", &request->body_len);
	if ((form != NULL) + (encoded != NULL) + (request->body != NULL) > 1)
		raise_malformed("", "It has more than one body%s.");
	if (form != NULL)
		take_form(request, headers, form);
	else if (encoded != NULL)
		take_base64(request, encoded, len);
}

/* Lines end with CR LF, whatever they ended with. */
static void
take_mail_text(OrlaHttpRequest *request, const char *text, size_t len)
{
	StringInfoData lines;
	size_t		i;

	initStringInfo(&lines);
	for (i = 0; i < len; i++)
	{
		if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
			continue;
		if (text[i] == '\r' || text[i] == '\n')
			appendStringInfoString(&lines, "\r\n");
		else
			appendStringInfoChar(&lines, text[i]);
	}
	request->body = lines.data;
	request->body_len = lines.len;
}

static void
take_mail(OrlaHttpRequest *request, JsonbContainer *mail)
{
	JsonbValue	to;
	size_t		len = 0;
	size_t		ignored;
	char	   *text = text_member(mail, "text", &len);

	request->mail_from = text_member(mail, "from", NULL);
	if (getKeyJsonValueFromContainer(mail, "to", 2, &to) != NULL && to.type == jbvString)
	{
		const char **one = palloc(sizeof(char *));

		one[0] = utf8(&to, &ignored);
		request->mail_to = one;
		request->n_mail_to = 1;
	}
	else
		request->mail_to = texts(container_member(mail, "to", false), "to", &request->n_mail_to);
	take_mail_text(request, text, len);
}

OrlaHttpRequest *
orla_http_request_from_jsonb(Jsonb *json, bool for_worker)
{
	OrlaHttpRequest *request = palloc0(sizeof(OrlaHttpRequest));
	JsonbContainer *object = &json->root;
	JsonbContainer *mail;
	OrlaHttpHeader *headers;

	check_members(json, for_worker);
	request->url = text_member(object, "url", NULL);
	if (request->url == NULL)
		raise_malformed("url", "It has no member \"%s\".");
	request->method = text_member(object, "method", NULL);
	request->hosts = texts(container_member(object, "hosts", false), "hosts", &request->n_hosts);
	request->timeout_ms = integer_member(object, "timeout_ms", ORLA_HTTP_TIMEOUT_MAX);
	request->max_bytes = integer_member(object, "max_bytes", ORLA_HTTP_MAX_BYTES_MAX);
	headers = pairs(container_member(object, "headers", true), "headers", &request->n_headers);
	request->headers = headers;
	take_body(request, headers, object);

	request->bearer = text_member(object, "bearer", &request->bearer_len);
	request->user = text_member(object, "username", NULL);
	request->password = text_member(object, "password", NULL);
	request->own_network = boolean_member(object, "own_network", false);
	request->keeps_partial = boolean_member(object, "keeps_partial", false);
	request->plain = !boolean_member(object, "starttls", true);
	mail = container_member(object, "mail", true);
	if (mail != NULL)
		take_mail(request, mail);
	return request;
}
