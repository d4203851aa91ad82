-- Passwords: which are taken, how they are compared, how they are changed.

-- Length, and not what everybody tries first (NIST SP 800-63B): rules about kinds
-- of characters make passwords worse.
CREATE FUNCTION orla.check_new_password(password text, address text)
    RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    plain text;
    bare  text;
BEGIN
    IF password IS NULL OR char_length(password) < 8 OR octet_length(password) > 1024 THEN
        RAISE EXCEPTION 'invalid password'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'A password has at least 8 characters and at most 1024 bytes.';
    END IF;
    plain := lower(password COLLATE "C");
    -- without what is put before or after a word to please a rule
    bare := regexp_replace(plain, '^[\u0001-\u0040\u005b-\u0060\u007b-\u007f]+|[\u0001-\u0040\u005b-\u0060\u007b-\u007f]+$', '', 'g');
    IF bare IN ('abc', 'abcd', 'abcdefgh', 'admin', 'administrator', 'arsenal', 'asdf', 'asdfgh', 'asdfghjkl', 'autumn', 'azerty',
                'baseball', 'basketball', 'batman', 'changeme', 'charlie', 'chelsea', 'computer', 'dragon', 'football', 'hello',
                'iloveyou', 'internet', 'jennifer', 'letmein', 'liverpool', 'login', 'master', 'michael', 'monkey', 'p@ssw0rd',
                'p@ssword', 'pa55word', 'passw', 'passw0rd', 'passwd', 'password', 'passwort', 'princess', 'q1w2e3r', 'qaz2wsx',
                'q2w3e4r', 'q2w3e4r5t', 'qwer', 'qwert', 'qwerty', 'qwertyuiop', 'qwertz', 'qwertzuiop', 'secret', 'shadow', 'spring',
                'starwars', 'summer', 'sunshine', 'superman', 'test', 'trustno', 'welcome', 'whatever', 'winter', 'zaq12wsx')
       OR bare = '' AND char_length(password) < 12
       OR (SELECT count(DISTINCT letter) FROM regexp_split_to_table(plain, '') AS letter) < 4
       OR plain IN (lower(address COLLATE "C"), lower(split_part(address, '@', 1) COLLATE "C")) THEN
        RAISE EXCEPTION 'invalid password'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is one of the first that anybody would try.',
                  HINT = 'Several words in a row are easy to remember and hard to guess.';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.check_new_password(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_new_password(text, text) TO orla_service;
COMMENT ON FUNCTION orla.check_new_password(text, text) IS
    'Errors: 22023 for a password that nobody should have.';

-- Whether the password is right.  hash NULL stands for an account that is not
-- there: its password is compared as well, with a hash that is nobody's and costs
-- what a new one does.
CREATE FUNCTION orla.check_password(password text, hash text)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    nobodys text := orla.configured_password_costs() || '$' || repeat('A', 22) || '$' || repeat('A', 43);
BEGIN
    IF octet_length(password) > 1024 OR password IS NULL THEN
        password := '';
        hash := NULL;
    END IF;
    hash := coalesce(hash, nobodys);
    IF hash LIKE '$argon2id$%' THEN
        RETURN orla.verify_password(password, hash) AND hash <> nobodys;
    END IF;
    RETURN orla.check_bcrypt(password, hash);
END
$$;
REVOKE ALL ON FUNCTION orla.check_password(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_password(text, text) TO orla_service;
COMMENT ON FUNCTION orla.check_password(text, text) IS
    'Compares a password with an Argon2id or bcrypt hash; with none it takes as long and says no.';

-- A hash takes as long as a hundred other things, so the worker has it computed by
-- another process; what it counts and writes, before and after, it does itself.
CREATE FUNCTION orla.compare_apart(password text, hash text, next text, state jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('apart', 'compare_password', 'args', jsonb_build_object('password', password, 'hash', hash),
                              'next', next, 'state', state || jsonb_build_object('hash', hash));
END
$$;
REVOKE ALL ON FUNCTION orla.compare_apart(text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.compare_apart(text, text, text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.compare_apart(text, text, text, jsonb) IS
    'A step: another process compares, then do_<next> goes on; its state says which hash it was.';

CREATE FUNCTION orla.hash_apart(password text, next text, state jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('apart', 'hash_password', 'args', jsonb_build_object('password', password), 'next', next, 'state', state);
END
$$;
REVOKE ALL ON FUNCTION orla.hash_apart(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.hash_apart(text, text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.hash_apart(text, text, jsonb) IS
    'A step: another process makes a hash of a new password, then do_<next> goes on.';

CREATE FUNCTION orla.do_compare_password(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('answer', orla.check_password(args ->> 'password', args ->> 'hash'));
END
$$;
REVOKE ALL ON FUNCTION orla.do_compare_password(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_compare_password(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_compare_password(jsonb) IS
    'Whether the password is that of the hash, for orla.compare_apart().';

CREATE FUNCTION orla.do_hash_password(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('answer', orla.hash_password(args ->> 'password'));
END
$$;
REVOKE ALL ON FUNCTION orla.do_hash_password(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_hash_password(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_hash_password(jsonb) IS
    'A hash of the password, for orla.hash_apart().';

CREATE FUNCTION orla.do_forgot_password(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    address text := orla.check_address(args ->> 'email');
    whence  bytea;
    u       orla.users;
    link    record;
BEGIN
    PERFORM orla.ensure_instance();
    IF orla.mails_used_up(address, args -> 'origin') THEN
        RETURN orla.refusal('PT429', 'too many mails, try again later');
    END IF;
    whence := orla.origin_digest(address, args -> 'origin');
    SELECT * INTO u FROM orla.users AS x WHERE x.email = address AND x.is_active FOR NO KEY UPDATE;
    link := orla.link_token('reset link', coalesce(u.id, gen_random_uuid()), u.reset_token, u.reset_token_expires,
                            current_setting('orla.reset_lifetime')::interval);
    UPDATE orla.users SET reset_token = orla.token_hash(link.token), reset_token_expires = link.expires WHERE id = u.id;
    PERFORM orla.enqueue_mail(u.id, address, u.name, CASE WHEN u.id IS NULL THEN 'no_account' ELSE 'reset_password' END, link.token, whence);
    PERFORM orla.audit('forgot_password', 'pending', u.id, '{}', args -> 'origin');
    -- the row of an account, and of its trail, takes longer than none
    RETURN orla.answer_message('We have sent you a mail.') || '{"hold_ms": 30}';
END
$$;
REVOKE ALL ON FUNCTION orla.do_forgot_password(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_forgot_password(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_forgot_password(jsonb) IS
    'The work of orla_api.forgot_password().';

CREATE FUNCTION orla.account_of_reset(token text)
    RETURNS orla.users
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT x.*
      FROM orla.users AS x
     WHERE x.id = orla.token_id(token) AND x.reset_token = orla.token_hash(token) AND x.reset_token_expires > now() AND x.is_active
$$;
REVOKE ALL ON FUNCTION orla.account_of_reset(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.account_of_reset(text) TO orla_service;
COMMENT ON FUNCTION orla.account_of_reset(text) IS
    'The account whose password a mailed link may change; NULL where the link is none, or is over.';

CREATE FUNCTION orla.reset_refused()
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.audit('reset_password', 'failure', NULL);
    RETURN orla.refusal('PT401', 'reset refused');
END
$$;
REVOKE ALL ON FUNCTION orla.reset_refused() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.reset_refused() TO orla_service;
COMMENT ON FUNCTION orla.reset_refused() IS
    'The refusal of a link to a new password, with its row in the trail.';

CREATE FUNCTION orla.do_reset_password(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u orla.users := orla.account_of_reset(args ->> 'token');
BEGIN
    PERFORM orla.ensure_instance();
    PERFORM orla.check_new_password(args ->> 'new_password', u.email);
    IF u.id IS NULL THEN
        RETURN orla.reset_refused();
    END IF;
    RETURN orla.hash_apart(args ->> 'new_password', 'reset_password_hashed', args - 'new_password');
END
$$;
REVOKE ALL ON FUNCTION orla.do_reset_password(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_reset_password(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_reset_password(jsonb) IS
    'The work of orla_api.reset_password(): the link works once, all sessions end.';

-- Whoever has the mail has the address: it counts as proven, and the attempts of
-- others no longer keep the owner out.
CREATE FUNCTION orla.do_reset_password_hashed(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u orla.users := orla.account_of_reset(args #>> '{state,token}');
BEGIN
    IF u.id IS NOT NULL THEN
        PERFORM orla.forget_attempts(u.email);
        UPDATE orla.users SET email_verified = true, verification_token = NULL, verification_token_expires = NULL
         WHERE id = u.id AND reset_token = u.reset_token AND is_active;
    END IF;
    IF u.id IS NULL OR NOT FOUND THEN
        RETURN orla.reset_refused();
    END IF;
    PERFORM orla.set_password(u.id, args #>> '{response,answer}', NULL);
    PERFORM orla.audit('reset_password', 'success', u.id, '{}', args #> '{state,origin}');
    PERFORM orla.enqueue_mail(u.id, u.email, u.name, 'password_changed', NULL);
    RETURN orla.answer_message('Your password has been changed.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_reset_password_hashed(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_reset_password_hashed(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_reset_password_hashed(jsonb) IS
    'orla.do_reset_password(), with the hash of the new password.';

-- A guess at the password of a session that was left open counts like one at
-- the sign-in.
CREATE FUNCTION orla.session_password_is_right(args jsonb)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u orla.users;
BEGIN
    SELECT * INTO u FROM orla.users AS x WHERE x.id = (args #>> '{state,user_id}')::uuid;
    RETURN orla.count_attempt(u.email, args #> '{state,origin}',
                              (args #>> '{response,answer}')::boolean AND u.password_hash = args #>> '{state,hash}' AND u.is_active);
END
$$;
REVOKE ALL ON FUNCTION orla.session_password_is_right(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.session_password_is_right(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.session_password_is_right(jsonb) IS
    'After orla.compare_apart(): whether it is the password of args.state.user_id, which is counted.';

CREATE FUNCTION orla.password_refused(action text, account uuid, origin jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.audit(action, 'failure', orla.account_if_there(account), '{}', origin);
    RETURN orla.refusal('PT403', 'password refused');
END
$$;
REVOKE ALL ON FUNCTION orla.password_refused(text, uuid, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.password_refused(text, uuid, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.password_refused(text, uuid, jsonb) IS
    'The refusal of the password of a session that is open, with its row in the trail.';

CREATE FUNCTION orla.do_change_password(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u orla.users;
BEGIN
    SELECT * INTO u FROM orla.users AS x WHERE x.id = (args ->> 'user_id')::uuid;
    PERFORM orla.check_new_password(args ->> 'new_password', u.email);
    RETURN orla.compare_apart(args ->> 'current_password', u.password_hash, 'change_password_compared', args - 'current_password');
END
$$;
REVOKE ALL ON FUNCTION orla.do_change_password(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_change_password(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_change_password(jsonb) IS
    'The work of orla_api.change_password(): all other sessions end.';

CREATE FUNCTION orla.do_change_password_compared(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT orla.session_password_is_right(args) THEN
        RETURN orla.password_refused('change_password', (args #>> '{state,user_id}')::uuid, args #> '{state,origin}');
    END IF;
    RETURN orla.hash_apart(args #>> '{state,new_password}', 'change_password_hashed', args -> 'state');
END
$$;
REVOKE ALL ON FUNCTION orla.do_change_password_compared(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_change_password_compared(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_change_password_compared(jsonb) IS
    'orla.do_change_password(), with the current password compared.';

CREATE FUNCTION orla.do_change_password_hashed(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    origin jsonb := args #> '{state,origin}';
    u      orla.users;
BEGIN
    -- not if it was changed or deactivated while the hash was computed
    SELECT * INTO u
      FROM orla.users AS x
     WHERE x.id = (args #>> '{state,user_id}')::uuid AND x.password_hash = args #>> '{state,hash}' AND x.is_active
       FOR NO KEY UPDATE;
    IF u.id IS NULL THEN
        RETURN orla.password_refused('change_password', (args #>> '{state,user_id}')::uuid, origin);
    END IF;
    PERFORM orla.set_password(u.id, args #>> '{response,answer}', (args #>> '{state,session_id}')::uuid);
    PERFORM orla.audit('change_password', 'success', u.id, '{}', origin);
    PERFORM orla.enqueue_mail(u.id, u.email, u.name, 'password_changed', NULL);
    RETURN orla.answer_message('Your password has been changed.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_change_password_hashed(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_change_password_hashed(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_change_password_hashed(jsonb) IS
    'orla.do_change_password(), with the hash of the new password.';

CREATE FUNCTION orla.set_password(account uuid, hash text, keep_session uuid)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.users
       SET password_hash = hash, password_changed_at = now(), reset_token = NULL, reset_token_expires = NULL
     WHERE id = account;
    -- links to a new password are over; none is sent any more
    UPDATE orla.outbox SET sealed_token = NULL, sent_at = coalesce(sent_at, now())
     WHERE user_id = account AND template = 'reset_password';
    PERFORM orla.end_sessions(account, 'password changed', keep_session);
END
$$;
REVOKE ALL ON FUNCTION orla.set_password(uuid, text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.set_password(uuid, text, uuid) TO orla_service;
COMMENT ON FUNCTION orla.set_password(uuid, text, uuid) IS
    'A new password; every session but one ends.';
