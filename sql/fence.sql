--
-- What row security leaves open and the hooks close: plans and counts, cursors
-- that outlive the tenant, locks and roles that several share, DROP.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_fence;
\c orla_fence
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
\i test/fixtures/signed_in.sql
RESET client_min_messages;
-- what a client is shown of a plan
CREATE FUNCTION test.plan(statement text) RETURNS SETOF text LANGUAGE plpgsql
    AS $$ BEGIN RETURN QUERY EXECUTE statement; END $$;

-- ---------------------------------------------------------------------------
-- EXPLAIN (way 46)
-- ---------------------------------------------------------------------------
-- no costs and no estimates, however they are asked for
SET SESSION AUTHORIZATION regress_orla_tenant;
BEGIN;
SELECT orla.authenticate(:'ada_token');
EXPLAIN SELECT * FROM orla.content_library WHERE title = 'ben''s';
EXPLAIN (COSTS ON) SELECT title FROM orla.content_library;
EXPLAIN (COSTS) SELECT title FROM orla.content_library;
EXPLAIN (COSTS OFF, COSTS ON) SELECT title FROM orla.content_library;
EXPLAIN VERBOSE SELECT title FROM orla.content_library;
PREPARE q AS SELECT title FROM orla.content_library;
EXPLAIN EXECUTE q;
EXPLAIN (FORMAT YAML) SELECT title FROM orla.content_library;
EXPLAIN (FORMAT JSON, SETTINGS, BUFFERS, BUFFERS ON) SELECT title FROM orla.content_library;
EXPLAIN (BUFFERS) SELECT title FROM orla.content_library;
EXPLAIN UPDATE orla.content_library SET title = 'x';
EXPLAIN DECLARE c CURSOR FOR SELECT title FROM orla.content_library;
EXPLAIN CREATE TEMP TABLE t AS SELECT title FROM orla.content_library;
COMMIT;
-- ANALYZE is refused, however it is spelt
EXPLAIN ANALYZE SELECT 1;
EXPLAIN (ANALYZE) SELECT 1;
EXPLAIN (ANALYZE TRUE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT 1;
EXPLAIN (ANALYZE OFF, ANALYZE ON) SELECT 1;
EXPLAIN (ANALYZE 1) SELECT 1;
EXPLAIN (ANALYZE 'yes') SELECT 1;
EXPLAIN (ANALYZE ON, ANALYZE OFF) SELECT 1;
EXPLAIN ANALYZE EXECUTE q;
EXPLAIN ANALYZE DELETE FROM orla.content_library;
DO $$ BEGIN EXECUTE 'EXPLAIN ANALYZE SELECT * FROM orla.content_library'; END $$;
SELECT * FROM test.plan('EXPLAIN (ANALYZE) SELECT * FROM orla.content_library');
EXPLAIN ANALYZE SELECT 1 \; SELECT 2;
-- for each role, and through each other
SET SESSION AUTHORIZATION regress_orla_http;
EXPLAIN ANALYZE SELECT 1;
SET ROLE orla_anon;
EXPLAIN ANALYZE SELECT 1;
RESET ROLE;
SET SESSION AUTHORIZATION regress_orla_gateway;
EXPLAIN ANALYZE SELECT 1;
SET SESSION AUTHORIZATION regress_orla_analyst;
EXPLAIN ANALYZE SELECT * FROM orla.content_library;
EXPLAIN SELECT * FROM orla.content_library;
SET SESSION AUTHORIZATION regress_orla_operator;
EXPLAIN ANALYZE SELECT 1;
RESET SESSION AUTHORIZATION;
SET ROLE orla_user;
EXPLAIN ANALYZE SELECT 1;
SET ROLE orla_service;
EXPLAIN ANALYZE SELECT 1;
RESET ROLE;
-- a definer function of somebody exempt does not lend it to the login
CREATE FUNCTION test.plan_as_owner(statement text) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN RETURN QUERY EXECUTE statement; END $$;
SET SESSION AUTHORIZATION regress_orla_tenant;
SELECT * FROM test.plan_as_owner('EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) SELECT * FROM orla.content_library');
-- who is not under the fence is not held up
SET SESSION AUTHORIZATION regress_orla_stranger;
EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) SELECT 1;
RESET SESSION AUTHORIZATION;
EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, COSTS OFF) SELECT count(*) FROM orla.content_library;

