-- Answers of the providers' file APIs: what they hold, in the shape that all have
-- in common, and what a refusal means.

CREATE TYPE orla.file_row AS (
    id          text,
    name        text,
    mime_type   text,
    is_folder   boolean,
    size        bigint,
    modified_at timestamptz,
    parent_id   text,
    web_url     text,
    hash        text
);
COMMENT ON TYPE orla.file_row IS 'a file or folder, in the shape that all providers have in common';

CREATE FUNCTION orla.to_bigint(value text)
    RETURNS bigint
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_to_bigint';
REVOKE ALL ON FUNCTION orla.to_bigint(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.to_bigint(text) TO orla_service;
COMMENT ON FUNCTION orla.to_bigint(text) IS
    'A size as providers write it, NULL for what is none.';

CREATE FUNCTION orla.to_time(value text)
    RETURNS timestamptz
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_to_time';
REVOKE ALL ON FUNCTION orla.to_time(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.to_time(text) TO orla_service;
COMMENT ON FUNCTION orla.to_time(text) IS
    'A time of RFC 3339, NULL for what is none.';

CREATE TYPE orla.file_answer AS (
    status  int,
    headers jsonb,
    content bytea,
    failure text,
    message text,
    object  jsonb,
    file    orla.file_row
);
COMMENT ON TYPE orla.file_answer IS 'what a provider answered: as of orla.http_fetch(), the JSON object in it, and the file whose content it is';

-- Neither HTML nor half an answer nor bytes that are no text raise anything.
CREATE FUNCTION orla.object_in(content bytea)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found jsonb;
BEGIN
    found := convert_from(content, 'UTF8')::jsonb;
    RETURN CASE WHEN jsonb_typeof(found) = 'object' THEN found END;
EXCEPTION WHEN data_exception OR character_not_in_repertoire OR untranslatable_character OR program_limit_exceeded OR statement_too_complex THEN
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.object_in(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.object_in(bytea) TO orla_service;
COMMENT ON FUNCTION orla.object_in(bytea) IS
    'The JSON object that bytes are, NULL for what is none.';

-- What is listed under a key, or the one item that was asked for.
CREATE FUNCTION orla.entries_of(answer jsonb, key text)
    RETURNS SETOF jsonb
    LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT e.entry FROM jsonb_array_elements(CASE WHEN jsonb_typeof(answer -> key) = 'array' THEN answer -> key ELSE '[]' END) AS e (entry)
     WHERE jsonb_typeof(e.entry) = 'object'
    UNION ALL
    SELECT answer -> 'item' WHERE jsonb_typeof(answer -> 'item') = 'object';
END;
REVOKE ALL ON FUNCTION orla.entries_of(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.entries_of(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.entries_of(jsonb, text) IS
    'The objects that an answer lists under a key, or the one in item.';

-- In words, for details.  Codes are short and of a known form; texts of providers
-- are not repeated, they may quote what was sent.
CREATE FUNCTION orla.answer_problem(a orla.file_answer)
    RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
    SELECT CASE WHEN a.message IS NOT NULL THEN upper(left(a.message, 1)) || substr(a.message, 2)
                WHEN a.status BETWEEN 200 AND 299 THEN 'An answer that makes no sense'
                WHEN a.status IS NULL THEN 'No answer'
                ELSE 'Status ' || a.status || coalesce(', ' || substring(c.code FROM '^[A-Za-z_]{1,60}(?:/[A-Za-z_]{1,60}){0,3}$'), '') END
      FROM (SELECT coalesce(a.object #>> '{error,errors,0,reason}', a.object #>> '{error,code}', rtrim(a.object ->> 'error_summary', './')) AS code) AS c);
END
$$;
REVOKE ALL ON FUNCTION orla.answer_problem(orla.file_answer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.answer_problem(orla.file_answer) TO orla_service;
COMMENT ON FUNCTION orla.answer_problem(orla.file_answer) IS
    'What went wrong with a request, without a word of what was sent.';

-- purpose: list, page (a list from a page token on), item or content.
CREATE FUNCTION orla.kind_of_refusal(a orla.file_answer, facts jsonb, purpose text)
    RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind text;
BEGIN
    IF a.failure = 'too_large' THEN
        RETURN CASE purpose WHEN 'content' THEN 'too_large' ELSE 'unavailable' END;
    ELSIF a.failure = 'refused' THEN
        RETURN 'foreign';
    ELSIF a.failure IS NOT NULL OR a.status BETWEEN 200 AND 299 OR a.status = 408 OR a.status >= 500 THEN
        RETURN 'unavailable';
    END IF;
    EXECUTE format('SELECT orla.%I($1)', orla.file_family(facts) || '_refusal') INTO kind USING a;
    RETURN CASE WHEN purpose = 'page' AND a.status = 400 AND kind IN ('other', 'not_found') THEN 'page' ELSE kind END;
END
$$;
REVOKE ALL ON FUNCTION orla.kind_of_refusal(orla.file_answer, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.kind_of_refusal(orla.file_answer, jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.kind_of_refusal(orla.file_answer, jsonb, text) IS
    'What an answer that is none means, as of orla.raise_file_error().';

-- Raises what a refusal of the provider means for the caller.
CREATE FUNCTION orla.raise_file_error(kind text, what text)
    RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    what := rtrim(what, '.') || '.';
    CASE kind
        WHEN 'unauthorized' THEN
            RAISE EXCEPTION 'the provider refuses the connection'
                USING ERRCODE = 'PT409', DETAIL = what || ' So it says to a fresh token, too.', HINT = 'Connect again.';
        WHEN 'scope', 'missing_scope' THEN
            RAISE EXCEPTION 'the connection has no right to do this'
                USING ERRCODE = 'PT409', DETAIL = what, HINT = 'Connect again, and allow all that is asked for.';
        WHEN 'not_found' THEN
            RAISE EXCEPTION 'no such file'
                USING ERRCODE = 'PT404', DETAIL = what || ' It is not there, or this connection may not read it.';
        WHEN 'page' THEN
            RAISE EXCEPTION 'invalid page token'
                USING ERRCODE = 'invalid_parameter_value', DETAIL = what, HINT = 'Begin with the first page again.';
        WHEN 'too_large' THEN
            RAISE EXCEPTION 'file is too large'
                USING ERRCODE = 'PT413', DETAIL = format('The limit is %s.', current_setting('orla.max_download')), HINT = 'An operator can raise orla.max_download.';
        WHEN 'not_downloadable' THEN
            RAISE EXCEPTION 'file cannot be downloaded'
                USING ERRCODE = 'invalid_parameter_value', DETAIL = what;
        WHEN 'busy' THEN
            RAISE EXCEPTION 'the provider asks to wait'
                USING ERRCODE = 'PT503', DETAIL = what, HINT = 'Try again later.';
        WHEN 'operator' THEN
            RAISE EXCEPTION 'the provider refuses this installation'
                USING ERRCODE = 'PT502', DETAIL = what, HINT = 'An operator has to look at what is registered there.';
        WHEN 'unavailable' THEN
            RAISE EXCEPTION 'the provider does not answer'
                USING ERRCODE = 'PT503', DETAIL = what, HINT = 'Try again in a moment.';
        WHEN 'foreign' THEN
            RAISE EXCEPTION 'the provider leads to another server'
                USING ERRCODE = 'PT502', DETAIL = what;
        ELSE
            RAISE EXCEPTION 'the provider refuses the request'
                USING ERRCODE = 'PT502', DETAIL = what;
    END CASE;
END
$$;
REVOKE ALL ON FUNCTION orla.raise_file_error(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.raise_file_error(text, text) TO orla_service;
COMMENT ON FUNCTION orla.raise_file_error(text, text) IS
    'Raises the error that a kind of refusal stands for.';
