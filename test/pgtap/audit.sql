-- The audit trail: it tells who did what, holds no secret, outlives an account
-- without naming it, and shows every kind of tampering and no other change.
--
-- Tampering is done by a superuser with plain SQL, which is what the digests are
-- against; each attempt is rolled back.  Columns are read from the catalogue, so
-- that one that is added later is tampered with as well.
-- Ways 94, 95, 110, 111, 112 and 113 of docs/security.md.
\set QUIET on
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
\pset pager off
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
DROP DATABASE IF EXISTS orla_audit;
CREATE DATABASE orla_audit;
COPY (SELECT) TO PROGRAM 'cat; rm -f orla_audit_test.keyring';
ALTER DATABASE orla_audit SET orla.keyring_file = 'orla_audit_test.keyring';
-- hashing is not what is tried here
ALTER DATABASE orla_audit SET orla.password_memory = 7168;
ALTER DATABASE orla_audit SET orla.client_address_header = 'x-real-ip';
\c orla_audit
SET client_min_messages = warning;
CREATE EXTENSION pgtap;
CREATE EXTENSION orla CASCADE;
SELECT * FROM no_plan();

SELECT format('DROP OWNED BY %I; DROP ROLE %1$I', rolname) FROM pg_roles WHERE rolname IN ('audit_http', 'audit_operator', 'audit_analyst') \gexec
CREATE ROLE audit_http LOGIN NOINHERIT;
SELECT orla.allow_http_login('audit_http') IS NULL AS ignored \gset
CREATE ROLE audit_operator LOGIN;
GRANT orla_admin TO audit_operator;
CREATE ROLE audit_analyst LOGIN;
GRANT orla_analyst TO audit_analyst;

-- ---------------------------------------------------------------------------
-- Before anything has happened
-- ---------------------------------------------------------------------------
SELECT is_empty('SELECT * FROM orla.audit_verify()', 'an empty trail is whole');
SELECT is(orla.audit_seal(), NULL, 'there is nothing to seal');
SELECT is(orla.audit_prune('infinity'), 0::bigint, 'nothing to prune');
SELECT is(orla.audit_adopt(), 0::bigint, 'nothing to adopt');
SELECT is_empty('SELECT * FROM orla.audit_head()', 'and no head to keep');
SELECT results_eq('SELECT object, problem FROM orla.audit_verify(1, ''00'')', $$VALUES ('batch 1', 'was cut off')$$,
                  'unless one was kept: the whole trail was cut off');

INSERT INTO orla.audit_log (event_type) VALUES ('imported');
SELECT results_eq('SELECT problem FROM orla.audit_verify()', ARRAY['has no digest: it was inserted by hand, or imported and not adopted'], 'rows imported before first use are told of');
SELECT is(orla.audit_seal(), NULL, 'and not sealed');
DELETE FROM orla.audit_log;

-- ---------------------------------------------------------------------------
-- Who did what, and no secret
-- ---------------------------------------------------------------------------
CREATE TABLE test_secrets (what text, secret text);
CREATE FUNCTION secret(what text, secret text) RETURNS text LANGUAGE sql AS $$ INSERT INTO test_secrets VALUES (what, secret) RETURNING secret $$;
-- the token of the mail that waits for somebody
CREATE FUNCTION mailed(address text) RETURNS text LANGUAGE sql
    AS $$ SELECT substring(orla.render_mail(o.id) FROM 'token=(\S+)') FROM orla.outbox o WHERE to_address = address ORDER BY created_at DESC LIMIT 1 $$;

SELECT set_config('request.headers', '{"x-real-ip": "192.0.2.77", "user-agent": "canary browser"}', false) IS NULL AS ignored,
       orla_api.register('Ada Canary', 'ada@example.org', secret('password', 'Adas canary password')) IS NULL AS ignored,
       orla_api.register('Ben Canary', 'ben@example.org', secret('password', 'Bens canary password')) IS NULL AS ignored \gset
SELECT secret('token of a mail', mailed('ada@example.org')) AS ada_mail, secret('token of a mail', mailed('ben@example.org')) AS ben_mail \gset
SELECT orla_api.verify_email(:'ada_mail', 'Adas canary password') AS ada,
       orla_api.verify_email(:'ben_mail', 'Bens canary password') AS ben \gset
SELECT (:'ada'::jsonb) #>> '{user,id}' AS ada_id, (:'ben'::jsonb) #>> '{user,id}' AS ben_id \gset
SELECT orla_api.login('ada@example.org', 'Adas canary password') AS ada_again,
       current_setting('response.headers') AS cookie \gset
SELECT orla_api.refresh(secret('refresh token', (:'ada'::jsonb) ->> 'refresh_token')) AS ada \gset
SELECT orla_api.refresh(secret('refresh token', (:'ben'::jsonb) ->> 'refresh_token')) AS ben \gset
SELECT secret('access token', (:'ada'::jsonb) ->> 'access_token') AS ada_token,
       secret('access token', (:'ben'::jsonb) ->> 'access_token') AS ben_token,
       secret('refresh token', (:'ada_again'::jsonb) ->> 'refresh_token') AS ada_refresh \gset
SELECT count(secret('device cookie', c)) AS ignored FROM substring(:'cookie' FROM 'orla_device=([^;"]+)') AS c \gset
-- from a known device, so that the cookie is at hand where rows are written
SELECT set_config('request.cookies', jsonb_build_object('orla_device', secret)::text, false) IS NULL AS ignored
  FROM test_secrets WHERE what = 'device cookie' \gset
