-- Mail: what waits, who may read it, and that asking for it harms nobody.
-- Ways 107 and 109 of docs/security.md.
\set database orla_mail
\ir ../fixtures/people.sql
DROP ROLE IF EXISTS mail_operator;
SELECT * FROM no_plan();
CREATE ROLE mail_operator LOGIN;
GRANT orla_admin TO mail_operator;

SELECT test.join('Ada') AS ada \gset
SELECT test.api($$register('Ben', 'ben@example.org', 'Correct-Horse-42')$$) AS ignored, test.api($$forgot_password('ada@example.org')$$) AS ignored \gset

-- ---------------------------------------------------------------------------
-- The token is sealed; reading it leaves a trace
-- ---------------------------------------------------------------------------
SELECT test.link('ben@example.org') AS link \gset
SELECT o.id AS mail FROM orla.outbox AS o WHERE o.to_address = 'ben@example.org' \gset
SELECT matches(:'link'::text, '^[0-9a-f-]{36}\.[A-Za-z0-9_-]{43}$', 'a mail has a link');
SELECT is((SELECT string_agg(o::text || ' ' || encode(coalesce(o.sealed_token, ''), 'escape'), '') FROM orla.outbox AS o) ~ split_part(:'link', '.', 2), false, 'its token is nowhere in the outbox');
SELECT is(encode(p.token_hash::bytea, 'escape'), encode(sha256(:'link'::bytea), 'hex'), 'its SHA-256 is all there is') FROM orla.pending_registrations AS p;
SELECT throws_ok(format('SELECT orla.unseal(sealed_token, NULL, %L) FROM orla.outbox WHERE id = %L', 'outbox|' || gen_random_uuid(), :'mail'), '22000', NULL, 'moved to another mail it does not open');
SET SESSION AUTHORIZATION mail_operator;
SELECT lives_ok('SELECT id, user_id, to_address, subject, template, name, created_at, sent_at, attempts, last_error, next_attempt_at FROM orla.outbox', 'an operator sees that mails wait');
SELECT throws_ok('SELECT sealed_token FROM orla.outbox', '42501', NULL, 'not what is in them');
SELECT throws_ok('UPDATE orla.outbox SET sent_at = now()', '42501', NULL, 'nor writes them by hand');
SELECT throws_ok('SELECT orla.unseal(NULL, NULL, ''x'')', '42501', NULL, 'nor opens what is sealed');
SELECT matches(orla.render_mail(:'mail'), 'token=' || :'link', 'but may read one');
SELECT throws_ok('SELECT orla.render_mail(gen_random_uuid())', 'P0002', 'there is no such mail', 'that exists');
SELECT throws_ok('SELECT orla.render_mail(NULL)', 'P0002', 'there is no such mail', 'and is named');
RESET SESSION AUTHORIZATION;
SELECT is(metadata, jsonb_build_object('by', 'mail_operator', 'mail_id', :'mail', 'template', 'verify_email'), 'which the trail tells of')
  FROM orla.audit_log WHERE event_type = 'render_mail' ORDER BY created_at DESC LIMIT 1;
SELECT is((SELECT string_agg(a::text, '') FROM orla.audit_log AS a) ~ split_part(:'link', '.', 2), false, 'without the token');
SELECT throws_ok(format('SET ROLE %I; SELECT orla.render_mail(%L)', r, :'mail'), '42501', NULL, r || ' may not') FROM unnest('{orla_anon,orla_user,orla_analyst,orla_gateway}'::text[]) AS r;
SELECT throws_ok(format('SET ROLE %I; SELECT orla.record_delivery(%L)', r, :'mail'), '42501', NULL, r || ' may not say that it was sent') FROM unnest('{orla_anon,orla_user,orla_analyst,orla_gateway}'::text[]) AS r;
RESET ROLE;

