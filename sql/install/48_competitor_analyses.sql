-- What was found out about a competitor.
CREATE TABLE orla.competitor_analyses (
    user_id                uuid        NOT NULL DEFAULT orla.current_tenant()
        REFERENCES orla.users (id) ON DELETE CASCADE,
    id                     uuid        NOT NULL DEFAULT gen_random_uuid(),
    competitor_id          uuid        NOT NULL,
    marketing_they_do_well text[]      CHECK (pg_column_size(marketing_they_do_well) <= 1048576),
    gaps_they_miss         text[]      CHECK (pg_column_size(gaps_they_miss) <= 1048576),
    positioning_messaging  text        CHECK (octet_length(positioning_messaging) <= 1048576),
    content_opportunities  text[]      CHECK (pg_column_size(content_opportunities) <= 1048576),
    threat_level           text        CHECK (threat_level IN ('low', 'medium', 'high')),
    strategic_summary      text        CHECK (octet_length(strategic_summary) <= 1048576),
    raw_analysis           jsonb       CHECK (pg_column_size(raw_analysis) <= 16777216),
    analysis_type          text        CHECK (octet_length(analysis_type) <= 500),
    summary                text        CHECK (octet_length(summary) <= 1048576),
    strengths              text[]      CHECK (pg_column_size(strengths) <= 1048576),
    weaknesses             text[]      CHECK (pg_column_size(weaknesses) <= 1048576),
    content_strategy       text        CHECK (octet_length(content_strategy) <= 1048576),
    messaging_themes       text[]      CHECK (pg_column_size(messaging_themes) <= 1048576),
    opportunities_for_us   text[]      CHECK (pg_column_size(opportunities_for_us) <= 1048576),
    what_to_avoid          text[]      CHECK (pg_column_size(what_to_avoid) <= 1048576),
    analyzed_at            timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, id),
    FOREIGN KEY (user_id, competitor_id)
        REFERENCES orla.competitors (user_id, id) ON DELETE CASCADE
);
ALTER TABLE orla.competitor_analyses OWNER TO orla_service;
COMMENT ON TABLE orla.competitor_analyses IS 'analyses of competitors; the latest by analyzed_at counts';
COMMENT ON COLUMN orla.competitor_analyses.raw_analysis IS 'the answer that the other columns were taken from';
COMMENT ON COLUMN orla.competitor_analyses.analysis_type IS 'older form of an analysis, like the columns that follow up to what_to_avoid';
CREATE INDEX competitor_analyses_competitor
    ON orla.competitor_analyses (user_id, competitor_id, analyzed_at);
CREATE INDEX competitor_analyses_analyzed_at ON orla.competitor_analyses (user_id, analyzed_at);

ALTER TABLE orla.competitor_analyses ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.competitor_analyses FORCE ROW LEVEL SECURITY;
CREATE POLICY competitor_analyses_tenant ON orla.competitor_analyses
    FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY competitor_analyses_analyst ON orla.competitor_analyses
    FOR SELECT TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));
CREATE POLICY competitor_analyses_tenant_only ON orla.competitor_analyses
    AS RESTRICTIVE FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY competitor_analyses_analyst_only ON orla.competitor_analyses
    AS RESTRICTIVE FOR ALL TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));

CREATE TRIGGER competitor_analyses_touch BEFORE UPDATE ON orla.competitor_analyses
    FOR EACH ROW EXECUTE FUNCTION orla.touch_updated_at();

REVOKE ALL ON TABLE orla.competitor_analyses FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.competitor_analyses
    TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla.competitor_analyses TO orla_analyst;

SELECT pg_extension_config_dump('orla.competitor_analyses', '');
