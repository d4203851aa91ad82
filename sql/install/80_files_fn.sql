-- Files of a connection, read in the caller's own session: nothing is locked and
-- nothing written, so it may be cancelled at any time.  What is the same for all
-- providers is here; how each one's API is spoken, in 81 to 83: for a family F
-- the functions F_list_request, F_search_request, F_item_request,
-- F_content_request, F_rows, F_next_page, F_refusal.

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
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN value ~ '^[0-9]{1,18}$' THEN value::bigint END
$$;
REVOKE ALL ON FUNCTION orla.to_bigint(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.to_bigint(text) TO orla_service;
COMMENT ON FUNCTION orla.to_bigint(text) IS
    'A size as providers write it, NULL for what is none.';

CREATE FUNCTION orla.to_time(value text)
    RETURNS timestamptz
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T' THEN value::timestamptz END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.to_time(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.to_time(text) TO orla_service;
COMMENT ON FUNCTION orla.to_time(text) IS
    'A time of RFC 3339, NULL for what is none.';

-- The media type of a name, for providers that tell none.
CREATE FUNCTION orla.media_type_of(filename text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce((SELECT t.media_type FROM (VALUES
        ('txt', 'text/plain'), ('md', 'text/markdown'), ('markdown', 'text/markdown'), ('csv', 'text/csv'),
        ('htm', 'text/html'), ('html', 'text/html'), ('json', 'application/json'), ('xml', 'application/xml'),
        ('pdf', 'application/pdf'), ('rtf', 'application/rtf'), ('doc', 'application/msword'),
        ('docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'),
        ('xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'),
        ('pptx', 'application/vnd.openxmlformats-officedocument.presentationml.presentation'),
        ('odt', 'application/vnd.oasis.opendocument.text'),
        ('png', 'image/png'), ('jpg', 'image/jpeg'), ('jpeg', 'image/jpeg'), ('gif', 'image/gif'), ('svg', 'image/svg+xml'), ('webp', 'image/webp'),
        ('mp3', 'audio/mpeg'), ('wav', 'audio/wav'), ('m4a', 'audio/mp4'), ('mp4', 'video/mp4'), ('mov', 'video/quicktime'), ('webm', 'video/webm'),
        ('zip', 'application/zip')) AS t (extension, media_type)
      WHERE t.extension = lower(substring(filename FROM '[.]([A-Za-z0-9]{1,10})$'))), 'application/octet-stream')
$$;
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

-- Whether a row is of such a type, for providers that cannot search by it.
CREATE FUNCTION orla.is_of_type(f orla.file_row, file_type text)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE file_type
        WHEN 'folder' THEN f.is_folder
        WHEN 'pdf' THEN f.mime_type = 'application/pdf'
        WHEN 'document' THEN f.mime_type ~ '(^text/|msword|wordprocessingml|opendocument[.]text|google-apps[.]document|/rtf|/pdf)'
        WHEN 'spreadsheet' THEN f.mime_type ~ '(ms-excel|spreadsheetml|opendocument[.]spreadsheet|google-apps[.]spreadsheet|^text/csv)'
        WHEN 'presentation' THEN f.mime_type ~ '(powerpoint|presentationml|opendocument[.]presentation|google-apps[.]presentation)'
        WHEN 'image' THEN f.mime_type LIKE 'image/%'
        WHEN 'audio' THEN f.mime_type LIKE 'audio/%'
        WHEN 'video' THEN f.mime_type LIKE 'video/%'
        ELSE true END
$$;
REVOKE ALL ON FUNCTION orla.is_of_type(orla.file_row, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.is_of_type(orla.file_row, text) TO orla_service;
COMMENT ON FUNCTION orla.is_of_type(orla.file_row, text) IS
    'Whether a file is of a type that people search for.';

CREATE FUNCTION orla.file_id_problem(id text)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT id IS NULL OR id = '' OR octet_length(id) > 1000 OR id ~ '[[:cntrl:]]' OR id ~ '(^|/)[.][.]?(/|$)'
$$;
REVOKE ALL ON FUNCTION orla.file_id_problem(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.file_id_problem(text) TO orla_service;
COMMENT ON FUNCTION orla.file_id_problem(text) IS
    'Whether a text cannot be the id of a file at any provider.';

CREATE FUNCTION orla.check_file_id(id text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF orla.file_id_problem(id) THEN
        RAISE EXCEPTION 'invalid id of a file'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Use an id that orla_api.files() returned.';
    END IF;
    RETURN id;
END
$$;
REVOKE ALL ON FUNCTION orla.check_file_id(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_file_id(text) TO orla_service;
COMMENT ON FUNCTION orla.check_file_id(text) IS
    'The id, if it can be one. Errors: 22023.';

-- ---- calls ------------------------------------------------------------------

-- The caller's connection; what it cannot do is said as the worker says it.
CREATE FUNCTION orla.connection_of_caller(provider text)
    RETURNS orla.user_cloud_storage_tokens
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    account uuid := orla.require_tenant();
    c       orla.user_cloud_storage_tokens;
    refusal jsonb;
BEGIN
    PERFORM orla.provider_facts(provider);
    SELECT * INTO c FROM orla.user_cloud_storage_tokens AS t WHERE t.user_id = account AND t.provider = connection_of_caller.provider;
    IF c.user_id IS NULL OR NOT c.is_active OR c.status IN ('disconnected', 'needs_reconnect') THEN
        refusal := orla.refuse_use(c) -> 'refusal';
        RAISE EXCEPTION '%', refusal ->> 'message'
            USING ERRCODE = refusal ->> 'sqlstate', DETAIL = coalesce(refusal ->> 'detail', ''), HINT = coalesce(refusal ->> 'hint', '');
    END IF;
    RETURN c;
END
$$;
REVOKE ALL ON FUNCTION orla.connection_of_caller(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.connection_of_caller(text) TO orla_service;
COMMENT ON FUNCTION orla.connection_of_caller(text) IS
    'The connection of the proven tenant. Errors: 22023, 55000.';

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
    'An access token that is good, sealed. Errors: 55000, PT502, PT503.';

CREATE TYPE orla.file_answer AS (
    status  int,
    headers jsonb,
    body    bytea,
    failure text,
    message text
);
COMMENT ON TYPE orla.file_answer IS 'what a provider answered, as of orla.http_fetch()';

CREATE FUNCTION orla.answer_json(a orla.file_answer)
    RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN convert_from(a.body, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception OR character_not_in_repertoire OR untranslatable_character OR statement_too_complex THEN
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.answer_json(orla.file_answer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.answer_json(orla.file_answer) TO orla_service;
COMMENT ON FUNCTION orla.answer_json(orla.file_answer) IS
    'The JSON in an answer, NULL for what is none.';

-- What is listed under a key, or the one item that was asked for.
CREATE FUNCTION orla.entries_of(answer jsonb, key text)
    RETURNS SETOF jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.entry FROM jsonb_array_elements(CASE WHEN jsonb_typeof(answer -> key) = 'array' THEN answer -> key ELSE '[]' END) AS e (entry)
     WHERE jsonb_typeof(e.entry) = 'object'
    UNION ALL
    SELECT answer -> 'item' WHERE jsonb_typeof(answer -> 'item') = 'object'
$$;
REVOKE ALL ON FUNCTION orla.entries_of(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.entries_of(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.entries_of(jsonb, text) IS
    'The objects that an answer lists under a key, or the one in item.';

-- Raises what a refusal of the provider means for the caller.
CREATE FUNCTION orla.raise_file_error(facts jsonb, a orla.file_answer, kind text)
    RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    what text := coalesce(a.message, 'status ' || a.status);
BEGIN
    CASE kind
        WHEN 'unauthorized' THEN
            RAISE EXCEPTION 'the provider refuses the connection'
                USING ERRCODE = '55000', DETAIL = what || ', also with a fresh token.', HINT = 'Connect again.';
        WHEN 'scope' THEN
            RAISE EXCEPTION 'the connection has no right to do this'
                USING ERRCODE = '55000', DETAIL = what || '.', HINT = 'Connect again, and allow all that is asked for.';
        WHEN 'not_found' THEN
            RAISE EXCEPTION 'no such file'
                USING ERRCODE = 'PT404', DETAIL = what || '.';
        WHEN 'page' THEN
            RAISE EXCEPTION 'invalid page token'
                USING ERRCODE = 'invalid_parameter_value', DETAIL = what || '.', HINT = 'Begin with the first page again.';
        WHEN 'too_large' THEN
            RAISE EXCEPTION 'file is too large'
                USING ERRCODE = 'PT413', DETAIL = format('The limit is %s bytes.', current_setting('orla.max_download')), HINT = 'An operator can raise orla.max_download.';
        WHEN 'not_downloadable' THEN
            RAISE EXCEPTION 'file cannot be downloaded'
                USING ERRCODE = 'invalid_parameter_value', DETAIL = what || '.';
        WHEN 'busy' THEN
            RAISE EXCEPTION 'the provider asks to wait'
                USING ERRCODE = 'PT503', DETAIL = what || '.', HINT = 'Try again later.';
        WHEN 'operator' THEN
            RAISE EXCEPTION 'the provider refuses this installation'
                USING ERRCODE = 'PT502', DETAIL = what || '.', HINT = 'An operator has to look at what is registered there.';
        WHEN 'unavailable' THEN
            RAISE EXCEPTION 'the provider does not answer'
                USING ERRCODE = 'PT503', DETAIL = what || '.', HINT = 'Try again in a moment.';
        ELSE
            RAISE EXCEPTION 'the provider refuses the request'
                USING ERRCODE = 'PT502', DETAIL = what || '.';
    END CASE;
END
$$;
REVOKE ALL ON FUNCTION orla.raise_file_error(jsonb, orla.file_answer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.raise_file_error(jsonb, orla.file_answer, text) TO orla_service;
COMMENT ON FUNCTION orla.raise_file_error(jsonb, orla.file_answer, text) IS
    'Raises the error that an answer of a provider stands for.';

-- The one function of a family that the facts name.
CREATE FUNCTION orla.family(facts jsonb)
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
REVOKE ALL ON FUNCTION orla.family(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.family(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.family(jsonb) IS
    'Whose file API a provider speaks. Errors: 0A000.';

-- One refresh and one more try where the token is refused; some more where the
-- provider throttles or does not answer, no longer than the caller would wait.
CREATE FUNCTION orla.call_provider(c orla.user_cloud_storage_tokens, facts jsonb, request jsonb)
    RETURNS orla.file_answer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    purpose   text := orla.token_purpose(c.provider, 'access_token');
    token     bytea := orla.sealed_token(c);
    refreshed boolean := false;
    waited    numeric := 0;
    wait      numeric;
    a         orla.file_answer;
    kind      text;
BEGIN
    request := jsonb_build_object('hosts', facts -> 'hosts', 'max_bytes', 16777216) || request;
    FOR attempt IN 1 .. 6 LOOP
        SELECT * INTO a FROM orla.http_fetch(request, token, c.user_id, purpose);
        EXIT WHEN a.status BETWEEN 200 AND 399;
        EXECUTE format('SELECT orla.%I($1)', orla.family(facts) || '_refusal') INTO kind USING a;
        IF kind = 'unauthorized' AND NOT refreshed THEN
            token := orla.sealed_token(c, token);
            refreshed := true;
            CONTINUE;
        END IF;
        IF kind IN ('busy', 'unavailable') AND coalesce(a.failure, '') NOT IN ('refused', 'tls', 'timeout') AND attempt < 6 THEN
            wait := coalesce(orla.retry_after(jsonb_build_object('headers', a.headers)), power(2, attempt - 1) * 0.25 * (0.75 + 0.5 * random()));
            IF waited + wait <= 15 THEN
                PERFORM pg_sleep(wait);
                waited := waited + wait;
                CONTINUE;
            END IF;
        END IF;
        PERFORM orla.raise_file_error(facts, a, kind);
    END LOOP;
    RETURN a;
END
$$;
REVOKE ALL ON FUNCTION orla.call_provider(orla.user_cloud_storage_tokens, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.call_provider(orla.user_cloud_storage_tokens, jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.call_provider(orla.user_cloud_storage_tokens, jsonb, jsonb) IS
    'One call to the file API of a connection, with the token kept fresh and throttling obeyed. Errors: as of orla.raise_file_error().';

-- Pages without entries are passed over, since the token of the next page is
-- told with the entries.
CREATE FUNCTION orla.list_files(provider text, make_request text, argument text, file_type text, page_token text, page_size int)
    RETURNS TABLE (file orla.file_row, next_page_token text)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c       orla.user_cloud_storage_tokens := orla.connection_of_caller(provider);
    facts   jsonb := orla.provider_facts(provider) || jsonb_build_object('metadata', c.metadata);
    speaks  text := orla.family(facts);
    request jsonb;
    answer  jsonb;
    a       orla.file_answer;
    token   text := page_token;
    found_some boolean := false;
BEGIN
    IF octet_length(page_token) > 8000 THEN
        PERFORM orla.raise_file_error(facts, a, 'page');
    END IF;
    FOR page IN 1 .. 20 LOOP
        EXECUTE format('SELECT orla.%I($1, $2, $3, $4, $5)', speaks || make_request)
           INTO request USING facts, argument, file_type, token, least(greatest(coalesce(page_size, 100), 1), 1000);
        a := orla.call_provider(c, facts, request);
        answer := orla.answer_json(a);
        IF jsonb_typeof(answer) IS DISTINCT FROM 'object' THEN
            a.message := 'An answer that is no JSON object';
            PERFORM orla.raise_file_error(facts, a, 'unavailable');
        END IF;
        EXECUTE format('SELECT orla.%I($1, $2)', speaks || '_next_page') INTO token USING facts, answer;
        FOR file IN EXECUTE format('SELECT (r).* FROM orla.%I($1, $2, $3) AS r', speaks || '_rows') USING facts, answer, argument LOOP
            CONTINUE WHEN file_type IS NOT NULL AND NOT orla.is_of_type(file, file_type);
            found_some := true;
            next_page_token := token;
            RETURN NEXT;
        END LOOP;
        EXIT WHEN found_some OR token IS NULL;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION orla.list_files(text, text, text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.list_files(text, text, text, text, text, int) TO orla_service;
COMMENT ON FUNCTION orla.list_files(text, text, text, text, text, int) IS
    'The work of orla_api.files() and search_files(): one page that has entries.';

-- A file's facts and bytes.  as_text: for the providers' own documents, which
-- have no bytes, text instead of an office file.
CREATE FUNCTION orla.fetch_file(provider text, file_id text, as_text boolean, OUT file orla.file_row, OUT content bytea)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c       orla.user_cloud_storage_tokens := orla.connection_of_caller(provider);
    facts   jsonb := orla.provider_facts(provider) || jsonb_build_object('metadata', c.metadata);
    speaks  text := orla.family(facts);
    limit_  bigint := pg_size_bytes(current_setting('orla.max_download'));
    request jsonb;
    answer  jsonb;
    a       orla.file_answer;
BEGIN
    EXECUTE format('SELECT orla.%I($1, $2)', speaks || '_item_request') INTO request USING facts, orla.check_file_id(file_id);
    a := orla.call_provider(c, facts, request);
    answer := orla.answer_json(a);
    EXECUTE format('SELECT (r).* FROM orla.%I($1, $2, NULL) AS r', speaks || '_rows') INTO file USING facts, jsonb_build_object('item', answer);
    IF file.id IS NULL THEN
        a.message := 'An answer that is no file';
        PERFORM orla.raise_file_error(facts, a, 'unavailable');
    ELSIF file.is_folder THEN
        a.message := 'It is a folder';
        PERFORM orla.raise_file_error(facts, a, 'not_downloadable');
    ELSIF file.size > limit_ THEN
        PERFORM orla.raise_file_error(facts, a, 'too_large');
    END IF;

    EXECUTE format('SELECT orla.%I($1, $2, $3)', speaks || '_content_request') INTO request USING facts, answer, as_text;
    IF request IS NULL THEN
        a.message := 'It has no content';
        PERFORM orla.raise_file_error(facts, a, 'not_downloadable');
    END IF;
    file.mime_type := coalesce(request ->> 'as', file.mime_type);
    file.name := file.name || coalesce(request ->> 'extension', '');
    a := orla.call_provider(c, facts, request - 'as' - 'extension' || jsonb_build_object('max_bytes', limit_, 'timeout_ms', 300000));
    IF a.status BETWEEN 300 AND 399 THEN
        -- The one step of a download: to a host of its own list, without the token.
        SELECT * INTO a FROM orla.http_fetch(jsonb_build_object('url', a.headers ->> 'location', 'hosts', facts -> 'download_hosts',
                                                               'max_bytes', limit_, 'timeout_ms', 300000));
        IF a.status IS DISTINCT FROM 200 THEN
            PERFORM orla.raise_file_error(facts, a, CASE WHEN a.failure = 'too_large' THEN 'too_large' ELSE 'unavailable' END);
        END IF;
    END IF;
    content := a.body;
END
$$;
REVOKE ALL ON FUNCTION orla.fetch_file(text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.fetch_file(text, text, boolean) TO orla_service;
COMMENT ON FUNCTION orla.fetch_file(text, text, boolean) IS
    'The work of orla_api.download_file() and import_file().';
