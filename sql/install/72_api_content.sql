-- Content as tenants and analysts see it: one view per table, updatable, with
-- the caller's own rights (security_invoker).  They are no security_barrier
-- views on purpose: that mark protects a view's own WHERE, and here is none,
-- the fence being the table's.  It would only keep ORDER BY … LIMIT from its
-- index (measured: 20 of 40,000 rows, 20 ms against 0.05).  90_verify.sql
-- demands it of a view that has a WHERE.

CREATE VIEW orla_api.brand_strategy WITH (security_invoker = true) AS
    SELECT user_id, id, brand_voice, messaging_pillars, language_patterns, dos_and_donts,
           target_audience, content_themes, competitive_positioning, brand_colors,
           brand_fonts, logo_url, primary_color, secondary_color, created_at, updated_at
      FROM orla.brand_strategy;
ALTER VIEW orla_api.brand_strategy OWNER TO orla_service;
COMMENT ON VIEW orla_api.brand_strategy IS 'Your brand strategy; there is one.';
COMMENT ON COLUMN orla_api.brand_strategy.user_id IS 'You: filled in by itself, and no other value is accepted.';
COMMENT ON COLUMN orla_api.brand_strategy.id IS 'Unique together with user_id.';
COMMENT ON COLUMN orla_api.brand_strategy.brand_voice IS '{tone, personality[], key_characteristics[]}';
COMMENT ON COLUMN orla_api.brand_strategy.messaging_pillars IS 'What every message rests on.';
COMMENT ON COLUMN orla_api.brand_strategy.language_patterns IS '{writing_style, preferred_phrases[], vocabulary[]}';
COMMENT ON COLUMN orla_api.brand_strategy.dos_and_donts IS '{dos[], donts[]}';
COMMENT ON COLUMN orla_api.brand_strategy.target_audience IS '{primary, characteristics[]}';
COMMENT ON COLUMN orla_api.brand_strategy.content_themes IS 'What content is about.';
COMMENT ON COLUMN orla_api.brand_strategy.competitive_positioning IS '{unique_value, copy_and_adapt[], gaps_to_exploit[], avoid[]}';
COMMENT ON COLUMN orla_api.brand_strategy.brand_colors IS 'As #rrggbb or by name.';
COMMENT ON COLUMN orla_api.brand_strategy.brand_fonts IS 'Names of typefaces.';
COMMENT ON COLUMN orla_api.brand_strategy.logo_url IS 'Address or path of the logo.';
COMMENT ON COLUMN orla_api.brand_strategy.primary_color IS 'The first of the brand''s colours.';
COMMENT ON COLUMN orla_api.brand_strategy.secondary_color IS 'The second.';
COMMENT ON COLUMN orla_api.brand_strategy.created_at IS 'Set by itself.';
COMMENT ON COLUMN orla_api.brand_strategy.updated_at IS 'Set by itself at every change.';
REVOKE ALL ON TABLE orla_api.brand_strategy FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla_api.brand_strategy TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla_api.brand_strategy TO orla_analyst;

CREATE VIEW orla_api.brand_voice_assets WITH (security_invoker = true) AS
    SELECT user_id, id, filename, category, file_type, file_path, content_preview,
           file_size_bytes, uploaded_at, metadata
      FROM orla.brand_voice_assets;
ALTER VIEW orla_api.brand_voice_assets OWNER TO orla_service;
COMMENT ON VIEW orla_api.brand_voice_assets IS 'Your brand material: guidelines, voice samples, logos, audience insights.';
COMMENT ON COLUMN orla_api.brand_voice_assets.user_id IS 'You: filled in by itself, and no other value is accepted.';
COMMENT ON COLUMN orla_api.brand_voice_assets.id IS 'Unique together with user_id.';
COMMENT ON COLUMN orla_api.brand_voice_assets.filename IS 'The name that the file was given.';
COMMENT ON COLUMN orla_api.brand_voice_assets.category IS 'guidelines, voice_samples, logos or target_audience_insights; imports also have community_videographer and community_client.';
COMMENT ON COLUMN orla_api.brand_voice_assets.file_type IS 'Media type of the file.';
COMMENT ON COLUMN orla_api.brand_voice_assets.file_path IS 'Where the file came from.';
COMMENT ON COLUMN orla_api.brand_voice_assets.content_preview IS 'The beginning of the text.';
COMMENT ON COLUMN orla_api.brand_voice_assets.file_size_bytes IS 'Of the file as it is stored.';
COMMENT ON COLUMN orla_api.brand_voice_assets.uploaded_at IS 'Set by itself.';
COMMENT ON COLUMN orla_api.brand_voice_assets.metadata IS 'Facts about the file: full_text is the text that was found in it; text_outcome is found, cut, or why there is none; found_type the media type as the bytes tell it.';
REVOKE ALL ON TABLE orla_api.brand_voice_assets FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla_api.brand_voice_assets TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla_api.brand_voice_assets TO orla_analyst;

CREATE VIEW orla_api.competitors WITH (security_invoker = true) AS
    SELECT user_id, id, name, industry, location, social_handles, added_at, updated_at,
           last_analyzed
      FROM orla.competitors;
