/*
 * tenant.c
 *		The boundary: who the tenant of this transaction is.
 *
 * Policies compare user_id with orla.current_tenant(), which reads a static
 * variable.  Only the assign hook of the setting orla.tenant writes it, and
 * only the check hook of that setting lets a value through:
 *
 * - a value counts when it is proven at the moment it is set: an access token
 *   proves itself (signature, claims, the session's row, the account); a bare
 *   uuid is believed from a login that is a member of orla_gateway;
 * - only SET and set_config() in a live transaction can bring one.  Start-up
 *   options, role and database defaults, files, placeholders from before the
 *   library was loaded are refused, a function's SET clause binds nobody;
 * - what is stored and shown is the tenant's uuid, never the token;
 * - a callback empties the setting before the transaction commits or is
 *   prepared, and PostgreSQL itself restores the empty value on abort, so
 *   nothing is left for the next client of a pooled connection;
 * - the first tenant of a transaction is pinned: another one is an error,
 *   also after '' and after a rollback to a savepoint.
 *
 * Being a setting is what makes this right where a bare static is not: the
 * server restores it after savepoints and hands it to parallel workers.  A
 * worker believes its leader, which has done the proof.
 *
 * current_tenant() must stay STABLE.  Folded into a plan (IMMUTABLE), a
 * prepared statement of one tenant would serve another.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "errors.h"
#include "jwt.h"
#include "rows.h"
#include "tenant.h"
#include "uuidtext.h"

PG_FUNCTION_INFO_V1(orla_current_tenant);
PG_FUNCTION_INFO_V1(orla_require_tenant);
PG_FUNCTION_INFO_V1(orla_current_claims);
PG_FUNCTION_INFO_V1(orla_authenticate);
PG_FUNCTION_INFO_V1(orla_work_as);

/*
 * What a proof leaves behind, kept by the server as the setting's `extra`
 * beside each value that it may have to restore.
 */
typedef struct Binding
{
	pg_uuid_t	tenant;
	bool		assigned;		/* has been in force at least once */
	bool		counts;			/* decided at the first assignment */
	char		claims[FLEXIBLE_ARRAY_MEMBER];	/* JSON, '' without a token */
} Binding;

/* The setting's own value; always '' or the uuid of a proven tenant. */
static char *tenant_setting = NULL;

/* The server's record of the setting, to see what kind of SET is at work. */
static struct config_generic *tenant_record = NULL;

/* True while the setting is being defined and placeholders are converted. */
static bool defining = false;

/* The tenant in force. */
static bool bound = false;
static pg_uuid_t tenant;

/* The binding in force, owned by the server; NULL when there is none. */
static const Binding *binding = NULL;

/* In orla's own processes, which work for tenants without a token of theirs. */
static bool is_worker = false;

/* True while orla.work_as() sets the tenant. */
static bool working = false;

/* The first tenant that this transaction had. */
static bool pinned = false;
static pg_uuid_t pinned_tenant;

/* Sets the error of the check hook; the server adds no value to it. */
static bool
refuse(int sqlstate, const char *message, const char *detail, const char *hint)
{
	GUC_check_errcode(sqlstate);
	GUC_check_errmsg("%s", message);
	if (detail != NULL)
		GUC_check_errdetail("%s", detail);
	if (hint != NULL)
		GUC_check_errhint("%s", hint);
	return false;
}

static bool
refuse_token(const char *detail)
{
	return refuse(ERRCODE_ORLA_UNAUTHORIZED, "access token refused", detail,
				  "Sign in again, or refresh the token.");
}

/* What must hold of the stored session besides a good token. */
static const char *
session_problem(const OrlaIdentity *identity)
{
	OrlaSessionRow session;

	if (!orla_rows_session(&identity->user_id, &identity->session_id, &session))
		return "The session does not exist.";
	if (session.ended)
		return "The session has ended.";
	if (session.expires_at <= GetCurrentTimestamp())
		return "The session has expired.";
	if (session.generation != identity->generation)
		return "The token is of another generation of its session.";
	if (!orla_rows_user_is_active(&identity->user_id))
		return "The account is not active.";
	return NULL;
}

static Binding *
make_binding(const pg_uuid_t *user_id, const char *claims)
{
	size_t		len = strlen(claims);
	Binding    *made = orla_guc_malloc(offsetof(Binding, claims) + len + 1);

	if (made == NULL)
		return NULL;
	made->tenant = *user_id;
	made->assigned = false;
	made->counts = false;
	memcpy(made->claims, claims, len + 1);
	return made;
}

static bool
login_is_gateway(void)
{
	Oid			gateway = get_role_oid("orla_gateway", true);

	return OidIsValid(gateway) &&
		is_member_of_role_nosuper(GetSessionUserId(), gateway);
}

/*
 * A bare uuid: believed from a gateway and from orla's own processes alone, and
 * only of a live account.
 */