-- ---------------------------------------------------------------------------
-- Delivery
-- ---------------------------------------------------------------------------
SET SESSION AUTHORIZATION mail_operator;
SELECT is(orla.record_delivery(:'mail', 'connection refused')::text, '', 'a mail could not be sent');
RESET SESSION AUTHORIZATION;
SELECT is(format('%s %s %s', attempts, last_error, sent_at), '1 connection refused ', 'and waits') FROM orla.outbox WHERE id = :'mail';
SELECT is(next_attempt_at - now() > interval '50 seconds', true, 'for a minute') FROM orla.outbox WHERE id = :'mail';
SELECT count(orla.record_delivery(:'mail', repeat('x', 10000))) AS ignored FROM generate_series(1, 20) \gset
SELECT is(next_attempt_at - now() <= interval '6 hours', true, 'later for longer, never for more than six hours') FROM orla.outbox WHERE id = :'mail';
SELECT is(test.link('ben@example.org'), :'link', 'its link is there');
SET SESSION AUTHORIZATION mail_operator;
SELECT is(orla.record_delivery(:'mail')::text, '', 'it is sent');
RESET SESSION AUTHORIZATION;
SELECT is(format('%s %s %s', sealed_token, last_error, sent_at IS NOT NULL), '  t', 'and its token blanked') FROM orla.outbox WHERE id = :'mail';
SELECT matches(orla.render_mail(:'mail'), '[(]sent and blanked[)]', 'no operator reads it any more');
SELECT throws_ok('SELECT orla.record_delivery(gen_random_uuid())', 'P0002', 'there is no such mail', 'a mail that is not there');
SELECT is(test.api(format('verify_email(%L, %L)', :'link', 'Correct-Horse-42')) -> 'user' ->> 'name', 'Ben', 'the link works for whoever has the mail');

-- ---------------------------------------------------------------------------
-- Texts
-- ---------------------------------------------------------------------------
-- Somebody who has not proven the address puts no words of his into our mails.
SELECT test.api($$register('You won: http://evil.example', 'victim@example.org', 'Correct-Horse-42', 'http://evil.example')$$),
       test.api($$resend_verification('victim@example.org')$$), test.api($$register('http://evil.example', 'ada@example.org', 'Correct-Horse-42')$$) \gset ignored_
SELECT is((SELECT string_agg(orla.render_mail(o.id), '') FROM orla.outbox AS o) ~ 'evil', false, 'no mail has what a stranger typed');
SELECT matches(test.newest_mail('ada@example.org'), 'You already have an account', 'the owner of a taken address is told so');
SELECT is(orla.mail_text('reset_password', E'Ada\r\nBcc: eve@example.org\n\n', 'x'), E'Hello Ada Bcc: eve@example.org ,\n\nchoose a new password with this link:\n\nhttp://localhost:3000/reset-password?token=x\n\nIf you did not ask for it, do nothing.\n', 'a name is one line');
SELECT is(string_agg(t, ', '), NULL, 'every template has a text and a subject')
  FROM unnest('{verify_email,address_taken,no_account,reset_password,password_changed}'::text[]) AS t
 WHERE orla.mail_text(t, NULL, 'x') IS NULL OR strpos(orla.render_mail(orla.enqueue_mail(NULL, 'x@example.org', 'X', t, 'x')), E'\nSubject: ') = 0;
SELECT throws_ok($$SELECT orla.enqueue_mail(NULL, 'x@example.org', 'X', 'unknown', 'x')$$, '23502', NULL, 'no other is sent');
SET orla.public_url = 'https://app.example.org/tea';
SELECT matches(orla.mail_text('verify_email', NULL, 'x'), '\nhttps://app.example.org/tea/verify-email\?token=x\n', 'links begin with orla.public_url');
RESET orla.public_url;

