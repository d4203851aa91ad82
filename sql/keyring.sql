--
-- The keyring as SQL sees it: what may be told of keys, and their rotation.
-- What becomes of a file that is not as it should be: test/t/010_keyring.pl.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_keyring;
\c orla_keyring
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
-- A ring of this test's own.
COPY (SELECT) TO PROGRAM 'cat; rm -f orla_keyring_test.keyring';
ALTER DATABASE orla_keyring SET orla.keyring_file = 'orla_keyring_test.keyring';
ALTER DATABASE orla_keyring SET orla.access_token_lifetime = '10min';
\c orla_keyring
SET client_min_messages = warning;

-- ---------------------------------------------------------------------------
-- Before the first use there is nothing, and nothing comes of looking
-- ---------------------------------------------------------------------------
BEGIN READ ONLY;
SELECT orla_api.jwks();
SELECT * FROM orla.keys();
COMMIT;
SELECT orla.rotate_keys();
SELECT orla.sign_jwt('{}');
SELECT orla.seal('x', NULL, 'x');
SELECT orla.keyed_digest('x', 'x');
SELECT orla.random_token() <> '' AS random_needs_no_ring;

\i test/fixtures/signed_in.sql
RESET client_min_messages;
CREATE VIEW test.keys AS
SELECT use, alg, key_id ~ '^[0-9a-f]{16}$' AS hexadecimal, abs(extract(epoch FROM created_at - now())) < 60 AS fresh,
       extract(epoch FROM active_from - created_at) AS active_after,
       extract(epoch FROM retire_at) - (SELECT max(extract(epoch FROM active_from)) FROM orla.keys() WHERE use = 'sign') AS retires_after
  FROM orla.keys() WITH ORDINALITY AS k ORDER BY k.ordinality;
SELECT * FROM test.keys;
SELECT orla.open_keyring() = (SELECT keyring_id::text FROM orla.instance) AS own_ring;

-- ---------------------------------------------------------------------------
-- The public keys, and nothing else (way 91)
-- ---------------------------------------------------------------------------
SELECT k - 'kid' - 'x' - 'y' AS key, length(k ->> 'kid') AS kid, length(k ->> 'x') AS x, length(k ->> 'y') AS y
  FROM jsonb_array_elements(orla_api.jwks() -> 'keys') AS k;
SET ROLE orla_anon;
SELECT jsonb_array_length(orla_api.jwks() -> 'keys');
SELECT * FROM orla.keys();
SELECT * FROM orla.rotate_keys();
SELECT orla.open_keyring();
SET ROLE orla_user;
SELECT jsonb_array_length(orla_api.jwks() -> 'keys');
SELECT * FROM orla.keys();
SHOW orla.keyring_file;
SET orla.keyring_file = '/etc/passwd';
SET orla.keyring_command = 'id';
SET ROLE orla_analyst;
SELECT orla_api.jwks();
SET ROLE orla_gateway;
SELECT jsonb_array_length(orla_api.jwks() -> 'keys');
SELECT orla.rotate_keyring();
SET ROLE orla_admin;
SELECT count(*) FROM orla.keys();
SELECT orla.rotate_keyring();
SELECT orla.do_rotate_keys('{}');
SET orla.keyring_file = '/etc/passwd';
RESET ROLE;

-- ---------------------------------------------------------------------------
-- Rotation
-- ---------------------------------------------------------------------------
CREATE FUNCTION test.kid(token text) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT convert_from(decode(rpad(translate(h, '-_', '+/'), (length(h) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb ->> 'kid'
            FROM split_part(token, '.', 1) AS h $$;
SELECT orla.seal('old', NULL, 'test') AS old_value, orla.mac_key_id() AS old_mac, orla.keyed_digest('test', 'old') AS old_digest \gset

BEGIN READ ONLY;
SELECT orla.rotate_keys();
ROLLBACK;
-- Done for good, whatever becomes of the transaction.
SET ROLE orla_admin;
BEGIN;
SELECT use, key_id ~ '^[0-9a-f]{16}$' AS hexadecimal FROM orla.rotate_keys();
ROLLBACK;
RESET ROLE;
SELECT * FROM test.keys;
SELECT jsonb_array_length(orla_api.jwks() -> 'keys') AS published;
-- The old key signs until the new one is active.
SELECT test.kid(test.token(:ada, :ada_session)) = test.kid(:'ada_token') AS old_key_signs;
SELECT orla.unseal(:'old_value', NULL, 'test') AS old_value_opens,
       substr(orla.seal('new', NULL, 'test'), 2, 8) = (SELECT decode(key_id, 'hex') FROM orla.keys() WHERE use = 'seal' OFFSET 1) AS new_key_seals,
       orla.mac_key_id() <> :'old_mac' AS new_key_digests,
       orla.keyed_digest_with(:'old_mac', 'test', 'old') = :'old_digest' AS old_digest_is_checked;

-- Without a delay the new key signs at once; each algorithm signs and verifies,
-- and what the others have signed stays good.
ALTER DATABASE orla_keyring SET orla.key_activation_delay = 0;
CREATE TABLE test.signed (alg text, token text);
INSERT INTO test.signed VALUES ('ES256', :'ada_token');
ALTER DATABASE orla_keyring SET orla.signing_algorithm = 'EdDSA';
SELECT count(*) FROM orla.rotate_keys();
INSERT INTO test.signed VALUES ('EdDSA', test.token(:ada, :ada_session));
ALTER DATABASE orla_keyring SET orla.signing_algorithm = 'RS256';
SELECT count(*) FROM orla.rotate_keys();
INSERT INTO test.signed VALUES ('RS256', test.token(:ada, :ada_session));
ALTER DATABASE orla_keyring SET orla.signing_algorithm = 'HS256';
SELECT count(*) FROM orla.rotate_keys();
INSERT INTO test.signed VALUES ('HS256', test.token(:ada, :ada_session));
SELECT s.alg, k.alg AS of_key, orla.authenticate(s.token) = :ada AS accepted, length(split_part(s.token, '.', 3)) AS signature
  FROM test.signed AS s LEFT JOIN orla.keys() AS k ON k.key_id = test.kid(s.token) ORDER BY s.alg;
-- A symmetric key is not published.
SELECT k ->> 'alg' AS alg, k ->> 'kty' AS kty, array(SELECT jsonb_object_keys(k) ORDER BY 1) AS members
  FROM jsonb_array_elements(orla_api.jwks() -> 'keys') WITH ORDINALITY AS j (k, n) ORDER BY n;
-- The second key, which a delay held back, never signs: it was overtaken.
SELECT count(*) FROM orla.keys() WHERE use = 'sign' AND retire_at IS NULL;
SELECT use, count(*), count(DISTINCT key_id) AS ids, count(retire_at) AS retiring FROM orla.keys() GROUP BY use ORDER BY use;

\i test/fixtures/signed_in_end.sql
COPY (SELECT) TO PROGRAM 'cat; rm orla_keyring_test.keyring';
\c :previous
DROP DATABASE orla_keyring;
