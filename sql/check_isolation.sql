--
-- orla.check_isolation(): each way around the fence is reported, with a remedy
-- that works; orla.harden().
--
\i test/fixtures/tenants.sql
SET client_min_messages = warning;
-- Other logins of the cluster are not this test's business.
CREATE VIEW pg_temp.found AS
    SELECT * FROM orla.check_isolation() WHERE object !~ '^role ' OR object ~ '^role "?regress_orla_';
REVOKE orla_gateway FROM regress_orla_door;

-- After harden() nothing is left on a clean database.
SELECT * FROM orla.harden() h WHERE object !~ '^role ' OR object ~ 'regress';
SELECT * FROM pg_temp.found;
SELECT has_database_privilege('orla_user', current_database(), 'TEMPORARY') AS temp,
       has_function_privilege('orla_user', 'lo_create(oid)', 'EXECUTE') AS large_objects;
-- the identity of the database is made
SELECT count(*) FROM orla.instance;
-- New sessions have the library from their first statement on (preload.sql).
\c -
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE VIEW pg_temp.found AS
    SELECT * FROM orla.check_isolation() WHERE object !~ '^role ' OR object ~ '^role "?regress_orla_';

-- Operators may ask.
SET ROLE regress_orla_operator;
SELECT count(*) FROM orla.check_isolation() WHERE object !~ '^role ';
SET ROLE orla_user;
SELECT count(*) FROM orla.check_isolation();
RESET ROLE;

-- The database.  What harden() mends it mends again (ways 22, 44 and 135).
DO $$
BEGIN
    EXECUTE format('GRANT TEMPORARY, CREATE ON DATABASE %I TO PUBLIC', current_database());
END
$$;
GRANT EXECUTE ON FUNCTION lo_create(oid) TO orla_user;
GRANT EXECUTE ON FUNCTION pg_stat_get_xact_numscans(oid) TO PUBLIC;
GRANT EXECUTE ON FUNCTION pg_stat_get_tuples_updated(oid), pg_current_wal_insert_lsn() TO PUBLIC;
GRANT CREATE ON SCHEMA public TO PUBLIC;
ALTER EVENT TRIGGER orla_guard_drop DISABLE;
SELECT replace(object, current_database(), 'regression') AS object, problem,
       replace(remedy, current_database(), 'regression') AS remedy FROM pg_temp.found;
SELECT object, problem, remedy FROM orla.harden() WHERE object !~ '^role ';
SELECT * FROM pg_temp.found;

-- Roles (ways 3, 4, 64 and 96).
CREATE ROLE regress_orla_exempt BYPASSRLS;
CREATE ROLE regress_orla_middle IN ROLE regress_orla_exempt;
CREATE ROLE regress_orla_maker LOGIN CREATEROLE;
CREATE ROLE "regress_orla_Step Over" LOGIN IN ROLE regress_orla_middle;
GRANT orla_gateway, pg_read_all_stats TO regress_orla_door;
GRANT orla_admin TO regress_orla_analyst;
GRANT orla_service TO regress_orla_operator;
INSERT INTO orla.tenant_grants (analyst, user_id) SELECT 'regress_orla_gone', id FROM orla.users WHERE email = 'ada@example.org';
INSERT INTO orla.tenant_grants (analyst, user_id) SELECT 'regress_orla_door', id FROM orla.users WHERE email = 'ada@example.org';
SELECT * FROM pg_temp.found;
DO $$
DECLARE
    r text;
BEGIN
    FOR r IN SELECT remedy FROM pg_temp.found LOOP
        EXECUTE r;
    END LOOP;
END
$$;
SELECT * FROM pg_temp.found;
-- orla's own roles
ALTER ROLE orla_user LOGIN;
ALTER ROLE orla_analyst CREATEROLE;
GRANT pg_read_all_data TO orla_anon;
SELECT * FROM orla.check_isolation() WHERE object LIKE 'role orla%' ORDER BY object COLLATE "C", problem COLLATE "C";
ALTER ROLE orla_user NOLOGIN;
ALTER ROLE orla_analyst NOCREATEROLE;
REVOKE pg_read_all_data FROM orla_anon;

