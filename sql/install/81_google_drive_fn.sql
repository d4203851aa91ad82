-- Google Drive, API version 3.

-- A value inside a literal of Drive's query language.
CREATE FUNCTION orla.google_drive_literal(value text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN '''' || replace(replace(value, E'\\', E'\\\\'), '''', E'\\''') || '''';
END
$$;
REVOKE ALL ON FUNCTION orla.google_drive_literal(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_literal(text) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_literal(text) IS
    'A text as a literal in a query: what people type stays text.';

-- What is shared by a link may need the key that stands in the link.  Then a file's
-- id has it behind a slash, which no id of Drive's has in it; Drive wants to hear
-- it in a header.
CREATE FUNCTION orla.google_drive_check_id(id text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.check_file_id(id, '^([^/]+|[A-Za-z0-9_-]+/[A-Za-z0-9_-]+)$');
END
$$;
REVOKE ALL ON FUNCTION orla.google_drive_check_id(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_check_id(text) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_check_id(text) IS
    'The id of a file, with its resource key or without. Errors: 22023.';

CREATE FUNCTION orla.google_drive_keys(id text)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN id LIKE '%/%' THEN jsonb_build_object('headers', jsonb_build_object('x-goog-drive-resource-keys', id)) ELSE '{}' END;
REVOKE ALL ON FUNCTION orla.google_drive_keys(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_keys(text) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_keys(text) IS
    'The header of a request that needs a resource key.';

-- Without a path of its own, to be put in place of the call.
CREATE FUNCTION orla.google_drive_with_key(id text, resource_key text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN resource_key ~ '^[A-Za-z0-9_-]+$' AND id ~ '^[A-Za-z0-9_-]+$' THEN id || '/' || resource_key ELSE id END;
REVOKE ALL ON FUNCTION orla.google_drive_with_key(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_with_key(text, text) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_with_key(text, text) IS
    'The id that a file has here: with its resource key, where it has one.';

CREATE FUNCTION orla.google_drive_request(facts jsonb, query text, order_by text, page_token text, page_size int)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('url', (facts ->> 'api_url')
        || '/files?supportsAllDrives=true&includeItemsFromAllDrives=true'
        || '&fields=nextPageToken,files(id,name,mimeType,size,modifiedTime,parents,webViewLink,md5Checksum,shortcutDetails,resourceKey)'
        || '&pageSize=' || page_size || coalesce('&orderBy=' || order_by, '')
        || coalesce('&pageToken=' || orla.percent_encode(page_token), '') || '&q=' || orla.percent_encode(query));
END
$$;
REVOKE ALL ON FUNCTION orla.google_drive_request(jsonb, text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_request(jsonb, text, text, text, int) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_request(jsonb, text, text, text, int) IS
    'files.list of the Drive API, shared drives included.';

-- The folders shared_with_me and shared_drives are none of Drive's own.
CREATE FUNCTION orla.google_drive_list_request(facts jsonb, folder text, file_type text, page_token text, page_size int)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE folder
        WHEN 'shared_drives' THEN jsonb_build_object('url', (facts ->> 'api_url') || '/drives?fields=nextPageToken,drives(id,name,createdTime)&pageSize='
            || least(page_size, 100) || coalesce('&pageToken=' || orla.percent_encode(page_token), ''))
        WHEN 'shared_with_me' THEN orla.google_drive_request(facts, 'sharedWithMe = true and trashed = false', 'folder,name_natural', page_token, page_size)
        ELSE orla.google_drive_request(facts, orla.google_drive_literal(split_part(orla.google_drive_check_id(coalesce(folder, 'root')), '/', 1))
                                              || ' in parents and trashed = false', 'folder,name_natural', page_token, page_size)
             || orla.google_drive_keys(coalesce(folder, 'root')) END;
END
$$;
REVOKE ALL ON FUNCTION orla.google_drive_list_request(jsonb, text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_list_request(jsonb, text, text, text, int) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_list_request(jsonb, text, text, text, int) IS
    'Lists a folder, what others share, or the shared drives.';

CREATE FUNCTION orla.google_drive_search_request(facts jsonb, query text, file_type text, page_token text, page_size int)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.google_drive_request(facts,
        format('(name contains %1$s or fullText contains %1$s) and trashed = false', orla.google_drive_literal(query))
        || coalesce(' and (' || (SELECT string_agg(format('mimeType %s %s', CASE WHEN t LIKE '%/' THEN 'contains' ELSE '=' END, orla.google_drive_literal(t)), ' or ')
                                   FROM unnest(CASE file_type WHEN 'folder' THEN '{application/vnd.google-apps.folder}' ELSE orla.media_types(file_type) END) AS t) || ')', ''),
        NULL, page_token, page_size);    -- a search of texts cannot be ordered
END
$$;
REVOKE ALL ON FUNCTION orla.google_drive_search_request(jsonb, text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_search_request(jsonb, text, text, text, int) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_search_request(jsonb, text, text, text, int) IS
    'Searches names and texts.';

CREATE FUNCTION orla.google_drive_item_request(facts jsonb, file_id text)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('url', (facts ->> 'api_url') || '/files/' || orla.percent_encode(split_part(orla.google_drive_check_id(file_id), '/', 1))
        || '?supportsAllDrives=true&fields=id,name,mimeType,size,modifiedTime,parents,webViewLink,md5Checksum,shortcutDetails,resourceKey')
        || orla.google_drive_keys(file_id);
END
$$;
REVOKE ALL ON FUNCTION orla.google_drive_item_request(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_item_request(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_item_request(jsonb, text) IS
    'files.get of the Drive API.';

-- A shortcut stands for its target.  Whoever has a key goes on with it.
CREATE FUNCTION orla.google_drive_id(item jsonb, file_id text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN item #>> '{shortcutDetails,targetId}' IS NOT NULL
                    THEN orla.google_drive_with_key(item #>> '{shortcutDetails,targetId}', item #>> '{shortcutDetails,targetResourceKey}')
                WHEN split_part(file_id, '/', 1) = item ->> 'id' AND file_id LIKE '%/%' THEN file_id
                ELSE orla.google_drive_with_key(item ->> 'id', item ->> 'resourceKey') END;
REVOKE ALL ON FUNCTION orla.google_drive_id(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_id(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_id(jsonb, text) IS
    'The id of the file that an item stands for.';

-- Google's own documents have no bytes: they are exported, to text where the
-- text is wanted, else to what an office program opens.
CREATE FUNCTION orla.google_drive_content_request(facts jsonb, item jsonb, file_id text, as_text boolean)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
    SELECT CASE
        WHEN item ->> 'mimeType' NOT LIKE 'application/vnd.google-apps.%' THEN
            jsonb_build_object('url', file.url || '?alt=media&supportsAllDrives=true')
        WHEN e.media_type IS NOT NULL THEN
            jsonb_build_object('url', file.url || '/export?mimeType=' || orla.percent_encode(e.media_type), 'as', e.media_type, 'extension', e.extension)
        END || orla.google_drive_keys(file_id)
      FROM (SELECT (facts ->> 'api_url') || '/files/' || orla.percent_encode(split_part(file_id, '/', 1))) AS file (url)
      LEFT JOIN (VALUES
            ('application/vnd.google-apps.document', true, 'text/plain', '.txt'),
            ('application/vnd.google-apps.spreadsheet', true, 'text/csv', '.csv'),
            ('application/vnd.google-apps.presentation', true, 'text/plain', '.txt'),
            ('application/vnd.google-apps.drawing', true, 'image/png', '.png'),
            ('application/vnd.google-apps.document', false, 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', '.docx'),
            ('application/vnd.google-apps.spreadsheet', false, 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', '.xlsx'),
            ('application/vnd.google-apps.presentation', false, 'application/vnd.openxmlformats-officedocument.presentationml.presentation', '.pptx'),
            ('application/vnd.google-apps.drawing', false, 'image/png', '.png')) AS e (native, text_wanted, media_type, extension)
        ON e.native = item ->> 'mimeType' AND e.text_wanted = as_text);
END
$$;
REVOKE ALL ON FUNCTION orla.google_drive_content_request(jsonb, jsonb, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_content_request(jsonb, jsonb, text, boolean) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_content_request(jsonb, jsonb, text, boolean) IS
    'The bytes of a file, or an export; NULL where there is neither.';

-- The size of Google's own documents is not that of anything that one gets.
CREATE FUNCTION orla.google_drive_rows(facts jsonb, answer jsonb, folder text)
    RETURNS SETOF orla.file_row
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    folder_id text := split_part(folder, '/', 1);
BEGIN
    RETURN QUERY
    SELECT CASE WHEN i.shortcut ->> 'targetId' IS NOT NULL THEN orla.google_drive_with_key(i.shortcut ->> 'targetId', i.shortcut ->> 'targetResourceKey')
                WHEN i.entry ? 'resourceKey' THEN orla.google_drive_with_key(i.id, i.entry ->> 'resourceKey')
                ELSE i.id END, i.entry ->> 'name', i.media_type,
           coalesce(i.media_type = 'application/vnd.google-apps.folder', false),
           CASE WHEN i.media_type NOT LIKE 'application/vnd.google-apps.%' THEN orla.to_bigint(i.entry ->> 'size') END,
           orla.to_time(i.entry ->> 'modifiedTime'), CASE WHEN i.parent = folder_id THEN folder ELSE i.parent END,
           i.entry ->> 'webViewLink', i.entry ->> 'md5Checksum'
      FROM (SELECT e.entry, s.shortcut, coalesce(s.shortcut ->> 'targetMimeType', e.entry ->> 'mimeType') AS media_type,
                   e.entry ->> 'id' AS id, e.entry -> 'parents' ->> 0 AS parent
              FROM orla.entries_of(answer, 'files') AS e (entry), LATERAL (SELECT e.entry -> 'shortcutDetails' OFFSET 0) AS s (shortcut)
            OFFSET 0) AS i
     WHERE i.id IS NOT NULL
    UNION ALL
    SELECT d ->> 'id', d ->> 'name', 'application/vnd.google-apps.folder', true, NULL, orla.to_time(d ->> 'createdTime'), NULL, NULL, NULL
      FROM orla.entries_of(jsonb_build_object('drives', answer -> 'drives'), 'drives') AS d
     WHERE d ->> 'id' IS NOT NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.google_drive_rows(jsonb, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_rows(jsonb, jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_rows(jsonb, jsonb, text) IS
    'The files in an answer.';

CREATE FUNCTION orla.google_drive_next_page(facts jsonb, answer jsonb)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN nullif(answer ->> 'nextPageToken', '');
END
$$;
REVOKE ALL ON FUNCTION orla.google_drive_next_page(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_next_page(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_next_page(jsonb, jsonb) IS
    'The token of the next page.';

-- 403 is both throttling and permission: the reason tells, never the text.
CREATE FUNCTION orla.google_drive_refusal(a orla.file_answer)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN a.status = 401 THEN 'unauthorized'
        WHEN a.status = 429 OR r.reason IN ('rateLimitExceeded', 'userRateLimitExceeded') THEN 'busy'
        WHEN r.reason = 'insufficientPermissions' THEN 'scope'
        WHEN r.reason IN ('fileNotDownloadable', 'fileNotExportable', 'cannotDownloadFile', 'cannotDownloadAbusiveFile', 'cannotExportFile',
                          'exportSizeLimitExceeded', 'downloadQuotaExceeded') THEN 'not_downloadable'
        WHEN r.reason IN ('accessNotConfigured', 'domainPolicy', 'dailyLimitExceeded', 'quotaExceeded') THEN 'operator'
        WHEN a.status = 404 OR r.reason IN ('insufficientFilePermissions', 'appNotAuthorizedToFile') THEN 'not_found'
        WHEN a.status = 400 AND r.location = 'pageToken' THEN 'page'
        ELSE 'other' END
      FROM (SELECT a.object #>> '{error,errors,0,reason}', a.object #>> '{error,errors,0,location}') AS r (reason, location)
$$;
REVOKE ALL ON FUNCTION orla.google_drive_refusal(orla.file_answer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.google_drive_refusal(orla.file_answer) TO orla_service;
COMMENT ON FUNCTION orla.google_drive_refusal(orla.file_answer) IS
    'What a refusal of the Drive API means, as of orla.raise_file_error().';
