-- Connections that were begun.  A row is good once, for ten minutes, for the
-- session that began.  One that is used up stays for that long without its
-- verifier: a tenant has so many of them, and makes so many requests.
CREATE TABLE orla.oauth_states (
    user_id       uuid        NOT NULL,
    state_hash    text        NOT NULL CHECK (state_hash ~ '^[0-9a-f]{64}$'),
    provider      text        NOT NULL CHECK (octet_length(provider) <= 100),
    session_id    uuid        NOT NULL,
    code_verifier bytea
        CHECK (octet_length(code_verifier) >= 37 AND get_byte(code_verifier, 0) = 1),
    redirect_uri  text        NOT NULL CHECK (octet_length(redirect_uri) <= 4000),
    return_to     text        CHECK (octet_length(return_to) <= 4000),
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL DEFAULT now() + interval '10 minutes',
    PRIMARY KEY (user_id, state_hash),
    FOREIGN KEY (user_id, session_id) REFERENCES orla.sessions (user_id, id) ON DELETE CASCADE
);
ALTER TABLE orla.oauth_states OWNER TO orla_service;
COMMENT ON TABLE orla.oauth_states IS 'connections to a provider that were begun';
COMMENT ON COLUMN orla.oauth_states.state_hash IS 'SHA-256 (hex) of the state that went to the provider';
COMMENT ON COLUMN orla.oauth_states.session_id IS 'the session that began; no other may complete';
COMMENT ON COLUMN orla.oauth_states.code_verifier IS 'PKCE verifier, sealed; NULL: used up';
COMMENT ON COLUMN orla.oauth_states.redirect_uri IS 'as it went to the provider, which wants to hear the same again';
COMMENT ON COLUMN orla.oauth_states.return_to IS 'where the page goes when all is done';
CREATE INDEX oauth_states_session ON orla.oauth_states (user_id, session_id);
CREATE INDEX oauth_states_expires_at ON orla.oauth_states (expires_at);

ALTER TABLE orla.oauth_states ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.oauth_states FORCE ROW LEVEL SECURITY;
CREATE POLICY oauth_states_service ON orla.oauth_states
    FOR ALL TO orla_service USING (true) WITH CHECK (true);

REVOKE ALL ON TABLE orla.oauth_states FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.oauth_states TO orla_service;

SELECT pg_extension_config_dump('orla.oauth_states', '');
