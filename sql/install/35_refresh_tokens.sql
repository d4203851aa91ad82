-- Refresh tokens: each is good for one rotation.  The child of a rotation is
-- derived from its parent under mac_key_id, so that a second tab gets the same
-- child within the grace period without any token being stored.
CREATE TABLE orla.refresh_tokens (
    user_id       uuid        NOT NULL,
    id            uuid        NOT NULL DEFAULT gen_random_uuid(),
    session_id    uuid        NOT NULL,
    token_hash    text        NOT NULL CHECK (token_hash ~ '^[0-9a-f]{64}$'),
    parent_id     uuid,
    mac_key_id    text        CHECK (octet_length(mac_key_id) <= 64),
    expires_at    timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz,
    rotated_at    timestamptz,
    is_revoked    boolean     NOT NULL DEFAULT false,
    revoked_at    timestamptz,
    ip_address    inet,
    user_agent    text        CHECK (octet_length(user_agent) <= 4000),
    PRIMARY KEY (user_id, id),
    UNIQUE (user_id, token_hash),
    FOREIGN KEY (user_id, session_id) REFERENCES orla.sessions (user_id, id) ON DELETE CASCADE
);
ALTER TABLE orla.refresh_tokens OWNER TO orla_service;
COMMENT ON TABLE orla.refresh_tokens IS 'refresh tokens, as hashes; a session''s tokens are one family';
COMMENT ON COLUMN orla.refresh_tokens.token_hash IS 'SHA-256 (hex) of the token';
COMMENT ON COLUMN orla.refresh_tokens.parent_id IS 'the token whose rotation made this one; NULL for the first of a session';
COMMENT ON COLUMN orla.refresh_tokens.mac_key_id IS 'the key that this token''s child was derived with; NULL until there is one';
COMMENT ON COLUMN orla.refresh_tokens.rotated_at IS 'first use; a use after the grace period that follows is reuse';
COMMENT ON COLUMN orla.refresh_tokens.is_revoked IS 'true once the family was revoked';
CREATE INDEX refresh_tokens_session ON orla.refresh_tokens (user_id, session_id);
CREATE INDEX refresh_tokens_expires_at ON orla.refresh_tokens (expires_at);

ALTER TABLE orla.refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.refresh_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY refresh_tokens_service ON orla.refresh_tokens
    FOR ALL TO orla_service USING (true) WITH CHECK (true);

REVOKE ALL ON TABLE orla.refresh_tokens FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.refresh_tokens TO orla_service;

SELECT pg_extension_config_dump('orla.refresh_tokens', '');
