-- OneDrive and SharePoint: Microsoft Graph, version 1.0.

-- An item of another drive than the person's own has its drive in its id, before
-- a slash; ids have none themselves.
CREATE FUNCTION orla.onedrive_path(id text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN id IS NULL THEN '/me/drive/root'
                WHEN strpos(id, '/') > 0 THEN '/drives/' || orla.percent_encode(split_part(id, '/', 1)) || '/items/' || orla.percent_encode(split_part(id, '/', 2))
                ELSE '/me/drive/items/' || orla.percent_encode(id) END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_path(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_path(text) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_path(text) IS
    'The path of an item in Graph.';

-- A page token is the address of the next page, as Graph gave it; one that leads
-- elsewhere than to the API is nobody's to follow.
CREATE FUNCTION orla.onedrive_page(facts jsonb, page_token text, first text)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF page_token IS NULL THEN
        RETURN jsonb_build_object('url', (facts ->> 'api_url') || first);
    ELSIF NOT starts_with(page_token, (facts ->> 'api_url') || '/') OR page_token ~ '[[:cntrl:][:space:]]' OR page_token ~ '/[.][.]?(/|$|[?])' THEN
        RAISE EXCEPTION 'invalid page token'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Begin with the first page again.';
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
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.onedrive_page(facts, page_token, CASE
        WHEN folder = 'shared_with_me' THEN '/me/drive/sharedWithMe?$top=' || page_size
        ELSE orla.onedrive_path(CASE WHEN folder IS NULL OR folder = 'root' THEN NULL ELSE orla.check_file_id(folder) END)
             || '/children?$top=' || page_size
             || '&$select=id,name,size,file,folder,package,remoteItem,parentReference,lastModifiedDateTime,webUrl,deleted' END)
$$;
REVOKE ALL ON FUNCTION orla.onedrive_list_request(jsonb, text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_list_request(jsonb, text, text, text, int) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_list_request(jsonb, text, text, text, int) IS
    'Lists a folder, or what others share.';

-- The text stands in a literal of OData, where a quote is doubled.
CREATE FUNCTION orla.onedrive_search_request(facts jsonb, query text, file_type text, page_token text, page_size int)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.onedrive_page(facts, page_token,
        '/me/drive/root/search(q=''' || orla.percent_encode(replace(query, '''', '''''')) || ''')?$top=' || page_size)
$$;
REVOKE ALL ON FUNCTION orla.onedrive_search_request(jsonb, text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_search_request(jsonb, text, text, text, int) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_search_request(jsonb, text, text, text, int) IS
    'Searches the person''s drive.';

CREATE FUNCTION orla.onedrive_item_request(facts jsonb, file_id text)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('url', (facts ->> 'api_url') || orla.onedrive_path(file_id)
        || '?$select=id,name,size,file,folder,package,remoteItem,parentReference,lastModifiedDateTime,webUrl')
$$;
REVOKE ALL ON FUNCTION orla.onedrive_item_request(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_item_request(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_item_request(jsonb, text) IS
    'An item''s facts.';

-- Answered by a redirect to an address that works without a token, and must not
-- be given one.
CREATE FUNCTION orla.onedrive_content_request(facts jsonb, item jsonb, as_text boolean)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN item ? 'file' OR item #> '{remoteItem,file}' IS NOT NULL THEN
        jsonb_build_object('url', (facts ->> 'api_url') || orla.onedrive_path((SELECT r.id FROM orla.onedrive_rows(facts, jsonb_build_object('item', item), NULL) AS r)) || '/content') END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_content_request(jsonb, jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_content_request(jsonb, jsonb, boolean) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_content_request(jsonb, jsonb, boolean) IS
    'The bytes of a file; NULL for what has none, such as a notebook.';

CREATE FUNCTION orla.onedrive_rows(facts jsonb, answer jsonb, folder text)
    RETURNS SETOF orla.file_row
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN i ? 'remoteItem' AND o #>> '{parentReference,driveId}' IS NOT NULL
                THEN (o #>> '{parentReference,driveId}') || '/' || (o ->> 'id')
                WHEN folder LIKE '%/%' AND o #>> '{parentReference,driveId}' IS NOT NULL
                THEN (o #>> '{parentReference,driveId}') || '/' || (o ->> 'id')
                ELSE o ->> 'id' END,
           coalesce(i ->> 'name', o ->> 'name'),
           CASE WHEN o ? 'folder' THEN NULL ELSE coalesce(o #>> '{file,mimeType}', orla.media_type_of(coalesce(i ->> 'name', o ->> 'name'))) END,
           o ? 'folder',
           CASE WHEN o ? 'folder' THEN NULL ELSE orla.to_bigint(o ->> 'size') END,
           orla.to_time(coalesce(o ->> 'lastModifiedDateTime', i ->> 'lastModifiedDateTime')),
           coalesce(i #>> '{parentReference,id}', o #>> '{parentReference,id}'), coalesce(i ->> 'webUrl', o ->> 'webUrl'),
           coalesce(o #>> '{file,hashes,quickXorHash}', o #>> '{file,hashes,sha1Hash}')
      FROM orla.entries_of(answer, 'value') AS i
     CROSS JOIN LATERAL (SELECT CASE WHEN jsonb_typeof(i -> 'remoteItem') = 'object' THEN i -> 'remoteItem' ELSE i END) AS item (o)
     WHERE jsonb_typeof(o -> 'id') = 'string' AND NOT i ? 'deleted'
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
    IF NOT starts_with(next_link, (facts ->> 'api_url') || '/') THEN
        RAISE EXCEPTION 'the provider does not answer'
            USING ERRCODE = 'PT502', DETAIL = 'Its next page leads to another host.';
    END IF;
    RETURN next_link;
END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_next_page(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_next_page(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_next_page(jsonb, jsonb) IS
    'The address of the next page. Errors: PT502 for one that leads elsewhere.';

CREATE FUNCTION orla.onedrive_refusal(a orla.file_answer)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN a.failure = 'too_large' THEN 'too_large'
        WHEN a.failure IS NOT NULL OR a.status >= 500 OR a.status = 408 THEN 'unavailable'
        WHEN a.status = 401 THEN 'unauthorized'
        WHEN a.status = 429 THEN 'busy'
        WHEN a.status IN (403, 404, 410) THEN 'not_found'
        WHEN a.status = 400 AND orla.answer_json(a) #>> '{error,code}' = 'invalidRequest' AND orla.answer_json(a) #>> '{error,message}' ILIKE '%skiptoken%' THEN 'page'
        ELSE 'other' END
$$;
REVOKE ALL ON FUNCTION orla.onedrive_refusal(orla.file_answer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.onedrive_refusal(orla.file_answer) TO orla_service;
COMMENT ON FUNCTION orla.onedrive_refusal(orla.file_answer) IS
    'What a refusal of Graph means, as of orla.raise_file_error().';
