--
-- Access tokens that must be refused, and why.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_token;
\c orla_token
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
\i test/fixtures/signed_in.sql
RESET client_min_messages;

-- What comes of a token: who it proves, or the refusal without the token in it (way 86).
CREATE FUNCTION test.try(token text)
    RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    state   text;
    message text;
    detail  text;
    hint    text;
    who     uuid;
BEGIN
    who := orla.authenticate(token);
    RETURN 'accepted for ' || (SELECT u.name FROM orla.users u WHERE u.id = who);
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
                            detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    IF length(token) > 20 AND position(left(token, 100) IN concat(message, detail, hint)) > 0 THEN
        RETURN 'THE REFUSAL SHOWS THE TOKEN';
    END IF;
    RETURN concat_ws(' ', state, message || ':', detail);
END
$$;

-- RFC 4648, section 5, in SQL.
CREATE FUNCTION test.encode(data bytea) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT rtrim(translate(encode(data, 'base64'), E'+/\n', '-_'), '=') $$;
CREATE FUNCTION test.decode(data text) RETURNS bytea LANGUAGE sql IMMUTABLE
    AS $$ SELECT decode(rpad(translate(data, '-_', '+/'), (length(data) + 3) / 4 * 4, '='), 'base64') $$;
CREATE FUNCTION test.part(token text, n int) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT split_part(token, '.', n) $$;
CREATE FUNCTION test.header(token text) RETURNS jsonb LANGUAGE sql IMMUTABLE
    AS $$ SELECT convert_from(test.decode(test.part(token, 1)), 'UTF8')::jsonb $$;
-- The token under another header, with its own signature.
CREATE FUNCTION test.reheaded(token text, header jsonb) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT concat_ws('.', test.encode(convert_to(header::text, 'UTF8')), test.part(token, 2), test.part(token, 3)) $$;

SELECT test.header(:'ada_token') - 'kid' AS header, length(test.header(:'ada_token') ->> 'kid') AS kid_length;
SELECT test.try(:'ada_token');

-- ---------------------------------------------------------------------------
-- Not a token at all
-- ---------------------------------------------------------------------------
SELECT what, test.try(token)
  FROM (VALUES
    (1, 'NULL', NULL),
    (2, 'empty', ''),
    (3, 'a space', ' '),
    (4, 'a word', 'rubbish'),
    (5, 'dots', '..'),
    (6, 'more dots', '....'),
    (7, 'one megabyte', repeat('a', 1048576)),
    (8, 'one megabyte in three parts', repeat('a', 300000) || '.' || repeat('a', 700000) || '.' || repeat('a', 48576)),
    (9, 'line feeds', E'\n\n'),
    (10, 'not ASCII', 'é.ü.ß'),
    (11, 'wide characters', repeat('語', 40)),
    (12, 'a uuid', :ada),
    (13, 'what the setting shows', 'aaaaaaaa-0000-4000-8000-000000000001'),
    (14, 'JSON', '{"sub": "aaaaaaaa-0000-4000-8000-000000000001"}'),
    (15, 'with its scheme', 'Bearer ' || :'ada_token'),
    (16, 'an opaque refresh token', replace(:ada, '-', '') || '.' || repeat('A', 43))
  ) AS t (n, what, token) ORDER BY n;
-- what is not UTF-8 does not get as far
SELECT orla.authenticate(convert_from('\xff2e2e', 'UTF8'));
SELECT orla.authenticate(convert_from('\x412e00', 'UTF8'));

-- ---------------------------------------------------------------------------
-- A good token, spoilt
-- ---------------------------------------------------------------------------
SELECT what, test.try(token)
  FROM (VALUES
    (1, 'a space before', ' ' || :'ada_token'),
    (2, 'a line feed behind', :'ada_token' || E'\n'),
    (3, 'padding', :'ada_token' || '='),
    (4, 'no signature', test.part(:'ada_token', 1) || '.' || test.part(:'ada_token', 2)),
    (5, 'an empty signature', test.part(:'ada_token', 1) || '.' || test.part(:'ada_token', 2) || '.'),
    (6, 'half a signature', left(:'ada_token', length(:'ada_token') - 46)),
    (7, 'a longer signature', :'ada_token' || 'AAAA'),
    (8, 'a fourth part', :'ada_token' || '.AAAA'),
    (9, 'another''s signature', test.part(:'ada_token', 1) || '.' || test.part(:'ada_token', 2) || '.' || test.part(:'ben_token', 3)),
    (10, 'another''s claims', test.part(:'ada_token', 1) || '.' || test.part(:'ben_token', 2) || '.' || test.part(:'ada_token', 3)),
    (11, 'a signature of zeros', test.part(:'ada_token', 1) || '.' || test.part(:'ada_token', 2) || '.' || repeat('A', 86)),
    (12, 'standard base64', test.part(:'ada_token', 1) || '.' || test.part(:'ada_token', 2) || '.'
         || rtrim(replace(encode(test.decode(test.part(:'ada_token', 3)), 'base64'), E'\n', ''), '=') || '==')
  ) AS t (n, what, token) ORDER BY n;