static bool
prove_uuid(const pg_uuid_t *user_id, Binding **proof)
{
	if (!working && !login_is_gateway())
		return refuse(ERRCODE_INSUFFICIENT_PRIVILEGE,
					  "permission denied to name a tenant",
					  "Only a login that is a member of role orla_gateway may set orla.tenant to a uuid.",
					  "Call orla.authenticate() with an access token.");
	if (!orla_rows_user_is_active(user_id))
		return refuse(ERRCODE_ORLA_UNAUTHORIZED, "tenant refused",
					  "There is no active account of this id.", NULL);
	*proof = make_binding(user_id, "");
	return *proof != NULL;
}

static bool
prove_token(const char *token, Binding **proof)
{
	OrlaIdentity identity;
	const char *problem = orla_jwt_identify(token, strlen(token), &identity);

	if (problem == NULL)
		problem = session_problem(&identity);
	if (problem != NULL)
		return refuse_token(problem);
	*proof = make_binding(&identity.user_id, identity.claims);
	return *proof != NULL;
}

/*
 * Where a value may come from at all: SET or set_config() in a transaction
 * that can still look things up.
 */
static bool
source_is_live(GucSource source)
{
	return source == PGC_S_SESSION && !defining &&
		IsTransactionState() && !IsAbortedTransactionBlockState();
}

/*
 * Replaces a token by the uuid that it proves.  The token is wiped first: a
 * look-up that raises would leave the server's copy in freed memory.
 */
static bool
prove(char **newval, Binding **proof)
{
	pg_uuid_t	user_id;
	char	   *value = pstrdup(*newval);
	char	   *shown;
	bool		proven;

	explicit_bzero(*newval, strlen(*newval));
	if (orla_uuid_parse(value, strlen(value), &user_id))
		proven = prove_uuid(&user_id, proof);
	else
		proven = prove_token(value, proof);
	explicit_bzero(value, strlen(value));
	pfree(value);
	if (!proven)
		return false;

	shown = orla_guc_malloc(ORLA_UUID_TEXT_LEN + 1);
	if (shown == NULL)
	{
		orla_guc_free(*proof);
		return false;
	}
	orla_uuid_print(&(*proof)->tenant, shown);
	orla_guc_free(*newval);
	*newval = shown;
	return true;
}

static bool
check_tenant(char **newval, void **extra, GucSource source)
{
	Binding    *proof = NULL;
	pg_uuid_t	user_id;

	*extra = NULL;
	if (*newval == NULL || (*newval)[0] == '\0')
		return true;

	if (InitializingParallelWorker)
	{
		/* The leader has done the proof; only it can start us. */
		if (!orla_uuid_parse(*newval, strlen(*newval), &user_id))
			return false;
		proof = make_binding(&user_id, "");
		*extra = proof;
		return proof != NULL;
	}

	if (!source_is_live(source))
		return refuse(ERRCODE_CANT_CHANGE_RUNTIME_PARAM,
					  "orla.tenant can only be set by SET or set_config() in a transaction",
					  NULL, "Call orla.authenticate() with an access token.");

	if (!prove(newval, &proof))
		return false;

	if (pinned && !orla_uuid_equal(&pinned_tenant, &proof->tenant))
	{
		orla_guc_free(proof);
		return refuse(ERRCODE_ACTIVE_SQL_TRANSACTION,
					  "a transaction has one tenant",
					  "This transaction was already bound to another tenant.",
					  "Commit or roll back first.");
	}
	*extra = proof;
	return true;
}

/*
 * Is this assignment made by a function's SET clause?  The server saves the
 * old value under GUC_SAVE before it calls us.
 */
static bool
set_by_function_clause(void)
{
	return tenant_record != NULL && tenant_record->stack != NULL &&
		tenant_record->stack->state == GUC_SAVE;
}

static void
assign_tenant(const char *newval, void *extra)
{
	Binding    *proof = extra;

	if (proof != NULL && !proof->assigned)
	{
		proof->assigned = true;
		proof->counts = InitializingParallelWorker || !set_by_function_clause();

		/*
		 * The value is ours, from the check hook.  Emptied, it is neither
		 * shown nor handed to parallel workers.
		 */
		if (!proof->counts)
			unconstify(char *, newval)[0] = '\0';
	}

	if (proof == NULL || !proof->counts)
	{
		bound = false;
		binding = NULL;
		return;
	}

	tenant = proof->tenant;
	bound = true;
	binding = proof;

	/*
	 * An abort unwinds the values that functions' SET clauses left stacked,
	 * and passes here with those in between: they must not pin the next
	 * transaction.
	 */
	if (!pinned && IsTransactionState())
	{
		pinned_tenant = proof->tenant;
		pinned = true;
	}
}

/*
 * Ends the tenant with its transaction.  Deferred triggers and holdable
 * cursors have run when PRE_COMMIT is called.  In a parallel worker the
 * setting is restored in a transaction of its own before the query's, so
 * there it lasts as long as the process.
 */
