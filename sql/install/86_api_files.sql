-- Files of a connection, as an HTTP layer shows them.
--
-- SECURITY DEFINER: tokens are orla_service's.  Whose connection it is is told by
-- the proven tenant, never by an argument.
--
-- STABLE is what reads: HTTP layers then offer it as a GET or a query, in a READ
-- ONLY transaction.  A refresh that it may need is the worker's business.

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
    SELECT * FROM orla.list_files(files.provider, nullif(folder_id, ''), NULL, NULL, nullif(page_token, ''), page_size);
END
$$;
ALTER FUNCTION orla_api.files(text, text, text, int) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.files(text, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.files(text, text, text, int) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.files(text, text, text, int) IS
    'The files of a folder of your connection, page by page. folder_id: an id of a folder; nothing for the root; shared_with_me and shared_drives at Google and OneDrive. page_size: 1 to 1000, as a wish. Errors: PT409 where there is no connection that works, PT404, PT502, PT503.';

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
    SELECT * FROM orla.list_files(search_files.provider, NULL, query, orla.check_file_type(nullif(file_type, '')), nullif(page_token, ''), 100);
END
$$;
ALTER FUNCTION orla_api.search_files(text, text, text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.search_files(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.search_files(text, text, text, text) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.search_files(text, text, text, text) IS
    'Files of your connection whose name or text has these words. file_type: folder, document, spreadsheet, presentation, pdf, image, audio or video. Errors: as of files().';

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
    'A file of your connection, orla.max_download at most; documents of the provider''s own as an office file. Errors: as of files(), PT413 for one that is too large, 22023 for one without bytes.';

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
    'Brings a file of your connection into your brand material, with the text that is found in it. Errors: as of download_file(), 22023 for an unknown category, PT507 where you have no room for it.';
