--
-- Sealing: a value opens for its tenant and its purpose, and for nobody else.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_seal;
\c orla_seal
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
\i test/fixtures/signed_in.sql
RESET client_min_messages;

-- What opening comes to, without the ids that differ from run to run.
CREATE FUNCTION test.open(sealed bytea, tenant uuid, purpose text)
    RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    detail text;
BEGIN
    RETURN 'opens: ' || orla.unseal(sealed, tenant, purpose);
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', SQLSTATE, SQLERRM || ':', regexp_replace(detail, '[0-9a-f]{8}-[0-9a-f-]{27}', '<ring>'));
END
$$;

CREATE FUNCTION test.newest(what text) RETURNS text LANGUAGE sql
    AS $$ SELECT key_id FROM orla.keys() WITH ORDINALITY WHERE use = what ORDER BY created_at DESC, ordinality DESC LIMIT 1 $$;

-- ---------------------------------------------------------------------------
-- There and back
-- ---------------------------------------------------------------------------
SELECT octet_length(s) - octet_length(secret) AS overhead, orla.unseal(s, :ada, 'test') = secret AS same
  FROM (VALUES (''), ('x'), ('a refresh token'), ('schön, 秘密'), (repeat('x', 200)), (repeat('0123456789', 100000))) AS v (secret),
       LATERAL (SELECT orla.seal(secret, :ada, 'test') AS s OFFSET 0) AS q;
SELECT orla.unseal(orla.seal('for all', NULL, 'test'), NULL, 'test');
SELECT orla.seal(NULL, :ada, 'test') IS NULL AS seal_null, orla.unseal(NULL, :ada, 'test') IS NULL AS unseal_null;
-- Twice the same is never the same.
SELECT count(DISTINCT orla.seal('same', :ada, 'test')) FROM generate_series(1, 1000);
-- Neither the secret nor a piece of it is in what is stored (way 93).
SELECT position('refresh'::bytea IN orla.seal('a refresh token', :ada, 'test')) AS found;

-- ---------------------------------------------------------------------------
-- Bound to tenant, purpose and key (way 92)
-- ---------------------------------------------------------------------------
CREATE TABLE test.sealed AS
SELECT orla.seal('ada''s', :ada, 'tokens.access') AS adas,
       orla.seal('ben''s', :ben, 'tokens.access') AS bens,
       orla.seal('ours', NULL, 'tokens.access') AS ours;
SELECT n, test.open(sealed, tenant, purpose)
  FROM test.sealed AS s, LATERAL (VALUES
    (1, s.adas, uuid :ada, 'tokens.access'),
    (2, s.adas, :ada, 'tokens.refresh'),
    (3, s.adas, :ada, 'tokens.acces'),
    (4, s.adas, :ada, 'tokens.access '),
    (5, s.adas, :ben, 'tokens.access'),
    (6, s.bens, :ada, 'tokens.access'),
    (7, s.ours, :ada, 'tokens.access'),
    (8, s.ours, NULL, 'tokens.access'),
    (9, s.ours, NULL, 'tokens'),
    (10, s.adas, 'cccccccc-0000-4000-8000-000000000003', 'tokens.access'),
    (11, ''::bytea, :ada, 'tokens.access'),
    (12, '\x01'::bytea, :ada, 'tokens.access'),
    (13, 'ada''s'::bytea, :ada, 'tokens.access'),
    (14, '\x01'::bytea || decode(repeat('00', 36), 'hex'), :ada, 'tokens.access'),
    (15, '\x01'::bytea || decode(repeat('00', 36), 'hex'), NULL, 'tokens.access'),
    (16, '\x02'::bytea || substr(s.adas, 2), :ada, 'tokens.access')
  ) AS t (n, sealed, tenant, purpose) ORDER BY n;
-- A tenant's value for everybody: which key is missing differs from run to run.
SELECT regexp_replace(test.open(adas, NULL, 'tokens.access'), '"[0-9a-f]{16}"', '<key>') FROM test.sealed;
SELECT orla.unseal(adas, :ada, NULL) FROM test.sealed;
SELECT orla.unseal(adas, :ada, '') FROM test.sealed;
SELECT orla.seal('x', :ada, '');
SELECT orla.seal('x', 'cccccccc-0000-4000-8000-000000000003', 'test');

