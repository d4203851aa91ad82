--
-- Two-phase commit (way 26): the tenant ends with PREPARE TRANSACTION; what was
-- written is of the tenant that was proven then, whoever commits it.  A server
-- without prepared transactions (two_phase_1.out) refuses.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_two_phase;
\c orla_two_phase
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
\i test/fixtures/signed_in.sql
\set VERBOSITY terse
SET SESSION AUTHORIZATION regress_orla_tenant;
BEGIN;
SELECT orla.authenticate(:'ada_token');
INSERT INTO orla.content_library (title) VALUES ('prepared');
PREPARE TRANSACTION 'regress_orla';
-- nobody, and free to be another
SELECT orla.current_tenant() IS NULL AS nobody, test.seen();
SHOW orla.tenant;
BEGIN;
SELECT orla.authenticate(:'ben_token');
SELECT test.seen();
COMMIT;
BEGIN;
SELECT orla.authenticate(:'ben_token');
-- not inside of a transaction
COMMIT PREPARED 'regress_orla';
ROLLBACK;
COMMIT PREPARED 'regress_orla';
SELECT orla.authenticate(:'ada_token') \; SELECT test.seen();
SELECT orla.authenticate(:'ben_token') \; SELECT test.seen();
-- by SET as by SET LOCAL; and undone
BEGIN;
SET orla.tenant = :'ada_token';
DELETE FROM orla.content_library;
PREPARE TRANSACTION 'regress_orla';
SELECT orla.current_tenant() IS NULL AS nobody, test.seen();
ROLLBACK PREPARED 'regress_orla';
SELECT orla.authenticate(:'ada_token') \; SELECT test.seen();
-- another login's is not to be finished
BEGIN;
SELECT orla.authenticate(:'ada_token');
PREPARE TRANSACTION 'regress_orla';
SET SESSION AUTHORIZATION regress_orla_http;
COMMIT PREPARED 'regress_orla';
RESET SESSION AUTHORIZATION;
ROLLBACK PREPARED 'regress_orla';

\i test/fixtures/signed_in_end.sql
\c :previous
DROP DATABASE orla_two_phase;
