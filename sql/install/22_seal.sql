-- Sealing (src/seal.c, src/seal_key.c).  Nobody who can log in may open.

CREATE FUNCTION orla.seal(secret text, tenant uuid, purpose text)
    RETURNS bytea
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_seal_text';
REVOKE ALL ON FUNCTION orla.seal(text, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.seal(text, uuid, text) TO orla_service, orla_admin;
COMMENT ON FUNCTION orla.seal(text, uuid, text) IS
    'A secret, sealed for one tenant and purpose with AES-256-GCM; tenant NULL: for the installation.

Nobody who can log in can open it: orla.unseal() is for orla_service alone.

Errors: P0002 for an unknown tenant, 22023 without a purpose.';

CREATE FUNCTION orla.unseal(sealed bytea, tenant uuid, purpose text)
    RETURNS text
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_unseal_text';
REVOKE ALL ON FUNCTION orla.unseal(bytea, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.unseal(bytea, uuid, text) TO orla_service;
COMMENT ON FUNCTION orla.unseal(bytea, uuid, text) IS
    'What orla.seal() sealed for the same tenant and purpose. Errors: 22000 where it does not open, F0000 where the keyring lacks the key.';

CREATE FUNCTION orla.wrap_new_key(tenant uuid, OUT wrapped_key bytea, OUT key_id text)
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_wrap_new_key';
REVOKE ALL ON FUNCTION orla.wrap_new_key(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.wrap_new_key(uuid) TO orla_service;
COMMENT ON FUNCTION orla.wrap_new_key(uuid) IS
    'A new data key, wrapped by the keyring''s newest key for sealing.';

CREATE FUNCTION orla.rewrap_key(tenant uuid, INOUT wrapped_key bytea, INOUT key_id text)
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_rewrap_key';
REVOKE ALL ON FUNCTION orla.rewrap_key(uuid, bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.rewrap_key(uuid, bytea, text) TO orla_service;
COMMENT ON FUNCTION orla.rewrap_key(uuid, bytea, text) IS
    'The same data key wrapped by the keyring''s newest key for sealing.';

CREATE FUNCTION orla.create_tenant_key(tenant uuid)
    RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO orla.tenant_keys (user_id, wrapped_key, key_id)
    SELECT tenant, w.wrapped_key, w.key_id FROM orla.wrap_new_key(tenant) AS w;
END
$$;
REVOKE ALL ON FUNCTION orla.create_tenant_key(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.create_tenant_key(uuid) TO orla_service;
COMMENT ON FUNCTION orla.create_tenant_key(uuid) IS
    'Gives a new account its data key.';
