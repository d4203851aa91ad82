--
-- Conditions that several policies have in common are checked once, all others
-- as if nothing had been spared.
--
\i test/fixtures/tenants.sql
LOAD 'orla';
CREATE SCHEMA notes;
GRANT USAGE ON SCHEMA notes TO orla_user;
CREATE TABLE notes.note (user_id uuid NOT NULL, body text);
SELECT orla.protect('notes.note');
GRANT SELECT, INSERT, UPDATE ON notes.note TO orla_user;
-- Says when it is asked; two policies ask the same of it.
CREATE FUNCTION notes.stable(body text) RETURNS boolean LANGUAGE plpgsql STABLE
    AS $$ BEGIN RAISE NOTICE 'stable: %', body; RETURN body <> 'bad'; END $$;
CREATE FUNCTION notes.volatile(body text) RETURNS boolean LANGUAGE plpgsql VOLATILE
    AS $$ BEGIN RAISE NOTICE 'volatile: %', body; RETURN body <> 'bad'; END $$;
CREATE POLICY one ON notes.note AS RESTRICTIVE FOR INSERT TO orla_user WITH CHECK (notes.stable(body));
CREATE POLICY two ON notes.note AS RESTRICTIVE FOR INSERT TO orla_user WITH CHECK (notes.stable(body));

SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
INSERT INTO notes.note VALUES (:ada, 'good');
WITH made AS (INSERT INTO notes.note VALUES (:ada, 'good too') RETURNING body) SELECT body FROM made;
\set ON_ERROR_ROLLBACK on
INSERT INTO notes.note VALUES (:ada, 'bad');
WITH made AS (INSERT INTO notes.note VALUES (:ada, 'bad') RETURNING body) SELECT body FROM made;
-- The fence itself is still there, for what is written and what it becomes.
INSERT INTO notes.note VALUES (:ben, 'good');
WITH made AS (INSERT INTO notes.note VALUES (:ben, 'good') RETURNING body) SELECT body FROM made;
UPDATE notes.note SET user_id = :ben;
WITH given AS (UPDATE notes.note SET user_id = :ben RETURNING body) SELECT body FROM given;
MERGE INTO notes.note AS n USING (VALUES ('good')) AS v (body) ON n.body = v.body
 WHEN MATCHED THEN UPDATE SET user_id = :ben;
\set ON_ERROR_ROLLBACK off
ROLLBACK;
RESET ROLE;
RESET SESSION AUTHORIZATION;

-- A policy that differs is asked, and one with a volatile function each time.
DROP POLICY two ON notes.note;
CREATE POLICY two ON notes.note AS RESTRICTIVE FOR INSERT TO orla_user WITH CHECK (notes.stable(upper(body)));
CREATE POLICY three ON notes.note AS RESTRICTIVE FOR INSERT TO orla_user WITH CHECK (notes.volatile(body));
CREATE POLICY four ON notes.note AS RESTRICTIVE FOR INSERT TO orla_user WITH CHECK (notes.volatile(body));
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
INSERT INTO notes.note VALUES (:ada, 'good');
ROLLBACK;
RESET ROLE;
RESET SESSION AUTHORIZATION;

SET client_min_messages = warning;
DROP SCHEMA notes CASCADE;
RESET client_min_messages;
\i test/fixtures/tenants_drop.sql
