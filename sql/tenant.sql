--
-- The tenant of a transaction: proven when it is set, over when the
-- transaction ends, right wherever it is asked for in between.
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
-- Prepared statements: made by one tenant, executed by another (way 23)
-- ---------------------------------------------------------------------------
SET plan_cache_mode = force_generic_plan;
BEGIN;
SELECT orla.authenticate(:'ada_token');
PREPARE mine AS SELECT title, user_id = orla.current_tenant() AS own FROM orla.content_library ORDER BY title;
PREPARE by_title (text) AS SELECT title FROM orla.content_library WHERE title = $1;
PREPARE whoami AS SELECT orla.current_tenant() = $1;
EXECUTE mine;
EXECUTE by_title('ada''s');
EXECUTE by_title('ben''s');
EXECUTE whoami(:ada);
COMMIT;
EXECUTE mine;
EXECUTE whoami(:ada);
BEGIN;
SELECT orla.authenticate(:'ben_token');
EXECUTE mine;
EXECUTE by_title('ada''s');
EXECUTE by_title('ben''s');
EXECUTE whoami(:ben);
COMMIT;
EXECUTE mine;
SET plan_cache_mode = force_custom_plan;
BEGIN;
SELECT orla.authenticate(:'ada_token');
EXECUTE mine;
COMMIT;
EXECUTE mine;
RESET plan_cache_mode;
-- plpgsql keeps plans, too
RESET SESSION AUTHORIZATION;
CREATE FUNCTION test.titles() RETURNS SETOF text LANGUAGE plpgsql STABLE
    AS $$ BEGIN RETURN QUERY SELECT title FROM orla.content_library ORDER BY 1; END $$;
SET SESSION AUTHORIZATION regress_orla_tenant;
SET plan_cache_mode = force_generic_plan;
SELECT orla.authenticate(:'ada_token') \; SELECT * FROM test.titles();
SELECT orla.authenticate(:'ben_token') \; SELECT * FROM test.titles();
SELECT * FROM test.titles();
RESET plan_cache_mode;
DEALLOCATE ALL;

-- ---------------------------------------------------------------------------
-- Parallel workers (way 25)
-- ---------------------------------------------------------------------------
RESET SESSION AUTHORIZATION;
INSERT INTO orla.content_library (user_id, title)
    SELECT :ada, 'ada ' || i FROM generate_series(1, 499) AS i;
INSERT INTO orla.content_library (user_id, title)
    SELECT :ben, 'ben ' || i FROM generate_series(1, 299) AS i;
ANALYZE orla.content_library;
-- who is asked, and where: a worker or the leader
CREATE FUNCTION test.in_worker() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT leader_pid IS NOT NULL FROM pg_stat_get_activity(pg_backend_pid()) $$;
SET SESSION AUTHORIZATION regress_orla_tenant;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET max_parallel_workers_per_gather = 2;
SET parallel_leader_participation = off;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
BEGIN;
SELECT orla.authenticate(:'ada_token');
EXPLAIN (COSTS OFF) SELECT count(*), count(DISTINCT user_id), min(user_id::text) FROM orla.content_library;
SELECT count(*), count(DISTINCT user_id), min(user_id::text) FROM orla.content_library;
SELECT count(*), bool_and(test.in_worker()) AS in_worker FROM orla.content_library WHERE title LIKE 'ada%';
SELECT count(*) FROM orla.content_library WHERE user_id <> orla.current_tenant();
SAVEPOINT s;
SET LOCAL orla.tenant = '';
SELECT count(*) FROM orla.content_library;
ROLLBACK TO s;
SELECT count(*) FROM orla.content_library;
COMMIT;
SELECT count(*) FROM orla.content_library;
BEGIN;
SELECT orla.authenticate(:'ben_token');
SELECT count(*), count(DISTINCT user_id), min(user_id::text) FROM orla.content_library;
COMMIT;
-- a login that steps into the role
SET SESSION AUTHORIZATION regress_orla_http;
BEGIN;
SET LOCAL ROLE orla_user;
SELECT orla.authenticate(:'ada_token');
SELECT count(*), count(DISTINCT user_id) FROM orla.content_library;
COMMIT;
-- an analyst's grants are hers in workers, too
SET SESSION AUTHORIZATION regress_orla_analyst;
EXPLAIN (COSTS OFF) SELECT count(*), count(DISTINCT user_id) FROM orla.content_library;
SELECT count(*), count(DISTINCT user_id) FROM orla.content_library;
SET orla.narrow_to = 'bbbbbbbb-0000-4000-8000-000000000002';
SELECT count(*) FROM orla.content_library;
RESET orla.narrow_to;
RESET parallel_leader_participation;
RESET enable_indexscan;
RESET enable_bitmapscan;
RESET enable_indexonlyscan;
-- everything in a worker
SELECT set_config(name, CASE name WHEN 'force_parallel_mode' THEN 'regress' ELSE 'regress' END, false) AS forced
  FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT count(*), count(DISTINCT user_id) FROM orla.content_library;
