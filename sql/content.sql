--
-- Content through the exposed views: each tenant its own rows.
--
\i test/fixtures/tenants.sql

-- Nobody proven: no rows, no error, and nothing to write.
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
SELECT count(*) FROM orla_api.content_library;
UPDATE orla_api.content_library SET title = 'x';
DELETE FROM orla_api.content_library;
INSERT INTO orla_api.content_library (title) VALUES ('x');
INSERT INTO orla_api.content_library (user_id, title) VALUES (:ada, 'x');

-- Ada, without ever naming herself.
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
INSERT INTO orla_api.content_library (id, title, content_type, content, tags, updated_at)
VALUES (:ada, 'Spring Sale', 'blog', 'A letter to gardeners', '{Garden,"early bird"}', '2020-01-01')
RETURNING user_id, status, metadata, updated_at::date;
INSERT INTO orla_api.competitors (id, name) VALUES (:ada, 'Acme');
INSERT INTO orla_api.competitor_analyses (competitor_id, threat_level) VALUES (:ada, 'low');
INSERT INTO orla_api.content_calendar (content_id, title, scheduled_date) VALUES (:ada, 'Send it', '2030-01-01');
INSERT INTO orla_api.published_posts (content_id, platform) VALUES (:ada, 'web');
INSERT INTO orla_api.brand_voice_assets (filename, category) VALUES ('voice.md', 'voice_samples');
INSERT INTO orla_api.brand_strategy (brand_voice) VALUES ('{"tone": "warm"}');
COMMIT;

-- Ben sees nothing of it, by any means.
BEGIN;
SELECT set_config('orla.tenant', :ben, true);
SELECT count(*) FROM orla_api.content_library;
SELECT count(*) FROM orla_api.content_library WHERE id = :ada;
SELECT count(*) FROM orla.content_library;
UPDATE orla_api.content_library SET title = 'mine' WHERE id = :ada;
DELETE FROM orla_api.content_library WHERE id = :ada;
UPDATE orla_api.content_calendar SET title = 'mine';
DELETE FROM orla_api.competitors;
SELECT count(*) FROM orla_api.brand_strategy;
COMMIT;
-- Nor can he write into her rows, hang on to them, or give his away (way 29).
BEGIN;
SELECT set_config('orla.tenant', :ben, true);
INSERT INTO orla_api.content_library (user_id, title) VALUES (:ada, 'forged');
ROLLBACK;
BEGIN;
SELECT set_config('orla.tenant', :ben, true);
INSERT INTO orla_api.content_calendar (content_id, scheduled_date) VALUES (:ada, '2030-01-01');
ROLLBACK;
BEGIN;
SELECT set_config('orla.tenant', :ben, true);
INSERT INTO orla_api.content_library (title) VALUES ('Ben''s') RETURNING title;
UPDATE orla_api.content_library SET user_id = :ada;
ROLLBACK;
-- An upsert on her key makes a row of his own: the key has the tenant in it (way 33).
BEGIN;
SELECT set_config('orla.tenant', :ben, true);
INSERT INTO orla_api.content_library (id, title) VALUES (:ada, 'Ben''s own')
ON CONFLICT (user_id, id) DO UPDATE SET title = 'overwritten';
SELECT title FROM orla_api.content_library;
INSERT INTO orla_api.content_library (id, title) VALUES (:ada, 'again')
ON CONFLICT (user_id, id) DO UPDATE SET title = 'second';
SELECT title FROM orla_api.content_library;
ROLLBACK;
BEGIN;
SELECT set_config('orla.tenant', :ben, true);
INSERT INTO orla_api.content_library (user_id, id, title) VALUES (:ada, :ada, 'x')
ON CONFLICT (user_id, id) DO UPDATE SET title = 'overwritten';
ROLLBACK;
BEGIN;
SELECT set_config('orla.tenant', :ben, true);
INSERT INTO orla_api.content_library (user_id, id, title) VALUES (:ada, :ada, 'x') ON CONFLICT DO NOTHING;
ROLLBACK;

-- Ada changes and deletes hers.
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
SELECT title, user_id = orla.current_tenant() AS own FROM orla_api.content_library;
UPDATE orla_api.content_library SET status = 'published', updated_at = '2020-01-01'
RETURNING status, updated_at = now() AS touched;
SELECT c.title, l.title FROM orla_api.content_calendar c JOIN orla_api.content_library l
    ON l.user_id = c.user_id AND l.id = c.content_id;
DELETE FROM orla_api.content_library WHERE id = :ada;
SELECT content_id, title, updated_at = now() AS touched FROM orla_api.content_calendar;
SELECT content_id, platform FROM orla_api.published_posts;
DELETE FROM orla_api.competitors;
SELECT count(*) FROM orla_api.competitor_analyses;
INSERT INTO orla_api.brand_strategy (user_id, brand_voice) VALUES (:ada, '{"tone": "cool"}')
ON CONFLICT (user_id) DO UPDATE SET brand_voice = excluded.brand_voice RETURNING brand_voice;
ROLLBACK;
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
INSERT INTO orla_api.brand_strategy (brand_voice) VALUES ('{}');	-- one per tenant
ROLLBACK;

