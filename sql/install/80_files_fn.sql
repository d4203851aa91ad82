-- Files of a connection, read in the caller's own session: nothing is locked and
-- nothing written, so it may be cancelled at any time.  What is the same for all
-- providers is here and in 80_file_*.sql; how each one's API is spoken, in 81 to
-- 83.  For a family F there are
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
