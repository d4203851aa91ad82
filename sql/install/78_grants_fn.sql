-- Accesses that are to be ended.  What is to be ended leaves the connection at
-- once, for orla.revocations: so a connection that was ended has no tokens, and
-- a deleted account's key is destroyed without anybody's waiting for a provider.
--
-- A grant is what is kept of an access: {access_token, refresh_token, expires_at,
-- account (the provider's id of it), user_id}.

CREATE FUNCTION orla.grant_of_connection(c orla.user_cloud_storage_tokens)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    access  record;
    refresh record;
BEGIN
    SELECT * INTO access FROM orla.try_unseal(c.access_token, c.user_id, orla.token_purpose(c.provider, 'access_token'));
    SELECT * INTO refresh FROM orla.try_unseal(c.refresh_token, c.user_id, orla.token_purpose(c.provider, 'refresh_token'));
    RETURN CASE WHEN access.problem IS NULL AND refresh.problem IS NULL AND coalesce(access.secret, refresh.secret) IS NOT NULL THEN
        jsonb_strip_nulls(jsonb_build_object('access_token', access.secret, 'refresh_token', refresh.secret, 'expires_at', c.token_expires_at,
                                             'account', c.provider_user_id, 'user_id', c.user_id)) END;
END
$$;
REVOKE ALL ON FUNCTION orla.grant_of_connection(orla.user_cloud_storage_tokens) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.grant_of_connection(orla.user_cloud_storage_tokens) TO orla_service;
COMMENT ON FUNCTION orla.grant_of_connection(orla.user_cloud_storage_tokens) IS
    'What can be revoked of a connection; NULL where there is nothing, or what does not open.';

-- One that is asked for again has not ended for good.
CREATE FUNCTION orla.grant_is_over(c orla.user_cloud_storage_tokens)
    RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN c.status = 'needs_reconnect' AND c.next_request_at IS NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.grant_is_over(orla.user_cloud_storage_tokens) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.grant_is_over(orla.user_cloud_storage_tokens) TO orla_service;
COMMENT ON FUNCTION orla.grant_is_over(orla.user_cloud_storage_tokens) IS
    'Whether the provider has ended what it gave for a connection, so that nothing is left to revoke.';

CREATE FUNCTION orla.open_grant(r orla.revocations)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT u.secret::jsonb FROM orla.try_unseal(r.sealed_grant, NULL, 'revocations|' || r.id) AS u);
END
$$;
REVOKE ALL ON FUNCTION orla.open_grant(orla.revocations) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.open_grant(orla.revocations) TO orla_service;
COMMENT ON FUNCTION orla.open_grant(orla.revocations) IS
    'The grant that is to be revoked; NULL where it does not open.';

CREATE FUNCTION orla.enqueue_revocation(who text, granted jsonb, claimed boolean DEFAULT false)
    RETURNS orla.revocations
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fresh uuid := gen_random_uuid();
    r     orla.revocations;
BEGIN
    INSERT INTO orla.revocations AS v (id, provider, sealed_grant, claimed_at)
    VALUES (fresh, who, orla.seal(granted::text, NULL, 'revocations|' || fresh), CASE WHEN claimed THEN now() END)
    RETURNING * INTO r;
    PERFORM orla.wake_worker();
    RETURN r;
END
$$;
REVOKE ALL ON FUNCTION orla.enqueue_revocation(text, jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.enqueue_revocation(text, jsonb, boolean) TO orla_service;
COMMENT ON FUNCTION orla.enqueue_revocation(text, jsonb, boolean) IS
    'Has the worker end an access, once this is committed.';

-- Whose connection it was is not asked: who calls this has ended it.
CREATE FUNCTION orla.may_revoke(facts jsonb, account text)
    RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN facts ->> 'revoke_url' IS NOT NULL
           AND (coalesce(facts ->> 'revoke_reach' = 'grant', false)
                OR coalesce(facts ->> 'revoke_reach' = 'account', false) AND account IS NOT NULL
                   AND NOT EXISTS (SELECT FROM orla.user_cloud_storage_tokens AS o
                                    WHERE o.provider = facts ->> 'name' AND o.provider_user_id = account AND o.is_active));
END
$$;
REVOKE ALL ON FUNCTION orla.may_revoke(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.may_revoke(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.may_revoke(jsonb, text) IS
    'Whether revoking harms no connection that there is.';

-- Tokens came, and there is no place for them.  owner_now: whose account the
-- connection is of meanwhile, whose access is not to be ended with them.
CREATE FUNCTION orla.revoke_answer(state jsonb, outcome text, response jsonb, owner_now text)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer jsonb := orla.response_object(response);
    reach  text;
BEGIN
    IF outcome <> 'token' OR NOT EXISTS (SELECT FROM orla.providers AS p WHERE p.name = state ->> 'provider') THEN
        RETURN;
    END IF;
    reach := orla.provider_facts(state ->> 'provider') ->> 'revoke_reach';
    IF reach IS NULL OR reach = 'none' OR reach = 'account' AND coalesce(state ->> 'account' = owner_now, false) THEN
        RETURN;
    END IF;
    PERFORM orla.enqueue_revocation(state ->> 'provider', jsonb_strip_nulls(jsonb_build_object(
        'access_token', answer -> 'access_token', 'refresh_token', answer -> 'refresh_token', 'account', state -> 'account', 'user_id', state -> 'user_id',
        'expires_at', (state ->> 'sent_at')::timestamptz + make_interval(secs => orla.token_lifetime(answer)))));
END
$$;
REVOKE ALL ON FUNCTION orla.revoke_answer(jsonb, text, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.revoke_answer(jsonb, text, jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.revoke_answer(jsonb, text, jsonb, text) IS
    'Ends what a provider has given for a connection that is not there any more, or has a newer access.';

-- Another account's, or, where revoking ends the one grant alone, the same
-- account's; unless its refresh token is the one that the connection keeps.
CREATE FUNCTION orla.revoke_superseded(old orla.user_cloud_storage_tokens, facts jsonb, owner text, answer jsonb)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted jsonb;
BEGIN
    IF old.user_id IS NULL OR orla.grant_is_over(old) OR facts ->> 'revoke_url' IS NULL
       OR facts ->> 'revoke_reach' IS DISTINCT FROM 'grant'
          AND (facts ->> 'revoke_reach' IS DISTINCT FROM 'account' OR coalesce(old.provider_user_id = owner, true))
       OR coalesce(old.provider_user_id = owner, old.provider_user_id IS NULL) AND coalesce(answer ->> 'refresh_token', '') = '' THEN
        RETURN;
    END IF;
    granted := orla.grant_of_connection(old);
    IF granted IS NOT NULL AND granted ->> 'refresh_token' IS DISTINCT FROM answer ->> 'refresh_token' THEN
        PERFORM orla.enqueue_revocation(old.provider, granted);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.revoke_superseded(orla.user_cloud_storage_tokens, jsonb, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.revoke_superseded(orla.user_cloud_storage_tokens, jsonb, text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.revoke_superseded(orla.user_cloud_storage_tokens, jsonb, text, jsonb) IS
    'Ends the access that a newer one has taken the place of, where that harms nothing.';

-- The rows are locked, so that no refresh puts another token in their place.
CREATE FUNCTION orla.grants_of_account(tenant uuid)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c       orla.user_cloud_storage_tokens;
    granted jsonb := '[]';
BEGIN
    FOR c IN SELECT * FROM orla.user_cloud_storage_tokens AS t WHERE t.user_id = tenant AND NOT orla.grant_is_over(t) ORDER BY t.provider FOR UPDATE LOOP
        IF EXISTS (SELECT FROM orla.providers AS p WHERE p.name = c.provider)
           AND orla.provider_facts(c.provider) ->> 'revoke_reach' IN ('grant', 'account') AND orla.grant_of_connection(c) IS NOT NULL THEN
            granted := granted || jsonb_build_object('provider', c.provider, 'grant', orla.grant_of_connection(c));
        END IF;
    END LOOP;
    RETURN granted;
END
$$;
REVOKE ALL ON FUNCTION orla.grants_of_account(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.grants_of_account(uuid) TO orla_service;
COMMENT ON FUNCTION orla.grants_of_account(uuid) IS
    'What is to be revoked when an account is deleted.';

-- A ring that is not there is no reason to keep an account.
CREATE FUNCTION orla.revoke_grants(granted jsonb)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.enqueue_revocation(g ->> 'provider', g -> 'grant') FROM jsonb_array_elements(granted) AS g;
EXCEPTION WHEN config_file_error OR data_corrupted OR data_exception THEN
    RAISE LOG 'orla could not keep what is to be revoked of a deleted account: %', SQLERRM;
END
$$;
REVOKE ALL ON FUNCTION orla.revoke_grants(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.revoke_grants(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.revoke_grants(jsonb) IS
    'Has the worker end the accesses of an account that is deleted.';