SELECT orla_api.forgot_password('ben@example.org') IS NULL AS ignored \gset
SELECT secret('token of a mail', mailed('ben@example.org')) AS reset \gset
SELECT throws_ok($$SELECT orla_api.verify_email('$$ || :'ada_mail' || $$', secret('password', 'Evas canary password'))$$, 'PT401', NULL, 'a link is refused');
SELECT throws_ok(format($$SELECT orla_api.reset_password(%L, secret('password', 'Bens second canary'))$$, :'reset' || 'x'), 'PT401', NULL, 'another too');
SELECT orla_api.reset_password(:'reset', secret('password', 'Bens third canary')) IS NULL AS ignored \gset
SELECT orla_api.login('ben@example.org', 'Bens third canary') AS ben \gset
SELECT secret('access token', (:'ben'::jsonb) ->> 'access_token') AS ben_token \gset

BEGIN;
SELECT throws_ok($$SELECT orla_api.login('ada@example.org', 'Evas canary password')$$, 'PT401', 'sign-in refused', 'a wrong password');
ROLLBACK;
SELECT is((SELECT count(*) FROM orla.audit_log WHERE event_type = 'login' AND event_status = 'failure' AND user_id = :'ada_id'), 1::bigint,
          'is remembered, whatever becomes of the transaction');

SET SESSION AUTHORIZATION audit_http;
SET ROLE orla_user;
BEGIN;
SELECT orla.authenticate(:'ada_token') IS NULL AS ignored \gset
SELECT set_config('request.jwt.claims', jsonb_build_object('sub', :'ben_id', 'role', 'orla_admin')::text, true) IS NULL AS ignored,
       set_config('request.headers', '{"x-real-ip": "192.0.2.78"}', true) IS NULL AS ignored \gset
SELECT orla_api.logout_everywhere() IS NULL AS ignored \gset
ROLLBACK;
RESET SESSION AUTHORIZATION;
SELECT results_eq($$SELECT user_id FROM orla.audit_log WHERE event_type = 'logout_everywhere'$$, ARRAY[:'ada_id'::uuid],
                  'the actor is who was proven, whatever claims and headers say');
SELECT orla_api.login('ada@example.org', 'Adas canary password') AS ada \gset
SELECT secret('access token', (:'ada'::jsonb) ->> 'access_token') AS ada_token \gset

SET SESSION AUTHORIZATION audit_operator;
SELECT count(*) AS ignored FROM orla.rotate_keys() \gset
SELECT orla.render_mail(id) IS NULL AS ignored FROM orla.outbox LIMIT 1 \gset
SELECT orla.grant_tenant('audit_analyst', :'ada_id') IS NULL AS ignored, orla.grant_tenant('audit_analyst', :'ada_id') IS NULL AS ignored \gset
SELECT orla.revoke_tenant('audit_analyst', :'ada_id') IS NULL AS ignored, orla.revoke_tenant('audit_analyst', :'ada_id') IS NULL AS ignored \gset
RESET SESSION AUTHORIZATION;
SELECT results_eq($$SELECT event_type, metadata FROM orla.audit_log WHERE event_type ~ '_tenant$' ORDER BY created_at$$,
                  $$VALUES ('grant_tenant', '{"by": "audit_operator", "analyst": "audit_analyst"}'::jsonb), ('revoke_tenant', '{"by": "audit_operator", "analyst": "audit_analyst"}')$$,
                  'grants to analysts are recorded, once each');
SELECT is((SELECT string_agg(DISTINCT event_type, ', ') FROM orla.audit_log WHERE metadata ->> 'by' = 'audit_operator'),
          'grant_tenant, render_mail, revoke_tenant, rotate_keys', 'what an operator does names the login, not the owner of the function');

SET SESSION AUTHORIZATION audit_http;
SET ROLE orla_user;
BEGIN;
SELECT orla.authenticate(:'ada_token') IS NULL AS ignored \gset
SELECT orla_api.my_sessions() IS NULL AS ignored \gset
SELECT json_agg(id) AS seen FROM orla_api.my_audit_log \gset
COMMIT;
SELECT count(*) AS unproven FROM orla_api.my_audit_log \gset
RESET SESSION AUTHORIZATION;
SELECT results_eq(format('SELECT value::uuid FROM json_array_elements_text(%L) ORDER BY 1', :'seen'),
                  format('SELECT id FROM orla.audit_log WHERE user_id = %L ORDER BY 1', :'ada_id'), 'my_audit_log shows all of one''s own rows, and no other');
SELECT is(:'unproven'::text, '0', 'and none to nobody');

CREATE VIEW everything AS
    SELECT a::text || ' ' || coalesce(orla.unseal(sealed_personal, user_id, 'audit_log|' || id), '') AS text FROM orla.audit_log AS a WHERE user_id IS NOT NULL
    UNION ALL SELECT a::text FROM orla.audit_log AS a WHERE user_id IS NULL;
SELECT ok(count(*) FILTER (WHERE text LIKE '%192.0.2.77%') > 5 AND count(*) FILTER (WHERE text LIKE '%canary browser%') > 5,
          'address and browser are there, sealed') FROM everything;
SELECT is((SELECT count(*) FROM orla.audit_log AS a WHERE a::text ~* '192.0.2.7|canary|@example'), 0::bigint, 'and not in clear');
SELECT is(string_agg(DISTINCT what, ', '), NULL, 'no secret is in the trail, sealed or not')
  FROM everything, test_secrets, LATERAL regexp_split_to_table(secret, '[.]') AS part
 WHERE secret IS NULL OR length(part) > 16 AND part !~ '^[0-9a-f-]{36}$' AND strpos(text, part) > 0;
