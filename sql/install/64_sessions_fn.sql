-- Sessions: sign-in, refresh, sign-out.  As in 63_accounts_fn.sql, the do_
-- functions run in a process of their own.

-- Where a sign-in comes from, for counting: a device that signed in to this
-- account before (its cookie says so, under our key), else the network address.
CREATE FUNCTION orla.origin_digest(address text, origin jsonb)
    RETURNS bytea
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    device text := origin ->> 'device';
    known  boolean := device ~ '^[0-9a-f-]{36}[.][0-9a-f]{16}[.][0-9a-f]{64}$';
BEGIN
    IF known THEN
        BEGIN
            known := orla.keyed_digest_with(split_part(device, '.', 2), 'device',
                                            convert_to(split_part(device, '.', 1) || ' ' || address, 'UTF8'))
                     = decode(split_part(device, '.', 3), 'hex');
        EXCEPTION WHEN config_file_error THEN
            known := false;     -- signed by a key that is not ours
        END;
    END IF;
    RETURN orla.keyed_digest('origin', convert_to(CASE WHEN known THEN 'device ' || split_part(device, '.', 1)
                                                       ELSE 'address ' || coalesce(origin ->> 'ip', 'unknown') END, 'UTF8'));
END
$$;
REVOKE ALL ON FUNCTION orla.origin_digest(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.origin_digest(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.origin_digest(text, jsonb) IS
    'Keyed digest of where a sign-in comes from: a known device of this account, else a network address.';

CREATE FUNCTION orla.device_cookie(address text)
    RETURNS text
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.id || '.' || d.key_id || '.' ||
           encode(orla.keyed_digest_with(d.key_id, 'device', convert_to(d.id || ' ' || address, 'UTF8')), 'hex')
      FROM (SELECT gen_random_uuid() AS id, orla.mac_key_id() AS key_id OFFSET 0) AS d
$$;
REVOKE ALL ON FUNCTION orla.device_cookie(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.device_cookie(text) TO orla_service;
COMMENT ON FUNCTION orla.device_cookie(text) IS
    'A cookie that tells this device again when it signs in to the same account.';

-- Counts per address and origin, so that nobody locks another out.  While
-- locked, the right password is no better than a wrong one.
CREATE FUNCTION orla.check_attempt(address text, hash text, password text, origin jsonb)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    who      bytea := orla.keyed_digest('address', convert_to(coalesce(address, ''), 'UTF8'));
    whence   bytea := orla.origin_digest(coalesce(address, ''), origin);
    lockout  interval := current_setting('orla.lockout_duration')::interval;
    attempts orla.sign_in_attempts;
    right_   boolean;
BEGIN
    INSERT INTO orla.sign_in_attempts (address_digest, origin_digest) VALUES (who, whence)
    ON CONFLICT DO NOTHING;
    SELECT * INTO attempts FROM orla.sign_in_attempts AS a
     WHERE a.address_digest = who AND a.origin_digest = whence FOR UPDATE;
    right_ := orla.check_password(password, hash);

    IF attempts.locked_until > clock_timestamp() THEN
        RETURN false;
    ELSIF right_ THEN
        DELETE FROM orla.sign_in_attempts AS a WHERE a.address_digest = who AND a.origin_digest = whence;
        RETURN true;
    END IF;
    IF attempts.window_started_at < clock_timestamp() - lockout THEN
        attempts.failed := 0;
        attempts.window_started_at := clock_timestamp();
    END IF;
    attempts.failed := attempts.failed + 1;
    UPDATE orla.sign_in_attempts AS a
       SET failed = attempts.failed, window_started_at = attempts.window_started_at,
           locked_until = CASE WHEN attempts.failed >= current_setting('orla.max_failed_sign_ins')::int
                               THEN clock_timestamp() + lockout END
     WHERE a.address_digest = who AND a.origin_digest = whence;
    RETURN false;
END
$$;
REVOKE ALL ON FUNCTION orla.check_attempt(text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_attempt(text, text, text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.check_attempt(text, text, text, jsonb) IS
    'Whether a password is right and the origin is not locked out for this address; counts what fails.';

CREATE FUNCTION orla.end_sessions(account uuid, reason text, keep_session uuid)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.sessions SET ended_at = now(), end_reason = reason
     WHERE user_id = account AND ended_at IS NULL AND id IS DISTINCT FROM keep_session;
    UPDATE orla.refresh_tokens SET is_revoked = true, revoked_at = now()
     WHERE user_id = account AND NOT is_revoked AND session_id IS DISTINCT FROM keep_session;
END
$$;
REVOKE ALL ON FUNCTION orla.end_sessions(uuid, text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.end_sessions(uuid, text, uuid) TO orla_service;
COMMENT ON FUNCTION orla.end_sessions(uuid, text, uuid) IS
    'Ends the sessions of an account, all or all but one; counts for each transaction that begins afterwards.';

CREATE FUNCTION orla.user_object(u orla.users)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email, 'organization_name', u.organization_name,
                              'role', u.role, 'plan', u.plan, 'email_verified', u.email_verified)
$$;
REVOKE ALL ON FUNCTION orla.user_object(orla.users) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.user_object(orla.users) TO orla_service;
COMMENT ON FUNCTION orla.user_object(orla.users) IS
    'What an account is told of itself.';

-- What sign-in, verification and refresh answer.
CREATE FUNCTION orla.token_answer(u orla.users, s orla.sessions, refresh_token text)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lifetime int := extract(epoch FROM current_setting('orla.access_token_lifetime')::interval);
    moment   bigint := extract(epoch FROM clock_timestamp())::bigint;
BEGIN
    RETURN jsonb_build_object('answer', jsonb_build_object(
        'access_token', orla.sign_jwt(jsonb_build_object(
            'iss', current_setting('orla.issuer') || ':' || orla.ensure_instance(),
            'aud', current_setting('orla.audience'), 'sub', u.id, 'role', 'orla_user', 'app_role', u.role,
            'email', u.email, 'sid', s.id, 'gen', s.generation, 'iat', moment, 'nbf', moment,
            'exp', moment + lifetime, 'jti', gen_random_uuid(), 'token_use', 'access')),
        'refresh_token', refresh_token, 'token_type', 'bearer', 'expires_in', lifetime,
        'user', orla.user_object(u)));
END
$$;
REVOKE ALL ON FUNCTION orla.token_answer(orla.users, orla.sessions, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.token_answer(orla.users, orla.sessions, text) TO orla_service;
COMMENT ON FUNCTION orla.token_answer(orla.users, orla.sessions, text) IS
    'A fresh access token, with the refresh token and the user object.';

CREATE FUNCTION orla.open_session(account uuid, origin jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u     orla.users;
    s     orla.sessions;
    token text := account || '.' || orla.random_token();
    until timestamptz := now() + current_setting('orla.refresh_token_lifetime')::interval;
BEGIN
    SELECT * INTO STRICT u FROM orla.users AS x WHERE x.id = account;
    INSERT INTO orla.sessions (user_id, expires_at, ip_address, user_agent)
    VALUES (account, until, (origin ->> 'ip')::inet, left(origin ->> 'user_agent', 500))
    RETURNING * INTO s;
    INSERT INTO orla.refresh_tokens (user_id, session_id, token_hash, expires_at)
    VALUES (account, s.id, orla.token_hash(token), until);
    RETURN orla.token_answer(u, s, token);
END
$$;
REVOKE ALL ON FUNCTION orla.open_session(uuid, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.open_session(uuid, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.open_session(uuid, jsonb) IS
    'A new session of an account, answered with its tokens.';

-- One answer and, as near as can be, one time for an unknown address, a wrong
-- password, an account that is not active and an origin that is locked.
CREATE FUNCTION orla.do_login(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    began   timestamptz := clock_timestamp();
    address text := lower(left(args ->> 'email', 1000) COLLATE "C");
    u       orla.users;
    fresh   orla.users;
    good    boolean;
    answer  jsonb;
BEGIN
    PERFORM orla.ensure_instance();
    SELECT * INTO u FROM orla.users AS x WHERE x.email = address;
    good := orla.check_attempt(address, u.password_hash, args ->> 'password', args -> 'origin')
            AND u.is_active AND u.email_verified;
    IF good THEN
        -- Meanwhile the password may have been changed or the account have gone:
        -- a session that is opened now would outlive the end of all sessions.
        SELECT * INTO fresh FROM orla.users AS x WHERE x.id = u.id FOR NO KEY UPDATE;
        good := FOUND AND fresh.is_active
                AND (fresh.password_hash = u.password_hash OR orla.check_password(args ->> 'password', fresh.password_hash));
        u := fresh;
    END IF;
    IF good THEN
        IF orla.password_needs_rehash(u.password_hash) THEN
            UPDATE orla.users SET password_hash = orla.hash_password(args ->> 'password') WHERE id = u.id;
        END IF;
        UPDATE orla.users SET last_login_at = now() WHERE id = u.id;
        PERFORM orla.audit('login', 'success', u.id, '{}', args -> 'origin');
        answer := jsonb_set(orla.open_session(u.id, args -> 'origin'), '{answer,device}', to_jsonb(orla.device_cookie(address)));
    ELSE
        PERFORM orla.audit('login', 'failure', u.id, '{}', args -> 'origin');
        answer := orla.refusal('PT401', 'sign-in refused');
    END IF;
    -- bcrypt takes another time than Argon2id: while there is any, all wait
    IF EXISTS (SELECT FROM orla.users AS x WHERE x.password_hash LIKE '$2%') THEN
        PERFORM pg_sleep(greatest(0, extract(epoch FROM began + current_setting('orla.sign_in_floor')::interval - clock_timestamp())));
    END IF;
    RETURN answer;
END
$$;
REVOKE ALL ON FUNCTION orla.do_login(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_login(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_login(jsonb) IS
    'The work of orla_api.login().';

-- Each token is good for one rotation.  Its child is derived from it, so that
-- a second tab within the grace gets the same one though nothing but hashes is
-- stored; after that, using it again means that two hold it: the family ends.
CREATE FUNCTION orla.do_refresh(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    account uuid := orla.token_id(args ->> 'refresh_token');
    parent  orla.refresh_tokens;
    u       orla.users;
    s       orla.sessions;
    key_id  text;
    child   text;
BEGIN
    PERFORM orla.ensure_instance();
    -- The account, then the session, then its tokens: so do all that lock them.
    SELECT * INTO u FROM orla.users AS x WHERE x.id = account FOR KEY SHARE;
    SELECT x.* INTO s
      FROM orla.refresh_tokens AS t JOIN orla.sessions AS x ON x.user_id = t.user_id AND x.id = t.session_id
     WHERE t.user_id = account AND t.token_hash = orla.token_hash(args ->> 'refresh_token')
       FOR UPDATE OF x;
    SELECT * INTO parent FROM orla.refresh_tokens AS t
     WHERE t.user_id = account AND t.token_hash = orla.token_hash(args ->> 'refresh_token') FOR UPDATE;
    IF parent.id IS NULL OR parent.is_revoked OR parent.expires_at <= now() OR s.ended_at IS NOT NULL
       OR s.expires_at <= now() OR NOT u.is_active THEN
        -- who guesses at tokens writes nothing into the trail of an account
        PERFORM orla.audit('refresh', 'failure', parent.user_id, '{}', args -> 'origin');
        RETURN orla.refusal('PT401', 'refresh refused');
    END IF;
    IF parent.rotated_at < clock_timestamp() - current_setting('orla.refresh_grace')::interval THEN
        UPDATE orla.sessions SET ended_at = now(), end_reason = 'refresh token reused'
         WHERE user_id = account AND id = s.id;
        UPDATE orla.refresh_tokens SET is_revoked = true, revoked_at = now()
         WHERE user_id = account AND session_id = s.id AND NOT is_revoked;
        PERFORM orla.audit('refresh_token_reused', 'failure', u.id, jsonb_build_object('session_id', s.id), args -> 'origin');
        RETURN orla.refusal('PT401', 'refresh refused');
    END IF;

    SELECT t.mac_key_id INTO key_id FROM orla.refresh_tokens AS t
     WHERE t.user_id = account AND t.parent_id = parent.id;
    key_id := coalesce(key_id, orla.mac_key_id());
    child := account || '.' || rtrim(translate(encode(orla.keyed_digest_with(key_id, 'refresh child',
                 convert_to(args ->> 'refresh_token', 'UTF8')), 'base64'), '+/', '-_'), '=');
    IF parent.rotated_at IS NULL THEN
        UPDATE orla.sessions SET last_used_at = now(), expires_at = now() + current_setting('orla.refresh_token_lifetime')::interval
         WHERE user_id = account AND id = s.id;
        UPDATE orla.refresh_tokens SET rotated_at = clock_timestamp(), last_used_at = now()
         WHERE user_id = account AND id = parent.id;
        INSERT INTO orla.refresh_tokens (user_id, session_id, token_hash, parent_id, mac_key_id, expires_at)
        VALUES (account, s.id, orla.token_hash(child), parent.id, key_id,
                now() + current_setting('orla.refresh_token_lifetime')::interval);
        PERFORM orla.audit('refresh', 'success', u.id, '{}', args -> 'origin');
    END IF;
    RETURN orla.token_answer(u, s, child);
END
$$;
REVOKE ALL ON FUNCTION orla.do_refresh(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_refresh(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_refresh(jsonb) IS
    'The work of orla_api.refresh().';

-- Says the same whether or not there was such a token.
CREATE FUNCTION orla.do_logout(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    account uuid := orla.token_id(args ->> 'refresh_token');
    s       orla.sessions;
BEGIN
    PERFORM orla.ensure_instance();
    PERFORM FROM orla.users AS u WHERE u.id = account FOR KEY SHARE;
    SELECT x.* INTO s
      FROM orla.refresh_tokens AS t JOIN orla.sessions AS x ON x.user_id = t.user_id AND x.id = t.session_id
     WHERE t.user_id = account AND t.token_hash = orla.token_hash(args ->> 'refresh_token')
       AND x.ended_at IS NULL
       FOR UPDATE OF x;
    IF s.id IS NOT NULL THEN
        UPDATE orla.sessions SET ended_at = now(), end_reason = 'signed out' WHERE user_id = account AND id = s.id;
        UPDATE orla.refresh_tokens SET is_revoked = true, revoked_at = now()
         WHERE user_id = account AND session_id = s.id AND NOT is_revoked;
        PERFORM orla.audit('logout', 'success', account, '{}', args -> 'origin');
    END IF;
    RETURN orla.answer_message('You are signed out.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_logout(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_logout(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_logout(jsonb) IS
    'The work of orla_api.logout().';

CREATE FUNCTION orla.do_logout_everywhere(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    account uuid := (args ->> 'user_id')::uuid;
BEGIN
    PERFORM orla.end_sessions(account, 'signed out everywhere', NULL);
    PERFORM orla.audit('logout_everywhere', 'success', account, '{}', args -> 'origin');
    RETURN orla.answer_message('You are signed out everywhere.');
END
$$;
REVOKE ALL ON FUNCTION orla.do_logout_everywhere(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_logout_everywhere(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_logout_everywhere(jsonb) IS
    'The work of orla_api.logout_everywhere().';

-- SECURITY DEFINER: sweeps over all tenants.
CREATE FUNCTION orla.purge_expired()
    RETURNS TABLE (what text, removed bigint)
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    what := 'sessions';
    DELETE FROM orla.sessions WHERE expires_at < now() - interval '30 days' OR ended_at < now() - interval '30 days';
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;
    what := 'refresh_tokens';
    DELETE FROM orla.refresh_tokens WHERE expires_at < now();
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;
    what := 'pending_registrations';
    DELETE FROM orla.pending_registrations WHERE expires_at < now();
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;
    what := 'sign_in_attempts';
    DELETE FROM orla.sign_in_attempts
     WHERE window_started_at < now() - current_setting('orla.lockout_duration')::interval
       AND coalesce(locked_until, '-infinity') < now();
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;
    what := 'oauth_states';
    DELETE FROM orla.oauth_states WHERE expires_at < now();
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;
END
$$;
ALTER FUNCTION orla.purge_expired() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.purge_expired() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.purge_expired() TO orla_admin;
COMMENT ON FUNCTION orla.purge_expired() IS
    'Removes what has expired: sessions 30 days after their end, refresh tokens, sign-ups that nobody confirmed, counters of failed sign-ins, states of connections.';
