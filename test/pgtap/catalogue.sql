-- The fence, tried on everything that the catalogue knows.
--
-- For each actor that is not an operator, every table and view of orla is read,
-- written, truncated and copied, and every function that the actor may call is
-- called, with other people's ids among the arguments.  Nothing of Ben's may come
-- back, in a result or in an error, and nothing of his may change.  Nobody writes
-- cases: a table, a view or a function that is added later is tried as well.
--
-- What the rows are filled with, and how a trial goes, is in test/fixtures/trial.sql.
-- The end of this file makes tables, a view and functions with holes and expects
-- them found.
--
-- Ways 29, 40, 42, 68, 70, 74, 85 and 97 of docs/security.md.
\set QUIET on
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
\pset pager off
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
DROP DATABASE IF EXISTS orla_catalogue;
CREATE DATABASE orla_catalogue;
\c orla_catalogue
SET client_min_messages = warning;
CREATE EXTENSION pgtap;
CREATE EXTENSION orla CASCADE;
-- hashing is not what is tried here
ALTER DATABASE orla_catalogue SET orla.password_memory = 7168;
ALTER DATABASE orla_catalogue SET orla.sign_in_floor = 0;
ALTER DATABASE orla_catalogue SET orla.max_failed_sign_ins = 1000;

\i test/fixtures/trial.sql

-- ---------------------------------------------------------------------------
-- Statements on a table
-- ---------------------------------------------------------------------------
CREATE FUNCTION test.statements(who test.actors, t test.tables)
    RETURNS TABLE (kind text, statement text, asked text)
    LANGUAGE plpgsql
    AS $$
DECLARE
    readable text;
    writable text;
    bens     jsonb;
    stolen   text;
    one      text;
    own_id   text := '''bbbbbbbb-0000-4000-8000-000000000002''';
