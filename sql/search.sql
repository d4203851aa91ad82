--
-- search_content: words and tags, one's own only, by index.
--
\i test/fixtures/tenants.sql
SET client_min_messages = warning;	-- an empty question is worth a NOTICE
INSERT INTO orla.content_library (user_id, title, content, tags)
VALUES (:ada, 'Spring tea', 'first flush', '{Launch,tea}'),
       (:ada, 'Spring rain', 'with a word on tea', '{weather}'),
       (:ada, 'Autumn', NULL, NULL),
       (:ben, 'Spring tea', 'second flush', '{launch}');

SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
SELECT title FROM orla_api.search_content('spring');
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
SELECT title, content FROM orla_api.search_content('tea');
SELECT title FROM orla_api.search_content('spring -flush');
SELECT title FROM orla_api.search_content('"word on tea"');
SELECT title FROM orla_api.search_content('rain or autumn') ORDER BY title;
SELECT title FROM orla_api.search_content('second');
-- Once tags were compared with the row's own and so left nothing out.
SELECT title FROM orla_api.search_content('spring', ARRAY['launch']);
SELECT title FROM orla_api.search_content('spring', ARRAY['launch', 'weather']);
SELECT title FROM orla_api.search_content('', ARRAY['LAUNCH', 'tea']);
SELECT title FROM orla_api.search_content(tags => '{weather}', query => NULL);
SELECT title FROM orla_api.search_content('rain', ARRAY['no such tag']);
SELECT title FROM orla_api.search_content('', NULL);
SELECT title FROM orla_api.search_content('', '{}');
-- As HTTP layers call it: with values that come from a row.
SELECT v.query, s.title
  FROM (VALUES ('spring', '{tea}'::text[]), ('spring', '{weather}'), ('second', NULL)) AS v (query, tags),
       LATERAL orla_api.search_content(v.query, v.tags) AS s
 ORDER BY s.title;
COMMIT;
BEGIN;
SELECT set_config('orla.tenant', :ben, true);
SELECT title, content FROM orla_api.search_content('tea', ARRAY['launch']);
COMMIT;

-- The index serves the tenant and the words, in each form; the question is put
-- together once, not for each row.
RESET ROLE;
RESET SESSION AUTHORIZATION;
INSERT INTO orla.content_library (user_id, title)
SELECT CASE WHEN i % 2 = 0 THEN :ada::uuid ELSE :ben END, 'page ' || i FROM generate_series(1, 2000) AS i;
VACUUM (ANALYZE) orla.content_library;
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
SET plan_cache_mode = force_generic_plan;
PREPARE search(text, text[]) AS SELECT title FROM orla_api.search_content($1, $2);
EXPLAIN EXECUTE search('spring', '{launch}');
EXPLAIN SELECT s.title FROM json_to_record('{"query": "spring"}') AS a (query text, tags text[]),
       LATERAL orla_api.search_content(a.query, a.tags) AS s;
RESET plan_cache_mode;
COMMIT;
RESET ROLE;
RESET SESSION AUTHORIZATION;

\i test/fixtures/tenants_drop.sql
