-- Sessions: sign-in, refresh, sign-out.  As in 63_accounts_fn.sql, the do_
-- functions run in a process of their own.

CREATE FUNCTION orla.device_digest(key_id text, device text, address text)
    RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.keyed_digest_with(key_id, 'device', convert_to(device || ' ' || address, 'UTF8'))
$$;
REVOKE ALL ON FUNCTION orla.device_digest(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.device_digest(text, text, text) TO orla_service;
COMMENT ON FUNCTION orla.device_digest(text, text, text) IS
    'What a known-device cookie is signed with: the device and the address it signed in to.';

CREATE FUNCTION orla.known_device(address text, origin jsonb)
    RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    cookie text[] := regexp_match(origin ->> 'device', '^([0-9a-f-]{36})[.]([0-9a-f]{16})[.]([0-9a-f]{64})$');
BEGIN
    IF orla.constant_time_equal(orla.device_digest(cookie[2], cookie[1], address), decode(cookie[3], 'hex')) THEN
        RETURN cookie[1];
    END IF;
    RETURN NULL;
EXCEPTION WHEN undefined_object THEN
    RETURN NULL;        -- the key that it names is not ours
END
$$;
REVOKE ALL ON FUNCTION orla.known_device(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.known_device(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.known_device(text, jsonb) IS
    'The device that signed in to this address before and says so by a cookie under our key; NULL for any other.';

-- Where something comes from, for counting: a device that the account knows, else
-- the network address.  Of IPv6 the half that a customer does not choose.
CREATE FUNCTION orla.origin_digest(address text, origin jsonb)
    RETURNS bytea
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    device text := orla.known_device(address, origin);
    ip     inet := (origin ->> 'ip')::inet;
BEGIN
    IF family(ip) = 6 AND NOT ip <<= '::ffff:0:0/96' THEN
        ip := network(set_masklen(ip, 64));
    END IF;
    RETURN orla.keyed_digest('origin', convert_to(coalesce('device ' || device, 'address ' || ip, 'unknown'), 'UTF8'));
END
$$;
REVOKE ALL ON FUNCTION orla.origin_digest(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.origin_digest(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.origin_digest(text, jsonb) IS
    'Keyed digest of where something comes from: a known device of this account, else a network address.';

CREATE FUNCTION orla.device_cookie(address text)
    RETURNS text
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.id || '.' || d.key_id || '.' ||
           encode(orla.device_digest(d.key_id, d.id::text, address), 'hex')
      FROM (SELECT gen_random_uuid() AS id, orla.mac_key_id() AS key_id OFFSET 0) AS d
$$;
REVOKE ALL ON FUNCTION orla.device_cookie(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.device_cookie(text) TO orla_service;
COMMENT ON FUNCTION orla.device_cookie(text) IS
    'A cookie that tells this device again when it signs in to the same account.';

CREATE FUNCTION orla.address_digest(address text)
    RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.keyed_digest('address', convert_to(coalesce(address, ''), 'UTF8'))
$$;
REVOKE ALL ON FUNCTION orla.address_digest(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.address_digest(text) TO orla_service;
COMMENT ON FUNCTION orla.address_digest(text) IS
    'Keyed digest of an e-mail address, by which attempts are counted.';

-- Counts per address and origin, so that nobody locks another out.  While
-- locked, the right password is no better than a wrong one; nor is it for an
-- account that is not usable.  Whatever the cause of a refusal, the same is
-- computed and the same rows are written.
CREATE FUNCTION orla.check_attempt(address text, hash text, password text, origin jsonb, usable boolean)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    who      bytea := orla.address_digest(address);
    whence   bytea := orla.origin_digest(coalesce(address, ''), origin);
    lockout  interval := current_setting('orla.lockout_duration')::interval;
    attempts orla.sign_in_attempts;
    right_   boolean;
    locked   boolean;
BEGIN
    -- locks the row, so that guesses at the same time are counted one by one
    INSERT INTO orla.sign_in_attempts AS a (address_digest, origin_digest) VALUES (who, whence)
    ON CONFLICT (address_digest, origin_digest) DO UPDATE SET failed = a.failed
    RETURNING * INTO attempts;
    right_ := orla.check_password(password, hash);
    right_ := right_ AND coalesce(usable, false);
    locked := coalesce(attempts.locked_until > clock_timestamp(), false);

    IF right_ AND NOT locked THEN
        DELETE FROM orla.sign_in_attempts AS a WHERE a.address_digest = who AND a.origin_digest = whence;
        RETURN true;
    END IF;
    IF NOT locked THEN
        IF attempts.window_started_at < clock_timestamp() - lockout THEN
            attempts.failed := 0;
            attempts.window_started_at := clock_timestamp();
        END IF;
        attempts.failed := attempts.failed + 1;
        attempts.locked_until := CASE WHEN attempts.failed >= current_setting('orla.max_failed_sign_ins')::int
                                      THEN clock_timestamp() + lockout END;
    END IF;
    UPDATE orla.sign_in_attempts AS a
       SET failed = attempts.failed, window_started_at = attempts.window_started_at, locked_until = attempts.locked_until
     WHERE a.address_digest = who AND a.origin_digest = whence;
    RETURN false;
END
$$;
REVOKE ALL ON FUNCTION orla.check_attempt(text, text, text, jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_attempt(text, text, text, jsonb, boolean) TO orla_service;
COMMENT ON FUNCTION orla.check_attempt(text, text, text, jsonb, boolean) IS
    'Whether a password is right, the account usable and the origin not locked out for this address; counts what fails.';

-- For the trail of a refusal: it names no account that is being deleted.
CREATE FUNCTION orla.account_if_there(account uuid)
    RETURNS uuid
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.id FROM orla.users AS u WHERE u.id = account FOR KEY SHARE
$$;
REVOKE ALL ON FUNCTION orla.account_if_there(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.account_if_there(uuid) TO orla_service;
COMMENT ON FUNCTION orla.account_if_there(uuid) IS
    'The account, locked against deletion; NULL where it is gone by now.';

CREATE FUNCTION orla.forget_attempts(address text)
    RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM orla.sign_in_attempts WHERE address_digest = orla.address_digest(address)
$$;
REVOKE ALL ON FUNCTION orla.forget_attempts(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.forget_attempts(text) TO orla_service;
COMMENT ON FUNCTION orla.forget_attempts(text) IS
    'Empties the counters of an address, for every origin.';

CREATE FUNCTION orla.end_session(s orla.sessions, reason text)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.sessions SET ended_at = now(), end_reason = reason WHERE user_id = s.user_id AND id = s.id;
    UPDATE orla.refresh_tokens SET is_revoked = true, revoked_at = now()
     WHERE user_id = s.user_id AND session_id = s.id AND NOT is_revoked;
END
$$;
REVOKE ALL ON FUNCTION orla.end_session(orla.sessions, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.end_session(orla.sessions, text) TO orla_service;
COMMENT ON FUNCTION orla.end_session(orla.sessions, text) IS
    'Ends a session and revokes its refresh tokens.';

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

-- Whether hashes of other costs than the configured ones are left: comparing
-- with them takes another time.  Two looks into an index.
CREATE FUNCTION orla.password_costs_differ()
    RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(min(orla.password_costs(u.password_hash) COLLATE "C") <> orla.configured_password_costs()
                    OR max(orla.password_costs(u.password_hash) COLLATE "C") <> orla.configured_password_costs(), false)
      FROM orla.users AS u
$$;
REVOKE ALL ON FUNCTION orla.password_costs_differ() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.password_costs_differ() TO orla_service;
COMMENT ON FUNCTION orla.password_costs_differ() IS
    'Whether any account has a hash of another algorithm or other costs than a new one would have.';

-- One answer and, as near as can be, one time for an unknown address, a wrong
-- password, an account that is not active and an origin that is locked.
CREATE FUNCTION orla.do_login(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    address  text := lower(left(args ->> 'email', 1000) COLLATE "C");
    u        orla.users;
    fresh    text;
    good     boolean;
    compared timestamptz;
BEGIN
    PERFORM orla.ensure_instance();
    SELECT * INTO u FROM orla.users AS x WHERE x.email = address;
    good := orla.check_attempt(address, u.password_hash, args ->> 'password', args -> 'origin', u.is_active AND u.email_verified);
    compared := clock_timestamp();
    IF good THEN
        fresh := CASE WHEN orla.password_needs_rehash(u.password_hash) THEN orla.hash_password(args ->> 'password') ELSE u.password_hash END;
        -- not if it was changed or deactivated while the hash was computed
        UPDATE orla.users SET last_login_at = now(), password_hash = fresh
         WHERE id = u.id AND password_hash = u.password_hash AND is_active;
        good := FOUND;
    END IF;
    IF good THEN
        PERFORM orla.ensure_tenant_key(u.id);
    ELSE
        u.id := orla.account_if_there(u.id);
    END IF;
    PERFORM orla.audit('login', CASE WHEN good THEN 'success' ELSE 'failure' END, u.id, '{}', args -> 'origin');
    IF NOT good THEN
        -- a row of the trail that is an account's takes longer than one that is nobody's
        PERFORM orla.wait_until(compared + interval '10 milliseconds');
    END IF;
    RETURN CASE WHEN good THEN orla.open_session(u.id, args -> 'origin') ELSE orla.refusal('PT401', 'sign-in refused') END;
END
$$;
REVOKE ALL ON FUNCTION orla.do_login(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_login(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_login(jsonb) IS
    'The work of orla_api.login().';

-- What a sign-in has besides: whether it has to wait, and the device's cookie.
CREATE FUNCTION orla.do_sign_in(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    login  boolean := args ->> 'by' = 'login';
    floor  boolean := login AND orla.password_costs_differ();
    result jsonb := CASE WHEN login THEN orla.do_login(args) ELSE orla.do_verify_email(args) END;
BEGIN
    RETURN jsonb_build_object('answer', result || jsonb_build_object(
               'floor', floor, 'device', orla.device_cookie(result #>> '{answer,user,email}')));
END
$$;
REVOKE ALL ON FUNCTION orla.do_sign_in(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_sign_in(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_sign_in(jsonb) IS
    'The work of orla_api.login() and verify_email(), to be handed to orla.finish_sign_in().';

-- Waits here and not in the process that does the work: that one has locks and a
-- place that others wait for.
CREATE FUNCTION orla.finish_sign_in(result jsonb, began timestamptz)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    refused jsonb := result -> 'refusal';
    secure  text := CASE WHEN current_setting('orla.public_url') LIKE 'https://%' THEN '; Secure' ELSE '' END;
BEGIN
    IF (result -> 'floor')::boolean THEN
        PERFORM orla.wait_until(began + current_setting('orla.sign_in_floor')::interval);
    END IF;
    IF refused IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = refused ->> 'sqlstate', MESSAGE = refused ->> 'message';
    END IF;
    -- the device is known from now on: an HTTP layer sets the cookie
    PERFORM set_config('response.headers', jsonb_build_array(jsonb_build_object('Set-Cookie',
                format('orla_device=%s; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax%s', result ->> 'device', secure)))::text, true);
    RETURN result -> 'answer';
END
$$;
REVOKE ALL ON FUNCTION orla.finish_sign_in(jsonb, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.finish_sign_in(jsonb, timestamptz) TO orla_service;
COMMENT ON FUNCTION orla.finish_sign_in(jsonb, timestamptz) IS
    'The caller''s end of a sign-in: not before the floor, the tokens and the device''s cookie, or the refusal.';

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
    hash    text := orla.token_hash(args ->> 'refresh_token');
    parent  orla.refresh_tokens;
    u       orla.users;
    s       orla.sessions;
    key_id  text;
    child   text;
    until   timestamptz := now() + current_setting('orla.refresh_token_lifetime')::interval;
BEGIN
    PERFORM orla.ensure_instance();
    -- in the order of all who lock them; then the token as it is by now
    SELECT * INTO u FROM orla.users AS x WHERE x.id = account FOR KEY SHARE;
    SELECT x.* INTO s
      FROM orla.sessions AS x
     WHERE x.user_id = account
       AND x.id = (SELECT t.session_id FROM orla.refresh_tokens AS t WHERE t.user_id = account AND t.token_hash = hash)
       FOR NO KEY UPDATE;
    SELECT * INTO parent FROM orla.refresh_tokens AS t WHERE t.user_id = account AND t.token_hash = hash;
    IF s.id IS NULL OR parent.id IS NULL OR parent.is_revoked OR parent.expires_at <= now() OR s.ended_at IS NOT NULL
       OR s.expires_at <= now() OR NOT u.is_active THEN
        -- who guesses at tokens writes nothing into the trail of an account
        PERFORM orla.audit('refresh', 'failure', parent.user_id, '{}', args -> 'origin');
        RETURN orla.refusal('PT401', 'refresh refused');
    END IF;
    IF parent.rotated_at < clock_timestamp() - current_setting('orla.refresh_grace')::interval THEN
        PERFORM orla.end_session(s, 'refresh token reused');
        PERFORM orla.audit('refresh_token_reused', 'failure', u.id, jsonb_build_object('session_id', s.id), args -> 'origin');
        RETURN orla.refusal('PT401', 'refresh refused');
    END IF;

    key_id := coalesce(parent.mac_key_id, orla.mac_key_id());
    child := orla.opaque_token(account, orla.keyed_digest_with(key_id, 'refresh child', convert_to(args ->> 'refresh_token', 'UTF8')));
    IF parent.rotated_at IS NULL THEN
        UPDATE orla.sessions SET last_used_at = now(), expires_at = until WHERE user_id = account AND id = s.id;
        UPDATE orla.refresh_tokens SET rotated_at = clock_timestamp(), last_used_at = now(), mac_key_id = key_id
         WHERE user_id = account AND id = parent.id;
        INSERT INTO orla.refresh_tokens (user_id, session_id, token_hash, parent_id, expires_at)
        VALUES (account, s.id, orla.token_hash(child), parent.id, until);
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
    account uuid := coalesce((args ->> 'user_id')::uuid, orla.token_id(args ->> 'refresh_token'));
    s       orla.sessions;
BEGIN
    PERFORM orla.ensure_instance();
    PERFORM FROM orla.users AS u WHERE u.id = account FOR KEY SHARE;
    IF args ? 'session_id' THEN
        SELECT x.* INTO s
          FROM orla.sessions AS x
         WHERE x.user_id = account AND x.id = (args ->> 'session_id')::uuid AND x.ended_at IS NULL
           FOR NO KEY UPDATE;
    ELSE
        SELECT x.* INTO s
          FROM orla.refresh_tokens AS t JOIN orla.sessions AS x ON x.user_id = t.user_id AND x.id = t.session_id
         WHERE t.user_id = account AND t.token_hash = orla.token_hash(args ->> 'refresh_token')
           AND x.ended_at IS NULL
           FOR NO KEY UPDATE OF x;
    END IF;
    IF s.id IS NOT NULL THEN
        PERFORM orla.end_session(s, 'signed out');
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
    PERFORM FROM orla.users AS u WHERE u.id = account FOR KEY SHARE;
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
    -- sent ones, and those that nobody sends: their links are over
    what := 'outbox';
    DELETE FROM orla.outbox WHERE coalesce(sent_at, created_at) < now() - interval '90 days';
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;
    what := 'oauth_states';
    DELETE FROM orla.oauth_states WHERE expires_at < now();
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;
    -- what they made stays; one that is the only place of its result stays with it
    what := 'jobs';
    DELETE FROM orla.jobs
     WHERE status IN ('succeeded', 'failed', 'cancelled') AND result IS NULL
       AND run_at < now() - current_setting('orla.job_retention')::interval       -- by index; no job ends before it is due
       AND finished_at < now() - current_setting('orla.job_retention')::interval;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;
    -- nobody's tokens are kept for longer than it makes sense to ask
    what := 'revocations';
    DELETE FROM orla.revocations WHERE ended_at < now() - interval '1 hour' OR created_at < now() - interval '1 day';
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;
END
$$;
ALTER FUNCTION orla.purge_expired() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.purge_expired() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.purge_expired() TO orla_admin;
COMMENT ON FUNCTION orla.purge_expired() IS
    'Removes what has expired; returns how much of what. The worker runs it once a minute; without one, to be run every day.

Sessions 30 days after their end, refresh tokens, sign-ups that nobody confirmed, counters of failed sign-ins, mails after 90 days, states of connections that were begun, accesses that could not be ended at their provider within a day, jobs when orla.job_retention is over. What jobs have made stays, and so does a job that is the only place of its result.';
