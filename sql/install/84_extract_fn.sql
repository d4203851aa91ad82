-- The text in a file (src/extract.c).

CREATE FUNCTION orla.extract_text(
    content bytea, media_type text, OUT full_text text, OUT outcome text, OUT found_type text)
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_extract_text_sql';
REVOKE ALL ON FUNCTION orla.extract_text(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.extract_text(bytea, text) TO orla_service;
COMMENT ON FUNCTION orla.extract_text(bytea, text) IS
    'The text in a file, which is read by a program in a process under guard. outcome: found, cut, or why full_text is NULL: no text, encrypted, damaged, too large, took too long, unknown format, no tool. found_type: the media type as the bytes tell it, NULL where they do not.';
