-- What is measured: tables that all ways of keeping tenants apart share, and a
-- role for each way.  The role picks the policy, so that every way reads the
-- same pages by the same indexes.
--
-- Variables of psql: tenants, rows_per_tenant, scan_rows.
\set ON_ERROR_STOP on
CREATE EXTENSION orla CASCADE;
CREATE SCHEMA bench;

-- Ids that can be told from a number, so that nothing need be looked up.
CREATE FUNCTION bench.tenant(n int) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN md5('tenant ' || n)::uuid;
CREATE FUNCTION bench.session(n int) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN md5('session ' || n)::uuid;

-- Accounts up to number n, each signed in.
CREATE FUNCTION bench.make_accounts(n int) RETURNS void
    LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO orla.users (id, name, email, password_hash, email_verified)
    SELECT bench.tenant(i), 'Tenant ' || i, 'tenant' || i || '@example.org', '$argon2id$bench', true
      FROM generate_series((SELECT count(*)::int + 1 FROM orla.users), n) AS i;
    INSERT INTO orla.sessions (user_id, id, expires_at)
    SELECT bench.tenant(i), bench.session(i), now() + interval '1 day'
      FROM generate_series((SELECT count(*)::int + 1 FROM orla.sessions), n) AS i;
END;

-- An access token as sign-in makes it.
CREATE FUNCTION bench.claims(n int, jti text) RETURNS jsonb
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT jsonb_build_object(
               'iss', current_setting('orla.issuer') || ':' || i.id, 'aud', current_setting('orla.audience'),
               'sub', bench.tenant(n), 'sid', bench.session(n), 'gen', 1, 'role', 'orla_user', 'app_role', 'user',
               'email', 'tenant' || n || '@example.org', 'jti', jti, 'token_use', 'access',
               'iat', extract(epoch FROM now())::bigint, 'nbf', extract(epoch FROM now())::bigint,
               'exp', extract(epoch FROM now())::bigint + 86400)
      FROM orla.instance AS i;
END;

-- ---- ways ---------------------------------------------------------------------
-- The hand-written filter runs without row security.
CREATE ROLE bench_by_hand BYPASSRLS;
CREATE ROLE bench_setting;
CREATE ROLE bench_sub_select;
CREATE ROLE bench_plpgsql;
CREATE ROLE bench_sub_select_c;
CREATE ROLE bench_claims;
\set ways 'bench_by_hand, bench_setting, bench_sub_select, bench_plpgsql, bench_sub_select_c, bench_claims'
CREATE ROLE bench_login LOGIN SUPERUSER;
GRANT orla_gateway TO bench_login;
CREATE ROLE bench_owner;
GRANT CREATE, USAGE ON SCHEMA bench TO bench_owner;
GRANT orla_admin TO bench_owner;
GRANT USAGE ON SCHEMA bench TO :ways, orla_user, orla_analyst;

CREATE FUNCTION bench.tenant_in_plpgsql() RETURNS uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $$ BEGIN RETURN nullif(current_setting('bench.tenant', true), '')::uuid; END $$;