SELECT cmp_ok((SELECT count(*) FROM test_secrets WHERE length(secret) > 15), '>=', 10::bigint, 'and there were some to be found');

-- ---------------------------------------------------------------------------
-- Append-only
-- ---------------------------------------------------------------------------
SELECT is(string_agg(format('%s %s %s', r.rolname, p, t), ', '), NULL, 'nobody but a superuser changes, deletes or empties')
  FROM pg_roles r, unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p,
       unnest(ARRAY['orla.audit_log', 'orla.audit_batches', 'orla.audit_batch_rows']) AS t
 WHERE NOT r.rolsuper AND r.rolname !~ '^pg_' AND has_table_privilege(r.oid, t, p);
SELECT is(string_agg(format('%s %s %s', r.rolname, t, a.attname), ', '), 'orla_service orla.audit_log user_id', 'but the column that an account''s deletion empties')
  FROM pg_roles r, unnest(ARRAY['orla.audit_log', 'orla.audit_batches', 'orla.audit_batch_rows']::regclass[]) AS t
  JOIN pg_attribute a ON a.attrelid = t AND a.attnum > 0
 WHERE NOT r.rolsuper AND r.rolname !~ '^pg_' AND has_column_privilege(r.oid, t, a.attnum, 'UPDATE');
SELECT is(string_agg(DISTINCT r.rolname::text, ', '), 'orla_service', 'only orla''s own functions add')
  FROM pg_roles r, unnest(ARRAY['orla.audit_log', 'orla.audit_batches', 'orla.audit_batch_rows']) AS t
 WHERE NOT r.rolsuper AND r.rolname !~ '^pg_' AND has_any_column_privilege(r.oid, t, 'INSERT');
SELECT is(string_agg(format('%s %s', r.rolname, p.oid::regprocedure), ', '), NULL, 'nobody else makes a row, a digest or a batch''s text, prunes or adopts')
  FROM pg_roles r, pg_proc p
 WHERE p.pronamespace = 'orla'::regnamespace AND p.proname ~ '^(audit|keyed_digest)'
   AND p.proname NOT IN ('audit_seal', 'audit_head', 'audit_verify')
   AND NOT r.rolsuper AND r.rolname !~ '^pg_' AND r.rolname <> 'orla_service' AND has_function_privilege(r.oid, p.oid, 'EXECUTE');
SELECT is(string_agg(format('%s %s', r.rolname, p.oid::regprocedure), ', '), NULL, 'orla''s own functions neither prune nor adopt')
  FROM pg_roles r, pg_proc p
 WHERE p.pronamespace = 'orla'::regnamespace AND p.proname IN ('audit_prune', 'audit_adopt')
   AND r.rolname = 'orla_service' AND has_function_privilege(r.oid, p.oid, 'EXECUTE');
SET ROLE audit_operator;
SELECT throws_ok('DELETE FROM orla.audit_log', '42501', NULL, 'an operator deletes nothing');
SELECT throws_ok($$SELECT orla.audit_prune('infinity')$$, '42501', NULL, 'and prunes nothing, since it might be what tells of her');
SELECT isnt(orla.audit_seal(), NULL, 'she seals');
SELECT isnt((SELECT digest FROM orla.audit_head()), NULL, 'takes a head');
SELECT is_empty('SELECT * FROM orla.audit_verify()', 'and verifies');
RESET ROLE;

-- ---------------------------------------------------------------------------
-- No false alarm
-- ---------------------------------------------------------------------------
-- settings of the session that writes, seals or verifies
CREATE PROCEDURE oddly() LANGUAGE sql AS $$
    SELECT set_config(name, value, false)
      FROM (VALUES ('timezone', 'Pacific/Chatham'), ('datestyle', 'German, DMY'), ('intervalstyle', 'sql_standard'),
                   ('extra_float_digits', '-15'), ('bytea_output', 'escape'), ('quote_all_identifiers', 'on'),
                   ('xmlbinary', 'hex'), ('standard_conforming_strings', 'off'), ('escape_string_warning', 'off'),
                   ('lc_numeric', 'C'), ('array_nulls', 'off'), ('search_path', 'pg_temp, public'), ('enable_hashagg', 'off'),
                   ('enable_hashjoin', 'off'), ('enable_sort', 'off'), ('work_mem', '64kB'), ('jit', 'off')) AS v (name, value)
$$;
SELECT orla.audit('plain', 'success', :'ada_id', '{"n": 0.1, "s": "ä"}', '{"ip": "192.0.2.9"}', 'it''s \ "so"') IS NULL AS ignored \gset
CALL oddly();
SELECT orla.audit('odd', 'success', :'ben_id', jsonb_build_object('f', 0.1::float8, 't', now(), 'i', interval '1 day'), '{"ip": "192.0.2.9"}') IS NULL AS ignored \gset
SELECT orla.audit_seal() IS NULL AS ignored \gset
SELECT orla.audit('odd', 'failure', NULL) IS NULL AS ignored \gset
SELECT is_empty('SELECT * FROM orla.audit_verify()', 'settings of a session change no digest');
SELECT seq AS kept_seq, digest AS kept_digest FROM orla.audit_head() \gset
RESET ALL;
SET client_min_messages = warning;
SELECT is_empty('SELECT * FROM orla.audit_verify()', 'seen with other settings, too');
SELECT is_empty(format('SELECT * FROM orla.audit_verify(%s, %L)', :kept_seq, :'kept_digest'), 'and the head is as it was kept');
SELECT is_empty(format('SELECT * FROM orla.audit_verify(%s, %L)', :kept_seq, upper(:'kept_digest')), 'in upper case, too');
SELECT orla.audit('rotated', 'success', :'ada_id') IS NULL AS ignored, (SELECT count(*) FROM orla.rotate_keys()) AS ignored,
       orla.audit('rotated', 'success', :'ada_id') IS NULL AS ignored \gset
