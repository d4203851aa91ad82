-- Keeping tokens fresh.  One request at a time for a connection: whoever needs it
-- while one is under way waits for that one.

CREATE FUNCTION orla.connection_key(user_id uuid, provider text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN 'connection ' || user_id || ' ' || provider;
END
$$;
REVOKE ALL ON FUNCTION orla.connection_key(uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.connection_key(uuid, text) TO orla_service;
COMMENT ON FUNCTION orla.connection_key(uuid, text) IS
    'Names what is under way for a connection: one request at a time.';

-- Seconds of validity below which a token is refreshed ahead: orla.refresh_margin,
-- never more than half of its life; spread, so that connections that were made
-- together do not come back together for ever.  Not sooner than in a minute: what
-- lives for seconds is refreshed when it is needed.  One that nobody has used for
-- a day is kept alive once a month: providers forget what sleeps for longer.
CREATE FUNCTION orla.next_refresh(until timestamptz, used timestamptz)
    RETURNS timestamptz
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN used < now() - interval '1 day' THEN now() + interval '30 days' * (0.9 + 0.1 * random())
                ELSE greatest(until - least(current_setting('orla.refresh_margin')::interval, (until - now()) / 2) * (1 + 0.2 * random()),
                              now() + interval '1 minute') END;
END
$$;
REVOKE ALL ON FUNCTION orla.next_refresh(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.next_refresh(timestamptz, timestamptz) TO orla_service;
COMMENT ON FUNCTION orla.next_refresh(timestamptz, timestamptz) IS
    'When a token that is good until then is refreshed by the worker.';

-- 1, 2, 4 … seconds, an hour at most, spread by half.
CREATE FUNCTION orla.backoff(failures int)
    RETURNS interval
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN make_interval(secs => least(power(2, least(failures, 20)), 3600) * (0.75 + 0.5 * random()));
END
$$;
REVOKE ALL ON FUNCTION orla.backoff(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.backoff(int) TO orla_service;
COMMENT ON FUNCTION orla.backoff(int) IS
    'How long to wait after so many failures in a row.';

-- Some seconds must be left, or half of a short life.
CREATE FUNCTION orla.is_fresh(c orla.user_cloud_storage_tokens)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN c.access_token IS NOT NULL
           AND coalesce(c.token_expires_at > clock_timestamp()
                        + least(interval '5 seconds', greatest((c.token_expires_at - c.last_refreshed_at) / 2, interval '0')), false);
END
$$;
REVOKE ALL ON FUNCTION orla.is_fresh(orla.user_cloud_storage_tokens) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.is_fresh(orla.user_cloud_storage_tokens) TO orla_service;
COMMENT ON FUNCTION orla.is_fresh(orla.user_cloud_storage_tokens) IS
    'Whether the access token is good for a request that begins now.';

-- The sealed token, for whoever waits: a statement does not see what was
-- committed after it began, so the answer carries it.
CREATE FUNCTION orla.token_of_connection(c orla.user_cloud_storage_tokens)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('answer', jsonb_build_object(
               'sealed', encode(c.access_token, 'base64'), 'expires_at', c.token_expires_at));
END
$$;
REVOKE ALL ON FUNCTION orla.token_of_connection(orla.user_cloud_storage_tokens) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.token_of_connection(orla.user_cloud_storage_tokens) TO orla_service;
COMMENT ON FUNCTION orla.token_of_connection(orla.user_cloud_storage_tokens) IS
    'The answer of a refresh: the access token, sealed.';

-- What a person is told who needs a connection that does not work.
CREATE FUNCTION orla.refuse_use(c orla.user_cloud_storage_tokens)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE
        WHEN c.user_id IS NULL OR c.status = 'disconnected' OR NOT c.is_active THEN
            orla.refusal('PT409', 'not connected', NULL, 'Connect first.')
        WHEN c.status = 'needs_reconnect' THEN
            orla.refusal('PT409', 'the connection has ended', coalesce(c.last_error, 'The provider accepts its token no longer.'), 'Connect again.')
        WHEN c.status = 'needs_operator' AND c.last_error LIKE 'The stored token does not open%' THEN
            orla.refusal('PT502', 'the stored token does not open', c.last_error, 'An operator has to look at the keyring.')
        WHEN c.status = 'needs_operator' THEN
            orla.refusal('PT502', 'the provider refuses this installation', c.last_error, 'An operator has to check what orla.configure_provider() was told.')
        ELSE orla.refusal('PT503', 'the provider does not answer', c.last_error, 'Try again in a moment.') END;
END
$$;
REVOKE ALL ON FUNCTION orla.refuse_use(orla.user_cloud_storage_tokens) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.refuse_use(orla.user_cloud_storage_tokens) TO orla_service;
COMMENT ON FUNCTION orla.refuse_use(orla.user_cloud_storage_tokens) IS
    'The refusal that a connection''s state makes.';

-- The step that refreshes a connection, whose row is locked and claimed.
CREATE FUNCTION orla.refresh_step(c orla.user_cloud_storage_tokens, token text, previous boolean)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object(
        'key', orla.connection_key(c.user_id, c.provider), 'next', 'record_refresh', 'together', true,
        'state', jsonb_build_object('user_id', c.user_id, 'provider', c.provider, 'account', c.provider_user_id, 'previous', previous,
                                    'sent', orla.token_hash(token), 'sent_at', clock_timestamp()),
        'http', orla.refresh_request(orla.provider_facts(c.provider), token));
END
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

-- A stored token that does not open: the keyring lacks a key, or the row was not
-- written by orla.  Both are an operator's to mend, and nothing is given up.
CREATE FUNCTION orla.note_unopened(c orla.user_cloud_storage_tokens, problem text)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.user_cloud_storage_tokens AS t
       SET status = 'needs_operator', last_error = left(format('The stored token does not open: %s', problem), 1000),
           claimed_at = NULL, next_request_at = now() + interval '10 minutes', updated_at = now()
     WHERE t.user_id = c.user_id AND t.provider = c.provider
    RETURNING * INTO c;
    RETURN orla.refusal('PT502', 'the stored token does not open', c.last_error, 'An operator has to look at the keyring.');
END
$$;
REVOKE ALL ON FUNCTION orla.note_unopened(orla.user_cloud_storage_tokens, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.note_unopened(orla.user_cloud_storage_tokens, text) TO orla_service;
COMMENT ON FUNCTION orla.note_unopened(orla.user_cloud_storage_tokens, text) IS
    'Notes that a stored token does not open; the refusal for who needs it.';

-- Claims a connection whose row is locked, and makes the step that refreshes it.
CREATE FUNCTION orla.claim_refresh(c orla.user_cloud_storage_tokens)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    token   text;
    problem text;
BEGIN
    IF c.refresh_token IS NULL THEN
        PERFORM orla.end_of_connection(c, 'The provider gave no refresh token, and the access token is good no longer.');
        RETURN orla.refusal('PT409', 'the connection has ended', 'The provider gave no refresh token.', 'Connect again.');
    END IF;
    SELECT * INTO token, problem FROM orla.try_unseal(c.refresh_token, c.user_id, orla.token_purpose(c.provider, 'refresh_token'));
    IF problem IS NOT NULL THEN
        RETURN orla.note_unopened(c, problem);
    END IF;
    IF c.claimed_at IS NULL THEN
        UPDATE orla.user_cloud_storage_tokens AS t SET claimed_at = now()
         WHERE t.user_id = c.user_id AND t.provider = c.provider;
    END IF;
    RETURN orla.refresh_step(c, token, false);
END
$$;
REVOKE ALL ON FUNCTION orla.claim_refresh(orla.user_cloud_storage_tokens) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.claim_refresh(orla.user_cloud_storage_tokens) TO orla_service;
COMMENT ON FUNCTION orla.claim_refresh(orla.user_cloud_storage_tokens) IS
    'The step that refreshes a connection, claimed; or the refusal that its state makes.';

-- A refresh failed a moment ago, or the provider asked to be left alone: whoever
-- comes now has the same answer without a request.
CREATE FUNCTION orla.is_too_soon(c orla.user_cloud_storage_tokens)
    RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN coalesce(c.not_before > now(), false)
           OR coalesce(c.status <> 'connected' AND least(c.next_request_at, c.updated_at + interval '5 seconds') > now(), false);
END
$$;
REVOKE ALL ON FUNCTION orla.is_too_soon(orla.user_cloud_storage_tokens) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.is_too_soon(orla.user_cloud_storage_tokens) TO orla_service;
COMMENT ON FUNCTION orla.is_too_soon(orla.user_cloud_storage_tokens) IS
    'Whether the provider is not to be asked again yet.';

-- For a session that needs a token.  args.rejected: SHA-256 of an access token
-- that the provider has just refused, before its time.  args.waited: a request
-- has ended meanwhile, whose outcome is the caller's, too.  Waits for no lock: the
-- worker tries again, and whoever locks a row of his own keeps himself waiting.
CREATE FUNCTION orla.do_fresh_token(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c        orla.user_cloud_storage_tokens;
    rejected boolean := false;
    access   text;
    problem  text;
BEGIN
    SELECT * INTO c FROM orla.user_cloud_storage_tokens AS t
     WHERE t.user_id = (args ->> 'user_id')::uuid AND t.provider = args ->> 'provider' FOR UPDATE NOWAIT;
    IF c.user_id IS NULL OR NOT c.is_active OR c.status IN ('disconnected', 'needs_reconnect') THEN
        RETURN orla.refuse_use(c);
    ELSIF c.claimed_at IS NOT NULL AND NOT args ? 'unclaimed' THEN
        RETURN jsonb_build_object('wait', orla.connection_key(c.user_id, c.provider));
    END IF;
    IF args ? 'rejected' THEN
        SELECT * INTO access, problem FROM orla.try_unseal(c.access_token, c.user_id, orla.token_purpose(c.provider, 'access_token'));
        rejected := problem IS NOT NULL OR orla.token_hash(access) = args ->> 'rejected';
    END IF;
    IF NOT rejected AND (orla.is_fresh(c) OR args ? 'waited' AND c.status = 'connected' AND c.access_token IS NOT NULL
                                             AND c.last_refreshed_at > now() - interval '1 minute') THEN
        RETURN orla.token_of_connection(c);
    ELSIF args ? 'waited' AND c.status <> 'connected' OR orla.is_too_soon(c) THEN
        RETURN orla.refuse_use(c);
    END IF;
    UPDATE orla.user_cloud_storage_tokens AS t
       SET last_used_at = now(), token_expires_at = CASE WHEN rejected THEN least(t.token_expires_at, now()) ELSE t.token_expires_at END
     WHERE t.user_id = c.user_id AND t.provider = c.provider;
    RETURN orla.claim_refresh(c);
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
           token_expires_at = until, status = 'connected', last_error = NULL, failures = 0, claimed_at = NULL, not_before = NULL,
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

-- Half an answer may hold a refresh token that has taken the place of the old one.
CREATE FUNCTION orla.keep_refresh_token(c orla.user_cloud_storage_tokens, used text, response jsonb)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fresh text := orla.first_text(orla.response_object(response), '["refresh_token"]', 100000);
BEGIN
    IF response ->> 'status' = '200' AND nullif(fresh, '') <> used THEN
        UPDATE orla.user_cloud_storage_tokens AS t
           SET refresh_token = orla.seal(fresh, c.user_id, orla.token_purpose(c.provider, 'refresh_token')),
               previous_refresh_token = orla.seal(used, c.user_id, orla.token_purpose(c.provider, 'previous_refresh_token'))
         WHERE t.user_id = c.user_id AND t.provider = c.provider;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.keep_refresh_token(orla.user_cloud_storage_tokens, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.keep_refresh_token(orla.user_cloud_storage_tokens, text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.keep_refresh_token(orla.user_cloud_storage_tokens, text, jsonb) IS
    'Stores the refresh token of an answer that has no access token.';

-- No answer, or that of a provider that refuses the installation: the tokens
-- stay, and so does the access token as long as it is good.
CREATE FUNCTION orla.note_failure(c orla.user_cloud_storage_tokens, outcome text, response jsonb)
    RETURNS orla.user_cloud_storage_tokens
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    asked interval := make_interval(secs => orla.retry_after(response));
BEGIN
    UPDATE orla.user_cloud_storage_tokens AS t
       SET status = CASE outcome WHEN 'operator' THEN 'needs_operator' ELSE 'retrying' END,
           last_error = orla.outcome_words(outcome, response),
           failures = t.failures + 1, claimed_at = NULL, updated_at = now(), not_before = now() + asked,
           next_request_at = now() + greatest(CASE outcome WHEN 'operator' THEN interval '1 hour' ELSE orla.backoff(t.failures) END, asked)
     WHERE t.user_id = c.user_id AND t.provider = c.provider
    RETURNING * INTO c;
    RETURN c;
END
$$;
REVOKE ALL ON FUNCTION orla.note_failure(orla.user_cloud_storage_tokens, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.note_failure(orla.user_cloud_storage_tokens, text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.note_failure(orla.user_cloud_storage_tokens, text, jsonb) IS
    'Notes a refresh that brought nothing, and when to try again.';

-- The file API refuses what the token endpoint gives.  A token that was just given
-- and is refused is the person's to renew; it is asked for again in an hour, in
-- case the provider had a bad moment.  A right that is missing leaves others; a scope
-- that the provider says is missing, the person has to grant.
CREATE FUNCTION orla.do_note_refusal(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind text := args ->> 'kind';
BEGIN
    UPDATE orla.user_cloud_storage_tokens AS t
       SET status = CASE WHEN kind IN ('unauthorized', 'missing_scope') THEN 'needs_reconnect' WHEN kind = 'operator' THEN 'needs_operator' ELSE t.status END,
           last_error = left(CASE kind WHEN 'unauthorized' THEN 'The provider refuses a token that it has just given'
                                       WHEN 'operator' THEN 'The provider refuses this installation'
                                       ELSE 'The provider did not grant what this needs, connect again and allow all that is asked for' END
                             || ': ' || lower(left(args ->> 'what', 1)) || substr(args ->> 'what', 2) || '.', 1000),
           next_request_at = CASE WHEN kind = 'scope' THEN t.next_request_at ELSE now() + interval '1 hour' END, updated_at = now()
     WHERE t.ctid = ANY (ARRAY(SELECT l.ctid FROM orla.user_cloud_storage_tokens AS l
                                WHERE l.user_id = (args ->> 'user_id')::uuid AND l.provider = args ->> 'provider' AND l.is_active AND l.claimed_at IS NULL
                                  AND l.status <> 'needs_reconnect' FOR UPDATE SKIP LOCKED));
    RETURN jsonb_build_object('answer', NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.do_note_refusal(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_note_refusal(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_note_refusal(jsonb) IS
    'Notes in a connection what its file API refuses.';

-- The stored refresh token of which this is the hash; NULL where somebody has
-- connected again meanwhile.
CREATE FUNCTION orla.token_that_was_sent(c orla.user_cloud_storage_tokens, state jsonb)
    RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    token text;
BEGIN
    token := CASE WHEN (state ->> 'previous')::boolean
                  THEN orla.unseal(c.previous_refresh_token, c.user_id, orla.token_purpose(c.provider, 'previous_refresh_token'))
                  ELSE orla.unseal(c.refresh_token, c.user_id, orla.token_purpose(c.provider, 'refresh_token')) END;
    RETURN CASE WHEN orla.token_hash(token) = state ->> 'sent' THEN token END;
END
$$;
REVOKE ALL ON FUNCTION orla.token_that_was_sent(orla.user_cloud_storage_tokens, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.token_that_was_sent(orla.user_cloud_storage_tokens, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.token_that_was_sent(orla.user_cloud_storage_tokens, jsonb) IS
    'The refresh token that a request was made with, if it is still the stored one.';

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
    used     text;
    words    text;
BEGIN
    SELECT * INTO c FROM orla.user_cloud_storage_tokens AS t
     WHERE t.user_id = (state ->> 'user_id')::uuid AND t.provider = state ->> 'provider' FOR UPDATE;
    IF c.user_id IS NULL OR NOT c.is_active THEN
        -- the account or the connection went in the meantime
        PERFORM orla.revoke_answer(state, outcome, response, NULL);
        RETURN orla.refuse_use(c);
    END IF;
    used := orla.token_that_was_sent(c, state);
    IF used IS NULL THEN
        -- Somebody connected again while the answer was on its way: that counts.
        PERFORM orla.revoke_answer(state, outcome, response, c.provider_user_id);
        UPDATE orla.user_cloud_storage_tokens AS t SET claimed_at = NULL
         WHERE t.user_id = c.user_id AND t.provider = c.provider;
        RETURN orla.token_of_connection(c);
    ELSIF outcome = 'token' THEN
        RETURN orla.token_of_connection(orla.store_refresh(c, orla.response_object(response), used, (state ->> 'sent_at')::timestamptz));
    ELSIF outcome = 'reconnect' AND c.previous_refresh_token IS NOT NULL AND NOT (state ->> 'previous')::boolean THEN
        RETURN orla.refresh_step(c, orla.unseal(c.previous_refresh_token, c.user_id,
                                                orla.token_purpose(c.provider, 'previous_refresh_token')), true);
    ELSIF outcome = 'reconnect' THEN
        words := orla.outcome_words(outcome, response)
                 || CASE WHEN orla.revoked_meanwhile(c.provider, c.provider_user_id, c.connected_at - interval '1 minute') IS NOT NULL
                         THEN ' Another connection of the same account was ended at about the time when this one was made.' ELSE '' END;
        PERFORM orla.end_of_connection(c, words);
        RETURN orla.refusal('PT409', 'the connection has ended', words, 'Connect again.');
    END IF;
    PERFORM orla.keep_refresh_token(c, used, response);
    c := orla.note_failure(c, outcome, response);
    -- ahead of expiry nobody has to notice
    RETURN CASE WHEN orla.is_fresh(c) THEN orla.token_of_connection(c) ELSE orla.refuse_use(c) END;
END
$$;
REVOKE ALL ON FUNCTION orla.do_record_refresh(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_record_refresh(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_record_refresh(jsonb) IS
    'Stores the answer of a refresh, or notes why there was none.';