ALTER VIEW orla_api.competitors OWNER TO orla_service;
COMMENT ON VIEW orla_api.competitors IS 'Competitors that you watch.';
COMMENT ON COLUMN orla_api.competitors.user_id IS 'You: filled in by itself, and no other value is accepted.';
COMMENT ON COLUMN orla_api.competitors.id IS 'Unique together with user_id.';
COMMENT ON COLUMN orla_api.competitors.name IS 'What the competitor is called.';
COMMENT ON COLUMN orla_api.competitors.industry IS 'What it deals in.';
COMMENT ON COLUMN orla_api.competitors.location IS 'Where it is.';
COMMENT ON COLUMN orla_api.competitors.social_handles IS '{network: handle}';
COMMENT ON COLUMN orla_api.competitors.added_at IS 'Set by itself.';
COMMENT ON COLUMN orla_api.competitors.updated_at IS 'Set by itself at every change.';
COMMENT ON COLUMN orla_api.competitors.last_analyzed IS 'When an analysis was last made; empty before the first.';
REVOKE ALL ON TABLE orla_api.competitors FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla_api.competitors TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla_api.competitors TO orla_analyst;

CREATE VIEW orla_api.competitor_analyses WITH (security_invoker = true) AS
    SELECT user_id, id, competitor_id, marketing_they_do_well, gaps_they_miss,
           positioning_messaging, content_opportunities, threat_level, strategic_summary,
           raw_analysis, analysis_type, summary, strengths, weaknesses, content_strategy,
           messaging_themes, opportunities_for_us, what_to_avoid, analyzed_at, updated_at
      FROM orla.competitor_analyses;
ALTER VIEW orla_api.competitor_analyses OWNER TO orla_service;
COMMENT ON VIEW orla_api.competitor_analyses IS 'Analyses of your competitors; the latest by analyzed_at counts.';
COMMENT ON COLUMN orla_api.competitor_analyses.user_id IS 'You: filled in by itself, and no other value is accepted.';
COMMENT ON COLUMN orla_api.competitor_analyses.id IS 'Unique together with user_id.';
COMMENT ON COLUMN orla_api.competitor_analyses.competitor_id IS 'The competitor; deleting it deletes its analyses.';
COMMENT ON COLUMN orla_api.competitor_analyses.marketing_they_do_well IS 'What to learn from.';
COMMENT ON COLUMN orla_api.competitor_analyses.gaps_they_miss IS 'What they leave to you.';
COMMENT ON COLUMN orla_api.competitor_analyses.positioning_messaging IS 'How they present themselves.';
COMMENT ON COLUMN orla_api.competitor_analyses.content_opportunities IS 'What you could write about.';
COMMENT ON COLUMN orla_api.competitor_analyses.threat_level IS 'low, medium or high.';
COMMENT ON COLUMN orla_api.competitor_analyses.strategic_summary IS 'The whole in some sentences.';
COMMENT ON COLUMN orla_api.competitor_analyses.raw_analysis IS 'The answer that the other columns were taken from.';
COMMENT ON COLUMN orla_api.competitor_analyses.analysis_type IS 'Older form of an analysis, like the columns that follow up to what_to_avoid.';
COMMENT ON COLUMN orla_api.competitor_analyses.summary IS 'Older form of strategic_summary.';
COMMENT ON COLUMN orla_api.competitor_analyses.strengths IS 'Older form: what they do well.';
COMMENT ON COLUMN orla_api.competitor_analyses.weaknesses IS 'Older form: what they do badly.';
COMMENT ON COLUMN orla_api.competitor_analyses.content_strategy IS 'Older form: what they publish, and where.';
COMMENT ON COLUMN orla_api.competitor_analyses.messaging_themes IS 'Older form: what they talk about.';
COMMENT ON COLUMN orla_api.competitor_analyses.opportunities_for_us IS 'Older form of content_opportunities.';
COMMENT ON COLUMN orla_api.competitor_analyses.what_to_avoid IS 'Older form: what not to do as they do.';
COMMENT ON COLUMN orla_api.competitor_analyses.analyzed_at IS 'When the analysis was made; the latest counts.';
COMMENT ON COLUMN orla_api.competitor_analyses.updated_at IS 'Set by itself at every change.';
REVOKE ALL ON TABLE orla_api.competitor_analyses FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla_api.competitor_analyses TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla_api.competitor_analyses TO orla_analyst;

CREATE VIEW orla_api.content_library WITH (security_invoker = true) AS
    SELECT user_id, id, title, content_type, content, status, platform, tags, media_url,
           metadata, created_at, updated_at, published_at, scheduled_for
      FROM orla.content_library;