SELECT orla.audit_seal() IS NULL AS ignored \gset
SELECT cmp_ok((SELECT count(DISTINCT mac_key_id) FROM orla.audit_log), '>=', 2::bigint, 'rows under several keys');
SELECT is_empty('SELECT * FROM orla.audit_verify()', 'rotation of keys is no change');
SELECT orla.new_instance() IS NULL AS ignored \gset
SELECT is_empty('SELECT * FROM orla.audit_verify()', 'nor is another instance id');

-- a deleted account
SELECT orla_api.login('ben@example.org', 'Bens third canary') AS ben \gset
SELECT (:'ben'::jsonb) ->> 'access_token' AS ben_token \gset
CREATE TABLE of_ben AS SELECT * FROM orla.audit_log WHERE user_id = :'ben_id';
SELECT lives_ok($$SELECT orla.unseal(sealed_personal, user_id, 'audit_log|' || id) FROM of_ben WHERE sealed_personal IS NOT NULL$$, 'while there is an account, its personal fields open');
SET SESSION AUTHORIZATION audit_http;
SET ROLE orla_user;
BEGIN;
SELECT orla.authenticate(:'ben_token') IS NULL AS ignored \gset
SELECT orla_api.delete_account('Bens third canary') IS NULL AS ignored \gset
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM orla.users WHERE id = :'ben_id'), 0::bigint, 'Ben deletes his account');
SELECT is_empty('SELECT * FROM orla.audit_verify()', 'which leaves the chain whole');
SELECT results_eq('SELECT id, event_type, sealed_personal, mac FROM orla.audit_log WHERE id IN (SELECT id FROM of_ben) ORDER BY id',
                  'SELECT id, event_type, sealed_personal, mac FROM of_ben ORDER BY id', 'and his rows');
SELECT ok(count(*) > 5, 'of which there were some') FROM of_ben;
SELECT throws_ok(format($$SELECT orla.unseal(sealed_personal, %L, 'audit_log|' || id) FROM of_ben WHERE sealed_personal IS NOT NULL$$, :'ben_id'),
                 'P0002', NULL, 'but his personal fields open for nobody any more');
SELECT is((SELECT count(*) FROM orla.audit_log AS a WHERE a::text ~* format('%s|canary|ben@|192\.0\.2\.7', :'ben_id')), 0::bigint, 'no row names him');
SELECT results_eq($$SELECT user_id, metadata, subject_digest, sealed_personal FROM orla.audit_log WHERE event_type = 'delete_account' AND event_status = 'success'$$,
                  $$VALUES (NULL::uuid, '{}'::jsonb, NULL::bytea, NULL::bytea)$$, 'the deletion is recorded, and names nobody');

-- imported rows
SELECT is(orla.audit_seal() IS NULL, false, 'sealed before an import');
INSERT INTO orla.audit_log (user_id, event_type, ip_address, user_agent, metadata, created_at)
VALUES (:'ada_id', 'imported', '192.0.2.99', 'old canary browser', '{}', '2020-01-01'), (NULL, 'imported', '192.0.2.98', 'x', '{}', '2020-01-02');
SELECT results_eq('SELECT problem FROM orla.audit_verify()', ARRAY['has no digest: it was inserted by hand, or imported and not adopted'], 'imported rows are told of');
SELECT is(orla.audit_seal(), NULL, 'and not sealed');
SELECT is(orla.audit_adopt(), 2::bigint, 'until they are adopted');
SELECT is_empty('SELECT * FROM orla.audit_verify()', 'then all is well');
SELECT is((SELECT metadata - 'by' FROM orla.audit_log WHERE event_type = 'audit_adopt'), '{"rows": 2}', 'which leaves a row');
SELECT is((SELECT ip_address IS NULL AND user_agent IS NULL
                  AND orla.unseal(sealed_personal, user_id, 'audit_log|' || id)::jsonb = '{"ip": "192.0.2.99", "user_agent": "old canary browser"}'
             FROM orla.audit_log WHERE event_type = 'imported' AND user_id IS NOT NULL), true, 'and seals what names a person');
SELECT is(orla.audit_adopt(), 0::bigint, 'again there is nothing');
SELECT is((SELECT count(*) FROM orla.audit_log AS a WHERE NOT EXISTS (SELECT FROM orla.audit_batch_rows r WHERE r.audit_id = a.id)), 0::bigint, 'all of it is in batches');
-- an imported account gets its key with the first thing that is sealed for it
INSERT INTO orla.users (id, name, email, password_hash) VALUES ('cccccccc-0000-4000-8000-000000000003', 'Cem', 'cem@example.org', '$2b$12$x');
SELECT orla.audit('login', 'failure', 'cccccccc-0000-4000-8000-000000000003', '{}', '{"ip": "192.0.2.9"}') IS NULL AS ignored \gset
SELECT is((SELECT orla.unseal(sealed_personal, user_id, 'audit_log|' || id) FROM orla.audit_log WHERE user_id = 'cccccccc-0000-4000-8000-000000000003'),
          '{"ip": "192.0.2.9"}', 'an account without a key gets one');

