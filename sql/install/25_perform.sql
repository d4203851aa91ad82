-- Work that must survive its caller (src/worker.c).

CREATE FUNCTION orla.perform(operation text, args jsonb)
    RETURNS jsonb
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_perform';
REVOKE ALL ON FUNCTION orla.perform(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.perform(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.perform(text, jsonb) IS
    'Runs orla.do_<operation>(args) in a process of its own, as orla_service, and commits there before it returns the answer or raises the refusal. Errors: 25006 in a read-only transaction, PT503 where no process is free.';
