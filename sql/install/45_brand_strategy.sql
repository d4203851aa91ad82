-- The one brand strategy of each tenant.
CREATE TABLE orla.brand_strategy (
    user_id                 uuid        NOT NULL DEFAULT orla.current_tenant()
        REFERENCES orla.users (id) ON DELETE CASCADE,
    id                      uuid        NOT NULL DEFAULT gen_random_uuid(),
    brand_voice             jsonb       CHECK (pg_column_size(brand_voice) <= 1048576),
    messaging_pillars       text[]      CHECK (pg_column_size(messaging_pillars) <= 1048576),
    language_patterns       jsonb       CHECK (pg_column_size(language_patterns) <= 1048576),
    dos_and_donts           jsonb       CHECK (pg_column_size(dos_and_donts) <= 1048576),
    target_audience         jsonb       CHECK (pg_column_size(target_audience) <= 1048576),
    content_themes          text[]      CHECK (pg_column_size(content_themes) <= 1048576),
    competitive_positioning jsonb       CHECK (pg_column_size(competitive_positioning) <= 1048576),
    brand_colors            text[]      CHECK (pg_column_size(brand_colors) <= 65536),
    brand_fonts             text[]      CHECK (pg_column_size(brand_fonts) <= 65536),
    logo_url                text        CHECK (octet_length(logo_url) <= 8000),
    primary_color           text        CHECK (octet_length(primary_color) <= 200),
    secondary_color         text        CHECK (octet_length(secondary_color) <= 200),
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, id),
    UNIQUE (user_id)
);
ALTER TABLE orla.brand_strategy OWNER TO orla_service;
COMMENT ON TABLE orla.brand_strategy IS 'the brand strategy, one per tenant';
COMMENT ON COLUMN orla.brand_strategy.brand_voice IS '{tone, personality[], key_characteristics[]}';
COMMENT ON COLUMN orla.brand_strategy.language_patterns IS '{writing_style, preferred_phrases[], vocabulary[]}';
COMMENT ON COLUMN orla.brand_strategy.dos_and_donts IS '{dos[], donts[]}';
COMMENT ON COLUMN orla.brand_strategy.target_audience IS '{primary, characteristics[]}';
COMMENT ON COLUMN orla.brand_strategy.competitive_positioning IS '{unique_value, copy_and_adapt[], gaps_to_exploit[], avoid[]}';

ALTER TABLE orla.brand_strategy ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.brand_strategy FORCE ROW LEVEL SECURITY;
CREATE POLICY brand_strategy_tenant ON orla.brand_strategy
    FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY brand_strategy_analyst ON orla.brand_strategy
    FOR SELECT TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));
CREATE POLICY brand_strategy_tenant_only ON orla.brand_strategy
    AS RESTRICTIVE FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY brand_strategy_analyst_only ON orla.brand_strategy
    AS RESTRICTIVE FOR ALL TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));

CREATE TRIGGER brand_strategy_touch BEFORE UPDATE ON orla.brand_strategy
    FOR EACH ROW EXECUTE FUNCTION orla.touch_updated_at();

REVOKE ALL ON TABLE orla.brand_strategy FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.brand_strategy
    TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla.brand_strategy TO orla_analyst;

SELECT pg_extension_config_dump('orla.brand_strategy', '');