-- ---------------------------------------------------------------------------
-- Tampering
-- ---------------------------------------------------------------------------
-- Three batches of three rows, and one row in none; a head kept of the last.
SELECT orla.audit_seal() IS NULL AS ignored \gset
CREATE TABLE names (id uuid, name text);
CREATE PROCEDURE write(n int) LANGUAGE sql AS $$
    INSERT INTO names
    SELECT orla.audit('e' || n, 'success', (SELECT id FROM orla.users WHERE name = 'Ada Canary'), '{"n": 1}', '{"ip": "192.0.2.9"}', 'error'), 'e' || n $$;
CALL write(1); CALL write(2); CALL write(3);
SELECT orla.audit_seal() AS first \gset
CALL write(4); CALL write(5);
INSERT INTO names SELECT orla.audit('e6', 'success', NULL, '{}'), 'e6';
SELECT orla.audit_seal() IS NULL AS ignored \gset
CALL write(7); CALL write(8); CALL write(9);
SELECT orla.audit_seal() IS NULL AS ignored \gset
SELECT seq AS kept_seq, digest AS kept_digest FROM orla.audit_head() \gset
CALL write(10);
SELECT set_config('test.first', :'first', false) IS NULL AS ignored, set_config('test.kept_seq', :'kept_seq', false) IS NULL AS ignored,
       set_config('test.kept_digest', :'kept_digest', false) IS NULL AS ignored \gset
CREATE FUNCTION id(wanted text) RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT id FROM names WHERE name = wanted $$;
-- batches 1, 2, 3 of the above
CREATE FUNCTION batch(n int) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT current_setting('test.first')::bigint + n - 1 $$;

