-- Between the steps of a sign-in, a changed password and a deletion others work:
-- what was compared counts only while it still holds.
\set database orla_steps
\ir ../fixtures/people.sql
SELECT * FROM no_plan();

-- One step, of what asked for it.
CREATE FUNCTION test.step(operation text, args jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    result jsonb;
BEGIN
    PERFORM orla.current_tenant();      -- loads the library, whose settings the work reads
    EXECUTE format('SELECT orla.do_%s($1)', operation) INTO STRICT result USING args;
    RETURN result;
END
$$;
-- What the other process computes, and the step after that.
CREATE FUNCTION test.go_on(step jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT test.step(step ->> 'next', jsonb_build_object('state', step -> 'state', 'response', test.step(step ->> 'apart', step -> 'args')))
$$;
-- What a step has for the caller, or what it asks for.
CREATE FUNCTION test.outcome(step jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(step #>> '{refusal,sqlstate}', step #>> '{answer,refusal,sqlstate}', step ->> 'apart', step #>> '{answer,answer,user,name}', step #>> '{answer,message}')
$$;
CREATE FUNCTION test.person(called text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    who uuid;
BEGIN
    PERFORM orla.current_tenant();
    INSERT INTO orla.users (name, email, password_hash, email_verified)
    VALUES (called, lower(called) || '@example.org', orla.hash_password('Correct-Horse-42'), true) RETURNING id INTO who;
    PERFORM orla.create_tenant_key(who);
    RETURN who;
END
$$;
SELECT test.person('Ada') AS ada, '{"ip": "192.0.2.1"}' AS origin \gset
CREATE FUNCTION test.sign_in_of(email text, password text DEFAULT 'Correct-Horse-42') RETURNS jsonb LANGUAGE sql AS $$
    SELECT test.step('sign_in', jsonb_build_object('by', 'login', 'email', email, 'password', password, 'origin', '{"ip": "192.0.2.1"}'::jsonb))
$$;
CREATE FUNCTION test.changed(who uuid, password text) RETURNS void LANGUAGE sql AS $$
    SELECT orla.set_password(who, orla.hash_password(password), NULL)
$$;

-- ---------------------------------------------------------------------------
-- Steps as they are
-- ---------------------------------------------------------------------------
SELECT test.sign_in_of('ada@example.org') AS step \gset
SELECT is(test.outcome(:'step'), 'compare_password', 'a sign-in has a password compared');
SELECT is(count(*), 0::bigint, 'and has counted nothing yet') FROM orla.sign_in_attempts;
SELECT is((:'step'::jsonb -> 'args') - 'hash', '{"password": "Correct-Horse-42"}'::jsonb, 'the other process gets the password and a hash');
SELECT is(test.outcome(test.go_on(:'step')), 'Ada', 'the right one signs in');
SELECT is(test.outcome(test.go_on(test.sign_in_of('ada@example.org', 'Wrong-Horse-42'))), 'PT401', 'a wrong one does not');
SELECT is((SELECT sum(failed) FROM orla.sign_in_attempts), 1::bigint, 'and is counted');
SELECT is(test.go_on(test.sign_in_of('ada@example.org', 'Wrong-Horse-42')) -> 'hold_ms', test.go_on(test.sign_in_of('nobody@example.org')) -> 'hold_ms', 'a refusal is held as long for nobody''s address');
SELECT cmp_ok((test.go_on(test.sign_in_of('nobody@example.org')) ->> 'hold_ms')::int, '>', 0, 'for a moment');
SELECT is(test.sign_in_of('nobody@example.org') #> '{args,hash}', 'null', 'nobody has no hash, which the comparison makes up');
SELECT is(test.step('compare_password', '{"password": "Correct-Horse-42", "hash": null}'), '{"answer": false}', 'and no password goes with');
TRUNCATE orla.sign_in_attempts;

-- ---------------------------------------------------------------------------
-- What happens meanwhile
-- ---------------------------------------------------------------------------
SELECT test.sign_in_of('ada@example.org') AS step \gset
SELECT test.changed(:'ada', 'Correct-Horse-43') \gset ignored_
SELECT is(test.outcome(test.go_on(:'step')), 'PT401', 'the password that was right is changed: refused');
SELECT is((SELECT sum(failed) FROM orla.sign_in_attempts), 1::bigint, 'and counted as a wrong one');
TRUNCATE orla.sign_in_attempts;
SELECT test.sign_in_of('ada@example.org', 'Correct-Horse-43') AS step \gset
SELECT orla.set_account_active(:'ada', false) \gset ignored_
SELECT is(test.outcome(test.go_on(:'step')), 'PT401', 'the account is deactivated: refused');
SELECT orla.set_account_active(:'ada', true) \gset ignored_
SELECT is(test.outcome(test.go_on(:'step')), 'Ada', 'as it would be if it were not');

-- Guesses that were compared at the same time.
SELECT test.sign_in_of('ada@example.org', 'Correct-Horse-43') AS right_one \gset
SELECT is(string_agg(test.outcome(test.go_on(test.sign_in_of('ada@example.org', 'Wrong-Horse-' || n))), ' '), 'PT401 PT401 PT401 PT401 PT401', 'five wrong ones') FROM generate_series(1, 5) AS n;
SELECT is(test.outcome(test.go_on(:'right_one')), 'PT401', 'and the right one, which was compared before, is worth nothing after them');
TRUNCATE orla.sign_in_attempts;

-- A hash of other costs is made anew, which takes a step more.
SET orla.password_passes = 13;
SELECT test.go_on(test.sign_in_of('ada@example.org', 'Correct-Horse-43')) AS step \gset
SELECT is(test.outcome(:'step'), 'hash_password', 'a hash of other costs');
SELECT test.changed(:'ada', 'Correct-Horse-44') \gset ignored_
SELECT is(test.outcome(test.go_on(:'step')), 'PT401', 'is not put over a password that was changed meanwhile');
SELECT ok(orla.check_password('Correct-Horse-44', password_hash), 'which stays') FROM orla.users;

-- A session's password.
SELECT test.step('change_password', jsonb_build_object('user_id', :'ada', 'current_password', 'Correct-Horse-44', 'new_password', 'Correct-Horse-45', 'origin', :'origin'::jsonb)) AS step \gset
SELECT test.changed(:'ada', 'Correct-Horse-46') \gset ignored_
SELECT is(test.outcome(test.go_on(:'step')), 'PT403', 'a password that is changed by two: the second, who compared the old one, is refused');
SELECT test.go_on(test.step('change_password', jsonb_build_object('user_id', :'ada', 'current_password', 'Correct-Horse-46', 'new_password', 'Correct-Horse-47', 'origin', :'origin'::jsonb))) AS step \gset
SELECT is(test.outcome(:'step'), 'hash_password', 'also one who');
SELECT test.changed(:'ada', 'Correct-Horse-48') \gset ignored_
SELECT is(test.outcome(test.go_on(:'step')), 'PT403', 'had the new hash made');
SELECT ok(orla.check_password('Correct-Horse-48', password_hash), 'the first stays') FROM orla.users;

-- A deletion.
SELECT test.go_on(test.step('delete_account', jsonb_build_object('user_id', :'ada', 'password', 'Correct-Horse-48', 'origin', :'origin'::jsonb))) AS step \gset
SELECT is(test.outcome(:'step'), 'erase_account', 'a deletion is done by another process');
SELECT is(:'step'::jsonb ? 'next', false, 'whose answer is the caller''s');
SELECT test.changed(:'ada', 'Correct-Horse-49') \gset ignored_
SELECT is(test.outcome(test.step('erase_account', :'step'::jsonb -> 'args')), 'PT403', 'but not with a password that was changed meanwhile');
SELECT is(count(*), 1::bigint, 'the account is there') FROM orla.users;
SELECT test.go_on(test.step('delete_account', jsonb_build_object('user_id', :'ada', 'password', 'Correct-Horse-49', 'origin', :'origin'::jsonb))) AS step \gset
SELECT is(test.outcome(test.step('erase_account', :'step'::jsonb -> 'args')), 'Your account has been deleted.', 'with the right one it is');
SELECT is(test.outcome(test.step('erase_account', :'step'::jsonb -> 'args')), 'PT403', 'once');
SELECT is(test.outcome(test.go_on(test.step('delete_account', jsonb_build_object('user_id', :'ada', 'password', 'Correct-Horse-49', 'origin', :'origin'::jsonb)))), 'PT403', 'an account that is gone is not deleted again');

-- Links.
SELECT test.person('Ben') AS ben \gset
SELECT test.api($$forgot_password('ben@example.org')$$) IS NULL AS ignored \gset
SELECT test.link('ben@example.org') AS link \gset
SELECT test.step('reset_password', jsonb_build_object('token', :'link', 'new_password', 'Correct-Horse-50', 'origin', :'origin'::jsonb)) AS one,
       test.step('reset_password', jsonb_build_object('token', :'link', 'new_password', 'Correct-Horse-51', 'origin', :'origin'::jsonb)) AS two \gset
SELECT is(test.outcome(test.go_on(:'one')), 'Your password has been changed.', 'a link that two use at the same time');
SELECT is(test.outcome(test.go_on(:'two')), 'PT401', 'works once');
SELECT is(test.outcome(test.step('reset_password', jsonb_build_object('token', :'link', 'new_password', 'Correct-Horse-52'))), 'PT401', 'without a hash being made, once it is over');
SELECT test.api($$register('Cay', 'cay@example.org', 'Correct-Horse-42')$$) IS NULL AS ignored \gset
SELECT test.link('cay@example.org') AS link \gset
SELECT test.step('sign_in', jsonb_build_object('by', 'verify_email', 'token', :'link', 'password', 'Correct-Horse-42', 'origin', :'origin'::jsonb)) AS step \gset
SELECT is(test.outcome(test.go_on(:'step')), 'Cay', 'a sign-up that two confirm at the same time');
SELECT is(test.outcome(test.go_on(:'step')), 'PT401', 'is confirmed once');
SELECT is(count(*), 1::bigint, 'and makes one account') FROM orla.users WHERE email = 'cay@example.org';

-- Mails that were asked for meanwhile.
SELECT test.step('register', jsonb_build_object('name', 'Dan', 'email', 'dan@example.org', 'password', 'Correct-Horse-42', 'origin', :'origin'::jsonb)) AS step \gset
SELECT is(:'step'::jsonb -> 'state' ? 'password', false, 'a sign-up does not keep its password');
SELECT is(string_agg(test.try($$register('Dan', 'dan@example.org', 'Correct-Horse-42')$$), ' '), repeat('We have sent you a mail. ', 4) || 'We have sent you a mail.', 'five mails') FROM generate_series(1, 5);
SELECT is(test.outcome(test.go_on(:'step')), 'PT429', 'and one too many, though there was room when it began');

SELECT * FROM finish();
\ir ../fixtures/people_end.sql