-- Each way's policy as it is commonly written; orla's whole fence, permissive
-- and restrictive, by orla.protect().
CREATE FUNCTION bench.fence(target regclass) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    way record;
BEGIN
    EXECUTE format('ALTER TABLE %s OWNER TO bench_owner', target);
    SET LOCAL ROLE bench_owner;
    PERFORM orla.protect(target);
    FOR way IN VALUES
        ('bench_setting', $p$nullif(current_setting('bench.tenant', true), '')::uuid$p$),
        ('bench_sub_select', $p$(SELECT nullif(current_setting('bench.tenant', true), '')::uuid)$p$),
        ('bench_plpgsql', 'bench.tenant_in_plpgsql()'),
        ('bench_sub_select_c', '(SELECT orla.current_tenant())'),
        ('bench_claims', $p$(current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid$p$)
    LOOP
        EXECUTE format('CREATE POLICY %1$I ON %2$s FOR ALL TO %1$I USING (user_id = %3$s) WITH CHECK (user_id = %3$s)',
                       way.column1, target, way.column2);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %s TO %I', target, way.column1);
    END LOOP;
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %s TO bench_by_hand, orla_user', target);
    EXECUTE format('GRANT SELECT ON TABLE %s TO orla_analyst', target);
    RESET ROLE;
END
$$;

-- ---- tables ---------------------------------------------------------------------
SELECT orla.ensure_instance() IS NOT NULL AS instance \gset
SELECT bench.make_accounts(10);

CREATE TABLE bench.note (
    user_id    uuid        NOT NULL,
    id         uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    status     text        NOT NULL,
    amount     int         NOT NULL,
    body       text        NOT NULL,
    PRIMARY KEY (user_id, id)
) WITH (fillfactor = 80, autovacuum_enabled = off);
INSERT INTO bench.note
SELECT bench.tenant(1 + i % :tenants), md5('note ' || i)::uuid,
       '2026-01-01'::timestamptz + i * interval '1 second',
       (ARRAY['draft', 'published', 'archived'])[1 + i / :tenants % 3], i % 1000, 'What note ' || i || ' says.'
  FROM generate_series(0, :tenants * :rows_per_tenant - 1) AS i;
CREATE INDEX note_created_at ON bench.note (user_id, created_at);

-- Two of each tenant's notes in five have a comment.
CREATE TABLE bench.comment (
    user_id uuid NOT NULL,
    note_id uuid NOT NULL,
    id      uuid NOT NULL,
    body    text NOT NULL,
    PRIMARY KEY (user_id, id)
) WITH (autovacuum_enabled = off);
INSERT INTO bench.comment
SELECT n.user_id, n.id, md5('comment ' || n.id)::uuid, 'Well said.'
  FROM bench.note AS n WHERE n.amount % 5 < 2;
CREATE INDEX comment_note ON bench.comment (user_id, note_id);

-- No index: every row is looked at.
CREATE TABLE bench.event (
    user_id uuid NOT NULL,
    kind    text NOT NULL,
    amount  int  NOT NULL
) WITH (autovacuum_enabled = off);
INSERT INTO bench.event
SELECT bench.tenant(1 + i % :tenants), (ARRAY['view', 'click', 'share'])[1 + i % 3], i % 1000
  FROM generate_series(0, :scan_rows - 1) AS i;

SELECT bench.fence(t) FROM unnest('{bench.note,bench.comment,bench.event}'::regclass[]) AS t;

-- ---- the tenants of an analyst --------------------------------------------------
-- Whoever is logged in is the analyst.
INSERT INTO orla.tenant_grants (analyst, user_id)
SELECT 'bench_login', bench.tenant(i) FROM generate_series(1, 10) AS i;

-- ---- tokens ---------------------------------------------------------------------
-- The same checks that orla makes of a token, with pgcrypto's hmac, in SQL and
-- in PL/pgSQL.  SECURITY DEFINER, since whoever asks must not have the secret.
CREATE FUNCTION bench.to_base64url(bytes bytea) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN rtrim(translate(replace(encode(bytes, 'base64'), e'\n', ''), '+/', '-_'), '=');
CREATE FUNCTION bench.from_base64url(part text) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN decode(rpad(translate(part, '-_', '+/'), (length(part) + 3) / 4 * 4, '='), 'base64');
CREATE FUNCTION bench.verify_in_sql(token text, secret bytea, issuer text, audience text) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT c.claims
      FROM (SELECT split_part(token, '.', 1), split_part(token, '.', 2), split_part(token, '.', 3))
           AS p (header, payload, signature),
           LATERAL (SELECT convert_from(bench.from_base64url(p.header), 'UTF8')::jsonb,
                           convert_from(bench.from_base64url(p.payload), 'UTF8')::jsonb OFFSET 0) AS c (header, claims)
     WHERE p.signature = bench.to_base64url(hmac(convert_to(p.header || '.' || p.payload, 'UTF8'), secret, 'sha256'))
       AND c.header ->> 'alg' = 'HS256'
       AND c.claims ->> 'iss' = issuer AND c.claims ->> 'aud' = audience
       AND c.claims ->> 'token_use' = 'access' AND c.claims ->> 'role' = 'orla_user'
       AND (c.claims ->> 'sub')::uuid IS NOT NULL AND (c.claims ->> 'sid')::uuid IS NOT NULL
       AND (c.claims ->> 'gen')::int IS NOT NULL
       AND (c.claims ->> 'exp')::numeric > extract(epoch FROM statement_timestamp())
       AND (c.claims ->> 'nbf')::numeric <= extract(epoch FROM statement_timestamp()) + 30
       AND (c.claims ->> 'iat')::numeric <= extract(epoch FROM statement_timestamp()) + 30;
END;
CREATE FUNCTION bench.verify_in_plpgsql(token text, secret bytea, issuer text, audience text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    parts  text[] := string_to_array(token, '.');
    header jsonb;
    claims jsonb;
    now_at numeric := extract(epoch FROM statement_timestamp());
BEGIN
    IF cardinality(parts) <> 3
       OR parts[3] <> bench.to_base64url(hmac(convert_to(parts[1] || '.' || parts[2], 'UTF8'), secret, 'sha256')) THEN
        RAISE EXCEPTION 'the signature does not match';
    END IF;
    header := convert_from(bench.from_base64url(parts[1]), 'UTF8');
    claims := convert_from(bench.from_base64url(parts[2]), 'UTF8');
    IF header ->> 'alg' IS DISTINCT FROM 'HS256'
       OR claims ->> 'iss' IS DISTINCT FROM issuer OR claims ->> 'aud' IS DISTINCT FROM audience
       OR claims ->> 'token_use' IS DISTINCT FROM 'access' OR claims ->> 'role' IS DISTINCT FROM 'orla_user'
       OR (claims ->> 'sub')::uuid IS NULL OR (claims ->> 'sid')::uuid IS NULL OR (claims ->> 'gen')::int IS NULL
       OR NOT coalesce((claims ->> 'exp')::numeric > now_at, false)
       OR NOT coalesce((claims ->> 'nbf')::numeric <= now_at + 30, false)
       OR NOT coalesce((claims ->> 'iat')::numeric <= now_at + 30, false) THEN
        RAISE EXCEPTION 'the claims are not good';
    END IF;
    RETURN claims;
END
$$;
CREATE FUNCTION bench.sign_in_sql(claims jsonb, secret bytea) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN (SELECT input || '.' || bench.to_base64url(hmac(convert_to(input, 'UTF8'), secret, 'sha256'))
              FROM (SELECT bench.to_base64url('{"alg":"HS256","typ":"JWT"}') || '.'
                           || bench.to_base64url(convert_to(claims::text, 'UTF8'))) AS i (input));

-- More different ones than a backend remembers, of each kind.
CREATE TABLE bench.token (
    alg    text  NOT NULL,
    n      int   NOT NULL,
    claims jsonb NOT NULL,
    jwt    text  NOT NULL,
    PRIMARY KEY (alg, n)
);
INSERT INTO bench.token
SELECT alg, n, claims,
       CASE alg WHEN 'SQL' THEN bench.sign_in_sql(claims, '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff')
                ELSE orla.sign_jwt(claims) END
  FROM unnest('{ES256,SQL}'::text[]) AS alg, generate_series(1, 500) AS n, bench.claims(1, 'token ' || n) AS claims;
SET orla.key_activation_delay = 0;
SET orla.signing_algorithm = 'HS256';
SELECT count(*) FROM orla.rotate_keyring() \gset
INSERT INTO bench.token
SELECT 'HS256', n, claims, orla.sign_jwt(claims)
  FROM generate_series(1, 500) AS n, bench.claims(1, 'token ' || n) AS claims;

VACUUM (ANALYZE);
CHECKPOINT;
