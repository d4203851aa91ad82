-- The shapes of results, and whether an answer has the shape that was asked for.
-- docs/generation.md explains them.

-- In a shape, a text says what a value is to be: "text N, …" so many characters
-- at most, "integer, …", or the words to choose from.  [x] is a list of at least
-- one x, and a key that ends with ? may be missing, null or empty.
CREATE FUNCTION orla.result_shape(kind text, content_type text DEFAULT NULL)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE kind
        WHEN 'generate_content' THEN CASE content_type
            WHEN 'blog' THEN '{
                "title": "text 200", "slug": "text 200, lower case, words joined with -",
                "meta_title": "text 120", "meta_description": "text 320",
                "category": "text 100", "tags": ["text 60"],
                "read_time": "integer, minutes",
                "body": "text 100000, Markdown",
                "call_to_action": "text 600",
                "faq?": [{"question": "text 400", "answer": "text 3000"}]}'::jsonb
            WHEN 'carousel' THEN '{
                "title": "text 200", "caption": "text 3000",
                "slides": [{"heading": "text 200", "text": "text 1000"}],
                "tags?": ["text 60"], "call_to_action": "text 600"}'
            WHEN 'social' THEN '{
                "title": "text 200, for the library, not shown to readers", "caption": "text 5000",
                "hashtags?": ["text 60"], "call_to_action?": "text 600"}'
            WHEN 'video' THEN '{
                "title": "text 200", "hook": "text 600, the first sentence that is heard",
                "duration_seconds": "integer",
                "scenes": [{"visual": "text 1000, what is seen", "narration": "text 2000, what is heard"}],
                "caption?": "text 3000", "tags?": ["text 60"], "call_to_action": "text 600"}' END
        WHEN 'analyze_brand' THEN '{
            "brand_voice": {"tone": "text 600", "personality": ["text 200"], "key_characteristics": ["text 400"]},
            "messaging_pillars": ["text 600"],
            "language_patterns": {"writing_style": "text 1500", "preferred_phrases?": ["text 300"], "vocabulary?": ["text 100"]},
            "dos_and_donts": {"dos?": ["text 400"], "donts?": ["text 400"]},
            "target_audience": {"primary": "text 1000", "characteristics?": ["text 400"]},
            "content_themes": ["text 300"],
            "competitive_positioning": {"unique_value": "text 1000", "copy_and_adapt?": ["text 400"],
                                        "gaps_to_exploit?": ["text 400"], "avoid?": ["text 400"]},
            "brand_colors?": ["text 40"], "brand_fonts?": ["text 80"]}'
        WHEN 'analyze_competitor' THEN '{
            "marketing_they_do_well?": ["text 600"], "gaps_they_miss?": ["text 600"],
            "positioning_messaging": "text 2000", "content_opportunities?": ["text 600"],
            "threat_level": "low | medium | high", "strategic_summary": "text 4000"}'
        WHEN 'next_keyword' THEN '{
            "keyword": "text 200", "search_intent": "informational | commercial | transactional | navigational",
            "title": "text 200, of a post for it", "reason": "text 1500", "related?": ["text 200"]}'
        WHEN 'market_research' THEN '{
            "topic": "text 300", "summary": "text 4000", "trends": ["text 800"],
            "audience_questions": ["text 400"], "opportunities": ["text 800"], "risks?": ["text 800"]}' END;
