-- Full-text search that keeps its index behind a policy (src/search.c).

-- LEAKPROOF is argued in docs/security.md: whether the match raises depends
-- on the query alone, never on a stored value, and it prints nothing.
CREATE FUNCTION orla.matches(document tsvector, query tsquery)
    RETURNS boolean
    LANGUAGE C IMMUTABLE LEAKPROOF STRICT PARALLEL SAFE
    COST 2
    AS 'MODULE_PATHNAME', 'orla_matches';
REVOKE ALL ON FUNCTION orla.matches(tsvector, tsquery) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.matches(tsvector, tsquery)
    TO orla_user, orla_analyst, orla_gateway, orla_service;
COMMENT ON FUNCTION orla.matches(tsvector, tsquery) IS
    'The match of @@, marked leak-proof so that an index serves it behind a policy.';

CREATE OPERATOR orla.@@@ (
    LEFTARG = tsvector,
    RIGHTARG = tsquery,
    FUNCTION = orla.matches,
    RESTRICT = tsmatchsel,
    JOIN = tsmatchjoinsel
);
COMMENT ON OPERATOR orla.@@@ (tsvector, tsquery) IS
    'document matches query; as @@, but usable by an index behind a policy';

CREATE OPERATOR FAMILY orla.tsvector_gin_ops USING gin;
CREATE OPERATOR CLASS orla.tsvector_gin_ops
    FOR TYPE tsvector USING gin FAMILY orla.tsvector_gin_ops AS
    OPERATOR 1 orla.@@@ (tsvector, tsquery),
    FUNCTION 1 gin_cmp_tslexeme(text, text),
    FUNCTION 2 gin_extract_tsvector(tsvector, internal, internal),
    FUNCTION 3 gin_extract_tsquery(tsvector, internal, smallint, internal, internal, internal, internal),
    FUNCTION 4 gin_tsquery_consistent(internal, smallint, tsvector, integer, internal, internal, internal, internal),
    FUNCTION 5 gin_cmp_prefix(text, text, smallint, internal),
    FUNCTION 6 gin_tsquery_triconsistent(internal, smallint, tsvector, integer, internal, internal, internal),
    STORAGE text;
COMMENT ON OPERATOR CLASS orla.tsvector_gin_ops USING gin IS
    'GIN over tsvector for the operator orla.@@@';

CREATE FUNCTION orla.uuid_gin_extract_value(value uuid, entries internal)
    RETURNS internal
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_uuid_gin_extract_value';
REVOKE ALL ON FUNCTION orla.uuid_gin_extract_value(uuid, internal) FROM PUBLIC;
COMMENT ON FUNCTION orla.uuid_gin_extract_value(uuid, internal) IS
    'GIN support: the one entry of a stored uuid.';

CREATE FUNCTION orla.uuid_gin_extract_query(value uuid, entries internal, strategy smallint, partial internal, extra internal)
    RETURNS internal
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_uuid_gin_extract_query';
REVOKE ALL ON FUNCTION orla.uuid_gin_extract_query(uuid, internal, smallint, internal, internal) FROM PUBLIC;
COMMENT ON FUNCTION orla.uuid_gin_extract_query(uuid, internal, smallint, internal, internal) IS
    'GIN support: the one entry asked for.';

CREATE FUNCTION orla.uuid_gin_consistent(checks internal, strategy smallint, value uuid, entries integer, extra internal, recheck internal, query_entries internal, null_flags internal)
    RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_uuid_gin_consistent';
REVOKE ALL ON FUNCTION orla.uuid_gin_consistent(internal, smallint, uuid, integer, internal, internal, internal, internal) FROM PUBLIC;
COMMENT ON FUNCTION orla.uuid_gin_consistent(internal, smallint, uuid, integer, internal, internal, internal, internal) IS
    'GIN support: an entry found is the value asked for.';

CREATE OPERATOR FAMILY orla.uuid_gin_ops USING gin;
CREATE OPERATOR CLASS orla.uuid_gin_ops
    FOR TYPE uuid USING gin FAMILY orla.uuid_gin_ops AS
    OPERATOR 1 = (uuid, uuid),
    FUNCTION 1 uuid_cmp(uuid, uuid),
    FUNCTION 2 orla.uuid_gin_extract_value(uuid, internal),
    FUNCTION 3 orla.uuid_gin_extract_query(uuid, internal, smallint, internal, internal),
    FUNCTION 4 orla.uuid_gin_consistent(internal, smallint, uuid, integer, internal, internal, internal, internal),
    STORAGE uuid;
COMMENT ON OPERATOR CLASS orla.uuid_gin_ops USING gin IS
    'GIN over uuid, equality only, to put the tenant before the words';

-- A tag is a lexeme of its own, '#' and the tag in lower case, so that one
-- index serves words and tags.
CREATE FUNCTION orla.tag_lexemes(tags text[])
    RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN ARRAY(SELECT '#' || left(lower(tag), 200)
                   FROM unnest(tags) AS tag
                  WHERE tag IS NOT NULL);
REVOKE ALL ON FUNCTION orla.tag_lexemes(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.tag_lexemes(text[])
    TO orla_user, orla_analyst, orla_gateway, orla_service;
COMMENT ON FUNCTION orla.tag_lexemes(text[]) IS
    'The lexemes under which tags are indexed.';

-- A vector holds 1 MB.  What fills it most are hyphenated words of letters that
-- take several bytes, nearly 8 bytes for a character: hence half as much of a
-- text that has many of them.
CREATE FUNCTION orla.search_document(title text, body text, tags text[])
    RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN setweight(to_tsvector('pg_catalog.simple'::regconfig, coalesce(title, '')), 'A')
        || setweight(to_tsvector('pg_catalog.simple'::regconfig,
                                 left(coalesce(body, ''),
                                      CASE WHEN octet_length(left(body, 200000)) > 250000 THEN 100000
                                           ELSE 200000 END)), 'B')
        || array_to_tsvector(orla.tag_lexemes(coalesce(tags, '{}')));
REVOKE ALL ON FUNCTION orla.search_document(text, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.search_document(text, text, text[])
    TO orla_user, orla_analyst, orla_gateway, orla_service;
COMMENT ON FUNCTION orla.search_document(text, text, text[]) IS
    'What search knows of a piece of content: title (A), the first 200,000 characters of the text (B; 100,000 where letters take several bytes), tags.';

CREATE FUNCTION orla.search_query(query text, tags text[])
    RETURNS tsquery
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT CASE WHEN count(lexeme) = 0 THEN websearch_to_tsquery('pg_catalog.simple'::regconfig, coalesce(query, ''))
                        -- an empty text as a tsquery would raise a NOTICE
                        ELSE websearch_to_tsquery('pg_catalog.simple'::regconfig, coalesce(query, ''))
                             && string_agg(format('''%s''', replace(replace(lexeme, '\', '\\'), '''', '''''')), ' & ')::tsquery END
              FROM unnest(orla.tag_lexemes(coalesce(tags, '{}'))) AS lexeme);
REVOKE ALL ON FUNCTION orla.search_query(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.search_query(text, text[])
    TO orla_user, orla_analyst, orla_gateway, orla_service;
COMMENT ON FUNCTION orla.search_query(text, text[]) IS
    'The question that finds content by words, in the way people type them into a search box, and by all of the tags.';
