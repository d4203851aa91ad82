-- Rewriting what older keys have sealed, so that these can be taken out one day.
-- What belongs to a tenant is sealed by the tenant's data key: there it is the
-- data key alone that is wrapped anew.

CREATE FUNCTION orla.current_seal_key()
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.key_id FROM orla.keys() AS k
     WHERE k.use = 'seal' AND k.active_from <= clock_timestamp()
     ORDER BY k.created_at DESC, k.active_from DESC LIMIT 1
$$;
REVOKE ALL ON FUNCTION orla.current_seal_key() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.current_seal_key() TO orla_service;
COMMENT ON FUNCTION orla.current_seal_key() IS
    'The key of the keyring that seals now.';

-- Where values lie that are sealed for the installation, and for what.
CREATE FUNCTION orla.sealed_for_installation(current_key text)
    RETURNS TABLE (place text, id text, sealed bytea, purpose text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM (
        SELECT 'providers', p.name, p.client_secret, 'providers|' || p.name || '|client_secret' FROM orla.providers AS p
        UNION ALL
        SELECT 'mail_server', NULL, m.password, 'mail_server|password' FROM orla.mail_server AS m
        UNION ALL
        SELECT 'models', m.name, m.api_key, 'models|' || m.name || '|api_key' FROM orla.models AS m
        UNION ALL
        SELECT 'outbox', o.id::text, o.sealed_token, 'outbox|' || o.id FROM orla.outbox AS o WHERE o.sealed_token IS NOT NULL
        UNION ALL
        SELECT 'revocations', r.id::text, r.sealed_grant, 'revocations|' || r.id FROM orla.revocations AS r
    ) AS s (place, id, sealed, purpose)
     WHERE substr(s.sealed, 2, 8) <> decode(current_key, 'hex')
$$;
REVOKE ALL ON FUNCTION orla.sealed_for_installation(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.sealed_for_installation(text) TO orla_service;
COMMENT ON FUNCTION orla.sealed_for_installation(text) IS
    'Values that another key has sealed for the installation.';

-- SECURITY DEFINER: sealed columns are orla_service's.  Rows that somebody holds
-- are left for the next time.
CREATE FUNCTION orla.reseal(batch int DEFAULT 1000)
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    current_key text := orla.current_seal_key();
    k           orla.tenant_keys;
    s           record;
    fresh       bytea;
    remaining   int := greatest(coalesce(batch, 1000), 1);
BEGIN
    FOR k IN SELECT * FROM orla.tenant_keys AS t WHERE t.key_id <> current_key LIMIT remaining FOR UPDATE SKIP LOCKED LOOP
        UPDATE orla.tenant_keys AS t SET wrapped_key = w.wrapped_key, key_id = w.key_id
          FROM orla.rewrap_key(k.user_id, k.wrapped_key, k.key_id) AS w
         WHERE t.user_id = k.user_id;
        remaining := remaining - 1;
    END LOOP;
    FOR s IN SELECT * FROM orla.sealed_for_installation(current_key) LIMIT remaining LOOP
        fresh := orla.seal(orla.unseal(s.sealed, NULL, s.purpose), NULL, s.purpose);
        CASE s.place
            WHEN 'providers' THEN UPDATE orla.providers SET client_secret = fresh WHERE name = s.id AND client_secret = s.sealed;
            WHEN 'mail_server' THEN UPDATE orla.mail_server SET password = fresh WHERE password = s.sealed;
            WHEN 'models' THEN UPDATE orla.models SET api_key = fresh WHERE name = s.id AND api_key = s.sealed;
            WHEN 'revocations' THEN UPDATE orla.revocations SET sealed_grant = fresh WHERE id = s.id::uuid AND sealed_grant = s.sealed;
            WHEN 'outbox' THEN UPDATE orla.outbox SET sealed_token = fresh WHERE id = s.id::uuid AND sealed_token = s.sealed;
        END CASE;
    END LOOP;
    RETURN (SELECT count(*) FROM orla.tenant_keys AS t WHERE t.key_id <> current_key)
         + (SELECT count(*) FROM orla.sealed_for_installation(current_key));
END
$$;
ALTER FUNCTION orla.reseal(int) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.reseal(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.reseal(int) TO orla_admin;
COMMENT ON FUNCTION orla.reseal(int) IS
    'Wraps tenants'' keys, and seals the installation''s own secrets, with the newest key, so many at once; returns how many rows are left.

Until 0, a key that is older may still be needed. The worker does it by itself, once a minute.

Errors: F0000 where the ring lacks a key.';