-- bits that decode to nothing: a second spelling of the same signature
SELECT count(*) AS spellings, count(*) FILTER (WHERE test.try(token) LIKE 'accepted%') AS accepted
  FROM (SELECT left(:'ada_token', -1) || c AS token
          FROM regexp_split_to_table('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', '') AS c) AS t;
-- one bit of each byte of the signature
SELECT count(*) AS forged, count(*) FILTER (WHERE test.try(token) LIKE 'accepted%') AS accepted
  FROM (SELECT test.part(:'ada_token', 1) || '.' || test.part(:'ada_token', 2) || '.'
               || test.encode(set_byte(s.bytes, i, get_byte(s.bytes, i) # 1)) AS token
          FROM (SELECT test.decode(test.part(:'ada_token', 3)) AS bytes) AS s,
               generate_series(0, octet_length(s.bytes) - 1) AS i) AS t;

-- ---------------------------------------------------------------------------
-- The header: the key decides (way 53)
-- ---------------------------------------------------------------------------
SELECT what, test.try(token)
  FROM (SELECT test.header(:'ada_token') AS h) AS x,
       LATERAL (VALUES
    (1, 'alg none', test.reheaded(:'ada_token', h || '{"alg": "none"}')),
    (2, 'alg none, no signature', test.part(test.reheaded(:'ada_token', h || '{"alg": "none"}'), 1) || '.' || test.part(:'ada_token', 2) || '.'),
    (3, 'alg None', test.reheaded(:'ada_token', h || '{"alg": "None"}')),
    (4, 'alg missing', test.reheaded(:'ada_token', h - 'alg')),
    (5, 'alg of another type', test.reheaded(:'ada_token', h || '{"alg": 1}')),
    (6, 'alg unknown', test.reheaded(:'ada_token', h || '{"alg": "ES512"}')),
    (7, 'alg of another key', test.reheaded(:'ada_token', h || '{"alg": "RS256"}')),
    (8, 'alg in lower case', test.reheaded(:'ada_token', h || '{"alg": "es256"}')),
    (9, 'kid missing', test.reheaded(:'ada_token', h - 'kid')),
    (10, 'kid empty', test.reheaded(:'ada_token', h || '{"kid": ""}')),
    (11, 'kid unknown', test.reheaded(:'ada_token', h || '{"kid": "0000000000000000"}')),
    (12, 'kid as a path', test.reheaded(:'ada_token', h || '{"kid": "../../../dev/null"}')),
    (13, 'kid as SQL', test.reheaded(:'ada_token', h || '{"kid": "'' OR true --"}')),
    (14, 'a key of its own', test.reheaded(:'ada_token', h - 'kid' || '{"jwk": {"kty": "oct", "k": "AAAA"}}')),
    (15, 'a key from elsewhere', test.reheaded(:'ada_token', h || '{"jku": "https://evil.example/jwks.json"}')),
    (16, 'crit', test.reheaded(:'ada_token', h || '{"crit": ["exp"]}')),
    (17, 'not an object', test.encode('[]') || '.' || test.part(:'ada_token', 2) || '.' || test.part(:'ada_token', 3)),
    (18, 'not JSON', test.encode('{"alg"') || '.' || test.part(:'ada_token', 2) || '.' || test.part(:'ada_token', 3)),
    (19, 'not UTF-8', test.encode('\xff7b7d') || '.' || test.part(:'ada_token', 2) || '.' || test.part(:'ada_token', 3)),
    (20, 'alg twice', test.encode(convert_to('{"alg":"none","alg":"ES256","kid":"' || (h ->> 'kid') || '"}', 'UTF8'))
          || '.' || test.part(:'ada_token', 2) || '.' || test.part(:'ada_token', 3))
  ) AS t (n, what, token) ORDER BY n;
-- the public key, taken for a shared secret (algorithm confusion)
SELECT count(*) AS forged, count(*) FILTER (WHERE test.try(token) LIKE 'accepted%') AS accepted
  FROM (SELECT k AS key, secret
          FROM jsonb_array_elements(orla_api.jwks() -> 'keys') AS k,
               LATERAL (VALUES (convert_to(k ->> 'x', 'UTF8')),
                               (test.decode(k ->> 'x')),
                               (test.decode(k ->> 'x') || test.decode(k ->> 'y')),
                               ('\x04' || test.decode(k ->> 'x') || test.decode(k ->> 'y')),
                               (convert_to(k::text, 'UTF8')), (''::bytea)) AS s (secret)) AS c,
       LATERAL (SELECT test.encode(convert_to(jsonb_build_object('alg', 'HS256', 'typ', 'JWT', 'kid', key ->> 'kid')::text, 'UTF8'))
                       || '.' || test.part(:'ada_token', 2) AS input) AS i,
       LATERAL (SELECT input || '.' || test.encode(hmac(convert_to(input, 'UTF8'), secret, 'sha256')) AS token) AS t;

-- ---------------------------------------------------------------------------
-- The claims, under a good signature (ways 17 and 54)
-- ---------------------------------------------------------------------------
SELECT what, test.try(test.token(:ada, :ada_session, changes::jsonb, without))
  FROM (VALUES
    (1, 'nothing changed', '{}', '{}'::text[]),
    (2, 'iss missing', '{}', '{iss}'),
    (3, 'iss of nobody', '{"iss": "orla"}', '{}'),
    (4, 'iss of another database', '{"iss": "orla:00000000-0000-4000-8000-000000000000"}', '{}'),
    (5, 'iss of another type', '{"iss": 1}', '{}'),
    (6, 'aud missing', '{}', '{aud}'),
    (7, 'aud of another', '{"aud": "elsewhere"}', '{}'),
    (8, 'aud empty', '{"aud": ""}', '{}'),
    (9, 'aud a list with ours', '{"aud": ["elsewhere", "orla"]}', '{}'),
    (10, 'aud a list without', '{"aud": ["elsewhere"]}', '{}'),
    (11, 'aud an empty list', '{"aud": []}', '{}'),
    (12, 'aud longer than ours', '{"aud": "orla2"}', '{}'),
    (13, 'exp missing', '{}', '{exp}'),
    (14, 'exp past', '{"exp": 1000000000}', '{}'),
    (15, 'exp negative', '{"exp": -1}', '{}'),
    (16, 'exp as text', '{"exp": "4000000000"}', '{}'),
    (17, 'exp null', '{"exp": null}', '{}'),
    (18, 'exp beyond all numbers', '{"exp": 1e400}', '{}'),
    (19, 'exp that wraps around', '{"exp": 18446744073709551617}', '{}'),
    (20, 'nbf missing', '{}', '{nbf}'),
    (21, 'nbf in the future', '{"nbf": 4000000000}', '{}'),
    (22, 'iat missing', '{}', '{iat}'),
    (23, 'iat in the future', '{"iat": 4000000000}', '{}'),
    (24, 'sub missing', '{}', '{sub}'),
    (25, 'sub malformed', '{"sub": "ada"}', '{}'),
    (26, 'sub of another type', '{"sub": 7}', '{}'),
    (27, 'sub of another, own session', '{"sub": "bbbbbbbb-0000-4000-8000-000000000002"}', '{}'),
    (28, 'sub of nobody', '{"sub": "cccccccc-0000-4000-8000-000000000003"}', '{}'),
    (29, 'sid missing', '{}', '{sid}'),
    (30, 'sid malformed', '{"sid": "x"}', '{}'),
    (31, 'sid of another', '{"sid": "bbbbbbbb-0000-4000-8000-0000000000e2"}', '{}'),
    (32, 'sid of nobody', '{"sid": "cccccccc-0000-4000-8000-0000000000e3"}', '{}'),
    (33, 'gen missing', '{}', '{gen}'),
    (34, 'gen before', '{"gen": 0}', '{}'),
    (35, 'gen after', '{"gen": 2}', '{}'),
    (36, 'gen that wraps around', '{"gen": 4294967297}', '{}'),
    (37, 'gen with a fraction', '{"gen": 1.5}', '{}'),
    (38, 'role missing', '{}', '{role}'),
    (39, 'role of an operator', '{"role": "orla_admin"}', '{}'),
    (40, 'role of the owner', '{"role": "orla_service"}', '{}'),
    (41, 'token_use missing', '{}', '{token_use}'),
    (42, 'a refresh token', '{"token_use": "refresh"}', '{}'),
    (43, 'an identity token', '{"token_use": "id"}', '{}'),
    (44, 'jti missing', '{}', '{jti}'),
    (45, 'unknown claims', '{"x": {"y": [1, "\\u0041", null, true]}, "nested": {"sub": "x", "exp": 1}}', '{}'),
    (46, 'claims that look like claims', '{"a": "\",\"sub\":\"bbbbbbbb-0000-4000-8000-000000000002\",\"b\":\""}', '{}'),
    (47, 'text that is not ASCII', '{"email": "ädä@exämple.org", "name": "Ada \ud83d\ude00"}', '{}')
  ) AS t (n, what, changes, without) ORDER BY n;
-- claims that come out as they went in
BEGIN;
SELECT orla.authenticate(test.token(:ada, :ada_session, '{"x": {"y": [1, "A\"\\", null]}}'));
SELECT orla.current_claims() -> 'x' AS x, orla.current_claims() ->> 'sub' AS sub;
COMMIT;
-- clocks of two hosts differ by a little
SELECT what, test.try(test.token(:ada, :ada_session, jsonb_build_object(what, extract(epoch FROM now())::bigint + ahead)))
  FROM (VALUES (1, 'nbf', 20), (2, 'iat', 20), (3, 'nbf', 60), (4, 'iat', 60)) AS t (n, what, ahead) ORDER BY n;
-- too large for a token
SELECT test.token(:ada, :ada_session, jsonb_build_object('x', repeat('x', 100000)));

-- ---------------------------------------------------------------------------
-- What was good a moment ago, in the same session (ways 20 and 55)
-- ---------------------------------------------------------------------------
-- expired while the session is open
SELECT floor(extract(epoch FROM clock_timestamp()))::bigint + 2 AS expiry \gset
SELECT test.token(:ada, :ada_session, jsonb_build_object('exp', :expiry)) AS short_token \gset
SELECT test.try(:'short_token');
-- and a little: time() lags behind by a tick
SELECT pg_sleep(greatest(0, :expiry + 0.1 - extract(epoch FROM clock_timestamp())));
SELECT test.try(:'short_token');
-- audience and issuer are compared each time
SET orla.audience = 'elsewhere';
SELECT test.try(:'ada_token');
RESET orla.audience;
SET orla.issuer = 'else';
SELECT test.try(:'ada_token');
RESET orla.issuer;
SELECT test.try(:'ada_token');
-- the session's generation
UPDATE orla.sessions SET generation = 2 WHERE user_id = :ada;
SELECT test.try(:'ada_token');
SELECT test.try(test.token(:ada, :ada_session, '{"gen": 2}'));
UPDATE orla.sessions SET generation = 1 WHERE user_id = :ada;
SELECT test.try(:'ada_token');
-- the session's end
UPDATE orla.sessions SET ended_at = now() WHERE user_id = :ada;
SELECT test.try(:'ada_token');
UPDATE orla.sessions SET ended_at = NULL, expires_at = now() WHERE user_id = :ada;
SELECT test.try(:'ada_token');
UPDATE orla.sessions SET expires_at = now() + interval '1 day' WHERE user_id = :ada;
SELECT test.try(:'ada_token');
-- seen by a transaction that began before, whatever its isolation
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT test.try(:'ada_token');
\! psql -X -q -d orla_token -c "UPDATE orla.sessions SET ended_at = now() WHERE user_id = 'aaaaaaaa-0000-4000-8000-000000000001'"
SELECT test.try(:'ada_token');
ROLLBACK;
UPDATE orla.sessions SET ended_at = NULL WHERE user_id = :ada;
-- the account
UPDATE orla.users SET is_active = false WHERE id = :ada;
SELECT test.try(:'ada_token');
UPDATE orla.users SET is_active = true WHERE id = :ada;
SELECT test.try(:'ada_token');
DELETE FROM orla.sessions WHERE user_id = :ada;
SELECT test.try(:'ada_token');
-- the database: a copy that became another
UPDATE orla.instance SET id = '00000000-0000-4000-8000-000000000001';
SELECT test.try(:'ben_token');
SELECT test.try(test.token(:ben, :ben_session));
DELETE FROM orla.users WHERE id = :ben;
SELECT test.try(:'ben_token');
DELETE FROM orla.instance;
SELECT test.try(:'ben_token');
SELECT orla.sign_jwt('{}');

-- ---------------------------------------------------------------------------
-- Who may make and read tokens
-- ---------------------------------------------------------------------------
SELECT r.rolname, has_function_privilege(r.oid, 'orla.sign_jwt(jsonb)', 'EXECUTE') AS sign,
       has_function_privilege(r.oid, 'orla.verify_jwt(text)', 'EXECUTE') AS verify
  FROM pg_roles r
 WHERE r.rolname IN ('orla_anon', 'orla_user', 'orla_analyst', 'orla_gateway', 'orla_admin', 'orla_service')
 ORDER BY 1;
SET SESSION AUTHORIZATION regress_orla_tenant;
SELECT orla.sign_jwt('{}');
SELECT orla.verify_jwt('x');
SET SESSION AUTHORIZATION regress_orla_operator;
SELECT orla.sign_jwt('{}');

\i test/fixtures/signed_in_end.sql
\c :previous
DROP DATABASE orla_token;
