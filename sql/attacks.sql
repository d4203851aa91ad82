--
-- Ways in that people with SQL and a schema of their own think of: where
-- somebody's code runs, what shows rows by the way, whom a lock shuts out.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_attacks;
\c orla_attacks
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
\i test/fixtures/signed_in.sql
\set VERBOSITY terse
SELECT count(*) AS not_hardened FROM orla.harden() WHERE object !~ '^role ';
RESET client_min_messages;
CREATE SCHEMA own AUTHORIZATION regress_orla_tenant;
GRANT USAGE ON SCHEMA own TO PUBLIC;
CREATE SCHEMA desk AUTHORIZATION regress_orla_analyst;
GRANT USAGE ON SCHEMA desk TO PUBLIC;
CREATE ROLE regress_orla_second LOGIN IN ROLE orla_analyst;
INSERT INTO orla.tenant_grants (analyst, user_id) VALUES ('regress_orla_second', :ada);
DELETE FROM orla.tenant_grants WHERE analyst = 'regress_orla_analyst' AND user_id = :ada;
CREATE FUNCTION test.name_of(who uuid) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT CASE left(who::text, 1) WHEN 'a' THEN 'ada' WHEN 'b' THEN 'ben' END $$;

-- ---------------------------------------------------------------------------
-- A tenant named by code that runs elsewhere (way 72)
-- ---------------------------------------------------------------------------
SET SESSION AUTHORIZATION regress_orla_tenant;
-- tries to be Ben, and says what came of it
CREATE FUNCTION own.forge() RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM set_config('orla.tenant', 'bbbbbbbb-0000-4000-8000-000000000002', true);
    RETURN 'IS BEN';
EXCEPTION WHEN others THEN
    RETURN SQLSTATE || ' ' || coalesce(test.name_of(orla.current_tenant()), 'nobody');