-- ---------------------------------------------------------------------------
-- Plans printed by the server (way 47)
-- ---------------------------------------------------------------------------
SET SESSION AUTHORIZATION regress_orla_tenant;
SET debug_print_plan = on;
SET client_min_messages = log;
SELECT title FROM orla.content_library;
SET client_min_messages = debug1;
SELECT title FROM orla.content_library;
-- notice does not show them to the client
SET client_min_messages = notice;
SELECT title FROM orla.content_library;
RESET debug_print_plan;
RESET client_min_messages;
-- settings changed while the plan is made
RESET SESSION AUTHORIZATION;
CREATE FUNCTION test.louder() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM set_config('client_min_messages', 'log', false), set_config('debug_print_plan', 'on', false);
    RETURN 1;
END
$$;
CREATE FUNCTION test.queries_as_owner() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN RETURN (SELECT count(*) FROM orla.content_library); END $$;
SET SESSION AUTHORIZATION regress_orla_tenant;
SELECT title FROM orla.content_library WHERE test.louder() = 1;
SET client_min_messages = notice;
RESET debug_print_plan;
SET debug_print_plan = on;
SET client_min_messages = log;
SELECT test.queries_as_owner();
RESET debug_print_plan;
RESET client_min_messages;

-- ---------------------------------------------------------------------------
-- Cursors that would outlive the tenant (way 21)
-- ---------------------------------------------------------------------------
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT title FROM orla.content_library;
ROLLBACK;
DECLARE c INSENSITIVE SCROLL CURSOR WITH HOLD FOR SELECT 1;
DO $$ BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT 1'; END $$;
SET SESSION AUTHORIZATION regress_orla_analyst;
DECLARE c CURSOR WITH HOLD FOR SELECT title FROM orla.content_library;
SET SESSION AUTHORIZATION regress_orla_tenant;
BEGIN;
SELECT orla.authenticate(:'ada_token');
DECLARE c CURSOR WITHOUT HOLD FOR SELECT title FROM orla.content_library;
FETCH 1 FROM c;
COMMIT;
SELECT count(*) FROM pg_cursors;
SET SESSION AUTHORIZATION regress_orla_stranger;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT 1 AS one;
COMMIT;
FETCH 1 FROM c;
CLOSE c;

-- ---------------------------------------------------------------------------
-- Locks that shut the other tenants out (way 41)
-- ---------------------------------------------------------------------------
SET SESSION AUTHORIZATION regress_orla_tenant;
BEGIN;
LOCK TABLE orla.content_library;
ROLLBACK;
BEGIN;
LOCK TABLE orla.content_library IN SHARE ROW EXCLUSIVE MODE NOWAIT;
ROLLBACK;
BEGIN;
LOCK TABLE orla_api.content_library IN SHARE MODE;
ROLLBACK;
BEGIN;
LOCK TABLE ONLY orla.competitors IN ACCESS SHARE MODE;
LOCK TABLE orla.competitors IN ROW EXCLUSIVE MODE;
LOCK TABLE no_such_table IN EXCLUSIVE MODE;
ROLLBACK;
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT title FROM orla.content_library FOR UPDATE;
COMMIT;

-- ---------------------------------------------------------------------------
-- Roles that several share (way 16)
-- ---------------------------------------------------------------------------
-- settings that later sessions would begin with, and a password
ALTER ROLE regress_orla_tenant SET search_path = evil;
ALTER ROLE CURRENT_USER IN DATABASE orla_fence SET statement_timeout = '1ms';
ALTER ROLE SESSION_USER RESET ALL;
ALTER ROLE regress_orla_tenant PASSWORD 'x';
SET ROLE orla_user;
ALTER ROLE orla_user SET statement_timeout = '1ms';
ALTER ROLE orla_user PASSWORD 'x';
RESET ROLE;
SET SESSION AUTHORIZATION regress_orla_http;
ALTER ROLE regress_orla_http SET role = orla_user;
SET ROLE orla_anon;
ALTER ROLE orla_anon SET role = orla_user;
RESET ROLE;
SET SESSION AUTHORIZATION regress_orla_gateway;
ALTER ROLE regress_orla_gateway SET search_path = evil;
-- an analyst's and an operator's logins are their own, orla's roles are not
SET SESSION AUTHORIZATION regress_orla_analyst;
ALTER ROLE regress_orla_analyst SET orla.narrow_to = 'aaaaaaaa-0000-4000-8000-000000000001';
ALTER ROLE regress_orla_analyst RESET orla.narrow_to;
SET ROLE orla_analyst;
ALTER ROLE orla_analyst SET statement_timeout = '1ms';
SET SESSION AUTHORIZATION regress_orla_operator;
SET ROLE orla_admin;
ALTER ROLE orla_admin SET statement_timeout = '1ms';
RESET SESSION AUTHORIZATION;
SELECT count(*) AS settings_left FROM pg_db_role_setting
 WHERE setrole::regrole::text ~ '^(regress_)?orla';
