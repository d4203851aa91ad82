-- Competitors that a tenant watches.
CREATE TABLE orla.competitors (
    user_id        uuid        NOT NULL DEFAULT orla.current_tenant()
        REFERENCES orla.users (id) ON DELETE CASCADE,
    id             uuid        NOT NULL DEFAULT gen_random_uuid(),
    name           text        NOT NULL CHECK (octet_length(name) <= 2000),
    industry       text        CHECK (octet_length(industry) <= 2000),
    location       text        CHECK (octet_length(location) <= 2000),
    social_handles jsonb       NOT NULL DEFAULT '{}' CHECK (pg_column_size(social_handles) <= 65536),
    added_at       timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    last_analyzed  timestamptz,
    PRIMARY KEY (user_id, id)
);
ALTER TABLE orla.competitors OWNER TO orla_service;
COMMENT ON TABLE orla.competitors IS 'competitors that the tenant watches';
COMMENT ON COLUMN orla.competitors.social_handles IS '{network: handle}';
CREATE INDEX competitors_added_at ON orla.competitors (user_id, added_at);

ALTER TABLE orla.competitors ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.competitors FORCE ROW LEVEL SECURITY;
CREATE POLICY competitors_tenant ON orla.competitors
    FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY competitors_analyst ON orla.competitors
    FOR SELECT TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));
CREATE POLICY competitors_tenant_only ON orla.competitors
    AS RESTRICTIVE FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY competitors_analyst_only ON orla.competitors
    AS RESTRICTIVE FOR ALL TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));

CREATE TRIGGER competitors_touch BEFORE UPDATE ON orla.competitors
    FOR EACH ROW EXECUTE FUNCTION orla.touch_updated_at();

REVOKE ALL ON TABLE orla.competitors FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.competitors
    TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla.competitors TO orla_analyst;

SELECT pg_extension_config_dump('orla.competitors', '');
