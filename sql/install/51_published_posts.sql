-- What was published where.
CREATE TABLE orla.published_posts (
    user_id         uuid        NOT NULL DEFAULT orla.current_tenant()
        REFERENCES orla.users (id) ON DELETE CASCADE,
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    content_id      uuid,
    platform        text        CHECK (octet_length(platform) <= 500),
    post_id         text        CHECK (octet_length(post_id) <= 2000),
    post_url        text        CHECK (octet_length(post_url) <= 8000),
    caption         text        CHECK (octet_length(caption) <= 1048576),
    media_urls      text[]      CHECK (pg_column_size(media_urls) <= 1048576),
    published_at    timestamptz NOT NULL DEFAULT now(),
    engagement_data jsonb       NOT NULL DEFAULT '{}' CHECK (pg_column_size(engagement_data) <= 1048576),
    metadata        jsonb       NOT NULL DEFAULT '{}' CHECK (pg_column_size(metadata) <= 1048576),
    PRIMARY KEY (user_id, id),
    FOREIGN KEY (user_id, content_id)
        REFERENCES orla.content_library (user_id, id) ON DELETE SET NULL (content_id)
);
ALTER TABLE orla.published_posts OWNER TO orla_service;
COMMENT ON TABLE orla.published_posts IS 'what was published where';
COMMENT ON COLUMN orla.published_posts.content_id IS 'item of the tenant''s own content library; emptied when that is deleted';
COMMENT ON COLUMN orla.published_posts.post_id IS 'the platform''s id of the post';
CREATE INDEX published_posts_published_at ON orla.published_posts (user_id, published_at);
CREATE INDEX published_posts_content ON orla.published_posts (user_id, content_id);

ALTER TABLE orla.published_posts ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.published_posts FORCE ROW LEVEL SECURITY;
CREATE POLICY published_posts_tenant ON orla.published_posts
    FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY published_posts_analyst ON orla.published_posts
    FOR SELECT TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));
CREATE POLICY published_posts_tenant_only ON orla.published_posts
    AS RESTRICTIVE FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY published_posts_analyst_only ON orla.published_posts
    AS RESTRICTIVE FOR ALL TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));

REVOKE ALL ON TABLE orla.published_posts FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.published_posts
    TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla.published_posts TO orla_analyst;

SELECT pg_extension_config_dump('orla.published_posts', '');
