-- One call to a provider's file API: whose connection it is for, the token that it
-- goes with, and how often it is tried.

CREATE FUNCTION orla.raise_refusal(refusal jsonb)
    RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF refusal ->> 'detail' IS NULL THEN
        RAISE EXCEPTION '%', refusal ->> 'message'
            USING ERRCODE = refusal ->> 'sqlstate', HINT = refusal ->> 'hint';
    END IF;
    RAISE EXCEPTION '%', refusal ->> 'message'
        USING ERRCODE = refusal ->> 'sqlstate', DETAIL = refusal ->> 'detail', HINT = refusal ->> 'hint';
END
$$;
REVOKE ALL ON FUNCTION orla.raise_refusal(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.raise_refusal(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.raise_refusal(jsonb) IS
    'Raises a refusal of orla.refuse_use().';

-- Whose connection it is, the proven tenant tells and nothing else; what it
-- cannot do is said as the worker says it.
CREATE FUNCTION orla.connection_of_caller(provider text)
    RETURNS orla.user_cloud_storage_tokens
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c orla.user_cloud_storage_tokens;
BEGIN
    SELECT * INTO c FROM orla.user_cloud_storage_tokens AS t
     WHERE t.user_id = orla.require_tenant() AND t.provider = connection_of_caller.provider;
    IF c.user_id IS NULL OR NOT c.is_active OR c.status IN ('disconnected', 'needs_reconnect') THEN
        PERFORM orla.raise_refusal(orla.refuse_use(c) -> 'refusal');
    END IF;
    RETURN c;
END
$$;
REVOKE ALL ON FUNCTION orla.connection_of_caller(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.connection_of_caller(text) TO orla_service;
COMMENT ON FUNCTION orla.connection_of_caller(text) IS
    'The connection of the proven tenant, if it works. Errors: 28000, PT409.';

-- The access token of a connection, sealed: the stored one while it is good, else
-- one that the worker fetches.  rejected: the sealed token that was refused.
CREATE FUNCTION orla.sealed_token(c orla.user_cloud_storage_tokens, rejected bytea DEFAULT NULL)
    RETURNS bytea
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF rejected IS NULL AND c.access_token IS NOT NULL AND c.token_expires_at > clock_timestamp() + interval '5 seconds' THEN
        RETURN c.access_token;
    END IF;
    RETURN decode(orla.consult('fresh_token', jsonb_strip_nulls(jsonb_build_object(
               'user_id', c.user_id, 'provider', c.provider,
               'rejected', orla.token_hash(orla.unseal(rejected, c.user_id, orla.token_purpose(c.provider, 'access_token')))))) ->> 'sealed', 'base64');
END
$$;
REVOKE ALL ON FUNCTION orla.sealed_token(orla.user_cloud_storage_tokens, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.sealed_token(orla.user_cloud_storage_tokens, bytea) TO orla_service;
COMMENT ON FUNCTION orla.sealed_token(orla.user_cloud_storage_tokens, bytea) IS
    'An access token that is good, sealed. Errors: PT409, PT502, PT503.';

-- Seconds to wait before the next try: what the provider says, in a header or,
-- as Dropbox does, in the answer; else 0.25, 0.5, 1, 2 … , spread by half.
CREATE FUNCTION orla.seconds_to_wait(a orla.file_answer, attempt int)
    RETURNS double precision
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(orla.retry_after(jsonb_build_object('headers', a.headers)),
                    CASE WHEN a.object #>> '{error,retry_after}' ~ '^[0-9]{1,5}$' THEN (a.object #>> '{error,retry_after}')::int END,
                    power(2, attempt - 3) * (0.75 + 0.5 * random()))
$$;
REVOKE ALL ON FUNCTION orla.seconds_to_wait(orla.file_answer, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.seconds_to_wait(orla.file_answer, int) TO orla_service;
COMMENT ON FUNCTION orla.seconds_to_wait(orla.file_answer, int) IS
    'How long to wait before a provider that throttles is asked again.';

-- The request, and for content the one step to the address that it leads to: of
-- a list of its own, and without the token.
CREATE FUNCTION orla.fetch_once(c orla.user_cloud_storage_tokens, facts jsonb, request jsonb, token bytea, purpose text)
    RETURNS orla.file_answer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a orla.file_answer;
BEGIN
    a := orla.http_fetch(request, token, c.user_id, orla.token_purpose(c.provider, 'access_token'));
    IF purpose = 'content' AND a.status IN (301, 302, 303, 307, 308) THEN
        a := orla.http_fetch(jsonb_build_object('url', coalesce(a.headers ->> 'location', ''), 'hosts', facts -> 'download_hosts',
                                                'max_bytes', request -> 'max_bytes', 'timeout_ms', request -> 'timeout_ms'));
        IF a.failure IS NULL AND a.status NOT IN (200, 429) THEN
            a.message := format('the address of the content answers with status %s', a.status);
            a.failure := 'protocol';    -- it was good for a while: the next one may be
        END IF;
    END IF;
    IF purpose <> 'content' OR a.status NOT BETWEEN 200 AND 299 THEN
        a.object := orla.object_in(a.content);
    END IF;
    RETURN a;
END
$$;
REVOKE ALL ON FUNCTION orla.fetch_once(orla.user_cloud_storage_tokens, jsonb, jsonb, bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.fetch_once(orla.user_cloud_storage_tokens, jsonb, jsonb, bytea, text) TO orla_service;
COMMENT ON FUNCTION orla.fetch_once(orla.user_cloud_storage_tokens, jsonb, jsonb, bytea, text) IS
    'One try of orla.call_provider().';

-- What a person or an operator has to do something about is noted in the
-- connection, by the worker, since this transaction may write nothing; without one
-- the error alone says so.
CREATE FUNCTION orla.tell_refusal(c orla.user_cloud_storage_tokens, kind text, what text)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF kind IN ('unauthorized', 'scope', 'missing_scope', 'operator') THEN
        PERFORM orla.consult('note_refusal', jsonb_build_object('user_id', c.user_id, 'provider', c.provider, 'kind', kind, 'what', what));
    END IF;
EXCEPTION WHEN others THEN
    NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.tell_refusal(orla.user_cloud_storage_tokens, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.tell_refusal(orla.user_cloud_storage_tokens, text, text) TO orla_service;
COMMENT ON FUNCTION orla.tell_refusal(orla.user_cloud_storage_tokens, text, text) IS
    'Has it noted that a file API refuses a connection or this installation.';

-- One refresh and one more try where the token is refused; five more where the
-- provider throttles or does not answer, none of which begins later than 15
-- seconds after the first.
CREATE FUNCTION orla.call_provider(c orla.user_cloud_storage_tokens, facts jsonb, request jsonb, purpose text)
    RETURNS orla.file_answer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    began     timestamptz := clock_timestamp();
    token     bytea := orla.sealed_token(c);
    refreshed boolean := false;
    moved     boolean := false;
    attempt   int := 0;
    wait      double precision;
    a         orla.file_answer;
    kind      text;
    what      text;
BEGIN
    request := jsonb_build_object('hosts', facts -> 'hosts', 'max_bytes', 16777216) || request;
    LOOP
        a := orla.fetch_once(c, facts, request, token, purpose);
        IF a.status BETWEEN 200 AND 299 AND a.failure IS NULL AND (purpose = 'content' OR a.object IS NOT NULL) THEN
            RETURN a;
        END IF;
        kind := orla.kind_of_refusal(a, facts, purpose);
        what := orla.answer_problem(a);
        IF kind = 'unauthorized' AND NOT refreshed THEN
            token := orla.sealed_token(c, token);
            refreshed := true;
            CONTINUE;
        ELSIF kind = 'root' AND NOT moved THEN
            request := orla.dropbox_other_root(request, a.object);
            moved := true;
            CONTINUE;
        ELSIF kind IN ('busy', 'unavailable') AND coalesce(a.failure, 'protocol') IN ('protocol', 'connect') THEN
            attempt := attempt + 1;
            wait := orla.seconds_to_wait(a, attempt);
            IF attempt <= 5 AND clock_timestamp() + make_interval(secs => wait) < began + interval '15 seconds' THEN
                PERFORM pg_sleep(wait);
                CONTINUE;
            ELSIF kind = 'busy' THEN
                what := format('%s. It asks to wait %s seconds', what, ceil(wait));
            END IF;
        END IF;
        PERFORM orla.tell_refusal(c, kind, what);
        PERFORM orla.raise_file_error(kind, what);
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION orla.call_provider(orla.user_cloud_storage_tokens, jsonb, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.call_provider(orla.user_cloud_storage_tokens, jsonb, jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.call_provider(orla.user_cloud_storage_tokens, jsonb, jsonb, text) IS
    'One call to the file API of a connection, with the token kept fresh and throttling obeyed. Errors: as of orla.raise_file_error().';
