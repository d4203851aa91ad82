-- Failed sign-ins, counted per address and origin, so that nobody locks another
-- out.  Both are keyed digests: the table names no person, and has the same
-- rows for addresses that have an account and for those that have none.
CREATE TABLE orla.sign_in_attempts (
    address_digest    bytea       NOT NULL CHECK (octet_length(address_digest) = 32),
    origin_digest     bytea       NOT NULL CHECK (octet_length(origin_digest) = 32),
    failed            int         NOT NULL DEFAULT 0,
    window_started_at timestamptz NOT NULL DEFAULT now(),
    locked_until      timestamptz,
    PRIMARY KEY (address_digest, origin_digest)
);
ALTER TABLE orla.sign_in_attempts OWNER TO orla_service;
COMMENT ON TABLE orla.sign_in_attempts IS 'failed sign-ins per address and origin, as digests';
COMMENT ON COLUMN orla.sign_in_attempts.address_digest IS 'keyed digest of the e-mail address';
COMMENT ON COLUMN orla.sign_in_attempts.origin_digest IS 'keyed digest of the known device or of the client''s address';
COMMENT ON COLUMN orla.sign_in_attempts.window_started_at IS 'the failures counted in failed began here';
CREATE INDEX sign_in_attempts_window_started_at ON orla.sign_in_attempts (window_started_at);

ALTER TABLE orla.sign_in_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.sign_in_attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY sign_in_attempts_service ON orla.sign_in_attempts
    FOR ALL TO orla_service USING (true) WITH CHECK (true);

REVOKE ALL ON TABLE orla.sign_in_attempts FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.sign_in_attempts TO orla_service;

SELECT pg_extension_config_dump('orla.sign_in_attempts', '');
