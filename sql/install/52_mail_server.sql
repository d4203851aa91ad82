-- The mail server that the worker hands the outbox to; at most one row, written
-- by orla.configure_mail().
CREATE TABLE orla.mail_server (
    singleton    boolean     NOT NULL DEFAULT true CHECK (singleton),
    url          text        NOT NULL CHECK (url ~ '^smtps?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$'),
    starttls     boolean     NOT NULL DEFAULT true,
    from_address text        NOT NULL CHECK (octet_length(from_address) <= 254),
    username     text        CHECK (octet_length(username) <= 1000),
    password     bytea       CHECK (octet_length(password) >= 37 AND get_byte(password, 0) = 1),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (singleton)
);
ALTER TABLE orla.mail_server OWNER TO orla_service;
COMMENT ON TABLE orla.mail_server IS 'where mails are handed over, at most one row';
COMMENT ON COLUMN orla.mail_server.url IS 'smtp://host:587 with STARTTLS, or smtps://host:465';
COMMENT ON COLUMN orla.mail_server.starttls IS 'false: in plain text, to this machine alone';
COMMENT ON COLUMN orla.mail_server.from_address IS 'the sender of the mails';
COMMENT ON COLUMN orla.mail_server.username IS 'with which the worker signs in there; NULL: it does not';
COMMENT ON COLUMN orla.mail_server.password IS 'sealed';
COMMENT ON COLUMN orla.mail_server.updated_at IS 'when it was last configured';

ALTER TABLE orla.mail_server ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.mail_server FORCE ROW LEVEL SECURITY;
CREATE POLICY mail_server_service ON orla.mail_server
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY mail_server_admin ON orla.mail_server
    FOR SELECT TO orla_admin USING (true);

REVOKE ALL ON TABLE orla.mail_server FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.mail_server TO orla_service;
GRANT SELECT (url, starttls, from_address, username, updated_at) ON TABLE orla.mail_server TO orla_admin;

SELECT pg_extension_config_dump('orla.mail_server', '');
