--
-- The tenant of a transaction is right wherever it is asked for: in prepared
-- statements and plans that are kept, in parallel workers, as another role, in
-- procedures that commit, in deferred triggers.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_tenant_reads;
\c orla_tenant_reads
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
\i test/fixtures/signed_in.sql
RESET client_min_messages;
SET SESSION AUTHORIZATION regress_orla_tenant;

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

\i test/fixtures/signed_in_end.sql
\c :previous
DROP DATABASE orla_tenant_reads;
