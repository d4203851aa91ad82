-- Accounts: sign-up, passwords, deletion.  Each do_ function is run by
-- orla.perform() as orla_service, in a process and a transaction of its own;
-- what it answers or refuses has been committed when the caller learns of it.

CREATE FUNCTION orla.refusal(sqlstate text, message text)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('refusal', jsonb_build_object('sqlstate', sqlstate, 'message', message))
$$;
REVOKE ALL ON FUNCTION orla.refusal(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.refusal(text, text) TO orla_service;
COMMENT ON FUNCTION orla.refusal(text, text) IS
    'What a do_ function returns to have its writes committed and an error raised.';

CREATE FUNCTION orla.answer_message(message text)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('answer', jsonb_build_object('message', message))
$$;
REVOKE ALL ON FUNCTION orla.answer_message(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.answer_message(text) TO orla_service;
COMMENT ON FUNCTION orla.answer_message(text) IS
    'What a do_ function returns that has nothing but a message to tell.';

-- RFC 5321 allows 254 octets.  Beyond one @ with something on both sides and
-- no white space, the mail itself is the proof.
CREATE FUNCTION orla.check_address(address text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF address IS NULL OR octet_length(address) > 254 OR address !~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$' THEN
        RAISE EXCEPTION 'invalid e-mail address'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'An address has one @, something on both sides of it, no spaces and at most 254 bytes.';
    END IF;
    RETURN lower(address COLLATE "C");
END
$$;
REVOKE ALL ON FUNCTION orla.check_address(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_address(text) TO orla_service;
COMMENT ON FUNCTION orla.check_address(text) IS
    'The address as it is stored and compared: ASCII letters in lower case. Errors: 22023.';

-- Length alone (NIST SP 800-63B): rules about kinds of characters make
-- passwords worse.
CREATE FUNCTION orla.check_new_password(password text)
    RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF password IS NULL OR char_length(password) < 8 OR octet_length(password) > 1024 THEN
        RAISE EXCEPTION 'invalid password'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'A password has at least 8 characters and at most 1024 bytes.';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.check_new_password(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_new_password(text) TO orla_service;
COMMENT ON FUNCTION orla.check_new_password(text) IS
    'Errors: 22023 for a password that nobody should have.';

-- Whether the password is right.  hash NULL stands for an account that is not
-- there: it takes as long.
CREATE FUNCTION orla.check_password(password text, hash text)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF octet_length(password) > 1024 OR password IS NULL THEN
        password := '';
        hash := NULL;
    END IF;
    IF hash IS NULL THEN
        PERFORM orla.hash_password(password);
        RETURN false;
    ELSIF hash LIKE '$argon2id$%' THEN
        RETURN orla.verify_password(password, hash);
    END IF;
    RETURN orla.check_bcrypt(password, hash);
END
$$;
REVOKE ALL ON FUNCTION orla.check_password(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_password(text, text) TO orla_service;
COMMENT ON FUNCTION orla.check_password(text, text) IS
    'Compares a password with an Argon2id or bcrypt hash; with none it takes as long and says no.';

-- An opaque token is <id>.<256 random bits>; what is stored is its SHA-256.
CREATE FUNCTION orla.token_hash(token text)
    RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT encode(sha256(convert_to(token, 'UTF8')), 'hex')
$$;
REVOKE ALL ON FUNCTION orla.token_hash(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.token_hash(text) TO orla_service;
COMMENT ON FUNCTION orla.token_hash(text) IS
    'SHA-256 of an opaque token, the only form in which it is stored.';

CREATE FUNCTION orla.token_id(token text)
    RETURNS uuid
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN token ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}[.][A-Za-z0-9_-]{43}$'
                THEN split_part(token, '.', 1)::uuid END
$$;
REVOKE ALL ON FUNCTION orla.token_id(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.token_id(text) TO orla_service;
COMMENT ON FUNCTION orla.token_id(text) IS
    'The id in an opaque token, NULL for what is none.';

-- Mails that one address gets in an hour, whoever asks for them and whether or
-- not it has an account.
CREATE FUNCTION orla.mails_used_up(address text)
    RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) >= 10 FROM orla.outbox AS o
     WHERE o.to_address = address AND o.created_at > now() - interval '1 hour'
$$;
REVOKE ALL ON FUNCTION orla.mails_used_up(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.mails_used_up(text) TO orla_service;
COMMENT ON FUNCTION orla.mails_used_up(text) IS
    'Whether an address has had its ten mails of this hour.';

-- The same rows for an address that is free and for one that is taken.
CREATE FUNCTION orla.do_register(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    address text := orla.check_address(args ->> 'email');
    called  text := btrim(args ->> 'name');
    pending uuid := gen_random_uuid();
    token   text;
    taken   boolean;
BEGIN
    IF called IS NULL OR called = '' OR char_length(called) > 200 THEN
        RAISE EXCEPTION 'invalid name'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'A name has 1 to 200 characters.';
    END IF;
    IF char_length(args ->> 'organization_name') > 200 THEN
        RAISE EXCEPTION 'invalid name of an organization'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It has at most 200 characters.';
    END IF;
    PERFORM orla.check_new_password(args ->> 'password');
    PERFORM orla.ensure_instance();
    IF orla.mails_used_up(address) THEN
        RETURN orla.refusal('PT429', 'too many mails, try again later');
    END IF;

    token := pending || '.' || orla.random_token();
    taken := EXISTS (SELECT FROM orla.users AS u WHERE u.email = address);
    INSERT INTO orla.pending_registrations (id, email, name, organization_name, password_hash, token_hash, expires_at)
    VALUES (pending, address, called, nullif(btrim(args ->> 'organization_name'), ''),
            orla.hash_password(args ->> 'password'), orla.token_hash(token),
            now() + current_setting('orla.verification_lifetime')::interval);
    PERFORM orla.enqueue_mail(NULL, address, called, CASE WHEN taken THEN 'address_taken' ELSE 'verify_email' END, token);
    PERFORM orla.audit('register', 'pending', NULL);
    RETURN orla.answer_message('We have sent you a mail.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_register(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_register(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_register(jsonb) IS
    'The work of orla_api.register().';

CREATE FUNCTION orla.do_verify_email(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pending orla.pending_registrations;
    right_  boolean;
    fresh   uuid := gen_random_uuid();
BEGIN
    PERFORM orla.ensure_instance();
    SELECT * INTO pending
      FROM orla.pending_registrations AS p
     WHERE p.id = orla.token_id(args ->> 'token') AND p.token_hash = orla.token_hash(args ->> 'token')
       AND p.expires_at > now() AND p.failed_attempts < current_setting('orla.max_failed_sign_ins')::int
       FOR UPDATE;
    right_ := orla.check_password(args ->> 'password', pending.password_hash);
    IF right_ THEN
        INSERT INTO orla.users (id, name, email, password_hash, organization_name, email_verified, last_login_at)
        VALUES (fresh, pending.name, pending.email, pending.password_hash, pending.organization_name, true, now())
        ON CONFLICT (email) DO NOTHING;
        right_ := FOUND;
    END IF;
    IF NOT right_ THEN
        UPDATE orla.pending_registrations SET failed_attempts = failed_attempts + 1 WHERE id = pending.id;
        PERFORM orla.audit('verify_email', 'failure', NULL);
        RETURN orla.refusal('PT401', 'verification refused');
    END IF;

    PERFORM orla.create_tenant_key(fresh);
    -- One that is being verified at this moment waits for us, and is refused then.
    DELETE FROM orla.pending_registrations
     WHERE id IN (SELECT p.id FROM orla.pending_registrations AS p
                   WHERE p.email = pending.email FOR UPDATE SKIP LOCKED);
    UPDATE orla.outbox SET user_id = fresh, sealed_token = NULL
     WHERE to_address = pending.email AND user_id IS NULL AND template = 'verify_email';
    PERFORM orla.audit('verify_email', 'success', fresh, '{}', args -> 'origin');
    RETURN orla.open_session(fresh, args -> 'origin');
END
$$;
REVOKE ALL ON FUNCTION orla.do_verify_email(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_verify_email(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_verify_email(jsonb) IS
    'The work of orla_api.verify_email(): the account comes into being here.';

CREATE FUNCTION orla.do_resend_verification(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    address text := orla.check_address(args ->> 'email');
    pending orla.pending_registrations;
    token   text;
BEGIN
    PERFORM orla.ensure_instance();
    IF orla.mails_used_up(address) THEN
        RETURN orla.refusal('PT429', 'too many mails, try again later');
    END IF;
    SELECT * INTO pending FROM orla.pending_registrations AS p
     WHERE p.email = address AND p.expires_at > now() ORDER BY p.created_at DESC LIMIT 1 FOR UPDATE;
    token := coalesce(pending.id, gen_random_uuid()) || '.' || orla.random_token();
    UPDATE orla.pending_registrations SET token_hash = orla.token_hash(token) WHERE id = pending.id;
    PERFORM orla.enqueue_mail(NULL, address, pending.name,
                              CASE WHEN EXISTS (SELECT FROM orla.users AS u WHERE u.email = address) THEN 'address_taken'
                                   WHEN pending.id IS NULL THEN 'no_account' ELSE 'verify_email' END, token);
    PERFORM orla.audit('resend_verification', 'pending', NULL);
    RETURN orla.answer_message('We have sent you a mail.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_resend_verification(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_resend_verification(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_resend_verification(jsonb) IS
    'The work of orla_api.resend_verification().';

CREATE FUNCTION orla.do_forgot_password(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    address text := orla.check_address(args ->> 'email');
    u       orla.users;
    token   text;
BEGIN
    PERFORM orla.ensure_instance();
    IF orla.mails_used_up(address) THEN
        RETURN orla.refusal('PT429', 'too many mails, try again later');
    END IF;
    SELECT * INTO u FROM orla.users AS x WHERE x.email = address AND x.is_active FOR UPDATE;
    token := coalesce(u.id, gen_random_uuid()) || '.' || orla.random_token();
    UPDATE orla.users SET reset_token = orla.token_hash(token),
                          reset_token_expires = now() + current_setting('orla.reset_lifetime')::interval
     WHERE id = u.id;
    PERFORM orla.enqueue_mail(u.id, address, u.name, CASE WHEN u.id IS NULL THEN 'no_account' ELSE 'reset_password' END, token);
    PERFORM orla.audit('forgot_password', 'pending', u.id, '{}', args -> 'origin');
    RETURN orla.answer_message('We have sent you a mail.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_forgot_password(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_forgot_password(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_forgot_password(jsonb) IS
    'The work of orla_api.forgot_password().';

CREATE FUNCTION orla.do_reset_password(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u orla.users;
BEGIN
    PERFORM orla.check_new_password(args ->> 'new_password');
    SELECT * INTO u FROM orla.users AS x
     WHERE x.id = orla.token_id(args ->> 'token') AND x.reset_token = orla.token_hash(args ->> 'token')
       AND x.reset_token_expires > now() AND x.is_active
       FOR UPDATE;
    IF u.id IS NULL THEN
        PERFORM orla.ensure_instance();
        PERFORM orla.audit('reset_password', 'failure', NULL);
        RETURN orla.refusal('PT401', 'reset refused');
    END IF;
    PERFORM orla.set_password(u.id, args ->> 'new_password', NULL);
    PERFORM orla.audit('reset_password', 'success', u.id, '{}', args -> 'origin');
    PERFORM orla.enqueue_mail(u.id, u.email, u.name, 'password_changed', NULL);
    RETURN orla.answer_message('Your password has been changed.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_reset_password(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_reset_password(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_reset_password(jsonb) IS
    'The work of orla_api.reset_password(): the link works once, all sessions end.';

-- A guess at the password of a session that was left open counts like one at
-- the sign-in.
CREATE FUNCTION orla.do_change_password(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u orla.users;
BEGIN
    PERFORM orla.check_new_password(args ->> 'new_password');
    SELECT * INTO u FROM orla.users AS x WHERE x.id = (args ->> 'user_id')::uuid;
    IF NOT orla.check_attempt(u.email, u.password_hash, args ->> 'current_password', args -> 'origin') THEN
        PERFORM orla.audit('change_password', 'failure', u.id, '{}', args -> 'origin');
        RETURN orla.refusal('PT403', 'password refused');
    END IF;
    -- Somebody else may have been quicker with the same password.
    SELECT * INTO u FROM orla.users AS x
     WHERE x.id = u.id AND x.password_hash = u.password_hash FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM orla.audit('change_password', 'failure', NULL);
        RETURN orla.refusal('PT403', 'password refused');
    END IF;
    PERFORM orla.set_password(u.id, args ->> 'new_password', (args ->> 'session_id')::uuid);
    PERFORM orla.audit('change_password', 'success', u.id, '{}', args -> 'origin');
    PERFORM orla.enqueue_mail(u.id, u.email, u.name, 'password_changed', NULL);
    RETURN orla.answer_message('Your password has been changed.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_change_password(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_change_password(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_change_password(jsonb) IS
    'The work of orla_api.change_password(): all other sessions end.';

CREATE FUNCTION orla.set_password(account uuid, password text, keep_session uuid)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.users
       SET password_hash = orla.hash_password(password), password_changed_at = now(),
           reset_token = NULL, reset_token_expires = NULL
     WHERE id = account;
    PERFORM orla.end_sessions(account, 'password changed', keep_session);
END
$$;
REVOKE ALL ON FUNCTION orla.set_password(uuid, text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.set_password(uuid, text, uuid) TO orla_service;
COMMENT ON FUNCTION orla.set_password(uuid, text, uuid) IS
    'A new password; every session but one ends.';

-- The account's rows go by their foreign keys, the data key with them: what it
-- sealed, in the audit trail and in backups, opens for nobody any more.
CREATE FUNCTION orla.do_delete_account(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u orla.users;
BEGIN
    SELECT * INTO u FROM orla.users AS x WHERE x.id = (args ->> 'user_id')::uuid;
    IF NOT orla.check_attempt(u.email, u.password_hash, args ->> 'password', args -> 'origin') THEN
        PERFORM orla.audit('delete_account', 'failure', u.id, '{}', args -> 'origin');
        RETURN orla.refusal('PT403', 'password refused');
    END IF;
    DELETE FROM orla.users WHERE id = u.id AND password_hash = u.password_hash;
    IF NOT FOUND THEN           -- changed, or gone, in the meantime
        PERFORM orla.audit('delete_account', 'failure', NULL);
        RETURN orla.refusal('PT403', 'password refused');
    END IF;
    DELETE FROM orla.pending_registrations WHERE email = u.email;
    DELETE FROM orla.outbox WHERE to_address = u.email;
    DELETE FROM orla.sign_in_attempts
     WHERE address_digest = orla.keyed_digest('address', convert_to(u.email, 'UTF8'));
    PERFORM orla.audit('delete_account', 'success', NULL);
    RETURN orla.answer_message('Your account has been deleted.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_delete_account(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_delete_account(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_delete_account(jsonb) IS
    'The work of orla_api.delete_account(): every row and the key of the user go.';
