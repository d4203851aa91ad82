-- Tokens of providers: what they are sealed for, how they are asked for, and what
-- the answers mean.

CREATE FUNCTION orla.token_purpose(provider text, token_column text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN 'user_cloud_storage_tokens|' || provider || '|' || token_column;
END
$$;
REVOKE ALL ON FUNCTION orla.token_purpose(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.token_purpose(text, text) TO orla_service;
COMMENT ON FUNCTION orla.token_purpose(text, text) IS
    'What a token is sealed for: it opens in this table, for this provider and column alone.';

-- A stored value that does not open must not keep the work for others from being
-- done.
CREATE FUNCTION orla.try_unseal(sealed bytea, tenant uuid, purpose text, OUT secret text, OUT problem text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    detail text;
BEGIN
    secret := orla.unseal(sealed, tenant, purpose);
EXCEPTION WHEN data_exception OR data_corrupted OR config_file_error OR no_data_found THEN
    GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    problem := concat_ws(': ', problem, nullif(detail, ''));
END
$$;
REVOKE ALL ON FUNCTION orla.try_unseal(bytea, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.try_unseal(bytea, uuid, text) TO orla_service;
COMMENT ON FUNCTION orla.try_unseal(bytea, uuid, text) IS
    'As orla.unseal(), with the error as a result.';

-- RFC 6749, 2.3.1: the client names itself in the form, percent-encoded.
CREATE FUNCTION orla.token_request(facts jsonb, form jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object(
        'method', 'POST', 'url', facts ->> 'token_url', 'hosts', facts -> 'hosts', 'timeout_ms', 15000, 'max_bytes', 1048576,
        'headers', '{"accept": "application/json"}'::jsonb,
        'form', jsonb_strip_nulls(form || jsonb_build_object('client_id', facts ->> 'client_id',
                                                            'client_secret', orla.client_secret(facts ->> 'name'))));
END
$$;
REVOKE ALL ON FUNCTION orla.token_request(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.token_request(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.token_request(jsonb, jsonb) IS
    'A request to the token endpoint of a provider.';

CREATE FUNCTION orla.refresh_request(facts jsonb, refresh_token text)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.token_request(facts, jsonb_build_object('grant_type', 'refresh_token', 'refresh_token', refresh_token));
END
$$;
REVOKE ALL ON FUNCTION orla.refresh_request(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.refresh_request(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.refresh_request(jsonb, text) IS
    'A request for a new access token (RFC 6749, 6).';

-- ---- what answers mean ------------------------------------------------------

-- A body as a JSON object; {} for anything else that came.
CREATE FUNCTION orla.response_object(response jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    body jsonb;
BEGIN
    body := (response ->> 'body')::jsonb;
    RETURN CASE WHEN jsonb_typeof(body) = 'object' THEN body ELSE '{}' END;
EXCEPTION WHEN data_exception OR untranslatable_character OR statement_too_complex THEN
    RETURN '{}';
END
$$;
REVOKE ALL ON FUNCTION orla.response_object(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.response_object(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.response_object(jsonb) IS
    'The JSON object in a response; {} for HTML, nothing, half an object.';

-- Seconds to wait; NULL where the provider does not say.  RFC 9110, 10.2.3: a
-- number or a date.
CREATE FUNCTION orla.retry_after(response jsonb)
    RETURNS int
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    said text := response #>> '{headers,retry-after}';
BEGIN
    IF said ~ '^[0-9]{1,6}$' THEN
        RETURN least(said::int, 86400);
    END IF;
    IF said IS NULL THEN
        RETURN NULL;        -- GREATEST would make 0 of it
    END IF;
    RETURN least(greatest(ceil(extract(epoch FROM said::timestamptz - now())), 0), 86400);
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.retry_after(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.retry_after(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.retry_after(jsonb) IS
    'Seconds that a response asks to wait, a day at most; NULL where it does not say.';

-- What a token endpoint's answer means: 'token', or who has to do something:
-- 'reconnect' the person, 'operator', 'retry' nobody.  Standard codes only,
-- never texts; an error that nobody knows is no reason to give a connection up.
CREATE FUNCTION orla.token_outcome(response jsonb)
    RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    object jsonb := orla.response_object(response);
BEGIN
    RETURN CASE
        WHEN response ->> 'failure' = 'refused' THEN 'operator'    -- by us: it is not to lead there
        WHEN response ->> 'failure' IS NOT NULL THEN 'retry'
        WHEN (response ->> 'status')::int = 200
             AND jsonb_typeof(object -> 'access_token') = 'string' AND object ->> 'access_token' <> ''
             AND lower(coalesce(object ->> 'token_type', 'bearer')) = 'bearer' THEN 'token'
        WHEN (response ->> 'status')::int NOT IN (400, 401, 403) THEN 'retry'
        -- Microsoft's invalid_grant for what passes: asked too often, locked for a while
        WHEN object -> 'error_codes' @> '[50196]' OR object -> 'error_codes' @> '[50053]' THEN 'retry'
        WHEN object ->> 'error' IN ('invalid_grant', 'interaction_required', 'consent_required', 'login_required', 'access_denied') THEN 'reconnect'
        WHEN object ->> 'error' IN ('invalid_client', 'unauthorized_client', 'unsupported_grant_type', 'invalid_scope',
                                      'redirect_uri_mismatch', 'deleted_client', 'invalid_request') THEN 'operator'
        ELSE 'retry' END;
END
$$;
REVOKE ALL ON FUNCTION orla.token_outcome(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.token_outcome(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.token_outcome(jsonb) IS
    'token, reconnect, operator or retry: what the answer of a token endpoint means.';

-- In words, for last_error.  Codes are short and of a known form; texts of
-- providers are not repeated, they may quote what was sent.
CREATE FUNCTION orla.response_problem(response jsonb)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN response ->> 'failure' IS NOT NULL THEN coalesce(response ->> 'message', response ->> 'failure')
        WHEN o.object ->> 'error' ~ '^[A-Za-z_]{1,60}$' THEN
            format('status %s, %s', response ->> 'status', o.object ->> 'error')
            || coalesce(' (AADSTS' || ((o.object -> 'error_codes' ->> 0)::numeric)::text || ')', '')
        WHEN (response ->> 'status')::int = 200 AND o.object ? 'access_token' AND o.object ? 'token_type' THEN 'an answer with a token of another kind'
        WHEN (response ->> 'status')::int = 200 THEN 'an answer without a token'
        ELSE coalesce('status ' || (response ->> 'status'), 'no answer') END
      FROM (SELECT CASE WHEN orla.response_object(response) #>> '{error_codes,0}' ~ '^[0-9]{1,9}$' THEN orla.response_object(response)
                        ELSE orla.response_object(response) - 'error_codes' END AS object) AS o
$$;
REVOKE ALL ON FUNCTION orla.response_problem(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.response_problem(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.response_problem(jsonb) IS
    'What went wrong with a request, without a word of what was sent.';

-- One sentence for last_error: who has to do something, and why.
CREATE FUNCTION orla.outcome_words(outcome text, response jsonb)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT left(CASE outcome
        WHEN 'reconnect' THEN 'The provider accepts the connection no longer'
        WHEN 'operator' THEN CASE WHEN response ->> 'failure' = 'refused' THEN 'This installation does not let the request out'
                                  ELSE 'The provider refuses this installation' END
        ELSE 'The provider does not answer as it should' END || ': ' || orla.response_problem(response) || '.', 1000)
$$;
REVOKE ALL ON FUNCTION orla.outcome_words(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.outcome_words(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.outcome_words(text, jsonb) IS
    'What an answer without a token means, in a sentence.';

-- Seconds that a token is good for; an answer that does not say means an hour.
CREATE FUNCTION orla.token_lifetime(answer jsonb)
    RETURNS int
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN answer ->> 'expires_in' ~ '^[0-9]{1,9}([.][0-9]+)?$' THEN least(trunc((answer ->> 'expires_in')::numeric), 31536000)::int
                ELSE 3600 END;
END
$$;
REVOKE ALL ON FUNCTION orla.token_lifetime(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.token_lifetime(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.token_lifetime(jsonb) IS
    'Seconds that the token of an answer is good for; 3600 where it does not say.';
