-- Which installation this is.  The row is made at first use, by
-- orla.ensure_instance(): one shipped by this script would collide with the
-- one that a dump brings back.
CREATE TABLE orla.instance (
    singleton   boolean     NOT NULL DEFAULT true CHECK (singleton),
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    keyring_id  uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (singleton)
);
ALTER TABLE orla.instance OWNER TO orla_service;
COMMENT ON TABLE orla.instance IS 'the identity of this database, at most one row';
COMMENT ON COLUMN orla.instance.singleton IS 'true: there is one row at most';
COMMENT ON COLUMN orla.instance.id IS 'part of iss in access tokens; orla.new_instance() changes it in a restored copy';
COMMENT ON COLUMN orla.instance.keyring_id IS 'the keyring whose keys this database''s secrets are sealed with';
COMMENT ON COLUMN orla.instance.created_at IS 'when the database was first used';

ALTER TABLE orla.instance ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.instance FORCE ROW LEVEL SECURITY;
CREATE POLICY instance_service ON orla.instance
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY instance_admin ON orla.instance
    FOR SELECT TO orla_admin USING (true);

REVOKE ALL ON TABLE orla.instance FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.instance TO orla_service;
GRANT SELECT ON TABLE orla.instance TO orla_admin;

SELECT pg_extension_config_dump('orla.instance', '');
