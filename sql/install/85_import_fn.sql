-- Bringing a file of a connection into the brand material.

-- RFC 6266 and 8187: a name that is safe in a header and on a disk, and that is
-- read as it is: what turns the direction of text, breaks its lines or is not
-- seen at all is replaced as control characters are.
CREATE FUNCTION orla.content_disposition(filename text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'attachment; filename="' || regexp_replace(left(n.name, 150), '[^A-Za-z0-9._ -]', '_', 'g')
           || '"; filename*=UTF-8''''' || orla.percent_encode(n.name)
      FROM (SELECT coalesce(nullif(regexp_replace(left(filename, 200), '[[:cntrl:]/\\\u061C\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\uFEFF]', '_', 'g'), ''), 'file')) AS n (name)
$$;
REVOKE ALL ON FUNCTION orla.content_disposition(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.content_disposition(text) TO orla_service;
COMMENT ON FUNCTION orla.content_disposition(text) IS
    'The header that has a browser save a file under its name.';

CREATE FUNCTION orla.check_category(category text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF category IS NULL OR category NOT IN ('guidelines', 'voice_samples', 'logos', 'target_audience_insights', 'community_videographer', 'community_client') THEN
        RAISE EXCEPTION 'unknown category'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Known are guidelines, voice_samples, logos and target_audience_insights.';
    END IF;
    RETURN category;
END
$$;
REVOKE ALL ON FUNCTION orla.check_category(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_category(text) TO orla_service;
COMMENT ON FUNCTION orla.check_category(text) IS
    'The category, if it is one. Errors: 22023.';

-- Written under the tenant's own fence: content tables know no exception.  A file
-- whose text cannot be read is stored all the same, and metadata says why.
CREATE FUNCTION orla.store_asset(filename text, category text, media_type text, whence text, content bytea, facts jsonb)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bytes bigint := coalesce(octet_length(content), 0);
    t     record;
    asset uuid;
BEGIN
    PERFORM orla.require_room(bytes);       -- before it is read, and after, since that takes its time
    t := orla.extract_text(content, media_type);
    PERFORM orla.claim_room(bytes);
    INSERT INTO orla.brand_voice_assets AS a (filename, category, file_type, file_path, content_preview, file_size_bytes, metadata, content)
    VALUES (left(regexp_replace(filename, '[[:cntrl:]]', ' ', 'g'), 300), category, media_type, whence, left(t.full_text, 1000),
            octet_length(content),
            jsonb_strip_nulls(facts || jsonb_build_object('full_text', t.full_text, 'text_outcome', t.outcome,
                                                          'found_type', coalesce(t.found_type, orla.image_type(content))))
            || CASE WHEN category = 'guidelines' AND t.full_text IS NOT NULL
                    THEN jsonb_build_object('colors', orla.colors_in(t.full_text), 'fonts', orla.fonts_in(t.full_text)) ELSE '{}' END,
            content)
    RETURNING a.id INTO asset;
    RETURN asset;
END
$$;
REVOKE ALL ON FUNCTION orla.store_asset(text, text, text, text, bytea, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.store_asset(text, text, text, text, bytea, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.store_asset(text, text, text, text, bytea, jsonb) IS
    'Stores a file with the text that is found in it, and what guidelines say of colours and fonts, as the proven tenant. Errors: PT507.';

CREATE FUNCTION orla.import_file(provider text, file_id text, category text)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
BEGIN
    PERFORM orla.check_category(category);
    PERFORM orla.require_room(1);           -- before anything is fetched
    SELECT (x.file).*, x.content INTO f FROM orla.fetch_file(provider, file_id, true) AS x;
    RETURN orla.store_asset(f.name, category, f.mime_type, provider || ':' || f.id, f.content,
                            jsonb_build_object('provider', provider, 'file_id', f.id, 'hash', f.hash, 'modified_at', f.modified_at, 'web_url', f.web_url));
END
$$;
REVOKE ALL ON FUNCTION orla.import_file(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.import_file(text, text, text) TO orla_service;
COMMENT ON FUNCTION orla.import_file(text, text, text) IS
    'The work of orla_api.import_file().';
