-- The two protocols that models speak: what is asked, and what an answer means.
-- Sources: Anthropic's documentation of the Messages API, of streaming and of
-- errors; OpenAI's of chat completions, which other servers follow.

-- prompt: {system, user}; again: {answer, problem} of the first try.
CREATE FUNCTION orla.model_request(m orla.models, prompt jsonb, again jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key      text := orla.unseal(m.api_key, NULL, 'models|' || m.name || '|api_key');
    messages jsonb := jsonb_build_array(jsonb_build_object('role', 'user', 'content', prompt ->> 'user'));
    headers  jsonb := '{"Content-Type": "application/json", "Accept": "text/event-stream"}';
    body     jsonb;
BEGIN
    IF again IS NOT NULL THEN
        messages := messages || jsonb_build_array(
            jsonb_build_object('role', 'assistant', 'content', coalesce(nullif(again ->> 'answer', ''), '(nothing)')),
            jsonb_build_object('role', 'user', 'content', orla.again_text(again ->> 'problem')));
    END IF;
    IF m.kind = 'anthropic' THEN
        headers := headers || jsonb_build_object('x-api-key', key, 'anthropic-version', '2023-06-01');
        body := '{"max_tokens": 8192}' || m.options
                || jsonb_build_object('model', m.model, 'system', prompt ->> 'system', 'messages', messages, 'stream', true);
    ELSE
        body := m.options || jsonb_build_object(
            'model', m.model, 'stream', true, 'stream_options', '{"include_usage": true}'::jsonb,
            'messages', jsonb_build_array(jsonb_build_object('role', 'system', 'content', prompt ->> 'system')) || messages);
    END IF;
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'url', m.base_url || CASE m.kind WHEN 'anthropic' THEN '/v1/messages' ELSE '/chat/completions' END,
        'hosts', jsonb_build_array(orla.host_of(m.base_url)),
        'timeout_ms', extract(epoch FROM current_setting('orla.job_timeout')::interval)::int * 1000,
        'max_bytes', 32 * 1024 * 1024, 'own_network', true, 'keeps_partial', true,
        'bearer', CASE m.kind WHEN 'openai' THEN key END))
        || jsonb_build_object('headers', headers, 'body', body::text);
