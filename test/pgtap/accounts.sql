-- Sign-up, verification, passwords, deletion, deactivation: what each answers,
-- what it refuses, and that a refusal tells nothing.
-- Ways 52 and 61 of docs/security.md.
\set database orla_accounts
\ir ../fixtures/people.sql
DROP ROLE IF EXISTS people_owner, people_operator;
SELECT * FROM no_plan();

-- ---------------------------------------------------------------------------
-- Sign-up
-- ---------------------------------------------------------------------------
SELECT test.counts() AS before \gset
SELECT is(test.api($$register('Ada', 'Ada@Example.ORG', 'Correct-Horse-42', 'Ada''s Teas')$$), '{"message": "We have sent you a mail."}', 'register answers with a message');
SELECT is(test.added(:'before'), 'audit_log 1, outbox 1, pending_registrations 1', 'and makes no account yet');
SELECT is(email, 'ada@example.org', 'the address is kept in lower case') FROM orla.pending_registrations;
SELECT matches(test.newest_mail('ada@example.org'), '^To: ada@example.org\nSubject: Confirm your address\n\nHello there,\n.*http://localhost:3000/verify-email\?token=[0-9a-f-]{36}\.[A-Za-z0-9_-]{43}\n', 'the mail has the link');
SELECT unalike(test.newest_mail('ada@example.org'), '%Ada,%', 'and nothing that whoever signed up has typed');
SELECT test.link('ada@example.org') AS link \gset
SELECT is(test.guess('ada@example.org', 'Correct-Horse-42'), 'PT401 sign-in refused', 'who has not answered the mail cannot sign in');

SELECT is(test.try(format('verify_email(%L, %L)', :'link', 'Wrong-Horse-42')), 'PT401 verification refused', 'the link without the password makes no account');
SELECT is(test.try(format('verify_email(%L, %L)', overlay(:'link' PLACING CASE WHEN substr(:'link', 40, 1) = 'A' THEN 'B' ELSE 'A' END FROM 40 FOR 1), 'Correct-Horse-42')), 'PT401 verification refused', 'nor the password without the link');
SELECT is(count(*), 0::bigint, 'no account') FROM orla.users;
SELECT test.api(format('verify_email(%L, %L)', :'link', 'Correct-Horse-42')) AS ada, test.cookie() AS cookie \gset
SELECT is((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(:'ada') k), '{access_token,expires_in,refresh_token,token_type,user}'::text[], 'both make it and sign in');
SELECT is((:'ada'::jsonb -> 'user') - 'id', '{"name": "Ada", "email": "ada@example.org", "organization_name": "Ada''s Teas", "role": "user", "plan": "free", "email_verified": true}', 'the user object');
SELECT is((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(:'ada'::jsonb -> 'user') k), '{email,email_verified,id,name,organization_name,plan,role}'::text[], 'has these keys and no other');
SELECT matches(:'cookie'::text, '^[0-9a-f-]{36}\.[0-9a-f]{16}\.[0-9a-f]{64}$', 'and the device is known from now on');
SELECT is(test.worth(:'ada'::jsonb ->> 'access_token'), 'Ada', 'the access token is hers');
SELECT is(count(*), 1::bigint, 'she has a data key') FROM orla.tenant_keys WHERE user_id = (:'ada'::jsonb -> 'user' ->> 'id')::uuid;
SELECT is(test.try(format('verify_email(%L, %L)', :'link', 'Correct-Horse-42')), 'PT401 verification refused', 'a replayed link is refused');
SELECT is(count(sealed_token), 0::bigint, 'and nowhere any more') FROM orla.outbox;
SELECT is(count(*), 0::bigint, 'nor does it wait to be sent') FROM orla.outbox WHERE sent_at IS NULL;

-- The same answer and the same writes for an address that is taken (security.md
-- 52: does an address have an account).
SELECT test.counts() AS before \gset
SELECT test.try($$register('Eve', 'eve@example.org', 'Correct-Horse-42')$$) AS free, test.added(:'before') AS added_free \gset
SELECT test.counts() AS before \gset
SELECT test.try($$register('Eve', 'ADA@example.org', 'Correct-Horse-42')$$) AS taken, test.added(:'before') AS added_taken \gset
SELECT is(:'taken'::text, :'free', 'a taken address gets the same answer as a free one');
SELECT is(:'added_taken'::text, :'added_free', 'and the same rows');
SELECT matches(test.newest_mail('ada@example.org'), 'You already have an account', 'its owner gets a notice');
SELECT is(test.link('ada@example.org'), NULL, 'without a link');
SELECT is(test.try(format('verify_email(%L, %L)', orla.unseal(o.sealed_token, NULL, 'outbox|' || o.id), 'Correct-Horse-42')), 'PT401 verification refused', 'the token that went nowhere would not work either')
  FROM orla.outbox AS o WHERE o.template = 'address_taken';
SELECT is(u.name, 'Ada', 'the account is as it was') FROM orla.users AS u WHERE u.email = 'ada@example.org';

