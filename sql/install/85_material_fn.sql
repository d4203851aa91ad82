-- Brand material: what a file may be called, how much there may be, and what
-- guidelines say of colours and fonts.

-- ---- names ------------------------------------------------------------------

CREATE FUNCTION orla.refuse_filename(why text)
    RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'invalid file name'
        USING ERRCODE = 'invalid_parameter_value', DETAIL = why;
END
$$;
REVOKE ALL ON FUNCTION orla.refuse_filename(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.refuse_filename(text) TO orla_service;
COMMENT ON FUNCTION orla.refuse_filename(text) IS
    'Raises 22023.';

-- A name is what a list shows and a download is saved as, never a place on a
-- disk of ours: of a path its last part is kept.  Characters that steer a terminal
-- or turn the direction of writing ("gpj.exe" for "exe.jpg") become blanks;
-- all others stay, markup too, which is text to whoever shows it.
CREATE FUNCTION orla.check_filename(filename text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text := btrim(regexp_replace(regexp_replace(left(filename, 5000), '^.*[/\\]', ''),
                                      '[\u0001-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]', ' ', 'g'));
BEGIN
    IF coalesce(filename, '') = '' THEN
        PERFORM orla.refuse_filename('There is none.');
    ELSIF name IN ('', '.', '..') THEN
        PERFORM orla.refuse_filename('It is a path without a file.');
    ELSIF char_length(name) > 255 OR char_length(filename) > 5000 THEN
        PERFORM orla.refuse_filename('It has more than 255 characters.');
    END IF;
    RETURN name;
END
$$;
REVOKE ALL ON FUNCTION orla.check_filename(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_filename(text) TO orla_service;
COMMENT ON FUNCTION orla.check_filename(text) IS
    'The name that a file is kept under. Errors: 22023.';

-- Headers are ASCII, so that a name comes percent-encoded, as it is or as RFC 8187
-- has it: UTF-8''na%C3%AFve.pdf.
CREATE FUNCTION orla.decode_filename(header text)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    extended text[] := regexp_match(header, '^(utf-8|iso-8859-1)''[^'']*''(.*)$', 'i');
    encoded  text := coalesce(extended[2], header);
    bytes    bytea;
BEGIN
    IF encoded ~ '%(?![0-9A-Fa-f]{2})' OR char_length(encoded) > 8000 THEN
        PERFORM orla.refuse_filename('It is not percent-encoded as it should be: % is %25.');
    END IF;
    SELECT string_agg(CASE WHEN m.run[1] ~ '^%' THEN decode(substr(m.run[1], 2), 'hex') ELSE convert_to(m.run[1], 'UTF8') END, ''::bytea ORDER BY m.place)
      INTO bytes
      FROM regexp_matches(encoded, '%[0-9A-Fa-f]{2}|[^%]+', 'g') WITH ORDINALITY AS m (run, place);
    RETURN convert_from(bytes, CASE WHEN lower(extended[1]) = 'iso-8859-1' THEN 'LATIN1' ELSE 'UTF8' END);
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    PERFORM orla.refuse_filename('Its characters are not those of its encoding, which is UTF-8.');
END
$$;
REVOKE ALL ON FUNCTION orla.decode_filename(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.decode_filename(text) TO orla_service;
COMMENT ON FUNCTION orla.decode_filename(text) IS
    'The name of a file, of the header that has it. Errors: 22023.';

CREATE FUNCTION orla.request_header(name text)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT nullif(current_setting('request.headers', true), '')::jsonb ->> name
$$;
REVOKE ALL ON FUNCTION orla.request_header(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.request_header(text) TO orla_service;
COMMENT ON FUNCTION orla.request_header(text) IS
    'A header of the request, as the HTTP layer hands it over; its name in lower case.';

-- orla.extract_text() knows what has text.
CREATE FUNCTION orla.image_type(content bytea)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN substr(content, 1, 8) = '\x89504e470d0a1a0a' THEN 'image/png'
                WHEN substr(content, 1, 3) = '\xffd8ff' THEN 'image/jpeg'
                WHEN substr(content, 1, 6) IN ('GIF87a', 'GIF89a') THEN 'image/gif'
                WHEN substr(content, 1, 4) = 'RIFF' AND substr(content, 9, 4) = 'WEBP' THEN 'image/webp' END
$$;
REVOKE ALL ON FUNCTION orla.image_type(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.image_type(bytea) TO orla_service;
COMMENT ON FUNCTION orla.image_type(bytea) IS
    'The media type of an image, as its first bytes tell it; NULL for anything else.';

-- ---- room -------------------------------------------------------------------

CREATE FUNCTION orla.room_of(content bytea, metadata jsonb, content_preview text, file_path text)
    RETURNS bigint
    LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce(octet_length(content), 0)::bigint + pg_column_size(metadata)
           + coalesce(pg_column_size(content_preview), 0) + coalesce(pg_column_size(file_path), 0)
$$;
REVOKE ALL ON FUNCTION orla.room_of(bytea, jsonb, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.room_of(bytea, jsonb, text, text) TO orla_service;
COMMENT ON FUNCTION orla.room_of(bytea, jsonb, text, text) IS
    'What a row of brand material takes.';

-- Counts what is there, files and what is written of them, not what somebody
-- wrote into file_size_bytes.  Sizes are known without reading a file.
CREATE FUNCTION orla.require_room(bytes bigint)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most bigint := pg_size_bytes(current_setting('orla.max_material'));
    kept bigint;
BEGIN
    SELECT coalesce(sum(orla.room_of(a.content, a.metadata, a.content_preview, a.file_path)), 0) INTO kept
      FROM orla.brand_voice_assets AS a
     WHERE a.user_id = orla.current_tenant();
    IF kept + bytes > most THEN
        RAISE EXCEPTION 'no room for this file'
            USING ERRCODE = 'PT507',
                  DETAIL = format('Your brand material takes %s of %s.', pg_size_pretty(kept), current_setting('orla.max_material')),
                  HINT = 'Delete what you no longer need, or ask an operator to raise orla.max_material.';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.require_room(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.require_room(bigint) TO orla_service;
COMMENT ON FUNCTION orla.require_room(bigint) IS
    'Refuses what the tenant''s brand material has no room for. Errors: PT507.';

-- Files of one tenant that arrive at the same time wait here for each other, by
-- the tenant's own key, whose row no other tenant can lock, and which no change of
-- a password and no end of a session waits for; each then counts what the
-- one before has committed.  That is exact in READ COMMITTED, which HTTP layers
-- use; a REPEATABLE READ transaction counts what was there when it began.
CREATE FUNCTION orla.claim_room(bytes bigint)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM orla.tenant_keys AS k WHERE k.user_id = orla.current_tenant() FOR NO KEY UPDATE;
    PERFORM orla.require_room(bytes);
END
$$;
REVOKE ALL ON FUNCTION orla.claim_room(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.claim_room(bigint) TO orla_service;
COMMENT ON FUNCTION orla.claim_room(bigint) IS
    'orla.require_room(), for what is stored by the end of this transaction.';

-- Who writes rows without a function of ours.  AFTER a statement, and never in a
-- cascade, which neither inserts nor updates material.  What takes no more than
-- before is let through.  SECURITY DEFINER: the tenant's key is orla_service's.
CREATE FUNCTION orla.check_room()
    RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF orla.current_tenant() IS NULL THEN
        RETURN NULL;        -- a restore
    ELSIF TG_OP = 'UPDATE' THEN
        IF (SELECT coalesce(sum(orla.room_of(r.content, r.metadata, r.content_preview, r.file_path)), 0) FROM after_it AS r)
           <= (SELECT coalesce(sum(orla.room_of(r.content, r.metadata, r.content_preview, r.file_path)), 0) FROM before_it AS r) THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM orla.claim_room(0);
    RETURN NULL;
END
$$;
ALTER FUNCTION orla.check_room() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.check_room() FROM PUBLIC;
COMMENT ON FUNCTION orla.check_room() IS 'trigger: refuses brand material that there is no room for. Errors: PT507.';

CREATE TRIGGER brand_voice_assets_room_insert
    AFTER INSERT ON orla.brand_voice_assets
    FOR EACH STATEMENT EXECUTE FUNCTION orla.check_room();
CREATE TRIGGER brand_voice_assets_room_update
    AFTER UPDATE ON orla.brand_voice_assets
    REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it
    FOR EACH STATEMENT EXECUTE FUNCTION orla.check_room();

-- ---- colours and fonts ------------------------------------------------------

CREATE FUNCTION orla.color_part(said text)
    RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN v.share <= 255 THEN lpad(to_hex(v.share), 2, '0') END
      FROM (SELECT CASE WHEN said LIKE '%\%' THEN round(rtrim(said, '%')::numeric * 255 / 100) ELSE said::numeric END::int) AS v (share)
$$;
REVOKE ALL ON FUNCTION orla.color_part(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.color_part(text) TO orla_service;
COMMENT ON FUNCTION orla.color_part(text) IS
    'A part of rgb() as two digits of #rrggbb; NULL where it is none.';

CREATE FUNCTION orla.colors_in(said text)
    RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array(
        SELECT f.color
          FROM (SELECT coalesce('#' || lower(r.hit[1]), '#' || orla.color_part(r.hit[2]) || orla.color_part(r.hit[3]) || orla.color_part(r.hit[4])) AS color,
                       r.place
                  FROM regexp_matches(left(said, 200000),
                           '(?<![0-9A-Za-z_&/])#([0-9a-f]{6})(?:[0-9a-f]{2})?(?![0-9A-Za-z_])'
                           || '|\mrgba?\(\s*(\d{1,3}%?)[\s,]+(\d{1,3}%?)[\s,]+(\d{1,3}%?)\s*(?:[,/]\s*[\d.]+%?\s*)?\)', 'gi')
                       WITH ORDINALITY AS r (hit, place)) AS f
         WHERE f.color IS NOT NULL
         GROUP BY f.color
         ORDER BY min(f.place) LIMIT 24)
$$;
REVOKE ALL ON FUNCTION orla.colors_in(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.colors_in(text) TO orla_service;
COMMENT ON FUNCTION orla.colors_in(text) IS
    'The colours that a text names as #rrggbb or rgb(), as #rrggbb, the first first.';

-- Names as they stand in a style sheet or after "Font:", and well-known ones in
-- a line that speaks of type.
CREATE FUNCTION orla.fonts_in(said text)
    RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH lines AS (
        SELECT left(l.line, 500) AS line, l.place
          FROM regexp_split_to_table(left(said, 200000), '[\r\n]+') WITH ORDINALITY AS l (line, place)
         WHERE left(l.line, 500) ~* 'font|type|heading|headline|title|body|serif'
    ), lists AS (
        SELECT l.place, m.hit[1] AS names
          FROM lines AS l CROSS JOIN LATERAL regexp_matches(l.line, '\mfont-family\s*:\s*([^;{}]+)', 'gi') AS m (hit)
        UNION ALL
        SELECT l.place, m.hit[1]
          FROM lines AS l
         CROSS JOIN LATERAL regexp_matches(l.line, '^[^A-Za-z]*(?:[A-Za-z]+ ){0,3}(?:fonts?|typefaces?|typography|font family)\W{0,4}[:=]\W*(.+)$', 'i') AS m (hit)
    ), named AS (
        SELECT l.place, n.place AS nth,
               btrim(regexp_replace(regexp_replace(n.name, '["''*_`]|\([^)]*\)?', '', 'g'),
                                    '\s+(?:for|in|as|on|at|with|is|bold|regular|medium|light|semibold|italic|black|\d).*$', '', 'i'), ' .') AS name
          FROM lists AS l
         CROSS JOIN LATERAL regexp_split_to_table(l.names, '\s*(?:[,;/|+&]|\m(?:and|or)\M)\s*') WITH ORDINALITY AS n (name, place)
        UNION ALL
        SELECT l.place, m.place, m.hit[1]
          FROM lines AS l
         CROSS JOIN LATERAL regexp_matches(l.line,
                   '\m(Arial|Avenir(?: Next)?|Baskerville|Bodoni|Calibri|Cambria|Caslon|Courier(?: New)?|DM Sans|DM Serif Display|Didot|Figtree|Fira Sans|'
                   || 'Franklin Gothic|Frutiger|Futura|Garamond|EB Garamond|Georgia|Gill Sans|Gotham|Helvetica(?: Neue)?|IBM Plex (?:Sans|Serif|Mono)|Inter|'
                   || 'Josefin Sans|Lato|Libre Baskerville|Lora|Manrope|Merriweather|Montserrat|Noto (?:Sans|Serif)|Nunito(?: Sans)?|Open Sans|Oswald|'
                   || 'Palatino|Playfair Display|Poppins|Proxima Nova|PT (?:Sans|Serif)|Quicksand|Raleway|Roboto(?: (?:Slab|Mono|Condensed))?|Rubik|'
                   || 'Source (?:Sans|Serif)(?: Pro)?|Space Grotesk|Tahoma|Times New Roman|Trebuchet MS|Ubuntu|Univers|Verdana|Work Sans)\M', 'g')
                   WITH ORDINALITY AS m (hit, place)
    )
    SELECT array(
        SELECT n.name
          FROM named AS n
         WHERE n.name ~ '^[A-Z][A-Za-z0-9]*(?: [A-Z0-9][A-Za-z0-9]*){0,3}$' AND char_length(n.name) BETWEEN 2 AND 40
           AND lower(n.name) <> ALL ('{serif,sans,monospace,cursive,fantasy,inherit,initial,unset,primary,secondary,none,see,the,we,all,any,no,use,our,your,bold,regular,tbd}')
         GROUP BY n.name
         ORDER BY min(n.place), min(n.nth), n.name LIMIT 12)
$$;
REVOKE ALL ON FUNCTION orla.fonts_in(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.fonts_in(text) TO orla_service;
COMMENT ON FUNCTION orla.fonts_in(text) IS
    'The typefaces that a text names, as far as they can be told, the first first.';
