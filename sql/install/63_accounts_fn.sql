-- Accounts: sign-up, passwords, deletion.  Each do_ function is run by
-- orla.perform() as orla_service, in a process and a transaction of its own;
-- what it answers or refuses has been committed when the caller learns of it.
--
-- Several run at once for one account.  All take locks in this order: counters
-- of attempts, the account, its sessions, their refresh tokens; an audit row that
-- names an account locks it.  A password is compared before the account is
-- locked, since that takes long; who writes the account afterwards looks whether
-- it is still the one that was compared.

CREATE FUNCTION orla.refusal(sqlstate text, message text, detail text DEFAULT NULL, hint text DEFAULT NULL)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('refusal', jsonb_strip_nulls(jsonb_build_object(
               'sqlstate', sqlstate, 'message', message, 'detail', detail, 'hint', hint)))
$$;
REVOKE ALL ON FUNCTION orla.refusal(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.refusal(text, text, text, text) TO orla_service;
COMMENT ON FUNCTION orla.refusal(text, text, text, text) IS
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

CREATE FUNCTION orla.wait_until(moment timestamptz)
    RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_sleep(greatest(0, extract(epoch FROM moment - clock_timestamp())))
$$;
REVOKE ALL ON FUNCTION orla.wait_until(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.wait_until(timestamptz) TO orla_service;
COMMENT ON FUNCTION orla.wait_until(timestamptz) IS
    'Waits, so that how long the work before took is not seen.';

-- RFC 5321 allows 254 octets.  What has a meaning of its own in the header of a
-- mail, or on the command line of a program that sends it, would make another
-- address of this one; what cannot be seen would let two look alike.  Beyond
-- that the mail itself is the proof.
CREATE FUNCTION orla.check_address(address text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF address IS NULL OR octet_length(address) > 254
       OR address !~ '^[^-@()<>[\]:;,"\\\u0001-\u0020\u007f-\u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb][^@()<>[\]:;,"\\\u0001-\u0020\u007f-\u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb]*@[^@()<>[\]:;,"\\\u0001-\u0020\u007f-\u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb]+$' THEN
        RAISE EXCEPTION 'invalid e-mail address'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'An address has one @, something on both sides of it, no spaces, control characters or quotes, none of ()<>[]:;,\ and at most 254 bytes.';
    END IF;
    RETURN lower(address COLLATE "C");
END
$$;
REVOKE ALL ON FUNCTION orla.check_address(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_address(text) TO orla_service;
COMMENT ON FUNCTION orla.check_address(text) IS
    'The address as it is stored and compared: ASCII letters in lower case. Errors: 22023.';

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

-- An opaque token is <id>.<256 random bits>; what is stored is its SHA-256.
CREATE FUNCTION orla.token_hash(token text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN encode(sha256(convert_to(token, 'UTF8')), 'hex');
END
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

CREATE FUNCTION orla.opaque_token(id uuid, secret bytea)
    RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT id || '.' || rtrim(translate(encode(secret, 'base64'), '+/', '-_'), '=')
$$;
REVOKE ALL ON FUNCTION orla.opaque_token(uuid, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.opaque_token(uuid, bytea) TO orla_service;
COMMENT ON FUNCTION orla.opaque_token(uuid, bytea) IS
    'An opaque token made of 32 bytes.';

-- The token of a link to be mailed.  It is derived under our key from what it is
-- for and until when, so that the same link can be mailed again though nothing
-- but a hash is stored: whoever asks for another one voids nobody's.  In the
-- second half of its time, and under a new key, it is a new one.
CREATE FUNCTION orla.link_token(label text, id uuid, stored text, stored_expires timestamptz, lifetime interval,
                                OUT token text, OUT expires timestamptz)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF stored IS NOT NULL AND stored_expires > now() + lifetime / 2 THEN
        expires := stored_expires;
        token := orla.opaque_token(id, orla.keyed_digest(label, convert_to(id || ' ' || extract(epoch FROM expires), 'UTF8')));
        IF orla.token_hash(token) = stored THEN
            RETURN;
        END IF;
    END IF;
    expires := now() + lifetime;
    token := orla.opaque_token(id, orla.keyed_digest(label, convert_to(id || ' ' || extract(epoch FROM expires), 'UTF8')));
END
$$;
REVOKE ALL ON FUNCTION orla.link_token(text, uuid, text, timestamptz, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.link_token(text, uuid, text, timestamptz, interval) TO orla_service;
COMMENT ON FUNCTION orla.link_token(text, uuid, text, timestamptz, interval) IS
    'The token of a link: the stored one again where it is good for long enough, else a new one.';

-- Imported accounts come without.
CREATE FUNCTION orla.ensure_tenant_key(tenant uuid)
    RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM orla.tenant_keys AS k WHERE k.user_id = tenant) THEN
        PERFORM orla.create_tenant_key(tenant);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.ensure_tenant_key(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.ensure_tenant_key(uuid) TO orla_service;
COMMENT ON FUNCTION orla.ensure_tenant_key(uuid) IS
    'Gives an account its data key where it has none yet.';

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
    link    record;
    whence  bytea;
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
    PERFORM orla.check_new_password(args ->> 'password', address);
    PERFORM orla.ensure_instance();
    IF orla.mails_used_up(address, args -> 'origin') THEN
        RETURN orla.refusal('PT429', 'too many mails, try again later');
    END IF;

    whence := orla.origin_digest(address, args -> 'origin');
    link := orla.link_token('verification link', pending, NULL, NULL, current_setting('orla.verification_lifetime')::interval);
    taken := EXISTS (SELECT FROM orla.users AS u WHERE u.email = address);
    INSERT INTO orla.pending_registrations (id, email, name, organization_name, password_hash, token_hash, origin_digest, expires_at)
    VALUES (pending, address, called, nullif(btrim(args ->> 'organization_name'), ''),
            orla.hash_password(args ->> 'password'), orla.token_hash(link.token), whence, link.expires);
    PERFORM orla.enqueue_mail(NULL, address, NULL, CASE WHEN taken THEN 'address_taken' ELSE 'verify_email' END, link.token, whence);
    PERFORM orla.audit('register', 'pending', NULL);
    RETURN orla.answer_message('We have sent you a mail.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_register(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_register(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_register(jsonb) IS
    'The work of orla_api.register().';

-- NULL where the token and the password do not make an account.
CREATE FUNCTION orla.account_of_registration(token text, password text)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pending orla.pending_registrations;
    fresh   uuid := gen_random_uuid();
BEGIN
    SELECT * INTO pending
      FROM orla.pending_registrations AS p
     WHERE p.id = orla.token_id(token) AND p.token_hash = orla.token_hash(token)
       AND p.expires_at > now() AND p.failed_attempts < current_setting('orla.max_failed_sign_ins')::int
       FOR UPDATE;
    IF orla.check_password(password, pending.password_hash) THEN
        INSERT INTO orla.users (id, name, email, password_hash, organization_name, email_verified, last_login_at)
        VALUES (fresh, pending.name, pending.email, pending.password_hash, pending.organization_name, true, now())
        ON CONFLICT (email) DO NOTHING;
        IF FOUND THEN
            RETURN fresh;
        END IF;
    END IF;
    UPDATE orla.pending_registrations SET failed_attempts = failed_attempts + 1 WHERE id = pending.id;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.account_of_registration(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.account_of_registration(text, text) TO orla_service;
COMMENT ON FUNCTION orla.account_of_registration(text, text) IS
    'The account that comes into being by the link of a sign-up and its password; NULL where it does not.';

-- An account that was imported before its address was proven.
CREATE FUNCTION orla.account_of_import(token text, password text, origin jsonb)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u orla.users;
BEGIN
    SELECT * INTO u
      FROM orla.users AS x
     WHERE x.id = orla.token_id(token) AND x.verification_token = orla.token_hash(token)
       AND x.verification_token_expires > now() AND NOT x.email_verified AND x.is_active;
    IF u.id IS NULL OR NOT orla.check_attempt(u.email, u.password_hash, password, origin, true) THEN
        RETURN NULL;
    END IF;
    UPDATE orla.users
       SET email_verified = true, verification_token = NULL, verification_token_expires = NULL, last_login_at = now()
     WHERE id = u.id AND password_hash = u.password_hash AND verification_token = u.verification_token AND is_active;
    RETURN CASE WHEN FOUND THEN u.id END;
END
$$;
REVOKE ALL ON FUNCTION orla.account_of_import(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.account_of_import(text, text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.account_of_import(text, text, jsonb) IS
    'The imported account whose address is proven by this link and its password; NULL where it is not.';

CREATE FUNCTION orla.do_verify_email(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    account uuid;
    address text;
BEGIN
    PERFORM orla.ensure_instance();
    account := coalesce(orla.account_of_import(args ->> 'token', args ->> 'password', args -> 'origin'),
                        orla.account_of_registration(args ->> 'token', args ->> 'password'));
    IF account IS NULL THEN
        PERFORM orla.audit('verify_email', 'failure', NULL);
        RETURN orla.refusal('PT401', 'verification refused');
    END IF;

    PERFORM orla.ensure_tenant_key(account);
    SELECT u.email INTO STRICT address FROM orla.users AS u WHERE u.id = account;
    -- One that is being verified at this moment waits for us, and is refused then.
    DELETE FROM orla.pending_registrations
     WHERE id IN (SELECT p.id FROM orla.pending_registrations AS p WHERE p.email = address FOR UPDATE SKIP LOCKED);
    -- links of this and of other sign-ups are over; none is sent any more
    UPDATE orla.outbox SET user_id = account, sealed_token = NULL, sent_at = coalesce(sent_at, now())
     WHERE to_address = address AND user_id IS NULL AND template = 'verify_email';
    PERFORM orla.audit('verify_email', 'success', account, '{}', args -> 'origin');
    RETURN orla.open_session(account, args -> 'origin');
END
$$;
REVOKE ALL ON FUNCTION orla.do_verify_email(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_verify_email(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_verify_email(jsonb) IS
    'The work of orla_api.verify_email(): the account comes into being here.';

-- Of several sign-ups for one address, the link of the one that came from where
-- it is asked for: a stranger's later one does not take its place.
CREATE FUNCTION orla.do_resend_verification(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    began    timestamptz := clock_timestamp();
    address  text := orla.check_address(args ->> 'email');
    lifetime interval := current_setting('orla.verification_lifetime')::interval;
    whence   bytea;
    u        orla.users;
    pending  orla.pending_registrations;
    link     record;
    template text;
BEGIN
    PERFORM orla.ensure_instance();
    IF orla.mails_used_up(address, args -> 'origin') THEN
        RETURN orla.refusal('PT429', 'too many mails, try again later');
    END IF;
    whence := orla.origin_digest(address, args -> 'origin');
    SELECT * INTO u FROM orla.users AS x WHERE x.email = address FOR NO KEY UPDATE;
    SELECT * INTO pending FROM orla.pending_registrations AS p
     WHERE p.email = address AND p.expires_at > now() AND p.failed_attempts < current_setting('orla.max_failed_sign_ins')::int
     ORDER BY p.origin_digest IS NOT DISTINCT FROM whence DESC, p.created_at DESC LIMIT 1 FOR UPDATE;

    IF NOT u.email_verified AND u.is_active THEN
        template := 'verify_email';
        link := orla.link_token('verification link', u.id, u.verification_token, u.verification_token_expires, lifetime);
        UPDATE orla.users SET verification_token = orla.token_hash(link.token), verification_token_expires = link.expires WHERE id = u.id;
    ELSE
        template := CASE WHEN u.id IS NOT NULL THEN 'address_taken' WHEN pending.id IS NULL THEN 'no_account' ELSE 'verify_email' END;
        link := orla.link_token('verification link', coalesce(pending.id, gen_random_uuid()), pending.token_hash, pending.expires_at, lifetime);
        UPDATE orla.pending_registrations SET token_hash = orla.token_hash(link.token), expires_at = link.expires WHERE id = pending.id;
    END IF;
    PERFORM orla.enqueue_mail(NULL, address, NULL, template, link.token, whence);
    PERFORM orla.audit('resend_verification', 'pending', NULL);
    -- the row of an account, and of its trail, takes longer than none
    PERFORM orla.wait_until(began + interval '30 milliseconds');
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
    began   timestamptz := clock_timestamp();
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
    PERFORM orla.wait_until(began + interval '30 milliseconds');
    RETURN orla.answer_message('We have sent you a mail.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_forgot_password(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_forgot_password(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_forgot_password(jsonb) IS
    'The work of orla_api.forgot_password().';

-- Whoever has the mail has the address: it counts as proven, and the attempts of
-- others no longer keep the owner out.
CREATE FUNCTION orla.do_reset_password(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u     orla.users;
    fresh text;
BEGIN
    PERFORM orla.ensure_instance();
    SELECT * INTO u FROM orla.users AS x
     WHERE x.id = orla.token_id(args ->> 'token') AND x.reset_token = orla.token_hash(args ->> 'token')
       AND x.reset_token_expires > now() AND x.is_active;
    PERFORM orla.check_new_password(args ->> 'new_password', u.email);
    IF u.id IS NOT NULL THEN
        fresh := orla.hash_password(args ->> 'new_password');
        PERFORM orla.forget_attempts(u.email);
        UPDATE orla.users SET email_verified = true, verification_token = NULL, verification_token_expires = NULL
         WHERE id = u.id AND reset_token = u.reset_token AND is_active;
    END IF;
    IF u.id IS NULL OR NOT FOUND THEN
        PERFORM orla.audit('reset_password', 'failure', NULL);
        RETURN orla.refusal('PT401', 'reset refused');
    END IF;
    PERFORM orla.set_password(u.id, fresh, NULL);
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
    u     orla.users;
    fresh text;
BEGIN
    SELECT * INTO u FROM orla.users AS x WHERE x.id = (args ->> 'user_id')::uuid;
    PERFORM orla.check_new_password(args ->> 'new_password', u.email);
    IF orla.check_attempt(u.email, u.password_hash, args ->> 'current_password', args -> 'origin', u.is_active) THEN
        fresh := orla.hash_password(args ->> 'new_password');
        PERFORM FROM orla.users AS x WHERE x.id = u.id AND x.password_hash = u.password_hash AND x.is_active FOR NO KEY UPDATE;
    END IF;
    IF fresh IS NULL OR NOT FOUND THEN
        PERFORM orla.audit('change_password', 'failure', orla.account_if_there(u.id), '{}', args -> 'origin');
        RETURN orla.refusal('PT403', 'password refused');
    END IF;
    PERFORM orla.set_password(u.id, fresh, (args ->> 'session_id')::uuid);
    PERFORM orla.audit('change_password', 'success', u.id, '{}', args -> 'origin');
    PERFORM orla.enqueue_mail(u.id, u.email, u.name, 'password_changed', NULL);
    RETURN orla.answer_message('Your password has been changed.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_change_password(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_change_password(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_change_password(jsonb) IS
    'The work of orla_api.change_password(): all other sessions end.';

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

-- The account's rows go by their foreign keys, the data key with them: what it
-- sealed, in the audit trail and in backups, opens for nobody any more.  What is
-- to be ended at providers is left to the worker, which may take its time.
CREATE FUNCTION orla.do_delete_account(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u       orla.users;
    granted jsonb;
BEGIN
    SELECT * INTO u FROM orla.users AS x WHERE x.id = (args ->> 'user_id')::uuid;
    IF orla.check_attempt(u.email, u.password_hash, args ->> 'password', args -> 'origin', u.is_active) THEN
        PERFORM orla.forget_attempts(u.email);
        granted := orla.grants_of_account(u.id);     -- while there is a key that opens them
        DELETE FROM orla.users WHERE id = u.id AND password_hash = u.password_hash AND is_active;
        IF FOUND THEN
            PERFORM orla.revoke_grants(granted);
            DELETE FROM orla.pending_registrations WHERE email = u.email;
            DELETE FROM orla.outbox WHERE to_address = u.email;
            PERFORM orla.audit('delete_account', 'success', NULL);
            RETURN orla.answer_message('Your account has been deleted.');
        END IF;
    END IF;
    PERFORM orla.audit('delete_account', 'failure', orla.account_if_there(u.id), '{}', args -> 'origin');
    RETURN orla.refusal('PT403', 'password refused');
END
$$;
REVOKE ALL ON FUNCTION orla.do_delete_account(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_delete_account(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_delete_account(jsonb) IS
    'The work of orla_api.delete_account(): every row and the key of the user go, and the worker is told which accesses to end.';

-- SECURITY DEFINER: operators read accounts and write none; this leaves an audit
-- row.  It is part of the operator's transaction, and counts at its commit.
CREATE FUNCTION orla.set_account_active(tenant uuid, active boolean)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF active IS NULL THEN
        RAISE EXCEPTION 'neither active nor inactive'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    UPDATE orla.users
       SET is_active = active, updated_at = now(), reset_token = NULL, reset_token_expires = NULL
     WHERE id = tenant;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tenant "%" does not exist', tenant
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT active THEN
        PERFORM orla.end_sessions(tenant, 'account deactivated', NULL);
    END IF;
    PERFORM orla.audit(CASE WHEN active THEN 'activate_account' ELSE 'deactivate_account' END, 'success', tenant,
                       jsonb_build_object('by', session_user));
END
$$;
ALTER FUNCTION orla.set_account_active(uuid, boolean) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.set_account_active(uuid, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.set_account_active(uuid, boolean) TO orla_admin;
COMMENT ON FUNCTION orla.set_account_active(uuid, boolean) IS
    'Deactivates an account, or lets it sign in again. Leaves an audit row.

false ends all of its sessions, and sign-in, refresh and links that were mailed are refused, from the commit on.

Errors: 22023 for an unknown tenant, 22004.';
