-- Brand material, as an HTTP layer shows it.
--
-- SECURITY DEFINER: reading a file's text is orla_service's, and so are
-- connections.  Whose material it is is told by the proven tenant, and what is
-- stored is stored under the tenant's own fence.

CREATE FUNCTION orla.add_asset(filename text, category text, content bytea)
    RETURNS orla_api.brand_voice_assets
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name  text := orla.check_filename(filename);
    asset uuid;
    made  orla_api.brand_voice_assets;
BEGIN
    PERFORM orla.check_category(category);
    IF coalesce(octet_length(content), 0) = 0 THEN
        RAISE EXCEPTION 'file is empty'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM orla.check_upload_size(octet_length(content));
    asset := orla.store_asset(name, category, orla.media_type_of(name), NULL, content, '{}');
    SELECT * INTO made FROM orla_api.brand_voice_assets AS a WHERE a.user_id = orla.current_tenant() AND a.id = asset;
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION orla.add_asset(text, text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.add_asset(text, text, bytea) TO orla_service;
COMMENT ON FUNCTION orla.add_asset(text, text, bytea) IS
    'The work of orla_api.upload_asset() and save_asset().';

CREATE FUNCTION orla.check_upload_size(bytes bigint)
    RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF bytes > pg_size_bytes(current_setting('orla.max_upload')) THEN
        RAISE EXCEPTION 'file is too large'
            USING ERRCODE = 'PT413', DETAIL = format('The limit is %s.', current_setting('orla.max_upload')), HINT = 'An operator can raise orla.max_upload.';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.check_upload_size(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_upload_size(bigint) TO orla_service;
COMMENT ON FUNCTION orla.check_upload_size(bigint) IS
    'Refuses a file beyond orla.max_upload. Errors: PT413.';

-- One unnamed argument: PostgREST hands over the body as it is.
CREATE FUNCTION orla_api.upload_asset(bytea)
    RETURNS orla_api.brand_voice_assets
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.require_writable('upload_asset'), orla.require_tenant();
    RETURN orla.add_asset(orla.decode_filename(orla.request_header('x-filename')), orla.request_header('x-category'), $1);
END
$$;
ALTER FUNCTION orla_api.upload_asset(bytea) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.upload_asset(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.upload_asset(bytea) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.upload_asset(bytea) IS
    'Puts a file into your brand material.

Returns the row. Over HTTP the body is the file, byte by byte, as application/octet-stream; the argument has no name for that. The name is in the header X-Filename, percent-encoded UTF-8 or as RFC 8187 has it (UTF-8''''na%C3%AFve.pdf), the category in X-Category. Other layers hand both over in the setting request.headers, or call save_asset(). Of a name that is a path the last part is kept; control characters, and those that turn the direction of writing, become blanks. Markup in a name stays: it is text, which a page has to escape. file_type is what the name''s extension says, found_type what the bytes say. A file has at most orla.max_upload, all of yours orla.max_material.

Errors: 22023 for a bad name or category and for an empty file, PT413 for one that is too large, PT507 where you have no room for it, 28000 without a tenant, 25006 in a READ ONLY transaction.';

CREATE FUNCTION orla_api.save_asset(filename text, category text, content_base64 text)
    RETURNS orla_api.brand_voice_assets
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    content bytea;
BEGIN
    PERFORM orla.require_writable('save_asset'), orla.require_tenant();
    PERFORM orla.check_upload_size(octet_length(content_base64) / 2);    -- not even white space makes it so long
    BEGIN
        content := decode(content_base64, 'base64');
    EXCEPTION WHEN invalid_parameter_value THEN
        RAISE EXCEPTION 'invalid base64'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'content_base64 has a character that base64 has not, or an end that is cut off.';
    END;
    RETURN orla.add_asset(filename, category, content);
END
$$;
ALTER FUNCTION orla_api.save_asset(text, text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.save_asset(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.save_asset(text, text, text) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.save_asset(text, text, text) IS
    'Puts a file into your brand material, for layers that carry JSON alone.

As upload_asset(), with name, category and the bytes in base64 as arguments.

Errors: as of upload_asset(), 22023 for what is no base64.';

-- What a browser shows as an image is one by its bytes, and runs nothing; all
-- else is saved, under its name, and never shown as a page of ours.
CREATE FUNCTION orla_api.download_asset(asset_id uuid)
    RETURNS orla_api."*/*"
    LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a record;
BEGIN
    PERFORM orla.require_tenant();
    SELECT x.filename, orla.image_type(x.content) AS image, x.content IS NOT NULL AS is_kept INTO a
      FROM orla.brand_voice_assets AS x WHERE x.user_id = orla.current_tenant() AND x.id = asset_id;
    IF a.is_kept IS NOT TRUE THEN
        RAISE EXCEPTION 'no such file'
            USING ERRCODE = 'PT404', DETAIL = 'Your brand material has none of this id, or only what was said of it.';
    END IF;
    PERFORM set_config('response.headers', jsonb_build_array(
        jsonb_build_object('Content-Type', coalesce(a.image, 'application/octet-stream')),
        jsonb_build_object('Content-Disposition', CASE WHEN a.image IS NULL THEN orla.content_disposition(a.filename)
                                                       ELSE regexp_replace(orla.content_disposition(a.filename), '^attachment', 'inline') END),
        jsonb_build_object('Content-Security-Policy', 'default-src ''none''; sandbox'),
        jsonb_build_object('Cross-Origin-Resource-Policy', 'same-origin'),
        jsonb_build_object('Cache-Control', 'private, no-cache'),
        jsonb_build_object('X-Content-Type-Options', 'nosniff'))::text, true);
    RETURN (SELECT x.content FROM orla.brand_voice_assets AS x WHERE x.user_id = orla.current_tenant() AND x.id = asset_id);
END
$$;
ALTER FUNCTION orla_api.download_asset(uuid) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.download_asset(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.download_asset(uuid) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.download_asset(uuid) IS
    'A file of your brand material as it was stored.

Returns its bytes, with headers in the setting response.headers: PNG, JPEG, GIF and WebP as images that a page can show, everything else, SVG and HTML too, as application/octet-stream to be saved; always X-Content-Type-Options: nosniff and the other headers of download_file().

Errors: PT404, 28000 without a tenant.';

-- SECURITY INVOKER: reads what the views show.  What people and models are told
-- has an end: 200 files, 20,000 characters of each, 200,000 of all, the newest
-- first.
CREATE FUNCTION orla_api.brand_context()
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.require_tenant();
    RETURN (
        WITH newest AS (
            SELECT a.id, left(a.filename, 300) AS filename, a.category, a.uploaded_at, a.metadata, t.said, char_length(t.said) AS n
              FROM (SELECT * FROM orla_api.brand_voice_assets AS x ORDER BY x.uploaded_at DESC, x.id LIMIT 200) AS a
             CROSS JOIN LATERAL (SELECT left(coalesce(a.metadata ->> 'full_text', a.content_preview), 20001)) AS t (said)
        ), told AS (
            SELECT w.*, sum(coalesce(least(w.n, 20000), 0)) OVER (ORDER BY w.uploaded_at DESC, w.id) <= 200000 AS fits
              FROM newest AS w
        ), listed AS (
            SELECT w.category, jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                       'id', w.id, 'filename', w.filename, 'uploaded_at', w.uploaded_at,
                       'text', CASE WHEN w.fits THEN left(w.said, 20000) END, 'text_outcome', left(w.metadata ->> 'text_outcome', 40),
                       'is_cut', CASE WHEN w.n > 0 AND (w.n > 20000 OR NOT w.fits) THEN true END)) ORDER BY w.uploaded_at DESC, w.id) AS files
              FROM told AS w GROUP BY w.category
        ), named AS (
            SELECT k.key, v.value #>> '{}' AS name, min(ARRAY[-extract(epoch FROM w.uploaded_at), v.place]::numeric[]) AS place
              FROM told AS w
             CROSS JOIN (VALUES ('colors'), ('fonts')) AS k (key)
             CROSS JOIN LATERAL (SELECT jsonb_path_query_array(w.metadata -> k.key, 'lax $[0 to 23] ? (@.type() == "string")')) AS l (list)
             CROSS JOIN LATERAL jsonb_array_elements(l.list) WITH ORDINALITY AS v (value, place)
             WHERE w.category = 'guidelines' AND char_length(v.value #>> '{}') <= 80
             GROUP BY 1, 2
        )
        SELECT jsonb_build_object(
                   'strategy', (SELECT to_jsonb(s) - 'user_id' FROM orla_api.brand_strategy AS s),
                   'assets', coalesce((SELECT jsonb_object_agg(l.category, l.files) FROM listed AS l), '{}'),
                   'colors', array(SELECT d.name FROM named AS d WHERE d.key = 'colors' ORDER BY d.place LIMIT 24),
                   'fonts', array(SELECT d.name FROM named AS d WHERE d.key = 'fonts' ORDER BY d.place LIMIT 12),
                   'total', (SELECT count(*) FROM orla_api.brand_voice_assets)));
END
$$;
REVOKE ALL ON FUNCTION orla_api.brand_context() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.brand_context() TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.brand_context() IS
    'All that your brand is told by.

Returns {strategy, assets, colors, fonts, total}: the brand strategy or null; by category the newest 200 files, each {id, filename, uploaded_at, text, text_outcome}, with is_cut where there is more text than is told; colours and fonts of the guidelines; how many files there are. Of each text 20,000 characters are told, of all together 200,000.

Errors: 28000 without a tenant.';

CREATE FUNCTION orla_api.select_folders(provider text, folders jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant uuid := orla.require_tenant();
    chosen jsonb;
BEGIN
    PERFORM orla.require_writable('select_folders');
    IF jsonb_typeof(folders) IS DISTINCT FROM 'array' OR jsonb_array_length(folders) > 100
       OR EXISTS (SELECT FROM jsonb_array_elements(folders) AS f (folder)
                   WHERE jsonb_typeof(f.folder) IS DISTINCT FROM 'object' OR jsonb_typeof(f.folder -> 'id') IS DISTINCT FROM 'string'
                      OR char_length(f.folder ->> 'id') NOT BETWEEN 1 AND 1000
                      OR coalesce(jsonb_typeof(f.folder -> 'name'), 'null') NOT IN ('string', 'null') OR char_length(f.folder ->> 'name') > 1000) THEN
        RAISE EXCEPTION 'invalid folders'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It is an array of at most 100 objects with the texts id and name, of at most 1000 characters.';
    END IF;
    SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', f.id, 'name', f.name)) ORDER BY f.place), '[]') INTO chosen
      FROM (SELECT DISTINCT ON (e.folder ->> 'id') e.folder ->> 'id' AS id, e.folder ->> 'name' AS name, e.place
              FROM jsonb_array_elements(folders) WITH ORDINALITY AS e (folder, place)
             ORDER BY e.folder ->> 'id', e.place) AS f;
    UPDATE orla.user_cloud_storage_tokens AS t
       SET selected_folders = chosen, updated_at = now()
     WHERE t.user_id = tenant AND t.provider = select_folders.provider AND t.is_active;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not connected'
            USING ERRCODE = 'PT409', HINT = 'Connect first.';
    END IF;
    RETURN jsonb_build_object('provider', provider, 'selected_folders', chosen);
END
$$;
ALTER FUNCTION orla_api.select_folders(text, jsonb) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.select_folders(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.select_folders(text, jsonb) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.select_folders(text, jsonb) IS
    'Chooses the folders of your connection that pages show.

folders is an array of at most 100 objects {id, name}; [] for all. Returns {provider, selected_folders}. It hides nothing: files() reads every folder still. Connecting another account forgets them.

Errors: 22023, PT409 where there is no connection, 28000 without a tenant.';
