-- Files of a connection, as an HTTP layer shows them.
--
-- SECURITY DEFINER: tokens are orla_service's.  Whose connection it is is told by
-- the proven tenant, never by an argument.
--
-- STABLE is what reads: HTTP layers then offer it as a GET or a query, in a READ
-- ONLY transaction.  A refresh that it may need is the worker's business.

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

-- PostgREST: bytes whose type a header tells.
CREATE DOMAIN orla_api."*/*" AS bytea;
COMMENT ON DOMAIN orla_api."*/*" IS 'Bytes; Content-Type tells of what.';
REVOKE ALL ON TYPE orla_api."*/*" FROM PUBLIC;
GRANT USAGE ON TYPE orla_api."*/*" TO orla_user, orla_gateway, orla_service;

CREATE FUNCTION orla_api.files(provider text, folder_id text DEFAULT NULL, page_token text DEFAULT NULL, page_size int DEFAULT 100)
    RETURNS SETOF orla_api.file
    LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT files.provider, (l.file).id, (l.file).name, (l.file).mime_type, (l.file).is_folder, (l.file).size, (l.file).modified_at,
           (l.file).parent_id, (l.file).web_url, (l.file).hash, l.next_page_token
      FROM orla.list_files(files.provider, nullif(folder_id, ''), NULL, NULL, nullif(page_token, ''), page_size) AS l;
END
$$;
ALTER FUNCTION orla_api.files(text, text, text, int) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.files(text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.files(text, text, text, int) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.files(text, text, text, int) IS
    'The files of a folder of your connection, page by page.

folder_id is an id of a folder; nothing, or root, is the root. At Google and OneDrive there are also shared_with_me and shared_drives; at Dropbox both stand among the folders of the root, those of a team, too. page_size (1 to 1000) is a wish: a page has as many entries as the provider gives, and at least one. A token is good for the same folder alone.

Errors: 28000 without a tenant, 22023 for an unknown provider, for what cannot be an id, and for a page token that the provider does not know (any more), PT409 where there is no connection that works, PT404, PT502, PT503.';

CREATE FUNCTION orla_api.search_files(provider text, query text, file_type text DEFAULT NULL, page_token text DEFAULT NULL)
    RETURNS SETOF orla_api.file
    LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(btrim(query), '') = '' OR char_length(query) > 500 THEN
        RAISE EXCEPTION 'invalid search text'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It has 1 to 500 characters.';
    END IF;
    RETURN QUERY
    SELECT search_files.provider, (l.file).id, (l.file).name, (l.file).mime_type, (l.file).is_folder, (l.file).size, (l.file).modified_at,
           (l.file).parent_id, (l.file).web_url, (l.file).hash, l.next_page_token
      FROM orla.list_files(search_files.provider, NULL, query, orla.check_file_type(nullif(file_type, '')), nullif(page_token, ''), 100) AS l;
END
$$;
ALTER FUNCTION orla_api.search_files(text, text, text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.search_files(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.search_files(text, text, text, text) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.search_files(text, text, text, text) IS
    'Files of your connection that have these words in their name or their text, as the provider searches.

query has 1 to 500 characters and is text, whatever stands in it. file_type: folder, document, spreadsheet, presentation, pdf, image, audio or video. Dropbox may give the same entry on two pages.

Errors: as of files().';

CREATE FUNCTION orla_api.download_file(provider text, file_id text)
    RETURNS orla_api."*/*"
    LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (orla.download_file(provider, file_id)).content;     -- not by way of a variable: it would be copied
END
$$;
ALTER FUNCTION orla_api.download_file(text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.download_file(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.download_file(text, text) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.download_file(text, text) IS
    'The bytes of a file of your connection.

Up to orla.max_download. What Google or Dropbox have no bytes of comes as an office file: .docx, .xlsx, .pptx, a drawing as .png. Sets the setting response.headers, of which PostgREST makes headers: Content-Type, Content-Disposition with the name (RFC 6266), X-Content-Type-Options: nosniff, and what keeps a page from running it, others from reading it, and caches from keeping it (Content-Security-Policy: default-src ''none''; sandbox, Cross-Origin-Resource-Policy, Cache-Control: private, no-cache). Scripts and style sheets come as application/octet-stream.

Errors: as of files(), PT413 for a file that is larger, 22023 for what has no bytes.';

CREATE FUNCTION orla_api.import_file(provider text, file_id text, category text)
    RETURNS orla_api.brand_voice_assets
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    asset uuid;
    made  orla_api.brand_voice_assets;
BEGIN
    PERFORM orla.require_writable('import_file');     -- before anything is fetched that could not be stored
    asset := orla.import_file(provider, file_id, category);
    SELECT * INTO made FROM orla_api.brand_voice_assets AS a WHERE a.id = asset;
    RETURN made;
END
$$;
ALTER FUNCTION orla_api.import_file(text, text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.import_file(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.import_file(text, text, text) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.import_file(text, text, text) IS
    'Brings a file of your connection into your brand material, with the text that is found in it.

Returns the row that was made of it. The provider''s own documents come as text.

Errors: as of download_file(), 22023 for an unknown category, PT507 where you have no room for it, 25006 in a READ ONLY transaction.';
