-- What makes the audit trail tamper-evident: orla.audit_seal() lists the rows
-- that are not in a batch yet and chains a keyed digest over them, so that
-- writers of the trail never wait for each other.  Neither table refers to
-- audit_log by a foreign key: a row that is gone has to be noticed.  A batch
-- outlives its rows: what orla.audit_prune() takes away is the rows, so that the
-- chain begins at 1 for ever and each head that was kept elsewhere stays good.
CREATE TABLE orla.audit_batches (
    seq             bigint      NOT NULL CHECK (seq > 0),
    sealed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    row_count       int         NOT NULL CHECK (row_count >= 0),
    rows_digest     bytea       NOT NULL CHECK (octet_length(rows_digest) = 32),
    previous_digest bytea       CHECK (octet_length(previous_digest) = 32),
    digest          bytea       NOT NULL CHECK (octet_length(digest) = 32),
    mac_key_id      text        NOT NULL CHECK (octet_length(mac_key_id) <= 64),
    pruned_at       timestamptz,
    pruned_digest   bytea       CHECK (octet_length(pruned_digest) = 32),
    PRIMARY KEY (seq),
    CHECK ((pruned_at IS NULL) = (pruned_digest IS NULL))
);
ALTER TABLE orla.audit_batches OWNER TO orla_service;
COMMENT ON TABLE orla.audit_batches IS 'sealed batches of the audit trail, each chained to the one before';
COMMENT ON COLUMN orla.audit_batches.seq IS '1, 2, 3 … without gaps; computed, since a sequence has gaps';
COMMENT ON COLUMN orla.audit_batches.sealed_at IS 'when the batch was made';
COMMENT ON COLUMN orla.audit_batches.row_count IS 'how many rows are in it';
COMMENT ON COLUMN orla.audit_batches.rows_digest IS 'keyed digest over the rows'' places, ids and macs';
COMMENT ON COLUMN orla.audit_batches.previous_digest IS 'digest of the batch before';
COMMENT ON COLUMN orla.audit_batches.digest IS 'keyed digest of this batch; the newest is orla.audit_head()';
COMMENT ON COLUMN orla.audit_batches.mac_key_id IS 'the key of its digests';
COMMENT ON COLUMN orla.audit_batches.pruned_at IS 'when its rows were taken away by orla.audit_prune()';
COMMENT ON COLUMN orla.audit_batches.pruned_digest IS 'keyed digest that says so: rows that went in another way are missed';

ALTER TABLE orla.audit_batches ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.audit_batches FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_batches_service ON orla.audit_batches
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY audit_batches_admin ON orla.audit_batches
    FOR SELECT TO orla_admin USING (true);

REVOKE ALL ON TABLE orla.audit_batches FROM PUBLIC, orla_service;
GRANT SELECT, INSERT ON TABLE orla.audit_batches TO orla_service;
GRANT SELECT ON TABLE orla.audit_batches TO orla_admin;

SELECT pg_extension_config_dump('orla.audit_batches', '');

CREATE TABLE orla.audit_batch_rows (
    audit_id uuid   NOT NULL,
    seq      bigint NOT NULL,
    position int    NOT NULL,
    PRIMARY KEY (audit_id),
    UNIQUE (seq, position)
);
ALTER TABLE orla.audit_batch_rows OWNER TO orla_service;
COMMENT ON TABLE orla.audit_batch_rows IS 'which rows of the audit trail are in which batch';
COMMENT ON COLUMN orla.audit_batch_rows.audit_id IS 'orla.audit_log.id';
COMMENT ON COLUMN orla.audit_batch_rows.seq IS 'orla.audit_batches.seq';
COMMENT ON COLUMN orla.audit_batch_rows.position IS 'place in the order that rows_digest is computed in';

ALTER TABLE orla.audit_batch_rows ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.audit_batch_rows FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_batch_rows_service ON orla.audit_batch_rows
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY audit_batch_rows_admin ON orla.audit_batch_rows
    FOR SELECT TO orla_admin USING (true);

REVOKE ALL ON TABLE orla.audit_batch_rows FROM PUBLIC, orla_service;
GRANT SELECT, INSERT ON TABLE orla.audit_batch_rows TO orla_service;
GRANT SELECT ON TABLE orla.audit_batch_rows TO orla_admin;

SELECT pg_extension_config_dump('orla.audit_batch_rows', '');