-- a role that drops what it owns keeps its policies and its rights (way 6)
CREATE TABLE test.before AS
    SELECT polrelid::regclass::text AS t, polname, polpermissive, polroles::regrole[] AS roles, pg_get_expr(polqual, polrelid) AS expression FROM pg_policy;
CREATE TABLE test.rights AS
    SELECT c.oid::regclass::text AS t, a::text AS acl FROM pg_class c, unnest(c.relacl) AS a WHERE c.relnamespace::regnamespace::text LIKE 'orla%';
SET client_min_messages = error;
SET ROLE orla_user;
DROP OWNED BY orla_user;
DROP OWNED BY CURRENT_USER CASCADE;
SET ROLE orla_analyst;
DROP OWNED BY orla_analyst CASCADE;
RESET ROLE;
RESET client_min_messages;
SELECT * FROM test.before
EXCEPT
SELECT polrelid::regclass::text, polname, polpermissive, polroles::regrole[], pg_get_expr(polqual, polrelid) FROM pg_policy;
SELECT * FROM test.rights
EXCEPT
SELECT c.oid::regclass::text, a::text FROM pg_class c, unnest(c.relacl) AS a;

-- ---------------------------------------------------------------------------
-- Tables with rows in them are not dropped by mistake
-- ---------------------------------------------------------------------------
DROP EXTENSION orla;
DROP EXTENSION orla CASCADE;
DROP EXTENSION pgcrypto;
DROP EXTENSION pgcrypto CASCADE;
-- which of the objects the error names is chance
\set VERBOSITY sqlstate
DROP OWNED BY orla_service CASCADE;
\set VERBOSITY default
DROP SCHEMA orla CASCADE;
BEGIN;
ALTER EXTENSION orla DROP TABLE orla.published_posts;
DROP TABLE orla.published_posts CASCADE;
ROLLBACK;
-- nobody insists but a superuser
SET SESSION AUTHORIZATION regress_orla_operator;
SET orla.allow_drop = on;
RESET SESSION AUTHORIZATION;
SELECT count(*) AS users FROM orla.users;
-- all is there, and works
SET SESSION AUTHORIZATION regress_orla_tenant;
SELECT orla.authenticate(:'ada_token') \; SELECT test.seen();
RESET SESSION AUTHORIZATION;
-- in a session that has not used orla before
\c orla_fence
SET client_min_messages = warning;
DROP EXTENSION orla CASCADE;
DROP EXTENSION pgcrypto CASCADE;
-- without data there is nothing to lose
BEGIN;
DELETE FROM orla.users;
DELETE FROM orla.tenant_grants;
DROP FUNCTION test.seen();
DROP EXTENSION orla;
SELECT count(*) AS left_over FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('orla', 'orla_api'));
ROLLBACK;
-- insisting
SET orla.allow_drop = on;
DROP EXTENSION pgcrypto CASCADE;
SELECT count(*) AS schemas_left FROM pg_namespace WHERE nspname IN ('orla', 'orla_api');
-- the roles stay: another database may use them
SELECT count(*) AS roles FROM pg_roles WHERE rolname IN ('orla_anon', 'orla_user', 'orla_analyst', 'orla_gateway', 'orla_admin', 'orla_service');
-- and a new install starts anew
CREATE EXTENSION orla CASCADE;
SELECT count(*) AS users FROM orla.users;

\i test/fixtures/signed_in_end.sql
\c :previous
DROP DATABASE orla_fence;