END
$$;
REVOKE ALL ON FUNCTION orla.model_request(orla.models, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.model_request(orla.models, jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.model_request(orla.models, jsonb, jsonb) IS
    'The request that asks a model; it has the key in it.';

-- ---- streams ----------------------------------------------------------------

-- The data of a stream of server-sent events, as an array; its last line may be
-- without its end.  NULL where one of them is not JSON.
CREATE FUNCTION orla.stream_events(body text)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN coalesce((
        SELECT jsonb_agg(d.data::jsonb ORDER BY d.place)
          FROM (SELECT e.place, string_agg(regexp_replace(substr(l.line, 6), '^ ', ''), E'\n' ORDER BY l.place) AS data
                  FROM string_to_table(replace(replace(body, E'\r\n', E'\n'), E'\r', E'\n'), E'\n\n') WITH ORDINALITY AS e (event, place)
                 CROSS JOIN LATERAL string_to_table(e.event, E'\n') WITH ORDINALITY AS l (line, place)
                 WHERE l.line LIKE 'data:%'
                 GROUP BY e.place) AS d
         WHERE d.data <> '[DONE]'), '[]');
EXCEPTION WHEN data_exception OR untranslatable_character OR statement_too_complex THEN
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.stream_events(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.stream_events(text) TO orla_service;
COMMENT ON FUNCTION orla.stream_events(text) IS
    'The data of server-sent events; NULL where one is not JSON.';

-- What both protocols' readers return: text, stop (why it ended, NULL: it broke
-- off), refusal, error {type, code, message}, input_tokens, output_tokens.
CREATE FUNCTION orla.read_anthropic(events jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object(
            'text', coalesce(string_agg(CASE e.event ->> 'type'
                        WHEN 'content_block_delta' THEN CASE WHEN e.event #>> '{delta,type}' = 'text_delta' THEN e.event #>> '{delta,text}' END
                        WHEN 'message' THEN orla.join_blocks(e.event -> 'content') END, '' ORDER BY e.place), ''),
            'stop', (array_agg(coalesce(e.event #>> '{delta,stop_reason}', e.event ->> 'stop_reason') ORDER BY e.place DESC)
                        FILTER (WHERE e.event ->> 'type' = 'message_delta' AND e.event #>> '{delta,stop_reason}' IS NOT NULL
                                      OR e.event ->> 'type' = 'message'))[1],
            'ended', coalesce(bool_or(e.event ->> 'type' IN ('message_stop', 'message')), false),
            'error', (array_agg(e.event -> 'error') FILTER (WHERE e.event ->> 'type' = 'error'))[1],
            'input_tokens', max(orla.count_of(u.usage, 'input_tokens') + orla.count_of(u.usage, 'cache_creation_input_tokens')
                                + orla.count_of(u.usage, 'cache_read_input_tokens')) FILTER (WHERE u.usage IS NOT NULL),
            'output_tokens', max(orla.count_of(u.usage, 'output_tokens')) FILTER (WHERE u.usage IS NOT NULL))
          FROM jsonb_array_elements(events) WITH ORDINALITY AS e (event, place)
         CROSS JOIN LATERAL (SELECT CASE e.event ->> 'type' WHEN 'message_start' THEN e.event #> '{message,usage}'
                                                           WHEN 'message_delta' THEN e.event -> 'usage'
                                                           WHEN 'message' THEN e.event -> 'usage' END) AS u (usage));
END
$$;
REVOKE ALL ON FUNCTION orla.read_anthropic(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.read_anthropic(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.read_anthropic(jsonb) IS
    'What the events of a Messages stream say, or a message in one piece.';

CREATE FUNCTION orla.read_openai(events jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object(
            'text', coalesce(string_agg(coalesce(e.event #>> '{choices,0,delta,content}', e.event #>> '{choices,0,message,content}'), '' ORDER BY e.place), ''),
            'refusal', string_agg(coalesce(e.event #>> '{choices,0,delta,refusal}', e.event #>> '{choices,0,message,refusal}'), '' ORDER BY e.place),
            'stop', (array_agg(e.event #>> '{choices,0,finish_reason}' ORDER BY e.place DESC)
                        FILTER (WHERE e.event #>> '{choices,0,finish_reason}' IS NOT NULL))[1],
            'ended', coalesce(bool_or(e.event #>> '{choices,0,finish_reason}' IS NOT NULL), false),
            'error', (array_agg(e.event -> 'error') FILTER (WHERE jsonb_typeof(e.event -> 'error') = 'object'))[1],
            'input_tokens', max(orla.count_of(e.event -> 'usage', 'prompt_tokens')) FILTER (WHERE e.event ->> 'usage' IS NOT NULL),
            'output_tokens', max(orla.count_of(e.event -> 'usage', 'completion_tokens')) FILTER (WHERE e.event ->> 'usage' IS NOT NULL))
          FROM jsonb_array_elements(events) WITH ORDINALITY AS e (event, place));
END
$$;
REVOKE ALL ON FUNCTION orla.read_openai(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.read_openai(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.read_openai(jsonb) IS
    'What the chunks of a chat completion say, or a completion in one piece.';

CREATE FUNCTION orla.join_blocks(blocks jsonb)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(b.block ->> 'text', '' ORDER BY b.place)
      FROM jsonb_array_elements(CASE jsonb_typeof(blocks) WHEN 'array' THEN blocks ELSE '[]' END) WITH ORDINALITY AS b (block, place)
     WHERE b.block ->> 'type' = 'text'
$$;
REVOKE ALL ON FUNCTION orla.join_blocks(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.join_blocks(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.join_blocks(jsonb) IS
    'The text of a message''s blocks.';

CREATE FUNCTION orla.count_of(usage jsonb, key text)
    RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN usage ->> key ~ '^[0-9]{1,12}$' THEN (usage ->> key)::bigint ELSE 0 END;
END
$$;
REVOKE ALL ON FUNCTION orla.count_of(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.count_of(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.count_of(jsonb, text) IS
    'A count of tokens; 0 for what is none.';

CREATE FUNCTION orla.read_events(protocol text, events jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE protocol WHEN 'anthropic' THEN orla.read_anthropic(events) ELSE orla.read_openai(events) END;
END
$$;
REVOKE ALL ON FUNCTION orla.read_events(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.read_events(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.read_events(text, jsonb) IS
    'What the events of a stream say, in the protocol''s way.';

-- A request that was dropped, or broke off, has cost what its server had
-- counted by then.  The last event may be half of one.
CREATE FUNCTION orla.tokens_of_partial(protocol text, partial text)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    said  text := replace(replace(coalesce(partial, ''), E'\r\n', E'\n'), E'\r', E'\n');
    half  int := strpos(reverse(said), E'\n\n');
    heard jsonb;
BEGIN
    heard := orla.read_events(protocol, orla.stream_events(CASE half WHEN 0 THEN '' ELSE left(said, char_length(said) - half + 1) END));
    RETURN jsonb_build_object('input_tokens', heard -> 'input_tokens', 'output_tokens', heard -> 'output_tokens');
END
$$;
REVOKE ALL ON FUNCTION orla.tokens_of_partial(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.tokens_of_partial(text, text) TO orla_service;
COMMENT ON FUNCTION orla.tokens_of_partial(text, text) IS
    'The tokens that the beginning of a stream reports: {input_tokens, output_tokens}, null where it reports none.';

-- ---- what an answer means ---------------------------------------------------

-- A server's own words are passed on where they say what is wrong with a
-- request, not where they are about the key: some repeat a part of it.
CREATE FUNCTION orla.model_problem_text(status text, error jsonb)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT concat_ws(', ', CASE WHEN status IS NOT NULL THEN 'status ' || status END,
                     CASE WHEN error ->> 'type' ~ '^[A-Za-z_.]{1,60}$' THEN error ->> 'type' END,
                     CASE WHEN error ->> 'code' ~ '^[A-Za-z0-9_.]{1,60}$' AND error ->> 'code' <> coalesce(error ->> 'type', '') THEN error ->> 'code' END)
           || CASE WHEN status IN ('400', '404', '413', '422') AND error ->> 'message' <> ''
                   THEN ': ' || left(regexp_replace(error #>> '{message}', '[[:cntrl:]]', ' ', 'g'), 300) ELSE '' END
$$;
REVOKE ALL ON FUNCTION orla.model_problem_text(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.model_problem_text(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.model_problem_text(text, jsonb) IS
    'What a model''s server says is wrong.';

-- text: it said something; retry: nobody's fault; operator: the key, the
-- address, the account; failed: this request will not do.
CREATE FUNCTION orla.model_error_outcome(status int, error jsonb)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN 'insufficient_quota' IN (error ->> 'code', error ->> 'type') OR error ->> 'message' ILIKE '%credit balance%' THEN 'operator'
        WHEN status IN (401, 402, 403, 404, 405, 407) OR status BETWEEN 300 AND 399
             OR error ->> 'type' IN ('authentication_error', 'permission_error', 'not_found_error', 'billing_error') THEN 'operator'
        WHEN status IN (408, 409, 425, 429) OR status >= 500 THEN 'retry'
        WHEN status >= 400 OR error ->> 'type' IN ('invalid_request_error', 'request_too_large') THEN 'failed'
        ELSE 'retry' END
$$;
REVOKE ALL ON FUNCTION orla.model_error_outcome(int, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.model_error_outcome(int, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.model_error_outcome(int, jsonb) IS
    'retry, operator or failed: what an error of a model''s server means for the job.';

-- A problem in words that have eight characters of the key in a row is not told:
-- servers repeat what they were sent, and shorten it.  An answer that has the
-- whole of it is none.
CREATE FUNCTION orla.without_key(heard jsonb, key text)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    said text := lower(regexp_replace(heard ->> 'problem', '[^[:graph:]]', '', 'g'));
BEGIN
    IF coalesce(key, '') = '' THEN
        RETURN heard;
    ELSIF EXISTS (SELECT FROM generate_series(1, greatest(length(key) - 7, 1)) AS i (place)
                   WHERE strpos(said, substr(lower(key), i.place, 8)) > 0) THEN
        RETURN heard || '{"problem": "in words that are not told, since they have a part of the key in them"}';
    ELSIF length(key) >= 8 AND strpos(heard ->> 'text', key) > 0 THEN
        RETURN (heard - 'text') || '{"outcome": "failed", "problem": "an answer with the key in it"}';
    END IF;
    RETURN heard;
END
$$;
REVOKE ALL ON FUNCTION orla.without_key(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.without_key(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.without_key(jsonb, text) IS
    'What a model was heard to say, unless it repeats the key.';

CREATE FUNCTION orla.model_answer(protocol text, response jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    status  int := (response ->> 'status')::int;
    object  jsonb := orla.response_object(response);
    error   jsonb := CASE jsonb_typeof(object -> 'error') WHEN 'object' THEN object -> 'error' ELSE '{}' END;
    heard   jsonb;
BEGIN
    IF response ->> 'failure' IS NOT NULL THEN
        RETURN orla.tokens_of_partial(protocol, response ->> 'partial') || jsonb_build_object(
            'outcome', CASE response ->> 'failure' WHEN 'refused' THEN 'operator' WHEN 'tls' THEN 'operator'
                                                   WHEN 'too_large' THEN 'failed' ELSE 'retry' END,
            'problem', coalesce(response ->> 'message', response ->> 'failure'));
    ELSIF status NOT BETWEEN 200 AND 299 THEN
        RETURN jsonb_build_object('outcome', orla.model_error_outcome(status, error),
                                  'problem', orla.model_problem_text(status::text, error));
    END IF;
    -- A server that does not stream answers in one piece.
    heard := CASE WHEN object <> '{}' THEN jsonb_build_array(object) ELSE orla.stream_events(response ->> 'body') END;
    heard := orla.read_events(protocol, heard);
    IF heard ->> 'error' IS NOT NULL THEN
        RETURN heard || jsonb_build_object('outcome', orla.model_error_outcome(NULL, heard -> 'error'),
                                           'problem', orla.model_problem_text(NULL, heard -> 'error'));
    ELSIF heard IS NULL OR heard ->> 'text' = '' AND NOT (heard ->> 'ended')::boolean THEN
        RETURN coalesce(heard, '{}') || '{"outcome": "retry", "problem": "an answer that is not of its protocol"}';
    ELSIF NOT (heard ->> 'ended')::boolean THEN
        RETURN heard || '{"outcome": "retry", "problem": "it broke off in the middle of an answer"}';
    ELSIF coalesce(heard ->> 'refusal', '') <> '' OR heard ->> 'stop' IN ('refusal', 'content_filter') THEN
        RETURN heard || jsonb_build_object('outcome', 'failed', 'problem',
            'the model declines to write this' || coalesce(': ' || nullif(left(coalesce(nullif(heard ->> 'refusal', ''), heard ->> 'text'), 300), ''), ''));
    END IF;
    RETURN heard || '{"outcome": "text"}';
END
$$;
REVOKE ALL ON FUNCTION orla.model_answer(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.model_answer(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.model_answer(text, jsonb) IS
    'What a response of a model means: outcome text, retry, operator or failed, with the text, the tokens and the problem.';
