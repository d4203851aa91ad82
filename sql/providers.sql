--
-- Providers of cloud storage as operators configure them, and what their answers
-- mean: the functions that ask nobody.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_providers;
\c orla_providers
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
\i test/fixtures/signed_in.sql
RESET client_min_messages;

-- ---------------------------------------------------------------------------
-- What is known without a row
-- ---------------------------------------------------------------------------
SELECT p.provider, f.key, f.value
  FROM unnest('{dropbox,google_drive,onedrive}'::text[]) AS p (provider), jsonb_each(orla.provider_defaults(p.provider)) AS f
 ORDER BY 1, 2;
SELECT orla.provider_defaults('box') IS NULL AS box, orla.provider_defaults(NULL) IS NULL AS none;
-- They keep the rules that operators have to keep.
SELECT p.provider, orla.provider_problem(orla.provider_defaults(p.provider)) FROM unnest('{dropbox,google_drive,onedrive}'::text[]) AS p (provider);
SELECT orla.provider_facts('dropbox');
SELECT orla.provider_facts('box');
SELECT orla.provider_facts(NULL);

-- ---------------------------------------------------------------------------
-- configure_provider
-- ---------------------------------------------------------------------------
SET ROLE orla_admin;
SELECT orla.configure_provider('dropbox', 'key', 'secret');
SELECT name, client_id, overrides FROM orla.providers;
SELECT client_secret FROM orla.providers;
SELECT orla.configure_provider('Dropbox', 'key', 'secret');
SELECT orla.configure_provider('drop box', 'key', 'secret');
SELECT orla.configure_provider('', 'key', 'secret');
SELECT orla.configure_provider(repeat('x', 64), 'key', 'secret');
SELECT orla.configure_provider(NULL, 'key', 'secret');
SELECT orla.configure_provider('dropbox', '', 'secret');
SELECT orla.configure_provider('dropbox', NULL, 'secret');
RESET ROLE;
SET ROLE orla_user;
SELECT orla.configure_provider('dropbox', 'key', 'secret');
RESET ROLE;
SET ROLE orla_gateway;
SELECT orla.configure_provider('dropbox', 'key', 'secret');
RESET ROLE;

-- What each of these overrides is told.
CREATE FUNCTION test.told(name text, overrides jsonb)
    RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    detail text;
BEGIN
    PERFORM orla.configure_provider(name, 'key', 'secret', overrides);
    RETURN 'taken';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', SQLSTATE, SQLERRM || ':', detail);
END
$$;
SELECT o.n, test.told('dropbox', o.overrides) FROM (VALUES
    (1, '{}'::jsonb),
    (2, NULL),
    (3, '{"label": "Box of drops"}'),
    (4, '{"label": 7}'),
    (5, '{"colour": "blue"}'),
    (6, '[]'),
    (7, '"text"'),
    (8, '{"scopes": "files.read"}'),
    (9, '{"scopes": ["files.read", 7]}'),
    (10, '{"scopes": []}'),
    (11, '{"authorize_params": []}'),
    (12, '{"token_url": "https://evil.example/token"}'),
    (13, '{"token_url": "https://api.dropboxapi.com.evil.example/token"}'),
    (14, '{"token_url": "https://api.dropboxapi.com@evil.example/token"}'),
    (15, '{"token_url": "http://api.dropboxapi.com/token"}'),
    (16, '{"token_url": "ftp://api.dropboxapi.com/token"}'),
    (17, '{"token_url": "javascript:alert(1)"}'),
    (18, '{"token_url": null}'),
    (19, '{"token_url": ""}'),
    (20, '{"token_url": "http://127.0.0.1:1/token", "hosts": ["127.0.0.1", "www.dropbox.com", "api.dropboxapi.com", "content.dropboxapi.com"]}'),
    (21, '{"hosts": ["api.dropboxapi.com"]}'),
    (22, '{"hosts": []}'),
    (23, '{"redirect_path": "/back/dropbox"}'),
    (24, '{"redirect_path": "https://evil.example/"}'),
    (25, '{"redirect_path": "/back?x=1"}'),
    (26, '{"revoke_with": "hope"}'),
    (27, '{"revoke_reach": "world"}'),
    (28, '{"account_method": "DELETE"}'),
    (29, '{"files": "ftp"}'),
    (30, '{"files": null}'),
    (31, '{"issuer": null}')
  ) AS o (n, overrides) ORDER BY n;