END
$$;
REVOKE ALL ON FUNCTION orla.result_shape(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.result_shape(text, text) TO orla_service, orla_admin;
COMMENT ON FUNCTION orla.result_shape(text, text) IS
    'The shape of the result of a kind of job, NULL for one that there is not.';

CREATE FUNCTION orla.is_nothing(value jsonb)
    RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN value IS NULL OR value IN ('null', '""', '[]', '{}');
END
$$;
REVOKE ALL ON FUNCTION orla.is_nothing(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.is_nothing(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.is_nothing(jsonb) IS
    'Whether a member of an answer is missing or empty.';

-- Says where, and what it should be; never what it is.
CREATE FUNCTION orla.shape_problem(value jsonb, shape jsonb, place text DEFAULT '')
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    said    text := shape #>> '{}';
    here    text := CASE place WHEN '' THEN 'the answer' ELSE '"' || place || '"' END;
    most    int;
    problem text;
    member  record;
BEGIN
    IF jsonb_typeof(shape) = 'object' THEN
        IF jsonb_typeof(value) IS DISTINCT FROM 'object' THEN
            RETURN here || ' must be an object';
        END IF;
        FOR member IN
            SELECT rtrim(s.key, '?') AS name, s.key LIKE '%?' AS optional, s.value AS shape FROM jsonb_each(shape) AS s
        LOOP
            CONTINUE WHEN member.optional AND orla.is_nothing(value -> member.name);
            IF value -> member.name IS NULL THEN
                RETURN format('"%s" is missing', concat_ws('.', nullif(place, ''), member.name));
            END IF;
            problem := orla.shape_problem(value -> member.name, member.shape, concat_ws('.', nullif(place, ''), member.name));
            EXIT WHEN problem IS NOT NULL;
        END LOOP;
        RETURN problem;
    ELSIF jsonb_typeof(shape) = 'array' THEN
        IF jsonb_typeof(value) <> 'array' OR jsonb_array_length(value) NOT BETWEEN 1 AND 100 THEN
            RETURN here || ' must be a list of 1 to 100';
        END IF;
        FOR member IN SELECT v.element, v.place - 1 AS n FROM jsonb_array_elements(value) WITH ORDINALITY AS v (element, place) LOOP
            problem := orla.shape_problem(member.element, shape -> 0, format('%s[%s]', place, member.n));
            EXIT WHEN problem IS NOT NULL;
        END LOOP;
        RETURN problem;
    ELSIF said LIKE 'text %' THEN
        most := substring(said FROM '^text ([0-9]+)')::int;
        IF jsonb_typeof(value) <> 'string' OR btrim(value #>> '{}', E' \t\r\n') = '' THEN
            RETURN here || ' must be a text';
        ELSIF char_length(value #>> '{}') > most THEN
            RETURN format('%s must have %s characters at most', here, most);
        END IF;
        RETURN NULL;
    ELSIF said LIKE 'integer%' THEN
        RETURN CASE WHEN coalesce(value #>> '{}', '') !~ '^[0-9]{1,6}$' OR jsonb_typeof(value) NOT IN ('number', 'string')
                    THEN here || ' must be a whole number' END;
    END IF;
    RETURN CASE WHEN jsonb_typeof(value) <> 'string' OR NOT value #>> '{}' = ANY (string_to_array(said, ' | '))
                THEN format('%s must be one of %s', here, replace(said, ' | ', ', ')) END;
END
$$;
REVOKE ALL ON FUNCTION orla.shape_problem(jsonb, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.shape_problem(jsonb, jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.shape_problem(jsonb, jsonb, text) IS
    'Where a value does not have the shape, and what it should be there; NULL if it has.';

-- What the shape does not know is left out.
CREATE FUNCTION orla.shaped(value jsonb, shape jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE jsonb_typeof(shape)
        WHEN 'object' THEN (SELECT coalesce(jsonb_object_agg(rtrim(s.key, '?'), orla.shaped(value -> rtrim(s.key, '?'), s.member)), '{}')
                              FROM jsonb_each(shape) AS s (key, member) WHERE NOT orla.is_nothing(value -> rtrim(s.key, '?')))
        WHEN 'array' THEN (SELECT coalesce(jsonb_agg(orla.shaped(v.element, shape -> 0) ORDER BY v.place), '[]')
                             FROM jsonb_array_elements(value) WITH ORDINALITY AS v (element, place))
        ELSE CASE WHEN shape #>> '{}' LIKE 'integer%' THEN to_jsonb((value #>> '{}')::int) ELSE value END END;
END
$$;
REVOKE ALL ON FUNCTION orla.shaped(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.shaped(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.shaped(jsonb, jsonb) IS
    'The members of a value that its shape knows.';

-- The object in what a model said; models like to put it into a fence, or a
-- sentence before it.  NULL where there is none.
CREATE FUNCTION orla.object_in_words(said text)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first int := strpos(said, '{');
    last  int := char_length(said) - strpos(reverse(said), '}') + 1;
BEGIN
    IF first = 0 OR last < first OR strpos(said, '}') = 0 THEN
        RETURN NULL;
    END IF;
    RETURN substr(said, first, last - first + 1)::jsonb;
EXCEPTION WHEN data_exception OR untranslatable_character OR statement_too_complex THEN
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.object_in_words(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.object_in_words(text) TO orla_service;
COMMENT ON FUNCTION orla.object_in_words(text) IS
    'The JSON object in a model''s words; NULL where there is none.';

-- heard: of orla.model_answer().
CREATE FUNCTION orla.usable_answer(kind text, payload jsonb, heard jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shape   jsonb := orla.result_shape(kind, payload ->> 'content_type');
    object  jsonb := orla.object_in_words(heard ->> 'text');
    problem text;
BEGIN
    IF object IS NULL AND heard ->> 'stop' IN ('max_tokens', 'length', 'model_context_window_exceeded') THEN
        problem := 'the answer was cut off at the model''s limit';
    ELSIF object IS NULL THEN
        problem := 'the answer has no JSON object in it';
    ELSE
        problem := orla.shape_problem(object, shape);
    END IF;
    RETURN CASE WHEN problem IS NULL THEN jsonb_build_object('answer', orla.shaped(object, shape))
                ELSE jsonb_build_object('problem', problem) END;
END
$$;
REVOKE ALL ON FUNCTION orla.usable_answer(text, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.usable_answer(text, jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.usable_answer(text, jsonb, jsonb) IS
    'The result in what a model said, as {answer}; or {problem}.';