-- What is found after a change, which is undone; with the kept head if told.
CREATE FUNCTION found(change text, with_head boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    BEGIN
        EXECUTE change;
        SELECT string_agg(object || ' ' || problem, '; ') INTO answer
          FROM orla.audit_verify(CASE WHEN with_head THEN current_setting('test.kept_seq')::bigint END, current_setting('test.kept_digest'));
        RAISE SQLSTATE 'TST00';
    EXCEPTION WHEN SQLSTATE 'TST00' THEN
        NULL;
    END;
    SELECT replace(answer, 'row ' || id, 'row ' || name) INTO answer FROM names WHERE strpos(answer, id::text) > 0
     UNION ALL SELECT answer LIMIT 1;
    RETURN regexp_replace(replace(replace(replace(answer, 'batch ' || batch(1), 'batch one'), 'batch ' || batch(2), 'batch two'), 'batch ' || batch(3), 'batch three'),
                          '[0-9a-f-]{36}', 'another');
END
$$;
SELECT is(found('SELECT 1'), NULL, 'what is not tampered with is whole');
SELECT is(found('SELECT 1', true), NULL, 'also with the kept head');

-- each column of each row, to another value and to none
CREATE FUNCTION other(type regtype, col text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN col = 'user_id' THEN '''cccccccc-0000-4000-8000-000000000003'''
                WHEN col = 'event_status' THEN '''pending'''
                WHEN col = 'pruned_at' THEN 'now(), pruned_digest = digest'
                WHEN col = 'pruned_digest' THEN 'digest, pruned_at = now()'
                WHEN type = 'uuid'::regtype THEN 'gen_random_uuid()'
                WHEN type = 'text'::regtype THEN format('coalesce(%I, '''') || ''x''', col)
                WHEN type = 'inet'::regtype THEN '''192.0.2.1'''
                WHEN type = 'jsonb'::regtype THEN '''{"n": 2}'''
                WHEN type = 'timestamptz'::regtype THEN format('%I + interval ''1 microsecond''', col)
                WHEN type = 'bytea'::regtype THEN format('set_byte(coalesce(%I, sha256('''')), 5, (get_byte(coalesce(%1$I, sha256('''')), 5) + 1) %% 256)', col)
                WHEN type IN ('int4'::regtype, 'int8') THEN format('%I + 1000', col)
           END
$$;
SELECT isnt(found(format('UPDATE %s SET %I = %s WHERE %s', a.attrelid::regclass, a.attname, v.value, t.which)), NULL,
            format('%s.%s of %s, changed to %s', a.attrelid::regclass, a.attname, t.name, v.how))
  FROM (VALUES ('orla.audit_log'::regclass, 'a row', 'id = id(''e2'')'), ('orla.audit_log', 'a row of nobody', 'id = id(''e6'')'),
               ('orla.audit_log', 'a row in no batch', 'id = id(''e10'')'),
               ('orla.audit_batches', 'a batch', 'seq = batch(2)'), ('orla.audit_batches', 'the last batch', 'seq = batch(3)'),
               ('orla.audit_batch_rows', 'a listed row', 'audit_id = id(''e5'')')) AS t (relation, name, which)
  JOIN pg_attribute a ON a.attrelid = t.relation AND a.attnum > 0 AND NOT a.attisdropped,
       LATERAL (VALUES ('another value', other(a.atttypid, a.attname)), ('none', CASE WHEN NOT a.attnotnull THEN 'NULL' END)) AS v (how, value)
 WHERE v.value IS NOT NULL
   -- there is nothing in it, in this row
   AND NOT (v.how = 'none' AND (a.attname IN ('ip_address', 'user_agent', 'pruned_at', 'pruned_digest')
                                OR t.name = 'a row of nobody' AND a.attname IN ('user_id', 'error_message', 'subject_digest', 'sealed_personal')))
 ORDER BY a.attrelid, t.name, a.attnum, v.how;
SELECT is(string_agg(format('%s.%s', a.attrelid::regclass, a.attname), ', '), NULL, 'every column was tried')
  FROM pg_attribute a
 WHERE a.attrelid = ANY (ARRAY['orla.audit_log', 'orla.audit_batches', 'orla.audit_batch_rows']::regclass[]) AND a.attnum > 0 AND other(a.atttypid, a.attname) IS NULL;

SELECT is(found(change), answer, format('%s: %s', what, answer)) FROM (VALUES
    ('text', $$UPDATE orla.audit_log SET event_type = 'x' WHERE id = id('e2')$$, 'row e2 was changed or inserted by hand'),
    ('the first of two', $$UPDATE orla.audit_log SET event_type = 'x' WHERE id IN (id('e9'), id('e4'))$$, 'row e4 was changed or inserted by hand'),
    ('another account', $$UPDATE orla.audit_log SET user_id = 'cccccccc-0000-4000-8000-000000000003' WHERE id = id('e2')$$, 'row e2 was given to another account'),
    ('an account where there was none', $$UPDATE orla.audit_log SET user_id = 'cccccccc-0000-4000-8000-000000000003' WHERE id = id('e6')$$, 'row e6 was given to another account'),
    ('no account any more', $$UPDATE orla.audit_log SET user_id = NULL WHERE id = id('e2')$$, 'row e2 was taken from its account, which is still there'),
    ('a deleted account''s row for a living one', $$UPDATE orla.audit_log SET user_id = 'cccccccc-0000-4000-8000-000000000003' WHERE id = (SELECT id FROM of_ben LIMIT 1)$$, 'row another was given to another account'),
    ('a key that is another', $$UPDATE orla.audit_log SET mac_key_id = (SELECT min(k.key_id) FROM orla.keys() k WHERE k.use = 'mac' AND k.key_id <> mac_key_id) WHERE id = id('e2')$$, 'row e2 was changed or inserted by hand'),
    ('a key that is none', $$UPDATE orla.audit_log SET mac_key_id = 'none' WHERE id = id('e2')$$, 'row e2 has a digest under key "none", which is not in the keyring'),
    ('a batch''s key that is none', $$UPDATE orla.audit_batches SET mac_key_id = 'none' WHERE seq = batch(2)$$, 'batch two has a digest under key "none", which is not in the keyring'),
    ('a row deleted', $$DELETE FROM orla.audit_log WHERE id = id('e2')$$, 'row e2 was removed'),
    ('and taken off the list', $$DELETE FROM orla.audit_log WHERE id = id('e2'); DELETE FROM orla.audit_batch_rows WHERE audit_id = id('e2')$$, 'batch one lists other rows than it was sealed with'),
    ('taken off the list alone', $$DELETE FROM orla.audit_batch_rows WHERE audit_id = id('e2')$$, 'batch one lists other rows than it was sealed with'),
    ('a row inserted', $$INSERT INTO orla.audit_log (event_type) VALUES ('x')$$, 'row another has no digest: it was inserted by hand, or imported and not adopted'),
    ('with another''s digest', $$INSERT INTO orla.audit_log (user_id, event_type, metadata, created_at, subject_digest, sealed_personal, mac, mac_key_id)
        SELECT user_id, event_type, metadata, created_at, subject_digest, sealed_personal, mac, mac_key_id FROM orla.audit_log WHERE id = id('e2')$$, 'row another was changed or inserted by hand'),
    ('a row twice', $$ALTER TABLE orla.audit_log DROP CONSTRAINT audit_log_pkey; INSERT INTO orla.audit_log SELECT * FROM orla.audit_log WHERE id = id('e2')$$, 'row e2 is there twice'),
    ('a row in two batches', $$ALTER TABLE orla.audit_batch_rows DROP CONSTRAINT audit_batch_rows_pkey; INSERT INTO orla.audit_batch_rows VALUES (id('e2'), batch(2), 4)$$, 'batch two lists other rows than it was sealed with'),
    ('a new row in an old batch', $$INSERT INTO orla.audit_batch_rows VALUES (id('e10'), batch(2), 4)$$, 'batch two lists other rows than it was sealed with'),
    ('rows of one batch swapped', $$UPDATE orla.audit_batch_rows SET position = 9 WHERE audit_id = id('e1'); UPDATE orla.audit_batch_rows SET position = 1 WHERE audit_id = id('e2'); UPDATE orla.audit_batch_rows SET position = 2 WHERE audit_id = id('e1')$$,
        'batch one lists other rows than it was sealed with'),
    ('a place renumbered, in the same order', $$UPDATE orla.audit_batch_rows SET position = 9 WHERE audit_id = id('e6')$$, 'batch two lists other rows than it was sealed with'),
    ('rows of two batches swapped', $$UPDATE orla.audit_batch_rows SET seq = batch(2), position = 9 WHERE audit_id = id('e1'); UPDATE orla.audit_batch_rows SET seq = batch(1), position = 1 WHERE audit_id = id('e4'); UPDATE orla.audit_batch_rows SET position = 1 WHERE audit_id = id('e1')$$,
        'batch one lists other rows than it was sealed with'),
    ('contents of two rows swapped', $$UPDATE orla.audit_log a SET event_type = b.event_type, mac = b.mac, created_at = b.created_at, sealed_personal = b.sealed_personal FROM orla.audit_log b WHERE (a.id, b.id) IN ((id('e2'), id('e3')), (id('e3'), id('e2')))$$,
        'row e3 was changed or inserted by hand'),
    ('a batch deleted', $$DELETE FROM orla.audit_batches WHERE seq = batch(2)$$, 'batch two was removed'),
    ('with its list', $$DELETE FROM orla.audit_batches WHERE seq = batch(2); DELETE FROM orla.audit_batch_rows WHERE seq = batch(2)$$, 'batch two was removed'),
    ('with its rows', $$DELETE FROM orla.audit_log WHERE id IN (SELECT audit_id FROM orla.audit_batch_rows WHERE seq = batch(2)); DELETE FROM orla.audit_batches WHERE seq = batch(2); DELETE FROM orla.audit_batch_rows WHERE seq = batch(2)$$, 'batch two was removed'),
    ('the next given its number', $$DELETE FROM orla.audit_batches WHERE seq = batch(2); DELETE FROM orla.audit_batch_rows WHERE seq = batch(2); UPDATE orla.audit_batches SET seq = batch(2) WHERE seq = batch(3); UPDATE orla.audit_batch_rows SET seq = batch(2) WHERE seq = batch(3)$$,
        'batch two was changed or inserted by hand'),
    ('and its predecessor', $$DELETE FROM orla.audit_batches WHERE seq = batch(2); DELETE FROM orla.audit_batch_rows WHERE seq = batch(2); UPDATE orla.audit_batches SET seq = batch(2), previous_digest = (SELECT digest FROM orla.audit_batches WHERE seq = batch(1)) WHERE seq = batch(3); UPDATE orla.audit_batch_rows SET seq = batch(2) WHERE seq = batch(3)$$,
        'batch two was changed or inserted by hand'),
    ('a batch twice', $$ALTER TABLE orla.audit_batches DROP CONSTRAINT audit_batches_pkey; INSERT INTO orla.audit_batches SELECT * FROM orla.audit_batches WHERE seq = batch(2)$$, 'batch two is there twice'),
    ('a batch added', $$INSERT INTO orla.audit_batches SELECT seq + 1, now(), 0, rows_digest, digest, digest, mac_key_id FROM orla.audit_batches WHERE seq = batch(3)$$, 'batch ' || batch(4) || ' was changed or inserted by hand'),
    ('the last one deleted', $$DELETE FROM orla.audit_batches WHERE seq = batch(3)$$, 'batch three was removed'),
    ('the last rows deleted', $$DELETE FROM orla.audit_log WHERE id = id('e9')$$, 'row e9 was removed'),
    ('all rows deleted', $$DELETE FROM orla.audit_log$$, 'row another was removed'),
    ('all batches deleted', $$DELETE FROM orla.audit_batches$$, 'batch 1 was removed'),
    ('pruned by hand', $$DELETE FROM orla.audit_log WHERE id IN (SELECT audit_id FROM orla.audit_batch_rows WHERE seq <= batch(1)); DELETE FROM orla.audit_batch_rows WHERE seq <= batch(1); UPDATE orla.audit_batches SET pruned_at = now(), pruned_digest = sha256('') WHERE seq <= batch(1)$$,
        'batch 1 says that it was pruned, and was not'),
    -- nothing but NULL where a digest belongs: it equals no digest, and differs from none
    ('pruned by hand, with no mark', $$ALTER TABLE orla.audit_batches DROP CONSTRAINT audit_batches_check; DELETE FROM orla.audit_log WHERE id IN (SELECT audit_id FROM orla.audit_batch_rows); DELETE FROM orla.audit_batch_rows; UPDATE orla.audit_batches SET pruned_at = now()$$,
        'batch 1 says that it was pruned, and was not'),
    ('the last batch without digests', $$ALTER TABLE orla.audit_batches ALTER digest DROP NOT NULL, ALTER rows_digest DROP NOT NULL; UPDATE orla.audit_batches SET digest = NULL, rows_digest = NULL WHERE seq = batch(3)$$,
        'batch three was changed or inserted by hand'),
    ('no digest of the rows', $$ALTER TABLE orla.audit_batches ALTER digest DROP NOT NULL, ALTER rows_digest DROP NOT NULL, ALTER mac_key_id DROP NOT NULL; UPDATE orla.audit_batches SET digest = NULL, rows_digest = NULL, mac_key_id = NULL WHERE seq = batch(3)$$,
        'batch three has a digest under key "", which is not in the keyring')
) AS v (what, change, answer);

-- the end cut off: only a kept head tells
SELECT is(found($$DELETE FROM orla.audit_log WHERE id = id('e10')$$, true), NULL, 'a row deleted that was in no batch yet is not seen, as documented');
SELECT tap FROM (VALUES ('the last batch and its rows deleted', $$DELETE FROM orla.audit_log WHERE id IN (SELECT audit_id FROM orla.audit_batch_rows WHERE seq = batch(3)); DELETE FROM orla.audit_batch_rows WHERE seq = batch(3); DELETE FROM orla.audit_batches WHERE seq = batch(3)$$),
               ('all deleted', 'DELETE FROM orla.audit_log; DELETE FROM orla.audit_batch_rows; DELETE FROM orla.audit_batches')) AS v (what, change),
       LATERAL (VALUES (is(found(change), NULL, what || ': without a kept head it is not seen, as documented')),
                       (is(found(change, true), 'batch three was cut off', what || ': with it, it is'))) AS t (tap);
SELECT is(found($$DELETE FROM orla.audit_log WHERE id = id('e8'); DELETE FROM orla.audit_batch_rows WHERE seq = batch(3); DELETE FROM orla.audit_batches WHERE seq = batch(3); SELECT orla.audit_seal()$$, true),
          'batch three is not the one whose digest was kept', 'the end cut off and sealed anew: the kept head tells');
SELECT is(found($$DELETE FROM orla.audit_batch_rows; DELETE FROM orla.audit_batches; SELECT orla.audit_seal()$$, true),
          'batch three was cut off', 'all of it sealed anew: likewise');
SELECT is((SELECT object || ' ' || problem FROM orla.audit_verify(:kept_seq, repeat('0', 64))), format('batch %s is not the one whose digest was kept', :'kept_seq'), 'a digest that is another');
SELECT is((SELECT object || ' ' || problem FROM orla.audit_verify(:kept_seq, NULL)), format('batch %s is not the one whose digest was kept', :'kept_seq'), 'or forgotten');

-- ---------------------------------------------------------------------------
-- Pruning
-- ---------------------------------------------------------------------------
SELECT throws_ok($$UPDATE orla.audit_log SET event_type = 'x' WHERE id = id('e9'); SELECT orla.audit_prune('infinity')$$, '55000',
                 'cannot prune an audit trail that is not whole', 'what is not whole is not pruned, lest it take the proof along');
SELECT is(orla.audit_prune('-infinity'), 0::bigint, 'nothing is as old as that');
SELECT is(orla.audit_prune(NULL), 0::bigint, 'nor as old as NULL');
SELECT is((SELECT min(seq) FROM orla.audit_batches WHERE pruned_at IS NOT NULL), NULL, 'and nothing was pruned');
SELECT set_config('test.second_sealed_at', sealed_at::text, false) IS NULL AS ignored FROM orla.audit_batches WHERE seq = batch(2) \gset
CREATE TABLE before_pruning AS SELECT id FROM orla.audit_log;
SELECT is(orla.audit_prune(current_setting('test.second_sealed_at')::timestamptz), (SELECT count(*) - 7 FROM before_pruning), 'older batches go, whole');
SELECT results_eq($$SELECT DISTINCT event_type FROM orla.audit_log ORDER BY 1$$, ARRAY['audit_prune', 'e10', 'e4', 'e5', 'e6', 'e7', 'e8', 'e9'], 'the rest stays, with a row that says so');
SELECT is((SELECT metadata - 'rows' - 'by' FROM orla.audit_log WHERE event_type = 'audit_prune'), jsonb_build_object('first_batch', 1, 'last_batch', batch(1)), 'and how much it was');
SELECT ok(EXISTS (SELECT FROM orla.audit_batch_rows r JOIN orla.audit_log a ON a.id = r.audit_id WHERE a.event_type = 'audit_prune'), 'which is sealed');
SELECT is(found('SELECT 1', true), NULL, 'all of it is whole, and the kept head is good');
SELECT is((SELECT object FROM orla.audit_verify(1, repeat('0', 64))), 'batch 1', 'so would be an older one, which is compared');
SELECT is(orla.audit_prune(current_setting('test.second_sealed_at')::timestamptz), 0::bigint, 'pruned once');
SELECT is(found(change), answer, format('%s: %s', what, answer)) FROM (VALUES
    ('a mark taken away', $$UPDATE orla.audit_batches SET pruned_at = NULL, pruned_digest = NULL WHERE seq = batch(1)$$, 'batch one lists other rows than it was sealed with'),
    ('another time', $$UPDATE orla.audit_batches SET pruned_at = pruned_at + interval '1 microsecond' WHERE seq = batch(1)$$, 'batch one says that it was pruned, and was not'),
    ('a mark copied to the next batch', $$DELETE FROM orla.audit_log WHERE id IN (SELECT audit_id FROM orla.audit_batch_rows WHERE seq = batch(2)); DELETE FROM orla.audit_batch_rows WHERE seq = batch(2);
        UPDATE orla.audit_batches b SET pruned_at = p.pruned_at, pruned_digest = p.pruned_digest FROM orla.audit_batches p WHERE p.seq = batch(1) AND b.seq = batch(2)$$, 'batch two says that it was pruned, and was not'),
    ('a batch in the middle pruned', $$DELETE FROM orla.audit_log WHERE id IN (SELECT audit_id FROM orla.audit_batch_rows WHERE seq = batch(3)); DELETE FROM orla.audit_batch_rows WHERE seq = batch(3);
        UPDATE orla.audit_batches b SET pruned_at = now(), pruned_digest = orla.audit_pruned_digest(ROW(b.seq, b.sealed_at, b.row_count, b.rows_digest, b.previous_digest, b.digest, b.mac_key_id, now(), NULL)::orla.audit_batches) WHERE seq = batch(3)$$, 'batch three says that it was pruned, and was not'),
    ('a pruned batch deleted', $$DELETE FROM orla.audit_batches WHERE seq = batch(1)$$, 'batch one was removed'),
    ('all pruned batches deleted', $$DELETE FROM orla.audit_batches WHERE seq <= batch(1)$$, 'batch 1 was removed'),
    ('a row listed in a pruned batch', $$UPDATE orla.audit_batch_rows SET seq = batch(1), position = 1 WHERE audit_id = id('e10')$$, 'batch one lists other rows than it was sealed with'),
    ('what tells of it changed', $$UPDATE orla.audit_log SET metadata = '{}' WHERE event_type = 'audit_prune'$$, 'row another was changed or inserted by hand')
) AS v (what, change, answer);
SELECT isnt(orla.audit_prune('infinity'), 0::bigint, 'all may go');
SELECT results_eq($$SELECT event_type FROM orla.audit_log ORDER BY created_at$$, ARRAY['audit_prune'], 'but what tells of it');
SELECT is(found('SELECT 1', true), NULL, 'and the kept head is good');
CALL write(11);
SELECT isnt(orla.audit_seal(), NULL, 'the trail goes on');
SELECT is(found('SELECT 1', true), NULL, 'whole');

SELECT * FROM finish();

SET client_min_messages = warning;
\c :previous
DROP DATABASE orla_audit;
COPY (SELECT) TO PROGRAM 'cat; rm -f orla_audit_test.keyring';
DROP ROLE audit_http, audit_operator, audit_analyst;
