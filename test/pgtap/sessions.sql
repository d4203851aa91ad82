-- Sign-in, lock-out, refresh, sign-out: that a refusal tells nothing, that nobody
-- locks others out, and that what has ended has ended at once.
-- Ways 52, 58, 59, 60, 63, 99 and 108 of docs/security.md.
\set database orla_sessions
\ir ../fixtures/people.sql
DROP ROLE IF EXISTS sessions_http, sessions_tenant, sessions_operator;
SELECT * FROM no_plan();

SELECT test.join('Ada') AS ada, test.join('Ben') AS ben \gset
SELECT :'ada'::jsonb -> 'user' ->> 'id' AS ada_id, :'ben'::jsonb -> 'user' ->> 'id' AS ben_id \gset
INSERT INTO orla.users (name, email, password_hash, email_verified, is_active)
SELECT v.name, lower(v.name) || '@example.org', u.password_hash, v.verified, v.active
  FROM orla.users AS u, (VALUES ('Uma', false, true), ('Dan', true, false)) AS v (name, verified, active) WHERE u.name = 'Ada';
SELECT count(orla.create_tenant_key(id)) AS ignored FROM orla.users WHERE name IN ('Uma', 'Dan') \gset

-- ---------------------------------------------------------------------------
-- One answer and the same writes, whatever the cause (security.md 52)
-- ---------------------------------------------------------------------------
CREATE TABLE test.causes (n int, cause text, email text, password text, ip text, said text, added text, counter jsonb);
INSERT INTO test.causes (n, cause, email, password) VALUES
    (1, 'a wrong password', 'ada@example.org', 'Wrong-Horse-42'),
    (2, 'an unknown address', 'nobody@example.org', 'Correct-Horse-42'),
    (3, 'an account that is not verified', 'uma@example.org', 'Correct-Horse-42'),
    (4, 'an account that is not active', 'dan@example.org', 'Correct-Horse-42'),
    (5, 'a locked origin', 'ben@example.org', 'Correct-Horse-42'),
    (6, 'no address', NULL, 'Correct-Horse-42'),
    (7, 'what is no address', 'ada', 'Correct-Horse-42'),
    (8, 'no password', 'ada@example.org', NULL),
    (9, 'an empty password', 'ada@example.org', ''),
    (10, 'a password of 10,000 characters', 'ada@example.org', repeat('Correct-Ho', 1000)),
    (11, 'an address of 10,000 characters', repeat('a', 10000) || '@example.org', 'Correct-Horse-42'),
    (12, 'an address of 1 MB', repeat('a', 1048576) || '@example.org', 'Correct-Horse-42'),
    (13, 'spaces around the address', ' ada@example.org ', 'Correct-Horse-42');
UPDATE test.causes SET ip = '203.0.113.' || n;
SELECT string_agg(test.guess('ben@example.org', ip => '203.0.113.5'), '') AS ignored FROM generate_series(1, 5) \gset
DO $$
DECLARE
    c      test.causes;
    before jsonb;
BEGIN
    FOR c IN SELECT * FROM test.causes ORDER BY n LOOP
        before := test.counts();
        c.said := test.guess(c.email, c.password, c.ip);
        c.added := test.added(before);
        UPDATE test.causes SET said = c.said, added = c.added,
               counter = (SELECT jsonb_build_object('failed', a.failed, 'locked', a.locked_until IS NOT NULL)
                            FROM orla.sign_in_attempts AS a
                           WHERE a.address_digest = orla.address_digest(lower(left(c.email, 1000)))
                             AND a.origin_digest = orla.origin_digest(coalesce(lower(left(c.email, 1000)), ''), jsonb_build_object('ip', c.ip)))
         WHERE n = c.n;
    END LOOP;
END
$$;
SELECT is(said, 'PT401 sign-in refused', cause || ' gets the answer of every cause') FROM test.causes ORDER BY n;
SELECT is(added, CASE WHEN n = 5 THEN 'audit_log 1' ELSE 'audit_log 1, sign_in_attempts 1' END, cause || ' writes what every cause writes') FROM test.causes ORDER BY n;
SELECT is(counter, CASE WHEN n = 5 THEN '{"failed": 5, "locked": true}' ELSE '{"failed": 1, "locked": false}'::jsonb END, cause || ' is counted') FROM test.causes ORDER BY n;
SELECT is(count(DISTINCT (event_type, event_status, error_message, metadata)), 1::bigint, 'the trail does not tell them apart') FROM orla.audit_log WHERE event_type = 'login';

