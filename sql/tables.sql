--
-- The tables: what they take, what they refuse, what goes with an account.
--
\i test/fixtures/tenants.sql

-- The detail would be the failing row, with times and random ids in it.
\set VERBOSITY terse

-- One line per value that is refused, beside one that is taken (way 88).
INSERT INTO orla.users (name, email, password_hash) VALUES ('x', 'X@example.org', '$argon2id$');
INSERT INTO orla.users (name, email, password_hash) VALUES ('x', 'ada@example.org', '$argon2id$');
INSERT INTO orla.users (name, email, password_hash) VALUES ('x', 'x@example.org', 'secret');
INSERT INTO orla.users (name, email, password_hash) VALUES ('x', repeat('x', 1001), '$argon2id$');
INSERT INTO orla.users (name, email, password_hash, role) VALUES ('x', 'x@example.org', '$2b$12$', 'superuser');
INSERT INTO orla.users (name, email, password_hash, plan) VALUES ('x', 'x@example.org', '$2b$12$', 'gold');
INSERT INTO orla.users (name, email, password_hash, reset_token) VALUES ('x', 'x@example.org', '$2b$12$', 'clear text');
BEGIN;
INSERT INTO orla.users (name, email, password_hash) VALUES ('x', 'x@example.org', '$2b$12$')
RETURNING role, plan, is_active, email_verified, timezone;
ROLLBACK;

