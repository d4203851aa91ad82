-- What operators configured for a provider of cloud storage.  The providers'
-- own facts (addresses, scopes) are code: an empty table is a working one.
CREATE TABLE orla.providers (
    name          text        NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    client_id     text        NOT NULL CHECK (octet_length(client_id) <= 2000),
    client_secret bytea,
    overrides     jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(overrides) = 'object'),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name)
);
ALTER TABLE orla.providers OWNER TO orla_service;
COMMENT ON TABLE orla.providers IS 'providers of cloud storage as operators configured them';
COMMENT ON COLUMN orla.providers.name IS 'what connect() and the other functions take';
COMMENT ON COLUMN orla.providers.client_id IS 'what the provider knows this installation by';
COMMENT ON COLUMN orla.providers.client_secret IS 'sealed, instance-wide; NULL for a public client';
COMMENT ON COLUMN orla.providers.overrides IS 'differences from the defaults that are code';
COMMENT ON COLUMN orla.providers.created_at IS 'when it was first configured';
COMMENT ON COLUMN orla.providers.updated_at IS 'when it was last configured';

ALTER TABLE orla.providers ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.providers FORCE ROW LEVEL SECURITY;
CREATE POLICY providers_service ON orla.providers
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY providers_admin ON orla.providers
    FOR SELECT TO orla_admin USING (true);

REVOKE ALL ON TABLE orla.providers FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.providers TO orla_service;
-- Written by orla.configure_provider(), which seals and leaves an audit row.
GRANT SELECT (name, client_id, overrides, created_at, updated_at)
    ON TABLE orla.providers TO orla_admin;

SELECT pg_extension_config_dump('orla.providers', '');
