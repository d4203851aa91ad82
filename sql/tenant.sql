--
-- The tenant of a transaction: proven when it is set, over when the transaction
-- ends, one and the same in between.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_tenant;
\c orla_tenant
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
\i test/fixtures/signed_in.sql
RESET client_min_messages;

-- ---------------------------------------------------------------------------
-- Nobody sees nothing, without an error (way 28)
-- ---------------------------------------------------------------------------
SET SESSION AUTHORIZATION regress_orla_tenant;
SHOW orla.tenant;
SELECT orla.current_tenant() IS NULL AS nobody, orla.current_claims() IS NULL AS no_claims, test.seen();
SELECT orla.require_tenant();
INSERT INTO orla.content_library (title) VALUES ('orphan');
INSERT INTO orla.content_library (user_id, title) VALUES (:ada, 'for ada');
UPDATE orla.content_library SET title = 'changed';
DELETE FROM orla.content_library;

-- ---------------------------------------------------------------------------
-- The ways to be somebody, each until the transaction ends (way 18)
-- ---------------------------------------------------------------------------
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT orla.current_tenant(), orla.require_tenant(), orla.current_claims() ->> 'email' AS email, test.seen();
SHOW orla.tenant;
COMMIT;
SELECT orla.current_tenant() IS NULL AS nobody, test.seen();
SHOW orla.tenant;

BEGIN;
SELECT set_config('orla.tenant', :'ada_token', true);
SELECT test.seen();
ROLLBACK;
SELECT test.seen();

BEGIN;
SET LOCAL orla.tenant = :'ada_token';
SELECT test.seen();
COMMIT;
SELECT test.seen();

-- plain SET and set_config(…, false) do not outlive the transaction either
BEGIN;
SET orla.tenant = :'ada_token';
SELECT test.seen();
COMMIT;
SELECT test.seen();
SHOW orla.tenant;
SELECT set_config('orla.tenant', :'ada_token', false);
SELECT test.seen();
SELECT orla.authenticate(:'ada_token');
SELECT test.seen();

-- an implicit transaction of several statements is one transaction
SELECT orla.authenticate(:'ada_token') \; SELECT test.seen();
SELECT test.seen();
SELECT orla.authenticate(:'ada_token') \; COMMIT \; SELECT test.seen();
BEGIN \; SELECT orla.authenticate(:'ada_token') \; SELECT test.seen() \; COMMIT \; SELECT test.seen();

-- the token itself is never shown (way 73)
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT count(*) AS in_pg_settings FROM pg_settings WHERE name = 'orla.tenant';
SELECT current_setting('orla.tenant') = orla.current_tenant()::text AS shows_uuid;
COMMIT;

-- ---------------------------------------------------------------------------
-- '' , RESET and DISCARD: no tenant (way 20)
-- ---------------------------------------------------------------------------
BEGIN;
SELECT orla.authenticate(:'ada_token');
SET orla.tenant = '';
SELECT test.seen();
SELECT orla.authenticate(:'ada_token');
RESET orla.tenant;
SELECT test.seen();
SELECT orla.authenticate(:'ada_token');
SET orla.tenant TO DEFAULT;
SELECT test.seen();
SELECT orla.authenticate(:'ada_token');
RESET ALL;
SELECT test.seen();
COMMIT;
SET orla.tenant = '';
RESET orla.tenant;
DISCARD ALL;
-- which gave the session back to its login
SET SESSION AUTHORIZATION regress_orla_tenant;
SELECT test.seen();

-- ---------------------------------------------------------------------------
-- A transaction has one tenant (ways 9 and 10)
-- ---------------------------------------------------------------------------
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT orla.authenticate(:'ben_token');
ROLLBACK;
-- also after ''
BEGIN;
SELECT orla.authenticate(:'ada_token');
SET LOCAL orla.tenant = '';
SELECT orla.authenticate(:'ben_token');
ROLLBACK;
-- also after a rollback to before the first
BEGIN;
SAVEPOINT s;
SELECT orla.authenticate(:'ada_token');
ROLLBACK TO s;
SELECT test.seen();
SELECT orla.authenticate(:'ben_token');
ROLLBACK;
-- also inside one statement
SELECT orla.authenticate(:'ada_token'), orla.authenticate(:'ben_token');
SELECT t, test.seen()
  FROM (SELECT orla.authenticate(:'ada_token') AS t OFFSET 0) AS a,
       LATERAL (SELECT orla.authenticate(:'ben_token') WHERE t IS NOT NULL) AS b;