INSERT INTO orla.pending_registrations (email, name, password_hash, token_hash, expires_at)
VALUES ('x@example.org', 'x', '$2b$12$', repeat('0', 64), 'infinity');
INSERT INTO orla.pending_registrations (email, name, password_hash, token_hash, expires_at)
VALUES ('x@example.org', 'x', '$argon2id$', 'token', 'infinity');
INSERT INTO orla.tenant_keys (user_id, wrapped_key, key_id) VALUES (:ada, 'short', '0123456789abcdef');
INSERT INTO orla.tenant_keys (user_id, wrapped_key, key_id) VALUES (:ada, decode(repeat('00', 48), 'hex'), 'key');
INSERT INTO orla.sign_in_attempts (address_digest, origin_digest) VALUES ('ada@example.org', '127.0.0.1');
INSERT INTO orla.instance (singleton, keyring_id) VALUES (false, gen_random_uuid());
INSERT INTO orla.audit_log (event_type, event_status) VALUES ('x', 'maybe');
INSERT INTO orla.audit_log (event_type, mac) VALUES ('x', 'short');
INSERT INTO orla.audit_batches (seq, row_count, rows_digest, digest, mac_key_id)
VALUES (0, 0, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'), 'k');
INSERT INTO orla.jobs (user_id, kind, status) VALUES (:ada, 'x', 'lost');
INSERT INTO orla.jobs (user_id, kind, progress) VALUES (:ada, 'x', 101);
INSERT INTO orla.providers (name, client_id) VALUES ('Drive!', 'x');
-- clear text where a sealed value belongs
INSERT INTO orla.user_cloud_storage_tokens (user_id, provider, access_token)
VALUES (:ada, 'google_drive', 'ya29.a0AfH6SMBx-a-token-as-the-provider-gave-it');
INSERT INTO orla.user_cloud_storage_tokens (user_id, provider, refresh_token) VALUES (:ada, 'google_drive', '\x01');
INSERT INTO orla.oauth_states (user_id, state_hash, provider, session_id, redirect_uri, code_verifier)
VALUES (:ada, repeat('0', 64), 'google_drive', gen_random_uuid(), 'http://localhost/callback', 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk');

-- Keys between tables of tenants carry the tenant: Ben's rows cannot hang on Ada's (ways 30 and 31).
INSERT INTO orla.sessions (user_id, id, expires_at) VALUES (:ada, :ada, 'infinity');
INSERT INTO orla.refresh_tokens (user_id, session_id, token_hash, expires_at) VALUES (:ben, :ada, repeat('a', 64), 'infinity');
INSERT INTO orla.refresh_tokens (user_id, session_id, token_hash, expires_at) VALUES (:ada, :ada, repeat('a', 64), 'infinity');
INSERT INTO orla.refresh_tokens (user_id, session_id, token_hash, expires_at) VALUES (:ada, :ada, repeat('a', 64), 'infinity');
INSERT INTO orla.competitors (user_id, id, name) VALUES (:ada, :ada, 'Acme');
INSERT INTO orla.competitor_analyses (user_id, competitor_id) VALUES (:ben, :ada);
INSERT INTO orla.content_library (user_id, id, title) VALUES (:ada, :ada, 'Spring');
INSERT INTO orla.content_calendar (user_id, content_id, scheduled_date) VALUES (:ben, :ada, 'infinity');
INSERT INTO orla.published_posts (user_id, content_id) VALUES (:ben, :ada);
-- The same id in another tenant is another row.
INSERT INTO orla.content_library (user_id, id, title) VALUES (:ben, :ada, 'Autumn');
INSERT INTO orla.brand_strategy (user_id) VALUES (:ada);
INSERT INTO orla.brand_strategy (user_id) VALUES (:ada);

-- Deleting an account takes every row along; the audit trail stays, nameless.
INSERT INTO orla.tenant_keys (user_id, wrapped_key, key_id) VALUES (:ada, decode(repeat('00', 60), 'hex'), '0123456789abcdef');
INSERT INTO orla.oauth_states (user_id, state_hash, provider, session_id, redirect_uri, code_verifier)
VALUES (:ada, repeat('0', 64), 'google_drive', :ada, 'http://localhost/callback', decode(repeat('01', 60), 'hex'));
INSERT INTO orla.user_cloud_storage_tokens (user_id, provider, access_token)
VALUES (:ada, 'google_drive', decode(repeat('01', 60), 'hex'));
INSERT INTO orla.jobs (user_id, kind) VALUES (:ada, 'x');
INSERT INTO orla.tenant_grants (analyst, user_id) VALUES ('regress_orla_analyst', :ada);
INSERT INTO orla.outbox (user_id, to_address, subject, template) VALUES (:ada, 'ada@example.org', 'x', 'x');
INSERT INTO orla.competitor_analyses (user_id, competitor_id) VALUES (:ada, :ada);
INSERT INTO orla.content_calendar (user_id, content_id, scheduled_date) VALUES (:ada, :ada, 'infinity');
INSERT INTO orla.published_posts (user_id, content_id) VALUES (:ada, :ada);
INSERT INTO orla.brand_voice_assets (user_id, filename) VALUES (:ada, 'voice.md');
INSERT INTO orla.audit_log (user_id, event_type) VALUES (:ada, 'regress_tables');
CREATE FUNCTION pg_temp.rows_of(tenant uuid) RETURNS TABLE (relation text, rows bigint) LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
              WHERE c.relnamespace = 'orla'::regnamespace AND c.relkind = 'r' AND a.attname = 'user_id'
              ORDER BY c.relname COLLATE "C"
    LOOP
        EXECUTE format('SELECT %L, count(*) FROM orla.%I WHERE user_id = $1', r.relname, r.relname)
           INTO relation, rows USING tenant;
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT * FROM pg_temp.rows_of(:ada) WHERE rows <> 1;	-- the test has a row in each
DELETE FROM orla.users WHERE id = :ada;
SELECT * FROM pg_temp.rows_of(:ada) WHERE rows > 0;
SELECT title FROM orla.content_library WHERE user_id = :ben;
SELECT user_id, event_status FROM orla.audit_log WHERE event_type = 'regress_tables';

-- The owner may add to the audit trail and not change it (way 94).
SET ROLE orla_service;
UPDATE orla.audit_log SET event_type = 'x' WHERE event_type = 'regress_tables';
UPDATE orla.audit_batches SET row_count = 0;
RESET ROLE;
DELETE FROM orla.audit_log WHERE event_type = 'regress_tables';

-- Operators see states, not secrets.
SET SESSION AUTHORIZATION regress_orla_operator;
SELECT name, email, plan, is_active FROM orla.users WHERE email = 'ben@example.org';
SELECT password_hash FROM orla.users;
SELECT reset_token FROM orla.users;
SELECT stripe_customer_id FROM orla.users;
SELECT sealed_token FROM orla.outbox;
SELECT client_secret FROM orla.providers;
SELECT ip_address FROM orla.sessions;
SELECT sealed_personal FROM orla.audit_log;
SELECT * FROM orla.refresh_tokens;
SELECT * FROM orla.tenant_keys;
SELECT * FROM orla.content_library;
UPDATE orla.users SET plan = 'enterprise';
INSERT INTO orla.tenant_grants (analyst, user_id) VALUES ('regress_orla_operator', :ben);
DELETE FROM orla.audit_log;
RESET SESSION AUTHORIZATION;

\i test/fixtures/tenants_drop.sql