END
$$;
CREATE FUNCTION own.forge(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE NOTICE '%: %', $1, own.forge(); RETURN true; END $$;
CREATE DOMAIN own.checked AS text CHECK (own.forge('domain'));
CREATE FUNCTION own.plus(text, int) RETURNS text LANGUAGE sql AS $$ SELECT own.forge() $$;
CREATE OPERATOR own.+ (LEFTARG = text, RIGHTARG = int, FUNCTION = own.plus);
CREATE FUNCTION own.step(boolean, text) RETURNS boolean LANGUAGE sql AS $$ SELECT own.forge($2) $$;
CREATE AGGREGATE own.agg(text) (SFUNC = own.step, STYPE = boolean);
CREATE TYPE own.cast_from AS (n int);
CREATE FUNCTION own.to_text(own.cast_from) RETURNS text LANGUAGE sql AS $$ SELECT own.forge() $$;
CREATE CAST (own.cast_from AS text) WITH FUNCTION own.to_text(own.cast_from) AS IMPLICIT;
CREATE TABLE own.t (
    id  int PRIMARY KEY,
    a   text DEFAULT own.forge() CHECK (own.forge('check')),
    g   text GENERATED ALWAYS AS (own.forge()) STORED,
    d   own.checked DEFAULT 'x'
);
CREATE INDEX ON own.t ((own.forge(a)));
CREATE FUNCTION own.on_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'trigger: %', own.forge(); RETURN NEW; END $$;
CREATE TRIGGER t BEFORE INSERT ON own.t FOR EACH ROW EXECUTE FUNCTION own.on_row();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON own.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION own.on_row();
ALTER TABLE own.t ENABLE ROW LEVEL SECURITY;
ALTER TABLE own.t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON own.t USING (own.forge('policy'));
CREATE FUNCTION own.clause() RETURNS text LANGUAGE sql SET orla.narrow_to = 'bbbbbbbb-0000-4000-8000-000000000002'
    AS $$ SELECT own.forge() || ', sees ' || test.seen() $$;
CREATE FUNCTION own.definer() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT own.forge() $$;
CREATE PROCEDURE own.procedure(INOUT said text) LANGUAGE plpgsql AS $$
BEGIN
    said := own.forge();
    COMMIT;
    said := said || ', ' || own.forge();
END
$$;
BEGIN;
SELECT orla.authenticate(:'ada_token');
INSERT INTO own.t (id) VALUES (1) RETURNING a, g;
SELECT a, own.agg(a) FROM own.t GROUP BY a;
SELECT 'x'::text OPERATOR(own.+) 1 AS operator, ROW(1)::own.cast_from::text AS cast, own.clause(), own.definer();
UPDATE own.t SET id = 2 RETURNING g;
SELECT test.seen();
COMMIT;
CALL own.procedure('');
DO $$ BEGIN RAISE NOTICE 'do: %', own.forge(); END $$;
-- run by others as they are, with the rights of the table's owner: a superuser's
-- ANALYZE (as autovacuum does), another login that reads
RESET SESSION AUTHORIZATION;
ANALYZE own.t;
SELECT test.seen() LIKE '%ada%' AS superuser_sees_all;
SET SESSION AUTHORIZATION regress_orla_tenant;
DROP TABLE own.t;

-- ---------------------------------------------------------------------------
-- Code of one analyst or tenant that another one runs (way 65)
-- ---------------------------------------------------------------------------
CREATE VIEW own.content AS SELECT title FROM orla.content_library;
GRANT SELECT ON own.content TO PUBLIC;
CREATE FUNCTION own.reads() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT test.seen() $$;
SET SESSION AUTHORIZATION regress_orla_analyst;
CREATE VIEW desk.content AS SELECT title FROM orla.content_library;
GRANT SELECT ON desk.content TO PUBLIC;
CREATE FUNCTION desk.reads() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT test.seen() $$;
SELECT test.seen();
-- rights are the owner's, grants are the session's: a view shares nothing
SET SESSION AUTHORIZATION regress_orla_second;
SELECT test.seen(), (SELECT string_agg(title, ', ') FROM desk.content) AS colleagues_view, desk.reads() AS colleagues_function;
SELECT (SELECT string_agg(title, ', ') FROM own.content) AS tenants_view, own.reads() AS tenants_function;
SET SESSION AUTHORIZATION regress_orla_stranger;
SELECT (SELECT string_agg(title, ', ') FROM desk.content) AS analysts_view, desk.reads() AS analysts_function,
       (SELECT string_agg(title, ', ') FROM own.content) AS tenants_view, own.reads() AS tenants_function;
SELECT orla.current_tenant();
SELECT orla.granted_tenants();
SET SESSION AUTHORIZATION regress_orla_tenant;
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT (SELECT string_agg(title, ', ') FROM desk.content) AS analysts_view, desk.reads() AS analysts_function;
COMMIT;

-- ---------------------------------------------------------------------------
-- Names that shadow ours: policies and functions are bound to what they mean
-- (way 66)
-- ---------------------------------------------------------------------------
CREATE FUNCTION own.current_tenant() RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT 'bbbbbbbb-0000-4000-8000-000000000002'::uuid $$;
CREATE FUNCTION own.always(uuid, uuid) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT true $$;
CREATE OPERATOR own.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = own.always);
CREATE TABLE own.users (id uuid, name text, email text, password_hash text);
CREATE TABLE own.content_library (title text);
CREATE FUNCTION own.now() RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$ SELECT '2000-01-01'::timestamptz $$;
CREATE FUNCTION own.jsonb_build_object(VARIADIC text[]) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"stolen": true}'::jsonb $$;
SET search_path = own, orla, orla_api, pg_catalog;
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT test.name_of(user_id), title FROM orla.content_library;
SELECT title FROM orla_api.search_content('ada OR ben');
SELECT orla_api.me() ->> 'email' AS me, jsonb_array_length(orla_api.my_sessions()) AS sessions;
COMMIT;
RESET search_path;
CREATE OR REPLACE FUNCTION orla.current_tenant() RETURNS uuid LANGUAGE sql AS $$ SELECT NULL::uuid $$;
ALTER FUNCTION orla.current_tenant() OWNER TO CURRENT_USER;
CREATE FUNCTION orla.x() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;
CREATE CAST (uuid AS text) WITH INOUT AS IMPLICIT;
-- an IMMUTABLE wrapper is folded into a plan: its own mistake, within the fence
CREATE FUNCTION own.folded() RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT orla.current_tenant() $$;
CREATE FUNCTION own.folded2() RETURNS uuid LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN orla.current_tenant(); END $$;
SET plan_cache_mode = force_generic_plan;
BEGIN;
SELECT orla.authenticate(:'ada_token');
PREPARE f AS SELECT title FROM orla.content_library WHERE user_id = own.folded2();
EXECUTE f;
COMMIT;
BEGIN;
SELECT orla.authenticate(:'ben_token');
EXECUTE f;
COMMIT;
RESET plan_cache_mode;

