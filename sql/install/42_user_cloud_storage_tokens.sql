-- Connections to cloud storage, with the provider's tokens sealed.  The CHECKs
-- on the sealed columns let no clear text in by mistake: what orla.seal()
-- makes starts with its format (1) and is never shorter than 37 bytes.
CREATE TABLE orla.user_cloud_storage_tokens (
    user_id          uuid        NOT NULL REFERENCES orla.users (id) ON DELETE CASCADE,
    id               uuid        NOT NULL DEFAULT gen_random_uuid(),
    provider         text        NOT NULL CHECK (octet_length(provider) <= 100),
    provider_user_id text        CHECK (octet_length(provider_user_id) <= 1000),
    provider_email   text        CHECK (octet_length(provider_email) <= 1000),
    access_token     bytea
        CHECK (octet_length(access_token) >= 37 AND get_byte(access_token, 0) = 1),
    refresh_token    bytea
        CHECK (octet_length(refresh_token) >= 37 AND get_byte(refresh_token, 0) = 1),
    previous_refresh_token bytea
        CHECK (octet_length(previous_refresh_token) >= 37 AND get_byte(previous_refresh_token, 0) = 1),
    token_expires_at timestamptz,
    scopes           text[]      NOT NULL DEFAULT '{}',
    status           text        NOT NULL DEFAULT 'connected'
        CHECK (status IN ('connected', 'retrying', 'needs_operator', 'needs_reconnect', 'disconnected')),
    last_error       text        CHECK (octet_length(last_error) <= 4000),
    metadata         jsonb       NOT NULL DEFAULT '{}',
    is_active        boolean     NOT NULL DEFAULT true,
    selected_folders jsonb       NOT NULL DEFAULT '[]',
    last_refreshed_at timestamptz,
    last_used_at     timestamptz NOT NULL DEFAULT now(),
    next_request_at  timestamptz,
    not_before       timestamptz,
    claimed_at       timestamptz,
    failures         int         NOT NULL DEFAULT 0,
    connected_at     timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, id),
    UNIQUE (user_id, provider)
);
ALTER TABLE orla.user_cloud_storage_tokens OWNER TO orla_service;
COMMENT ON TABLE orla.user_cloud_storage_tokens IS 'connections to cloud storage; tokens are sealed';
COMMENT ON COLUMN orla.user_cloud_storage_tokens.access_token IS 'sealed with the tenant''s key';
COMMENT ON COLUMN orla.user_cloud_storage_tokens.refresh_token IS 'sealed with the tenant''s key';
COMMENT ON COLUMN orla.user_cloud_storage_tokens.previous_refresh_token IS 'the one before a rotation, until the next success: tried once if the new one is refused';
COMMENT ON COLUMN orla.user_cloud_storage_tokens.last_used_at IS 'when somebody last needed the token, to the precision of a refresh';
COMMENT ON COLUMN orla.user_cloud_storage_tokens.next_request_at IS 'when the worker refreshes the token; NULL: never by itself';
COMMENT ON COLUMN orla.user_cloud_storage_tokens.not_before IS 'until when the provider asked to be left alone';
COMMENT ON COLUMN orla.user_cloud_storage_tokens.claimed_at IS 'since when the worker has a request under way for this row; emptied when a worker starts';
COMMENT ON COLUMN orla.user_cloud_storage_tokens.failures IS 'requests without an answer in a row';
COMMENT ON COLUMN orla.user_cloud_storage_tokens.scopes IS 'what the provider granted, which may be less than was asked for';
COMMENT ON COLUMN orla.user_cloud_storage_tokens.status IS 'retrying: the provider does not answer; needs_operator: it refuses this installation; needs_reconnect: it no longer accepts the refresh token';
COMMENT ON COLUMN orla.user_cloud_storage_tokens.selected_folders IS 'folders to show; empty for all';
-- What is sealed does not get smaller.
ALTER TABLE orla.user_cloud_storage_tokens
    ALTER access_token SET STORAGE EXTERNAL,
    ALTER refresh_token SET STORAGE EXTERNAL,
    ALTER previous_refresh_token SET STORAGE EXTERNAL;
-- The worker's own.  They lead with nothing that a tenant's query could use them
-- for, since they lead through the rows of all.
CREATE INDEX user_cloud_storage_tokens_due
    ON orla.user_cloud_storage_tokens ((provider || ''), next_request_at) WHERE claimed_at IS NULL;
CREATE INDEX user_cloud_storage_tokens_claimed
    ON orla.user_cloud_storage_tokens (claimed_at) WHERE claimed_at IS NOT NULL;
CREATE INDEX user_cloud_storage_tokens_account
    ON orla.user_cloud_storage_tokens (provider_user_id);

ALTER TABLE orla.user_cloud_storage_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.user_cloud_storage_tokens FORCE ROW LEVEL SECURITY;
-- The worker finds tokens that run out across tenants.
CREATE POLICY user_cloud_storage_tokens_service ON orla.user_cloud_storage_tokens
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY user_cloud_storage_tokens_tenant ON orla.user_cloud_storage_tokens
    FOR SELECT TO orla_user, orla_gateway USING (user_id = orla.current_tenant());
CREATE POLICY user_cloud_storage_tokens_tenant_only ON orla.user_cloud_storage_tokens
    AS RESTRICTIVE FOR ALL TO orla_user, orla_gateway
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());

REVOKE ALL ON TABLE orla.user_cloud_storage_tokens FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.user_cloud_storage_tokens TO orla_service;
-- What orla_api.connections shows; never a token, sealed or not.
GRANT SELECT (provider, provider_email, token_expires_at, scopes, status,
              last_error, is_active, connected_at, selected_folders)
    ON TABLE orla.user_cloud_storage_tokens TO orla_user, orla_gateway;

SELECT pg_extension_config_dump('orla.user_cloud_storage_tokens', '');
