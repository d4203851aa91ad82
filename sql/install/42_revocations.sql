-- Accesses that are to be ended at their provider: those of connections that
-- were ended, of accounts that were deleted, and those that a newer connection
-- has taken the place of.  A row outlives all of these: so it refers to none of
-- them, and what it holds is sealed for the installation, not by the key of a
-- tenant, which goes with the account.
CREATE TABLE orla.revocations (
    id              uuid        NOT NULL,
    provider        text        NOT NULL CHECK (octet_length(provider) <= 100),
    sealed_grant    bytea       NOT NULL
        CHECK (octet_length(sealed_grant) >= 37 AND get_byte(sealed_grant, 0) = 1),
    created_at      timestamptz NOT NULL DEFAULT now(),
    next_attempt_at timestamptz DEFAULT now(),
    claimed_at      timestamptz,
    failures        int         NOT NULL DEFAULT 0,
    last_error      text        CHECK (octet_length(last_error) <= 4000),
    ended_at        timestamptz,
    PRIMARY KEY (id)
);
ALTER TABLE orla.revocations OWNER TO orla_service;
COMMENT ON TABLE orla.revocations IS 'accesses that are to be ended at their provider; gone within a day';
COMMENT ON COLUMN orla.revocations.id IS 'of the row';
COMMENT ON COLUMN orla.revocations.provider IS 'where the access is to be ended';
COMMENT ON COLUMN orla.revocations.sealed_grant IS 'tokens and whose they are, sealed for the installation; after the end, without the tokens';
COMMENT ON COLUMN orla.revocations.created_at IS 'since when it is to be ended';
COMMENT ON COLUMN orla.revocations.next_attempt_at IS 'not before; NULL once it has ended';
COMMENT ON COLUMN orla.revocations.claimed_at IS 'since when the worker has a request under way for it; emptied when a worker starts';
COMMENT ON COLUMN orla.revocations.failures IS 'attempts without an answer in a row';
COMMENT ON COLUMN orla.revocations.last_error IS 'what went wrong last';
COMMENT ON COLUMN orla.revocations.ended_at IS 'for an hour, where the end of one access may have been that of another';
ALTER TABLE orla.revocations ALTER sealed_grant SET STORAGE EXTERNAL;
CREATE INDEX revocations_due ON orla.revocations (provider, next_attempt_at);

ALTER TABLE orla.revocations ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.revocations FORCE ROW LEVEL SECURITY;
CREATE POLICY revocations_service ON orla.revocations
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY revocations_admin ON orla.revocations
    FOR SELECT TO orla_admin USING (true);

REVOKE ALL ON TABLE orla.revocations FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.revocations TO orla_service;
GRANT SELECT (id, provider, created_at, next_attempt_at, claimed_at, failures, last_error, ended_at)
    ON TABLE orla.revocations TO orla_admin;

SELECT pg_extension_config_dump('orla.revocations', '');
