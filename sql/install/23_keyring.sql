-- The keyring (src/keyring*.c).

CREATE FUNCTION orla.open_keyring()
    RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_open_keyring';
REVOKE ALL ON FUNCTION orla.open_keyring() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.open_keyring() TO orla_service;
COMMENT ON FUNCTION orla.open_keyring() IS
    'Id of the keyring, which is made where there is none yet. Errors: F0000 where it cannot be used.';

CREATE FUNCTION orla.rotate_keyring()
    RETURNS jsonb
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_rotate_keyring';
REVOKE ALL ON FUNCTION orla.rotate_keyring() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.rotate_keyring() TO orla_service;
COMMENT ON FUNCTION orla.rotate_keyring() IS
    'Adds a key for each use to the keyring file and tells of them: the work of orla.rotate_keys().';

CREATE FUNCTION orla.keyring_keys()
    RETURNS jsonb
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_keyring_keys';
REVOKE ALL ON FUNCTION orla.keyring_keys() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.keyring_keys() TO orla_service;
COMMENT ON FUNCTION orla.keyring_keys() IS
    'What may be told of the keys, for orla.keys().';

-- SECURITY DEFINER: reading the ring is orla_service's, and this tells no key.
CREATE FUNCTION orla.keys()
    RETURNS TABLE (use text, key_id text, alg text, created_at timestamptz, active_from timestamptz, retire_at timestamptz)
    LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.use, k.key_id, k.alg, to_timestamp(k.created_at), to_timestamp(k.active_from),
           to_timestamp(nullif(k.retire_at, 0))
      FROM jsonb_to_recordset(orla.keyring_keys())
           AS k (use text, key_id text, alg text, created_at bigint, active_from bigint, retire_at bigint)
$$;
ALTER FUNCTION orla.keys() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.keys() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.keys() TO orla_admin;
COMMENT ON FUNCTION orla.keys() IS
    'The keys of the ring, without their material.

After retire_at no token of the key is accepted; NULL: never.

Errors: F0000.';

-- A key that is in the file must be known to every HTTP layer before it signs
-- and must leave a trace, whatever becomes of the caller's transaction.
CREATE FUNCTION orla.do_rotate_keys(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    added jsonb := orla.rotate_keyring();
BEGIN
    PERFORM orla.audit('rotate_keys', 'success', NULL,
                       jsonb_build_object('by', args ->> 'by', 'keys', jsonb_path_query_array(added, '$[*].key_id')));
    -- PostgREST asks orla.postgrest_config() again, which has the new key.
    PERFORM pg_notify('pgrst', 'reload config');
    RETURN jsonb_build_object('answer', added);
END
$$;
REVOKE ALL ON FUNCTION orla.do_rotate_keys(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_rotate_keys(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_rotate_keys(jsonb) IS
    'operation: rotates the keys, tells PostgREST, leaves a trace in the audit log';

-- SECURITY DEFINER: the work is orla_service's, in a process of its own.
CREATE FUNCTION orla.rotate_keys()
    RETURNS TABLE (use text, key_id text, active_from timestamptz)
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT k.use, k.key_id, to_timestamp(k.active_from)
      FROM jsonb_to_recordset(orla.perform('rotate_keys', jsonb_build_object('by', session_user)))
           AS k (use text, key_id text, active_from bigint);
END
$$;
ALTER FUNCTION orla.rotate_keys() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.rotate_keys() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.rotate_keys() TO orla_admin;
COMMENT ON FUNCTION orla.rotate_keys() IS
    'Adds a new key for each use to the keyring; returns them.

New values are sealed with the new key at once; a new signing key is published at once and signs from active_from on (orla.key_activation_delay); old keys go on to open, and to verify until the last token made with them has expired. PostgREST is told. Done by a process of its own: what counts are the settings of the database, not those of the session, and it is done for good when it returns, even if the transaction is rolled back.

Errors: 55000 with orla.keyring_command or before first use, 55P03, 25006 in a READ ONLY transaction.';

CREATE FUNCTION orla_api.jwks()
    RETURNS jsonb
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_jwks';
ALTER FUNCTION orla_api.jwks() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.jwks() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.jwks() TO orla_anon, orla_user, orla_gateway, orla_admin;
COMMENT ON FUNCTION orla_api.jwks() IS
    'The public keys of access tokens.

Returns {keys}, a JSON Web Key Set (RFC 7517). A key appears here before it signs. No keys for HS256, nor before the first use of the database.';
