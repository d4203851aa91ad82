-- What kind of file it is: media types, and the types that people search for.

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
