-- Which installation this is.

-- SECURITY DEFINER: the row is orla_service's, whoever comes first makes it.
CREATE FUNCTION orla.ensure_instance()
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found uuid;
BEGIN
    SELECT i.id INTO found FROM orla.instance AS i;
    IF found IS NULL THEN
        INSERT INTO orla.instance (keyring_id) VALUES (orla.open_keyring()::uuid)
        ON CONFLICT DO NOTHING;
        -- PostgREST may have been up before there was a key to give to it.
        PERFORM pg_notify('pgrst', 'reload config');
        -- of two that came first, the other's may be the row
        SELECT i.id INTO found FROM orla.instance AS i;
    END IF;
    RETURN found;
END
$$;
ALTER FUNCTION orla.ensure_instance() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.ensure_instance() FROM PUBLIC;
COMMENT ON FUNCTION orla.ensure_instance() IS
    'Id of this installation; makes it, and the keyring, at the first call.';

-- SECURITY DEFINER: sessions of all tenants end.  The audit row commits with it.
CREATE FUNCTION orla.new_instance()
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fresh uuid := gen_random_uuid();
BEGIN
    PERFORM orla.ensure_instance();
    UPDATE orla.instance SET id = fresh;
    UPDATE orla.sessions SET ended_at = now(), end_reason = 'new instance' WHERE ended_at IS NULL;
    UPDATE orla.refresh_tokens SET is_revoked = true, revoked_at = now() WHERE NOT is_revoked;
    PERFORM orla.audit('new_instance', 'success', NULL, jsonb_build_object('by', session_user));
    RETURN fresh;
END
$$;
ALTER FUNCTION orla.new_instance() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.new_instance() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.new_instance() TO orla_admin;
COMMENT ON FUNCTION orla.new_instance() IS
    'Makes a restored copy an installation of its own; returns the new instance id.

Tokens of the original are refused, all sessions end. Part of the caller''s transaction.

Errors: F0000.';
