--
-- orla.protect(): the fence around any table.
--
\i test/fixtures/tenants.sql
SET client_min_messages = warning;
CREATE SCHEMA regress_orla_app;
SET search_path = regress_orla_app;
CREATE TABLE notes (id int PRIMARY KEY, user_id uuid NOT NULL DEFAULT orla.current_tenant(), body text);
INSERT INTO notes VALUES (1, :ada, 'Ada''s'), (2, :ben, 'Ben''s');
GRANT USAGE ON SCHEMA regress_orla_app TO orla_user, orla_analyst;
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO orla_user;
GRANT SELECT ON notes TO orla_analyst;

-- Before: everybody reads all.
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
SELECT body FROM notes ORDER BY id;
RESET SESSION AUTHORIZATION;

SELECT orla.protect('notes');
SELECT orla.protect('notes');	-- again is no error
SELECT policy, permissive, command, roles, using_expression, check_expression
  FROM orla.policies_of('notes') ORDER BY policy COLLATE "C";

-- After: each tenant their own; an analyst what was granted.
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
SELECT body FROM notes ORDER BY id;
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
SELECT body FROM notes ORDER BY id;
INSERT INTO notes (id, body) VALUES (3, 'Ada''s second') RETURNING user_id;
UPDATE notes SET body = 'x' WHERE id = 2;
INSERT INTO notes VALUES (4, :ben, 'forged');
ROLLBACK;
SET SESSION AUTHORIZATION regress_orla_analyst;
SELECT body FROM notes ORDER BY id;
RESET SESSION AUTHORIZATION;
SELECT orla.grant_tenant('regress_orla_analyst', :ben);
SET SESSION AUTHORIZATION regress_orla_analyst;
SELECT body FROM notes ORDER BY id;
RESET SESSION AUTHORIZATION;

-- A fence that was changed is repaired (way 27).
ALTER POLICY notes_tenant_only ON notes USING (true);
ALTER TABLE notes NO FORCE ROW LEVEL SECURITY;
DROP POLICY notes_analyst ON notes;
SELECT orla.protect('notes');
SELECT count(*), bool_and(using_expression LIKE '%orla.%') FROM orla.policies_of('notes');
SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'notes'::regclass;

-- Its owner may run it, who is nobody special but an operator.
CREATE ROLE regress_orla_owner IN ROLE orla_admin;
GRANT CREATE, USAGE ON SCHEMA regress_orla_app TO regress_orla_owner;
SET ROLE regress_orla_owner;
CREATE TABLE letters (id int, writer uuid NOT NULL);
SELECT orla.protect('letters', 'writer');
SELECT orla.unprotect('notes');	-- not hers
SELECT orla.protect('notes');	-- nothing to do
RESET ROLE;
SET ROLE orla_user;
SELECT orla.protect('letters');
RESET ROLE;
SELECT using_expression FROM orla.policies_of('letters') WHERE policy = 'letters_tenant';

-- Partitions and children have a fence of their own (way 34).
CREATE TABLE events (id int, user_id uuid NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (2) PARTITION BY LIST (id);
CREATE TABLE events_1_1 PARTITION OF events_1 FOR VALUES IN (1);
SELECT orla.protect('events');
SELECT relname, relrowsecurity, relforcerowsecurity, (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) AS policies
  FROM pg_class c WHERE relname LIKE 'events%' ORDER BY relname COLLATE "C";
SELECT orla.protect('events_1_1');
SELECT orla.unprotect('events');
SELECT count(*) FROM pg_policy WHERE polrelid IN ('events'::regclass, 'events_1'::regclass, 'events_1_1'::regclass);

-- Names at the limit of what a name may be.
CREATE TABLE a123456789b123456789c123456789d123456789e123456789f123456789123 (user_id uuid NOT NULL);
SELECT orla.protect('a123456789b123456789c123456789d123456789e123456789f123456789123');
SELECT policy FROM orla.policies_of('a123456789b123456789c123456789d123456789e123456789f123456789123') ORDER BY policy COLLATE "C";
CREATE TABLE "We'ird ""one""" ("user id" uuid NOT NULL);
SELECT orla.protect('"We''ird ""one"""', 'user id');
SELECT policy, using_expression FROM orla.policies_of('"We''ird ""one"""') ORDER BY policy COLLATE "C";

-- unprotect leaves other people's policies, and row security on with them.
CREATE POLICY regress_other ON notes USING (true);
SELECT orla.unprotect('notes');
SELECT policy FROM orla.policies_of('notes');
SELECT relrowsecurity FROM pg_class WHERE oid = 'notes'::regclass;
DROP POLICY regress_other ON notes;
SELECT orla.protect('notes');
SELECT orla.unprotect('notes');
SELECT orla.unprotect('notes');	-- again is no error
SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'notes'::regclass;

-- What no fence can be put around (way 28).
CREATE VIEW a_view AS SELECT * FROM notes;
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM notes;
CREATE TEMP TABLE a_temp (user_id uuid NOT NULL);
CREATE SEQUENCE a_sequence;
CREATE TABLE nullable (user_id uuid);
CREATE TABLE as_text (user_id text NOT NULL);
SELECT orla.protect('a_view');
SELECT orla.protect('a_matview');
SELECT orla.protect('a_temp');
SELECT orla.protect('a_sequence');
SELECT orla.protect('notes_pkey');
SELECT orla.protect('pg_class');
SELECT orla.protect('information_schema.sql_features');
SELECT orla.protect('orla.users', 'id');
SELECT orla.unprotect('orla.content_library');
SELECT orla.protect('nullable');
SELECT orla.protect('as_text');
SELECT orla.protect('notes', 'writer');
SELECT orla.protect('notes', 'ctid');
SELECT orla.protect('notes', NULL);
SELECT orla.protect(NULL);
SELECT orla.protect('nothing');
SELECT orla.unprotect('a_view');

RESET search_path;
DROP SCHEMA regress_orla_app CASCADE;
DROP ROLE regress_orla_owner;
\i test/fixtures/tenants_drop.sql
