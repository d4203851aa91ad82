-- Dropbox, API version 2: everything is a POST.

-- An id, or the path that an entry's parent_id is.
CREATE FUNCTION orla.dropbox_check_id(id text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.check_file_id(id, '^(/.*[^/]|(id|rev|ns):[^:]+)$')
$$;
REVOKE ALL ON FUNCTION orla.dropbox_check_id(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_check_id(text) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_check_id(text) IS
    'The id, if it can be one of Dropbox. Errors: 22023.';

-- Members of a team see its folders only if the call names the team's root.
CREATE FUNCTION orla.dropbox_root(facts jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN facts #>> '{metadata,root_namespace_id}' ~ '^[0-9]{1,20}$'
                THEN jsonb_build_object('dropbox-api-path-root', jsonb_build_object('.tag', 'root', 'root', facts #>> '{metadata,root_namespace_id}')::text)
                ELSE '{}' END;
END
$$;
REVOKE ALL ON FUNCTION orla.dropbox_root(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_root(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_root(jsonb) IS
    'The header that names a team''s root, nothing for a person on her own.';

-- A root that has moved is told with the refusal.
CREATE FUNCTION orla.dropbox_other_root(request jsonb, refusal jsonb)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_set(request, '{headers}', request -> 'headers' || orla.dropbox_root(jsonb_build_object('metadata', refusal #> '{error,invalid_root}')))
$$;
REVOKE ALL ON FUNCTION orla.dropbox_other_root(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_other_root(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_other_root(jsonb, jsonb) IS
    'The request with the root that an answer names.';

-- Headers are ASCII; what is not stands in them as in old JSON.
CREATE FUNCTION orla.ascii_json(value jsonb)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
    SELECT string_agg(CASE WHEN ascii(c) < 127 THEN c
                           WHEN ascii(c) < 65536 THEN E'\\u' || lpad(to_hex(ascii(c)), 4, '0')
                           ELSE E'\\u' || to_hex(55296 + (ascii(c) - 65536) / 1024) || E'\\u' || to_hex(56320 + (ascii(c) - 65536) % 1024) END, '' ORDER BY place)
      FROM string_to_table(value::text, NULL) WITH ORDINALITY AS t (c, place));
END
$$;
REVOKE ALL ON FUNCTION orla.ascii_json(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.ascii_json(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.ascii_json(jsonb) IS
    'JSON in nothing but ASCII.';

CREATE FUNCTION orla.dropbox_request(facts jsonb, path text, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('method', 'POST', 'url', (facts ->> 'api_url') || path, 'body', argument::text,
        'headers', jsonb_build_object('content-type', 'application/json') || orla.dropbox_root(facts));
END
$$;
REVOKE ALL ON FUNCTION orla.dropbox_request(jsonb, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_request(jsonb, text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_request(jsonb, text, jsonb) IS
    'A call with its argument as JSON.';

CREATE FUNCTION orla.dropbox_list_request(facts jsonb, folder text, file_type text, page_token text, page_size int)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN page_token IS NOT NULL THEN orla.dropbox_request(facts, '/files/list_folder/continue', jsonb_build_object('cursor', page_token))
                ELSE orla.dropbox_request(facts, '/files/list_folder', jsonb_build_object(
                         'path', CASE WHEN folder IS NULL OR folder = 'root' THEN '' ELSE orla.dropbox_check_id(folder) END, 'limit', page_size)) END;
END
$$;
REVOKE ALL ON FUNCTION orla.dropbox_list_request(jsonb, text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_list_request(jsonb, text, text, text, int) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_list_request(jsonb, text, text, text, int) IS
    'Lists a folder; the root is the empty path.';

CREATE FUNCTION orla.dropbox_search_request(facts jsonb, query text, file_type text, page_token text, page_size int)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN page_token IS NOT NULL THEN orla.dropbox_request(facts, '/files/search/continue_v2', jsonb_build_object('cursor', page_token))
                ELSE orla.dropbox_request(facts, '/files/search_v2', jsonb_build_object('query', query, 'options', jsonb_strip_nulls(jsonb_build_object(
                         'max_results', page_size,
                         'file_categories', CASE WHEN file_type IS NOT NULL THEN jsonb_build_array(jsonb_build_object('.tag', file_type)) END)))) END;
END
$$;
REVOKE ALL ON FUNCTION orla.dropbox_search_request(jsonb, text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_search_request(jsonb, text, text, text, int) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_search_request(jsonb, text, text, text, int) IS
    'Searches names and texts.';

CREATE FUNCTION orla.dropbox_item_request(facts jsonb, file_id text)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.dropbox_request(facts, '/files/get_metadata', jsonb_build_object('path', orla.dropbox_check_id(file_id)));
END
$$;
REVOKE ALL ON FUNCTION orla.dropbox_item_request(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_item_request(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_item_request(jsonb, text) IS
    'A file''s facts.';

CREATE FUNCTION orla.dropbox_id(item jsonb, file_id text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT item ->> 'id'
$$;
REVOKE ALL ON FUNCTION orla.dropbox_id(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_id(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_id(jsonb, text) IS
    'The id of an item, whatever it was asked for by.';

-- Documents of Paper, and of Google where they lie in Dropbox, have no bytes: they
-- are exported.  The argument goes into a header.
CREATE FUNCTION orla.dropbox_content_request(facts jsonb, item jsonb, file_id text, as_text boolean)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
    SELECT CASE
        WHEN item -> 'is_downloadable' IS DISTINCT FROM 'false' THEN
            jsonb_build_object('method', 'POST', 'url', (facts ->> 'content_url') || '/files/download',
                'headers', jsonb_build_object('dropbox-api-arg', orla.ascii_json(jsonb_build_object('path', file_id))) || orla.dropbox_root(facts))
        WHEN e.format IS NOT NULL THEN
            jsonb_build_object('method', 'POST', 'url', (facts ->> 'content_url') || '/files/export', 'as', e.media_type, 'extension', e.extension,
                'headers', jsonb_build_object('dropbox-api-arg', orla.ascii_json(jsonb_build_object('path', file_id, 'export_format', e.format))) || orla.dropbox_root(facts))
        END
      FROM (SELECT) AS one
      LEFT JOIN LATERAL (SELECT f.format, f.media_type, f.extension FROM (VALUES
                ('markdown', 'text/markdown', '.md', true), ('txt', 'text/plain', '.txt', true), ('csv', 'text/csv', '.csv', true),
                ('docx', orla.media_type_of('.docx'), '.docx', false), ('xlsx', orla.media_type_of('.xlsx'), '.xlsx', false),
                ('pptx', orla.media_type_of('.pptx'), '.pptx', false), ('pdf', 'application/pdf', '.pdf', false), ('html', 'text/html', '.html', true))
                AS f (format, media_type, extension, is_text)
           WHERE f.format = item #>> '{export_info,export_as}' OR item #> '{export_info,export_options}' ? f.format
           ORDER BY f.is_text = as_text DESC, f.format = item #>> '{export_info,export_as}' DESC LIMIT 1) AS e ON true
     WHERE item ->> '.tag' = 'file');
END
$$;
REVOKE ALL ON FUNCTION orla.dropbox_content_request(jsonb, jsonb, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_content_request(jsonb, jsonb, text, boolean) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_content_request(jsonb, jsonb, text, boolean) IS
    'The bytes of a file, or an export; nothing for what has neither.';

-- No media type and no address in the web come with an entry; its parent is a
-- path.
CREATE FUNCTION orla.dropbox_rows(facts jsonb, answer jsonb, folder text)
    RETURNS SETOF orla.file_row
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT i.id, i.name, CASE WHEN i.".tag" = 'file' THEN orla.media_type_of(i.name) END, i.".tag" = 'folder',
           orla.to_bigint(i.size), orla.to_time(i.server_modified),
           CASE WHEN folder LIKE 'id:%' AND NOT answer ? 'item' THEN folder
                ELSE coalesce(nullif(regexp_replace(i.path_lower, '/[^/]*$', ''), ''), 'root') END,
           'https://www.dropbox.com/home' || CASE WHEN i.path_display !~ '[^A-Za-z0-9_.~/ -]' THEN replace(i.path_display, ' ', '%20')
                                                  ELSE replace(orla.percent_encode(i.path_display), '%2F', '/') END,
           i.content_hash
      FROM (SELECT orla.entries_of(answer, 'entries')
            UNION ALL
            SELECT m #> '{metadata,metadata}' FROM orla.entries_of(answer - 'item', 'matches') AS m) AS e (entry)
     CROSS JOIN LATERAL jsonb_to_record(CASE WHEN jsonb_typeof(e.entry) = 'object' THEN e.entry ELSE '{}' END)
                        AS i (".tag" text, id text, name text, size text, server_modified text, path_lower text, path_display text, content_hash text)
     WHERE i.".tag" IN ('file', 'folder') AND i.id IS NOT NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.dropbox_rows(jsonb, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_rows(jsonb, jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_rows(jsonb, jsonb, text) IS
    'The entries in an answer.';

CREATE FUNCTION orla.dropbox_next_page(facts jsonb, answer jsonb)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN answer -> 'has_more' = 'true' THEN nullif(answer ->> 'cursor', '') END;
END
$$;
REVOKE ALL ON FUNCTION orla.dropbox_next_page(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_next_page(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_next_page(jsonb, jsonb) IS
    'The cursor of the next page.';

-- Tags tell; error_summary ends in dots that mean nothing.  400 is a plain text.
CREATE FUNCTION orla.dropbox_refusal(a orla.file_answer)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN a.status = 401 AND r.tag = 'missing_scope' THEN 'missing_scope'
        WHEN a.status = 401 AND r.tag IN ('user_suspended', 'invalid_select_user', 'invalid_select_admin', 'route_access_denied') THEN 'operator'
        WHEN a.status = 401 THEN 'unauthorized'
        WHEN a.status = 400 AND encode(substr(a.content, 1, 300), 'escape') ~* 'access token is malformed|invalid authorization' THEN 'unauthorized'
        WHEN a.status = 429 THEN 'busy'
        WHEN a.status = 422 AND r.tag = 'invalid_root' THEN 'root'
        WHEN a.status = 409 AND r.tag IN ('too_many_write_operations', 'internal_error', 'retry_error', 'too_many_requests') THEN 'busy'
        WHEN a.status = 409 AND r.tag = 'reset' THEN 'page'
        WHEN a.status = 409 AND 'unsupported_file' IN (r.tag, r.inner_tag) THEN 'not_downloadable'
        WHEN a.status = 409 AND r.tag IN ('non_exportable', 'invalid_export_format') OR r.inner_tag = 'restricted_content' THEN 'not_downloadable'
        WHEN a.status IN (403, 404) OR a.status = 409 AND r.tag = 'path' THEN 'not_found'
        ELSE 'other' END
      FROM (SELECT a.object #>> '{error,.tag}', a.object #>> '{error,path,.tag}') AS r (tag, inner_tag)
$$;
REVOKE ALL ON FUNCTION orla.dropbox_refusal(orla.file_answer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.dropbox_refusal(orla.file_answer) TO orla_service;
COMMENT ON FUNCTION orla.dropbox_refusal(orla.file_answer) IS
    'What a refusal of Dropbox means, as of orla.raise_file_error().';
