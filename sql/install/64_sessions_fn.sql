-- Sessions: their tokens, refresh, sign-out.  As in 63_accounts_fn.sql, the do_
-- functions run in another process.

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
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email, 'organization_name', u.organization_name,
                              'role', u.role, 'plan', u.plan, 'email_verified', u.email_verified);
END
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
DECLARE
    gone orla.revocations;
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
    -- nobody's tokens are kept for longer than it makes sense to ask; the trail tells
    -- whoever may have to do it at the provider
    what := 'revocations';
    removed := 0;
    FOR gone IN DELETE FROM orla.revocations AS v WHERE v.ended_at < now() - interval '1 hour' OR v.created_at < now() - interval '1 day' RETURNING v.* LOOP
        removed := removed + 1;
        IF gone.ended_at IS NULL THEN
            PERFORM orla.audit('revocation_given_up', 'failure', NULL, jsonb_build_object('provider', gone.provider), NULL, gone.last_error);
        END IF;
    END LOOP;
    RETURN NEXT;
END
$$;
ALTER FUNCTION orla.purge_expired() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.purge_expired() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.purge_expired() TO orla_admin;
COMMENT ON FUNCTION orla.purge_expired() IS
    'Removes what has expired; returns how much of what. The worker runs it once a minute; without one, to be run every day.

Sessions 30 days after their end, refresh tokens, sign-ups that nobody confirmed, counters of failed sign-ins, mails after 90 days, states of connections that were begun, accesses that could not be ended at their provider within a day, jobs when orla.job_retention is over. What jobs have made stays, and so does a job that is the only place of its result.';
