--
-- A tenant that nobody has proven: values that arrive in other ways than by SET,
-- and names of tenants by others than a gateway.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_tenant_unproven;
\c orla_tenant_unproven
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
\i test/fixtures/signed_in.sql
RESET client_min_messages;
SET SESSION AUTHORIZATION regress_orla_tenant;

-- ---------------------------------------------------------------------------
-- Values that arrive without proof (ways 8 and 11)
-- ---------------------------------------------------------------------------
-- by SET
SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT set_config('orla.tenant', 'aaaaaaaa-0000-4000-8000-000000000001', true);
SELECT set_config('orla.tenant', 'aaaaaaaa-0000-4000-8000-000000000001', false);
SELECT set_config('orla.tenant', NULL, false);
SET orla.tenant = 'AAAAAAAA-0000-4000-8000-000000000001';
SET orla.tenant = '{aaaaaaaa-0000-4000-8000-000000000001}';
SET orla.tenant = 'aaaaaaaa00004000800000000000000 1';
SET orla.tenant = 'nobody';
SET orla.tenant = ' ';
SET orla.tenant = 'a', 'b';
SELECT set_config('ORLA.Tenant', 'aaaaaaaa-0000-4000-8000-000000000001', true);
UPDATE pg_settings SET setting = 'aaaaaaaa-0000-4000-8000-000000000001' WHERE name = 'orla.tenant';
-- by defaults of a role, a database, the server
ALTER ROLE regress_orla_tenant SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
ALTER ROLE CURRENT_USER IN DATABASE orla_tenant_unproven SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET SESSION AUTHORIZATION;
ALTER ROLE regress_orla_gateway SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
ALTER ROLE ALL SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
ALTER DATABASE orla_tenant_unproven SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
ALTER SYSTEM SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
-- not even of somebody who is proven
BEGIN;
SELECT orla.authenticate(:'ada_token');
ALTER ROLE regress_orla_gateway SET orla.tenant FROM CURRENT;
ROLLBACK;
SELECT count(*) FROM pg_db_role_setting WHERE setconfig::text LIKE '%orla.tenant%';
-- by a function's SET clause
CREATE FUNCTION test.as_ada() RETURNS text LANGUAGE sql
    SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001' AS $$ SELECT test.seen() $$;
BEGIN;
SELECT orla.authenticate(:'ada_token');
CREATE FUNCTION test.as_ada() RETURNS text LANGUAGE sql
    SET orla.tenant FROM CURRENT AS $$ SELECT test.seen() $$;
ROLLBACK;
-- one that was made before the library was there, and would be believed
CREATE FUNCTION test.as_ada() RETURNS text LANGUAGE plpgsql
    AS $$ BEGIN RETURN concat_ws(' as ', test.seen(), orla.current_tenant()); END $$;
CREATE FUNCTION test.as_ada_for_ben(token text) RETURNS text LANGUAGE plpgsql
    AS $$ BEGIN PERFORM orla.authenticate(token); RETURN test.seen(); END $$;
UPDATE pg_proc SET proconfig = ARRAY['orla.tenant=aaaaaaaa-0000-4000-8000-000000000001']
 WHERE pronamespace = 'test'::regnamespace AND proname LIKE 'as\_ada%';
SET SESSION AUTHORIZATION regress_orla_tenant;
SELECT test.as_ada();
SET SESSION AUTHORIZATION regress_orla_gateway;
SELECT test.as_ada();
SHOW orla.tenant;
BEGIN;
SET LOCAL orla.tenant = 'bbbbbbbb-0000-4000-8000-000000000002';
SELECT test.as_ada();
ROLLBACK;
BEGIN;
SET LOCAL orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT test.as_ada();
SELECT test.seen();
COMMIT;
-- a proof inside of such a function does not count either, and says so
SELECT test.as_ada_for_ben(:'ada_token');
RESET SESSION AUTHORIZATION;
UPDATE pg_proc SET proconfig = ARRAY['orla.tenant=' || :'ada_token']
 WHERE pronamespace = 'test'::regnamespace AND proname LIKE 'as\_ada%';
