-- Accounts: sign-up, verification, deletion.  Each do_ function is run by
-- orla.perform() as orla_service, by the worker or another process, in a transaction
-- of its own; what it answers or refuses has been committed when the caller learns
-- of it.  What a do_ function returns is a step as of src/worker_step.h.
--
-- Several run at once for one account, where there is no worker.  All take locks in
-- this order: counters of attempts, the account, its sessions, their refresh tokens;
-- an audit row that names an account locks it.  A password is compared between two
-- transactions, since that takes long; who writes the account afterwards looks whether
-- its hash is still the one that was compared.

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

CREATE FUNCTION orla.do_register(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    address text := orla.check_address(args ->> 'email');
    called  text := btrim(args ->> 'name');
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
    RETURN orla.hash_apart(args ->> 'password', 'register_hashed', args - 'password');
END
$$;
REVOKE ALL ON FUNCTION orla.do_register(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_register(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_register(jsonb) IS
    'The work of orla_api.register().';

-- The same rows for an address that is free and for one that is taken.
CREATE FUNCTION orla.do_register_hashed(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sign_up jsonb := args -> 'state';
    address text := orla.check_address(sign_up ->> 'email');
    pending uuid := gen_random_uuid();
    whence  bytea := orla.origin_digest(address, sign_up -> 'origin');
    link    record;
    taken   boolean;
BEGIN
    -- those that came meanwhile
    IF orla.mails_used_up(address, sign_up -> 'origin') THEN
        RETURN orla.refusal('PT429', 'too many mails, try again later');
    END IF;
    link := orla.link_token('verification link', pending, NULL, NULL, current_setting('orla.verification_lifetime')::interval);
    taken := EXISTS (SELECT FROM orla.users AS u WHERE u.email = address);
    INSERT INTO orla.pending_registrations (id, email, name, organization_name, password_hash, token_hash, origin_digest, expires_at)
    VALUES (pending, address, btrim(sign_up ->> 'name'), nullif(btrim(sign_up ->> 'organization_name'), ''),
            args #>> '{response,answer}', orla.token_hash(link.token), whence, link.expires);
    PERFORM orla.enqueue_mail(NULL, address, NULL, CASE WHEN taken THEN 'address_taken' ELSE 'verify_email' END, link.token, whence);
    PERFORM orla.audit('register', 'pending', NULL);
    RETURN orla.answer_message('We have sent you a mail.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_register_hashed(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_register_hashed(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_register_hashed(jsonb) IS
    'orla.do_register(), with the hash of the password.';

CREATE FUNCTION orla.hash_behind_link(token text)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT x.password_hash FROM orla.users AS x WHERE x.id = orla.token_id(token) AND x.verification_token = orla.token_hash(token)
     UNION ALL
    SELECT p.password_hash FROM orla.pending_registrations AS p WHERE p.id = orla.token_id(token) AND p.token_hash = orla.token_hash(token)
     LIMIT 1
$$;
REVOKE ALL ON FUNCTION orla.hash_behind_link(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.hash_behind_link(text) TO orla_service;
COMMENT ON FUNCTION orla.hash_behind_link(text) IS
    'The hash that the password must have which proves an address by this link; NULL where the link is none.';

-- NULL where the token and the password, which was compared with a hash, do not
-- make an account.
CREATE FUNCTION orla.account_of_registration(token text, compared text, matches boolean)
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
    IF matches AND pending.password_hash = compared THEN
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
REVOKE ALL ON FUNCTION orla.account_of_registration(text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.account_of_registration(text, text, boolean) TO orla_service;
COMMENT ON FUNCTION orla.account_of_registration(text, text, boolean) IS
    'The account that comes into being by the link of a sign-up and its password; NULL where it does not.';

-- An account that was imported before its address was proven.
CREATE FUNCTION orla.account_of_import(token text, compared text, matches boolean, origin jsonb)
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
    IF u.id IS NULL OR NOT orla.count_attempt(u.email, origin, matches AND u.password_hash = compared) THEN
        RETURN NULL;
    END IF;
    UPDATE orla.users
       SET email_verified = true, verification_token = NULL, verification_token_expires = NULL, last_login_at = now()
     WHERE id = u.id AND password_hash = u.password_hash AND verification_token = u.verification_token AND is_active;
    RETURN CASE WHEN FOUND THEN u.id END;
END
$$;
REVOKE ALL ON FUNCTION orla.account_of_import(text, text, boolean, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.account_of_import(text, text, boolean, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.account_of_import(text, text, boolean, jsonb) IS
    'The imported account whose address is proven by this link and its password; NULL where it is not.';

-- A step of a sign-in, see 64_sign_in_fn.sql.
CREATE FUNCTION orla.verify_email(args jsonb, matches boolean)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    account uuid;
    address text;
BEGIN
    account := coalesce(orla.account_of_import(args ->> 'token', args ->> 'hash', matches, args -> 'origin'),
                        orla.account_of_registration(args ->> 'token', args ->> 'hash', matches));
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
REVOKE ALL ON FUNCTION orla.verify_email(jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.verify_email(jsonb, boolean) TO orla_service;
COMMENT ON FUNCTION orla.verify_email(jsonb, boolean) IS
    'What orla_api.verify_email() does once the password was compared with args.hash: the account comes into being here.';

-- Of several sign-ups for one address, the link of the one that came from where
-- it is asked for: a stranger's later one does not take its place.
CREATE FUNCTION orla.do_resend_verification(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
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
    RETURN orla.answer_message('We have sent you a mail.') || '{"hold_ms": 30}';
END
$$;
REVOKE ALL ON FUNCTION orla.do_resend_verification(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_resend_verification(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_resend_verification(jsonb) IS
    'The work of orla_api.resend_verification().';

CREATE FUNCTION orla.do_delete_account(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.compare_apart(args ->> 'password', (SELECT x.password_hash FROM orla.users AS x WHERE x.id = (args ->> 'user_id')::uuid),
                              'delete_account_compared', args - 'password');
END
$$;
REVOKE ALL ON FUNCTION orla.do_delete_account(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_delete_account(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_delete_account(jsonb) IS
    'The work of orla_api.delete_account(): every row and the key of the user go, and the worker is told which accesses to end.';

-- Another process deletes, since the rows may be many.
CREATE FUNCTION orla.do_delete_account_compared(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT orla.session_password_is_right(args) THEN
        RETURN orla.password_refused('delete_account', (args #>> '{state,user_id}')::uuid, args #> '{state,origin}');
    END IF;
    RETURN jsonb_build_object('apart', 'erase_account', 'args', args -> 'state');
END
$$;
REVOKE ALL ON FUNCTION orla.do_delete_account_compared(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_delete_account_compared(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_delete_account_compared(jsonb) IS
    'orla.do_delete_account(), with the password compared.';

-- The account's rows go by their foreign keys, the data key with them: what it
-- sealed, in the audit trail and in backups, opens for nobody any more.  What is
-- to be ended at providers is left to the worker, which may take its time.
CREATE FUNCTION orla.do_erase_account(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u       orla.users;
    granted jsonb;
BEGIN
    SELECT * INTO u FROM orla.users AS x WHERE x.id = (args ->> 'user_id')::uuid;
    PERFORM orla.forget_attempts(u.email);
    granted := orla.grants_of_account(u.id);     -- while there is a key that opens them
    DELETE FROM orla.users WHERE id = u.id AND password_hash = args ->> 'hash' AND is_active;
    IF NOT FOUND THEN
        RETURN orla.password_refused('delete_account', u.id, args -> 'origin');
    END IF;
    PERFORM orla.revoke_grants(granted);
    DELETE FROM orla.pending_registrations WHERE email = u.email;
    DELETE FROM orla.outbox WHERE to_address = u.email;
    PERFORM orla.audit('delete_account', 'success', NULL);
    RETURN orla.answer_message('Your account has been deleted.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_erase_account(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_erase_account(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_erase_account(jsonb) IS
    'orla.do_delete_account(), once the password is known to be right.';

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