-- ---------------------------------------------------------------------------
-- Predicates that tell what they are shown, by whatever road (ways 49, 84 and 85)
-- ---------------------------------------------------------------------------
CREATE FUNCTION own.note(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'shown: %', $1; RETURN true; END $$;
CREATE FUNCTION own.note_eq(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'compared: % %', $1, $2; RETURN $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE OPERATOR own.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = own.note_eq, COMMUTATOR = OPERATOR(own.===), HASHES, MERGES, RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE DOMAIN own.noted AS text CHECK (own.note(VALUE));
CREATE FUNCTION own.leaky(text) RETURNS boolean LANGUAGE sql LEAKPROOF AS $$ SELECT true $$;
CREATE FUNCTION own.support(internal) RETURNS internal LANGUAGE internal AS 'int4_support';
ALTER FUNCTION own.note(text) SUPPORT pg_catalog.textlike_support;
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT title FROM orla.content_library WHERE own.note(title);
SELECT title FROM orla_api.content_library WHERE own.note(title) AND user_id = :ben;
SELECT title FROM orla.content_library WHERE title OPERATOR(own.===) 'ben''s';
SELECT title FROM orla.content_library WHERE 'ben''s' OPERATOR(own.===) ANY (ARRAY[title]);
SELECT count(*) FROM orla.content_library a JOIN orla.content_library b ON a.title OPERATOR(own.===) b.title;
SELECT title::own.noted FROM orla.content_library;
SELECT count(*) FILTER (WHERE own.note(title)) FROM orla.content_library;
SELECT CASE WHEN own.note(title) THEN 1 END FROM orla.content_library;
SELECT title FROM orla.content_library ORDER BY own.note(title);
SELECT title FROM orla.content_library GROUP BY title HAVING own.note(title);
SELECT row_number() OVER (PARTITION BY own.note(title)) FROM orla.content_library;
SELECT title FROM orla.content_library TABLESAMPLE SYSTEM (100) WHERE own.note(title);
SELECT title FROM orla.content_library WHERE ctid IN ('(0,1)', '(0,2)', '(0,3)', '(0,4)') AND own.note(title);
SELECT title FROM orla.content_library WHERE ctid >= '(0,0)' AND own.note(title);
SELECT title FROM orla.content_library WHERE own.note(title) FOR KEY SHARE SKIP LOCKED;
SELECT title FROM orla_api.search_content('ada OR ben') WHERE own.note(title);
SELECT title FROM orla.content_library WHERE search OPERATOR(orla.@@@) 'ada | ben' AND own.note(title);
WITH x AS MATERIALIZED (SELECT * FROM orla.content_library) SELECT title FROM x WHERE own.note(title);
SELECT (SELECT string_agg(title, ',') FROM orla.content_library c WHERE own.note(c.title) AND c.id = b.id) FROM orla.content_library b;
SAVEPOINT s;
UPDATE orla.content_library SET title = title || '.' WHERE own.note(title) RETURNING own.note(title);
DELETE FROM orla.content_library WHERE own.note(title) RETURNING title;
ROLLBACK TO s;
MERGE INTO orla.content_library c USING (VALUES (1)) v ON own.note(c.title) WHEN MATCHED AND own.note(c.title) THEN DO NOTHING;
DECLARE c CURSOR FOR SELECT title FROM orla.content_library FOR UPDATE;
FETCH 1 FROM c;
UPDATE orla.content_library SET title = 'mine' WHERE CURRENT OF c RETURNING own.note(title);
ROLLBACK;
-- a conflict with another's row is none: the refusal is the same whether or not it
-- exists (ways 33 and 70)
BEGIN;
SELECT orla.authenticate(:'ben_token');
SELECT id AS bens_id FROM orla.content_library \gset
COMMIT;
BEGIN;
SELECT orla.authenticate(:'ada_token');
SAVEPOINT s;
INSERT INTO orla.content_library (user_id, id, title) VALUES (:ben, :'bens_id', 'x') ON CONFLICT DO NOTHING;
ROLLBACK TO s;
INSERT INTO orla.content_library (user_id, id, title) VALUES (:ben, gen_random_uuid(), 'x') ON CONFLICT DO NOTHING;
ROLLBACK TO s;
INSERT INTO orla.content_library AS c (user_id, id, title) VALUES (:ben, :'bens_id', 'x') ON CONFLICT (user_id, id) DO UPDATE SET title = 'x' WHERE own.note(c.title);
ROLLBACK TO s;
INSERT INTO orla_api.content_library AS c (user_id, id, title) VALUES (:ben, :'bens_id', 'x') ON CONFLICT (user_id, id) DO UPDATE SET title = 'x' WHERE own.note(c.title);
ROLLBACK TO s;
INSERT INTO orla.content_library AS c (id, title) VALUES (:'bens_id', 'my own') ON CONFLICT (user_id, id) DO UPDATE SET title = 'x' WHERE own.note(c.title) RETURNING title;
INSERT INTO orla.content_library AS c (id, title) VALUES (:'bens_id', 'my own') ON CONFLICT (user_id, id) DO UPDATE SET title = 'x' WHERE own.note(c.title) RETURNING title;
MERGE INTO orla.content_library c USING (VALUES (:'bens_id'::uuid)) v (id) ON c.id = v.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (title) VALUES ('x');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- Functions that run a query, or read a table, for somebody; counters, statistics
-- (ways 67, 83, 84 and 135)
-- ---------------------------------------------------------------------------
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT word FROM ts_stat('SELECT search FROM orla.content_library') ORDER BY 1;
SELECT table_to_xml('orla.content_library', false, false, '')::text ~ 'ben' AS ben, table_to_xml('orla.content_library', false, false, '')::text ~ 'ada' AS ada;
SELECT query_to_xml('SELECT title FROM orla.content_library', false, true, '')::text ~ 'ben' AS ben;
SELECT schema_to_xml('orla_api', false, true, '')::text ~ 'ben' AS ben;
SAVEPOINT s;
SELECT database_to_xml(false, true, '')::text ~ 'ben' AS ben;
ROLLBACK TO s;
SELECT ts_rewrite('x'::tsquery, 'SELECT ''x''::tsquery, to_tsquery(title) FROM orla.content_library WHERE title <> ''ada''''s''')::text;
DECLARE c CURSOR FOR SELECT title FROM orla.content_library;
SELECT cursor_to_xml('c', 10, false, true, '')::text ~ 'ben' AS ben;
SELECT count(*) FROM pg_stats WHERE schemaname = 'orla';
SELECT count(*) FROM pg_stats_ext_exprs;
ROLLBACK;
SELECT count(*) FROM pg_statistic;
SELECT pg_read_file('orla.keyring');
SELECT pg_read_binary_file('PG_VERSION');
SELECT lo_from_bytea(0, 'x');
SELECT lo_import('/etc/passwd');
SELECT pg_stat_get_xact_tuples_returned('orla.content_library'::regclass);
SELECT count(*) FROM pg_stat_xact_user_tables WHERE seq_tup_read > 0;
-- whether an address has an account, by what a request for a link to it writes
SELECT pg_stat_get_tuples_updated('orla.users'::regclass);
SELECT sum(n_tup_upd) FROM pg_stat_all_tables;
SELECT sum(idx_blks_hit) FROM pg_statio_all_indexes;
SELECT tup_updated FROM pg_stat_database;
SELECT wal_bytes FROM pg_stat_wal;
SELECT count(*) FROM pg_replication_slots;
SELECT pg_current_wal_insert_lsn();
SELECT pg_logical_emit_message(true, 'x', 'x');
COPY orla.content_library TO '/tmp/x';
COPY orla.content_library TO PROGRAM 'cat';
COPY (SELECT title FROM orla.content_library) TO STDOUT;
LOAD 'auto_explain';
ALTER SYSTEM SET log_statement = 'all';
SELECT pg_reload_conf();
SELECT pg_create_logical_replication_slot('x', 'test_decoding');
CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p;
CREATE PUBLICATION p FOR ALL TABLES;
CREATE EXTENSION dblink;
-- what others own (way 6)
REASSIGN OWNED BY orla_service TO regress_orla_tenant;
-- a dump by somebody under the fence fails; it does not come out in part (way 79)
\! pg_dump -d orla_attacks --role=regress_orla_analyst --data-only -t orla.content_library 2>&1 | grep -o 'ERROR:.*'

-- ---------------------------------------------------------------------------
-- Another role, another setting (ways 14, 43 and 69)
-- ---------------------------------------------------------------------------
SET ROLE orla_analyst;
SET ROLE orla_gateway;
SET ROLE orla_admin;
SET ROLE orla_service;
SET ROLE pg_read_all_data;
SET SESSION AUTHORIZATION regress_orla_http;
GRANT orla_admin TO regress_orla_stranger;
GRANT orla_user TO regress_orla_stranger;
CREATE ROLE regress_orla_new;
SET session_replication_role = replica;
SET row_security = off;
SELECT title FROM orla.content_library;
RESET row_security;
SET orla.allow_drop = on;
SET orla.audience = 'x';
SELECT set_config('orla.issuer', 'x', false);
SET orla.made_up = 'x';
SET orla.keyring_file = '/tmp/x';

-- ---------------------------------------------------------------------------
-- Savepoints, exceptions, resets: nobody stays, nobody is exchanged (ways 9 and 10)
-- ---------------------------------------------------------------------------
SET SESSION AUTHORIZATION regress_orla_tenant;
BEGIN;
SELECT set_config('test.ada', :'ada_token', true) <> '' AS a, set_config('test.ben', :'ben_token', true) <> '' AS b;
DO $$
DECLARE
    said text := '';
    ada  text := current_setting('test.ada');
    ben  text := current_setting('test.ben');
BEGIN
    BEGIN
        PERFORM set_config('orla.tenant', ada, true);
        RAISE EXCEPTION 'x';
    EXCEPTION WHEN raise_exception THEN
        said := said || test.seen();
    END;
    BEGIN
        PERFORM set_config('orla.tenant', ben, true);
    EXCEPTION WHEN others THEN
        said := said || ', ' || SQLERRM;
    END;
    BEGIN
        EXECUTE format('SET LOCAL orla.tenant = %L', ada);
        said := said || ', ' || test.seen();
        EXECUTE 'RESET ALL';
        said := said || ', ' || test.seen();
        PERFORM set_config('orla.tenant', ben, false);
    EXCEPTION WHEN others THEN
        said := said || ', ' || SQLERRM;
    END;
    RAISE NOTICE '%', said || ', ' || test.seen();
END
$$;
ROLLBACK;
-- discarding inside of a request
BEGIN;
SELECT orla.authenticate(:'ada_token');
DISCARD PLANS;
DISCARD TEMP;
DISCARD SEQUENCES;
SELECT test.seen();
DISCARD ALL;
ROLLBACK;
SELECT orla.authenticate(:'ada_token') \; DISCARD ALL;
SELECT test.seen();
-- another's snapshot shows no other rows
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT orla.authenticate(:'ada_token');
SELECT pg_export_snapshot() IS NOT NULL AS exported, test.seen();
COMMIT;

-- ---------------------------------------------------------------------------
-- Locks that wait before they ask, and shut everybody else out (ways 41 and 80)
-- ---------------------------------------------------------------------------
BEGIN;
CREATE VIEW own.lockable AS SELECT * FROM orla.content_library;
LOCK TABLE own.lockable;
ROLLBACK;
CREATE RULE r AS ON INSERT TO orla.content_library DO ALSO NOTHING;
CREATE TRIGGER t BEFORE INSERT ON orla.content_library FOR EACH ROW EXECUTE FUNCTION own.on_row();
CREATE TABLE own.child (user_id uuid, id uuid, FOREIGN KEY (user_id, id) REFERENCES orla.content_library);
CREATE TABLE own.child (user_id uuid REFERENCES orla.users);
CREATE TABLE own.part PARTITION OF orla.content_library DEFAULT;
CREATE TABLE own.plain (user_id uuid, id uuid);
ALTER TABLE own.plain ADD FOREIGN KEY (user_id, id) REFERENCES orla.content_library;
ALTER TABLE own.plain ADD COLUMN x uuid REFERENCES orla.users;
CREATE TABLE own.parted (user_id uuid) PARTITION BY LIST (user_id);
ALTER TABLE own.parted ATTACH PARTITION orla.content_library DEFAULT;
ALTER INDEX orla.content_library_pkey DEPENDS ON EXTENSION orla;
CREATE SCHEMA AUTHORIZATION CURRENT_USER CREATE TABLE x (user_id uuid REFERENCES orla.users);
-- that none of them has waited for a lock: there is none to be had
RESET SESSION AUTHORIZATION;
\! psql -X -q -d orla_attacks -c "BEGIN; LOCK TABLE orla.content_library; SET client_min_messages = error;" -c "\! psql -X -d orla_attacks -v VERBOSITY=terse -c 'SET lock_timeout = 300' -c 'SET SESSION AUTHORIZATION regress_orla_tenant' -c 'CREATE RULE r AS ON INSERT TO orla.content_library DO ALSO NOTHING' -c 'ALTER INDEX orla.content_library_pkey DEPENDS ON EXTENSION orla' 2>&1"
-- what is one's own works as ever
SET SESSION AUTHORIZATION regress_orla_tenant;
ALTER TABLE own.plain ADD PRIMARY KEY (user_id, id);
CREATE TABLE own.child (user_id uuid, id uuid, FOREIGN KEY (user_id, id) REFERENCES own.plain);
CREATE RULE r AS ON INSERT TO own.plain DO ALSO NOTHING;
CREATE TABLE own.part PARTITION OF own.parted DEFAULT;
BEGIN;
LOCK TABLE own.plain;
COMMIT;
-- what objects of a shared role begin with (way 75)
ALTER DEFAULT PRIVILEGES FOR ROLE orla_user GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
SET SESSION AUTHORIZATION regress_orla_analyst;
ALTER DEFAULT PRIVILEGES FOR ROLE orla_analyst GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA desk GRANT SELECT ON TABLES TO regress_orla_second;
RESET SESSION AUTHORIZATION;
SELECT defaclrole::regrole, defaclnamespace::regnamespace FROM pg_default_acl;

SET client_min_messages = warning;
DROP SCHEMA own, desk CASCADE;
DROP OWNED BY regress_orla_second;
DROP ROLE regress_orla_second;
\i test/fixtures/signed_in_end.sql
\c :previous
DROP DATABASE orla_attacks;
