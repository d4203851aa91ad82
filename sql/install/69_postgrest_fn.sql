-- PostgREST's db-pre-config: it asks the database how it is to be configured,
-- when it starts and on NOTIFY pgrst, 'reload config'.

-- SECURITY DEFINER because it runs as the HTTP layer's bare login.  The key set
-- has public keys only; with a symmetric algorithm it is empty, and PostgREST
-- is then left without a key rather than given one that could forge.
CREATE FUNCTION orla.postgrest_config()
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    jwks jsonb := orla_api.jwks();
BEGIN
    PERFORM set_config('pgrst.db_schemas', 'orla_api', true),
            set_config('pgrst.db_anon_role', 'orla_anon', true),
            set_config('pgrst.db_pre_request', 'orla.pre_request', true),
            set_config('pgrst.jwt_aud', current_setting('orla.audience'), true);
    IF jsonb_array_length(jwks -> 'keys') > 0 THEN
        PERFORM set_config('pgrst.jwt_secret', jwks::text, true);
    END IF;
END
$$;
ALTER FUNCTION orla.postgrest_config() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.postgrest_config() FROM PUBLIC;
COMMENT ON FUNCTION orla.postgrest_config() IS
    'Hands PostgREST its configuration. For db-pre-config; called by HTTP logins.

Sets schema, anonymous role, pre-request, audience and the public keys for PostgREST to read.';
