--
-- Brand material: files that are uploaded, what is found in them, how much there
-- may be; and what is computed of content.
--
\i test/fixtures/tenants.sql
\set ON_ERROR_ROLLBACK on
SELECT orla.current_tenant();    -- the library is there

-- ---------------------------------------------------------------------------
-- Names of files
-- ---------------------------------------------------------------------------
SELECT name, orla.check_filename(name) AS kept
  FROM (VALUES ('guide.pdf'), ('../../etc/passwd'), ('C:\fakepath\Logo 1.png'), ('<img src=x onerror=alert(1)>.svg'),
               ('"; DROP TABLE users; --.txt'), ('  Räksmörgås 🦊.md '), ('.htaccess'), (repeat('x', 255))) AS v (name);
SELECT orla.check_filename(U&'gpj.\202Eexe\0009\000A.txt') AS kept;
SELECT orla.check_filename(NULL);
SELECT orla.check_filename('');
SELECT orla.check_filename('..');
SELECT orla.check_filename('a/b/');
SELECT orla.check_filename(repeat('x', 300));
SELECT header, orla.decode_filename(header) AS name
  FROM (VALUES ('plain.txt'), ('R%C3%A4ksm%c3%b6rg%C3%A5s%20%F0%9F%A6%8A.md'), ('UTF-8''''na%C3%AFve.pdf'), ('utf-8''en''na%C3%AFve%27s.pdf'),
               ('ISO-8859-1''fr''na%EFve.pdf'), ('it''s.txt'), ('naïve.pdf'), ('..%2F..%2Fetc%2Fpasswd'), (NULL)) AS v (header);
SELECT orla.decode_filename('100%.txt');
SELECT orla.decode_filename('%FF.txt');
SELECT orla.decode_filename('a%00b.txt');
SELECT orla.decode_filename('UTF-8''''na%EFve.pdf');
SELECT name, orla.media_type_of(name) FROM (VALUES ('a.PDF'), ('a.b.md'), ('a.exe'), ('noextension'), ('a.')) AS v (name);
SELECT orla.image_type(bytes) FROM (VALUES ('\x89504e470d0a1a0a00'::bytea), ('\xffd8ffe0'), ('GIF89a'), ('RIFF....WEBPVP8 '), ('RIFF....WAVE'), ('<svg/>'), (''), (NULL)) AS v (bytes);

-- ---------------------------------------------------------------------------
-- Colours and fonts
-- ---------------------------------------------------------------------------
SELECT orla.colors_in($$Primary #FF6B35, then rgb(0, 78, 137) and #ff6b35 again; RGBA(26,101,158,.5), rgb(100% 0% 50%).
CSS: color:#1a659e80;background:#EFEFD0$$);
SELECT orla.colors_in('#ff6b3 #ff6b35f #0123456789ab rgb(256,0,0) rgb(1,2) &#123456; page#abcdef /#abcdef #gggggg argb(1,2,3)') AS none;
SELECT orla.colors_in(NULL), cardinality(orla.colors_in((SELECT string_agg('#' || lpad(to_hex(i), 6, '0'), ' ') FROM generate_series(1, 100) AS i))) AS most;
SELECT orla.fonts_in(E'body { font-family: "Work Sans", Georgia, sans-serif; }\nHeadline font: Playfair Display (bold), Lora\n- **Typography:** Space Grotesk for headings and Inter for body\n'
                     'We set headings in Montserrat.\nFonts: our own, see the file') AS fonts;
SELECT orla.fonts_in('We met in Georgia. Futura is the future. Helvetica') AS none, orla.fonts_in('') AS empty, orla.fonts_in(NULL) AS nothing;
SELECT orla.fonts_in('Font: <script>alert(1)</script>, Evil"Font, X') AS no_markup;

-- ---------------------------------------------------------------------------
-- Ada saves a file
-- ---------------------------------------------------------------------------
SET orla.extract_pdf = '';
SET orla.extract_python = '';
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
\x on
BEGIN;
SELECT set_config('orla.tenant', :ada, true) IS NULL AS ignored \gset
SELECT user_id = :ada AS own, filename, category, file_type, file_path, content_preview, file_size_bytes, metadata
  FROM orla_api.save_asset('docs/Guide.md', 'guidelines', encode(convert_to(E'# Voice\nWarm. Colour #FF6B35.\nFont: Lora\n', 'UTF8'), 'base64'));
SELECT file_type, content_preview, metadata FROM orla_api.save_asset('voice.txt', 'voice_samples', encode('Colour #FF6B35', 'base64'));
-- Its bytes tell what it is, whatever it is called.
SELECT file_type, metadata FROM orla_api.save_asset('logo.png', 'logos', encode('%PDF-1.7', 'base64'));
SELECT file_type, metadata FROM orla_api.save_asset('guide.pdf', 'guidelines', encode('\x89504e470d0a1a0a0000000d49484452', 'base64'));
SELECT file_type, content_preview, metadata FROM orla_api.save_asset('nul.txt', 'voice_samples', encode('\x610062630a', 'base64'));
COMMIT;
\x off

-- In headers, as PostgREST hands them over.
BEGIN;
SELECT set_config('orla.tenant', :ada, true) IS NULL AS ignored \gset
SELECT set_config('request.headers', '{"x-filename": "Insights%20%E2%82%AC.csv", "x-category": "target_audience_insights"}', true) IS NULL AS ignored \gset
SELECT filename, category, file_type, file_size_bytes, content_preview FROM orla_api.upload_asset('age,n');
SELECT set_config('request.headers', '{"x-category": "logos"}', true) IS NULL AS ignored \gset
SELECT filename FROM orla_api.upload_asset('x');
SELECT set_config('request.headers', '{"x-filename": "a.txt"}', true) IS NULL AS ignored \gset
SELECT filename FROM orla_api.upload_asset('x');
SELECT set_config('request.headers', '', true) IS NULL AS ignored \gset
SELECT filename FROM orla_api.upload_asset('x');
COMMIT;

-- What is refused, and leaves nothing.
BEGIN;
SELECT set_config('orla.tenant', :ada, true) IS NULL AS ignored \gset
SELECT filename FROM orla_api.save_asset('a.txt', 'memes', 'YQ==');
SELECT filename FROM orla_api.save_asset('a.txt', NULL, 'YQ==');
SELECT filename FROM orla_api.save_asset('', 'logos', 'YQ==');
SELECT filename FROM orla_api.save_asset(repeat('x', 300), 'logos', 'YQ==');
SELECT filename FROM orla_api.save_asset('a.txt', 'logos', '');
SELECT filename FROM orla_api.save_asset('a.txt', 'logos', NULL);
SELECT filename FROM orla_api.save_asset('a.txt', 'logos', 'not base64!');
SELECT filename FROM orla_api.save_asset('a.txt', 'logos', 'YQ');
SELECT filename FROM orla_api.save_asset('a.txt', 'logos', 'data:text/plain;base64,YQ==');
SELECT filename FROM orla_api.upload_asset(NULL);
SET orla.max_upload = '1GB';
SELECT count(*) FROM orla_api.brand_voice_assets;
COMMIT;
BEGIN READ ONLY;
SELECT set_config('orla.tenant', :ada, true) IS NULL AS ignored \gset
SELECT filename FROM orla_api.save_asset('a.txt', 'logos', 'YQ==');
SELECT filename FROM orla_api.upload_asset('x');
ROLLBACK;
SELECT filename FROM orla_api.save_asset('a.txt', 'logos', 'YQ==');
SELECT filename FROM orla_api.upload_asset('x');
SELECT orla_api.brand_context();
SELECT orla_api.download_asset(:ada);
SET ROLE orla_anon;
SELECT filename FROM orla_api.save_asset('a.txt', 'logos', 'YQ==');
SELECT filename FROM orla_api.upload_asset('x');
SELECT orla_api.brand_context();
SELECT orla_api.download_asset(:ada);
SELECT orla_api.select_folders('dropbox', '[]');

-- ---------------------------------------------------------------------------
-- How large, how much
-- ---------------------------------------------------------------------------
RESET SESSION AUTHORIZATION;
SET orla.max_upload = 0;
SET orla.max_material = '2TB';
SET orla.max_upload = '1kB';
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
SET orla.max_upload = '1GB';
SET orla.max_material = '1GB';
BEGIN;
SELECT set_config('orla.tenant', :ben, true) IS NULL AS ignored \gset
SELECT file_size_bytes FROM orla_api.save_asset('a.txt', 'logos', encode(convert_to(repeat('a', 1024), 'UTF8'), 'base64'));
SELECT filename FROM orla_api.save_asset('a.txt', 'logos', encode(convert_to(repeat('a', 1025), 'UTF8'), 'base64'));
SELECT filename FROM orla_api.save_asset('a.txt', 'logos', repeat('!', 5000));
COMMIT;
RESET SESSION AUTHORIZATION;
-- By the length that a request says it has, before its bytes are handed over.
CREATE FUNCTION pg_temp.begins(path text, length text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('request.path', path, true), set_config('request.headers', jsonb_build_object('content-length', length)::text, true), orla.pre_request();
    RETURN 'goes on';
EXCEPTION WHEN SQLSTATE 'PT413' THEN
    RETURN SQLERRM;
END
$$;
SELECT path, length, pg_temp.begins(path, length)
  FROM (VALUES ('/rpc/upload_asset', '1024'), ('/rpc/upload_asset', '1025'), ('/rpc/upload_asset', '1073741824'), ('/rpc/upload_asset', repeat('9', 30)), ('/rpc/upload_asset', NULL),
               ('/rpc/upload_asset', 'x'), ('/rpc/save_asset', '1536'), ('/rpc/save_asset', '1073741824'), ('/content_library', '1073741824')) AS v (path, length);
SET orla.max_upload = '20kB';
SET orla.max_material = '10kB';
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
BEGIN;
SELECT set_config('orla.tenant', :ben, true) IS NULL AS ignored \gset
SELECT file_size_bytes FROM orla_api.save_asset('b.bin', 'logos', encode(decode(repeat('ff00', 4000), 'hex'), 'base64'));
SELECT file_size_bytes FROM orla_api.save_asset('c.bin', 'logos', encode(decode(repeat('ff00', 1000), 'hex'), 'base64'));
-- What is said of a file's size does not count, what is there does.
UPDATE orla_api.brand_voice_assets SET file_size_bytes = 0;
SELECT file_size_bytes FROM orla_api.save_asset('c.bin', 'logos', encode(decode(repeat('ff00', 1000), 'hex'), 'base64'));
DELETE FROM orla_api.brand_voice_assets WHERE filename = 'b.bin';
SELECT file_size_bytes FROM orla_api.save_asset('c.bin', 'logos', encode(decode(repeat('ff00', 1000), 'hex'), 'base64'));
COMMIT;
-- Ben's files take no room of Ada's.
BEGIN;
SELECT set_config('orla.tenant', :ada, true) IS NULL AS ignored \gset
SELECT file_size_bytes FROM orla_api.save_asset('c.bin', 'logos', encode(decode(repeat('ff00', 2000), 'hex'), 'base64'));
ROLLBACK;
RESET SESSION AUTHORIZATION;
RESET orla.max_upload;
RESET orla.max_material;

-- ---------------------------------------------------------------------------
-- All of it together, and one by one
-- ---------------------------------------------------------------------------
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
BEGIN;
SELECT set_config('orla.tenant', :ada, true) IS NULL AS ignored \gset
INSERT INTO orla_api.brand_strategy (brand_voice, brand_colors) VALUES ('{"tone": "warm"}', '{#000000}');
SELECT c -> 'colors', c -> 'fonts', c -> 'total', c #> '{strategy,brand_voice}', c -> 'strategy' ? 'user_id' AS told_who
  FROM orla_api.brand_context() AS c;
SELECT a.key, f ->> 'filename' AS filename, f -> 'text' AS text, f ->> 'text_outcome' AS outcome, f -> 'is_cut' AS cut
  FROM jsonb_each(orla_api.brand_context() -> 'assets') AS a CROSS JOIN jsonb_array_elements(a.value) AS f ORDER BY 1, 2;
-- It has an end, and takes what somebody wrote into metadata for what it is.
INSERT INTO orla_api.brand_voice_assets (filename, metadata, uploaded_at)
SELECT 'long ' || i, jsonb_build_object('full_text', repeat('é', 30000), 'colors', jsonb_build_object('a', 1), 'fonts', jsonb_build_array(1, repeat('x', 1000), 'Fine')), now() + i * interval '1 min'
  FROM generate_series(1, 12) AS i;
INSERT INTO orla_api.brand_voice_assets (filename, uploaded_at) SELECT 'many ' || i, now() - interval '1 day' FROM generate_series(1, 300) AS i;
SELECT c -> 'fonts' AS fonts, c -> 'total' AS total, (SELECT sum(jsonb_array_length(value)) FROM jsonb_each(c -> 'assets')) AS listed,
       (SELECT sum(length(f ->> 'text')) FROM jsonb_each(c -> 'assets') AS a CROSS JOIN jsonb_array_elements(a.value) AS f) AS letters,
       (SELECT count(*) FROM jsonb_each(c -> 'assets') AS a CROSS JOIN jsonb_array_elements(a.value) AS f WHERE f ? 'is_cut') AS cut
  FROM orla_api.brand_context() AS c;
ROLLBACK;
BEGIN;
SELECT set_config('orla.tenant', :ada, true) IS NULL AS ignored \gset
SELECT a.filename, encode(orla_api.download_asset(a.id), 'escape') AS content, current_setting('response.headers')::jsonb AS headers
  FROM orla_api.brand_voice_assets AS a WHERE a.filename IN ('Guide.md', 'guide.pdf') ORDER BY 1;
SELECT id AS of_ada FROM orla_api.brand_voice_assets WHERE filename = 'Guide.md' \gset
SELECT orla_api.download_asset(:ada);
COMMIT;
BEGIN;
SELECT set_config('orla.tenant', :ben, true) IS NULL AS ignored \gset
SELECT orla_api.download_asset(:'of_ada');
SELECT c #> '{assets,guidelines}' AS guidelines, c -> 'total' AS total, c -> 'strategy' AS strategy FROM orla_api.brand_context() AS c;
COMMIT;

-- ---------------------------------------------------------------------------
-- Folders of a connection
-- ---------------------------------------------------------------------------
RESET SESSION AUTHORIZATION;
INSERT INTO orla.user_cloud_storage_tokens (user_id, provider, is_active)
VALUES (:ada, 'dropbox', true), (:ben, 'dropbox', true), (:ada, 'onedrive', false);
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
BEGIN;
SELECT set_config('orla.tenant', :ada, true) IS NULL AS ignored \gset
SELECT orla_api.select_folders('dropbox', '[{"id": "b", "name": "Brand", "x": 1}, {"id": "a"}, {"id": "b", "name": "again"}]');
SELECT provider, selected_folders FROM orla_api.connections ORDER BY 1;
SELECT orla_api.select_folders('dropbox', '{}');
SELECT orla_api.select_folders('dropbox', NULL);
SELECT orla_api.select_folders('dropbox', '["a"]');
SELECT orla_api.select_folders('dropbox', '[{"name": "a"}]');
SELECT orla_api.select_folders('dropbox', '[{"id": 1}]');
SELECT orla_api.select_folders('dropbox', '[{"id": "a", "name": {}}]');
SELECT orla_api.select_folders('dropbox', jsonb_build_array(jsonb_build_object('id', repeat('x', 1001))));
SELECT orla_api.select_folders('dropbox', (SELECT jsonb_agg(jsonb_build_object('id', i::text)) FROM generate_series(1, 101) AS i));
SELECT jsonb_array_length(orla_api.select_folders('dropbox', (SELECT jsonb_agg(jsonb_build_object('id', i::text)) FROM generate_series(1, 100) AS i)) -> 'selected_folders');
SELECT orla_api.select_folders('onedrive', '[]');
SELECT orla_api.select_folders('nowhere', '[]');
COMMIT;
BEGIN;
SELECT set_config('orla.tenant', :ben, true) IS NULL AS ignored \gset
SELECT provider, selected_folders FROM orla_api.connections;
COMMIT;
SELECT orla_api.select_folders('dropbox', '[]');

-- They are of an account at the provider: the same again keeps them, another has others.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION pg_temp.connects(who uuid, account text) RETURNS text LANGUAGE sql AS $$
    SELECT orla.do_store_connection(jsonb_build_object(
               'state', jsonb_build_object('user_id', who, 'provider', 'dropbox', 'sent_at', now(), 'answer', '{"access_token": "a", "refresh_token": "r", "expires_in": 3600}'::jsonb),
               'response', jsonb_build_object('status', 200, 'body', jsonb_build_object('account_id', account, 'email', account || '@example.org')::text))) #>> '{answer,provider_email}'
$$;
BEGIN;
SELECT orla.configure_provider('dropbox', 'id', 'secret'), orla.create_tenant_key(:ada);
UPDATE orla.user_cloud_storage_tokens SET provider_user_id = 'one', selected_folders = '[{"id": "a"}]' WHERE provider = 'dropbox';
SELECT pg_temp.connects(:ada, 'one');
SELECT user_id = :ada AS own, provider_user_id, selected_folders FROM orla.user_cloud_storage_tokens WHERE provider = 'dropbox' ORDER BY own DESC;
SELECT pg_temp.connects(:ada, 'two');
SELECT user_id = :ada AS own, provider_user_id, selected_folders FROM orla.user_cloud_storage_tokens WHERE provider = 'dropbox' ORDER BY own DESC;
ROLLBACK;
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;

-- ---------------------------------------------------------------------------
-- What is computed
-- ---------------------------------------------------------------------------
BEGIN;
SELECT set_config('orla.tenant', :ada, true) IS NULL AS ignored \gset
SELECT count(*) FROM orla_api.content_statistics;
SELECT orla_api.competitor_summary(), orla_api.competitor_insights();
INSERT INTO orla_api.competitors (id, name) VALUES (:ada, 'Acme'), (:ben, 'Bolt');
INSERT INTO orla_api.competitor_analyses (competitor_id, threat_level, gaps_they_miss, marketing_they_do_well, content_opportunities, analyzed_at)
VALUES (:ada, 'low', '{old}', NULL, NULL, '2020-01-01'), (:ada, 'high', '{price,service}', '{reach}', '{guides}', '2021-01-01');
SELECT name, threat_level, gaps_they_miss, analyzed_at::date FROM orla_api.competitors_with_analysis ORDER BY name;
SELECT orla_api.competitor_summary() - 'newest_analysis' AS summary, orla_api.competitor_insights() AS insights;
INSERT INTO orla_api.content_library (id, title, content_type, status, media_url, created_at)
VALUES (:ada, 'Spring', 'blog', 'draft', 'http://x.example/1', now() - interval '8 days'), (:ben, 'Summer', 'video', 'published', NULL, now());
SELECT total, drafts, scheduled, published, archived, blogs, carousels, social, videos, created_this_week FROM orla_api.content_statistics;
INSERT INTO orla_api.content_calendar (content_id, title, scheduled_date, status)
VALUES (:ada, NULL, now() + interval '1 day', 'scheduled'), (:ben, 'Own title', now() + interval '2 days', 'scheduled'), (NULL, 'Far', now() + interval '99 years', 'scheduled'),
       (NULL, 'Over', now() - interval '2 hours', 'scheduled'), (NULL, 'Cancelled', now() + interval '1 day', 'cancelled');
SELECT title, content_type, media_url FROM orla_api.upcoming_calendar ORDER BY scheduled_date;
-- What is planned is to come, and near enough for somebody to see it.
INSERT INTO orla_api.content_calendar (title, scheduled_date) VALUES ('x', now() - interval '25 hours');
INSERT INTO orla_api.content_calendar (title, scheduled_date) VALUES ('x', '20000-01-01');
INSERT INTO orla_api.content_calendar (title, scheduled_date) VALUES ('x', 'infinity');
INSERT INTO orla_api.content_calendar (title, scheduled_date) VALUES ('x', '-infinity');
INSERT INTO orla_api.content_calendar (title, scheduled_date) VALUES ('x', 'nonsense');
INSERT INTO orla_api.content_calendar (title, scheduled_date, status) VALUES ('Was', '2020-01-01', 'published');
UPDATE orla_api.content_calendar SET status = 'scheduled' WHERE title = 'Was';
UPDATE orla_api.content_calendar SET scheduled_date = now() - interval '2 years' WHERE title = 'Far';
SELECT title, status FROM orla_api.content_calendar WHERE title IN ('x', 'Was', 'Far') AND (status = 'published' OR scheduled_date > now()) ORDER BY title;
-- What is over may be changed, and stays when it is brought from elsewhere.
COMMIT;
RESET SESSION AUTHORIZATION;
INSERT INTO orla.content_calendar (user_id, title, scheduled_date) VALUES (:ada, 'Long ago', '2020-01-01 10:00:30+00');
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
BEGIN;
SELECT set_config('orla.tenant', :ada, true) IS NULL AS ignored \gset
UPDATE orla_api.content_calendar SET notes = 'n', status = 'scheduled', scheduled_date = '2020-01-01 10:00+00' WHERE title = 'Long ago' RETURNING notes;
UPDATE orla_api.content_calendar SET status = 'published' WHERE title = 'Long ago' RETURNING status;
UPDATE orla_api.competitors_with_analysis SET name = 'x';
DELETE FROM orla_api.content_statistics;
INSERT INTO orla_api.upcoming_calendar (title) VALUES ('x');
COMMIT;
BEGIN;
SELECT set_config('orla.tenant', :ben, true) IS NULL AS ignored \gset
SELECT (SELECT count(*) FROM orla_api.competitors_with_analysis), (SELECT count(*) FROM orla_api.content_statistics), (SELECT count(*) FROM orla_api.upcoming_calendar);
SELECT orla_api.competitor_summary() -> 'competitors' AS competitors, orla_api.competitor_insights() -> 'gaps' AS gaps;
COMMIT;
SELECT (SELECT count(*) FROM orla_api.competitors_with_analysis), (SELECT count(*) FROM orla_api.content_statistics), (SELECT count(*) FROM orla_api.upcoming_calendar);

\set ON_ERROR_ROLLBACK off
\i test/fixtures/tenants_drop.sql
