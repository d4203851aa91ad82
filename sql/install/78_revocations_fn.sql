-- Ending accesses at their providers.  The worker asks, again and again where it has
-- no answer, for some hours.  What is asked for is a grant of 78_grants_fn.sql.

CREATE FUNCTION orla.revocation_key(id uuid)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN 'revocation ' || id;
END
$$;
REVOKE ALL ON FUNCTION orla.revocation_key(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.revocation_key(uuid) TO orla_service;
COMMENT ON FUNCTION orla.revocation_key(uuid) IS
    'Names what is under way for a revocation.';

CREATE FUNCTION orla.revocation_of_person(who text, person uuid)
    RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r orla.revocations;
BEGIN
    IF orla.provider_facts(who) ->> 'revoke_reach' = 'account' THEN
        FOR r IN SELECT * FROM orla.revocations AS v WHERE v.provider = who AND v.claimed_at IS NOT NULL LOOP
            IF orla.open_grant(r) ->> 'user_id' = person::text THEN
                RETURN orla.revocation_key(r.id);
            END IF;
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.revocation_of_person(text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.revocation_of_person(text, uuid) TO orla_service;
COMMENT ON FUNCTION orla.revocation_of_person(text, uuid) IS
    'The key of a revocation under way for a person that could end what a provider is about to give; NULL for none.';

-- Those alone count whose revocation can have ended another's access: the others
-- are not kept when they have ended.
CREATE FUNCTION orla.revoked_meanwhile(who text, owner text, since timestamptz)
    RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r orla.revocations;
BEGIN
    FOR r IN SELECT * FROM orla.revocations AS v WHERE v.provider = who AND (v.claimed_at IS NOT NULL OR v.ended_at >= since) ORDER BY v.claimed_at LOOP
        IF orla.open_grant(r) ->> 'account' = owner THEN
            RETURN CASE WHEN r.claimed_at IS NOT NULL THEN 'under way' ELSE 'ended' END;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.revoked_meanwhile(text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.revoked_meanwhile(text, text, timestamptz) TO orla_service;
COMMENT ON FUNCTION orla.revoked_meanwhile(text, text, timestamptz) IS
    'Whether an access of an account is being ended (under way) or was (ended); NULL for neither.';

-- token: in the form, alone (Google).  client: with the client's own name and
-- secret, as RFC 7009 has it.  bearer: the access token stands for its grant.
CREATE FUNCTION orla.revoke_request(granted jsonb, facts jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    token text := coalesce(granted ->> 'refresh_token', granted ->> 'access_token');
BEGIN
    RETURN jsonb_build_object('method', 'POST', 'url', facts ->> 'revoke_url', 'hosts', facts -> 'hosts', 'timeout_ms', 15000, 'max_bytes', 1048576)
           || CASE facts ->> 'revoke_with'
                  WHEN 'bearer' THEN jsonb_build_object('bearer', granted -> 'access_token')
                  WHEN 'token' THEN jsonb_build_object('form', jsonb_build_object('token', token))
                  ELSE jsonb_build_object('form', jsonb_strip_nulls(jsonb_build_object(
                           'token', token, 'client_id', facts ->> 'client_id', 'client_secret', orla.client_secret(facts ->> 'name')))) END;
END
$$;
REVOKE ALL ON FUNCTION orla.revoke_request(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.revoke_request(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.revoke_request(jsonb, jsonb) IS
    'A request to end the access (RFC 7009, or as the provider has it).';

-- Where the access token stands for the grant it must be good, so one that is not
-- is refreshed first.
CREATE FUNCTION orla.revoke_step(r orla.revocations, granted jsonb, facts jsonb, refreshed boolean DEFAULT false)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF facts ->> 'revoke_with' = 'bearer' AND NOT refreshed AND granted ? 'refresh_token'
       AND NOT coalesce((granted ->> 'expires_at')::timestamptz > clock_timestamp() + interval '5 seconds', false) THEN
        RETURN jsonb_build_object('key', orla.revocation_key(r.id), 'next', 'revoke_with_fresh_token',
            'state', jsonb_build_object('revocation_id', r.id, 'provider', r.provider, 'sent_at', clock_timestamp()),
            'http', orla.refresh_request(facts, granted ->> 'refresh_token'));
    END IF;
    RETURN jsonb_build_object('key', orla.revocation_key(r.id), 'next', 'record_revocation',
        'state', jsonb_build_object('revocation_id', r.id, 'provider', r.provider, 'refreshed', refreshed),
        'http', orla.revoke_request(granted, facts));
END
$$;
REVOKE ALL ON FUNCTION orla.revoke_step(orla.revocations, jsonb, jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.revoke_step(orla.revocations, jsonb, jsonb, boolean) TO orla_service;
COMMENT ON FUNCTION orla.revoke_step(orla.revocations, jsonb, jsonb, boolean) IS
    'Asks the provider to end an access; the revocation is claimed.';

CREATE FUNCTION orla.disconnected_message(facts jsonb, outcome text)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.answer_message(CASE outcome
        WHEN 'revoked' THEN 'Disconnected.'
        WHEN 'later' THEN 'Disconnected. The provider does not answer; it is asked again to end the access.'
        WHEN 'shared' THEN 'Disconnected. Another connection uses the same account, so the access itself was not ended'
                           || coalesce('; you can end it for both at ' || (facts ->> 'access_page'), '') || '.'
        ELSE 'Disconnected. The access itself can be ended at ' || coalesce(facts ->> 'access_page', 'the provider') || ' only, by you.' END);
END
$$;
REVOKE ALL ON FUNCTION orla.disconnected_message(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.disconnected_message(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.disconnected_message(jsonb, text) IS
    'What a person is told who has disconnected.';

-- From this commit on nobody reads with the connection any more, whatever the
-- provider says to the revocation.
CREATE FUNCTION orla.do_disconnect(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    facts   jsonb := orla.provider_facts(args ->> 'provider');
    c       orla.user_cloud_storage_tokens;
    granted jsonb;
    outcome text;
BEGIN
    SELECT * INTO c FROM orla.user_cloud_storage_tokens AS t
     WHERE t.user_id = (args ->> 'user_id')::uuid AND t.provider = args ->> 'provider' FOR UPDATE NOWAIT;
    IF c.user_id IS NULL OR NOT c.is_active THEN
        RETURN orla.refuse_use(c);
    ELSIF c.claimed_at IS NOT NULL AND NOT args ? 'unclaimed' THEN
        RETURN jsonb_build_object('wait', orla.connection_key(c.user_id, c.provider));
    END IF;
    UPDATE orla.user_cloud_storage_tokens AS t
       SET is_active = false, status = 'disconnected', last_error = NULL, failures = 0, updated_at = now(),
           access_token = NULL, refresh_token = NULL, previous_refresh_token = NULL, token_expires_at = NULL,
           next_request_at = NULL, not_before = NULL, claimed_at = NULL
     WHERE t.user_id = c.user_id AND t.provider = c.provider;
    PERFORM orla.audit('disconnect', 'success', c.user_id, jsonb_build_object('provider', c.provider));
    granted := orla.grant_of_connection(c);
    outcome := CASE
        WHEN orla.grant_is_over(c) OR c.access_token IS NULL AND c.refresh_token IS NULL THEN 'revoked'
        WHEN facts ->> 'revoke_url' IS NULL OR coalesce(facts ->> 'revoke_reach', 'none') = 'none' THEN 'by hand'
        WHEN NOT orla.may_revoke(facts, c.provider_user_id) THEN 'shared'
        WHEN granted IS NULL THEN 'by hand' END;
    RETURN CASE WHEN outcome IS NULL THEN orla.revoke_step(orla.enqueue_revocation(c.provider, granted, true), granted, facts)
                ELSE orla.disconnected_message(facts, outcome) END;
END
$$;
REVOKE ALL ON FUNCTION orla.do_disconnect(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_disconnect(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_disconnect(jsonb) IS
    'The work of orla_api.disconnect().';

-- Whether another connection would be harmed is asked anew each time.  What does
-- not open is an operator's to mend; a provider that nobody has configured any
-- more is not asked.
CREATE FUNCTION orla.due_revocations()
    RETURNS SETOF jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place   record;
    facts   jsonb;
    r       orla.revocations;
    granted jsonb;
    problem text;
BEGIN
    FOR place IN
        SELECT p.name, 8 - (SELECT count(*) FROM orla.revocations AS v WHERE v.provider = p.name AND v.claimed_at IS NOT NULL) AS free
          FROM orla.providers AS p
         WHERE EXISTS (SELECT FROM orla.revocations AS v WHERE v.provider = p.name AND v.claimed_at IS NULL AND v.next_attempt_at <= now())
    LOOP
        facts := orla.provider_facts(place.name);
        FOR r IN
            SELECT * FROM orla.revocations AS v
             WHERE v.provider = place.name AND v.claimed_at IS NULL AND v.next_attempt_at <= now()
             ORDER BY v.next_attempt_at LIMIT greatest(place.free, 0) FOR UPDATE SKIP LOCKED
        LOOP
            SELECT u.secret::jsonb, u.problem INTO granted, problem FROM orla.try_unseal(r.sealed_grant, NULL, 'revocations|' || r.id) AS u;
            IF problem IS NOT NULL THEN
                UPDATE orla.revocations AS v SET last_error = left(problem, 1000), next_attempt_at = now() + interval '10 minutes' WHERE v.id = r.id;
            ELSIF NOT orla.may_revoke(facts, granted ->> 'account') THEN
                DELETE FROM orla.revocations AS v WHERE v.id = r.id;
            ELSE
                UPDATE orla.revocations AS v SET claimed_at = now() WHERE v.id = r.id;
                RETURN NEXT orla.revoke_step(r, granted, facts);
            END IF;
        END LOOP;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION orla.due_revocations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.due_revocations() TO orla_service;
COMMENT ON FUNCTION orla.due_revocations() IS
    'Steps that revoke what is due, claimed: eight for each provider at most.';

-- Whose access it was is kept for an hour, sealed, where that can have been the
-- end of another connection: so it can be told.
CREATE FUNCTION orla.end_revocation(r orla.revocations, granted jsonb, facts jsonb)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF facts ->> 'revoke_reach' = 'account' AND granted ? 'account' THEN
        UPDATE orla.revocations AS v
           SET sealed_grant = orla.seal(jsonb_build_object('account', granted -> 'account')::text, NULL, 'revocations|' || r.id),
               claimed_at = NULL, next_attempt_at = NULL, last_error = NULL, ended_at = now()
         WHERE v.id = r.id;
    ELSE
        DELETE FROM orla.revocations AS v WHERE v.id = r.id;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.end_revocation(orla.revocations, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.end_revocation(orla.revocations, jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.end_revocation(orla.revocations, jsonb, jsonb) IS
    'Forgets the tokens of an access that has ended.';

-- The trail tells whoever may have to do it at the provider; of nobody, since the
-- account may have gone.
CREATE FUNCTION orla.give_revocation_up(r orla.revocations, granted jsonb, facts jsonb, response jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.end_revocation(r, granted, facts);
    PERFORM orla.audit('revocation_given_up', 'failure', NULL, jsonb_build_object('provider', r.provider), NULL, orla.outcome_words('retry', response));
    RETURN orla.disconnected_message(facts, 'by hand');
END
$$;
REVOKE ALL ON FUNCTION orla.give_revocation_up(orla.revocations, jsonb, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.give_revocation_up(orla.revocations, jsonb, jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.give_revocation_up(orla.revocations, jsonb, jsonb, jsonb) IS
    'Forgets the tokens of an access that the provider does not end.';

-- A provider that does not answer is asked again for some hours; then the tokens
-- are forgotten, and the person can end the access there.
CREATE FUNCTION orla.revoke_later(r orla.revocations, granted jsonb, facts jsonb, response jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF r.failures >= 10 THEN
        RETURN orla.give_revocation_up(r, granted, facts, response);
    END IF;
    UPDATE orla.revocations AS v
       SET claimed_at = NULL, failures = v.failures + 1, last_error = orla.outcome_words('retry', response),
           next_attempt_at = now() + greatest(orla.backoff(v.failures + 3), make_interval(secs => orla.retry_after(response)))
     WHERE v.id = r.id;
    RETURN orla.disconnected_message(facts, 'later');
END
$$;
REVOKE ALL ON FUNCTION orla.revoke_later(orla.revocations, jsonb, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.revoke_later(orla.revocations, jsonb, jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.revoke_later(orla.revocations, jsonb, jsonb, jsonb) IS
    'Has the worker ask again for the end of an access.';

CREATE FUNCTION orla.do_revoke_with_fresh_token(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state    jsonb := args -> 'state';
    response jsonb := args -> 'response';
    outcome  text := orla.token_outcome(response);
    answer   jsonb := orla.response_object(response);
    facts    jsonb := orla.provider_facts(state ->> 'provider');
    granted  jsonb;
    r        orla.revocations;
BEGIN
    SELECT * INTO r FROM orla.revocations AS v WHERE v.id = (state ->> 'revocation_id')::uuid FOR UPDATE;
    granted := orla.open_grant(r);
    IF granted IS NULL THEN
        RETURN orla.disconnected_message(facts, 'by hand');
    ELSIF outcome = 'reconnect' THEN
        PERFORM orla.end_revocation(r, granted, facts);     -- it has ended
        RETURN orla.disconnected_message(facts, 'revoked');
    ELSIF outcome <> 'token' THEN
        RETURN orla.revoke_later(r, granted, facts, response);
    END IF;
    granted := granted || jsonb_strip_nulls(jsonb_build_object('access_token', answer -> 'access_token', 'refresh_token', nullif(answer ->> 'refresh_token', ''),
                   'expires_at', (state ->> 'sent_at')::timestamptz + make_interval(secs => orla.token_lifetime(answer))));
    UPDATE orla.revocations AS v SET sealed_grant = orla.seal(granted::text, NULL, 'revocations|' || r.id) WHERE v.id = r.id;
    RETURN orla.revoke_step(r, granted, facts, true);
END
$$;
REVOKE ALL ON FUNCTION orla.do_revoke_with_fresh_token(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_revoke_with_fresh_token(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_revoke_with_fresh_token(jsonb) IS
    'A step of a revocation: takes the token with which the access can be ended.';

CREATE FUNCTION orla.do_record_revocation(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state    jsonb := args -> 'state';
    response jsonb := args -> 'response';
    status   int := (response ->> 'status')::int;
    facts    jsonb := orla.provider_facts(state ->> 'provider');
    granted  jsonb;
    r        orla.revocations;
BEGIN
    SELECT * INTO r FROM orla.revocations AS v WHERE v.id = (state ->> 'revocation_id')::uuid FOR UPDATE;
    granted := orla.open_grant(r);
    IF granted IS NULL THEN
        RETURN orla.disconnected_message(facts, 'by hand');
    ELSIF status = 401 AND facts ->> 'revoke_with' = 'bearer' AND NOT (state ->> 'refreshed')::boolean AND granted ? 'refresh_token' THEN
        RETURN orla.revoke_step(r, granted - 'expires_at', facts);     -- whatever it said
    ELSIF status BETWEEN 200 AND 299
          OR status BETWEEN 300 AND 499 AND status NOT IN (408, 429) AND orla.response_object(response) ->> 'error' = 'invalid_token' THEN
        PERFORM orla.end_revocation(r, granted, facts);
        RETURN orla.disconnected_message(facts, 'revoked');
    ELSIF status BETWEEN 300 AND 499 AND status NOT IN (408, 429) THEN
        RETURN orla.give_revocation_up(r, granted, facts, response);
    END IF;
    RETURN orla.revoke_later(r, granted, facts, response);
END
$$;
REVOKE ALL ON FUNCTION orla.do_record_revocation(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_record_revocation(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_record_revocation(jsonb) IS
    'Last step of a revocation: forgets the tokens once the provider has.';
