-- What load is measured on: content behind the fence, and the same without any, as
-- a backend would have it that writes WHERE user_id = … itself.
\set ON_ERROR_STOP on
CREATE EXTENSION orla CASCADE;
SELECT FROM orla.harden();
CREATE ROLE bench_web LOGIN NOINHERIT;
SELECT FROM orla.allow_http_login('bench_web');
-- to call the API as somebody without a token
GRANT orla_gateway TO CURRENT_USER;
CREATE SCHEMA bench;

CREATE FUNCTION bench.tenant(n int) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN md5('tenant ' || n)::uuid;

-- ---- the same without a fence ---------------------------------------------------
-- Same columns, keys, indexes, constraints and triggers; a view before the table.
CREATE SCHEMA unfenced;
CREATE TABLE bench.users (id uuid PRIMARY KEY, email text UNIQUE, password_hash text);
CREATE TABLE bench.content_library (LIKE orla.content_library INCLUDING ALL);
ALTER TABLE bench.content_library ALTER user_id DROP DEFAULT,
    ADD FOREIGN KEY (user_id) REFERENCES bench.users ON DELETE CASCADE;
SELECT replace(pg_get_triggerdef(oid), 'orla.content_library', 'bench.content_library')
  FROM pg_trigger WHERE tgrelid = 'orla.content_library'::regclass AND NOT tgisinternal
\gexec
SELECT format('CREATE VIEW unfenced.content_library WITH (security_invoker = true) AS SELECT %s FROM bench.content_library',
              string_agg(quote_ident(attname), ', ' ORDER BY attnum))
  FROM pg_attribute WHERE attrelid = 'orla_api.content_library'::regclass AND attnum > 0
\gexec

-- A sign-in that looks the account up, compares the password and says so.
CREATE FUNCTION unfenced.login(email text, password text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u bench.users;
BEGIN
    SELECT * INTO u FROM bench.users AS x WHERE x.email = login.email;
    IF orla.verify_password(password, u.password_hash) THEN
        RETURN jsonb_build_object('id', u.id, 'email', u.email);
    END IF;
    RAISE EXCEPTION 'refused' USING ERRCODE = 'PT401';
END
$$;

-- The same page with the same headers, ready.
CREATE DOMAIN unfenced."text/html" AS text;
BEGIN;
SELECT orla_api."sign-in"()::text AS page \gset
SELECT current_setting('response.headers') AS headers \gset
COMMIT;
SELECT format($f$
    CREATE FUNCTION unfenced.sign_in() RETURNS unfenced."text/html" LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp AS $sql$ BEGIN PERFORM set_config('response.headers', %L, true); RETURN %L; END $sql$ $f$, :'headers', :'page')
\gexec

-- What a layer is told to call before each request, where nothing is to be done.
CREATE FUNCTION bench.pre_request() RETURNS void LANGUAGE plpgsql STABLE AS $$ BEGIN END $$;

GRANT USAGE ON SCHEMA unfenced, bench TO orla_anon, orla_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON bench.content_library, unfenced.content_library TO orla_user;

-- ---- tenants --------------------------------------------------------------------
CREATE FUNCTION bench.accounts(first int, last int, password text) RETURNS void
    LANGUAGE sql
BEGIN ATOMIC
    WITH once AS MATERIALIZED (SELECT orla.hash_password(password) AS hash)
    INSERT INTO orla.users (id, name, email, password_hash, email_verified)
    SELECT bench.tenant(i), 'Tenant ' || i, 'tenant' || i || '@example.org', once.hash, true
      FROM generate_series(first, last) AS i, once;
    INSERT INTO orla.tenant_keys (user_id, wrapped_key, key_id)
    SELECT bench.tenant(i), w.wrapped_key, w.key_id
      FROM generate_series(first, last) AS i, orla.wrap_new_key(bench.tenant(i)) AS w;
    INSERT INTO bench.users SELECT id, email, password_hash FROM orla.users ON CONFLICT DO NOTHING;
    INSERT INTO orla.brand_strategy (user_id, brand_voice, messaging_pillars)
    SELECT bench.tenant(i), '{"tone": "warm"}', '{Tea first}' FROM generate_series(first, last) AS i;
END;

-- As many rows for each tenant, the same on both sides.
CREATE FUNCTION bench.library(tenants int, rows_each int) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    TRUNCATE orla.content_library, bench.content_library CASCADE;
    INSERT INTO orla.content_library (user_id, id, title, content_type, content, status, tags, created_at)
    SELECT bench.tenant(t), md5(t || ' ' || r)::uuid, 'Title ' || r, 'blog', repeat('some words of a post, number ' || r || '. ', 8), 'draft',
           ARRAY['tea', 'tag' || r % 10], now() - r * interval '1 hour'
      FROM generate_series(1, rows_each) AS r, generate_series(1, tenants) AS t;
    INSERT INTO bench.content_library SELECT * FROM orla.content_library;
END
$$;
