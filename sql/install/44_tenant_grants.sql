-- Which analyst may read which tenant.  Read by the library past the policies
-- (orla.granted_tenants()); written by orla.grant_tenant() and revoke_tenant().
CREATE TABLE orla.tenant_grants (
    analyst    name        NOT NULL,
    user_id    uuid        NOT NULL REFERENCES orla.users (id) ON DELETE CASCADE,
    granted_at timestamptz NOT NULL DEFAULT now(),
    granted_by name        NOT NULL DEFAULT session_user,
    PRIMARY KEY (analyst, user_id)
);
ALTER TABLE orla.tenant_grants OWNER TO orla_service;
COMMENT ON TABLE orla.tenant_grants IS 'which analyst may read which tenant';
COMMENT ON COLUMN orla.tenant_grants.analyst IS 'name of a login; a login of the same name that is made later would inherit, which orla.check_isolation() reports';
COMMENT ON COLUMN orla.tenant_grants.user_id IS 'the tenant whose content the analyst reads';
COMMENT ON COLUMN orla.tenant_grants.granted_at IS 'since when';
COMMENT ON COLUMN orla.tenant_grants.granted_by IS 'the login that granted';
CREATE INDEX tenant_grants_user ON orla.tenant_grants (user_id);

ALTER TABLE orla.tenant_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.tenant_grants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_grants_service ON orla.tenant_grants
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY tenant_grants_admin ON orla.tenant_grants
    FOR SELECT TO orla_admin USING (true);

REVOKE ALL ON TABLE orla.tenant_grants FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.tenant_grants TO orla_service;
GRANT SELECT ON TABLE orla.tenant_grants TO orla_admin;

SELECT pg_extension_config_dump('orla.tenant_grants', '');