-- Tables of others (ways 2 and 34).
CREATE SCHEMA regress_orla_app;
CREATE TABLE regress_orla_app.notes (id int, user_id uuid NOT NULL, UNIQUE (user_id, id));
CREATE TABLE regress_orla_app.letters (id int PRIMARY KEY, writer uuid NOT NULL REFERENCES orla.users);
CREATE TABLE regress_orla_app.events (id int, user_id uuid NOT NULL) PARTITION BY LIST (id);
CREATE TABLE regress_orla_app.events_1 PARTITION OF regress_orla_app.events FOR VALUES IN (1);
CREATE TABLE regress_orla_app.harmless (id int, user_id int);
-- a domain over uuid is a tenant's column as well, and was not seen (way 2)
CREATE DOMAIN regress_orla_app.id AS uuid;
CREATE DOMAIN regress_orla_app.tenant AS regress_orla_app.id;
CREATE TABLE regress_orla_app.drafts (user_id regress_orla_app.tenant NOT NULL);
SELECT * FROM pg_temp.found;
DO $$
DECLARE
    r text;
BEGIN
    FOR r IN SELECT remedy FROM pg_temp.found LOOP
        EXECUTE r;
    END LOOP;
END
$$;
SELECT * FROM pg_temp.found;
-- parts that come later
CREATE TABLE regress_orla_app.events_2 PARTITION OF regress_orla_app.events FOR VALUES IN (2);
CREATE TABLE regress_orla_app.letters_of_old (year int) INHERITS (regress_orla_app.letters);
SELECT * FROM pg_temp.found;
SELECT orla.protect('regress_orla_app.events');
SELECT orla.protect('regress_orla_app.letters', 'writer');
SELECT * FROM pg_temp.found;

-- What can go wrong with a fence that is there (ways 27, 35, 39 and 78).
CREATE POLICY wide_open ON regress_orla_app.notes USING (true);
ALTER POLICY notes_tenant ON regress_orla_app.notes USING (true);
DROP POLICY notes_analyst_only ON regress_orla_app.notes;
ALTER TABLE regress_orla_app.letters NO FORCE ROW LEVEL SECURITY;
ALTER TABLE regress_orla_app.events DISABLE ROW LEVEL SECURITY;
GRANT TRUNCATE, TRIGGER ON regress_orla_app.notes TO PUBLIC;
ALTER TABLE regress_orla_app.events OWNER TO regress_orla_door;
CREATE ROLE regress_orla_owner;
CREATE ROLE regress_orla_both LOGIN NOINHERIT IN ROLE regress_orla_owner, orla_analyst;
ALTER TABLE regress_orla_app.letters OWNER TO regress_orla_owner;
ALTER TABLE regress_orla_app.notes ADD letter int REFERENCES regress_orla_app.letters;
CREATE RULE also AS ON INSERT TO regress_orla_app.notes DO ALSO NOTHING;
-- ... and with orla's own
CREATE POLICY wide_open ON orla.content_library FOR SELECT TO orla_user USING (true);
ALTER POLICY users_tenant ON orla.users USING (true);
DROP POLICY competitors_tenant_only ON orla.competitors;
ALTER TABLE orla.sessions NO FORCE ROW LEVEL SECURITY;
GRANT SELECT ON orla.sessions TO orla_user;
GRANT UPDATE (plan) ON orla.users TO orla_user;
GRANT EXECUTE ON FUNCTION orla.grant_tenant(name, uuid) TO PUBLIC;
ALTER VIEW orla_api.my_jobs SET (security_invoker = false);
SELECT * FROM pg_temp.found;
DO $$
DECLARE
    r text;
BEGIN
    FOR r IN SELECT remedy FROM pg_temp.found LOOP
        EXECUTE r;
    END LOOP;
END
$$;
SELECT * FROM pg_temp.found;

-- Triggers that run inside cascades, where the fence is down (ways 32 and 71).
CREATE TABLE regress_orla_app.pages (id int, user_id uuid NOT NULL, note int,
    FOREIGN KEY (user_id, note) REFERENCES regress_orla_app.notes (user_id, id) ON DELETE CASCADE);
SELECT orla.protect('regress_orla_app.pages');
CREATE FUNCTION regress_orla_app.reads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count(*) FROM orla.content_library;
    RETURN OLD;
END
$$;
CREATE FUNCTION regress_orla_app.does_not() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- says "select" in a comment, and in a text
    IF TG_OP = 'UPDATE' AND NEW.note IS DISTINCT FROM OLD.note THEN RAISE NOTICE 'select'; END IF;
    RETURN NEW;