SET SESSION AUTHORIZATION regress_orla_tenant;
SELECT test.as_ada();
SELECT orla.current_tenant() IS NULL AS nobody, test.seen();
RESET SESSION AUTHORIZATION;
DROP FUNCTION test.as_ada(), test.as_ada_for_ben(text);

-- ---------------------------------------------------------------------------
-- A gateway is believed; nobody else, whatever role it takes (ways 8 and 15)
-- ---------------------------------------------------------------------------
SET SESSION AUTHORIZATION regress_orla_gateway;
BEGIN;
SELECT set_config('orla.tenant', 'aaaaaaaa-0000-4000-8000-000000000001', true);
SELECT orla.current_tenant(), orla.current_claims(), test.seen();
COMMIT;
SELECT test.seen();
BEGIN;
SET LOCAL orla.tenant = 'AAAAAAAA-0000-4000-8000-000000000001';
SHOW orla.tenant;
SET LOCAL orla.tenant = 'bbbbbbbb-0000-4000-8000-000000000002';
ROLLBACK;
-- nobody, malformed, unknown
BEGIN;
SET LOCAL orla.tenant = 'cccccccc-0000-4000-8000-000000000003';
ROLLBACK;
SET orla.tenant = 'aaaaaaaa-0000-4000-8000-00000000000';
SET orla.tenant = 'aaaaaaaa-0000-4000-8000-00000000000z';
SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001 ';
-- the gateway brings tokens, too
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT orla.current_claims() ->> 'email' AS email, test.seen();
COMMIT;
-- orla.authenticate() takes a token, not a name
SELECT orla.authenticate('aaaaaaaa-0000-4000-8000-000000000001');
-- neither the role nor a definer of it is the login
RESET SESSION AUTHORIZATION;
GRANT orla_gateway TO regress_orla_stranger;
CREATE FUNCTION test.name_tenant(t uuid) RETURNS text LANGUAGE sql SECURITY DEFINER
    AS $$ SELECT set_config('orla.tenant', t::text, true) $$;
ALTER FUNCTION test.name_tenant(uuid) OWNER TO regress_orla_stranger;
SET SESSION AUTHORIZATION regress_orla_tenant;
SELECT test.name_tenant(:ada);
RESET SESSION AUTHORIZATION;
BEGIN;
SET LOCAL ROLE orla_gateway;
SELECT set_config('orla.tenant', 'aaaaaaaa-0000-4000-8000-000000000001', true);
ROLLBACK;
SELECT set_config('orla.tenant', 'aaaaaaaa-0000-4000-8000-000000000001', true);
-- membership by way of another role counts, and ends when it ends
CREATE ROLE regress_orla_layer;
GRANT orla_gateway TO regress_orla_layer;
REVOKE orla_gateway FROM regress_orla_stranger;
GRANT regress_orla_layer TO regress_orla_stranger;
SET SESSION AUTHORIZATION regress_orla_stranger;
SELECT set_config('orla.tenant', 'aaaaaaaa-0000-4000-8000-000000000001', true);
RESET SESSION AUTHORIZATION;
DROP ROLE regress_orla_layer;
SET SESSION AUTHORIZATION regress_orla_stranger;
SELECT set_config('orla.tenant', 'aaaaaaaa-0000-4000-8000-000000000001', true);
-- a stranger with a good token has proven who she is, and has no rights
BEGIN;
SET LOCAL orla.tenant = :'ada_token';
SHOW orla.tenant;
SELECT * FROM orla.content_library;
ROLLBACK;
SELECT orla.authenticate(:'ada_token');

\i test/fixtures/signed_in_end.sql
\c :previous
DROP DATABASE orla_tenant_unproven;
