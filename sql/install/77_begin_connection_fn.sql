-- Connections to cloud storage are begun by a person, in the person's own session:
-- what the provider is told, and the state with which it sends the person back.

CREATE FUNCTION orla.redirect_uri(facts jsonb)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT current_setting('orla.public_url')
           || coalesce(facts ->> 'redirect_path', '/oauth/callback/' || (facts ->> 'name'))
$$;
REVOKE ALL ON FUNCTION orla.redirect_uri(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.redirect_uri(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.redirect_uri(jsonb) IS
    'Where a provider sends the person back to: a path of its own for each provider (RFC 9700, 4.4).';

-- RFC 7636: BASE64URL(SHA256(verifier))
CREATE FUNCTION orla.code_challenge(verifier text)
    RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT rtrim(translate(encode(sha256(convert_to(verifier, 'UTF8')), 'base64'), '+/', '-_'), '=')
$$;
REVOKE ALL ON FUNCTION orla.code_challenge(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.code_challenge(text) TO orla_service;
COMMENT ON FUNCTION orla.code_challenge(text) IS
    'The PKCE challenge of a verifier, method S256.';

-- A path of orla.public_url: no scheme, no host, nothing that a browser takes
-- for one.
CREATE FUNCTION orla.check_return_to(path text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF path !~ '^/([A-Za-z0-9._~!$&''()*+,;=:@%?#-][A-Za-z0-9._~!$&''()*+,;=:@%/?#-]*)?$' OR octet_length(path) > 2000 THEN
        RAISE EXCEPTION 'invalid return_to'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It must be a path of the application, beginning with one slash.';
    END IF;
    RETURN path;
END
$$;
REVOKE ALL ON FUNCTION orla.check_return_to(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_return_to(text) TO orla_service;
COMMENT ON FUNCTION orla.check_return_to(text) IS
    'The path, if it leads nowhere but into the application. Errors: 22023.';

-- Connections that a tenant has begun, or only those that went on to the provider,
-- and whose states have not expired.
CREATE FUNCTION orla.has_begun_enough(account uuid, used boolean)
    RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT count(*) FILTER (WHERE NOT used OR o.code_verifier IS NULL) >= 50
              FROM orla.oauth_states AS o WHERE o.user_id = account AND o.expires_at > now());
END
$$;
REVOKE ALL ON FUNCTION orla.has_begun_enough(uuid, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.has_begun_enough(uuid, boolean) TO orla_service;
COMMENT ON FUNCTION orla.has_begun_enough(uuid, boolean) IS
    'Whether a tenant has begun as many connections as it may in ten minutes.';

-- The state goes with the session that began: a code that comes back in
-- another browser is nobody's.  This runs in the caller's own session: plans are
-- generic there too, since whoever prints a plan that is made for its parameters
-- prints the verifier.
CREATE FUNCTION orla.begin_connection(provider text, return_to text, account uuid, session uuid)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    facts    jsonb;
    state    text := account || '.' || orla.random_token();
    verifier text := orla.random_token();
BEGIN
    PERFORM orla.require_writable('connect');
    facts := orla.provider_facts(provider);
    IF session IS NULL THEN
        RAISE EXCEPTION 'no session'
            USING ERRCODE = 'invalid_authorization_specification',
                  DETAIL = 'A connection is begun and completed in one session of the person.',
                  HINT = 'Sign in with an access token.';
    END IF;
    IF orla.has_begun_enough(account, false) THEN
        RAISE EXCEPTION 'too many connections were begun'
            USING ERRCODE = 'PT429', HINT = 'Wait ten minutes.';
    END IF;
    PERFORM orla.require_worker();      -- said now, not when the person comes back from the provider
    INSERT INTO orla.oauth_states (user_id, state_hash, provider, session_id, code_verifier, redirect_uri, return_to)
    VALUES (account, orla.token_hash(state), provider, session,
            orla.seal(verifier, account, 'oauth_states|' || provider || '|code_verifier'),
            orla.redirect_uri(facts), orla.check_return_to(return_to));
    RETURN jsonb_build_object('authorization_url',
        (facts ->> 'authorize_url') || CASE WHEN facts ->> 'authorize_url' LIKE '%?%' THEN '&' ELSE '?' END
        || orla.url_query(coalesce(facts -> 'authorize_params', '{}') || jsonb_build_object(
               'response_type', 'code', 'client_id', facts ->> 'client_id', 'redirect_uri', orla.redirect_uri(facts),
               'scope', (SELECT string_agg(s.scope, ' ' ORDER BY s.place)
                           FROM jsonb_array_elements_text(facts -> 'scopes') WITH ORDINALITY AS s (scope, place)),
               'state', state, 'code_challenge', orla.code_challenge(verifier), 'code_challenge_method', 'S256')));
END
$$;
REVOKE ALL ON FUNCTION orla.begin_connection(text, text, uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.begin_connection(text, text, uuid, uuid) TO orla_service;
COMMENT ON FUNCTION orla.begin_connection(text, text, uuid, uuid) IS
    'The work of orla_api.connect().';