BEGIN
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
             FILTER (WHERE has_column_privilege(who.role, t.target, a.attnum, 'SELECT')),
           min(quote_ident(a.attname)) FILTER (WHERE has_column_privilege(who.role, t.target, a.attnum, 'UPDATE')
                                                 AND a.attname NOT IN ('user_id', 'id'))
      INTO readable, writable
      FROM pg_attribute a WHERE a.attrelid = t.target AND a.attnum > 0 AND NOT a.attisdropped;
    readable := coalesce(readable, '*');
    one := coalesce(writable, (SELECT quote_ident(a.attname) FROM pg_attribute a
                                WHERE a.attrelid = t.target AND a.attnum > 0 AND NOT a.attisdropped
                                  AND a.attname NOT IN ('user_id', 'id') ORDER BY a.attnum LIMIT 1));
    -- Ben's row, and one made to look like his
    SELECT b.r INTO bens FROM test.bens b
     WHERE b.target::text IN (t.target::text, replace(t.target::text, 'orla_api.', 'orla.'))
     ORDER BY b.r ->> 'user_id' NULLS LAST LIMIT 1;
    bens := coalesce(bens, '{}');
    stolen := format('SELECT %s FROM jsonb_populate_record(NULL::%s, %L)', t.columns, t.target,
                     bens || CASE WHEN bens ? 'id' AND bens ? 'user_id'
                                  THEN '{"id": "bbbbbbbb-bbbb-4bbb-8bbb-ffffffffffff"}'::jsonb ELSE '{}' END);

    RETURN QUERY
    SELECT v.kind, v.statement, '' FROM (VALUES
        ('SELECT', format('SELECT string_agg(to_jsonb(x)::text, '' '') FROM (SELECT %s FROM %s) AS x', readable, t.target)),
        ('SELECT *', format('SELECT string_agg(to_jsonb(x)::text, '' '') FROM %s AS x', t.target)),
        ('SELECT and note', format('SELECT count(*) FROM (SELECT %s FROM %s) AS x WHERE test.note(to_jsonb(x)::text)', readable, t.target)),
        ('SELECT FOR UPDATE', format('SELECT string_agg(to_jsonb(x)::text, '' '') FROM (SELECT %s FROM %s FOR UPDATE) AS x', readable, t.target)),
        ('SELECT FOR KEY SHARE', format('SELECT string_agg(to_jsonb(x)::text, '' '') FROM (SELECT %s FROM %s FOR KEY SHARE SKIP LOCKED) AS x', readable, t.target)),
        ('SELECT by ctid', format('SELECT string_agg(to_jsonb(x)::text, '' '') FROM (SELECT %s FROM %s WHERE ctid >= ''(0,0)'') AS x WHERE test.note(to_jsonb(x)::text)', readable, t.target)),
        ('TABLESAMPLE', format('SELECT string_agg(to_jsonb(x)::text, '' '') FROM (SELECT %s FROM %s TABLESAMPLE SYSTEM (100)) AS x', readable, t.target)),
        ('UPDATE', format('UPDATE %s SET %s = %2$s', t.target, one)),
        ('UPDATE to null', format('UPDATE %s SET %s = DEFAULT', t.target, one)),
        ('UPDATE RETURNING', format('WITH x AS (UPDATE %s SET %s = DEFAULT RETURNING %s) SELECT string_agg(to_jsonb(x)::text, '' '') FROM x', t.target, one, readable)),
        ('DELETE', format('DELETE FROM %s', t.target)),
        ('DELETE RETURNING', format('WITH x AS (DELETE FROM %s RETURNING %s) SELECT string_agg(to_jsonb(x)::text, '' '') FROM x', t.target, readable)),
        ('DELETE and note', format('DELETE FROM %s AS x WHERE test.note(to_jsonb(x)::text)', t.target)),
        ('TRUNCATE', format('TRUNCATE %s', t.target)),
        ('TRUNCATE CASCADE', format('TRUNCATE %s CASCADE', t.target)),
        ('LOCK', format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', t.target))
    ) AS v (kind, statement);

    RETURN QUERY
    SELECT v.kind, v.statement, v.statement FROM (VALUES
        ('INSERT', format('INSERT INTO %s (%s) %s', t.target, t.columns, stolen)),
        ('INSERT ON CONFLICT NOTHING', format('INSERT INTO %s (%s) %s ON CONFLICT DO NOTHING', t.target, t.columns, stolen)),
        ('INSERT ON CONFLICT UPDATE', format('INSERT INTO %s AS x (%s) SELECT %2$s FROM jsonb_populate_record(NULL::%1$s, %3$L) ON CONFLICT (user_id, id) DO UPDATE SET %s = DEFAULT WHERE test.note(to_jsonb(x)::text)', t.target, t.columns, bens, one)),
        ('INSERT the same', format('INSERT INTO %s (%s) SELECT %2$s FROM jsonb_populate_record(NULL::%1$s, %3$L)', t.target, t.columns, bens))
    ) AS v (kind, statement);

    IF t.tenant_column IS NOT NULL THEN
        RETURN QUERY
        SELECT v.kind, v.statement, own_id FROM (VALUES
            ('SELECT by tenant', format('SELECT string_agg(to_jsonb(x)::text, '' '') FROM (SELECT %s FROM %s WHERE %I = %s) AS x', readable, t.target, t.tenant_column, own_id)),
            ('UPDATE by tenant', format('UPDATE %s SET %s = DEFAULT WHERE %I = %s', t.target, one, t.tenant_column, own_id)),
            ('give away', format('UPDATE %s SET %I = %s', t.target, t.tenant_column, own_id)),
            ('take', format('UPDATE %s SET %I = orla.current_tenant()', t.target, t.tenant_column)),
            ('DELETE by tenant', format('DELETE FROM %s WHERE %I = %s', t.target, t.tenant_column, own_id)),
            ('MERGE', format('MERGE INTO %s AS x USING (SELECT %s::uuid AS u) AS s ON x.%I = s.u WHEN MATCHED THEN DELETE', t.target, own_id, t.tenant_column)),
            ('MERGE and note', format('MERGE INTO %s AS x USING (VALUES (1)) AS s ON test.note(to_jsonb(x)::text) WHEN MATCHED AND test.note(to_jsonb(x)::text) THEN DO NOTHING', t.target)),
            ('MERGE INSERT', format('MERGE INTO %s AS x USING (SELECT %s::uuid AS u) AS s ON x.%I = s.u WHEN NOT MATCHED THEN INSERT (%3$I) VALUES (s.u)', t.target, own_id, t.tenant_column)),
            ('INSERT default', format('INSERT INTO %s (%I) VALUES (%s)', t.target, t.tenant_column, own_id))
        ) AS v (kind, statement);
    END IF;
END
$$;

SELECT * FROM no_plan();

-- The trial itself is worth something: everybody has rows, and Ada sees hers.
SELECT is(string_agg(t.target::text, ', '), NULL, 'Ben has a row in every table')
  FROM test.tables t
 WHERE t.relkind IN ('r', 'p') AND t.target NOT IN (SELECT target FROM test.bens)
   AND t.target <> 'orla.instance'::regclass;
SELECT is(string_agg(t.target::text || ': ' || answer, ', '), NULL, 'Ada sees her own rows in every content table and its view')
  FROM test.actors a, test.tables t,
       LATERAL test.try(a, format('SELECT string_agg(to_jsonb(x)::text, '' '') FROM %s AS x', t.target)) AS tried
 WHERE a.actor = 'user Ada' AND t.tenant_column = 'user_id'
   AND EXISTS (SELECT FROM pg_policy p WHERE p.polname = split_part(t.target::text, '.', 2) || '_analyst')
   AND answer NOT LIKE '%canary_a%';
SELECT is(string_agg(t.target::text || ': ' || answer, ', '), NULL, 'so does her analyst')
  FROM test.actors a, test.tables t,
       LATERAL test.try(a, format('SELECT string_agg(to_jsonb(x)::text, '' '') FROM %s AS x', t.target)) AS tried
 WHERE a.actor = 'analyst of Ada' AND t.tenant_column = 'user_id'
   AND EXISTS (SELECT FROM pg_policy p WHERE p.polname = split_part(t.target::text, '.', 2) || '_analyst')
   AND answer NOT LIKE '%canary_a%';

-- ---------------------------------------------------------------------------
-- Tables and views
-- ---------------------------------------------------------------------------
CREATE FUNCTION test.leaks_of_table(who test.actors, t test.tables)
    RETURNS text
    LANGUAGE sql
    AS $$
    SELECT coalesce(string_agg(format('%s: %s', s.kind, tried.leak), E'\n'), '')
      FROM test.statements(who, t) s, LATERAL test.try(who, s.statement, s.asked) AS tried
     WHERE tried.leak <> ''
$$;
SELECT is(test.leaks_of_table(a, t), '', format('%s on %s', a.actor, t.target))
  FROM test.actors a, test.tables t
 ORDER BY a.actor, t.target::text;

-- The refusals above are worth something where what is permitted works.
SELECT is(string_agg(format('%s %s: %s', s.kind, t.target, answer), E'\n'), NULL, 'Ada may do with her own rows what is tried on Ben''s')
  FROM test.actors a, test.tables t, LATERAL test.statements(a, t) s, LATERAL test.try(a, s.statement, s.asked) AS tried
 WHERE a.actor = 'user Ada' AND t.tenant_column = 'user_id' AND t.relkind IN ('r', 'p')
   AND EXISTS (SELECT FROM pg_policy p WHERE p.polname = split_part(t.target::text, '.', 2) || '_analyst')
   AND s.kind IN ('UPDATE', 'UPDATE RETURNING', 'DELETE', 'DELETE RETURNING', 'DELETE and note', 'UPDATE by tenant',
                  'DELETE by tenant', 'MERGE', 'take', 'SELECT FOR UPDATE', 'TABLESAMPLE')
   AND (answer ~ '^[0-9A-Z]{5} ' OR s.kind ~ 'RETURNING|FOR UPDATE|SAMPLE' AND answer NOT LIKE '%canary_a%');
SELECT is(string_agg(DISTINCT left(answer, 6), ', '), '42501 ', 'and is refused by the fence what would be Ben''s')
  FROM test.actors a, test.tables t, LATERAL test.statements(a, t) s, LATERAL test.try(a, s.statement, s.asked) AS tried
 WHERE a.actor = 'user Ada' AND t.tenant_column = 'user_id' AND t.relkind IN ('r', 'p')
   AND EXISTS (SELECT FROM pg_policy p WHERE p.polname = split_part(t.target::text, '.', 2) || '_analyst')
   AND s.kind IN ('INSERT', 'INSERT the same', 'INSERT ON CONFLICT NOTHING', 'INSERT ON CONFLICT UPDATE', 'give away', 'MERGE INSERT', 'INSERT default', 'TRUNCATE', 'TRUNCATE CASCADE', 'LOCK');

-- COPY is a command of psql's own: each table to a file, and Ben's rows back in.
\set dir `mktemp -d /tmp/orla_catalogue.XXXXXX`
\set ON_ERROR_STOP off
CREATE TABLE test.copied (line text);
\set script :dir /copy.sql
\set rows :dir /rows
\set log :dir /log
\setenv rows :rows
\setenv script :script
\setenv log :log
\setenv PGHOST :HOST
\setenv PGPORT :PORT
\setenv PGUSER :USER
\setenv PGDATABASE :DBNAME
\o :script
SELECT format('SET SESSION AUTHORIZATION %I;%s%s', a.login,
              CASE WHEN a.role <> a.login THEN format(E'\nSET ROLE %I;', a.role) END,
              format(E'\nSET orla.narrow_to = %L;', a.narrow))
       || string_agg(format(E'\nBEGIN;%s\nCOPY %s TO STDOUT;\nROLLBACK;\nBEGIN;%1$s\nCOPY (SELECT * FROM %2$s) TO STDOUT;\nROLLBACK;\nBEGIN;%1$s\n\\copy %2$s from :rows\nCOMMIT;',
                            CASE a.bound WHEN 'token' THEN format(' SELECT 1 FROM orla.authenticate(%L);', current_setting('test.token'))
                                         WHEN 'name' THEN ' SET LOCAL orla.tenant = ''aaaaaaaa-0000-4000-8000-000000000001'';' END, t.target), '')
       || E'\nRESET SESSION AUTHORIZATION;'
  FROM test.actors a, test.tables t GROUP BY a.actor, a.login, a.role, a.bound, a.narrow;
\o
-- \copy takes its file name as it stands
\! sed -i "s|:rows|$rows|" $script
\! printf 'bbbbbbbb-0000-4000-8000-000000000002\n' > $rows
-- a psql of its own, so that a thousand refusals go nowhere
\! psql -X -q -f $script > $log 2>/dev/null
\copy test.copied (line) from program 'tr -d "\\\\" < $log' with (format csv, delimiter E'\001', quote E'\002')
\! rm -r $(dirname $script)
\set ON_ERROR_STOP on
SELECT ok(count(*) FILTER (WHERE line LIKE '%canary_a%') > 0, 'COPY shows Ada her own rows')
  FROM test.copied;
SELECT is(string_agg(test.gives_away(line), ', '), NULL, 'COPY shows nobody a row of Ben''s') FROM test.copied;
SELECT is(test.damage(), NULL, 'COPY FROM brings none in');

-- ---------------------------------------------------------------------------
-- Functions
-- ---------------------------------------------------------------------------
-- Several values for each type; call n takes the nth of each argument.
CREATE FUNCTION test.candidates(type regtype)
    RETURNS text[]
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE
        WHEN type = 'uuid'::regtype THEN ARRAY[NULL, 'bbbbbbbb-0000-4000-8000-000000000002', 'aaaaaaaa-0000-4000-8000-000000000001',
                                               'bbbbbbbb-bbbb-4bbb-8bbb-' || left(md5('orla.content_library_id'), 12),
                                               'bbbbbbbb-bbbb-4bbb-8bbb-' || left(md5('orla.jobs_id'), 12)]
        WHEN type IN ('text'::regtype, 'name', 'varchar', 'unknown')
            THEN ARRAY[NULL, 'canary_b_orla.users_email', 'bbbbbbbb-0000-4000-8000-000000000002', '', '%', ''' OR true --', 'canary_a',
                       'aaaaaaaa-0000-4000-8000-000000000001.' || repeat('A', 43), 'bbbbbbbb-0000-4000-8000-000000000002.' || repeat('A', 43)]
        WHEN type = 'text[]'::regtype THEN ARRAY[NULL, '{}', '{canary}', '{NULL}']
        WHEN type = 'uuid[]'::regtype THEN ARRAY[NULL, '{bbbbbbbb-0000-4000-8000-000000000002}']
        WHEN type IN ('jsonb'::regtype, 'json') THEN ARRAY[NULL, '{}', '{"user_id": "bbbbbbbb-0000-4000-8000-000000000002"}', '[]', 'null']
        WHEN type = 'bytea'::regtype THEN ARRAY[NULL, '\x', '\x01']
        WHEN type = 'bool'::regtype THEN ARRAY[NULL, 'true', 'false']
        WHEN type IN ('int4'::regtype, 'int8', 'int2', 'numeric') THEN ARRAY[NULL, '0', '1', '-1', '100000']
        WHEN type IN ('timestamptz'::regtype, 'interval') THEN ARRAY[NULL, 'epoch']
        WHEN type = 'inet'::regtype THEN ARRAY[NULL, '127.0.0.1']
        WHEN type IN ('regclass'::regtype) THEN ARRAY[NULL, 'orla.users', 'orla.content_library']
        WHEN type = 'tsvector'::regtype THEN ARRAY[NULL, 'canary']
        WHEN type = 'tsquery'::regtype THEN ARRAY[NULL, 'canary']
    END
$$;

CREATE VIEW test.functions AS
    SELECT p.oid::regprocedure AS function, p.oid, p.proretset, p.prokind,
           ARRAY(SELECT t::oid::regtype FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, n) ORDER BY n) AS types
      FROM pg_proc p
     WHERE p.pronamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
       AND p.prorettype::regtype NOT IN ('trigger', 'event_trigger', 'internal')
       AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[]);

CREATE FUNCTION test.calls(f test.functions)
    RETURNS SETOF text
    LANGUAGE sql
    AS $$
    SELECT DISTINCT
           CASE f.prokind
               WHEN 'p' THEN format('CALL %s(%s)', split_part(f.function::text, '(', 1), coalesce(args.list, ''))
               ELSE format('SELECT string_agg(to_jsonb(x)::text, '' '') FROM %s(%s) AS x', split_part(f.function::text, '(', 1), coalesce(args.list, '')) END
      FROM generate_series(1, CASE WHEN cardinality(f.types) = 0 THEN 1 ELSE 9 END) AS n,
           LATERAL (SELECT string_agg(format('%L::%s', c[1 + (n - 1) % cardinality(c)], t), ', ' ORDER BY i) AS list
                      FROM unnest(f.types) WITH ORDINALITY AS u (t, i), LATERAL (SELECT test.candidates(t) AS c) AS x) AS args
$$;

SELECT is(string_agg(DISTINCT f.function::text || ' (' || t || ')', ', '), NULL,
          'there are values for every type of argument; add one to test.candidates()')
  FROM test.functions f, unnest(f.types) AS t
 WHERE test.candidates(t) IS NULL
   AND EXISTS (SELECT FROM test.actors a WHERE has_function_privilege(a.role, f.oid, 'EXECUTE'));

-- What anybody may cause at somebody else's address, by design.
CREATE TABLE test.allowed (function text, leak text, reason text);
INSERT INTO test.allowed VALUES
    ('orla_api.forgot_password(text)', 'changed: orla.users', 'a link is mailed to the address; the row keeps its hash'),
    ('orla_api.forgot_password(text)', 'changed: orla.audit_log, orla.outbox, orla.users', 'the same, with the mail and the audit row'),
    ('orla_api.forgot_password(text)', 'changed: orla.outbox, orla.users', 'the same'),
    ('orla_api.login(text,text)', 'changed: orla.audit_log', 'the attempt is on record'),
    ('orla_api.resend_verification(text)', 'changed: orla.audit_log, orla.outbox, orla.users', 'for an account that is not verified');

CREATE FUNCTION test.leaks_of_function(who test.actors, f test.functions)
    RETURNS text
    LANGUAGE sql
    AS $$
    SELECT coalesce(string_agg(DISTINCT format('%s: %s', c, tried.leak), E'\n'), '')
      FROM test.calls(f) AS c, LATERAL test.try(who, c, c, true) AS tried
     WHERE tried.leak <> ''
       AND (f.function::text, tried.leak) NOT IN (SELECT function, leak FROM test.allowed)
$$;

-- Other processes commit what some functions do: mend Ada's session and forget
-- what is new of Ben's before the next.
CREATE PROCEDURE test.mend()
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE orla.sessions SET ended_at = NULL, end_reason = NULL, generation = 1
     WHERE user_id = 'aaaaaaaa-0000-4000-8000-000000000001' AND (ended_at IS NOT NULL OR generation <> 1);
    TRUNCATE test.bens;
    INSERT INTO test.bens SELECT * FROM test.rows_of_ben();
END
$$;
SELECT 'CALL test.mend()',
       format('SELECT is(test.leaks_of_function(a, f), '''', %L) FROM test.actors a, test.functions f WHERE a.actor = %L AND f.oid = %s',
              format('%s calls %s', a.actor, f.function), a.actor, f.oid)
  FROM test.actors a, test.functions f
 WHERE has_function_privilege(a.role, f.oid, 'EXECUTE')
   AND has_schema_privilege(a.role, split_part(f.function::text, '.', 1), 'USAGE')
   AND a.actor NOT IN ('user Ada by SET ROLE', 'analyst of Ada, narrowed to Ben')
 ORDER BY a.actor, f.function::text \gexec

-- ---------------------------------------------------------------------------
-- The trial finds what is broken
-- ---------------------------------------------------------------------------
CALL test.mend();
CREATE TABLE orla.unfenced (user_id uuid NOT NULL, id uuid NOT NULL, secret text, PRIMARY KEY (user_id, id));
GRANT SELECT, INSERT, UPDATE, DELETE ON orla.unfenced TO orla_user;
CREATE TABLE orla.half_fenced (user_id uuid NOT NULL, id uuid NOT NULL, secret text, PRIMARY KEY (user_id, id));
ALTER TABLE orla.half_fenced ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON orla.half_fenced FOR ALL TO orla_user USING (user_id = orla.current_tenant()) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON orla.half_fenced TO orla_user;
CREATE TABLE orla.emptied (user_id uuid NOT NULL, id uuid NOT NULL, secret text, PRIMARY KEY (user_id, id));
ALTER TABLE orla.emptied ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON orla.emptied USING (user_id = orla.current_tenant());
GRANT TRUNCATE ON orla.emptied TO PUBLIC;
CREATE TABLE orla.deleted (user_id uuid NOT NULL, id uuid NOT NULL, secret text, PRIMARY KEY (user_id, id));
ALTER TABLE orla.deleted ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON orla.deleted USING (user_id = orla.current_tenant());
CREATE POLICY d ON orla.deleted FOR DELETE USING (true);
GRANT DELETE ON orla.deleted TO orla_gateway;
CREATE TABLE orla.updated (user_id uuid NOT NULL, id uuid NOT NULL, secret text, PRIMARY KEY (user_id, id));
ALTER TABLE orla.updated ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON orla.updated USING (user_id = orla.current_tenant()) WITH CHECK (true);
GRANT SELECT, UPDATE ON orla.updated TO orla_user;
CREATE VIEW orla_api.owner_view AS SELECT * FROM orla.competitors;
GRANT SELECT ON orla_api.owner_view TO orla_analyst;
CREATE FUNCTION orla_api.anyones(id uuid) RETURNS SETOF orla.users LANGUAGE sql SECURITY DEFINER
    AS $$ SELECT * FROM orla.users u WHERE u.id = anyones.id $$;
CREATE FUNCTION orla_api.tells(id uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN RAISE EXCEPTION 'no such %', (SELECT name FROM orla.users u WHERE u.id = tells.id); END $$;
CREATE FUNCTION orla_api.removes(id uuid) RETURNS void LANGUAGE sql SECURITY DEFINER
    AS $$ DELETE FROM orla.content_library c WHERE c.id = removes.id $$;
SELECT count(test.fill(t, 'user_id')) IS NULL AS ignored FROM unnest(ARRAY['orla.unfenced', 'orla.half_fenced', 'orla.emptied', 'orla.deleted', 'orla.updated']::regclass[]) AS t \gset
CALL test.mend();
SELECT isnt(test.leaks_of_table(a, t), '', format('found: %s on %s', a.actor, t.target))
  FROM (VALUES ('user Ada', 'orla.unfenced'), ('user nobody', 'orla.unfenced'), ('user Ada', 'orla.half_fenced'),
               ('PUBLIC', 'orla.emptied'), ('gateway for nobody', 'orla.deleted'), ('user Ada', 'orla.updated'),
               ('analyst of Ada', 'orla_api.owner_view')) AS v (actor, target)
  JOIN test.actors a USING (actor) JOIN test.tables t ON t.target = v.target::regclass;
SELECT isnt(test.leaks_of_function(a, f), '', format('found: %s calls %s', a.actor, f.function))
  FROM test.actors a, test.functions f
 WHERE a.actor = 'user Ada' AND f.function::text ~ 'anyones|tells|removes';

SELECT * FROM finish();

SET client_min_messages = warning;
\c :previous
DROP DATABASE orla_catalogue;
DROP ROLE probe_http, probe_user, probe_analyst, probe_gateway, probe_stranger, probe_public;