-- The words for the search are kept up to date, and are not the tenant's to set.
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
SELECT search FROM orla.content_library;
UPDATE orla.content_library SET search = '''forged''';
SELECT search FROM orla.content_library;
UPDATE orla_api.content_library SET tags = '{News}', title = 'Harvest';
SELECT search FROM orla.content_library;
UPDATE orla_api.content_library SET tags = ARRAY[NULL, '', 'x''y', repeat('é', 3000)], title = '';
SELECT length(search), ts_rank(search, '''#x''''y''') > 0 AS tag_found FROM orla.content_library;
SELECT * FROM orla_api.content_library WHERE search IS NOT NULL;	-- not in the view
ROLLBACK;

-- Values that no column takes.
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
\set ON_ERROR_ROLLBACK on
INSERT INTO orla_api.content_library (title) VALUES (NULL);
INSERT INTO orla_api.content_library (title) VALUES (repeat('x ', 4001));
INSERT INTO orla_api.content_library (title, content_type) VALUES ('x', 'podcast');
INSERT INTO orla_api.content_library (title, status) VALUES ('x', 'lost');
INSERT INTO orla_api.content_library (title, tags) VALUES ('x', array_fill('tag'::text, ARRAY[10000]));
INSERT INTO orla_api.content_library (user_id, title) VALUES (NULL, 'x');
INSERT INTO orla_api.brand_voice_assets (filename, category) VALUES ('x', 'memes');
INSERT INTO orla_api.competitor_analyses (competitor_id, threat_level) VALUES (:ada, 'extreme');
INSERT INTO orla_api.content_calendar (scheduled_date, status) VALUES ('2030-01-01', 'draft');
\set ON_ERROR_ROLLBACK off
ROLLBACK;

-- Content as large as the words' vector can take, in the ways that fill it most.
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
INSERT INTO orla_api.content_library (title, content)
SELECT 'words', string_agg(md5(i::text), ' ') FROM generate_series(1, 20000) i;
INSERT INTO orla_api.content_library (title, content)
SELECT 'hyphens', string_agg(substr(md5(i::text), 1, 3) || '-' || substr(md5(i::text), 4, 3), ' ') FROM generate_series(1, 50000) i;
INSERT INTO orla_api.content_library (title, content)
SELECT 'addresses', string_agg(format('%s.org/%s', substr(md5(i::text), 1, 8), substr(md5(i::text), 9, 8)), ' ') FROM generate_series(1, 50000) i;
SET LOCAL client_min_messages = warning;
INSERT INTO orla_api.content_library (title, content)
SELECT 'four bytes a letter', string_agg(chr(131072 + i % 40000) || chr(131072 + i / 7) || '-' || chr(131072 + i % 39000), ' ') FROM generate_series(1, 60000) i;
SELECT title, octet_length(content) > 500000 AS large FROM orla_api.content_library ORDER BY title;
ROLLBACK;

-- A gateway acts for tenants like a tenant's own role; anonymous requests do not (way 68).
RESET ROLE;
SET ROLE orla_gateway;
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
SELECT title FROM orla_api.content_library;
INSERT INTO orla_api.competitors (name) VALUES ('Bolt') RETURNING user_id;
ROLLBACK;
SELECT count(*) FROM orla_api.content_library;
SET ROLE orla_anon;
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
SELECT title FROM orla_api.content_library;
ROLLBACK;

-- What is kept for tenants: their own, read-only, without secrets.
RESET SESSION AUTHORIZATION;
INSERT INTO orla.user_cloud_storage_tokens (user_id, provider, provider_email, access_token, scopes)
VALUES (:ada, 'google_drive', 'ada@gmail.example', decode(repeat('01', 60), 'hex'), '{drive.readonly}');
INSERT INTO orla.jobs (user_id, kind) VALUES (:ada, 'analyze_brand');
INSERT INTO orla.audit_log (user_id, event_type, metadata) VALUES (:ada, 'regress_content', '{"n": 1}');
SET SESSION AUTHORIZATION regress_orla_door;
SET ROLE orla_user;
BEGIN;
SELECT set_config('orla.tenant', :ada, true);
SELECT provider, connected, provider_email, status, scopes, last_error FROM orla_api.connections;
SELECT kind, status, progress, result_id, error FROM orla_api.my_jobs;
SELECT event_type, event_status, metadata FROM orla_api.my_audit_log;
SELECT name, plan FROM orla.users;
\set ON_ERROR_ROLLBACK on
SELECT access_token FROM orla.user_cloud_storage_tokens;
SELECT password_hash FROM orla.users;
SELECT 1 FROM orla.users WHERE email = 'ben@example.org';
SELECT mac FROM orla.audit_log;
SELECT * FROM orla.sessions;
UPDATE orla_api.connections SET provider_email = 'x';
DELETE FROM orla_api.my_audit_log;
INSERT INTO orla_api.my_jobs (kind) VALUES ('x');
UPDATE orla.users SET plan = 'enterprise';
\set ON_ERROR_ROLLBACK off
ROLLBACK;
BEGIN;
SELECT set_config('orla.tenant', :ben, true);
SELECT count(*) FROM orla_api.connections;
SELECT count(*) FROM orla_api.my_jobs;
SELECT count(*) FROM orla_api.my_audit_log;
SELECT name FROM orla.users;
ROLLBACK;
RESET SESSION AUTHORIZATION;
DELETE FROM orla.audit_log WHERE event_type = 'regress_content';

\i test/fixtures/tenants_drop.sql