static void
tenant_at_xact_event(XactEvent event, void *arg)
{
	if (IsParallelWorker())
		return;

	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (pinned)
				SetConfigOption("orla.tenant", "", PGC_USERSET, PGC_S_SESSION);
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			bound = false;
			binding = NULL;
			pinned = false;
			break;
		default:
			break;
	}
}

const pg_uuid_t *
orla_tenant_current(void)
{
	return bound ? &tenant : NULL;
}

/*
 * A gateway may name a tenant, but only by setting orla.tenant: what reaches
 * us here was brought by whoever sent the request.
 */
void
orla_tenant_authenticate(const char *token)
{
	pg_uuid_t	user_id;

	if (token[0] == '\0' || orla_uuid_parse(token, strlen(token), &user_id))
		ereport(ERROR,
				(errcode(ERRCODE_ORLA_UNAUTHORIZED),
				 errmsg("access token refused"),
				 token[0] == '\0' ? errdetail("The token is empty.")
				 : errdetail("The id of a tenant is not a token."),
				 errhint("Sign in again, or refresh the token.")));
	(void) set_config_option("orla.tenant", token, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

void
orla_tenant_init(void)
{
	defining = true;
	DefineCustomStringVariable("orla.tenant",
							   "The tenant of the transaction.",
							   "Set it to an access token; it shows the tenant's uuid and is empty again when the transaction ends.",
							   &tenant_setting, "", PGC_USERSET,
							   GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE,
							   check_tenant, assign_tenant, NULL);
	defining = false;
	tenant_record = orla_find_setting("orla.tenant");
	RegisterXactCallback(tenant_at_xact_event, NULL);
}

/*
 * A copy that lasts as long as the expression that asked.  The argument of a
 * procedure is kept as it was given, and the procedure may commit and go on
 * with somebody else.
 */
static Datum
tenant_datum(FunctionCallInfo fcinfo)
{
	FmgrInfo   *asked = fcinfo->flinfo;

	if (asked->fn_extra == NULL)
		asked->fn_extra = MemoryContextAlloc(asked->fn_mcxt, sizeof(pg_uuid_t));
	*(pg_uuid_t *) asked->fn_extra = tenant;
	return UUIDPGetDatum(asked->fn_extra);
}

/* orla.current_tenant() → uuid, NULL while nobody is proven */
Datum
orla_current_tenant(PG_FUNCTION_ARGS)
{
	if (!bound)
		PG_RETURN_NULL();
	return tenant_datum(fcinfo);
}

/* orla.require_tenant() → uuid, or error 28000 */
Datum
orla_require_tenant(PG_FUNCTION_ARGS)
{
	if (!bound)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no tenant"),
				 errdetail("Nobody has been proven in this transaction."),
				 errhint("Call orla.authenticate() with an access token first.")));
	return tenant_datum(fcinfo);
}

/*
 * orla.current_claims() → jsonb: the claims of the proven token; of a tenant
 * that a gateway named, its sub alone; NULL while nobody is proven
 */
Datum
orla_current_claims(PG_FUNCTION_ARGS)
{
	char		text[ORLA_UUID_TEXT_LEN + 1];
	char	   *json;

	if (!bound)
		PG_RETURN_NULL();
	if (binding->claims[0] != '\0')
		json = pstrdup(binding->claims);
	else
	{
		orla_uuid_print(&tenant, text);
		json = psprintf("{\"sub\": \"%s\"}", text);
	}
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

void
orla_tenant_in_worker(void)
{
	is_worker = true;
}

/*
 * orla.work_as(tenant uuid) → void
 *
 * For jobs: the worker reads and writes content as orla_service, which is under
 * the fence of the tenant that is set here, for this transaction.  Refused in
 * every session, whoever may call it.
 */
Datum
orla_work_as(PG_FUNCTION_ARGS)
{
	char		text[ORLA_UUID_TEXT_LEN + 1];

	if (!is_worker)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to work for a tenant"),
				 errdetail("Only orla's own processes do.")));
	orla_uuid_print(PG_GETARG_UUID_P(0), text);
	working = true;
	PG_TRY();
	{
		(void) set_config_option("orla.tenant", text, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
	}
	PG_FINALLY();
	{
		working = false;
	}
	PG_END_TRY();
	PG_RETURN_VOID();
}

/* orla.authenticate(token text) → uuid, or error PT401 */
Datum
orla_authenticate(PG_FUNCTION_ARGS)
{
	char	   *token = PG_ARGISNULL(0) ? pstrdup("") :
		text_to_cstring(PG_GETARG_TEXT_PP(0));

	orla_tenant_authenticate(token);
	explicit_bzero(token, strlen(token));
	if (!bound)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("orla.tenant cannot be set here"),
				 errdetail("A function that is running has a SET clause for it."),
				 errhint("Take the clause away with ALTER FUNCTION … RESET orla.tenant.")));
	return tenant_datum(fcinfo);
}
