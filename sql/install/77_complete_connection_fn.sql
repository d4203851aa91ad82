-- Connections are completed by the worker.  As in 63_accounts_fn.sql, each do_
-- function is one transaction in another process; between two of them the worker
-- makes the request that the first returned (src/worker_step.h): for the tokens,
-- for the account, and, where that may have ended meanwhile, for a proof.

-- The state is used up by the first attempt, whatever becomes of it.  The worker
-- counts them, one after the other: transactions that began connections at the
-- same time did not see each other's.  While an
-- access of the same person is being ended it waits, where that could end the new
-- one.
CREATE FUNCTION orla.do_complete_connection(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    account uuid := (args ->> 'user_id')::uuid;
    s       orla.oauth_states;
    facts   jsonb;
    key     text;
BEGIN
    SELECT orla.revocation_of_person(o.provider, account) INTO key
      FROM orla.oauth_states AS o
     WHERE o.user_id = account AND o.state_hash = orla.token_hash(args ->> 'state');
    IF key IS NOT NULL AND NOT args ? 'unclaimed' THEN
        RETURN jsonb_build_object('wait', key);
    END IF;

    IF orla.has_begun_enough(account, true) THEN
        RETURN orla.refusal('PT429', 'too many connections were begun', 'Each is a request to the provider.', 'Wait ten minutes.');
    END IF;
    SELECT * INTO s FROM orla.oauth_states AS o
     WHERE o.user_id = account AND o.state_hash = orla.token_hash(args ->> 'state') AND o.code_verifier IS NOT NULL
       FOR UPDATE;
    UPDATE orla.oauth_states AS o SET code_verifier = NULL
     WHERE o.user_id = account AND o.state_hash = s.state_hash;
    IF s.user_id IS NULL OR s.expires_at <= now() OR s.session_id IS DISTINCT FROM (args ->> 'session_id')::uuid
       OR args ->> 'provider' <> s.provider THEN
        PERFORM orla.audit('complete_connection', 'failure', account, jsonb_build_object('reason', 'state'));
        RETURN orla.refusal('22023', 'unknown state', 'It was used, has expired, or belongs to another session or provider.', 'Connect again.');
    END IF;
    facts := orla.provider_facts(s.provider);
    IF args ->> 'error' IS NOT NULL OR coalesce(args ->> 'code', '') = '' THEN
        PERFORM orla.audit('complete_connection', 'failure', account,
                           jsonb_build_object('provider', s.provider, 'reason', substring(args ->> 'error' FROM '^[a-z_]{1,60}$')));
        RETURN orla.refusal('22023', 'the provider gave no access',
                            CASE args ->> 'error' WHEN 'access_denied' THEN 'Access was denied at the provider.'
                                 ELSE 'The provider sent an error instead of a code.' END, 'Connect again, and allow the access.');
    END IF;
    -- RFC 9207: where the provider says who it is, it must be the one we sent them to
    IF args ->> 'iss' <> facts ->> 'issuer' THEN
        PERFORM orla.audit('complete_connection', 'failure', account, jsonb_build_object('provider', s.provider, 'reason', 'iss'));
        RETURN orla.refusal('22023', 'the code is of another provider', 'Its iss is not that of the provider.', 'Connect again.');
    END IF;

    RETURN jsonb_build_object('next', 'name_account',
        'state', jsonb_build_object('user_id', account, 'provider', s.provider, 'return_to', s.return_to, 'sent_at', clock_timestamp()),
        'http', orla.token_request(facts, jsonb_build_object(
            'grant_type', 'authorization_code', 'code', args ->> 'code', 'redirect_uri', s.redirect_uri,
            'code_verifier', orla.unseal(s.code_verifier, account, 'oauth_states|' || s.provider || '|code_verifier'))));
END
$$;
REVOKE ALL ON FUNCTION orla.do_complete_connection(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_complete_connection(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_complete_connection(jsonb) IS
    'The work of orla_api.complete_connection(): uses the state up and exchanges the code.';

CREATE FUNCTION orla.refuse_connection(state jsonb, outcome text, response jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.audit('complete_connection', 'failure', (state ->> 'user_id')::uuid,
                       jsonb_build_object('provider', state ->> 'provider', 'reason', orla.response_problem(response)));
    RETURN CASE outcome
        WHEN 'reconnect' THEN orla.refusal('22023', 'the provider refused the code', orla.outcome_words(outcome, response), 'Connect again.')
        WHEN 'operator' THEN orla.refusal('PT502', 'the provider refuses this installation', orla.outcome_words(outcome, response),
                                          'An operator has to check what orla.configure_provider() was told.')
        ELSE orla.refusal('PT503', 'the provider does not answer', orla.outcome_words(outcome, response), 'Connect again in a moment.') END;
END
$$;
REVOKE ALL ON FUNCTION orla.refuse_connection(jsonb, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.refuse_connection(jsonb, text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.refuse_connection(jsonb, text, jsonb) IS
    'What a person is told whose connection could not be completed.';

CREATE FUNCTION orla.account_step(state jsonb, facts jsonb)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('next', 'store_connection', 'state', state,
        'http', jsonb_build_object('method', coalesce(facts ->> 'account_method', 'GET'), 'url', facts ->> 'account_url',
                                   'hosts', facts -> 'hosts', 'bearer', state #>> '{answer,access_token}',
                                   'headers', '{"accept": "application/json"}'::jsonb, 'timeout_ms', 15000, 'max_bytes', 1048576))
$$;
REVOKE ALL ON FUNCTION orla.account_step(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.account_step(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.account_step(jsonb, jsonb) IS
    'Asks the provider whose account it is.';

-- The tokens stay in the worker's memory until it is known whose they are.
CREATE FUNCTION orla.do_name_account(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state   jsonb := args -> 'state';
    outcome text := orla.token_outcome(args -> 'response');
    facts   jsonb := orla.provider_facts(state ->> 'provider');
BEGIN
    IF outcome <> 'token' THEN
        RETURN orla.refuse_connection(state, outcome, args -> 'response');
    END IF;
    state := state || jsonb_build_object('answer', orla.response_object(args -> 'response') - 'id_token');
    IF facts ->> 'account_url' IS NULL THEN
        RETURN orla.do_store_connection(jsonb_build_object('state', state));
    END IF;
    RETURN orla.account_step(state, facts);
END
$$;
REVOKE ALL ON FUNCTION orla.do_name_account(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_name_account(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_name_account(jsonb) IS
    'Second step of complete_connection(): takes the tokens, and asks the provider whose account it is.';

CREATE FUNCTION orla.first_text(object jsonb, keys jsonb, longest int DEFAULT 300)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT left(object ->> k.key, longest)
      FROM jsonb_array_elements_text(coalesce(keys, '[]')) WITH ORDINALITY AS k (key, place)
     WHERE jsonb_typeof(object -> k.key) IN ('string', 'number') AND object ->> k.key <> ''
     ORDER BY k.place LIMIT 1
$$;
REVOKE ALL ON FUNCTION orla.first_text(jsonb, jsonb, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.first_text(jsonb, jsonb, int) TO orla_service;
COMMENT ON FUNCTION orla.first_text(jsonb, jsonb, int) IS
    'The first of these members that is there.';

-- Where one revocation ends all accesses of an account, one of another tenant's
-- connection may have ended what the provider has just given.  That is known when
-- the account is: the answer waits until no such revocation is under way, and is
-- proven by a refresh if one was, while the code was exchanged.
CREATE FUNCTION orla.verify_step(state jsonb, facts jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('next', 'verify_connection', 'state', state || jsonb_build_object('verified_at', clock_timestamp()),
                              'http', orla.refresh_request(facts, state #>> '{answer,refresh_token}'));
END
$$;
REVOKE ALL ON FUNCTION orla.verify_step(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.verify_step(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.verify_step(jsonb, jsonb) IS
    'Asks the provider whether what it gave is good still.';

CREATE FUNCTION orla.do_verify_connection(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state   jsonb := args -> 'state';
    outcome text := orla.token_outcome(args -> 'response');
BEGIN
    IF outcome = 'reconnect' THEN
        PERFORM orla.audit('complete_connection', 'failure', (state ->> 'user_id')::uuid,
                           jsonb_build_object('provider', state ->> 'provider', 'reason', 'revoked meanwhile'));
        RETURN orla.refusal('PT409', 'the access was ended meanwhile',
                            'Another connection of the same account was ended while this one was made, and with it all that the provider had given.', 'Connect again.');
    ELSIF outcome = 'token' THEN
        state := state || jsonb_build_object('answer', (state -> 'answer') || (orla.response_object(args -> 'response') - 'id_token'),
                                             'sent_at', state -> 'verified_at');
    END IF;
    RETURN orla.do_store_connection(jsonb_build_object('state', state));
END
$$;
REVOKE ALL ON FUNCTION orla.do_verify_connection(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_verify_connection(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_verify_connection(jsonb) IS
    'A step of complete_connection(): whether what the provider gave has outlived a revocation.';

-- Raises what has the step run again in a moment.
CREATE FUNCTION orla.needs_proof(state jsonb, facts jsonb, owner text)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    meanwhile text;
BEGIN
    IF facts ->> 'revoke_reach' IS DISTINCT FROM 'account' OR owner IS NULL OR state ? 'verified_at' THEN
        RETURN false;
    END IF;
    meanwhile := orla.revoked_meanwhile(state ->> 'provider', owner, (state ->> 'sent_at')::timestamptz);
    IF meanwhile = 'under way' THEN
        RAISE EXCEPTION 'an access of the same account is being ended'
            USING ERRCODE = 'object_in_use';
    END IF;
    RETURN meanwhile = 'ended' AND coalesce(state #>> '{answer,refresh_token}', '') <> '';
END
$$;
REVOKE ALL ON FUNCTION orla.needs_proof(jsonb, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.needs_proof(jsonb, jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.needs_proof(jsonb, jsonb, text) IS
    'Whether a revocation may have ended what a provider has just given. Errors: 55006 while one is under way.';

-- Providers name the same scope in several ways; the last part tells.
CREATE FUNCTION orla.missing_scopes(asked jsonb, granted text[])
    RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(a.scope ORDER BY a.place), '{}')
      FROM jsonb_array_elements_text(asked) WITH ORDINALITY AS a (scope, place)
     WHERE a.scope NOT IN ('openid', 'email', 'profile', 'offline_access')
       AND NOT EXISTS (SELECT FROM unnest(granted) AS g
                        WHERE lower(regexp_replace(g, '^.*/', '')) = lower(regexp_replace(a.scope, '^.*/', '')))
$$;
REVOKE ALL ON FUNCTION orla.missing_scopes(jsonb, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.missing_scopes(jsonb, text[]) TO orla_service;
COMMENT ON FUNCTION orla.missing_scopes(jsonb, text[]) IS
    'What was asked for and not granted.';

CREATE FUNCTION orla.granted_scopes(answer jsonb, facts jsonb)
    RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN answer ->> 'scope' IS NULL THEN ARRAY(SELECT jsonb_array_elements_text(facts -> 'scopes'))
                ELSE regexp_split_to_array(btrim(left(answer ->> 'scope', 4000)), '[ ,]+') END;
END
$$;
REVOKE ALL ON FUNCTION orla.granted_scopes(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.granted_scopes(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.granted_scopes(jsonb, jsonb) IS
    'What was granted; an answer that does not say means all that was asked for.';

-- The code is used up: what passes is worth another try.
CREATE FUNCTION orla.refuse_account(state jsonb, facts jsonb, response jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(response ->> 'status', '500') >= '500' AND NOT state ? 'asked_twice' THEN
        RETURN orla.account_step(state || '{"asked_twice": true}', facts);
    END IF;
    PERFORM orla.revoke_answer(state, 'token', jsonb_build_object('body', (state -> 'answer')::text), NULL);
    RETURN orla.refuse_connection(state, CASE WHEN response ->> 'status' IN ('401', '403') OR response ->> 'failure' = 'refused'
                                              THEN 'operator' ELSE 'retry' END, response);
END
$$;
REVOKE ALL ON FUNCTION orla.refuse_account(jsonb, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.refuse_account(jsonb, jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.refuse_account(jsonb, jsonb, jsonb) IS
    'What becomes of a connection whose account the provider does not tell: once it is asked again.';

-- One connection per person and provider: the same account again replaces the
-- tokens, another account replaces the connection.  An answer without a refresh
-- token leaves that of the same account in place.
CREATE FUNCTION orla.put_connection(state jsonb, person jsonb, facts jsonb, problem text)
    RETURNS orla.user_cloud_storage_tokens
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer  jsonb := state -> 'answer';
    account uuid := (state ->> 'user_id')::uuid;
    who     text := state ->> 'provider';
    until   timestamptz := (state ->> 'sent_at')::timestamptz + make_interval(secs => orla.token_lifetime(answer));
    c       orla.user_cloud_storage_tokens;
BEGIN
    INSERT INTO orla.user_cloud_storage_tokens AS t
           (user_id, provider, provider_user_id, provider_email, access_token, refresh_token, token_expires_at,
            scopes, metadata, last_error, last_refreshed_at, next_request_at)
    VALUES (account, who, orla.first_text(person, facts -> 'account_id'), orla.first_text(person, facts -> 'account_email'),
            orla.seal(answer ->> 'access_token', account, orla.token_purpose(who, 'access_token')),
            orla.seal(nullif(answer ->> 'refresh_token', ''), account, orla.token_purpose(who, 'refresh_token')),
            until, orla.granted_scopes(answer, facts),
            jsonb_strip_nulls(jsonb_build_object('root_namespace_id',
                CASE WHEN person #>> '{root_info,root_namespace_id}' <> person #>> '{root_info,home_namespace_id}'
                     THEN person #>> '{root_info,root_namespace_id}' END)),
            problem, now(), orla.next_refresh(until, now()))
    ON CONFLICT (user_id, provider) DO UPDATE
       SET provider_user_id = excluded.provider_user_id, provider_email = excluded.provider_email,
           access_token = excluded.access_token,
           refresh_token = CASE WHEN excluded.refresh_token IS NULL AND t.provider_user_id = excluded.provider_user_id
                                THEN t.refresh_token ELSE excluded.refresh_token END,
           previous_refresh_token = NULL, token_expires_at = excluded.token_expires_at, scopes = excluded.scopes,
           metadata = excluded.metadata, status = 'connected', is_active = true, last_error = excluded.last_error,
           connected_at = CASE WHEN t.is_active AND t.provider_user_id = excluded.provider_user_id THEN t.connected_at ELSE now() END,
           selected_folders = CASE WHEN t.provider_user_id = excluded.provider_user_id THEN t.selected_folders ELSE '[]' END,
           last_refreshed_at = now(), last_used_at = now(), updated_at = now(),
           next_request_at = excluded.next_request_at, not_before = NULL, claimed_at = NULL, failures = 0
    RETURNING * INTO c;
    RETURN c;
END
$$;
REVOKE ALL ON FUNCTION orla.put_connection(jsonb, jsonb, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.put_connection(jsonb, jsonb, jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.put_connection(jsonb, jsonb, jsonb, text) IS
    'Writes a connection: the tokens of state.answer, sealed, and whose account they are of.';

-- What is replaced is ended at the provider where that harms nothing.
CREATE FUNCTION orla.do_store_connection(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state    jsonb := args -> 'state';
    answer   jsonb := state -> 'answer';
    account  uuid := (state ->> 'user_id')::uuid;
    who      text := state ->> 'provider';
    facts    jsonb := orla.provider_facts(who);
    person   jsonb := coalesce(state -> 'person', orla.response_object(args -> 'response'));
    owner    text := orla.first_text(person, facts -> 'account_id');
    missing  text[] := orla.missing_scopes(facts -> 'scopes', orla.granted_scopes(answer, facts));
    problems text[];
    c        orla.user_cloud_storage_tokens;
    old      orla.user_cloud_storage_tokens;
BEGIN
    IF NOT EXISTS (SELECT FROM orla.users AS u WHERE u.id = account) THEN
        PERFORM orla.revoke_answer(state || jsonb_build_object('account', owner), 'token', jsonb_build_object('body', answer::text), NULL);
        RETURN orla.refusal('28000', 'no tenant', 'The account was deleted.');
    ELSIF args -> 'response' IS NOT NULL AND (args #>> '{response,status}' IS DISTINCT FROM '200' OR owner IS NULL) THEN
        RETURN orla.refuse_account(state, facts, args -> 'response');
    ELSIF orla.needs_proof(state, facts, owner) THEN
        RETURN orla.verify_step(state || jsonb_build_object('person', person), facts);
    END IF;
    SELECT * INTO old FROM orla.user_cloud_storage_tokens AS t WHERE t.user_id = account AND t.provider = who FOR UPDATE NOWAIT;
    problems := array_remove(ARRAY[
        CASE WHEN missing <> '{}' THEN format('The provider did not grant: %s.', left(array_to_string(missing, ', '), 500)) END,
        CASE WHEN coalesce(answer ->> 'refresh_token', '') = ''
                  AND (old.refresh_token IS NULL OR old.provider_user_id IS DISTINCT FROM owner)
             THEN 'The provider gave no refresh token: the connection ends when its access token runs out.' END], NULL);
    c := orla.put_connection(state, person, facts, nullif(array_to_string(problems, ' '), ''));
    PERFORM orla.revoke_superseded(old, facts, owner, answer);
    PERFORM orla.audit('complete_connection', 'success', account, jsonb_build_object('provider', who));
    RETURN jsonb_build_object('answer', jsonb_strip_nulls(jsonb_build_object(
        'provider', who, 'provider_email', c.provider_email, 'scopes', c.scopes, 'connected_at', c.connected_at,
        'missing_scopes', nullif(missing, '{}'), 'return_to', state ->> 'return_to')));
END
$$;
REVOKE ALL ON FUNCTION orla.do_store_connection(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_store_connection(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_store_connection(jsonb) IS
    'Last step of complete_connection(): the connection is there.';