-- ---------------------------------------------------------------------------
-- How many: nobody fills a mailbox, and nobody keeps others from theirs
-- ---------------------------------------------------------------------------
DELETE FROM orla.outbox;
CREATE FUNCTION test.ask(n int, call text, ip text DEFAULT '192.0.2.1', device text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(answer || ' ' || times, ', ' ORDER BY answer)
      FROM (SELECT test.try(call, ip, device), count(*) FROM generate_series(1, n) GROUP BY 1) AS t (answer, times) $$;
SELECT is(test.ask(7, format('forgot_password(%L)', a), '203.0.113.1'), 'PT429 too many mails, try again later 2, We have sent you a mail. 5', 'five mails an hour from one origin to ' || a)
  FROM unnest('{ada@example.org,nobody@example.org}'::text[]) AS a;
SELECT is(count(*), 10::bigint, 'are sent and no more') FROM orla.outbox;
SELECT is(test.try(call, '203.0.113.1'), 'PT429 too many mails, try again later', 'then it is over for ' || split_part(call, '(', 1))
  FROM unnest(ARRAY[$$register('Eve', 'ada@example.org', 'Correct-Horse-42')$$, $$resend_verification('ada@example.org')$$, $$forgot_password('ADA@example.org')$$]) AS call;
SELECT is(test.try($$register('Eve', 'nobody@example.org', 'Correct-Horse-42')$$, '203.0.113.1'), 'PT429 too many mails, try again later', 'the same for an address without an account');
SELECT test.counts() AS before \gset
SELECT test.ask(3, $$forgot_password('ada@example.org')$$, '203.0.113.1') AS ignored \gset
SELECT is(test.added(:'before'), NULL, 'what is refused writes nothing');
SELECT is(test.try($$forgot_password('ben@example.org')$$, '203.0.113.1'), 'We have sent you a mail.', 'other addresses get theirs from there');
SELECT test.link('ada@example.org') AS link \gset
SELECT is(test.try($$forgot_password('ada@example.org')$$), 'We have sent you a mail.', 'and this one from elsewhere');
SELECT is(test.link('ada@example.org'), :'link', 'the link is the one that was mailed before');
SELECT is(test.try($$register('Nobody', 'nobody@example.org', 'Correct-Horse-42')$$), 'We have sent you a mail.', 'a stranger''s mails keep nobody from signing up');
-- many networks
SELECT string_agg(test.ask(5, $$forgot_password('ada@example.org')$$, '203.0.113.' || n), '') AS ignored FROM generate_series(2, 12) AS n \gset
SELECT is(count(*), 50::bigint, 'fifty mails an hour from everywhere') FROM orla.outbox WHERE to_address = 'ada@example.org';
SELECT is(test.try($$forgot_password('ada@example.org')$$), 'PT429 too many mails, try again later', 'then it is over for all');
SELECT test.sign_in('ada@example.org') IS NULL AS ignored, test.cookie() AS device \gset
SELECT is(test.try($$forgot_password('ada@example.org')$$, device => :'device'), 'We have sent you a mail.', 'but not for a device that the account knows');
SELECT is(test.ask(5, $$forgot_password('ada@example.org')$$, device => :'device'), 'PT429 too many mails, try again later 1, We have sent you a mail. 4', 'which has its five');
SELECT is(test.try($$forgot_password('ada@example.org')$$, device => regexp_replace(:'device', '^.', CASE WHEN left(:'device', 1) = 'a' THEN 'b' ELSE 'a' END)), 'PT429 too many mails, try again later', 'a forged one has not');
SELECT is(test.try(format('reset_password(%L, %L)', :'link', 'Another-Horse-43')), 'Your password has been changed.', 'and the link that was mailed first works through all of it');
UPDATE orla.outbox SET created_at = created_at - interval '1 hour';
SELECT is(test.try($$forgot_password('ada@example.org')$$, '203.0.113.1'), 'We have sent you a mail.', 'an hour later there are new ones');
-- what nobody asked for does not count
SELECT is(origin_digest, NULL, 'the notice of a change does not count') FROM orla.outbox WHERE template = 'password_changed';

-- Links on their way are blanked when they are over.
SELECT is(test.link('ada@example.org') IS NOT NULL, true, 'a link is on its way');
SELECT test.sign_in('ada@example.org', 'Another-Horse-43') AS ada \gset
SELECT test.api($$change_password('Another-Horse-43', 'Correct-Horse-42')$$, token => :'ada'::jsonb ->> 'access_token') AS ignored \gset
SELECT is(count(*), 0::bigint, 'after a change of password none is') FROM orla.outbox WHERE to_address = 'ada@example.org' AND template = 'reset_password' AND (sealed_token IS NOT NULL OR sent_at IS NULL);
SELECT is(count(*), 1::bigint, 'the notice of it waits') FROM orla.outbox WHERE to_address = 'ada@example.org' AND template = 'password_changed' AND sent_at IS NULL AND created_at > now() - interval '1 minute';

SELECT * FROM finish();
DROP OWNED BY mail_operator;
DROP ROLE mail_operator;
\ir ../fixtures/people_end.sql
