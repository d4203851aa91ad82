/*
 * worker_step.c
 *		What an operation's result asks for next.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "worker_step.h"

static JsonbValue *
find(Jsonb *object, const char *name, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(&object->root, name, strlen(name), value);
}

static char *
text_of(Jsonb *object, const char *name)
{
	JsonbValue	value;

	if (find(object, name, &value) == NULL || value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

static Jsonb *
object_of(Jsonb *object, const char *name)
{
	JsonbValue	value;

	if (find(object, name, &value) == NULL || value.type != jbvBinary)
		return NULL;
	return JsonbValueToJsonb(&value);
}

static int
integer_of(Jsonb *object, const char *name)
{
	JsonbValue	value;

	if (find(object, name, &value) == NULL || value.type != jbvNumeric)
		return 0;
	return DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(value.val.numeric)));
}

/* The name of an operation, NULL where there is none that could be one. */
static char *
operation_of(Jsonb *object, const char *name)
{
	char	   *operation = text_of(object, name);

	return operation != NULL && strlen(operation) < NAMEDATALEN - 4 ? operation : NULL;
}

void
orla_step_read(Jsonb *result, OrlaStep *step)
{
	JsonbValue	value;

	memset(step, 0, sizeof(*step));
	step->kind = ORLA_STEP_MALFORMED;
	if (!JB_ROOT_IS_OBJECT(result))
		return;
	if (find(result, "answer", &value) != NULL || find(result, "refusal", &value) != NULL)
	{
		step->kind = ORLA_STEP_RESULT;
		step->hold_ms = integer_of(result, "hold_ms");
		return;
	}
	step->key = text_of(result, "wait");
	if (step->key != NULL)
	{
		step->kind = ORLA_STEP_WAIT;
		return;
	}
	step->key = text_of(result, "key");
	step->args = object_of(result, "args");
	step->next = operation_of(result, "run");
	if (step->next != NULL && step->args != NULL)
	{
		step->kind = ORLA_STEP_RUN;
		return;
	}
	step->next = operation_of(result, "next");
	step->state = object_of(result, "state");
	step->apart = operation_of(result, "apart");
	if (step->apart != NULL && step->args != NULL)
	{
		step->kind = ORLA_STEP_APART;
		return;
	}
	step->progress = operation_of(result, "progress");
	step->request = object_of(result, "http");
	step->together = find(result, "together", &value) != NULL &&
		value.type == jbvBool && value.val.boolean;
	if (step->request != NULL && step->next != NULL)
		step->kind = ORLA_STEP_HTTP;
}

static JsonbValue
text_value(const char *text)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = strlen(text);
	return value;
}

static void
push_member(JsonbParseState **state, const char *name, Jsonb *object)
{
	JsonbValue	key = text_value(name);
	JsonbValue	value;

	pushJsonbValue(state, WJB_KEY, &key);
	if (object == NULL)
		value.type = jbvNull;
	else
	{
		value.type = jbvBinary;
		value.val.binary.data = &object->root;
		value.val.binary.len = VARSIZE(object) - VARHDRSZ;
	}
	pushJsonbValue(state, WJB_VALUE, &value);
}

Jsonb *
orla_step_continue(Jsonb *state, Jsonb *response)
{
	JsonbParseState *parse = NULL;

	pushJsonbValue(&parse, WJB_BEGIN_OBJECT, NULL);
	push_member(&parse, "state", state);
	push_member(&parse, "response", response);
	return JsonbValueToJsonb(pushJsonbValue(&parse, WJB_END_OBJECT, NULL));
}

Jsonb *
orla_step_flag(Jsonb *args, const char *name)
{
	JsonbParseState *parse = NULL;
	JsonbIterator *it = JsonbIteratorInit(&args->root);
	JsonbValue	key = text_value(name);
	JsonbValue	value;
	JsonbIteratorToken token;

	/* Members as they are, nested ones unopened. */
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_END_OBJECT)
		{
			pushJsonbValue(&parse, WJB_KEY, &key);
			value.type = jbvBool;
			value.val.boolean = true;
			pushJsonbValue(&parse, WJB_VALUE, &value);
			break;
		}
		pushJsonbValue(&parse, token, token < WJB_BEGIN_ARRAY ? &value : NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&parse, WJB_END_OBJECT, NULL));
}

Jsonb *
orla_step_key(const char *key)
{
	JsonbParseState *parse = NULL;
	JsonbValue	name = text_value("key");
	JsonbValue	value = text_value(key);

	pushJsonbValue(&parse, WJB_BEGIN_OBJECT, NULL);
	pushJsonbValue(&parse, WJB_KEY, &name);
	pushJsonbValue(&parse, WJB_VALUE, &value);
	return JsonbValueToJsonb(pushJsonbValue(&parse, WJB_END_OBJECT, NULL));
}

Jsonb *
orla_step_progress(Jsonb *state, int64 received)
{
	JsonbParseState *parse = NULL;
	JsonbValue	name = text_value("received");
	JsonbValue	value;

	pushJsonbValue(&parse, WJB_BEGIN_OBJECT, NULL);
	push_member(&parse, "state", state);
	pushJsonbValue(&parse, WJB_KEY, &name);
	value.type = jbvNumeric;
	value.val.numeric = int64_to_numeric(received);
	pushJsonbValue(&parse, WJB_VALUE, &value);
	return JsonbValueToJsonb(pushJsonbValue(&parse, WJB_END_OBJECT, NULL));
}

bool
orla_step_is_no(Jsonb *result)
{
	JsonbValue	value;

	return JB_ROOT_IS_OBJECT(result) && find(result, "answer", &value) != NULL &&
		value.type == jbvBool && !value.val.boolean;
}

void
orla_step_report_fault(const char *operation, const ErrorData *error)
{
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_INTERNAL_ERROR)
		return;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("orla operation \"%s\" failed: %s", operation, error->message)));
}
