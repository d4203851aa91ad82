-- Sign-ups whose address is not proven yet.  The same row is written whether or
-- not the address has an account, and several may wait for one address: the
-- mail and the password together decide which of them becomes the account.
CREATE TABLE orla.pending_registrations (
    id                uuid        NOT NULL DEFAULT gen_random_uuid(),
    email             text        NOT NULL
        CHECK (octet_length(email) <= 1000 AND email = lower(email COLLATE "C")),
    name              text        NOT NULL CHECK (octet_length(name) <= 2000),
    organization_name text        CHECK (octet_length(organization_name) <= 2000),
    password_hash     text        NOT NULL
        CHECK (octet_length(password_hash) <= 500 AND password_hash ~ '^\$argon2id\$'),
    token_hash        text        NOT NULL CHECK (token_hash ~ '^[0-9a-f]{64}$'),
    origin_digest     bytea       CHECK (octet_length(origin_digest) = 32),
    failed_attempts   int         NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    expires_at        timestamptz NOT NULL,
    PRIMARY KEY (id)
);
ALTER TABLE orla.pending_registrations OWNER TO orla_service;
COMMENT ON TABLE orla.pending_registrations IS 'sign-ups that wait for their mail to be answered';
COMMENT ON COLUMN orla.pending_registrations.id IS 'first part of the verification token';
COMMENT ON COLUMN orla.pending_registrations.token_hash IS 'SHA-256 (hex) of the token that was mailed';
COMMENT ON COLUMN orla.pending_registrations.origin_digest IS 'keyed digest of where the sign-up came from: who asks for the link again from there gets this one''s';
COMMENT ON COLUMN orla.pending_registrations.failed_attempts IS 'wrong passwords given with the right token';
CREATE INDEX pending_registrations_email ON orla.pending_registrations (email);
CREATE INDEX pending_registrations_expires_at ON orla.pending_registrations (expires_at);

ALTER TABLE orla.pending_registrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.pending_registrations FORCE ROW LEVEL SECURITY;
CREATE POLICY pending_registrations_service ON orla.pending_registrations
    FOR ALL TO orla_service USING (true) WITH CHECK (true);

REVOKE ALL ON TABLE orla.pending_registrations FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.pending_registrations TO orla_service;

SELECT pg_extension_config_dump('orla.pending_registrations', '');