-- This machine itself, where an operator allows it.
SET orla.allow_loopback_http = on;
SELECT test.told('dropbox', '{"token_url": "http://127.0.0.1:1/token", "hosts": ["127.0.0.1", "www.dropbox.com", "api.dropboxapi.com", "content.dropboxapi.com"]}');
SELECT test.told('dropbox', '{"token_url": "http://10.0.0.1/token", "hosts": ["10.0.0.1", "www.dropbox.com", "api.dropboxapi.com", "content.dropboxapi.com"]}');
RESET orla.allow_loopback_http;
-- One of one's own.
SELECT test.told('acme', '{}');
SELECT test.told('acme', '{"authorize_url": "https://id.acme.example/auth"}');
SELECT test.told('acme', '{"authorize_url": "https://id.acme.example/auth", "token_url": "https://id.acme.example/token", "hosts": ["id.acme.example"], "scopes": ["files"]}');
SELECT orla.provider_facts('acme');
SELECT orla.redirect_uri(orla.provider_facts('acme')), orla.redirect_uri(orla.provider_facts('acme') || '{"redirect_path": "/back"}');

-- The secret is sealed, for this provider, and is replaced with the rest.
SELECT orla.configure_provider('dropbox', 'key', 'another secret');
SELECT orla.client_secret('dropbox'), get_byte(client_secret, 0) AS format FROM orla.providers WHERE name = 'dropbox';
SELECT orla.configure_provider('dropbox', 'key', NULL);
SELECT orla.client_secret('dropbox') IS NULL AS public;
SELECT count(*) > 0 AS traces, bool_and(metadata ? 'by' AND NOT metadata::text LIKE '%secret%') AS without_secrets FROM orla.audit_log WHERE event_type = 'configure_provider';

-- ---------------------------------------------------------------------------
-- Requests
-- ---------------------------------------------------------------------------
SELECT orla.configure_provider('dropbox', 'key', 's&=+ %/é');
SELECT jsonb_pretty(orla.refresh_request(orla.provider_facts('dropbox'), 'M.C5_*!$'));
SELECT v, orla.percent_encode(v) FROM unnest('{"",abc,"a b","~-._","*!$''()","é",秘密,🦊,"%41","a&b=c","/?#"}'::text[]) AS v;
SELECT orla.url_query('{"a": "b c", "d&": "e=f", "n": null, "z": 7}');
SELECT u, orla.host_of(u) FROM unnest('{https://a.example/x,https://A.Example:443,http://127.0.0.1:80/,"https://[::1]:9/",https://a@b.example/,https://a.example#x,//a.example/,https:a,"https://a.example\\b"}'::text[]) AS u;
-- RFC 7636, appendix B
SELECT orla.code_challenge('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk');
CREATE FUNCTION test.leads_out(path text) RETURNS boolean LANGUAGE plpgsql
    AS $$ BEGIN PERFORM orla.check_return_to(path); RETURN false; EXCEPTION WHEN invalid_parameter_value THEN RETURN true; END $$;
SELECT p, test.leads_out(p) FROM unnest('{/,/settings,"/settings?tab=files#drive",/a//b,//evil.example,/\\\\evil.example,https://evil.example,settings,"/a b","/é",/@evil.example,/%2f%2fevil.example,""}'::text[]) AS p;
SELECT orla.check_return_to(NULL) IS NULL AS none, orla.check_return_to('/settings?tab=files');
SELECT orla.check_return_to('//evil.example');
SELECT orla.check_return_to(E'/a\r\nSet-Cookie: x');

