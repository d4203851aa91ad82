-- Mail that waits to be sent.  What makes a link work is sealed and blanked
-- once the mail is out.
CREATE TABLE orla.outbox (
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id         uuid        REFERENCES orla.users (id) ON DELETE CASCADE,
    to_address      text        NOT NULL CHECK (octet_length(to_address) <= 1000),
    subject         text        NOT NULL CHECK (octet_length(subject) <= 1000),
    template        text        NOT NULL CHECK (octet_length(template) <= 100),
    name            text        CHECK (octet_length(name) <= 2000),
    sealed_token    bytea,
    origin_digest   bytea       CHECK (octet_length(origin_digest) = 32),
    created_at      timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,
    attempts        int         NOT NULL DEFAULT 0,
    last_error      text        CHECK (octet_length(last_error) <= 4000),
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id)
);
ALTER TABLE orla.outbox OWNER TO orla_service;
COMMENT ON TABLE orla.outbox IS 'mail that waits or was sent';
COMMENT ON COLUMN orla.outbox.id IS 'what orla.render_mail() takes';
COMMENT ON COLUMN orla.outbox.user_id IS 'the account it concerns; NULL while there is none';
COMMENT ON COLUMN orla.outbox.to_address IS 'where the mail goes';
COMMENT ON COLUMN orla.outbox.subject IS 'its subject line';
COMMENT ON COLUMN orla.outbox.template IS 'which text orla.render_mail() fills in';
COMMENT ON COLUMN orla.outbox.name IS 'how the mail addresses its reader';
COMMENT ON COLUMN orla.outbox.sealed_token IS 'the token of the link, sealed; NULL once sent';
COMMENT ON COLUMN orla.outbox.origin_digest IS 'keyed digest of where it was asked for; NULL for what nobody asked for';
COMMENT ON COLUMN orla.outbox.created_at IS 'when it was put here';
COMMENT ON COLUMN orla.outbox.sent_at IS 'when the mail server took it; NULL while it waits';
COMMENT ON COLUMN orla.outbox.attempts IS 'how often it was tried';
COMMENT ON COLUMN orla.outbox.last_error IS 'why the last attempt failed';
COMMENT ON COLUMN orla.outbox.next_attempt_at IS 'not before';
CREATE INDEX outbox_address ON orla.outbox (to_address, created_at);
CREATE INDEX outbox_user ON orla.outbox (user_id, created_at);
CREATE INDEX outbox_waiting ON orla.outbox (next_attempt_at) WHERE sent_at IS NULL;

ALTER TABLE orla.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY outbox_service ON orla.outbox
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY outbox_admin ON orla.outbox
    FOR SELECT TO orla_admin USING (true);

REVOKE ALL ON TABLE orla.outbox FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.outbox TO orla_service;
-- The token only by way of orla.render_mail(), which leaves an audit row.
GRANT SELECT (id, user_id, to_address, subject, template, name, created_at,
              sent_at, attempts, last_error, next_attempt_at)
    ON TABLE orla.outbox TO orla_admin;

SELECT pg_extension_config_dump('orla.outbox', '');
