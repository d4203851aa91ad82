-- Keeping tokens fresh, and ending connections.  One request at a time for a
-- connection: whoever needs it while one is under way waits for that one.

-- Seconds of validity below which a token is refreshed ahead: orla.refresh_margin,
-- never more than half of its life; spread, so that connections that were made
-- together do not come back together for ever.  One that nobody has used for a
-- day is kept alive once a month: providers forget what sleeps for longer.
CREATE FUNCTION orla.next_refresh(until timestamptz, used timestamptz)
    RETURNS timestamptz
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN used < now() - interval '1 day' THEN now() + interval '30 days' * (0.9 + 0.1 * random())
                ELSE until - least(current_setting('orla.refresh_margin')::interval, (until - now()) / 2) * (1 + 0.2 * random()) END
$$;
REVOKE ALL ON FUNCTION orla.next_refresh(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.next_refresh(timestamptz, timestamptz) TO orla_service;
COMMENT ON FUNCTION orla.next_refresh(timestamptz, timestamptz) IS
    'When a token that is good until then is refreshed by the worker.';

-- 1, 2, 4 … seconds, an hour at most, spread by half.
CREATE FUNCTION orla.backoff(failures int)
    RETURNS interval
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT make_interval(secs => least(power(2, least(failures, 20)), 3600) * (0.75 + 0.5 * random()))
$$;
REVOKE ALL ON FUNCTION orla.backoff(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.backoff(int) TO orla_service;
COMMENT ON FUNCTION orla.backoff(int) IS
    'How long to wait after so many failures in a row.';

-- The sealed token, for whoever waits: a statement does not see what was
-- committed after it began, so the answer carries it.
CREATE FUNCTION orla.token_of_connection(c orla.user_cloud_storage_tokens)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('answer', jsonb_build_object(
               'sealed', encode(c.access_token, 'base64'), 'expires_at', c.token_expires_at))
$$;
REVOKE ALL ON FUNCTION orla.token_of_connection(orla.user_cloud_storage_tokens) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.token_of_connection(orla.user_cloud_storage_tokens) TO orla_service;
COMMENT ON FUNCTION orla.token_of_connection(orla.user_cloud_storage_tokens) IS
    'The answer of a refresh: the access token, sealed.';

-- What a person is told who needs a connection that does not work.
CREATE FUNCTION orla.refuse_use(c orla.user_cloud_storage_tokens)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN c.user_id IS NULL OR c.status = 'disconnected' OR NOT c.is_active THEN
            orla.refusal('55000', 'not connected', NULL, 'Connect first.')
        WHEN c.status = 'needs_reconnect' THEN
            orla.refusal('55000', 'the connection has ended', coalesce(c.last_error, 'The provider accepts its token no longer.'), 'Connect again.')
        WHEN c.status = 'needs_operator' THEN
            orla.refusal('PT502', 'the provider refuses this installation', c.last_error, 'An operator has to check what orla.configure_provider() was told.')
        ELSE orla.refusal('PT503', 'the provider does not answer', c.last_error, 'Try again in a moment.') END
$$;
REVOKE ALL ON FUNCTION orla.refuse_use(orla.user_cloud_storage_tokens) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.refuse_use(orla.user_cloud_storage_tokens) TO orla_service;
COMMENT ON FUNCTION orla.refuse_use(orla.user_cloud_storage_tokens) IS
    'The refusal that a connection''s state makes.';

-- The step that refreshes a connection, whose row is locked and claimed.
CREATE FUNCTION orla.refresh_step(c orla.user_cloud_storage_tokens, token text, previous boolean)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'key', orla.connection_key(c.user_id, c.provider), 'next', 'record_refresh',
        'state', jsonb_build_object('user_id', c.user_id, 'provider', c.provider, 'previous', previous,
                                    'sent', orla.token_hash(token), 'sent_at', clock_timestamp()),
        'http', orla.refresh_request(orla.provider_facts(c.provider), token))
$$;
REVOKE ALL ON FUNCTION orla.refresh_step(orla.user_cloud_storage_tokens, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.refresh_step(orla.user_cloud_storage_tokens, text, boolean) TO orla_service;
COMMENT ON FUNCTION orla.refresh_step(orla.user_cloud_storage_tokens, text, boolean) IS
    'Asks the provider for a new access token, with this refresh token.';

-- Marks a connection that cannot be refreshed any more.
CREATE FUNCTION orla.end_of_connection(c orla.user_cloud_storage_tokens, why text)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.user_cloud_storage_tokens AS t
       SET status = 'needs_reconnect', last_error = why, claimed_at = NULL, next_request_at = NULL,
           previous_refresh_token = NULL, updated_at = now()
     WHERE t.user_id = c.user_id AND t.provider = c.provider;
    PERFORM orla.audit('connection_ended', 'failure', c.user_id, jsonb_build_object('provider', c.provider), NULL, why);
END
$$;
REVOKE ALL ON FUNCTION orla.end_of_connection(orla.user_cloud_storage_tokens, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.end_of_connection(orla.user_cloud_storage_tokens, text) TO orla_service;
COMMENT ON FUNCTION orla.end_of_connection(orla.user_cloud_storage_tokens, text) IS
    'The person has to connect again.';

-- For a session that needs a token.  args.rejected: SHA-256 of an access token
-- that the provider has just refused, before its time.
CREATE FUNCTION orla.do_fresh_token(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c       orla.user_cloud_storage_tokens;
    access  text;
    token   text;
BEGIN
    SELECT * INTO c FROM orla.user_cloud_storage_tokens AS t
     WHERE t.user_id = (args ->> 'user_id')::uuid AND t.provider = args ->> 'provider' FOR UPDATE;
    IF c.user_id IS NULL OR NOT c.is_active OR c.status IN ('disconnected', 'needs_reconnect') THEN
        RETURN orla.refuse_use(c);
    ELSIF c.claimed_at IS NOT NULL THEN
        RETURN jsonb_build_object('wait', orla.connection_key(c.user_id, c.provider));
    END IF;
    access := orla.unseal(c.access_token, c.user_id, orla.token_purpose(c.provider, 'access_token'));
    IF c.token_expires_at > now() + interval '5 seconds' AND orla.token_hash(access) IS DISTINCT FROM args ->> 'rejected' THEN
        RETURN orla.token_of_connection(c);
    ELSIF (args ->> 'asked_again')::boolean AND c.status <> 'connected' THEN
        RETURN orla.refuse_use(c);      -- it was tried a moment ago
    END IF;

    token := orla.unseal(c.refresh_token, c.user_id, orla.token_purpose(c.provider, 'refresh_token'));
    IF token IS NULL THEN
        PERFORM orla.end_of_connection(c, 'The provider gave no refresh token, and the access token has run out.');
        RETURN orla.refusal('55000', 'the connection has ended', NULL, 'Connect again.');
    END IF;
    UPDATE orla.user_cloud_storage_tokens AS t SET claimed_at = now(), last_used_at = now()
     WHERE t.user_id = c.user_id AND t.provider = c.provider;
    RETURN orla.refresh_step(c, token, false);
END
$$;
REVOKE ALL ON FUNCTION orla.do_fresh_token(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_fresh_token(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_fresh_token(jsonb) IS
    'An access token that is good, sealed; refreshes it where it is not.';

-- The new pair replaces the old one in one write.  The refresh token that was
-- used is kept until the next success, since some providers rotate before their
-- answer arrives.
CREATE FUNCTION orla.store_refresh(c orla.user_cloud_storage_tokens, answer jsonb, used text, sent_at timestamptz)
    RETURNS orla.user_cloud_storage_tokens
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    until timestamptz := sent_at + make_interval(secs => orla.token_lifetime(answer));
    fresh text := nullif(answer ->> 'refresh_token', '');
BEGIN
    UPDATE orla.user_cloud_storage_tokens AS t
       SET access_token = orla.seal(answer ->> 'access_token', c.user_id, orla.token_purpose(c.provider, 'access_token')),
           refresh_token = orla.seal(coalesce(fresh, used), c.user_id, orla.token_purpose(c.provider, 'refresh_token')),
           previous_refresh_token = CASE WHEN fresh <> used THEN
               orla.seal(used, c.user_id, orla.token_purpose(c.provider, 'previous_refresh_token')) END,
           token_expires_at = until, status = 'connected', last_error = NULL, failures = 0, claimed_at = NULL,
           last_refreshed_at = now(), updated_at = now(), next_request_at = orla.next_refresh(until, t.last_used_at)
     WHERE t.user_id = c.user_id AND t.provider = c.provider
    RETURNING * INTO c;
    RETURN c;
END
$$;
REVOKE ALL ON FUNCTION orla.store_refresh(orla.user_cloud_storage_tokens, jsonb, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.store_refresh(orla.user_cloud_storage_tokens, jsonb, text, timestamptz) TO orla_service;
COMMENT ON FUNCTION orla.store_refresh(orla.user_cloud_storage_tokens, jsonb, text, timestamptz) IS
    'Stores what a refresh brought; the connection as it is then.';

-- No answer, or that of a provider that refuses the installation: the tokens
-- stay, and so does the access token as long as it is good.
CREATE FUNCTION orla.note_failure(c orla.user_cloud_storage_tokens, outcome text, response jsonb)
    RETURNS orla.user_cloud_storage_tokens
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.user_cloud_storage_tokens AS t
       SET status = CASE outcome WHEN 'operator' THEN 'needs_operator' ELSE 'retrying' END,
           last_error = CASE outcome WHEN 'operator' THEN 'The provider refuses this installation: ' ELSE 'The provider does not answer: ' END
                        || orla.response_problem(response) || '.',
           failures = t.failures + 1, claimed_at = NULL, updated_at = now(),
           next_request_at = now() + CASE outcome WHEN 'operator' THEN interval '1 hour'
                                          ELSE greatest(orla.backoff(t.failures), make_interval(secs => coalesce(orla.retry_after(response), 0))) END
     WHERE t.user_id = c.user_id AND t.provider = c.provider
    RETURNING * INTO c;
    RETURN c;
END
$$;
REVOKE ALL ON FUNCTION orla.note_failure(orla.user_cloud_storage_tokens, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.note_failure(orla.user_cloud_storage_tokens, text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.note_failure(orla.user_cloud_storage_tokens, text, jsonb) IS
    'Notes a refresh that brought nothing, and when to try again.';

CREATE FUNCTION orla.do_record_refresh(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state    jsonb := args -> 'state';
    response jsonb := args -> 'response';
    outcome  text := orla.token_outcome(response);
    c        orla.user_cloud_storage_tokens;
    current  text;
    previous text;
    used     text;
BEGIN
    SELECT * INTO c FROM orla.user_cloud_storage_tokens AS t
     WHERE t.user_id = (state ->> 'user_id')::uuid AND t.provider = state ->> 'provider' FOR UPDATE;
    IF c.user_id IS NULL OR c.status = 'disconnected' THEN
        RETURN orla.refuse_use(c);      -- the account or the connection went in the meantime
    END IF;
    current := orla.unseal(c.refresh_token, c.user_id, orla.token_purpose(c.provider, 'refresh_token'));
    previous := orla.unseal(c.previous_refresh_token, c.user_id, orla.token_purpose(c.provider, 'previous_refresh_token'));
    used := CASE WHEN (state ->> 'previous')::boolean THEN previous ELSE current END;

    IF orla.token_hash(used) IS DISTINCT FROM state ->> 'sent' THEN
        -- Somebody connected again while the answer was on its way: that counts.
        UPDATE orla.user_cloud_storage_tokens AS t SET claimed_at = NULL
         WHERE t.user_id = c.user_id AND t.provider = c.provider;
        RETURN orla.token_of_connection(c);
    ELSIF outcome = 'token' THEN
        RETURN orla.token_of_connection(orla.store_refresh(c, orla.response_object(response), used, (state ->> 'sent_at')::timestamptz));
    ELSIF outcome = 'reconnect' AND previous IS NOT NULL AND NOT (state ->> 'previous')::boolean THEN
        RETURN orla.refresh_step(c, previous, true);
    ELSIF outcome = 'reconnect' THEN
        PERFORM orla.end_of_connection(c, 'The provider accepts the token no longer: ' || orla.response_problem(response) || '.');
        RETURN orla.refusal('55000', 'the connection has ended', 'The provider accepts its token no longer.', 'Connect again.');
    END IF;
    c := orla.note_failure(c, outcome, response);
    -- ahead of expiry nobody has to notice
    RETURN CASE WHEN c.token_expires_at > now() + interval '5 seconds' THEN orla.token_of_connection(c) ELSE orla.refuse_use(c) END;
END
$$;
REVOKE ALL ON FUNCTION orla.do_record_refresh(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_record_refresh(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_record_refresh(jsonb) IS
    'Stores the answer of a refresh, or notes why there was none.';

-- ---- disconnecting ----------------------------------------------------------

-- Whether revoking at the provider ends nothing but this connection.
CREATE FUNCTION orla.may_revoke(c orla.user_cloud_storage_tokens, facts jsonb)
    RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT facts ->> 'revoke_url' IS NOT NULL
           AND (facts ->> 'revoke_reach' = 'grant'
                OR facts ->> 'revoke_reach' = 'account' AND c.provider_user_id IS NOT NULL
                   AND NOT EXISTS (SELECT FROM orla.user_cloud_storage_tokens AS o
                                    WHERE o.provider = c.provider AND o.provider_user_id = c.provider_user_id
                                      AND o.user_id <> c.user_id AND o.is_active))
$$;
REVOKE ALL ON FUNCTION orla.may_revoke(orla.user_cloud_storage_tokens, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.may_revoke(orla.user_cloud_storage_tokens, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.may_revoke(orla.user_cloud_storage_tokens, jsonb) IS
    'Whether revoking a token harms no other connection.';

CREATE FUNCTION orla.revoke_step(c orla.user_cloud_storage_tokens, facts jsonb)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'key', orla.connection_key(c.user_id, c.provider), 'next', 'record_revocation',
        'state', jsonb_build_object('user_id', c.user_id, 'provider', c.provider),
        'http', jsonb_build_object('method', 'POST', 'url', facts ->> 'revoke_url', 'hosts', facts -> 'hosts', 'timeout_ms', 15000, 'max_bytes', 1048576)
                || CASE facts ->> 'revoke_with'
                       WHEN 'bearer' THEN jsonb_build_object('bearer', orla.unseal(c.access_token, c.user_id, orla.token_purpose(c.provider, 'access_token')))
                       ELSE jsonb_build_object('form', jsonb_build_object('token',
                                coalesce(orla.unseal(c.refresh_token, c.user_id, orla.token_purpose(c.provider, 'refresh_token')),
                                         orla.unseal(c.access_token, c.user_id, orla.token_purpose(c.provider, 'access_token'))))) END)
$$;
REVOKE ALL ON FUNCTION orla.revoke_step(orla.user_cloud_storage_tokens, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.revoke_step(orla.user_cloud_storage_tokens, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.revoke_step(orla.user_cloud_storage_tokens, jsonb) IS
    'Asks the provider to end the access (RFC 7009, or as the provider has it).';

CREATE FUNCTION orla.blank_tokens(c orla.user_cloud_storage_tokens)
    RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE orla.user_cloud_storage_tokens AS t
       SET access_token = NULL, refresh_token = NULL, previous_refresh_token = NULL, token_expires_at = NULL,
           next_request_at = NULL, claimed_at = NULL, failures = 0, updated_at = now()
     WHERE t.user_id = c.user_id AND t.provider = c.provider
$$;
REVOKE ALL ON FUNCTION orla.blank_tokens(orla.user_cloud_storage_tokens) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.blank_tokens(orla.user_cloud_storage_tokens) TO orla_service;
COMMENT ON FUNCTION orla.blank_tokens(orla.user_cloud_storage_tokens) IS
    'Forgets the tokens of a connection that has ended.';

CREATE FUNCTION orla.disconnected_message(facts jsonb, revoked boolean)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.answer_message(CASE WHEN revoked THEN 'Disconnected.'
               WHEN facts ->> 'access_page' IS NOT NULL THEN
                   format('Disconnected. The access itself can be removed at %s only, by you.', facts ->> 'access_page')
               ELSE 'Disconnected. The access itself can be removed at the provider only, by you.' END)
$$;
REVOKE ALL ON FUNCTION orla.disconnected_message(jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.disconnected_message(jsonb, boolean) TO orla_service;
COMMENT ON FUNCTION orla.disconnected_message(jsonb, boolean) IS
    'What a person is told who has disconnected.';

-- From this commit on nobody reads with the connection any more, whatever the
-- provider says to the revocation.
CREATE FUNCTION orla.do_disconnect(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    facts jsonb := orla.provider_facts(args ->> 'provider');
    c     orla.user_cloud_storage_tokens;
BEGIN
    SELECT * INTO c FROM orla.user_cloud_storage_tokens AS t
     WHERE t.user_id = (args ->> 'user_id')::uuid AND t.provider = args ->> 'provider' FOR UPDATE;
    IF c.user_id IS NULL OR NOT c.is_active THEN
        RETURN orla.refuse_use(c);
    ELSIF c.claimed_at IS NOT NULL THEN
        RETURN jsonb_build_object('wait', orla.connection_key(c.user_id, c.provider));
    END IF;
    UPDATE orla.user_cloud_storage_tokens AS t
       SET is_active = false, status = 'disconnected', last_error = NULL, next_request_at = NULL, failures = 0, updated_at = now()
     WHERE t.user_id = c.user_id AND t.provider = c.provider;
    PERFORM orla.audit('disconnect', 'success', c.user_id, jsonb_build_object('provider', c.provider));
    IF c.status = 'needs_reconnect' OR c.access_token IS NULL OR NOT orla.may_revoke(c, facts) THEN
        PERFORM orla.blank_tokens(c);
        RETURN orla.disconnected_message(facts, c.status = 'needs_reconnect');
    END IF;
    UPDATE orla.user_cloud_storage_tokens AS t SET claimed_at = now()
     WHERE t.user_id = c.user_id AND t.provider = c.provider;
    RETURN orla.revoke_step(c, facts);
END
$$;
REVOKE ALL ON FUNCTION orla.do_disconnect(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_disconnect(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_disconnect(jsonb) IS
    'The work of orla_api.disconnect().';

-- A provider that does not answer is asked again for some hours; then the tokens
-- are forgotten, and the person can end the access there.
CREATE FUNCTION orla.do_record_revocation(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state    jsonb := args -> 'state';
    status   int := (args #>> '{response,status}')::int;
    facts    jsonb := orla.provider_facts(state ->> 'provider');
    c        orla.user_cloud_storage_tokens;
BEGIN
    SELECT * INTO c FROM orla.user_cloud_storage_tokens AS t
     WHERE t.user_id = (state ->> 'user_id')::uuid AND t.provider = state ->> 'provider' FOR UPDATE;
    IF c.user_id IS NULL OR c.is_active THEN
        RETURN orla.disconnected_message(facts, false);     -- gone, or connected anew
    END IF;
    IF status BETWEEN 200 AND 499 AND status NOT IN (408, 429) OR c.failures >= 10 THEN
        PERFORM orla.blank_tokens(c);
        RETURN orla.disconnected_message(facts, status BETWEEN 200 AND 299);
    END IF;
    UPDATE orla.user_cloud_storage_tokens AS t
       SET claimed_at = NULL, failures = t.failures + 1, next_request_at = now() + orla.backoff(t.failures + 3)
     WHERE t.user_id = c.user_id AND t.provider = c.provider;
    RETURN orla.disconnected_message(facts, false);
END
$$;
REVOKE ALL ON FUNCTION orla.do_record_revocation(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_record_revocation(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_record_revocation(jsonb) IS
    'Last step of disconnect(): forgets the tokens once the provider has.';