-- the same tenant again is welcome
BEGIN;
SELECT orla.authenticate(:'ada_token') = orla.authenticate(:'ada_token') AS same;
SELECT test.seen();
COMMIT;
-- the next transaction may have another
BEGIN;
SELECT orla.authenticate(:'ben_token');
SELECT test.seen();
COMMIT AND CHAIN;
SELECT test.seen();
SELECT orla.authenticate(:'ada_token');
SELECT test.seen();
ROLLBACK AND CHAIN;
SELECT orla.authenticate(:'ben_token');
COMMIT;

-- a function with a SET clause that fails half way leaves no pin behind (way 24)
RESET SESSION AUTHORIZATION;
CREATE FUNCTION test.fail_as(token text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog
    AS $$ BEGIN PERFORM set_config('orla.tenant', token, true); RAISE EXCEPTION 'failed half way'; END $$;
SET SESSION AUTHORIZATION regress_orla_tenant;
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT test.fail_as(:'ada_token');
ROLLBACK;
BEGIN;
SELECT orla.authenticate(:'ben_token');
SELECT test.seen();
COMMIT;

-- ---------------------------------------------------------------------------
-- Savepoints (way 10)
-- ---------------------------------------------------------------------------
BEGIN;
SAVEPOINT a;
SELECT orla.authenticate(:'ada_token');
SAVEPOINT b;
SET LOCAL orla.tenant = '';
SELECT test.seen();
ROLLBACK TO b;
SELECT test.seen();
SAVEPOINT c;
RESET orla.tenant;
RELEASE c;
SELECT test.seen();
ROLLBACK TO a;
SELECT test.seen();
SELECT orla.authenticate(:'ada_token');
RELEASE a;
SELECT test.seen();
COMMIT;
SELECT test.seen();
-- a bind that failed changes nothing
BEGIN;
SELECT orla.authenticate(:'ada_token');
SAVEPOINT s;
SELECT orla.authenticate('rubbish');
ROLLBACK TO s;
SELECT test.seen();
COMMIT;
-- in plpgsql an exception block is a savepoint
BEGIN;
SELECT set_config('test.token', :'ada_token', true) IS NOT NULL AS handed_over;
DO $$
BEGIN
    BEGIN
        PERFORM orla.authenticate(current_setting('test.token'));
        RAISE NOTICE 'inside: %', test.seen();
        RAISE EXCEPTION 'undo';
    EXCEPTION WHEN raise_exception THEN
        RAISE NOTICE 'outside: %', test.seen();
    END;
END
$$;
SELECT test.seen();
COMMIT;

-- ---------------------------------------------------------------------------
-- Cursors (way 9)
-- ---------------------------------------------------------------------------
-- opened before anybody is proven
BEGIN;
DECLARE c CURSOR FOR SELECT title FROM orla.content_library;
SELECT orla.authenticate(:'ada_token');
FETCH ALL FROM c;
COMMIT;
-- opened by one tenant, read after an attempt to be another
BEGIN;
SELECT orla.authenticate(:'ada_token');
DECLARE c CURSOR FOR SELECT title FROM orla.content_library;
FETCH 1 FROM c;
SAVEPOINT s;
SELECT orla.authenticate(:'ben_token');
ROLLBACK TO s;
FETCH ALL FROM c;
COMMIT;
FETCH ALL FROM c;

-- ---------------------------------------------------------------------------
-- Tenants that are gone
-- ---------------------------------------------------------------------------
RESET SESSION AUTHORIZATION;
UPDATE orla.users SET is_active = false WHERE id = :ada;
SET SESSION AUTHORIZATION regress_orla_gateway;
SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT orla.authenticate(:'ada_token');
RESET SESSION AUTHORIZATION;
UPDATE orla.users SET is_active = true WHERE id = :ada;
DELETE FROM orla.users WHERE id = :ada;
SET SESSION AUTHORIZATION regress_orla_gateway;
SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT orla.authenticate(:'ada_token');
SET SESSION AUTHORIZATION regress_orla_tenant;
SELECT orla.authenticate(:'ada_token');
BEGIN;
SELECT orla.authenticate(:'ben_token');
SELECT test.seen();
COMMIT;

\i test/fixtures/signed_in_end.sql
\c :previous
DROP DATABASE orla_tenant;
