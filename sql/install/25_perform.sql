-- Work that must survive its caller (src/worker.c).

CREATE FUNCTION orla.perform(operation text, args jsonb)
    RETURNS jsonb
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_perform';
REVOKE ALL ON FUNCTION orla.perform(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.perform(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.perform(text, jsonb) IS
    'Has orla.do_<operation>(args) and what follows it run by the worker, or where there is none by another process, as orla_service, and committed there before it returns the answer or raises the refusal. Errors: 25006 in a read-only transaction, PT503 where no process is free.';

CREATE FUNCTION orla.perform_by_worker(operation text, args jsonb)
    RETURNS jsonb
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_perform_by_worker';
REVOKE ALL ON FUNCTION orla.perform_by_worker(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.perform_by_worker(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.perform_by_worker(text, jsonb) IS
    'As orla.perform(), by the worker alone: for what makes requests to providers. Errors: 55000 where this database has no worker, PT503 where it is not running.';

CREATE FUNCTION orla.consult(operation text, args jsonb)
    RETURNS jsonb
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_consult';
REVOKE ALL ON FUNCTION orla.consult(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.consult(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.consult(text, jsonb) IS
    'As orla.perform_by_worker(), in a read-only transaction as well: for what changes nothing that the caller could ask for, such as keeping a token fresh.';

CREATE FUNCTION orla.require_worker()
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_require_worker';
REVOKE ALL ON FUNCTION orla.require_worker() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.require_worker() TO orla_service;
COMMENT ON FUNCTION orla.require_worker() IS
    'Waits for the worker of this database, for some seconds. Errors: 55000 where it has none, PT503 where it is not running.';

CREATE FUNCTION orla.worker_state(OUT pid int, OUT ready boolean, OUT started_at timestamptz, OUT queued int, OUT in_flight int,
                                  OUT calls bigint, OUT requests bigint, OUT failures bigint, OUT last_error text, OUT last_error_at timestamptz)
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_worker_state';
REVOKE ALL ON FUNCTION orla.worker_state() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.worker_state() TO orla_admin, orla_service;
COMMENT ON FUNCTION orla.worker_state() IS
    'The worker of this database: one row, all NULL without one. The view orla.worker_status shows the same.';
