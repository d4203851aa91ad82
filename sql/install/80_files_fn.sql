-- Files of a connection, read in the caller's own session: nothing is locked and
-- nothing written, so it may be cancelled at any time.  What is the same for all
-- providers is here; how each one's API is spoken, in 81 to 83.  For a family F
-- there are
--
--   F_list_request(facts, folder, file_type, page_token, page_size)
--   F_search_request(facts, query, file_type, page_token, page_size)
--   F_item_request(facts, id)                   one file's facts
--   F_id(item, id)                              the id of what an item stands for
--   F_content_request(facts, item, id, as_text) its bytes, NULL for what has none
--   F_rows(facts, answer, folder)               the rows in an answer
--   F_next_page(facts, answer)                  a page token, NULL at the end
--   F_refusal(answer)                           what a refusal means
--
-- Answers are passed on as a whole, never by field: so a large file is not copied
-- on its way: plpgsql hands a row that it returns over as it is.

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

-- The media type of a name, for providers that tell none.  Without a path of its
-- own, and bound to what it means when it is made: so the planner can put it in
-- place of the call, of which a page has hundreds.
CREATE FUNCTION orla.media_type_of(filename text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN coalesce('{
        "txt": "text/plain", "md": "text/markdown", "markdown": "text/markdown", "csv": "text/csv", "htm": "text/html", "html": "text/html",
        "json": "application/json", "xml": "application/xml", "pdf": "application/pdf", "rtf": "application/rtf", "doc": "application/msword",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "xls": "application/vnd.ms-excel",
        "ppt": "application/vnd.ms-powerpoint", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation", "odt": "application/vnd.oasis.opendocument.text",
        "ods": "application/vnd.oasis.opendocument.spreadsheet", "odp": "application/vnd.oasis.opendocument.presentation",
        "gdoc": "application/vnd.google-apps.document", "gsheet": "application/vnd.google-apps.spreadsheet",
        "gslides": "application/vnd.google-apps.presentation", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
        "svg": "image/svg+xml", "webp": "image/webp", "mp3": "audio/mpeg", "wav": "audio/wav", "m4a": "audio/mp4", "mp4": "video/mp4",
        "mov": "video/quicktime", "webm": "video/webm", "zip": "application/zip"}'::jsonb ->> lower(substring(filename FROM '[.]([A-Za-z0-9]{1,10})$')), 'application/octet-stream');
REVOKE ALL ON FUNCTION orla.media_type_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.media_type_of(text) TO orla_service, orla_user, orla_gateway;
COMMENT ON FUNCTION orla.media_type_of(text) IS
    'The media type that a name''s extension stands for.';

-- What people may ask a search for.
CREATE FUNCTION orla.check_file_type(file_type text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF file_type NOT IN ('folder', 'document', 'spreadsheet', 'presentation', 'pdf', 'image', 'audio', 'video') THEN
        RAISE EXCEPTION 'unknown type of file'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Known are folder, document, spreadsheet, presentation, pdf, image, audio and video.';
    END IF;
    RETURN file_type;
END
$$;
REVOKE ALL ON FUNCTION orla.check_file_type(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_file_type(text) TO orla_service;
COMMENT ON FUNCTION orla.check_file_type(text) IS
    'A type of file that can be searched for. Errors: 22023.';

-- The media types of each; one that ends in a slash stands for all that begin so.
CREATE FUNCTION orla.media_types(file_type text)
    RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE file_type
        WHEN 'pdf' THEN '{application/pdf}'
        WHEN 'document' THEN '{text/,application/pdf,application/rtf,application/msword,application/vnd.google-apps.document,application/vnd.oasis.opendocument.text,application/vnd.openxmlformats-officedocument.wordprocessingml.document}'
        WHEN 'spreadsheet' THEN '{text/csv,application/vnd.ms-excel,application/vnd.google-apps.spreadsheet,application/vnd.oasis.opendocument.spreadsheet,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet}'
        WHEN 'presentation' THEN '{application/vnd.ms-powerpoint,application/vnd.google-apps.presentation,application/vnd.oasis.opendocument.presentation,application/vnd.openxmlformats-officedocument.presentationml.presentation}'
        WHEN 'image' THEN '{image/}'
        WHEN 'audio' THEN '{audio/}'
        WHEN 'video' THEN '{video/}' END::text[];
END
$$;
REVOKE ALL ON FUNCTION orla.media_types(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.media_types(text) TO orla_service;
COMMENT ON FUNCTION orla.media_types(text) IS
    'The media types that a type of file stands for.';

-- Whether a row is of such a type, for providers that cannot search by it.
CREATE FUNCTION orla.is_of_type(f orla.file_row, file_type text)
    RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN file_type IS NULL THEN true
                WHEN file_type = 'folder' THEN f.is_folder
                ELSE NOT f.is_folder AND EXISTS (SELECT FROM unnest(orla.media_types(file_type)) AS t
                              WHERE f.mime_type = t OR t LIKE '%/' AND starts_with(f.mime_type, t)) END;
END
$$;
REVOKE ALL ON FUNCTION orla.is_of_type(orla.file_row, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.is_of_type(orla.file_row, text) TO orla_service;
COMMENT ON FUNCTION orla.is_of_type(orla.file_row, text) IS
    'Whether a file is of a type that people search for.';

-- shape: what an id looks like at the provider.
CREATE FUNCTION orla.file_id_problem(id text, shape text)
    RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN id IS NULL OR octet_length(id) NOT BETWEEN 1 AND 4000 OR id ~ '[[:cntrl:]]' OR id ~ '(^|/)[.][.]?(/|$)' OR id !~ shape;
END
$$;
REVOKE ALL ON FUNCTION orla.file_id_problem(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.file_id_problem(text, text) TO orla_service;
COMMENT ON FUNCTION orla.file_id_problem(text, text) IS
    'Whether a text cannot be the id of a file at a provider.';

CREATE FUNCTION orla.check_file_id(id text, shape text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF orla.file_id_problem(id, shape) THEN
        RAISE EXCEPTION 'invalid id of a file'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Use an id that orla_api.files() returned.';
    END IF;
    RETURN id;
END
$$;
REVOKE ALL ON FUNCTION orla.check_file_id(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_file_id(text, text) TO orla_service;
COMMENT ON FUNCTION orla.check_file_id(text, text) IS
    'The id, if it can be one. Errors: 22023.';

-- ---- connections ------------------------------------------------------------

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

-- Whose file API a provider speaks: part of the names of functions.
CREATE FUNCTION orla.file_family(facts jsonb)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(facts ->> 'files', '') NOT IN ('google_drive', 'onedrive', 'dropbox') THEN
        RAISE EXCEPTION 'provider % has no files', facts ->> 'name'
            USING ERRCODE = 'feature_not_supported';
    END IF;
    RETURN facts ->> 'files';
END
$$;
REVOKE ALL ON FUNCTION orla.file_family(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.file_family(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.file_family(jsonb) IS
    'Whose file API a provider speaks. Errors: 0A000.';

-- ---- answers ----------------------------------------------------------------

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
        WHEN 'scope' THEN
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

-- ---- calls ------------------------------------------------------------------

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
    IF kind IN ('unauthorized', 'scope', 'operator') THEN
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

CREATE TYPE orla_api.file AS (
    provider        text,
    id              text,
    name            text,
    mime_type       text,
    is_folder       boolean,
    size            bigint,
    modified_at     timestamptz,
    parent_id       text,
    web_url         text,
    hash            text,
    next_page_token text
);
COMMENT ON TYPE orla_api.file IS 'A file or folder at a provider; next_page_token is the same in each row of a page, and null in the last page.';
COMMENT ON COLUMN orla_api.file.provider IS 'With id, what the other functions take.';
COMMENT ON COLUMN orla_api.file.id IS 'The provider''s own.';
COMMENT ON COLUMN orla_api.file.name IS 'As it is there; the same name may come twice.';
COMMENT ON COLUMN orla_api.file.mime_type IS 'Media type; Dropbox has none, there the name''s extension tells.';
COMMENT ON COLUMN orla_api.file.is_folder IS 'A shortcut is what it leads to.';
COMMENT ON COLUMN orla_api.file.size IS 'Bytes; null for folders and for the provider''s own documents.';
COMMENT ON COLUMN orla_api.file.modified_at IS 'Null for folders of Dropbox.';
COMMENT ON COLUMN orla_api.file.parent_id IS 'The folder, for files(); null for what others share.';
COMMENT ON COLUMN orla_api.file.web_url IS 'The page that shows it.';
COMMENT ON COLUMN orla_api.file.hash IS 'Google: MD5; OneDrive: quickXorHash; Dropbox: its content_hash.';
COMMENT ON COLUMN orla_api.file.next_page_token IS 'The same in each row of a page; null in the last.';

-- Pages without entries are passed over, since the token of the next page is
-- told with the entries.  folder: NULL in a search.
CREATE FUNCTION orla.list_files(provider text, folder text, query text, file_type text, page_token text, page_size int)
    RETURNS SETOF orla_api.file
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant  uuid := orla.require_tenant();
    facts   jsonb := orla.provider_facts(provider);
    speaks  text := orla.file_family(facts);
    c       orla.user_cloud_storage_tokens := orla.connection_of_caller(provider);
    request jsonb;
    a       orla.file_answer;
    token   text := page_token;
BEGIN
    IF octet_length(page_token) > 8000 THEN
        PERFORM orla.raise_file_error('page', 'It is too long');
    END IF;
    facts := facts || jsonb_build_object('metadata', c.metadata);
    FOR page IN 1 .. 100 LOOP
        EXECUTE format('SELECT orla.%I($1, $2, $3, $4, $5)', speaks || CASE WHEN query IS NULL THEN '_list_request' ELSE '_search_request' END)
           INTO request USING facts, coalesce(query, folder), file_type, token, least(greatest(coalesce(page_size, 100), 1), 1000);
        a := orla.call_provider(c, facts, request, CASE WHEN page = 1 AND page_token IS NOT NULL THEN 'page' ELSE 'list' END);
        EXECUTE format('SELECT orla.%I($1, $2)', speaks || '_next_page') INTO token USING facts, a.object;
        RETURN QUERY EXECUTE format('SELECT $4, f.*, $5 FROM orla.%I($1, $2, $3) AS f', speaks || '_rows')
                             || CASE WHEN file_type IS NULL THEN '' ELSE ' WHERE orla.is_of_type(f, $6)' END
                       USING facts, a.object, folder, provider, token, file_type;
        IF FOUND OR token IS NULL THEN
            RETURN;
        END IF;
    END LOOP;
    PERFORM orla.raise_file_error('unavailable', '100 pages had no entry, and there are more');
END
$$;
REVOKE ALL ON FUNCTION orla.list_files(text, text, text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.list_files(text, text, text, text, text, int) TO orla_service;
COMMENT ON FUNCTION orla.list_files(text, text, text, text, text, int) IS
    'The work of orla_api.files() and search_files(): one page that has entries.';

-- A file's facts and its bytes.  as_text: for the providers' own documents, which
-- have no bytes, text instead of an office file.
CREATE FUNCTION orla.fetch_file(provider text, file_id text, as_text boolean)
    RETURNS orla.file_answer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant  uuid := orla.require_tenant();
    facts   jsonb := orla.provider_facts(provider);
    speaks  text := orla.file_family(facts);
    c       orla.user_cloud_storage_tokens := orla.connection_of_caller(provider);
    most    bigint := pg_size_bytes(current_setting('orla.max_download'));
    id      text := file_id;
    request jsonb;
    item    jsonb;
    meant   text;
    file    orla.file_row;
    a       orla.file_answer;
BEGIN
    facts := facts || jsonb_build_object('metadata', c.metadata);
    FOR step IN 1 .. 2 LOOP     -- what is but a link is followed once
        EXECUTE format('SELECT orla.%I($1, $2)', speaks || '_item_request') INTO request USING facts, id;
        a := orla.call_provider(c, facts, request, 'item');
        item := a.object;
        EXECUTE format('SELECT orla.%I($1, $2)', speaks || '_id') INTO meant USING item, id;
        EXIT WHEN meant = id;
        id := coalesce(meant, id);
    END LOOP;
    EXECUTE format('SELECT (r).* FROM orla.%I($1, $2, $3) AS r', speaks || '_rows') INTO file USING facts, jsonb_build_object('item', item), id;
    IF file.id IS NULL THEN
        PERFORM orla.raise_file_error('unavailable', orla.answer_problem(a));
    ELSIF file.is_folder THEN
        PERFORM orla.raise_file_error('not_downloadable', 'It is a folder');
    ELSIF file.size > most THEN
        PERFORM orla.raise_file_error('too_large', '');
    END IF;

    EXECUTE format('SELECT orla.%I($1, $2, $3, $4)', speaks || '_content_request') INTO request USING facts, item, id, as_text;
    IF request IS NULL THEN
        PERFORM orla.raise_file_error('not_downloadable', 'It has no content');
    END IF;
    file.mime_type := coalesce(request ->> 'as', file.mime_type);
    file.name := file.name || coalesce(request ->> 'extension', '');
    a := orla.call_provider(c, facts, request - 'as' - 'extension' || jsonb_build_object('max_bytes', most, 'timeout_ms', 300000), 'content');
    a.file := file;
    RETURN a;
END
$$;
REVOKE ALL ON FUNCTION orla.fetch_file(text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.fetch_file(text, text, boolean) TO orla_service;
COMMENT ON FUNCTION orla.fetch_file(text, text, boolean) IS
    'The work of orla_api.download_file() and import_file(): file and content of the answer.';

-- With the headers that PostgREST takes from a setting.  A browser is to save
-- what it gets under its name, and never to show it as a page of ours.  A script
-- or style sheet is of a type that no page can take it for one of ours: they come
-- from our own address, too.
CREATE FUNCTION orla.download_file(provider text, file_id text)
    RETURNS orla.file_answer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a orla.file_answer := orla.fetch_file(provider, file_id, false);
BEGIN
    PERFORM set_config('response.headers', jsonb_build_array(
        jsonb_build_object('Content-Type', CASE WHEN (a.file).mime_type ~ '^[a-z]+/[A-Za-z0-9.+-]+$' AND (a.file).mime_type !~* 'script|/css$'
                                                THEN (a.file).mime_type ELSE 'application/octet-stream' END),
        jsonb_build_object('Content-Disposition', orla.content_disposition((a.file).name)),
        jsonb_build_object('Content-Security-Policy', 'default-src ''none''; sandbox'),
        jsonb_build_object('Cross-Origin-Resource-Policy', 'same-origin'),
        jsonb_build_object('Cache-Control', 'private, no-cache'),
        jsonb_build_object('X-Content-Type-Options', 'nosniff'))::text, true);
    RETURN a;
END
$$;
REVOKE ALL ON FUNCTION orla.download_file(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.download_file(text, text) TO orla_service;
COMMENT ON FUNCTION orla.download_file(text, text) IS
    'orla.fetch_file(), and the headers of its HTTP response.';
