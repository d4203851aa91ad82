-- The boundary: functions over the setting orla.tenant (src/tenant.c).

CREATE FUNCTION orla.current_tenant()
    RETURNS uuid
    LANGUAGE C STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_current_tenant';
COMMENT ON FUNCTION orla.current_tenant() IS
    'The tenant proven in this transaction, NULL while nobody is. For policies, defaults and functions of your own.';
-- To everybody: policies call it with the rights of whoever asks.  That is what
-- a function has without a list of privileges, and a list that is written out
-- is unpacked whenever a plan starts to be executed: 3% of a point read.
DO $$
BEGIN
    IF NOT has_function_privilege('public', 'orla.current_tenant()', 'EXECUTE') THEN
        GRANT EXECUTE ON FUNCTION orla.current_tenant() TO PUBLIC;
    END IF;
END
$$;

CREATE FUNCTION orla.require_tenant()
    RETURNS uuid
    LANGUAGE C STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_require_tenant';
REVOKE ALL ON FUNCTION orla.require_tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.require_tenant()
    TO orla_anon, orla_user, orla_analyst, orla_gateway, orla_admin, orla_service;
COMMENT ON FUNCTION orla.require_tenant() IS
    'The tenant proven in this transaction. Errors: 28000 while nobody is.';

-- Restricted, since a parallel worker is handed the tenant and not the claims.
CREATE FUNCTION orla.current_claims()
    RETURNS jsonb
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_current_claims';
REVOKE ALL ON FUNCTION orla.current_claims() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.current_claims()
    TO orla_anon, orla_user, orla_analyst, orla_gateway, orla_admin, orla_service;
COMMENT ON FUNCTION orla.current_claims() IS
    'Claims of the proven access token; of a tenant that a gateway named, only sub; NULL while nobody is proven.';

CREATE FUNCTION orla.authenticate(token text)
    RETURNS uuid
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_authenticate';
REVOKE ALL ON FUNCTION orla.authenticate(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.authenticate(text)
    TO orla_anon, orla_user, orla_analyst, orla_gateway, orla_admin, orla_service;
COMMENT ON FUNCTION orla.authenticate(text) IS
    'Proves an access token and binds its tenant until the transaction ends.

Returns the tenant. The token is compared with the keyring''s key, issuer, audience and times; its session must exist, not have ended, and be of the same generation; the account must be active. Pass the token as a parameter: a literal ends up in logs. Logins that were given to orla.allow_http_login() may call it as well.

Errors: PT401 for a token that is not good, 25001 for a second tenant.';

CREATE FUNCTION orla.work_as(tenant uuid)
    RETURNS void
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_work_as';
REVOKE ALL ON FUNCTION orla.work_as(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.work_as(uuid) TO orla_service;
COMMENT ON FUNCTION orla.work_as(uuid) IS
    'Binds a tenant for the transaction in orla''s own processes, which do the jobs; error 42501 in every session.';

-- The event trigger that uses it is made last, in 89_guard.sql.
CREATE FUNCTION orla.guard_drop()
    RETURNS event_trigger
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_guard_drop';
REVOKE ALL ON FUNCTION orla.guard_drop() FROM PUBLIC;
COMMENT ON FUNCTION orla.guard_drop() IS
    'Loads the library before a DROP, so that its guard over tables with rows is in force.';