-- Whatever the cause, a hash is computed: with 64 passes it can be seen.
ALTER DATABASE :database SET orla.password_passes = 64;
UPDATE orla.users SET password_hash = replace(password_hash, ',t=5,', ',t=64,');
DO $$
DECLARE
    c     test.causes;
    began timestamptz;
BEGIN
    FOR c IN SELECT * FROM test.causes WHERE n NOT IN (6, 7, 11, 12) ORDER BY n LOOP
        began := clock_timestamp();
        PERFORM test.guess(c.email, c.password, c.ip);
        UPDATE test.causes SET said = extract(epoch FROM clock_timestamp() - began) * 1000 WHERE n = c.n;
    END LOOP;
END
$$;
SELECT is(said::numeric > (SELECT min(said::numeric) FROM test.causes WHERE n = 1) / 3, true, cause || ' takes as long') FROM test.causes WHERE n NOT IN (6, 7, 11, 12) ORDER BY n;
UPDATE orla.users SET password_hash = replace(password_hash, ',t=64,', ',t=5,');
ALTER DATABASE :database RESET orla.password_passes;

-- ---------------------------------------------------------------------------
-- Lock-out: per address and origin (60)
-- ---------------------------------------------------------------------------
DELETE FROM orla.sign_in_attempts;
SELECT is(string_agg(DISTINCT test.guess('ada@example.org'), ''), 'PT401 sign-in refused', 'four wrong passwords') FROM generate_series(1, 4);
SELECT is(test.sign_in('ada@example.org') -> 'user' ->> 'name', 'Ada', 'and the right one');
SELECT is(count(*), 0::bigint, 'empty the counter') FROM orla.sign_in_attempts;
SELECT is(string_agg(DISTINCT test.guess('ada@example.org'), ''), 'PT401 sign-in refused', 'five wrong passwords') FROM generate_series(1, 5);
SELECT is(test.guess('ada@example.org', 'Correct-Horse-42'), 'PT401 sign-in refused', 'and the right one is refused from there');
SELECT is(test.sign_in('ben@example.org') -> 'user' ->> 'name', 'Ben', 'another person signs in from there');
SELECT is(test.sign_in('ada@example.org', ip => '192.0.2.2') -> 'user' ->> 'name', 'Ada', 'and she from elsewhere');
SELECT is(test.guess('ADA@example.org', 'Correct-Horse-42'), 'PT401 sign-in refused', 'upper case is no other address');
SELECT is(locked_until - window_started_at BETWEEN interval '30 minutes' AND interval '31 minutes', true, 'for half an hour') FROM orla.sign_in_attempts;
SELECT locked_until AS until FROM orla.sign_in_attempts \gset
SELECT test.guess('ada@example.org') AS ignored \gset
SELECT is(locked_until, :'until', 'which guesses do not lengthen') FROM orla.sign_in_attempts;
UPDATE orla.sign_in_attempts SET locked_until = now(), window_started_at = now() - interval '31 minutes';
SELECT is(test.guess('ada@example.org'), 'PT401 sign-in refused', 'afterwards counting begins anew');
SELECT is(failed, 1, 'at one') FROM orla.sign_in_attempts;
SELECT is(test.sign_in('ada@example.org') -> 'user' ->> 'name', 'Ada', 'and the right password is right');
-- Failures that lie far apart lock nobody.
SELECT string_agg(test.guess('ada@example.org'), '') AS ignored FROM generate_series(1, 4) \gset
UPDATE orla.sign_in_attempts SET window_started_at = now() - interval '31 minutes';
SELECT test.guess('ada@example.org') AS ignored \gset
SELECT is(test.sign_in('ada@example.org') -> 'user' ->> 'name', 'Ada', 'failures that lie far apart lock nobody');

