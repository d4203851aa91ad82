-- The text in a file.
CREATE FUNCTION orla.extract_text(content bytea, media_type text)
    RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN media_type LIKE 'text/%' THEN convert_from(content, 'UTF8') END;
EXCEPTION WHEN data_exception OR character_not_in_repertoire THEN
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.extract_text(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.extract_text(bytea, text) TO orla_service;
COMMENT ON FUNCTION orla.extract_text(bytea, text) IS
    'The text in a file, NULL where there is none that can be read.';
