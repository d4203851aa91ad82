-- What was written or generated, and is kept.
CREATE TABLE orla.content_library (
    user_id       uuid        NOT NULL DEFAULT orla.current_tenant()
        REFERENCES orla.users (id) ON DELETE CASCADE,
    id            uuid        NOT NULL DEFAULT gen_random_uuid(),
    title         text        NOT NULL CHECK (octet_length(title) <= 8000),
    content_type  text        CHECK (content_type IN ('blog', 'carousel', 'social', 'video')),
    content       text        CHECK (octet_length(content) <= 16777216),
    status        text        NOT NULL DEFAULT 'draft'
        CHECK (status IN ('draft', 'published', 'scheduled', 'archived')),
    platform      text        CHECK (octet_length(platform) <= 500),
    tags          text[]      CHECK (pg_column_size(tags) <= 65536),
    media_url     text        CHECK (octet_length(media_url) <= 8000),
    metadata      jsonb       NOT NULL DEFAULT '{}' CHECK (pg_column_size(metadata) <= 16777216),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    published_at  timestamptz,
    scheduled_for timestamptz,
    search        tsvector    NOT NULL,
    PRIMARY KEY (user_id, id)
);
ALTER TABLE orla.content_library OWNER TO orla_service;
COMMENT ON TABLE orla.content_library IS 'the content library: drafts and what became of them';
COMMENT ON COLUMN orla.content_library.content IS 'the body, Markdown for a blog';
COMMENT ON COLUMN orla.content_library.metadata IS 'what belongs to the content type: slug, meta description, slides …';
COMMENT ON COLUMN orla.content_library.search IS 'words of title and content and the tags, for orla_api.search_content(); kept by a trigger';
CREATE INDEX content_library_created_at ON orla.content_library (user_id, created_at);
CREATE INDEX content_library_search ON orla.content_library
    USING gin (user_id orla.uuid_gin_ops, search orla.tsvector_gin_ops);

ALTER TABLE orla.content_library ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.content_library FORCE ROW LEVEL SECURITY;
CREATE POLICY content_library_tenant ON orla.content_library
    FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY content_library_analyst ON orla.content_library
    FOR SELECT TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));
CREATE POLICY content_library_tenant_only ON orla.content_library
    AS RESTRICTIVE FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY content_library_analyst_only ON orla.content_library
    AS RESTRICTIVE FOR ALL TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));

-- Not a generated column: with any BEFORE UPDATE trigger on the table the
-- server computes generated columns anew for every update, and so indexed each
-- word again when only the status changed.  Like orla.touch_updated_at(),
-- this reads no table and writes nothing but the row at hand.
CREATE FUNCTION orla.set_content_search()
    RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    NEW.search := orla.search_document(NEW.title, NEW.content, NEW.tags);
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION orla.set_content_search() FROM PUBLIC;
COMMENT ON FUNCTION orla.set_content_search() IS 'trigger: fills content_library.search';

CREATE TRIGGER content_library_search
    BEFORE INSERT OR UPDATE OF title, content, tags, search ON orla.content_library
    FOR EACH ROW EXECUTE FUNCTION orla.set_content_search();
CREATE TRIGGER content_library_touch BEFORE UPDATE ON orla.content_library
    FOR EACH ROW EXECUTE FUNCTION orla.touch_updated_at();

REVOKE ALL ON TABLE orla.content_library FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.content_library
    TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla.content_library TO orla_analyst;

SELECT pg_extension_config_dump('orla.content_library', '');
