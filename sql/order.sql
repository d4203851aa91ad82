--
-- The tenant is compared before anything else that a query asks of a row, also
-- where the server would let a leak-proof condition go first (way 114).  It did:
-- WHERE title >= 'M' AND title < 'N' AND content >= '' took long where anybody
-- had such a title, and so titles of others could be asked for letter by letter.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_order;
\c orla_order
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
\i test/fixtures/signed_in.sql
DELETE FROM orla.tenant_grants WHERE user_id = :ben;
-- Stands for a condition that takes its time: tells what it is shown, costs
-- next to nothing by its own word, and is leak-proof by a superuser's.
CREATE FUNCTION test.shown(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE LEAKPROOF COST 0.1
    AS $$ BEGIN RAISE NOTICE 'shown: %', what; RETURN true; END $$;
-- Partitions and children whose columns lie elsewhere; an index on other columns.
CREATE TABLE test.note (user_id uuid NOT NULL, body text) PARTITION BY LIST (body);
CREATE TABLE test.note_1 (gone int, body text, user_id uuid NOT NULL);
ALTER TABLE test.note_1 DROP COLUMN gone;
ALTER TABLE test.note ATTACH PARTITION test.note_1 DEFAULT;
CREATE TABLE test.parent (body text, user_id uuid NOT NULL);
CREATE TABLE test.child (more int, body text, user_id uuid NOT NULL);
ALTER TABLE test.child INHERIT test.parent;
CREATE TABLE test.indexed ("the ""tenant" uuid NOT NULL, body text, large text);
CREATE INDEX ON test.indexed (body) INCLUDE ("the ""tenant");
SELECT orla.protect('test.note'), orla.protect('test.parent'), orla.protect('test.indexed', 'the "tenant');
INSERT INTO test.note VALUES (:ben, 'ben''s'), (:ada, 'ada''s');
INSERT INTO test.parent VALUES ('ben''s', :ben), ('ada''s', :ada);
INSERT INTO test.child VALUES (1, 'ben''s', :ben), (1, 'ada''s', :ada);
INSERT INTO test.indexed VALUES (:ben, 'ben''s', 'x'), (:ada, 'ada''s', 'y');
GRANT SELECT, UPDATE, DELETE ON test.note, test.parent, test.indexed TO orla_user, orla_analyst;
VACUUM ANALYZE;
RESET client_min_messages;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SET enable_bitmapscan = off;

-- a superuser is shown all, so the function does tell
SELECT title FROM orla.content_library WHERE test.shown(title) ORDER BY title;

SET SESSION AUTHORIZATION regress_orla_tenant;
BEGIN;
SELECT orla.authenticate(:'ada_token');
EXPLAIN SELECT title FROM orla.content_library WHERE title >= 'b' AND title < 'c' AND content >= '';
SELECT title FROM orla.content_library WHERE test.shown(title);
SELECT title FROM orla_api.content_library WHERE test.shown(title);
-- where the planner compares with what the query says, and that with the tenant
SELECT title FROM orla.content_library WHERE test.shown(title) AND user_id = :ada;
SELECT title FROM orla.content_library WHERE test.shown(title) AND :ada = user_id;
SELECT title FROM orla.content_library WHERE test.shown(title) AND user_id = :ben;
SELECT set_config('test.me', :ada, true);
SELECT title FROM orla.content_library WHERE test.shown(title) AND user_id = current_setting('test.me')::uuid;
SELECT title FROM orla.content_library WHERE test.shown(title) AND user_id = (SELECT current_setting('test.me')::uuid);
SELECT title FROM orla.content_library WHERE test.shown(title) AND user_id = ANY (ARRAY[:ada, :ben]::uuid[]);
SELECT title FROM orla.content_library AS c JOIN (VALUES (:ada::uuid)) AS v (u) ON c.user_id = v.u WHERE test.shown(title);
SELECT title FROM orla.content_library WHERE test.shown(title) AND user_id = orla.require_tenant();
-- wherever in a statement
SELECT count(*) FROM orla.users WHERE EXISTS (SELECT FROM orla.content_library WHERE test.shown(title));
WITH w AS MATERIALIZED (SELECT title FROM orla.content_library WHERE test.shown(title)) SELECT * FROM w;
SELECT title FROM orla.content_library WHERE test.shown(title) UNION ALL SELECT name FROM orla.users WHERE test.shown(name);
SELECT title FROM orla_api.search_content('s') WHERE test.shown(title);
SELECT title FROM orla.content_library TABLESAMPLE SYSTEM (100) WHERE test.shown(title);
SELECT title FROM orla.content_library WHERE ctid = ANY (ARRAY['(0,1)', '(0,2)']::tid[]) AND test.shown(title);
SELECT title FROM orla.content_library WHERE ctid < '(1,0)' AND test.shown(title);
UPDATE orla.content_library SET title = title WHERE test.shown(title);
DELETE FROM orla.content_library WHERE test.shown(title);
ROLLBACK;

-- tables that have their fence from orla.protect(), by way of the whole
BEGIN;
SELECT orla.authenticate(:'ada_token');
SELECT body FROM test.note WHERE test.shown(body);
SELECT body FROM test.note WHERE test.shown(body) AND user_id = :ada;
SELECT body FROM test.parent WHERE test.shown(body);
SELECT body FROM test.parent WHERE test.shown(body) AND user_id = :ada;
UPDATE test.note SET body = body WHERE test.shown(body);
-- by an index that has rows of all
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = on;
EXPLAIN SELECT large FROM test.indexed WHERE body > 'a' AND test.shown(body);
SELECT large FROM test.indexed WHERE body > 'a' AND test.shown(body);
SET LOCAL enable_indexonlyscan = on;
EXPLAIN SELECT body FROM test.indexed WHERE body > 'a' AND test.shown(body);
SELECT body FROM test.indexed WHERE body > 'a' AND test.shown(body) AND "the ""tenant" = :ada;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_bitmapscan = on;
SELECT large FROM test.indexed WHERE body > 'a' AND test.shown(body);
ROLLBACK;

-- an analyst
SET SESSION AUTHORIZATION regress_orla_analyst;
EXPLAIN SELECT title FROM orla.content_library WHERE title >= 'b' AND content >= '';
SELECT title FROM orla.content_library WHERE test.shown(title);
SELECT body FROM test.note WHERE test.shown(body);

-- What is not leak-proof stays behind, whatever it brings along.
SET SESSION AUTHORIZATION regress_orla_tenant;
BEGIN;
SELECT orla.authenticate(:'ada_token');
EXPLAIN SELECT title FROM orla.content_library
 WHERE user_id = :ada AND title = 'x' AND num_nulls(title, orla.current_tenant()) = 0 AND id = gen_random_uuid();
ROLLBACK;
RESET SESSION AUTHORIZATION;

\i test/fixtures/signed_in_end.sql
\c :previous
DROP DATABASE orla_order;
