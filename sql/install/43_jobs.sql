-- Work that is done after the answer: analysis and generation.
CREATE TABLE orla.jobs (
    user_id       uuid        NOT NULL REFERENCES orla.users (id) ON DELETE CASCADE,
    id            uuid        NOT NULL DEFAULT gen_random_uuid(),
    kind          text        NOT NULL CHECK (octet_length(kind) <= 100),
    status        text        NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    progress      int         NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    payload       jsonb       NOT NULL DEFAULT '{}' CHECK (pg_column_size(payload) <= 1048576),
    result_id     uuid,
    result        jsonb       CHECK (pg_column_size(result) <= 1048576),
    error         text        CHECK (octet_length(error) <= 4000),
    model         text        CHECK (octet_length(model) <= 1000),
    input_tokens  bigint      NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
    output_tokens bigint      NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
    attempts      int         NOT NULL DEFAULT 0,
    failures      int         NOT NULL DEFAULT 0,
    turn          bigint      NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    run_at        timestamptz NOT NULL DEFAULT now(),
    started_at    timestamptz,
    claimed_at    timestamptz,
    finished_at   timestamptz,
    PRIMARY KEY (user_id, id)
);
ALTER TABLE orla.jobs OWNER TO orla_service;
COMMENT ON TABLE orla.jobs IS 'queue of work done by the worker, each for one tenant';
COMMENT ON COLUMN orla.jobs.kind IS 'what is to be done';
COMMENT ON COLUMN orla.jobs.progress IS 'per cent';
COMMENT ON COLUMN orla.jobs.payload IS 'the tenant''s own wishes; no secret';
COMMENT ON COLUMN orla.jobs.result_id IS 'id of the row that was made, in the table that kind writes to';
COMMENT ON COLUMN orla.jobs.result IS 'the result itself, of kinds that make no row';
COMMENT ON COLUMN orla.jobs.model IS 'the model that did it; template: none did';
COMMENT ON COLUMN orla.jobs.input_tokens IS 'what all of its requests took, as the model counts';
COMMENT ON COLUMN orla.jobs.attempts IS 'how often it was begun';
COMMENT ON COLUMN orla.jobs.failures IS 'how often in a row the model did not answer';
COMMENT ON COLUMN orla.jobs.turn IS 'its place in the line: tenants take turns';
COMMENT ON COLUMN orla.jobs.run_at IS 'not before';
COMMENT ON COLUMN orla.jobs.claimed_at IS 'when the worker took it last';
CREATE INDEX jobs_created_at ON orla.jobs (user_id, created_at);
CREATE INDEX jobs_waiting ON orla.jobs (run_at) WHERE status = 'queued';
CREATE INDEX jobs_in_line ON orla.jobs (turn, created_at, id) WHERE status = 'queued';
CREATE INDEX jobs_of_tenant ON orla.jobs (user_id, turn) WHERE status IN ('queued', 'running');
-- By what tenants cannot name: counters of scans would tell how much others have.
CREATE INDEX jobs_over ON orla.jobs (run_at) WHERE status IN ('succeeded', 'failed', 'cancelled') AND result IS NULL;
CREATE INDEX jobs_running ON orla.jobs (turn) WHERE status = 'running';

ALTER TABLE orla.jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.jobs FORCE ROW LEVEL SECURITY;
-- The worker takes the next job across tenants, and then works as its tenant.
CREATE POLICY jobs_service ON orla.jobs
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY jobs_tenant ON orla.jobs
    FOR SELECT TO orla_user, orla_gateway USING (user_id = orla.current_tenant());
CREATE POLICY jobs_tenant_only ON orla.jobs
    AS RESTRICTIVE FOR ALL TO orla_user, orla_gateway
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());

REVOKE ALL ON TABLE orla.jobs FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.jobs TO orla_service;
GRANT SELECT (id, kind, status, progress, result_id, result, error, model, input_tokens,
              output_tokens, attempts, created_at, started_at, finished_at)
    ON TABLE orla.jobs TO orla_user, orla_gateway;

SELECT pg_extension_config_dump('orla.jobs', '');