-- The known device
SELECT test.sign_in('ada@example.org') IS NULL AS ignored, test.cookie() AS phone \gset
SELECT test.sign_in('ada@example.org') IS NULL AS ignored, test.cookie() AS laptop \gset
SELECT isnt(:'phone'::text, :'laptop', 'each sign-in makes a device known');
SELECT string_agg(test.guess('ada@example.org'), '') AS ignored FROM generate_series(1, 6) \gset
SELECT is(test.guess('ada@example.org', 'Correct-Horse-42'), 'PT401 sign-in refused', 'a network is locked');
SELECT is(test.sign_in('ada@example.org', device => :'phone') -> 'user' ->> 'name', 'Ada', 'a known device in it is not');
SELECT string_agg(test.guess('ada@example.org', device => :'phone'), '') AS ignored FROM generate_series(1, 5) \gset
SELECT is(test.guess('ada@example.org', 'Correct-Horse-42', device => :'phone'), 'PT401 sign-in refused', 'until it guesses itself');
SELECT is(test.sign_in('ada@example.org', device => :'laptop') -> 'user' ->> 'name', 'Ada', 'which locks no other device');
SELECT is(test.guess('ada@example.org', 'Correct-Horse-42', device => d.cookie), 'PT401 sign-in refused', d.what || ' is no known device')
  FROM (VALUES ('one of another account', (SELECT test.cookie() FROM test.sign_in('ben@example.org'))),
               ('one with another id', CASE WHEN left(:'laptop', 1) = 'a' THEN 'b' ELSE 'a' END || substr(:'laptop', 2)), ('one with another signature', regexp_replace(:'laptop', '.$', CASE WHEN right(:'laptop', 1) = '0' THEN '1' ELSE '0' END)),
               -- was an error 42704, not counted
               ('one signed with a key that is not ours', regexp_replace(:'laptop', '[.][0-9a-f]{16}[.]', '.0123456789abcdef.')),
               ('one without a signature', split_part(:'laptop', '.', 1)), ('an empty one', ''), ('garbage', repeat('x.y', 60)), ('a long one', :'laptop' || repeat('0', 100000))) AS d (what, cookie);
DELETE FROM orla.sign_in_attempts;
SELECT test.guess('ada@example.org', device => regexp_replace(:'laptop', '[.][0-9a-f]{16}[.]', '.0123456789abcdef.')) AS ignored \gset
SELECT is(origin_digest, orla.origin_digest('ada@example.org', '{"ip": "192.0.2.1"}'), 'with it, the network counts') FROM orla.sign_in_attempts;

-- The network address
SELECT is(orla.origin_digest('a', jsonb_build_object('ip', v.a)) = orla.origin_digest('a', jsonb_build_object('ip', v.b)), v.same, format('%s and %s', v.a, v.b))
  FROM (VALUES ('192.0.2.1', '192.0.2.2', false), ('2001:db8:1:2::1', '2001:db8:1:2:ffff::9', true), ('2001:db8:1:2::1', '2001:db8:1:3::1', false),
               ('::ffff:192.0.2.1', '::ffff:192.0.2.2', false)) AS v (a, b, same);
-- Told by the proxy's header, and by an HTTP layer's login alone: who types SQL
-- could write any.
CREATE ROLE sessions_http LOGIN;
SELECT orla.allow_http_login('sessions_http') IS NULL AS ignored \gset
CREATE ROLE sessions_tenant LOGIN;
GRANT orla_user TO sessions_tenant;
CREATE FUNCTION test.origin(header text) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
    SELECT set_config('request.headers', jsonb_build_object('x-real-ip', header)::text, true) IS NULL;
    SELECT orla.request_origin() ->> 'ip' $$;
SELECT coalesce(host(inet_client_addr()), '') AS here \gset
SET SESSION AUTHORIZATION sessions_http;
SELECT is(test.origin(v.header), v.ip, format('an HTTP layer hands over %L', v.header))
  FROM (VALUES ('192.0.2.9', '192.0.2.9'), ('6.6.6.6, 192.0.2.9', '192.0.2.9'), ('2001:DB8::1', '2001:db8::1'), ('garbage', NULL), ('', NULL), ('192.0.2.9:443', NULL)) AS v (header, ip);
SET SESSION AUTHORIZATION sessions_tenant;
SELECT is(coalesce(test.origin('192.0.2.9'), ''), :'here', 'a login that types SQL does not choose its origin');
RESET SESSION AUTHORIZATION;

-- ---------------------------------------------------------------------------
-- The cookie's attributes
-- ---------------------------------------------------------------------------
SELECT matches(current_setting('response.headers'), '^\[\{"Set-Cookie": "orla_device=[0-9a-f.-]+; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"\}\]$', 'the cookie')
  FROM test.sign_in('ada@example.org');
SET orla.public_url = 'https://app.example.org';
SELECT matches(current_setting('response.headers'), 'SameSite=Lax; Secure"', 'the cookie over TLS') FROM test.sign_in('ada@example.org');
RESET orla.public_url;
SELECT is(test.guess('ada@example.org') || coalesce(test.cookie(), ''), 'PT401 sign-in refused', 'a refusal sets none');

