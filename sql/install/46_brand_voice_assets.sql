-- Brand material that was uploaded or imported.
CREATE TABLE orla.brand_voice_assets (
    user_id         uuid        NOT NULL DEFAULT orla.current_tenant()
        REFERENCES orla.users (id) ON DELETE CASCADE,
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    filename        text        NOT NULL CHECK (octet_length(filename) <= 4000),
    category        text        NOT NULL DEFAULT 'guidelines'
        CHECK (category IN ('guidelines', 'voice_samples', 'logos', 'target_audience_insights',
                            'community_videographer', 'community_client')),
    file_type       text        CHECK (octet_length(file_type) <= 500),
    file_path       text        CHECK (octet_length(file_path) <= 8000),
    content_preview text        CHECK (octet_length(content_preview) <= 65536),
    file_size_bytes int         CHECK (file_size_bytes >= 0),
    uploaded_at     timestamptz NOT NULL DEFAULT now(),
    metadata        jsonb       NOT NULL DEFAULT '{}' CHECK (pg_column_size(metadata) <= 67108864),
    content         bytea,
    PRIMARY KEY (user_id, id)
);
ALTER TABLE orla.brand_voice_assets OWNER TO orla_service;
COMMENT ON TABLE orla.brand_voice_assets IS 'brand material: guidelines, voice samples, logos, audience insights';
COMMENT ON COLUMN orla.brand_voice_assets.category IS 'the two community categories come from imports';
COMMENT ON COLUMN orla.brand_voice_assets.content IS 'the file itself';
COMMENT ON COLUMN orla.brand_voice_assets.metadata IS 'facts about the file: full_text is the text that was found in it; text_outcome is found, cut, or why there is none; found_type the media type as the bytes tell it';
-- Files are compressed already, or read whole: what is read is not unpacked first.
ALTER TABLE orla.brand_voice_assets ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX brand_voice_assets_uploaded_at ON orla.brand_voice_assets (user_id, uploaded_at);

ALTER TABLE orla.brand_voice_assets ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.brand_voice_assets FORCE ROW LEVEL SECURITY;
CREATE POLICY brand_voice_assets_tenant ON orla.brand_voice_assets
    FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY brand_voice_assets_analyst ON orla.brand_voice_assets
    FOR SELECT TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));
CREATE POLICY brand_voice_assets_tenant_only ON orla.brand_voice_assets
    AS RESTRICTIVE FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY brand_voice_assets_analyst_only ON orla.brand_voice_assets
    AS RESTRICTIVE FOR ALL TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));

REVOKE ALL ON TABLE orla.brand_voice_assets FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.brand_voice_assets
    TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla.brand_voice_assets TO orla_analyst;

SELECT pg_extension_config_dump('orla.brand_voice_assets', '');
