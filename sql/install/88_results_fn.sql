-- Writing results, as the tenant whose job it was.

-- What the library shows of an answer: title, the text, tags.
CREATE FUNCTION orla.content_text(content_type text, answer jsonb)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE content_type
        WHEN 'blog' THEN answer ->> 'body'
        WHEN 'carousel' THEN concat_ws(E'\n\n', answer ->> 'caption',
            (SELECT string_agg(format(E'%s. %s\n%s', s.place, s.slide ->> 'heading', s.slide ->> 'text'), E'\n\n' ORDER BY s.place)
               FROM jsonb_array_elements(answer -> 'slides') WITH ORDINALITY AS s (slide, place)),
            answer ->> 'call_to_action')
        WHEN 'social' THEN concat_ws(E'\n\n', answer ->> 'caption', answer ->> 'call_to_action',
            (SELECT string_agg('#' || ltrim(h.tag, '#'), ' ' ORDER BY h.place)
               FROM jsonb_array_elements_text(answer -> 'hashtags') WITH ORDINALITY AS h (tag, place)))
        WHEN 'video' THEN concat_ws(E'\n\n', answer ->> 'caption', answer ->> 'hook',
            (SELECT string_agg(format(E'%s. [%s]\n%s', s.place, s.scene ->> 'visual', s.scene ->> 'narration'), E'\n\n' ORDER BY s.place)
               FROM jsonb_array_elements(answer -> 'scenes') WITH ORDINALITY AS s (scene, place)),
            answer ->> 'call_to_action') END;
END
$$;
REVOKE ALL ON FUNCTION orla.content_text(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.content_text(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.content_text(text, jsonb) IS
    'The text of a generated item, as a person reads it.';

CREATE FUNCTION orla.texts_of(list jsonb)
    RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT array_agg(t.value ORDER BY t.place) FROM jsonb_array_elements_text(list) WITH ORDINALITY AS t (value, place));
END
$$;
REVOKE ALL ON FUNCTION orla.texts_of(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.texts_of(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.texts_of(jsonb) IS
    'A list of texts as an array.';

CREATE FUNCTION orla.store_content(j orla.jobs, origin jsonb, answer jsonb)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made uuid;
BEGIN
    INSERT INTO orla.content_library AS l (title, content_type, content, platform, tags, metadata)
    VALUES (answer ->> 'title', j.payload ->> 'content_type', orla.content_text(j.payload ->> 'content_type', answer),
            left(j.payload #>> '{brief,platform}', 100), orla.texts_of(coalesce(answer -> 'tags', answer -> 'hashtags')),
            answer - '{title,body}'::text[] || jsonb_build_object('generated', origin))
    RETURNING l.id INTO made;
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION orla.store_content(orla.jobs, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.store_content(orla.jobs, jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.store_content(orla.jobs, jsonb, jsonb) IS
    'Puts a generated item into the tenant''s library.';

-- There is one strategy: what the answer does not say stays as it was.
CREATE FUNCTION orla.store_strategy(origin jsonb, answer jsonb)
    RETURNS uuid
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO orla.brand_strategy AS s (brand_voice, messaging_pillars, language_patterns, dos_and_donts, target_audience,
                                          content_themes, competitive_positioning, brand_colors, brand_fonts, primary_color, secondary_color)
    VALUES (answer -> 'brand_voice' || jsonb_build_object('generated', origin), orla.texts_of(answer -> 'messaging_pillars'),
            answer -> 'language_patterns', answer -> 'dos_and_donts', answer -> 'target_audience',
            orla.texts_of(answer -> 'content_themes'), answer -> 'competitive_positioning',
            orla.texts_of(answer -> 'brand_colors'), orla.texts_of(answer -> 'brand_fonts'),
            substring(answer #>> '{brand_colors,0}' FROM '^#[0-9A-Fa-f]{6}$'), substring(answer #>> '{brand_colors,1}' FROM '^#[0-9A-Fa-f]{6}$'))
    ON CONFLICT (user_id) DO UPDATE
       SET brand_voice = excluded.brand_voice, messaging_pillars = excluded.messaging_pillars,
           language_patterns = excluded.language_patterns, dos_and_donts = excluded.dos_and_donts,
           target_audience = excluded.target_audience, content_themes = excluded.content_themes,
           competitive_positioning = excluded.competitive_positioning,
           brand_colors = coalesce(excluded.brand_colors, s.brand_colors), brand_fonts = coalesce(excluded.brand_fonts, s.brand_fonts),
           primary_color = coalesce(s.primary_color, excluded.primary_color),
           secondary_color = coalesce(s.secondary_color, excluded.secondary_color)
    RETURNING s.id
$$;
REVOKE ALL ON FUNCTION orla.store_strategy(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.store_strategy(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.store_strategy(jsonb, jsonb) IS
    'Makes or renews the tenant''s brand strategy.';

CREATE FUNCTION orla.store_competitor_analysis(competitor uuid, origin jsonb, answer jsonb)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made uuid;
BEGIN
    INSERT INTO orla.competitor_analyses AS a (competitor_id, marketing_they_do_well, gaps_they_miss, positioning_messaging,
                                               content_opportunities, threat_level, strategic_summary, raw_analysis, analyzed_at)
    VALUES (competitor, orla.texts_of(answer -> 'marketing_they_do_well'), orla.texts_of(answer -> 'gaps_they_miss'),
            answer ->> 'positioning_messaging', orla.texts_of(answer -> 'content_opportunities'), answer ->> 'threat_level',
            answer ->> 'strategic_summary', answer || jsonb_build_object('generated', origin), clock_timestamp())
    RETURNING a.id INTO made;
    UPDATE orla.competitors AS c SET last_analyzed = clock_timestamp() WHERE c.id = competitor;
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION orla.store_competitor_analysis(uuid, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.store_competitor_analysis(uuid, jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.store_competitor_analysis(uuid, jsonb, jsonb) IS
    'Adds an analysis of the tenant''s competitor.';

-- The result and the job's end, in one transaction that is bound to the tenant.
CREATE FUNCTION orla.finish_job(j orla.jobs, model_name text, answer jsonb)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    origin jsonb := jsonb_strip_nulls(jsonb_build_object(
                        'by', model_name, 'job_id', j.id, 'notice', CASE model_name WHEN 'template' THEN orla.template_notice() END));
    made   uuid;
BEGIN
    CASE j.kind
        WHEN 'generate_content' THEN made := orla.store_content(j, origin, answer);
        WHEN 'analyze_brand' THEN made := orla.store_strategy(origin, answer);
        WHEN 'analyze_competitor' THEN
            made := orla.store_competitor_analysis((j.payload ->> 'competitor_id')::uuid, origin, answer);
        ELSE NULL;
    END CASE;
    UPDATE orla.jobs AS q
       SET status = 'succeeded', progress = 100, error = NULL, failures = 0, finished_at = clock_timestamp(), result_id = made,
           result = CASE WHEN made IS NULL THEN answer || jsonb_build_object('generated', origin) END
     WHERE q.user_id = j.user_id AND q.id = j.id;
    PERFORM orla.wake_worker();     -- there is room for another
END
$$;
REVOKE ALL ON FUNCTION orla.finish_job(orla.jobs, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.finish_job(orla.jobs, text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.finish_job(orla.jobs, text, jsonb) IS
    'Writes a job''s result under its tenant''s fence, and that it has succeeded.';