ALTER VIEW orla_api.content_library OWNER TO orla_service;
COMMENT ON VIEW orla_api.content_library IS 'Your content: drafts and what became of them.';
COMMENT ON COLUMN orla_api.content_library.user_id IS 'You: filled in by itself, and no other value is accepted.';
COMMENT ON COLUMN orla_api.content_library.id IS 'Unique together with user_id.';
COMMENT ON COLUMN orla_api.content_library.title IS 'What it is called.';
COMMENT ON COLUMN orla_api.content_library.content_type IS 'blog, carousel, social or video.';
COMMENT ON COLUMN orla_api.content_library.content IS 'The body; Markdown for a blog.';
COMMENT ON COLUMN orla_api.content_library.status IS 'draft, published, scheduled or archived.';
COMMENT ON COLUMN orla_api.content_library.platform IS 'Where it is meant to be published.';
COMMENT ON COLUMN orla_api.content_library.tags IS 'Found by search_content, upper or lower case.';
COMMENT ON COLUMN orla_api.content_library.media_url IS 'Address of a picture or film.';
COMMENT ON COLUMN orla_api.content_library.metadata IS 'What belongs to the content type: slug, meta description, slides and the like.';
COMMENT ON COLUMN orla_api.content_library.created_at IS 'Set by itself.';
COMMENT ON COLUMN orla_api.content_library.updated_at IS 'Set by itself at every change.';
COMMENT ON COLUMN orla_api.content_library.published_at IS 'When it was published.';
COMMENT ON COLUMN orla_api.content_library.scheduled_for IS 'When it is to be published: of what is scheduled not in the past, and at most 100 years away.';
REVOKE ALL ON TABLE orla_api.content_library FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla_api.content_library TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla_api.content_library TO orla_analyst;

CREATE VIEW orla_api.content_calendar WITH (security_invoker = true) AS
    SELECT user_id, id, content_id, title, content_type, scheduled_date, status, platform,
           notes, content, media_url, created_at, updated_at
      FROM orla.content_calendar;
ALTER VIEW orla_api.content_calendar OWNER TO orla_service;
COMMENT ON VIEW orla_api.content_calendar IS 'Your calendar: what is published when.';
COMMENT ON COLUMN orla_api.content_calendar.user_id IS 'You: filled in by itself, and no other value is accepted.';
COMMENT ON COLUMN orla_api.content_calendar.id IS 'Unique together with user_id.';
COMMENT ON COLUMN orla_api.content_calendar.content_id IS 'Item of your content library; emptied when that is deleted.';
COMMENT ON COLUMN orla_api.content_calendar.title IS 'What the entry is called, where it has no item of the library or another name.';
COMMENT ON COLUMN orla_api.content_calendar.content_type IS 'blog, carousel, social, video or what else you plan.';
COMMENT ON COLUMN orla_api.content_calendar.scheduled_date IS 'When it is to be published.';
COMMENT ON COLUMN orla_api.content_calendar.status IS 'scheduled, published, cancelled or failed.';
COMMENT ON COLUMN orla_api.content_calendar.platform IS 'Where it is to be published.';
COMMENT ON COLUMN orla_api.content_calendar.notes IS 'For whoever publishes it.';
COMMENT ON COLUMN orla_api.content_calendar.content IS 'The text as scheduled, where it is not in the library.';
COMMENT ON COLUMN orla_api.content_calendar.media_url IS 'Address of a picture or film.';
COMMENT ON COLUMN orla_api.content_calendar.created_at IS 'Set by itself.';
COMMENT ON COLUMN orla_api.content_calendar.updated_at IS 'Set by itself at every change.';
REVOKE ALL ON TABLE orla_api.content_calendar FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla_api.content_calendar TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla_api.content_calendar TO orla_analyst;

CREATE VIEW orla_api.published_posts WITH (security_invoker = true) AS
    SELECT user_id, id, content_id, platform, post_id, post_url, caption, media_urls,
           published_at, engagement_data, metadata
      FROM orla.published_posts;
ALTER VIEW orla_api.published_posts OWNER TO orla_service;
COMMENT ON VIEW orla_api.published_posts IS 'What you have published where.';
COMMENT ON COLUMN orla_api.published_posts.user_id IS 'You: filled in by itself, and no other value is accepted.';
COMMENT ON COLUMN orla_api.published_posts.id IS 'Unique together with user_id.';
COMMENT ON COLUMN orla_api.published_posts.content_id IS 'Item of your content library; emptied when that is deleted.';
COMMENT ON COLUMN orla_api.published_posts.platform IS 'Where it was published.';
COMMENT ON COLUMN orla_api.published_posts.post_id IS 'The platform''s id of the post.';
COMMENT ON COLUMN orla_api.published_posts.post_url IS 'Address of the post.';
COMMENT ON COLUMN orla_api.published_posts.caption IS 'The text as it was published.';
COMMENT ON COLUMN orla_api.published_posts.media_urls IS 'Addresses of pictures and films.';
COMMENT ON COLUMN orla_api.published_posts.published_at IS 'When it was published.';
COMMENT ON COLUMN orla_api.published_posts.engagement_data IS 'Likes, comments and the like, as the platform names them.';
COMMENT ON COLUMN orla_api.published_posts.metadata IS 'Whatever else belongs to it.';
REVOKE ALL ON TABLE orla_api.published_posts FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla_api.published_posts TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla_api.published_posts TO orla_analyst;
