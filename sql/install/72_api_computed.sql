-- What the front end shows and no table holds: computed with the caller's own
-- rights, inside the fence.

CREATE VIEW orla_api.competitors_with_analysis WITH (security_invoker = true, security_barrier = true) AS
    SELECT c.user_id, c.id, c.name, c.industry, c.location, c.social_handles, c.added_at, c.updated_at, c.last_analyzed,
           a.id AS analysis_id, a.threat_level, a.strategic_summary, a.marketing_they_do_well, a.gaps_they_miss,
           a.positioning_messaging, a.content_opportunities, a.analyzed_at
      FROM orla.competitors AS c
      LEFT JOIN LATERAL (SELECT x.*
                           FROM orla.competitor_analyses AS x
                          WHERE x.user_id = c.user_id AND x.competitor_id = c.id
                          ORDER BY x.analyzed_at DESC, x.id LIMIT 1) AS a ON true;
ALTER VIEW orla_api.competitors_with_analysis OWNER TO orla_service;
COMMENT ON VIEW orla_api.competitors_with_analysis IS 'Your competitors, each with its latest analysis.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.user_id IS 'The tenant.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.id IS 'The competitor.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.name IS 'What the competitor is called.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.industry IS 'What it deals in.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.location IS 'Where it is.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.social_handles IS '{network: handle}';
COMMENT ON COLUMN orla_api.competitors_with_analysis.added_at IS 'When it was added.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.last_analyzed IS 'When an analysis was last made; empty before the first.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.analysis_id IS 'The latest analysis; null where there is none.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.threat_level IS 'low, medium or high.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.strategic_summary IS 'The whole in some sentences.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.marketing_they_do_well IS 'What to learn from.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.gaps_they_miss IS 'What they leave to you.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.positioning_messaging IS 'How they present themselves.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.content_opportunities IS 'What you could write about.';
COMMENT ON COLUMN orla_api.competitors_with_analysis.analyzed_at IS 'When the latest analysis was made.';
REVOKE ALL ON TABLE orla_api.competitors_with_analysis FROM PUBLIC, orla_service;
GRANT SELECT ON TABLE orla_api.competitors_with_analysis TO orla_user, orla_gateway, orla_analyst, orla_service;

CREATE VIEW orla_api.content_statistics WITH (security_invoker = true, security_barrier = true) AS
    SELECT c.user_id, count(*) AS total,
           count(*) FILTER (WHERE c.status = 'draft') AS drafts,
           count(*) FILTER (WHERE c.status = 'scheduled') AS scheduled,
           count(*) FILTER (WHERE c.status = 'published') AS published,
           count(*) FILTER (WHERE c.status = 'archived') AS archived,
           count(*) FILTER (WHERE c.content_type = 'blog') AS blogs,
           count(*) FILTER (WHERE c.content_type = 'carousel') AS carousels,
           count(*) FILTER (WHERE c.content_type = 'social') AS social,
           count(*) FILTER (WHERE c.content_type = 'video') AS videos,
           count(*) FILTER (WHERE c.created_at > now() - interval '7 days') AS created_this_week,
           max(c.created_at) AS newest_at
      FROM orla.content_library AS c
     GROUP BY c.user_id;
ALTER VIEW orla_api.content_statistics OWNER TO orla_service;
COMMENT ON VIEW orla_api.content_statistics IS 'How much content you have, by status and type; no row while there is none. Analysts get a row for each tenant granted to them.';
COMMENT ON COLUMN orla_api.content_statistics.user_id IS 'The tenant.';
COMMENT ON COLUMN orla_api.content_statistics.total IS 'All items.';
COMMENT ON COLUMN orla_api.content_statistics.drafts IS 'Items of status draft.';
COMMENT ON COLUMN orla_api.content_statistics.scheduled IS 'Items of status scheduled.';
COMMENT ON COLUMN orla_api.content_statistics.published IS 'Items of status published.';
COMMENT ON COLUMN orla_api.content_statistics.archived IS 'Items of status archived.';
COMMENT ON COLUMN orla_api.content_statistics.blogs IS 'Items of type blog.';
COMMENT ON COLUMN orla_api.content_statistics.carousels IS 'Items of type carousel.';
COMMENT ON COLUMN orla_api.content_statistics.social IS 'Items of type social.';
COMMENT ON COLUMN orla_api.content_statistics.videos IS 'Items of type video.';
COMMENT ON COLUMN orla_api.content_statistics.created_this_week IS 'In the last seven days.';
COMMENT ON COLUMN orla_api.content_statistics.newest_at IS 'When the newest one was made.';
REVOKE ALL ON TABLE orla_api.content_statistics FROM PUBLIC, orla_service;
GRANT SELECT ON TABLE orla_api.content_statistics TO orla_user, orla_gateway, orla_analyst, orla_service;

