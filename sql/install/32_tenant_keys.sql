-- One data key per tenant, wrapped by the keyring.  Deleting the account
-- deletes the key, and with it what the key has sealed, wherever that lies.
CREATE TABLE orla.tenant_keys (
    user_id     uuid        NOT NULL REFERENCES orla.users (id) ON DELETE CASCADE,
    wrapped_key bytea       NOT NULL CHECK (octet_length(wrapped_key) BETWEEN 48 AND 200),
    key_id      text        NOT NULL CHECK (key_id ~ '^[0-9a-f]{16}$'),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id)
);
ALTER TABLE orla.tenant_keys OWNER TO orla_service;
COMMENT ON TABLE orla.tenant_keys IS 'the data key of each tenant, wrapped by a key of the keyring';
COMMENT ON COLUMN orla.tenant_keys.wrapped_key IS 'AES-256-GCM of the data key; worthless without the keyring';
COMMENT ON COLUMN orla.tenant_keys.key_id IS 'the key of the keyring that wraps it; orla.reseal() moves it to the newest';
CREATE INDEX tenant_keys_key_id ON orla.tenant_keys (key_id);

ALTER TABLE orla.tenant_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.tenant_keys FORCE ROW LEVEL SECURITY;
-- The service alone: keys are made at sign-up and rewrapped across tenants.
CREATE POLICY tenant_keys_service ON orla.tenant_keys
    FOR ALL TO orla_service USING (true) WITH CHECK (true);

REVOKE ALL ON TABLE orla.tenant_keys FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.tenant_keys TO orla_service;

SELECT pg_extension_config_dump('orla.tenant_keys', '');