END
$$;
CREATE FUNCTION regress_orla_app.exempt() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER bad BEFORE DELETE ON regress_orla_app.pages FOR EACH ROW EXECUTE FUNCTION regress_orla_app.reads();
CREATE TRIGGER fine BEFORE UPDATE ON regress_orla_app.pages FOR EACH ROW EXECUTE FUNCTION regress_orla_app.does_not();
CREATE TRIGGER fine_too AFTER DELETE ON regress_orla_app.pages FOR EACH ROW EXECUTE FUNCTION regress_orla_app.reads();
CREATE TRIGGER no_cascade BEFORE DELETE ON regress_orla_app.notes FOR EACH ROW EXECUTE FUNCTION regress_orla_app.reads();
CREATE TRIGGER definer AFTER INSERT ON regress_orla_app.notes FOR EACH ROW EXECUTE FUNCTION regress_orla_app.exempt();
SELECT object, replace(problem, current_user, 'superuser') AS problem, remedy FROM pg_temp.found;
DROP TRIGGER bad ON regress_orla_app.pages;
DROP TRIGGER definer ON regress_orla_app.notes;
SELECT * FROM pg_temp.found;

-- Objects that show a table's rows to others (ways 5, 37 and 38).
CREATE VIEW regress_orla_app.plain AS SELECT * FROM regress_orla_app.notes;
CREATE VIEW regress_orla_app.fine WITH (security_invoker = on) AS SELECT * FROM orla.content_library;
CREATE VIEW regress_orla_app.barrier WITH (security_barrier = true) AS SELECT * FROM orla.users;
CREATE MATERIALIZED VIEW regress_orla_app.copy AS SELECT * FROM regress_orla_app.fine;
CREATE VIEW orla_api.extra AS SELECT 1 AS one;
CREATE FUNCTION regress_orla_app.all_notes() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM regress_orla_app.notes';
-- an operator's, which sees all accounts without being exempt (way 5)
CREATE FUNCTION regress_orla_app.all_people() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM orla.users';
ALTER FUNCTION regress_orla_app.all_people() OWNER TO regress_orla_operator;
SELECT * FROM pg_temp.found;	-- nobody may call the function yet
GRANT USAGE ON SCHEMA regress_orla_app TO orla_user, orla_analyst;
DROP VIEW regress_orla_app.plain, regress_orla_app.barrier, orla_api.extra;
DROP MATERIALIZED VIEW regress_orla_app.copy;
SELECT object, replace(problem, current_user, 'superuser') AS problem, remedy FROM pg_temp.found;
ALTER FUNCTION regress_orla_app.all_notes() OWNER TO orla_service;
REVOKE EXECUTE ON FUNCTION regress_orla_app.all_people() FROM PUBLIC;
SELECT * FROM pg_temp.found;

-- Ways out of the database, and the statements of others (ways 38 and 51).
CREATE SCHEMA regress_orla_ext;
CREATE EXTENSION dblink SCHEMA regress_orla_ext;
CREATE EXTENSION pg_stat_statements SCHEMA regress_orla_ext VERSION '1.10';
CREATE EXTENSION postgres_fdw SCHEMA regress_orla_ext;
CREATE SERVER regress_orla_server FOREIGN DATA WRAPPER postgres_fdw;
GRANT USAGE ON FOREIGN SERVER regress_orla_server TO orla_analyst;
CREATE FOREIGN TABLE regress_orla_ext.elsewhere (id int) SERVER regress_orla_server;
GRANT SELECT ON regress_orla_ext.elsewhere TO orla_user;
SELECT * FROM pg_temp.found;
SELECT object FROM orla.harden() WHERE object !~ '^role ';
DROP SERVER regress_orla_server CASCADE;
DROP EXTENSION dblink, pg_stat_statements, postgres_fdw;
SELECT * FROM pg_temp.found;

DROP VIEW pg_temp.found;
DROP SCHEMA regress_orla_app, regress_orla_ext CASCADE;
DELETE FROM orla.tenant_grants WHERE analyst LIKE 'regress%';
DROP ROLE regress_orla_both, regress_orla_owner, regress_orla_exempt, regress_orla_middle, regress_orla_maker, "regress_orla_Step Over";
\i test/fixtures/tenants_drop.sql
