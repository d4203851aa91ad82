-- One row per sign-in.  An access token names its row (sid) and the row's
-- generation (gen); both are compared on every bind, so that ending a session
-- or raising its generation counts at once.
CREATE TABLE orla.sessions (
    user_id       uuid        NOT NULL REFERENCES orla.users (id) ON DELETE CASCADE,
    id            uuid        NOT NULL DEFAULT gen_random_uuid(),
    generation    int         NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    end_reason    text        CHECK (octet_length(end_reason) <= 200),
    ip_address    inet,
    user_agent    text        CHECK (octet_length(user_agent) <= 4000),
    PRIMARY KEY (user_id, id)
);
ALTER TABLE orla.sessions OWNER TO orla_service;
COMMENT ON TABLE orla.sessions IS 'sign-ins; what an access token is checked against';
COMMENT ON COLUMN orla.sessions.user_id IS 'whose it is';
COMMENT ON COLUMN orla.sessions.id IS 'sid of its access tokens';
COMMENT ON COLUMN orla.sessions.generation IS 'gen of the access tokens that count; raised to void those given out before';
COMMENT ON COLUMN orla.sessions.created_at IS 'when the person signed in';
COMMENT ON COLUMN orla.sessions.last_used_at IS 'the last refresh, not the last request';
COMMENT ON COLUMN orla.sessions.expires_at IS 'when it ends unless it is refreshed before';
COMMENT ON COLUMN orla.sessions.ended_at IS 'set by sign-out, password change, deactivation or reuse of a refresh token';
COMMENT ON COLUMN orla.sessions.end_reason IS 'which of them';
COMMENT ON COLUMN orla.sessions.ip_address IS 'shown to the account''s owner only';
COMMENT ON COLUMN orla.sessions.user_agent IS 'shown to the account''s owner only';
CREATE INDEX sessions_created_at ON orla.sessions (user_id, created_at);
CREATE INDEX sessions_expires_at ON orla.sessions (expires_at);

ALTER TABLE orla.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.sessions FORCE ROW LEVEL SECURITY;
-- Refresh finds the session before any tenant is known.
CREATE POLICY sessions_service ON orla.sessions
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY sessions_admin ON orla.sessions
    FOR SELECT TO orla_admin USING (true);

REVOKE ALL ON TABLE orla.sessions FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.sessions TO orla_service;
-- An operator sees that there are sessions, not from where.
GRANT SELECT (user_id, id, created_at, last_used_at, expires_at, ended_at, end_reason)
    ON TABLE orla.sessions TO orla_admin;

SELECT pg_extension_config_dump('orla.sessions', '');