-- ---------------------------------------------------------------------------
-- The floor: while any hash costs something else than a new one
-- ---------------------------------------------------------------------------
SELECT is(orla.password_costs_differ(), false, 'all hashes cost the same');
SELECT u.password_hash AS hash FROM orla.users AS u WHERE name = 'Ada' \gset
CREATE FUNCTION test.differ_with(hash text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE orla.users SET password_hash = hash WHERE name = 'Dan';
    RETURN (SELECT orla.password_costs_differ());
END $$;
SELECT is(test.differ_with(v.hash), true, v.what || ' is another cost')
  FROM (VALUES ('bcrypt', '$2b$12$abcdefghijklmnopqrstuuIb8w3zO0cI1RHkbu2hJ3xO3hCvkD4W2'), ('less memory', replace(:'hash', 'm=7168', 'm=4096')),
               ('fewer passes', replace(:'hash', 't=5', 't=4')), ('more passes', replace(:'hash', 't=5', 't=6')), ('what is no hash', '$argon2id$')) AS v (what, hash);
SET orla.sign_in_floor = '1s';
CREATE FUNCTION test.took(email text, password text) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    PERFORM test.guess(email, password, '198.51.100.40');
    RETURN clock_timestamp() - began;
END $$;
SELECT is(test.took(v.email, v.password) >= interval '1 second', true, format('then %s waits for the floor', v.what))
  FROM (VALUES ('a wrong password', 'ada@example.org', 'x'), ('an unknown address', 'nobody@example.org', 'x'), ('a sign-in', 'ada@example.org', 'Correct-Horse-42')) AS v (what, email, password);
SELECT is(count(*), 0::bigint, 'not in the process that does the work: it is gone') FROM pg_stat_activity WHERE backend_type = 'orla call' AND datname = current_database();
UPDATE orla.users SET password_hash = :'hash' WHERE name = 'Dan';
SELECT is(test.took('nobody@example.org', 'x') < interval '1 second', true, 'when the last is replaced, nobody waits');
RESET orla.sign_in_floor;
-- Found by two looks into an index, however many accounts there are.
CREATE FUNCTION test.plan() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text; plan text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || (SELECT substring(prosrc FROM 'RETURN [(](.*)[)];') FROM pg_proc WHERE proname = 'password_costs_differ') LOOP
        plan := plan || line || E'\n';
    END LOOP;
    RETURN plan;
END $$;
GRANT USAGE ON SCHEMA test TO orla_service;
SET ROLE orla_service;
SELECT test.plan() AS plan \gset
RESET ROLE;
SELECT unalike(:'plan'::text, '%Seq Scan%', 'no account is looked at one by one');
SELECT is((SELECT count(*) FROM regexp_matches(:'plan', 'users_password_costs', 'g')), 2::bigint, 'but the ends of an index');

-- ---------------------------------------------------------------------------
-- Refresh
-- ---------------------------------------------------------------------------
SELECT test.sign_in('ada@example.org') AS first, test.sign_in('ada@example.org') AS other \gset
SELECT test.api(format('refresh(%L)', :'first'::jsonb ->> 'refresh_token')) AS second \gset
SELECT is((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(:'second'::jsonb) k), '{access_token,expires_in,refresh_token,token_type,user}'::text[], 'refresh answers like a sign-in');
SELECT isnt(:'second'::jsonb ->> 'refresh_token', :'first'::jsonb ->> 'refresh_token', 'with another token');
SELECT is(test.worth(:'second'::jsonb ->> 'access_token'), 'Ada', 'and a good access token');
SELECT is(test.worth(:'first'::jsonb ->> 'access_token'), 'Ada', 'the one before goes on until it expires');
SELECT is(test.api(format('refresh(%L)', :'first'::jsonb ->> 'refresh_token')) ->> 'refresh_token', :'second'::jsonb ->> 'refresh_token', 'a second tab gets the same child (59)');
SELECT is(count(*), 2::bigint, 'one rotation, one row') FROM orla.refresh_tokens AS t WHERE t.session_id = (SELECT session_id FROM orla.refresh_tokens WHERE token_hash = orla.token_hash(:'first'::jsonb ->> 'refresh_token'));
SELECT is(string_agg(t::text, '') ~ split_part(:'second'::jsonb ->> 'refresh_token', '.', 2), false, 'the child is derived, not stored') FROM orla.refresh_tokens AS t;
SELECT is(s.expires_at = t.expires_at AND t.expires_at > now() + interval '29 days 23 hours', true, 'each rotation is good for 30 days')
  FROM orla.refresh_tokens AS t JOIN orla.sessions AS s ON s.user_id = t.user_id AND s.id = t.session_id WHERE t.token_hash = orla.token_hash(:'second'::jsonb ->> 'refresh_token');
SELECT test.api(format('refresh(%L)', :'second'::jsonb ->> 'refresh_token')) AS third \gset
SELECT is(test.api(format('refresh(%L)', :'first'::jsonb ->> 'refresh_token')) ->> 'refresh_token', :'second'::jsonb ->> 'refresh_token', 'the same child also when that was used');
-- After the grace a second use is theft (58).
UPDATE orla.refresh_tokens SET rotated_at = rotated_at - interval '11 seconds' WHERE token_hash = orla.token_hash(:'first'::jsonb ->> 'refresh_token');
SELECT is(test.try(format('refresh(%L)', :'first'::jsonb ->> 'refresh_token')), 'PT401 refresh refused', 'reuse is refused');
SELECT is(test.try(format('refresh(%L)', t.token)), 'PT401 refresh refused', t.what || ' is over') FROM (VALUES ('the child', :'second'::jsonb ->> 'refresh_token'), ('its child', :'third'::jsonb ->> 'refresh_token')) AS t (what, token);
SELECT is(test.worth(t.token), 'The session has ended.', t.what || ' as well') FROM (VALUES ('the first access token', :'first'::jsonb ->> 'access_token'), ('the last access token', :'third'::jsonb ->> 'access_token')) AS t (what, token);
SELECT is(test.worth(:'other'::jsonb ->> 'access_token'), 'Ada', 'another session of hers is another family');
SELECT is(end_reason, 'refresh token reused', 'the session says why') FROM orla.sessions AS s WHERE s.id = (SELECT session_id FROM orla.refresh_tokens WHERE token_hash = orla.token_hash(:'first'::jsonb ->> 'refresh_token'));
SELECT is(count(*), 1::bigint, 'and so does the trail, once') FROM orla.audit_log WHERE event_type = 'refresh_token_reused';
-- Without grace the second use is theft at once.
ALTER DATABASE :database SET orla.refresh_grace = 0;
SELECT test.api(format('refresh(%L)', :'other'::jsonb ->> 'refresh_token')) AS ignored \gset
SELECT is(test.try(format('refresh(%L)', :'other'::jsonb ->> 'refresh_token')), 'PT401 refresh refused', 'without grace');
ALTER DATABASE :database RESET orla.refresh_grace;

-- What is no token of hers
SELECT test.sign_in('ada@example.org') AS ada \gset
SELECT test.counts() AS before \gset
SELECT is(test.try(format('refresh(%L)', t.token)), 'PT401 refresh refused', 'refresh: ' || t.what)
  FROM (VALUES ('NULL', NULL), ('empty', ''), ('malformed', 'x.y'), ('an id alone', :'ada_id'), ('made up', :'ada_id' || '.' || repeat('A', 43)),
               ('hers with Ben''s id', :'ben_id' || '.' || split_part(:'ada'::jsonb ->> 'refresh_token', '.', 2)), ('an access token', :'ada'::jsonb ->> 'access_token'),
               ('1 MB', :'ada_id' || '.' || repeat('A', 1048576)), ('not ASCII', :'ada_id' || '.' || repeat('é', 43)), ('cut off', left(:'ada'::jsonb ->> 'refresh_token', -1)),
               ('in upper case', upper(:'ada'::jsonb ->> 'refresh_token')), ('with a space', (:'ada'::jsonb ->> 'refresh_token') || ' ')) AS t (what, token);
SELECT is(test.added(:'before'), 'audit_log 12', 'each leaves a row in the trail and nothing else');
UPDATE orla.refresh_tokens SET expires_at = now() WHERE token_hash = orla.token_hash(:'ada'::jsonb ->> 'refresh_token');
SELECT is(test.try(format('refresh(%L)', :'ada'::jsonb ->> 'refresh_token')), 'PT401 refresh refused', 'refresh: expired');
SELECT test.sign_in('ada@example.org') AS ada \gset
UPDATE orla.sessions SET expires_at = now() WHERE id = (SELECT session_id FROM orla.refresh_tokens WHERE token_hash = orla.token_hash(:'ada'::jsonb ->> 'refresh_token'));
SELECT is(test.try(format('refresh(%L)', :'ada'::jsonb ->> 'refresh_token')), 'PT401 refresh refused', 'refresh: of a session that expired');
SELECT is(test.worth(:'ada'::jsonb ->> 'access_token'), 'The session has expired.', 'whose access token is over, too');

-- ---------------------------------------------------------------------------
-- Sign-out (56)
-- ---------------------------------------------------------------------------
SELECT test.sign_in('ada@example.org') AS one, test.sign_in('ada@example.org') AS two, test.sign_in('ada@example.org') AS three \gset
SELECT test.api(format('refresh(%L)', :'one'::jsonb ->> 'refresh_token')) AS one_later \gset
SELECT is(test.try(format('logout(%L)', :'one_later'::jsonb ->> 'refresh_token')), 'You are signed out.', 'logout');
SELECT is(test.worth(t.token), 'The session has ended.', t.what || ' ends at once') FROM (VALUES ('the access token', :'one_later'::jsonb ->> 'access_token'), ('the one before', :'one'::jsonb ->> 'access_token')) AS t (what, token);
SELECT is(test.try(format('refresh(%L)', t.token)), 'PT401 refresh refused', t.what || ' is refused') FROM (VALUES ('the refresh token', :'one_later'::jsonb ->> 'refresh_token'), ('within the grace, its parent', :'one'::jsonb ->> 'refresh_token')) AS t (what, token);
SELECT is(test.worth(:'two'::jsonb ->> 'access_token'), 'Ada', 'another session goes on');
SELECT test.counts() AS before \gset
SELECT is(test.try(format('logout(%L)', t.token)), 'You are signed out.', 'logout says the same for ' || t.what)
  FROM (VALUES ('the same again', :'one_later'::jsonb ->> 'refresh_token'), ('NULL', NULL), ('empty', ''), ('garbage', 'x'), ('what is made up', :'ada_id' || '.' || repeat('A', 43)),
               ('hers with Ben''s id', :'ben_id' || '.' || split_part(:'two'::jsonb ->> 'refresh_token', '.', 2))) AS t (what, token);
SELECT is(test.added(:'before'), NULL, 'and writes nothing then');
SELECT is(test.worth(:'two'::jsonb ->> 'access_token'), 'Ada', 'nor does it end hers');
-- an old token of the family ends it as well
SELECT test.api(format('refresh(%L)', :'two'::jsonb ->> 'refresh_token')) AS two_later \gset
SELECT test.api(format('logout(%L)', :'two'::jsonb ->> 'refresh_token')) AS ignored \gset
SELECT is(test.worth(:'two_later'::jsonb ->> 'access_token'), 'The session has ended.', 'a rotated token signs its session out');

SELECT test.sign_in('ada@example.org') AS four, test.sign_in('ben@example.org') AS ben \gset
SELECT is((SELECT array_agg(DISTINCT k ORDER BY k) FROM jsonb_array_elements(sessions) AS s, jsonb_object_keys(s) AS k), '{created_at,current,expires_at,id,ip_address,last_used_at,user_agent}'::text[], 'my_sessions has these keys and no secret')
  FROM test.api('my_sessions()', token => :'four'::jsonb ->> 'access_token') AS sessions;
SELECT is((SELECT string_agg(format('%s %s', s ->> 'ip_address', s ->> 'user_agent'), ', ') FROM jsonb_array_elements(sessions) AS s WHERE (s -> 'current')::boolean), '192.0.2.1 Browser/1.0', 'one is the current')
  FROM test.api('my_sessions()', token => :'four'::jsonb ->> 'access_token') AS sessions;
SELECT is(jsonb_array_length(sessions), (SELECT count(*)::int FROM orla.sessions WHERE user_id = :'ada_id' AND ended_at IS NULL AND expires_at > now()), 'all are hers and open')
  FROM test.api('my_sessions()', token => :'four'::jsonb ->> 'access_token') AS sessions;
SELECT is(test.api('me()', token => :'four'::jsonb ->> 'access_token'), :'four'::jsonb -> 'user', 'me is the user object');
SELECT is(test.try('logout_everywhere()', token => :'four'::jsonb ->> 'access_token'), 'You are signed out everywhere.', 'logout_everywhere');
SELECT is(test.worth(t.token), 'The session has ended.', t.what || ' has ended') FROM (VALUES ('this session', :'four'::jsonb ->> 'access_token'), ('another', :'three'::jsonb ->> 'access_token')) AS t (what, token);
SELECT is(count(*), 0::bigint, 'no token of hers is good') FROM orla.refresh_tokens AS t JOIN orla.sessions AS s ON s.user_id = t.user_id AND s.id = t.session_id WHERE t.user_id = :'ada_id' AND NOT t.is_revoked AND s.expires_at > now();
SELECT is(test.worth(:'ben'::jsonb ->> 'access_token'), 'Ben', 'Ben''s is');
UPDATE orla.sessions SET generation = 2 WHERE user_id = :'ben_id';
SELECT is(test.worth(:'ben'::jsonb ->> 'access_token'), 'The token is of another generation of its session.', 'a generation that was raised voids what was given out');
SELECT is(test.worth(test.api(format('refresh(%L)', :'ben'::jsonb ->> 'refresh_token')) ->> 'access_token'), 'Ben', 'until the next refresh');

-- ---------------------------------------------------------------------------
-- A password that is changed, an account that is deactivated, while somebody
-- signs in with the old state: the row is looked at again
-- ---------------------------------------------------------------------------
CREATE FUNCTION test.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE; END $$;
CREATE FUNCTION test.login_meanwhile(change text)
    RETURNS text
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- the counter's first write is before the password is compared, the row of
    -- users is written after it
    EXECUTE format($f$CREATE OR REPLACE FUNCTION test.meddle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $t$
        BEGIN UPDATE orla.users SET %s WHERE name = 'Ada'; RETURN NEW; END $t$ $f$, change);
    RETURN NULL;
END
$$;
CREATE TRIGGER meddle BEFORE INSERT ON orla.sign_in_attempts FOR EACH ROW EXECUTE FUNCTION test.meddle();
SELECT u.password_hash AS hash FROM orla.users AS u WHERE name = 'Ada' \gset
SELECT test.login_meanwhile($$password_hash = password_hash || 'A'$$) AS ignored \gset
SELECT is(test.guess('ada@example.org', 'Correct-Horse-42'), 'PT401 sign-in refused', 'the password is changed in the middle of a sign-in');
UPDATE orla.users SET password_hash = :'hash' WHERE name = 'Ada';
SELECT test.login_meanwhile('is_active = false') AS ignored \gset
SELECT is(test.guess('ada@example.org', 'Correct-Horse-42'), 'PT401 sign-in refused', 'the account is deactivated in the middle of a sign-in');
UPDATE orla.users SET is_active = true WHERE name = 'Ada';
SELECT is(count(*), 0::bigint, 'no session came of it') FROM orla.sessions WHERE user_id = :'ada_id' AND ended_at IS NULL AND expires_at > now();
DROP TRIGGER meddle ON orla.sign_in_attempts;
SELECT is(test.sign_in('ada@example.org') -> 'user' ->> 'name', 'Ada', 'otherwise it is good');

-- ---------------------------------------------------------------------------
-- READ ONLY: refused before anything is looked up (63)
-- ---------------------------------------------------------------------------
SELECT test.sign_in('ada@example.org') AS ada \gset
SELECT test.counts() AS before \gset
BEGIN READ ONLY;
SELECT string_agg(test.try(call), E'\n') AS said FROM unnest(ARRAY[
    $$register('', 'no address', '')$$, $$register('Ada', 'ro@example.org', 'Correct-Horse-42')$$, $$verify_email('x', 'y')$$, $$login('ada@example.org', 'Correct-Horse-42')$$,
    $$login('ada@example.org', 'wrong')$$, $$refresh('x')$$, $$resend_verification('no address')$$, $$forgot_password('ada@example.org')$$, $$reset_password('x', '')$$, $$logout('x')$$]) AS call \gset
SELECT orla.authenticate(:'ada'::jsonb ->> 'access_token') IS NULL AS ignored \gset
SELECT string_agg(test.try(call, token => :'ada'::jsonb ->> 'access_token'), E'\n') AS said_by_ada FROM unnest(ARRAY[
    $$change_password('x', '')$$, 'logout_everywhere()', $$delete_account('x')$$]) AS call \gset
SELECT test.try('me()', token => :'ada'::jsonb ->> 'access_token') AS me, test.try('my_sessions()', token => :'ada'::jsonb ->> 'access_token') AS sessions \gset
COMMIT;
SELECT is(regexp_replace(line, 'execute \w+ in', 'execute … in'), '25006 cannot execute … in a read-only transaction', 'in a READ ONLY transaction: ' || substring(line FROM 'execute (\w+)'))
  FROM regexp_split_to_table(:'said' || E'\n' || :'said_by_ada', E'\n') AS line;
SELECT is(test.added(:'before'), NULL, 'nothing was written');
SELECT is(:'me'::text || ' ' || :'sessions', 'answered answered', 'what only reads, reads');

-- ---------------------------------------------------------------------------
-- What has expired is removed
-- ---------------------------------------------------------------------------
SELECT is(string_agg(what, ' '), 'sessions refresh_tokens pending_registrations sign_in_attempts outbox oauth_states jobs revocations', 'purge_expired tells what it looked at') FROM orla.purge_expired();
SELECT is(sum(removed), 0::numeric, 'nothing is old enough') FROM orla.purge_expired();
UPDATE orla.sessions SET ended_at = now() - interval '31 days' WHERE user_id = :'ada_id' AND ended_at IS NOT NULL;
UPDATE orla.sessions SET expires_at = now() - interval '29 days' WHERE user_id = :'ben_id';
UPDATE orla.refresh_tokens SET expires_at = now() - interval '1 second' WHERE user_id = :'ben_id';
INSERT INTO orla.sign_in_attempts (address_digest, origin_digest, failed, window_started_at, locked_until) VALUES
    (sha256('1'), sha256('1'), 1, now() - interval '31 minutes', NULL), (sha256('2'), sha256('2'), 5, now() - interval '31 minutes', now() + interval '1 minute'),
    (sha256('3'), sha256('3'), 1, now() - interval '29 minutes', NULL);
SELECT test.api($$register('Late', 'late@example.org', 'Correct-Horse-42')$$), test.api($$register('Fresh', 'fresh@example.org', 'Correct-Horse-42')$$) \gset ignored_
UPDATE orla.pending_registrations SET expires_at = now() WHERE email = 'late@example.org';
UPDATE orla.outbox SET created_at = now() - interval '91 days' WHERE to_address = 'late@example.org';
INSERT INTO orla.oauth_states (user_id, session_id, provider, redirect_uri, state_hash, code_verifier, expires_at)
SELECT user_id, id, 'dropbox', 'http://localhost/callback', encode(sha256(id::text::bytea), 'hex'), orla.seal('secret', user_id, 'test'), now() - interval '1 second' FROM orla.sessions WHERE user_id = :'ben_id' LIMIT 1;
INSERT INTO orla.revocations (id, provider, sealed_grant, created_at, ended_at)
SELECT gen_random_uuid(), 'dropbox', orla.seal('{}', NULL, 'test'), now() - v.old, now() - v.ended
  FROM (VALUES (interval '25 hours', NULL::interval), ('23 hours', '61 minutes'), ('23 hours', '59 minutes'), ('23 hours', NULL)) AS v (old, ended);
CREATE ROLE sessions_operator LOGIN;
GRANT orla_admin TO sessions_operator;
SET SESSION AUTHORIZATION sessions_operator;
SELECT string_agg(what, ' ') AS emptied FROM orla.purge_expired() WHERE removed > 0 \gset
RESET SESSION AUTHORIZATION;
SELECT is(:'emptied'::text, 'sessions refresh_tokens pending_registrations sign_in_attempts outbox oauth_states revocations', 'an operator removes what has expired');
SELECT is(count(*) FILTER (WHERE user_id = :'ada_id' AND ended_at IS NOT NULL), 0::bigint, 'sessions 30 days after their end') FROM orla.sessions;
SELECT cmp_ok(count(*), '>', 0::bigint, 'not before') FROM orla.sessions WHERE user_id = :'ben_id';
SELECT is(string_agg(n, ' ' ORDER BY n), '2 3', 'counters that count no more') FROM unnest('{1,2,3}'::text[]) AS n WHERE sha256(n::bytea) IN (SELECT address_digest FROM orla.sign_in_attempts);
SELECT is(string_agg(email, ' '), 'fresh@example.org', 'sign-ups that nobody confirmed') FROM orla.pending_registrations;
SELECT is(count(*), 2::bigint, 'accesses that could not be ended within a day, and those that have ended an hour ago') FROM orla.revocations;
SELECT is((SELECT string_agg(concat_ws(' ', event_status, metadata ->> 'provider', coalesce(user_id::text, 'nobody')), ', ') FROM orla.audit_log WHERE event_type = 'revocation_given_up'), 'failure dropbox nobody', 'the trail tells of the former, and names nobody');
SELECT is(count(*), 0::bigint, 'and old mails') FROM orla.outbox WHERE to_address = 'late@example.org';
SELECT is(test.worth(:'ada'::jsonb ->> 'access_token'), 'Ada', 'who is signed in stays so');
SET ROLE orla_user;
SELECT throws_ok('SELECT orla.purge_expired()', '42501', NULL, 'no tenant may');
RESET ROLE;

SELECT * FROM finish();
DROP OWNED BY sessions_http, sessions_tenant, sessions_operator;
DROP ROLE sessions_http, sessions_tenant, sessions_operator;
\ir ../fixtures/people_end.sql