-- ---------------------------------------------------------------------------
-- Answers of a token endpoint
-- ---------------------------------------------------------------------------
SELECT r.n, orla.token_outcome(r.response), orla.response_problem(r.response)
  FROM (VALUES
    (1, '{"status": 200, "body": "{\"access_token\": \"x\", \"token_type\": \"bearer\"}"}'::jsonb),
    (2, '{"status": 200, "body": "{\"access_token\": \"x\", \"token_type\": \"Bearer\"}"}'),
    (3, '{"status": 200, "body": "{\"access_token\": \"x\"}"}'),
    (4, '{"status": 200, "body": "{\"access_token\": \"x\", \"token_type\": \"mac\"}"}'),
    (5, '{"status": 200, "body": "{\"access_token\": \"\"}"}'),
    (6, '{"status": 200, "body": "{\"access_token\": 7}"}'),
    (7, '{"status": 200, "body": "{\"access_token\": null}"}'),
    (8, '{"status": 200, "body": "{\"error\": \"invalid_grant\"}"}'),
    (9, '{"status": 200, "body": ""}'),
    (10, '{"status": 200, "body": "<html>"}'),
    (11, '{"status": 200, "body": "[]"}'),
    (12, '{"status": 200, "body": "{\"access_token\": \"x"}'),
    (13, '{"status": 200, "body": "{\"access_token\": \"a\\u0000b\"}"}'),
    (14, '{"status": 200, "body_base64": "e30="}'),
    (15, '{"status": 400, "body": "{\"error\": \"invalid_grant\", \"error_description\": \"1//secret\"}"}'),
    (16, '{"status": 401, "body": "{\"error\": \"invalid_grant\"}"}'),
    (17, '{"status": 403, "body": "{\"error\": \"invalid_grant\"}"}'),
    (18, '{"status": 500, "body": "{\"error\": \"invalid_grant\"}"}'),
    (19, '{"status": 429, "body": "{\"error\": \"invalid_grant\"}"}'),
    (20, '{"status": 400, "body": "{\"error\": \"interaction_required\", \"error_codes\": [50076]}"}'),
    (21, '{"status": 400, "body": "{\"error\": \"invalid_grant\", \"error_codes\": [700082]}"}'),
    (22, '{"status": 400, "body": "{\"error\": \"invalid_grant\", \"error_codes\": [50196]}"}'),
    (23, '{"status": 400, "body": "{\"error\": \"invalid_grant\", \"error_codes\": [\"1//secret\"]}"}'),
    (24, '{"status": 400, "body": "{\"error\": \"invalid_grant\", \"error_codes\": \"all\"}"}'),
    (25, '{"status": 401, "body": "{\"error\": \"invalid_client\"}"}'),
    (26, '{"status": 400, "body": "{\"error\": \"unauthorized_client\"}"}'),
    (27, '{"status": 400, "body": "{\"error\": \"invalid_scope\"}"}'),
    (28, '{"status": 400, "body": "{\"error\": \"redirect_uri_mismatch\"}"}'),
    (29, '{"status": 400, "body": "{\"error\": \"temporarily_unavailable\"}"}'),
    (30, '{"status": 400, "body": "{\"error\": \"something else\"}"}'),
    (31, '{"status": 400, "body": "{\"error\": {\"code\": 400}}"}'),
    (32, '{"status": 400, "body": "Error in call to API function"}'),
    (33, '{"status": 301, "body": ""}'),
    (34, '{"status": null, "failure": "timeout", "message": "host a.example did not answer in time"}'),
    (35, '{"status": null, "failure": "refused", "message": "host a.example is not allowed"}'),
    (36, '{"status": null, "failure": "too_large"}'),
    (37, '{}'),
    (38, 'null')
  ) AS r (n, response) ORDER BY n;
SELECT o, orla.outcome_words(o, '{"status": 400, "body": "{\"error\": \"invalid_grant\"}"}') FROM unnest('{reconnect,operator,retry}'::text[]) AS o;
SELECT v, orla.token_lifetime(jsonb_build_object('expires_in', v)) FROM unnest(ARRAY['3600', '"1200"', '1', '0', '-1', '3599.9', '1e30', '999999999', '1e3', '"soon"', 'true', '{}', '[60]', 'null']::jsonb[]) AS v;
SELECT orla.token_lifetime('{}');
SELECT h, orla.retry_after(jsonb_build_object('headers', jsonb_build_object('retry-after', h))) AS seconds
  FROM unnest(ARRAY['0', '7', '86401', '9999999999', '-5', '1.5', 'soon', '', 'Wed, 21 Oct 2015 07:28:00 GMT', NULL]) AS h;
SELECT orla.retry_after('{}') IS NULL AS none,
       orla.retry_after(jsonb_build_object('headers', jsonb_build_object('retry-after',
           to_char((now() + interval '90 seconds') AT TIME ZONE 'UTC', 'Dy, DD Mon YYYY HH24:MI:SS') || ' GMT'))) BETWEEN 88 AND 91 AS date;
SELECT orla.missing_scopes('["openid", "offline_access", "email", "https://a.example/auth/drive.readonly", "User.Read"]', g)
  FROM (VALUES ('{}'::text[]), ('{user.read}'), ('{https://graph.example/User.Read,drive.readonly}'), ('{https://a.example/auth/drive}')) AS v (g);
SELECT orla.first_text('{"a": null, "b": {"x": 1}, "c": "", "d": 7, "e": "seven"}', k) FROM unnest(ARRAY['["a", "b", "d"]', '["e", "d"]', '["c", "e"]', '[]', '["z"]', NULL]::jsonb[]) AS k;

-- Values that another key or purpose has sealed are a result, not an error.
SELECT secret, regexp_replace(problem, '"[0-9a-f]{16}"', '<key>') AS problem
  FROM (VALUES (orla.seal('s', :ada, 'p')), (orla.seal('s', :ben, 'p')), (orla.seal('s', :ada, 'q')), ('\x01'), (NULL)) AS v (sealed), orla.try_unseal(v.sealed, :ada, 'p');

-- ---------------------------------------------------------------------------
-- Where there is no worker
-- ---------------------------------------------------------------------------
SELECT orla.require_worker();
SELECT orla.consult('fresh_token', '{}');
SELECT orla.perform_by_worker('disconnect', '{}');
SELECT pid, ready, queued FROM orla.worker_status;

\i test/fixtures/signed_in_end.sql
\c :previous
DROP DATABASE orla_providers;