-- Nor do the locks that pg_locks shows meanwhile tell (way 135): only for an account
-- the table of data keys was read.
CREATE FUNCTION test.run_steps(operation text, args jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    result   jsonb;
    response jsonb;
BEGIN
    LOOP
        EXECUTE format('SELECT orla.do_%s($1)', operation) INTO STRICT result USING args;
        EXIT WHEN NOT result ? 'apart';
        EXECUTE format('SELECT orla.do_%s($1)', result ->> 'apart') INTO STRICT response USING result -> 'args';
        operation := result ->> 'next';
        args := jsonb_build_object('state', result -> 'state', 'response', response);
    END LOOP;
    RETURN result;
END
$$;
CREATE FUNCTION test.locks(operation text, address text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    FOR i IN 1..2 LOOP      -- the first time there are locks of planning, too
        BEGIN
            PERFORM test.run_steps(operation, jsonb_build_object('by', 'login', 'email', address, 'password', 'Wrong-Horse-42', 'name', 'Eve',
                                                                 'origin', '{"ip": "203.0.113.80", "user_agent": "test"}'::jsonb));
            SELECT string_agg(DISTINCT c.relname || ' ' || l.mode, ', ' ORDER BY c.relname || ' ' || l.mode) INTO found
              FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
             WHERE l.pid = pg_backend_pid() AND c.relnamespace = 'orla'::regnamespace AND c.relkind = 'r';
            RAISE EXCEPTION 'undo';
        EXCEPTION WHEN raise_exception THEN
        END;
    END LOOP;
    RETURN found;
END
$$;
SELECT is(test.locks(f.operation, 'ada@example.org'), test.locks(f.operation, 'nobody@example.org'), f.operation || ' locks the same with and without an account')
  FROM (VALUES ('forgot_password'), ('sign_in'), ('register'), ('resend_verification')) AS f (operation);

-- Nobody activates a stranger's sign-up (61).
SELECT test.api($$register('Mallory', 'ben@example.org', 'Mallorys-Horse-1')$$, '203.0.113.66') IS NULL AS ignored \gset
SELECT test.link('ben@example.org') AS mallorys_link \gset
SELECT test.api($$register('Ben', 'ben@example.org', 'Correct-Horse-42')$$) IS NULL AS ignored \gset
SELECT test.link('ben@example.org') AS bens_link \gset
SELECT is(test.try(format('verify_email(%L, %L)', :'mallorys_link', 'Correct-Horse-42')), 'PT401 verification refused', 'Ben''s password does not go with Mallory''s sign-up');
SELECT is(test.api(format('verify_email(%L, %L)', :'bens_link', 'Correct-Horse-42')) -> 'user' ->> 'name', 'Ben', 'it does with his own');
SELECT is(test.try(format('verify_email(%L, %L)', :'mallorys_link', 'Mallorys-Horse-1')), 'PT401 verification refused', 'and hers is over');
SELECT is(count(*), 0::bigint, 'nothing of hers is left') FROM orla.pending_registrations WHERE email = 'ben@example.org';

-- Five wrong passwords end a link, whoever has it.
SELECT test.api($$register('Cay', 'cay@example.org', 'Correct-Horse-42')$$) IS NULL AS ignored \gset
SELECT test.link('cay@example.org') AS link \gset
SELECT is(string_agg(DISTINCT test.try(format('verify_email(%L, %L)', :'link', 'Wrong-Horse-' || n)), ''), 'PT401 verification refused', 'wrong passwords') FROM generate_series(1, 5) AS n;
SELECT is(test.try(format('verify_email(%L, %L)', :'link', 'Correct-Horse-42')), 'PT401 verification refused', 'after five of them the right one is refused');

-- Expired.
SELECT test.api($$register('Cay', 'cay@example.org', 'Correct-Horse-42')$$) IS NULL AS ignored \gset
SELECT is(expires_at - created_at, interval '7 days', 'a link is good for seven days') FROM orla.pending_registrations WHERE email = 'cay@example.org' LIMIT 1;
UPDATE orla.pending_registrations SET expires_at = now() WHERE email = 'cay@example.org';
SELECT is(test.try(format('verify_email(%L, %L)', test.link('cay@example.org'), 'Correct-Horse-42')), 'PT401 verification refused', 'an expired link is refused');

-- ---------------------------------------------------------------------------
-- Bad input: each with a clear error, before anything is written
-- ---------------------------------------------------------------------------
SELECT test.counts() AS before \gset
\set bad_address '22023 invalid e-mail address An address has one @, something on both sides of it, no spaces, control characters or quotes, none of ()<>[]:;,\\ and at most 254 bytes.'
SELECT is(test.try(format('%s(%s%L%s)', f.name, f.before, a.address, f.after)), :'bad_address', format('%s: %s', f.name, a.what))
  FROM (VALUES ('register', $$'Ada', $$, $$, 'Correct-Horse-42'$$), ('forgot_password', '', ''), ('resend_verification', '', '')) AS f (name, before, after),
       (VALUES ('no @', 'ada.example.org'), ('two @', 'ada@example@org'), ('nothing before @', '@example.org'), ('nothing after @', 'ada@'),
               ('a space', 'ada lovelace@example.org'), ('a space in front', ' ada@example.org'), ('a space behind', 'ada@example.org '),
               ('300 characters', repeat('a', 288) || '@example.org'), ('255 bytes', repeat('é', 121) || 'a@example.org'),
               ('empty', ''), ('NULL', NULL), ('a line of its own header', E'ada@example.org\nBcc: eve@example.org'), ('a tab', E'ada\t@example.org'),
               ('two recipients', 'eve,ada@example.org'), ('a name', 'Ada <ada@example.org>'), ('a quote', '"ada"@example.org'), ('an option', '-oQ/tmp@example.org'),
               ('a space that is none', U&'ada\00A0@example.org'), ('no width', U&'ada\200B@example.org'), ('right to left', U&'ada\202E@example.org'),
               ('a line separator', U&'ada\2028@example.org')) AS a (what, address);
SELECT is(test.try(format('register(%L, %L, %L)', n.name, 'new@example.org', 'Correct-Horse-42')), '22023 invalid name A name has 1 to 200 characters.', 'register: name ' || n.what)
  FROM (VALUES ('empty', ''), ('of spaces', '   '), ('NULL', NULL), ('of 201 characters', repeat('ä', 201))) AS n (what, name);
SELECT is(test.try(format('register(%L, %L, %L, %L)', 'Ada', 'new@example.org', 'Correct-Horse-42', repeat('x', 201))), '22023 invalid name of an organization It has at most 200 characters.', 'register: a name of an organization of 201 characters');
\set bad_length '22023 invalid password A password has at least 8 characters and at most 1024 bytes.'
\set bad_guess '22023 invalid password It is one of the first that anybody would try. Several words in a row are easy to remember and hard to guess.'
SELECT is(test.try(format('register(%L, %L, %L)', 'Ada', 'new@example.org', p.password)), p.error, 'register: password ' || p.what)
  FROM (VALUES ('of 7 characters', 'Aa1-xyz', :'bad_length'), ('of 10,000 characters', repeat('Correct-Ho', 1000), :'bad_length'),
               ('of 1 MB', repeat('Correct-Horse-42', 65536), :'bad_length'), ('of 1,025 bytes', 'abcd' || repeat('é', 510) || 'c', :'bad_length'),
               ('empty', '', :'bad_length'), ('NULL', NULL, :'bad_length'),
               ('that everybody tries', 'password', :'bad_guess'), ('that a rule made', 'Password123!', :'bad_guess'), ('of the season', 'Summer2024!', :'bad_guess'),
               ('of one letter', 'aaaaaaaaaaaa', :'bad_guess'), ('of two', '12121212121212', :'bad_guess'), ('of digits', '87654321', :'bad_guess'),
               ('that is the address', 'NEW@example.org', :'bad_guess')) AS p (what, password, error);
SELECT is(test.try($$register('Ada', 'somebody.new@example.org', 'Somebody.New')$$), :'bad_guess', 'register: the part before @ as a password');
SELECT is(test.try('register(repeat(''x'', 5000000), ''new@example.org'', ''Correct-Horse-42'')'), '22023 arguments are too large', 'register: 5 MB');
-- A NUL does not get as far as that.
SELECT throws_ok($$SELECT orla_api.register('Ada', 'new@example.org', E'Correct\000Horse-42')$$, '22021', NULL, 'a NUL in a statement');
SELECT throws_ok($$SELECT orla_api.register('Ada', 'new@example.org', '{"password": "Correct\u0000Horse"}'::jsonb ->> 'password')$$, '22P05', NULL, 'a NUL in JSON');
SELECT throws_ok($$SELECT orla_api.register('Ada', convert_from('\xfffe40', 'UTF8'), 'Correct-Horse-42')$$, '22021', NULL, 'what is not UTF-8');
SELECT is(test.added(:'before'), NULL, 'none of it wrote anything');

-- And good input that looks strange.
SELECT is(test.try(format('register(%L, %L, %L)', 'Ada', a.address, a.password)), 'We have sent you a mail.', a.what)
  FROM (VALUES ('a unicode address', 'jörg.鍵@bücher.example', 'Correct-Horse-42'), ('254 bytes', repeat('a', 242) || '@example.org', 'Correct-Horse-42'),
               ('a plus', 'ada+tea@example.org', 'Correct-Horse-42'), ('a password of 1,024 bytes', 'long@example.org', 'abcd' || repeat('é', 510)),
               ('a password of words', 'words@example.org', 'vier wörter in reihe'), ('a password in other letters', 'cyrillic@example.org', 'пароль-надёжный'),
               ('a password of lower-case letters alone', 'lower@example.org', 'correcthorse'), ('a password that has the name in it', 'somebody.new@example.org', 'somebody.new.42')) AS a (what, address, password);
SELECT is(test.api(format('verify_email(%L, %L)', test.link('long@example.org'), 'abcd' || repeat('é', 510))) -> 'user' ->> 'email', 'long@example.org', 'a password of 1,024 bytes is right');
SELECT is(test.guess('long@example.org', 'abcd' || repeat('é', 509)), 'PT401 sign-in refused', 'the same without its last letter is not');
SELECT is(test.sign_in('LONG@example.org', 'abcd' || repeat('é', 510)) -> 'user' ->> 'email', 'long@example.org', 'an address is the same in upper case');

-- Tokens of links that are none: one answer.
SELECT is(test.try(format('%s(%L, %L)', f.name, t.token, 'Correct-Horse-42')), f.refusal, format('%s: a token that is %s', f.name, t.what))
  FROM (VALUES ('verify_email', 'PT401 verification refused'), ('reset_password', 'PT401 reset refused')) AS f (name, refusal),
       (VALUES ('empty', ''), ('NULL', NULL), ('no token', 'token'), ('an id alone', gen_random_uuid()::text), ('made up', gen_random_uuid() || '.' || repeat('A', 43)),
               ('in upper case', upper(gen_random_uuid()::text) || '.' || repeat('A', 43)), ('1 MB long', gen_random_uuid() || '.' || repeat('A', 1048576)),
               ('not ASCII', gen_random_uuid() || '.' || repeat('é', 43)), ('one of another kind', :'ada'::jsonb ->> 'refresh_token'),
               ('an access token', :'ada'::jsonb ->> 'access_token'), ('followed by something', gen_random_uuid() || '.' || repeat('A', 43) || ' ')) AS t (what, token);

-- ---------------------------------------------------------------------------
-- A new link
-- ---------------------------------------------------------------------------
SELECT test.api($$register('Dee', 'dee@example.org', 'Correct-Horse-42')$$) IS NULL AS ignored \gset
SELECT test.link('dee@example.org') AS link \gset
SELECT is(test.try($$resend_verification('dee@example.org')$$), 'We have sent you a mail.', 'resend_verification');
SELECT is(test.link('dee@example.org'), :'link', 'mails the same link again: asking voids nothing');
-- Mallory signs up with the same address and asks, too.
SELECT test.api($$register('Mallory', 'dee@example.org', 'Mallorys-Horse-1')$$, '203.0.113.66') IS NULL AS ignored \gset
SELECT test.api($$resend_verification('dee@example.org')$$, '203.0.113.66') IS NULL AS ignored \gset
SELECT isnt(test.link('dee@example.org'), :'link', 'who asks from elsewhere gets the link of the sign-up from there');
SELECT test.api($$resend_verification('DEE@example.org')$$) IS NULL AS ignored \gset
SELECT is(test.link('dee@example.org'), :'link', 'Dee gets her own all the same');
-- In the second half of its time it is another one, good for the whole time.
UPDATE orla.pending_registrations SET expires_at = now() + interval '3 days' WHERE email = 'dee@example.org' AND name = 'Dee';
SELECT test.api($$resend_verification('dee@example.org')$$) IS NULL AS ignored \gset
SELECT isnt(test.link('dee@example.org'), :'link', 'an old link is renewed');
SELECT is(test.api(format('verify_email(%L, %L)', test.link('dee@example.org'), 'Correct-Horse-42')) -> 'user' ->> 'name', 'Dee', 'and works');

-- The same answer and as many rows for any address.
SELECT is(string_agg(DISTINCT test.try(format('resend_verification(%L)', a), '203.0.113.77'), '|'), 'We have sent you a mail.', 'resend_verification says the same for any address')
  FROM unnest('{ada@example.org,nobody@example.org,cay@example.org,words@example.org}'::text[]) AS a;
SELECT is(string_agg(o.template, ' ' ORDER BY o.to_address COLLATE "C"), 'address_taken no_account no_account verify_email', 'and mails what is the case')
  FROM orla.outbox AS o WHERE o.origin_digest = orla.origin_digest('x', '{"ip": "203.0.113.77"}');
SELECT is(string_agg(DISTINCT test.try(format('forgot_password(%L)', a), '203.0.113.78'), '|'), 'We have sent you a mail.', 'forgot_password says the same for any address')
  FROM unnest('{ada@example.org,nobody@example.org,cay@example.org}'::text[]) AS a;
SELECT is(string_agg(o.template, ' ' ORDER BY o.to_address COLLATE "C"), 'reset_password no_account no_account', 'and mails what is the case')
  FROM orla.outbox AS o WHERE o.origin_digest = orla.origin_digest('x', '{"ip": "203.0.113.78"}');
SELECT test.counts() AS before \gset
SELECT test.api($$forgot_password('nobody2@example.org')$$) IS NULL AS ignored \gset
SELECT test.added(:'before') AS added \gset
SELECT test.counts() AS before \gset
SELECT test.api($$forgot_password('ben@example.org')$$) IS NULL AS ignored \gset
SELECT is(test.added(:'before'), :'added', 'with as many rows');

-- ---------------------------------------------------------------------------
-- A forgotten password
-- ---------------------------------------------------------------------------
SELECT test.sign_in('ada@example.org') AS elsewhere \gset
SELECT test.link('ada@example.org') AS link \gset
SELECT test.api($$forgot_password('ada@example.org')$$, '203.0.113.79') IS NULL AS ignored \gset
SELECT is(test.link('ada@example.org'), :'link', 'who asks again voids nobody''s link');
SELECT is(u.reset_token_expires > now() + interval '59 minutes' AND u.reset_token_expires <= now() + interval '1 hour', true, 'it is good for an hour') FROM orla.users AS u WHERE u.email = 'ada@example.org';
SELECT unalike(u::text, '%' || :'link' || '%', 'it is stored as a hash') FROM orla.users AS u WHERE u.email = 'ada@example.org';
SELECT test.link('ben@example.org') AS bens_link \gset
SELECT is(test.try(format('reset_password(%L, %L)', split_part(:'link', '.', 1) || '.' || split_part(:'bens_link', '.', 2), 'Third-Horse-44')), 'PT401 reset refused', 'a foreign link with one''s own id is refused');
SELECT is(test.try(format('reset_password(%L, %L)', :'link', 'short')), :'bad_length', 'a bad password leaves the link good');
SELECT is(test.try(format('reset_password(%L, %L)', :'link', 'ADA@example.org')), :'bad_guess', 'so does the address as a password');
-- Attempts of others lock nobody out who has the mail.
SELECT is(string_agg(DISTINCT test.guess('ada@example.org'), ''), 'PT401 sign-in refused', 'five wrong guesses') FROM generate_series(1, 5);
SELECT is(test.try(format('reset_password(%L, %L)', :'link', 'Third-Horse-44')), 'Your password has been changed.', 'the link sets a new password');
SELECT is(test.worth(v.token), 'The session has ended.', v.what || ' has ended')
  FROM (VALUES ('the first session', :'ada'::jsonb ->> 'access_token'), ('the other session', :'elsewhere'::jsonb ->> 'access_token')) AS v (what, token);
SELECT is(test.try(format('refresh(%L)', :'ada'::jsonb ->> 'refresh_token')), 'PT401 refresh refused', 'with its refresh token');
SELECT is(test.sign_in('ada@example.org', 'Third-Horse-44') -> 'user' ->> 'name', 'Ada', 'the new password is right, and the lock is off');
SELECT is(test.guess('ada@example.org', 'Correct-Horse-42'), 'PT401 sign-in refused', 'the old one is wrong');
SELECT is(test.try(format('reset_password(%L, %L)', :'link', 'Fourth-Horse-45')), 'PT401 reset refused', 'a replayed link is refused');
SELECT matches(test.newest_mail('ada@example.org'), 'Your password was changed', 'the owner is told');
SELECT test.api($$forgot_password('ada@example.org')$$, '203.0.113.79') IS NULL AS ignored \gset
UPDATE orla.users SET reset_token_expires = now() WHERE email = 'ada@example.org';
SELECT is(test.try(format('reset_password(%L, %L)', test.link('ada@example.org'), 'Fourth-Horse-45')), 'PT401 reset refused', 'an expired link is refused');

-- ---------------------------------------------------------------------------
-- A new password
-- ---------------------------------------------------------------------------
SELECT test.sign_in('ada@example.org', 'Third-Horse-44') AS here, test.sign_in('ada@example.org', 'Third-Horse-44') AS there \gset
SELECT is(test.try($$change_password('Wrong-Horse-42', 'Correct-Horse-42')$$, token => :'here'::jsonb ->> 'access_token'), 'PT403 password refused', 'change_password with a wrong password');
SELECT is(test.try($$change_password('Third-Horse-44', 'short')$$, token => :'here'::jsonb ->> 'access_token'), :'bad_length', 'to a bad one');
SELECT is(test.try($$change_password('Third-Horse-44', NULL)$$, token => :'here'::jsonb ->> 'access_token'), :'bad_length', 'to none');
SELECT is(test.try($$change_password(NULL, 'Correct-Horse-42')$$, token => :'here'::jsonb ->> 'access_token'), 'PT403 password refused', 'from none');
SELECT is(test.worth(:'there'::jsonb ->> 'access_token'), 'Ada', 'nothing happened');
SELECT is(test.try($$change_password('Third-Horse-44', 'Correct-Horse-42')$$, token => :'here'::jsonb ->> 'access_token'), 'Your password has been changed.', 'change_password');
SELECT is(test.worth(:'here'::jsonb ->> 'access_token'), 'Ada', 'this session goes on');
SELECT is(test.worth(:'there'::jsonb ->> 'access_token'), 'The session has ended.', 'all others end');
SELECT is(test.try(format('refresh(%L)', :'there'::jsonb ->> 'refresh_token')), 'PT401 refresh refused', 'with their refresh tokens');
SELECT is(test.try(format('refresh(%L)', :'here'::jsonb ->> 'refresh_token')), 'answered', 'this one''s is good');
-- A guess at the password of an open session counts like one at the sign-in.
SELECT is(string_agg(DISTINCT test.try($$change_password('Wrong-Horse-42', 'Another-Horse-43')$$, '203.0.113.80', token => :'here'::jsonb ->> 'access_token'), ''), 'PT403 password refused', 'five wrong passwords') FROM generate_series(1, 5);
SELECT is(test.try($$change_password('Correct-Horse-42', 'Another-Horse-43')$$, '203.0.113.80', token => :'here'::jsonb ->> 'access_token'), 'PT403 password refused', 'and the right one is refused from there');
SELECT is(test.try('delete_account(''Correct-Horse-42'')', '203.0.113.80', token => :'here'::jsonb ->> 'access_token'), 'PT403 password refused', 'deletion, too');
SELECT is(test.sign_in('ada@example.org') -> 'user' ->> 'name', 'Ada', 'elsewhere it is good');
-- Who is nobody has no password to change.
SELECT is(test.try(call), '42501 permission denied for function ' || split_part(call, '(', 1), split_part(call, '(', 1) || ' without a token')
  FROM unnest(ARRAY[$$change_password('a', 'b')$$, 'logout_everywhere()', $$delete_account('a')$$, 'me()', 'my_sessions()']) AS call;

-- ---------------------------------------------------------------------------
-- Imported accounts
-- ---------------------------------------------------------------------------
-- bcrypt of 'Correct-Horse-42' as ORLA³ has it
INSERT INTO orla.users (name, email, password_hash, email_verified)
VALUES ('Finn', 'finn@example.org', replace(orla.bcrypt('Correct-Horse-42', '$2a$04$abcdefghijklmnopqrstuu'), '$2a$', '$2b$'), true),
       ('Gus', 'gus@example.org', replace(orla.bcrypt('Correct-Horse-42', '$2a$04$abcdefghijklmnopqrstuu'), '$2a$', '$2b$'), false),
       ('Hal', 'hal@example.org', replace(orla.bcrypt('Correct-Horse-42', '$2a$04$abcdefghijklmnopqrstuu'), '$2a$', '$2b$'), false);
SELECT is(test.guess('finn@example.org'), 'PT401 sign-in refused', 'an imported account: a wrong password');
SELECT matches(password_hash, '^\$2b\$04\$', 'leaves the hash as it is') FROM orla.users WHERE name = 'Finn';
SELECT is(test.sign_in('finn@example.org') -> 'user' ->> 'name', 'Finn', 'the right one signs in');
SELECT matches(password_hash, '^\$argon2id\$', 'and replaces the hash') FROM orla.users WHERE name = 'Finn';
SELECT is(test.sign_in('finn@example.org') -> 'user' ->> 'name', 'Finn', 'by one that is as good');
SELECT is(count(*), 1::bigint, 'the account has a data key now') FROM orla.tenant_keys JOIN orla.users ON id = user_id WHERE name = 'Finn';
SELECT is(count(*) FILTER (WHERE sealed_personal IS NOT NULL) > 0, true, 'which the audit trail uses') FROM orla.audit_log JOIN orla.users u ON u.id = user_id WHERE u.name = 'Finn';

SELECT is(test.guess('gus@example.org', 'Correct-Horse-42', '203.0.113.90'), 'PT401 sign-in refused', 'an imported account that is not verified does not sign in');
SELECT is(test.try($$resend_verification('gus@example.org')$$), 'We have sent you a mail.', 'its owner asks for a link');
SELECT test.link('gus@example.org') AS link \gset
SELECT test.api($$resend_verification('gus@example.org')$$) IS NULL AS ignored \gset
SELECT is(test.link('gus@example.org'), :'link', 'twice, and has the same');
SELECT is(test.try(format('verify_email(%L, %L)', :'link', 'Wrong-Horse-42')), 'PT401 verification refused', 'the link without the password is refused');
SELECT is(test.api(format('verify_email(%L, %L)', :'link', 'Correct-Horse-42')) -> 'user' ->> 'email_verified', 'true', 'with it the account is verified');
SELECT is(test.try(format('verify_email(%L, %L)', :'link', 'Correct-Horse-42')), 'PT401 verification refused', 'once');
SELECT is(test.sign_in('gus@example.org') -> 'user' ->> 'name', 'Gus', 'and signs in');
SELECT is(verification_token IS NULL AND verification_token_expires IS NULL, true, 'nothing is left of the link') FROM orla.users WHERE name = 'Gus';
-- A mail proves the address, whatever it was sent for.
SELECT test.api($$forgot_password('hal@example.org')$$) IS NULL AS ignored \gset
SELECT test.api(format('reset_password(%L, %L)', test.link('hal@example.org'), 'Another-Horse-43')) IS NULL AS ignored \gset
SELECT is(test.sign_in('hal@example.org', 'Another-Horse-43') -> 'user' ->> 'email_verified', 'true', 'a reset verifies the address as well');

-- ---------------------------------------------------------------------------
-- An operator deactivates
-- ---------------------------------------------------------------------------
CREATE ROLE people_operator LOGIN;
GRANT orla_admin TO people_operator;
SELECT test.sign_in('finn@example.org') AS finn, :'here' AS here \gset
SELECT :'finn'::jsonb -> 'user' ->> 'id' AS finn_id \gset
SELECT test.api($$forgot_password('finn@example.org')$$) IS NULL AS ignored \gset
SELECT test.link('finn@example.org') AS link \gset
SET SESSION AUTHORIZATION people_operator;
SELECT lives_ok(format('SELECT orla.set_account_active(%L, false)', :'finn_id'), 'an operator deactivates an account');
SELECT throws_ok('SELECT orla.set_account_active(gen_random_uuid(), false)', '22023', NULL, 'not one that does not exist');
SELECT throws_ok('SELECT orla.set_account_active(NULL, false)', '22023', NULL, 'nor none');
SELECT throws_ok(format('SELECT orla.set_account_active(%L, NULL)', :'finn_id'), '22004', 'neither active nor inactive', 'nor to neither');
SELECT throws_ok('UPDATE orla.users SET is_active = true', '42501', NULL, 'and writes nothing by hand');
RESET SESSION AUTHORIZATION;
SELECT is(test.worth(:'finn'::jsonb ->> 'access_token'), 'The session has ended.', 'it counts at once, for SQL and HTTP');
SELECT is(test.try(format('refresh(%L)', :'finn'::jsonb ->> 'refresh_token')), 'PT401 refresh refused', 'for the refresh token');
SELECT is(test.guess('finn@example.org', 'Correct-Horse-42'), 'PT401 sign-in refused', 'for the password');
SELECT is(test.try(format('reset_password(%L, %L)', :'link', 'Another-Horse-43')), 'PT401 reset refused', 'and for a link that was mailed');
SELECT test.api($$forgot_password('finn@example.org')$$) IS NULL AS ignored \gset
SELECT is(test.link('finn@example.org'), NULL, 'no new one is mailed');
SELECT is(string_agg(format('%s by %s', event_type, metadata ->> 'by'), ''), 'deactivate_account by people_operator', 'the trail says who did it')
  FROM orla.audit_log WHERE user_id = :'finn_id' AND event_type ~ 'activate';
-- is_active alone, by hand, is enough for what was signed.
UPDATE orla.sessions SET ended_at = NULL WHERE user_id = :'finn_id';
SELECT is(test.worth(:'finn'::jsonb ->> 'access_token'), 'The account is not active.', 'a session that did not end is worth nothing either');
SELECT orla.set_account_active(:'finn_id', true) IS NULL AS ignored \gset
UPDATE orla.sessions SET ended_at = now() WHERE user_id = :'finn_id';
SELECT is(test.worth(:'finn'::jsonb ->> 'access_token'), 'The session has ended.', 'activated again: old sessions stay ended');
SELECT is(test.sign_in('finn@example.org') -> 'user' ->> 'name', 'Finn', 'and the password is good');
SET ROLE orla_user;
SELECT throws_ok(format('SELECT orla.set_account_active(%L, true)', :'finn_id'), '42501', NULL, 'no tenant may');
RESET ROLE;

-- ---------------------------------------------------------------------------
-- Deletion: every row and the key, in every table that the catalogue knows
-- ---------------------------------------------------------------------------
SELECT test.join('Ivy') AS ivy \gset
SELECT :'ivy'::jsonb -> 'user' ->> 'id' AS ivy_id \gset
-- tables of the operator's own under the fence
CREATE TABLE public.orders (user_id uuid NOT NULL REFERENCES orla.users (id) ON DELETE CASCADE, id int NOT NULL, PRIMARY KEY (user_id, id)) PARTITION BY HASH (user_id);
CREATE TABLE public.orders_0 PARTITION OF public.orders FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE public.orders_1 PARTITION OF public.orders FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE public.order_lines (user_id uuid NOT NULL, order_id int NOT NULL, line int NOT NULL, PRIMARY KEY (user_id, order_id, line),
    FOREIGN KEY (user_id, order_id) REFERENCES public.orders (user_id, id) ON DELETE CASCADE);
CREATE ROLE people_owner;
ALTER TABLE public.orders OWNER TO people_owner;
ALTER TABLE public.orders_0 OWNER TO people_owner;
ALTER TABLE public.orders_1 OWNER TO people_owner;
ALTER TABLE public.order_lines OWNER TO people_owner;
SELECT orla.protect('public.orders'), orla.protect('public.order_lines') \gset ignored_
INSERT INTO public.orders SELECT id, 1 FROM orla.users;
INSERT INTO public.order_lines SELECT id, 1, 1 FROM orla.users;
-- rows in every table of orla that has a tenant
INSERT INTO orla.competitors (user_id, id, name) SELECT id, id, 'Rival' FROM orla.users;
INSERT INTO orla.competitor_analyses (user_id, competitor_id) SELECT id, id FROM orla.users;
INSERT INTO orla.content_library (user_id, id, title) SELECT id, id, 'Title' FROM orla.users;
INSERT INTO orla.content_calendar (user_id, content_id, title, scheduled_date) SELECT id, id, 'Title', now() FROM orla.users;
INSERT INTO orla.published_posts (user_id, content_id, platform) SELECT id, id, 'web' FROM orla.users;
INSERT INTO orla.brand_strategy (user_id) SELECT id FROM orla.users;
INSERT INTO orla.brand_voice_assets (user_id, filename, category) SELECT id, 'a.txt', 'guidelines' FROM orla.users;
INSERT INTO orla.tenant_grants (analyst, user_id) SELECT 'people_operator', id FROM orla.users;
INSERT INTO orla.jobs (user_id, kind) SELECT id, 'generate' FROM orla.users;
INSERT INTO orla.user_cloud_storage_tokens (user_id, provider, provider_email, access_token)
SELECT id, 'dropbox', lower(name) || '.private@example.org', orla.seal('secret', id, 'test') FROM orla.users JOIN orla.tenant_keys ON user_id = id;
INSERT INTO orla.oauth_states (user_id, session_id, provider, redirect_uri, state_hash, code_verifier)
SELECT s.user_id, s.id, 'dropbox', 'http://localhost/callback', encode(sha256(s.id::text::bytea), 'hex'), orla.seal('secret', s.user_id, 'test')
  FROM orla.sessions AS s JOIN orla.tenant_keys AS k USING (user_id);
SELECT test.try($$forgot_password('ivy@example.org')$$), test.guess('ivy@example.org', ip => '203.0.113.1'), test.guess('ivy@example.org', ip => '203.0.113.2'),
       test.try($$register('Ivy', 'ivy@example.org', 'Correct-Horse-42')$$) \gset ignored_

CREATE FUNCTION test.mentions(what text)
    RETURNS TABLE (place text, n bigint)
    LANGUAGE plpgsql
    AS $$
DECLARE
    t regclass;
BEGIN
    FOR t IN SELECT c.oid FROM pg_class AS c
              WHERE c.relkind = 'r' AND (c.relnamespace = 'orla'::regnamespace OR c.relnamespace = 'public'::regnamespace) LOOP
        RETURN QUERY EXECUTE format('SELECT %L, count(*) FROM %s AS x WHERE strpos(to_jsonb(x)::text, %L) > 0 HAVING count(*) > 0', t, t, what);
    END LOOP;
END
$$;
CREATE FUNCTION test.of_tenants()
    RETURNS SETOF text
    LANGUAGE sql
    AS $$
    SELECT a.attrelid::regclass::text
      FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
     WHERE a.attname = 'user_id' AND c.relkind = 'r' AND c.relnamespace IN ('orla'::regnamespace, 'public'::regnamespace) AND c.relname !~ '^orders_'
$$;
SELECT is((SELECT string_agg(t, ', ') FROM test.of_tenants() AS t WHERE t NOT IN (SELECT place FROM test.mentions(:'ivy_id'))), NULL, 'Ivy has a row in every table of tenants');
SELECT string_agg(format('%s %s', place, n), ', ' ORDER BY place) AS bens FROM test.mentions((SELECT id::text FROM orla.users WHERE name = 'Ben')) \gset
SELECT sealed_personal AS sealed, id AS sealed_id FROM orla.audit_log WHERE user_id = :'ivy_id' AND sealed_personal IS NOT NULL LIMIT 1 \gset
SELECT matches(orla.unseal(:'sealed', :'ivy_id', 'audit_log|' || :'sealed_id'), '198.51.100.9', 'the audit trail has her network address, sealed');
SELECT is(test.try('delete_account(''Wrong-Horse-42'')', token => :'ivy'::jsonb ->> 'access_token'), 'PT403 password refused', 'delete_account with a wrong password');
SELECT count(*) AS trail FROM orla.audit_log \gset
SELECT is(test.try('delete_account(''Correct-Horse-42'')', '198.51.100.9', token => :'ivy'::jsonb ->> 'access_token'), 'Your account has been deleted.', 'delete_account');
SELECT is((SELECT string_agg(format('%s %s', place, n), ', ') FROM test.mentions(:'ivy_id')), NULL, 'her id is nowhere any more');
SELECT is((SELECT string_agg(format('%s %s', place, n), ', ') FROM test.mentions('ivy@')), NULL, 'nor her address');
SELECT is((SELECT string_agg(format('%s %s', place, n), ', ') FROM test.mentions('ivy.private@')), NULL, 'nor the one that a provider gave');
SELECT is((SELECT string_agg(format('%s %s', place, n), ', ') FROM test.mentions('Ivy')), NULL, 'nor her name');
SELECT is(count(*), 0::bigint, 'nor what counted her attempts') FROM orla.sign_in_attempts WHERE address_digest = orla.address_digest('ivy@example.org');
SELECT is((SELECT count(*) FROM orla.audit_log), :trail + 1::bigint, 'no row of the trail went, one came');
SELECT is(to_jsonb(a) - '{id,created_at,mac,mac_key_id}'::text[], '{"user_id": null, "event_type": "delete_account", "event_status": "success", "ip_address": null, "user_agent": null, "error_message": null, "metadata": {}, "subject_digest": null, "sealed_personal": null}', 'which names no person')
  FROM orla.audit_log AS a ORDER BY created_at DESC LIMIT 1;
SELECT is((SELECT string_agg(object || ' ' || problem, ', ') FROM orla.audit_verify()), NULL, 'the trail is whole');
SELECT throws_ok(format('SELECT orla.unseal(%L, %L, %L)', :'sealed', :'ivy_id', 'audit_log|' || :'sealed_id'), 'P0002', NULL, 'what was sealed for her opens for nobody');
SELECT is(string_agg(format('%s %s', place, n), ', ' ORDER BY place), :'bens', 'Ben has what he had') FROM test.mentions((SELECT id::text FROM orla.users WHERE name = 'Ben'));
SELECT is(test.worth(:'ivy'::jsonb ->> 'access_token'), 'The session does not exist.', 'her access token is worth nothing');
SELECT is(test.try(format('refresh(%L)', :'ivy'::jsonb ->> 'refresh_token')), 'PT401 refresh refused', 'nor her refresh token');
SELECT is(test.guess('ivy@example.org', 'Correct-Horse-42'), 'PT401 sign-in refused', 'nor her password');
SELECT isnt(test.join('Ivy') -> 'user' ->> 'id', :'ivy_id', 'she may come again, as somebody else');

-- A table of the operator's that keeps rows keeps the account, and says so.
CREATE TABLE public.invoices (user_id uuid NOT NULL REFERENCES orla.users (id), id int NOT NULL, PRIMARY KEY (user_id, id));
INSERT INTO public.invoices SELECT id, 1 FROM orla.users WHERE name = 'Ben';
SELECT test.sign_in('ben@example.org') AS ben \gset
SELECT matches(test.try('delete_account(''Correct-Horse-42'')', token => :'ben'::jsonb ->> 'access_token'), '^23503 .*invoices', 'a row that must stay keeps the account');
SELECT is(test.worth(:'ben'::jsonb ->> 'access_token'), 'Ben', 'with all of it');
DROP TABLE public.invoices;

SELECT * FROM finish();
SELECT orla.unprotect('public.orders'), orla.unprotect('public.order_lines') \gset ignored_
DROP OWNED BY people_owner, people_operator;
DROP ROLE people_owner, people_operator;
\ir ../fixtures/people_end.sql