CREATE VIEW orla_api.upcoming_calendar WITH (security_invoker = true, security_barrier = true) AS
    SELECT e.user_id, e.id, e.scheduled_date, e.status, e.platform, e.content_id,
           coalesce(e.title, c.title) AS title, coalesce(e.content_type, c.content_type) AS content_type,
           e.notes, coalesce(e.media_url, c.media_url) AS media_url
      FROM orla.content_calendar AS e
      LEFT JOIN orla.content_library AS c ON c.user_id = e.user_id AND c.id = e.content_id
     WHERE e.status = 'scheduled' AND e.scheduled_date >= now() - interval '1 hour';
ALTER VIEW orla_api.upcoming_calendar OWNER TO orla_service;
COMMENT ON VIEW orla_api.upcoming_calendar IS 'What is scheduled, from an hour ago on, with what its content is called.';
COMMENT ON COLUMN orla_api.upcoming_calendar.user_id IS 'The tenant.';
COMMENT ON COLUMN orla_api.upcoming_calendar.id IS 'The entry of the calendar.';
COMMENT ON COLUMN orla_api.upcoming_calendar.scheduled_date IS 'When it is to be published.';
COMMENT ON COLUMN orla_api.upcoming_calendar.status IS 'scheduled.';
COMMENT ON COLUMN orla_api.upcoming_calendar.platform IS 'Where it is to be published.';
COMMENT ON COLUMN orla_api.upcoming_calendar.content_id IS 'Item of the library, where it has one.';
COMMENT ON COLUMN orla_api.upcoming_calendar.title IS 'The entry''s own, else that of its content.';
COMMENT ON COLUMN orla_api.upcoming_calendar.content_type IS 'The entry''s own, else that of its content.';
COMMENT ON COLUMN orla_api.upcoming_calendar.notes IS 'For whoever publishes it.';
COMMENT ON COLUMN orla_api.upcoming_calendar.media_url IS 'The entry''s own, else that of its content.';
REVOKE ALL ON TABLE orla_api.upcoming_calendar FROM PUBLIC, orla_service;
GRANT SELECT ON TABLE orla_api.upcoming_calendar TO orla_user, orla_gateway, orla_analyst, orla_service;

-- SECURITY INVOKER, as the views.
CREATE FUNCTION orla_api.competitor_insights()
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'gaps', coalesce((SELECT jsonb_agg(jsonb_build_object('competitor', c.name, 'gap', g.gap) ORDER BY c.name, g.place)
                            FROM orla_api.competitors_with_analysis AS c
                           CROSS JOIN LATERAL unnest(c.gaps_they_miss) WITH ORDINALITY AS g (gap, place)), '[]'),
        'strengths', coalesce((SELECT jsonb_agg(jsonb_build_object('competitor', c.name, 'strength', s.strength) ORDER BY c.name, s.place)
                                 FROM orla_api.competitors_with_analysis AS c
                                CROSS JOIN LATERAL unnest(c.marketing_they_do_well) WITH ORDINALITY AS s (strength, place)), '[]'),
        'opportunities', coalesce((SELECT jsonb_agg(jsonb_build_object('competitor', c.name, 'opportunity', o.opportunity) ORDER BY c.name, o.place)
                                     FROM orla_api.competitors_with_analysis AS c
                                    CROSS JOIN LATERAL unnest(c.content_opportunities) WITH ORDINALITY AS o (opportunity, place)), '[]'))
$$;
REVOKE ALL ON FUNCTION orla_api.competitor_insights() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.competitor_insights() TO orla_user, orla_gateway, orla_analyst;
COMMENT ON FUNCTION orla_api.competitor_insights() IS
    'What the latest analyses of your competitors found, put together.

Returns {gaps, strengths, opportunities}: each is an array of objects with competitor and gap, strength or opportunity.';

CREATE FUNCTION orla_api.competitor_summary()
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('competitors', count(*), 'analyzed', count(c.analysis_id),
               'threat_levels', jsonb_build_object('low', count(*) FILTER (WHERE c.threat_level = 'low'),
                                                   'medium', count(*) FILTER (WHERE c.threat_level = 'medium'),
                                                   'high', count(*) FILTER (WHERE c.threat_level = 'high')),
               'newest_analysis', max(c.analyzed_at))
      FROM orla_api.competitors_with_analysis AS c
$$;
REVOKE ALL ON FUNCTION orla_api.competitor_summary() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.competitor_summary() TO orla_user, orla_gateway, orla_analyst;
COMMENT ON FUNCTION orla_api.competitor_summary() IS
    'Your competitors in numbers.

Returns {competitors, analyzed, threat_levels, newest_analysis}: how many there are, how many have an analysis, how many of those are low, medium and high, and when the last one was made.';
