-- The line of jobs, and what becomes of one.
--
-- A job is begun by a claim, which is committed; then the worker makes the
-- prompt as its tenant, asks the model, and writes the result together with the
-- job's end, in one transaction.  So a result is written once.  What a worker
-- that died had under way is begun again: the model may then be asked twice.
--
-- What is called for each job is plpgsql, whose plans stay with the worker.

-- Tenants take turns.  A job gets the number after the last that its tenant has
-- in line, but none that is over: whoever comes later does not wait for what
-- others have piled up, and does not overtake them for what they had before.
-- Over is a turn whose jobs have ended; one that lasts holds up no more turns than
-- a tenant can have under way.
CREATE FUNCTION orla.next_turn(tenant uuid)
    RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN greatest((SELECT max(j.turn) FROM orla.jobs AS j
                      WHERE j.user_id = tenant AND j.status IN ('queued', 'running')),
                    coalesce((SELECT greatest(min(j.turn) - 1, max(j.turn) - current_setting('orla.max_jobs_per_tenant')::int)
                                FROM orla.jobs AS j WHERE j.status = 'running'),
                             (SELECT min(j.turn) - 1 FROM orla.jobs AS j WHERE j.status = 'queued'), 0)) + 1;
END
$$;
REVOKE ALL ON FUNCTION orla.next_turn(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.next_turn(uuid) TO orla_service;
COMMENT ON FUNCTION orla.next_turn(uuid) IS
    'The place in the line for another job of a tenant.';

CREATE FUNCTION orla.wake_worker()
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_wake_worker';
REVOKE ALL ON FUNCTION orla.wake_worker() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.wake_worker() TO orla_service;
COMMENT ON FUNCTION orla.wake_worker() IS
    'Has the worker look for due work when this transaction is committed; else it looks every two seconds.';

-- For the proven tenant.  Refuses what would wait for ever.
CREATE FUNCTION orla.enqueue_job(kind text, payload jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant uuid := orla.require_tenant();
    job    uuid;
BEGIN
    IF orla.model_for(kind) IS NULL THEN
        RAISE EXCEPTION 'no model is configured'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'An operator has to run orla.configure_model().';
    END IF;
    IF (SELECT w.pid IS NULL FROM orla.worker_state() AS w) THEN
        RAISE EXCEPTION 'no worker for this database'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Jobs are done by a worker, which is not running.',
                  HINT = 'Set shared_preload_libraries to orla and orla.databases to a list with this database, then restart.';
    END IF;
    -- Whoever of this tenant comes meanwhile waits here, and counts what this one
    -- commits.  The row is that of orla.claim_room(): neither the worker nor a
    -- sign-in waits for it.  It is changed, not locked alone: a REPEATABLE READ
    -- transaction that cannot see the others' jobs gets 40001.
    UPDATE orla.tenant_keys AS k SET created_at = k.created_at WHERE k.user_id = tenant;
    IF (SELECT count(*) FROM orla.jobs AS j WHERE j.user_id = tenant AND j.status IN ('queued', 'running'))
       >= current_setting('orla.max_queued_jobs')::int THEN
        RAISE EXCEPTION 'too many jobs are waiting'
            USING ERRCODE = 'PT429', HINT = 'Wait for some to end, or cancel some.';
    END IF;
    INSERT INTO orla.jobs (user_id, kind, payload, turn)
    VALUES (tenant, enqueue_job.kind, enqueue_job.payload, orla.next_turn(tenant))
    RETURNING id INTO job;
    PERFORM orla.wake_worker();
    RETURN jsonb_build_object('job_id', job, 'status', 'queued');
END
$$;
REVOKE ALL ON FUNCTION orla.enqueue_job(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.enqueue_job(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.enqueue_job(text, jsonb) IS
    'Puts a job of the proven tenant into the line. Errors: 55000 without a model or a worker, PT429, 28000.';

-- The jobs to begin now, claimed: in the order of their turns, so many in all
-- and of each tenant.  Reads no content.
CREATE FUNCTION orla.due_jobs()
    RETURNS SETOF jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most    int := current_setting('orla.max_jobs_per_tenant')::int;
    free    int := current_setting('orla.max_jobs')::int;
    running jsonb;      -- tenant: how many
    theirs  int;
    j       record;
    claimed int;
BEGIN
    -- Nothing will be heard of these any more.
    PERFORM orla.put_off_job(x.l, 'the worker lost it', '0')
       FROM (SELECT l FROM orla.jobs AS l
              WHERE l.status = 'running'
                AND l.claimed_at < now() - 3 * current_setting('orla.job_timeout')::interval - interval '1 minute'
                FOR UPDATE SKIP LOCKED) AS x;
    IF NOT EXISTS (SELECT FROM orla.jobs AS w WHERE w.status = 'queued' AND w.run_at <= now()) THEN
        RETURN;
    END IF;
    SELECT coalesce(jsonb_object_agg(r.user_id, r.n), '{}'), free - coalesce(sum(r.n), 0) INTO running, free
      FROM (SELECT q.user_id, count(*) AS n FROM orla.jobs AS q WHERE q.status = 'running' GROUP BY q.user_id) AS r;
    IF free <= 0 THEN
        RETURN;
    END IF;
    FOR j IN
        SELECT w.user_id, w.id FROM orla.jobs AS w
         WHERE w.status = 'queued' AND w.run_at <= now()
         ORDER BY w.turn, w.created_at, w.id
    LOOP
        theirs := coalesce((running -> j.user_id::text)::int, 0);
        CONTINUE WHEN theirs >= most;
        PERFORM FROM orla.jobs AS w WHERE w.user_id = j.user_id AND w.id = j.id AND w.status = 'queued'
            FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        UPDATE orla.jobs AS w
           SET status = 'running', attempts = w.attempts + 1, progress = 0, claimed_at = now(),
               started_at = coalesce(w.started_at, now())
         WHERE w.user_id = j.user_id AND w.id = j.id
        RETURNING w.attempts INTO claimed;
        RETURN NEXT jsonb_build_object('run', 'start_job', 'key', 'job ' || j.id,
            'args', jsonb_build_object('user_id', j.user_id, 'job_id', j.id, 'attempt', claimed));
        running := running || jsonb_build_object(j.user_id::text, theirs + 1);
        free := free - 1;
        EXIT WHEN free = 0;
    END LOOP;
    -- Written to disk, all with one wait, before a model is asked: a job that a
    -- crash interrupts shows by attempts that it may have been asked.
    IF claimed IS NOT NULL THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.due_jobs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.due_jobs() TO orla_service;
COMMENT ON FUNCTION orla.due_jobs() IS
    'Steps that begin the jobs whose turn it is, claimed; each makes its prompt in a transaction of its own.';

-- ---- what becomes of a job --------------------------------------------------
-- Whatever it is, there is room for another.

CREATE FUNCTION orla.fail_job(j orla.jobs, why text)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.jobs AS q SET status = 'failed', error = left(why, 900), finished_at = clock_timestamp()
     WHERE q.user_id = j.user_id AND q.id = j.id AND q.status IN ('queued', 'running');
    PERFORM orla.wake_worker();
    RETURN jsonb_build_object('answer', NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.fail_job(orla.jobs, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.fail_job(orla.jobs, text) TO orla_service;
COMMENT ON FUNCTION orla.fail_job(orla.jobs, text) IS
    'Ends a job without a result.';

-- At the end of the line, since a job that is tried again and again must not keep
-- others waiting.
CREATE FUNCTION orla.requeue_job(j orla.jobs, why text, wait interval, failed boolean)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.jobs AS q
       SET status = 'queued', progress = 0, error = why, failures = q.failures + failed::int,
           run_at = clock_timestamp() + wait, turn = orla.next_turn(q.user_id)
     WHERE q.user_id = j.user_id AND q.id = j.id AND q.status = 'running';
    PERFORM orla.wake_worker();
    RETURN jsonb_build_object('answer', NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.requeue_job(orla.jobs, text, interval, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.requeue_job(orla.jobs, text, interval, boolean) TO orla_service;
COMMENT ON FUNCTION orla.requeue_job(orla.jobs, text, interval, boolean) IS
    'Puts a job back into the line, for so long at least.';

-- wait NULL: longer each time.
CREATE FUNCTION orla.put_off_job(j orla.jobs, why text, wait interval)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF j.failures >= 9 THEN
        RETURN orla.fail_job(j, format('%s; given up after %s attempts', why, j.attempts));
    END IF;
    RETURN orla.requeue_job(j, left(why, 900), coalesce(wait, orla.backoff(j.failures + 1)), true);
END
$$;
REVOKE ALL ON FUNCTION orla.put_off_job(orla.jobs, text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.put_off_job(orla.jobs, text, interval) TO orla_service;
COMMENT ON FUNCTION orla.put_off_job(orla.jobs, text, interval) IS
    'Has a job tried again later; after ten failures in a row it ends.';

-- What an operator has to put right does not count as a failure of the job: it
-- waits, is tried now and then, and when orla.configure_model() has run.
CREATE FUNCTION orla.hold_job(j orla.jobs, why text)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.requeue_job(j, left(why, 700) || '. An operator has to check orla.configure_model().',
                            interval '10 minutes' * (0.75 + 0.5 * random()), false);
END
$$;
REVOKE ALL ON FUNCTION orla.hold_job(orla.jobs, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.hold_job(orla.jobs, text) TO orla_service;
COMMENT ON FUNCTION orla.hold_job(orla.jobs, text) IS
    'Keeps a job until an operator has put right what it needs.';

-- The worker tries the transaction itself again, with the answer that it has.
CREATE FUNCTION orla.will_pass(code text)
    RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN code IN ('55P03', '40001', '40P01') OR left(code, 2) IN ('53', '57', '58');
END
$$;
REVOKE ALL ON FUNCTION orla.will_pass(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.will_pass(text) TO orla_service;
COMMENT ON FUNCTION orla.will_pass(text) IS
    'Whether an error in a job''s own transaction is of the moment and not of the job.';

-- The message is for the tenant and is of the tenant's own rows; the server log
-- gets the code alone.
CREATE FUNCTION orla.break_job(j orla.jobs, code text, message text)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF left(code, 2) IN ('XX', 'F0', '22') THEN
        RAISE LOG 'orla job % failed: SQLSTATE %', j.id, code;
        RETURN orla.fail_job(j, format('internal error (%s)', code));
    ELSIF code = '23503' THEN
        RETURN orla.fail_job(j, 'what it was about has been deleted');
    END IF;
    RETURN orla.fail_job(j, message);
END
$$;
REVOKE ALL ON FUNCTION orla.break_job(orla.jobs, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.break_job(orla.jobs, text, text) TO orla_service;
COMMENT ON FUNCTION orla.break_job(orla.jobs, text, text) IS
    'What becomes of a job whose own transaction raised an error.';

-- ---- steps ------------------------------------------------------------------

-- What to do next for a job that is claimed, as its tenant: ask the model, or
-- write at once.  again: {answer, problem}, when its answer could not be used.
CREATE FUNCTION orla.job_step(j orla.jobs, again jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m       orla.models;
    context jsonb;
BEGIN
    m := orla.model_for(j.kind);
    IF m.name IS NULL THEN
        RETURN orla.hold_job(j, 'no model is configured');
    END IF;
    context := orla.job_context(j.kind, j.payload);
    UPDATE orla.jobs AS q SET model = coalesce(m.model, m.kind), progress = greatest(q.progress, 5)
     WHERE q.user_id = j.user_id AND q.id = j.id;
    IF m.kind = 'template' THEN
        PERFORM orla.finish_job(j, 'template', orla.template_answer(j.kind, j.payload, context));
        RETURN jsonb_build_object('answer', NULL);
    END IF;
    -- nothing to wait for the disk for: that it was begun is there
    PERFORM set_config('synchronous_commit', CASE WHEN again IS NULL THEN 'off' ELSE current_setting('synchronous_commit') END, true);
    RETURN jsonb_build_object(
        'key', 'job ' || j.id, 'next', 'record_generation', 'progress', 'job_progress',
        'state', jsonb_build_object('user_id', j.user_id, 'job_id', j.id, 'attempt', j.attempts,
                                    'model', m.name, 'protocol', m.kind, 'again', again IS NOT NULL,
                                    'key', orla.unseal(m.api_key, NULL, 'models|' || m.name || '|api_key')),
        'http', orla.model_request(m, orla.job_prompt(j.kind, j.payload, context), again));
END
$$;
REVOKE ALL ON FUNCTION orla.job_step(orla.jobs, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.job_step(orla.jobs, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.job_step(orla.jobs, jsonb) IS
    'The step that asks the model; or the whole work, where none is needed.';

CREATE FUNCTION orla.do_start_job(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    j orla.jobs;
BEGIN
    SELECT * INTO j FROM orla.jobs AS q
     WHERE q.user_id = (args ->> 'user_id')::uuid AND q.id = (args ->> 'job_id')::uuid
       AND q.status = 'running' AND q.attempts = (args ->> 'attempt')::int FOR UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('answer', NULL);      -- cancelled, or the account is gone
    END IF;
    BEGIN
        PERFORM orla.work_as(j.user_id);
        RETURN orla.job_step(j, NULL);
    EXCEPTION WHEN OTHERS THEN
        IF orla.will_pass(SQLSTATE) THEN
            RAISE;
        END IF;
        RETURN orla.break_job(j, SQLSTATE, SQLERRM);
    END;
END
$$;
REVOKE ALL ON FUNCTION orla.do_start_job(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_start_job(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_start_job(jsonb) IS
    'First step of a job: the prompt, from its tenant''s rows alone.';

-- How far an answer is that has so many bytes until now.  Not worth waiting for
-- the disk.  The answer is false when nobody wants it any more.
CREATE FUNCTION orla.do_job_progress(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    received bigint := (args ->> 'received')::bigint;
    done     int := least(95, 5 + 90 * received / (received + 60000));
    wanted   boolean;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT true INTO wanted FROM orla.jobs AS q
     WHERE q.user_id = (args #>> '{state,user_id}')::uuid AND q.id = (args #>> '{state,job_id}')::uuid
       AND q.status = 'running' AND q.attempts = (args #>> '{state,attempt}')::int;
    UPDATE orla.jobs AS q SET progress = done
     WHERE q.user_id = (args #>> '{state,user_id}')::uuid AND q.id = (args #>> '{state,job_id}')::uuid
       AND wanted AND q.status = 'running' AND q.progress < done;
    RETURN jsonb_build_object('answer', coalesce(wanted, false));
END
$$;
REVOKE ALL ON FUNCTION orla.do_job_progress(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_job_progress(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_job_progress(jsonb) IS
    'Notes how much of a model''s answer has come; whether it is still wanted.';

CREATE FUNCTION orla.do_record_generation(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state   jsonb := args -> 'state';
    j       orla.jobs;
    heard   jsonb := orla.without_key(orla.model_answer(state ->> 'protocol', args -> 'response'), state ->> 'key');
    used    jsonb;
BEGIN
    UPDATE orla.jobs AS q
       SET input_tokens = q.input_tokens + coalesce((heard ->> 'input_tokens')::bigint, 0),
           output_tokens = q.output_tokens + coalesce((heard ->> 'output_tokens')::bigint, 0)
     WHERE q.user_id = (state ->> 'user_id')::uuid AND q.id = (state ->> 'job_id')::uuid
    RETURNING * INTO j;
    IF j.id IS NULL OR j.status <> 'running' OR j.attempts <> (state ->> 'attempt')::int THEN
        RETURN jsonb_build_object('answer', NULL);      -- nobody wants it any more
    END IF;
    CASE heard ->> 'outcome'
        WHEN 'retry' THEN
            RETURN orla.put_off_job(j, 'the model does not answer: ' || (heard ->> 'problem'),
                                    make_interval(secs => orla.retry_after(args -> 'response')));
        WHEN 'operator' THEN
            RETURN orla.hold_job(j, 'the model refuses this installation: ' || (heard ->> 'problem'));
        WHEN 'failed' THEN
            RETURN orla.fail_job(j, heard ->> 'problem');
        ELSE
            used := orla.usable_answer(j.kind, j.payload, heard);
    END CASE;
    BEGIN
        PERFORM orla.work_as(j.user_id);
        IF used -> 'answer' IS NOT NULL THEN
            PERFORM orla.finish_job(j, state ->> 'model', used -> 'answer');
            RETURN jsonb_build_object('answer', NULL);
        ELSIF (state ->> 'again')::boolean THEN
            RETURN orla.fail_job(j, format('the model''s answer could not be used, twice: %s', used ->> 'problem'));
        END IF;
        RETURN orla.job_step(j, jsonb_build_object('answer', left(heard ->> 'text', 50000), 'problem', used ->> 'problem'));
    EXCEPTION WHEN OTHERS THEN
        IF orla.will_pass(SQLSTATE) THEN
            RAISE;
        END IF;
        RETURN orla.break_job(j, SQLSTATE, SQLERRM);
    END;
END
$$;
REVOKE ALL ON FUNCTION orla.do_record_generation(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_record_generation(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_record_generation(jsonb) IS
    'Last step of a job: reads the model''s answer, and writes the result or why there is none.';
