-- The models that write, as operators configured them.
CREATE TABLE orla.models (
    name       text        NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    kind       text        NOT NULL CHECK (kind IN ('anthropic', 'openai', 'template')),
    base_url   text        CHECK (octet_length(base_url) <= 2000),
    model      text        CHECK (octet_length(model) <= 500),
    api_key    bytea       CHECK (octet_length(api_key) >= 37 AND get_byte(api_key, 0) = 1),
    options    jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(options) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name)
);
ALTER TABLE orla.models OWNER TO orla_service;
COMMENT ON TABLE orla.models IS 'models that generate content, as operators configured them';
COMMENT ON COLUMN orla.models.name IS 'default, a kind of job that it is for, or any';
COMMENT ON COLUMN orla.models.kind IS 'the protocol; template: built in, without a network';
COMMENT ON COLUMN orla.models.base_url IS 'where its server is; NULL for the template';
COMMENT ON COLUMN orla.models.model IS 'as its server calls it';
COMMENT ON COLUMN orla.models.api_key IS 'sealed';
COMMENT ON COLUMN orla.models.options IS 'further members of each request';
COMMENT ON COLUMN orla.models.created_at IS 'when it was first configured';
COMMENT ON COLUMN orla.models.updated_at IS 'when it was last configured';

ALTER TABLE orla.models ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.models FORCE ROW LEVEL SECURITY;
CREATE POLICY models_service ON orla.models
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY models_admin ON orla.models
    FOR SELECT TO orla_admin USING (true);

REVOKE ALL ON TABLE orla.models FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.models TO orla_service;
-- Written by orla.configure_model(), which seals and leaves an audit row.
GRANT SELECT (name, kind, base_url, model, options, created_at, updated_at)
    ON TABLE orla.models TO orla_admin;

SELECT pg_extension_config_dump('orla.models', '');