-- Not one bit of it may change, and not one byte be missing.
SELECT count(*) AS changed, count(*) FILTER (WHERE test.open(set_byte(adas, i, get_byte(adas, i) # (1 << b)), :ada, 'tokens.access') LIKE 'opens%') AS open
  FROM test.sealed, generate_series(0, octet_length(adas) - 1) AS i, generate_series(0, 7) AS b;
SELECT count(*) AS cut, count(*) FILTER (WHERE test.open(substr(adas, 1, i), :ada, 'tokens.access') LIKE 'opens%') AS open
  FROM test.sealed, generate_series(0, octet_length(adas) - 1) AS i;
SELECT test.open(adas || '\x00', :ada, 'tokens.access') FROM test.sealed;

-- ---------------------------------------------------------------------------
-- Data keys
-- ---------------------------------------------------------------------------
SELECT octet_length(wrapped_key) AS length, key_id = test.newest('seal') AS newest FROM orla.tenant_keys;
-- One tenant's key in the other's row opens nothing, also where it was open before.
BEGIN;
SELECT test.open(adas, :ada, 'tokens.access') FROM test.sealed;
UPDATE orla.tenant_keys AS k SET wrapped_key = (SELECT wrapped_key FROM orla.tenant_keys WHERE user_id = :ben) WHERE user_id = :ada;
SELECT test.open(adas, :ada, 'tokens.access') FROM test.sealed;
UPDATE orla.tenant_keys SET wrapped_key = decode(repeat('00', 60), 'hex') WHERE user_id = :ada;
SELECT test.open(adas, :ada, 'tokens.access') FROM test.sealed;
UPDATE orla.tenant_keys SET wrapped_key = decode(repeat('00', 100), 'hex') WHERE user_id = :ada;
SELECT test.open(adas, :ada, 'tokens.access') FROM test.sealed;
UPDATE orla.tenant_keys SET key_id = '0123456789abcdef' WHERE user_id = :ada;
SELECT test.open(adas, :ada, 'tokens.access') FROM test.sealed;
ROLLBACK;
SELECT test.open(adas, :ada, 'tokens.access') FROM test.sealed;
-- Wrapped anew it is the same key.
BEGIN;
UPDATE orla.tenant_keys AS k SET (wrapped_key, key_id) = (SELECT r.wrapped_key, r.key_id FROM orla.rewrap_key(k.user_id, k.wrapped_key, k.key_id) AS r);
SELECT test.open(adas, :ada, 'tokens.access'), test.open(bens, :ben, 'tokens.access') FROM test.sealed;
COMMIT;
SELECT orla.create_tenant_key(:ada);
-- Another key is not the same.
BEGIN;
DELETE FROM orla.tenant_keys WHERE user_id = :ada;
SELECT test.open(adas, :ada, 'tokens.access') FROM test.sealed;
SELECT orla.create_tenant_key(:ada);
SELECT test.open(adas, :ada, 'tokens.access') FROM test.sealed;
ROLLBACK;
-- Deleting the account destroys what it sealed, wherever that lies.
BEGIN;
SELECT test.open(bens, :ben, 'tokens.access') FROM test.sealed;
DELETE FROM orla.users WHERE id = :ben;
SELECT test.open(bens, :ben, 'tokens.access') FROM test.sealed;
COMMIT;
SELECT test.open(bens, :ben, 'tokens.access') FROM test.sealed;
SELECT orla.seal('more', :ben, 'tokens.access');

-- ---------------------------------------------------------------------------
-- Who may
-- ---------------------------------------------------------------------------
SET ROLE orla_admin;
SELECT octet_length(orla.seal('x', :ada, 'test'));
SELECT orla.unseal('\x01', :ada, 'test');
SELECT orla.wrap_new_key(:ada);
SELECT wrapped_key FROM orla.tenant_keys;
SET ROLE orla_user;
SELECT orla.seal('x', :ada, 'test');
SELECT orla.unseal('\x01', :ada, 'test');
SET ROLE orla_gateway;
SELECT orla.seal('x', :ada, 'test');
SET ROLE orla_analyst;
SELECT orla.unseal('\x01', :ada, 'test');
SET ROLE orla_service;
SELECT orla.unseal(orla.seal('x', :ada, 'test'), :ada, 'test');
RESET ROLE;

-- ---------------------------------------------------------------------------
-- Keyed digests and random values
-- ---------------------------------------------------------------------------
SELECT orla.random_token() ~ '^[A-Za-z0-9_-]{43}$' AS token, count(DISTINCT orla.random_token()) FROM generate_series(1, 1000);
SELECT orla.mac_key_id() = test.newest('mac') AS newest;
SELECT octet_length(orla.keyed_digest('a', 'b')) AS length,
       orla.keyed_digest('a', 'b') = orla.keyed_digest('a', 'b') AS same,
       orla.keyed_digest('a', 'b') = orla.keyed_digest_with(orla.mac_key_id(), 'a', 'b') AS with_its_key,
       orla.keyed_digest('a', 'b') = orla.keyed_digest('b', 'b') AS other_label,
       orla.keyed_digest('a', 'b') = orla.keyed_digest('a', 'c') AS other_data;
-- Where label and data meet is part of what is digested.
SELECT count(DISTINCT orla.keyed_digest(l, d)) AS different, count(*) AS made
  FROM (VALUES ('', 'ab'::bytea), ('a', 'b'), ('ab', ''), ('', ''), ('ab', 'ab'), ('a', 'bab'), ('aba', 'b')) AS v (l, d);
SELECT octet_length(orla.keyed_digest('large', decode(repeat('00', 1000000), 'hex'))) AS length;
SELECT orla.keyed_digest(NULL, 'x') IS NULL AS no_label, orla.keyed_digest('x', NULL) IS NULL AS no_data;
SELECT orla.keyed_digest_with('0123456789abcdef', 'a', 'b');
SELECT orla.keyed_digest_with('', 'a', 'b');
SELECT orla.constant_time_equal('', ''), orla.constant_time_equal('a', 'a'), orla.constant_time_equal('a', 'b'),
       orla.constant_time_equal('a', 'aa'), orla.constant_time_equal('', 'a'), orla.constant_time_equal(NULL, 'a') IS NULL AS "null";
SET ROLE orla_user;
SELECT orla.keyed_digest('a', 'b');
SELECT orla.keyed_digest_with('x', 'a', 'b');
SELECT orla.mac_key_id();
SELECT orla.random_token();
RESET ROLE;

\i test/fixtures/signed_in_end.sql
\c :previous
DROP DATABASE orla_seal;
