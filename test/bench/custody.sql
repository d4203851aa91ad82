-- Connections for the bench: accounts with sealed tokens, at a provider that is
-- the endpoint.  Variables of psql: connections, endpoint (a URL).
\set ON_ERROR_STOP on
CREATE EXTENSION orla CASCADE;
SELECT FROM orla.harden();
CREATE SCHEMA bench;
-- to list files as somebody without a token
GRANT orla_gateway TO CURRENT_USER;

CREATE FUNCTION bench.tenant(n int) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN md5('tenant ' || n)::uuid;

-- what is as long as a provider's
CREATE FUNCTION bench.token(n int, bytes int) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN rpad('token-' || n || '-', bytes, 'abcdefghijklmnopqrstuvwxyz0123456789');

CREATE FUNCTION bench.provider(name text, url text, path text) RETURNS void
    LANGUAGE sql
    RETURN orla.configure_provider(name, 'client', 'secret', jsonb_build_object(
        'label', name, 'files', 'google_drive', 'hosts', jsonb_build_array('127.0.0.1'), 'scopes', '["files"]'::jsonb,
        'authorize_url', url || '/authorize', 'token_url', url || path || '/token', 'api_url', url || path || '/drive/v3'));

CREATE FUNCTION bench.connections(who text, first int, last int) RETURNS void
    LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO orla.users (id, name, email, password_hash, email_verified)
    SELECT bench.tenant(i), 'Tenant ' || i, 'tenant' || i || '@example.org', '$argon2id$bench', true
      FROM generate_series(first, last) AS i ON CONFLICT DO NOTHING;
    INSERT INTO orla.tenant_keys (user_id, wrapped_key, key_id)
    SELECT bench.tenant(i), w.wrapped_key, w.key_id
      FROM generate_series(first, last) AS i, orla.wrap_new_key(bench.tenant(i)) AS w ON CONFLICT DO NOTHING;
    INSERT INTO orla.user_cloud_storage_tokens (user_id, provider, access_token, refresh_token, token_expires_at, last_refreshed_at, next_request_at)
    SELECT bench.tenant(i), who,
           orla.seal(bench.token(i, 1600), bench.tenant(i), 'user_cloud_storage_tokens|' || who || '|access_token'),
           orla.seal(bench.token(i, 160), bench.tenant(i), 'user_cloud_storage_tokens|' || who || '|refresh_token'),
           now() + interval '1 hour', now(), now() + interval '1 hour'
      FROM generate_series(first, last) AS i;
END;

SELECT bench.provider('drive', :'endpoint', '');
SELECT bench.provider('other', :'endpoint', '/other');
SELECT bench.provider('silent', :'endpoint', '/silent');
SELECT bench.connections('drive', 1, :connections);
SELECT bench.connections('other', 1, 500);
SELECT bench.connections('silent', 1, 500);
VACUUM ANALYZE orla.user_cloud_storage_tokens;
VACUUM ANALYZE orla.tenant_keys;
CHECKPOINT;
