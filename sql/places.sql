--
-- The library remembers where its tables are: what happens to them in the
-- same session, and in another, counts at once.
--
CREATE DATABASE orla_places;
\c orla_places
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
\i test/fixtures/signed_in.sql
SET client_min_messages = warning;
-- Does Ada's token still prove her?
CREATE FUNCTION public.proves(token text) RETURNS text LANGUAGE plpgsql
    AS $$
DECLARE
    detail text;
BEGIN
    PERFORM set_config('orla.tenant', token, true);
    RETURN current_setting('orla.tenant');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN sqlstate || ' ' || sqlerrm || ': ' || detail;
END $$;
SELECT public.proves(:'ada_token');

-- Columns move, a key's index is made anew, a table comes back elsewhere.
SET orla.allow_drop = on;
ALTER TABLE orla.sessions ADD COLUMN more text, ALTER COLUMN user_agent TYPE varchar(5000);
SELECT public.proves(:'ada_token');
ALTER TABLE orla.sessions DROP COLUMN more;
VACUUM FULL orla.sessions, orla.users, orla.instance;
REINDEX TABLE orla.users;
SELECT public.proves(:'ada_token');
BEGIN;
ALTER SCHEMA orla RENAME TO elsewhere;
SELECT public.proves(:'ada_token');
ROLLBACK;
SELECT public.proves(:'ada_token');
BEGIN;
ALTER TABLE orla.users RENAME TO persons;
SELECT public.proves(:'ada_token');
ROLLBACK;
BEGIN;
ALTER TABLE orla.sessions RENAME COLUMN generation TO number;
SELECT public.proves(:'ada_token');
ROLLBACK;
SELECT public.proves(:'ada_token');

-- Without the extension nobody is proven; installed again, it is another one.
DROP EXTENSION orla;
SELECT public.proves(:'ada_token');
CREATE EXTENSION orla;
SELECT public.proves(:'ada_token');
SELECT orla.ensure_instance() IS NOT NULL AS made;
SELECT public.proves(:'ada_token');
INSERT INTO orla.users (id, name, email, password_hash, email_verified)
VALUES (:ada, 'Ada', 'ada@example.org', '$argon2id$test', true);
INSERT INTO orla.sessions (user_id, id, expires_at) VALUES (:ada, :ada_session, now() + interval '1 day');
SELECT public.proves(test.token(:ada, :ada_session));

-- What another session does.
\setenv PGOPTIONS '-c client_min_messages=warning'
\! psql -qX -d orla_places -c 'SET orla.allow_drop = on; DROP EXTENSION orla' -c 'CREATE EXTENSION orla'
SELECT public.proves(:'ada_token');
SELECT orla.ensure_instance() IS NOT NULL AS made;
INSERT INTO orla.users (id, name, email, password_hash, email_verified)
VALUES (:ada, 'Ada', 'ada@example.org', '$argon2id$test', true);
INSERT INTO orla.sessions (user_id, id, expires_at) VALUES (:ada, :ada_session, now() + interval '1 day');
SELECT public.proves(test.token(:ada, :ada_session));

-- In a database of somebody else's, where the library is loaded as everywhere,
-- tables that are called like ours are not ours, whatever they look like.  What
-- lay in their columns was taken for uuids, and the server crashed (way 134).
CREATE DATABASE orla_strangers OWNER regress_orla_stranger;
\c orla_strangers
LOAD 'orla';
SET SESSION AUTHORIZATION regress_orla_stranger;
CREATE SCHEMA orla;
CREATE TABLE orla.instance (singleton boolean PRIMARY KEY, id int, keyring_id int);
INSERT INTO orla.instance VALUES (true, 5, 6);
SET orla.tenant = 'a token';
SELECT set_config('orla.tenant', 'a token', true);
CREATE VIEW orla.users AS SELECT true AS id;
CREATE TABLE orla.note AS SELECT 1 AS id;
DROP TABLE orla.note;
DROP SCHEMA orla CASCADE;
RESET SESSION AUTHORIZATION;
\c orla_places
DROP DATABASE orla_strangers;

\i test/fixtures/signed_in_end.sql
\c contrib_regression
DROP DATABASE orla_places;
