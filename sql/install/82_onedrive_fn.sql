-- OneDrive and SharePoint: Microsoft Graph, version 1.0.

-- An item of another drive than the person's own has its drive in its id, before
-- a slash; ids have none themselves.
CREATE FUNCTION orla.onedrive_path(id text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
    SELECT CASE WHEN checked LIKE '%/%' THEN '/drives/' || orla.percent_encode(split_part(checked, '/', 1)) || '/items/' || orla.percent_encode(split_part(checked, '/', 2))
                ELSE '/me/drive/items/' || orla.percent_encode(checked) END
      FROM orla.check_file_id(id, '^[^/]+(/[^/]+)?$') AS checked);
END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_path(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_path(text) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_path(text) IS
    'The path of an item in Graph. Errors: 22023.';

-- A page token is the address of the next page, as Graph gave it.  One that leads
-- elsewhere than to the drives of the API is nobody's to follow: the token of the
-- connection would go along.
CREATE FUNCTION orla.onedrive_leads_to_drives(facts jsonb, url text)
    RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN starts_with(url, (facts ->> 'api_url') || '/')
           AND substr(url, length(facts ->> 'api_url') + 1) ~* '^/((me|users[/(][^/?#]*)/drives?|drives|sites)[/(?]'
           AND url !~ '[[:cntrl:][:space:]#]' AND regexp_replace(url, '[?].*', '') !~* '/([.]|%2e){1,2}(/|$)';
END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_leads_to_drives(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_leads_to_drives(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_leads_to_drives(jsonb, text) IS
    'Whether a text is an address of Graph that lists files.';

CREATE FUNCTION orla.onedrive_page(facts jsonb, page_token text, first text)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF page_token IS NULL THEN
        RETURN jsonb_build_object('url', (facts ->> 'api_url') || first);
    ELSIF NOT orla.onedrive_leads_to_drives(facts, page_token) THEN
        PERFORM orla.raise_file_error('page', 'It is none of this provider');
    END IF;
    RETURN jsonb_build_object('url', page_token);
END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_page(jsonb, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_page(jsonb, text, text) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_page(jsonb, text, text) IS
    'A request for the first or a later page. Errors: 22023.';

CREATE FUNCTION orla.onedrive_list_request(facts jsonb, folder text, file_type text, page_token text, page_size int)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.onedrive_page(facts, page_token, CASE
        WHEN folder = 'shared_with_me' THEN '/me/drive/sharedWithMe?$top=' || page_size
        WHEN folder = 'shared_drives' THEN '/me/drives?$top=' || page_size
        ELSE CASE WHEN folder IS NULL OR folder = 'root' THEN '/me/drive/root' ELSE orla.onedrive_path(folder) END
             || '/children?$top=' || page_size
             || '&$select=id,name,size,file,folder,package,remoteItem,parentReference,lastModifiedDateTime,webUrl,deleted' END);
END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_list_request(jsonb, text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_list_request(jsonb, text, text, text, int) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_list_request(jsonb, text, text, text, int) IS
    'Lists a folder, what others share, or all drives.';

-- The text stands in a literal of OData, where a quote is doubled.
CREATE FUNCTION orla.onedrive_search_request(facts jsonb, query text, file_type text, page_token text, page_size int)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.onedrive_page(facts, page_token,
        '/me/drive/search(q=''' || orla.percent_encode(replace(query, '''', '''''')) || ''')?$top=' || page_size);
END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_search_request(jsonb, text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_search_request(jsonb, text, text, text, int) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_search_request(jsonb, text, text, text, int) IS
    'Searches the person''s drive and what others share.';

CREATE FUNCTION orla.onedrive_item_request(facts jsonb, file_id text)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('url', (facts ->> 'api_url') || orla.onedrive_path(file_id)
        || '?$select=id,name,size,file,folder,package,remoteItem,parentReference,lastModifiedDateTime,webUrl');
END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_item_request(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_item_request(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_item_request(jsonb, text) IS
    'An item''s facts.';

-- An item that lies elsewhere is known here by another id.
CREATE FUNCTION orla.onedrive_id(item jsonb, file_id text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN item #>> '{remoteItem,id}' IS NOT NULL
                THEN coalesce((item #>> '{remoteItem,parentReference,driveId}') || '/', '') || (item #>> '{remoteItem,id}')
                WHEN file_id LIKE '%/%' THEN coalesce(item #>> '{parentReference,driveId}', split_part(file_id, '/', 1)) || '/' || (item ->> 'id')
                ELSE item ->> 'id' END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_id(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_id(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_id(jsonb, text) IS
    'The id of an item, with its drive where that is not the person''s own; file_id: an id of the same drive.';

-- Answered by a redirect to an address that works without a token, and must not
-- be given one.
CREATE FUNCTION orla.onedrive_content_request(facts jsonb, item jsonb, file_id text, as_text boolean)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object('url', (facts ->> 'api_url') || orla.onedrive_path(file_id) || '/content')
     WHERE item ? 'file' OR item #> '{remoteItem,file}' IS NOT NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_content_request(jsonb, jsonb, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_content_request(jsonb, jsonb, text, boolean) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_content_request(jsonb, jsonb, text, boolean) IS
    'The bytes of a file; nothing for what has none, such as a notebook.';

-- A drive is listed as the folder that its root is.
CREATE FUNCTION orla.onedrive_rows(facts jsonb, answer jsonb, folder text)
    RETURNS SETOF orla.file_row
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT CASE WHEN i."remoteItem" IS NULL AND strpos(coalesce(onedrive_rows.folder, ''), '/') = 0 THEN o.id ELSE orla.onedrive_id(e.entry, onedrive_rows.folder) END,
           coalesce(i.name, o.name),
           CASE WHEN o.folder IS NULL THEN coalesce(o.file ->> 'mimeType', orla.media_type_of(coalesce(i.name, o.name))) END,
           o.folder IS NOT NULL,
           CASE WHEN o.folder IS NULL THEN orla.to_bigint(o.size) END,
           orla.to_time(coalesce(o."lastModifiedDateTime", i."lastModifiedDateTime")),
           CASE WHEN i."remoteItem" IS NULL AND onedrive_rows.folder LIKE '%/%' THEN coalesce(i."parentReference" ->> 'driveId', split_part(onedrive_rows.folder, '/', 1)) || '/' ELSE '' END
           || (i."parentReference" ->> 'id'),
           coalesce(i."webUrl", o."webUrl"),
           coalesce(o.file #>> '{hashes,quickXorHash}', o.file #>> '{hashes,sha1Hash}', o.file #>> '{hashes,sha256Hash}')
      FROM orla.entries_of(answer, 'value') AS e (entry)
     CROSS JOIN LATERAL jsonb_to_record(e.entry) AS i (name text, "remoteItem" jsonb, "parentReference" jsonb, "lastModifiedDateTime" text, "webUrl" text, deleted jsonb, "driveType" text)
     CROSS JOIN LATERAL jsonb_to_record(CASE WHEN jsonb_typeof(i."remoteItem") = 'object' THEN i."remoteItem" ELSE e.entry END)
                        AS o (id text, name text, size text, file jsonb, folder jsonb, "lastModifiedDateTime" text, "webUrl" text)
     WHERE o.id IS NOT NULL AND i.deleted IS NULL AND i."driveType" IS NULL
    UNION ALL
    SELECT (d ->> 'id') || '/root', coalesce(d ->> 'name', d ->> 'id'), NULL, true, NULL, orla.to_time(d ->> 'lastModifiedDateTime'), NULL, d ->> 'webUrl', NULL
      FROM orla.entries_of(answer - 'item', 'value') AS d
     WHERE d ->> 'id' IS NOT NULL AND d ? 'driveType';
END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_rows(jsonb, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_rows(jsonb, jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_rows(jsonb, jsonb, text) IS
    'The items in an answer.';

CREATE FUNCTION orla.onedrive_next_page(facts jsonb, answer jsonb)
    RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    next_link text := answer ->> '@odata.nextLink';
BEGIN
    IF NOT orla.onedrive_leads_to_drives(facts, next_link) OR octet_length(next_link) > 8000 THEN
        PERFORM orla.raise_file_error('foreign', 'The next page is not one of its own');
    END IF;
    RETURN next_link;
END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_next_page(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_next_page(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_next_page(jsonb, jsonb) IS
    'The address of the next page. Errors: PT502 for one that leads elsewhere.';

-- An id that is none of Graph's is answered by 400.
CREATE FUNCTION orla.onedrive_refusal(a orla.file_answer)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN a.status = 401 THEN 'unauthorized'
        WHEN a.status = 429 THEN 'busy'
        WHEN a.status IN (403, 404, 410) THEN 'not_found'
        WHEN a.status = 400 AND a.object #>> '{error,code}' IN ('invalidRequest', 'invalidResourceId', 'malformedEntityTag', 'itemNotFound') THEN 'not_found'
        ELSE 'other' END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_refusal(orla.file_answer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_refusal(orla.file_answer) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_refusal(orla.file_answer) IS
    'What a refusal of Graph means, as of orla.raise_file_error().';