SET SESSION AUTHORIZATION regress_orla_tenant;
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT orla.current_tenant(), orla.require_tenant(), orla.current_claims() ->> 'sub' AS sub;
SELECT count(*), count(DISTINCT user_id) FROM orla.content_library;
COMMIT;
SELECT orla.current_tenant() IS NULL AS nobody, count(*) FROM orla.content_library;
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
RESET min_parallel_table_scan_size;
RESET min_parallel_index_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET max_parallel_workers_per_gather;
RESET SESSION AUTHORIZATION;
DELETE FROM orla.content_library WHERE title ~ '^(ada|ben) ';

-- ---------------------------------------------------------------------------
-- SET ROLE and SECURITY DEFINER (ways 1, 5 and 14)
-- ---------------------------------------------------------------------------
SET SESSION AUTHORIZATION regress_orla_http;
BEGIN;
SET LOCAL ROLE orla_anon;
SELECT orla.authenticate(:'ada_token');
SELECT * FROM orla.content_library;
ROLLBACK;
BEGIN;
SET LOCAL ROLE orla_user;
SELECT orla.authenticate(:'ada_token');
SELECT test.seen();
RESET ROLE;
SELECT orla.current_tenant();
SELECT * FROM orla.content_library;
ROLLBACK;
BEGIN;
SET LOCAL ROLE orla_anon;
SELECT orla.authenticate(:'ada_token');
SET LOCAL ROLE orla_user;
SELECT test.seen();
COMMIT;
SET ROLE orla_service;
SET ROLE orla_gateway;
-- a definer function is under the fence of its owner, with the caller's tenant
RESET SESSION AUTHORIZATION;
CREATE FUNCTION test.seen_by_owner() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$ SELECT test.seen() $$;
ALTER FUNCTION test.seen_by_owner() OWNER TO orla_service;
CREATE FUNCTION test.become(token text) RETURNS uuid LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$ SELECT orla.authenticate(token) $$;
ALTER FUNCTION test.become(text) OWNER TO orla_service;
SET SESSION AUTHORIZATION regress_orla_tenant;
SELECT test.seen_by_owner();
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT test.seen_by_owner(), test.seen();
SELECT test.become(:'ben_token');
ROLLBACK;
BEGIN;
SELECT test.become(:'ada_token');
SELECT test.seen_by_owner(), test.seen();
COMMIT;
SELECT test.seen_by_owner(), test.seen();
-- the tables' owner sees no more than the tenant
RESET SESSION AUTHORIZATION;
SET ROLE orla_service;
SELECT test.seen();
BEGIN;
SELECT orla.authenticate(:'ben_token');
SELECT test.seen();
COMMIT;
RESET ROLE;

-- ---------------------------------------------------------------------------
-- Procedures that commit
-- ---------------------------------------------------------------------------
CREATE PROCEDURE test.commits(INOUT said text, ada text, ben text)
    LANGUAGE plpgsql AS $$
DECLARE
    title text;
    kept  uuid;
BEGIN
    PERFORM orla.authenticate(ada);
    said := 'as ada: ' || test.seen();
    kept := orla.current_tenant();
    COMMIT;
    said := said || '; after commit: ' || test.seen();
    PERFORM orla.authenticate(ben);
    said := said || '; as ben: ' || test.seen() || '; kept is still ada: ' || (kept <> orla.current_tenant());
    ROLLBACK;
    said := said || '; after rollback: ' || test.seen();
    FOR title IN SELECT c.title FROM orla.content_library c, orla.authenticate(ada) LOOP
        said := said || '; in loop: ' || title;
        COMMIT;
        said := said || ', then ' || test.seen();
    END LOOP;
END
$$;
-- An argument stays who it was.  It became whoever was proven next.
CREATE PROCEDURE test.serves(who uuid, claimed uuid, next text)
    LANGUAGE plpgsql AS $$
BEGIN
    COMMIT;
    PERFORM orla.authenticate(next);
    RAISE NOTICE 'still the first: %, %', who <> orla.current_tenant(), claimed <> orla.current_tenant();
    ROLLBACK;
END
$$;
CREATE PROCEDURE test.serves_two(ada text, ben text)
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM orla.authenticate(ada);
    CALL test.serves(orla.current_tenant(), orla.require_tenant(), ben);
END
$$;
SET SESSION AUTHORIZATION regress_orla_tenant;
CALL test.commits('', :'ada_token', :'ben_token');
CALL test.serves_two(:'ada_token', :'ben_token');
SELECT test.seen();

-- ---------------------------------------------------------------------------
-- Deferred triggers still have the tenant; the end of the transaction has not
-- ---------------------------------------------------------------------------
RESET SESSION AUTHORIZATION;
CREATE TABLE test.written (title text);
GRANT INSERT ON test.written TO regress_orla_tenant;
CREATE FUNCTION test.tell() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE NOTICE 'deferred: %', test.seen(); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER tell AFTER INSERT ON test.written
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION test.tell();
SET SESSION AUTHORIZATION regress_orla_tenant;
BEGIN;
SELECT orla.authenticate(:'ada_token');
INSERT INTO test.written VALUES ('x');
COMMIT;
SELECT test.seen();

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
ALTER ROLE CURRENT_USER IN DATABASE orla_tenant SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
RESET SESSION AUTHORIZATION;
ALTER ROLE regress_orla_gateway SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
ALTER ROLE ALL SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
ALTER DATABASE orla_tenant SET orla.tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
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
