-- What happened, written by the functions that did it.  Nobody may change or
-- delete a row: its owner may add rows, and the one column that it may update is
-- the one that a foreign key empties when an account goes.  Old rows go by
-- orla.audit_prune(), which is a superuser's.
CREATE TABLE orla.audit_log (
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id         uuid        REFERENCES orla.users (id) ON DELETE SET NULL,
    event_type      text        NOT NULL CHECK (octet_length(event_type) <= 200),
    event_status    text        NOT NULL DEFAULT 'success'
        CHECK (event_status IN ('success', 'failure', 'pending')),
    ip_address      inet,
    user_agent      text        CHECK (octet_length(user_agent) <= 4000),
    error_message   text        CHECK (octet_length(error_message) <= 4000),
    metadata        jsonb       NOT NULL DEFAULT '{}' CHECK (pg_column_size(metadata) <= 65536),
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    subject_digest  bytea       CHECK (octet_length(subject_digest) = 32),
    sealed_personal bytea,
    mac             bytea       CHECK (octet_length(mac) = 32),
    mac_key_id      text        CHECK (octet_length(mac_key_id) <= 64),
    PRIMARY KEY (id)
);
ALTER TABLE orla.audit_log OWNER TO orla_service;
COMMENT ON TABLE orla.audit_log IS 'audit trail, append-only; never a secret in it';
COMMENT ON COLUMN orla.audit_log.id IS 'of the row';
COMMENT ON COLUMN orla.audit_log.user_id IS 'whom it concerns; emptied when the account is deleted';
COMMENT ON COLUMN orla.audit_log.event_type IS 'what was tried';
COMMENT ON COLUMN orla.audit_log.event_status IS 'success, failure or pending';
COMMENT ON COLUMN orla.audit_log.ip_address IS 'imported rows of no account only; others have it in sealed_personal';
COMMENT ON COLUMN orla.audit_log.user_agent IS 'imported rows of no account only; others have it in sealed_personal';
COMMENT ON COLUMN orla.audit_log.error_message IS 'why it failed';
COMMENT ON COLUMN orla.audit_log.metadata IS 'facts that name no person';
COMMENT ON COLUMN orla.audit_log.created_at IS 'when it happened';
COMMENT ON COLUMN orla.audit_log.subject_digest IS 'keyed digest of the tenant, part of mac, so that emptying user_id breaks nothing';
COMMENT ON COLUMN orla.audit_log.sealed_personal IS 'client address and user agent, sealed with the tenant''s key: unreadable once the account is deleted';
COMMENT ON COLUMN orla.audit_log.mac IS 'keyed digest of the row; NULL only for imported rows, until orla.audit_adopt()';
COMMENT ON COLUMN orla.audit_log.mac_key_id IS 'the key of mac';
CREATE INDEX audit_log_user ON orla.audit_log (user_id, created_at);
CREATE INDEX audit_log_created_at ON orla.audit_log (created_at);

ALTER TABLE orla.audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_log_service ON orla.audit_log
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY audit_log_admin ON orla.audit_log
    FOR SELECT TO orla_admin USING (true);
CREATE POLICY audit_log_tenant ON orla.audit_log
    FOR SELECT TO orla_user, orla_gateway USING (user_id = orla.current_tenant());
CREATE POLICY audit_log_tenant_only ON orla.audit_log
    AS RESTRICTIVE FOR ALL TO orla_user, orla_gateway
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());

REVOKE ALL ON TABLE orla.audit_log FROM PUBLIC, orla_service;
GRANT SELECT, INSERT ON TABLE orla.audit_log TO orla_service;
GRANT UPDATE (user_id) ON TABLE orla.audit_log TO orla_service;
GRANT SELECT (id, user_id, event_type, event_status, error_message, metadata, created_at)
    ON TABLE orla.audit_log TO orla_admin, orla_user, orla_gateway;

SELECT pg_extension_config_dump('orla.audit_log', '');
