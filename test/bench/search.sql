-- A content library in which one tenant has :search_rows rows and a hundred
-- others have as many together.  Words are drawn from 20,000 with the most
-- frequent ones far ahead, as in real text.
\set ON_ERROR_STOP on
SET maintenance_work_mem = '256MB';
SET work_mem = '64MB';
SELECT setseed(0.42);
SELECT bench.make_accounts(101);
INSERT INTO orla.content_library (user_id, id, title, content, tags, created_at)
SELECT bench.tenant(CASE WHEN i % 2 = 0 THEN 1 ELSE 2 + i / 2 % 100 END), md5('content ' || i)::uuid,
       'Title ' || i,
       (SELECT string_agg('w' || (20000 * power(random(), 3))::int, ' ') FROM generate_series(1, 12 + i * 0)),
       ARRAY['tag' || i / 2 % 1000, 'all'],
       '2026-01-01'::timestamptz + i * interval '1 second'
  FROM generate_series(0, 2 * :search_rows - 1) AS i;
VACUUM (ANALYZE) orla.content_library;
-- For queries that are written by hand.
GRANT USAGE ON SCHEMA orla TO orla_user, bench_by_hand;
GRANT SELECT ON orla.content_library TO bench_by_hand;
GRANT EXECUTE ON FUNCTION orla.search_query(text, text[]), orla.tag_lexemes(text[]), orla.matches(tsvector, tsquery)
    TO bench_by_hand;
