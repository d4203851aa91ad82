-- Generation, as an HTTP layer shows it.
--
-- SECURITY DEFINER: the line of jobs is orla_service's.  Whose job it is is told
-- by the proven tenant, never by an argument.

-- Whether a job of the proven tenant can be done at all; asked when it is put into
-- the line, and again when it is begun.
CREATE FUNCTION orla.check_job(kind text, payload jsonb)
    RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF kind = 'generate_content' AND orla.result_shape(kind, coalesce(payload ->> 'content_type', '')) IS NULL THEN
        RAISE EXCEPTION 'unknown content type'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'Known are blog, carousel, social and video.';
    END IF;
    IF kind = 'analyze_brand' THEN
        IF orla.asset_texts(NULL, 1, 1) = '[]' THEN
            RAISE EXCEPTION 'no brand material yet'
                USING ERRCODE = 'PT409', DETAIL = 'There is no file with text in it.',
                      HINT = 'Upload or import some first.';
        END IF;
    ELSIF kind = 'analyze_competitor' THEN
        IF NOT EXISTS (SELECT FROM orla.competitors AS c WHERE c.id = (payload ->> 'competitor_id')::uuid) THEN
            RAISE EXCEPTION 'no such competitor' USING ERRCODE = 'PT404';
        END IF;
    ELSIF NOT EXISTS (SELECT FROM orla.brand_strategy) THEN
        RAISE EXCEPTION 'no brand strategy yet'
            USING ERRCODE = 'PT409',
                  HINT = 'Run analyze_brand() first, or write one.';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.check_job(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_job(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.check_job(text, jsonb) IS
    'Raises where the proven tenant lacks what a job needs. Errors: 22023, PT404, PT409.';

CREATE FUNCTION orla.begin_job(kind text, payload jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.require_writable(kind), orla.require_tenant(), orla.check_job(kind, payload);
    RETURN orla.enqueue_job(kind, payload);
END
$$;
REVOKE ALL ON FUNCTION orla.begin_job(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.begin_job(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.begin_job(text, jsonb) IS
    'Checks a job and puts it into the line. Errors: as of orla.check_job() and orla.enqueue_job().';

CREATE FUNCTION orla_api.generate_content(content_type text, brief jsonb DEFAULT '{}')
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.require_writable('generate_content');
    IF jsonb_typeof(coalesce(brief, '{}')) <> 'object' OR octet_length(brief::text) > 65536 THEN
        RAISE EXCEPTION 'invalid brief'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It is an object of 64 kB at most.';
    ELSIF brief ->> 'target_length' !~ '^[0-9]{1,5}$' OR (brief ->> 'target_length')::int NOT BETWEEN 50 AND 10000 THEN
        RAISE EXCEPTION 'invalid brief'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'Its target_length is a number of words, 50 to 10000.';
    END IF;
    RETURN orla.begin_job('generate_content', jsonb_build_object('content_type', content_type, 'brief', coalesce(brief, '{}')));
END
$$;
ALTER FUNCTION orla_api.generate_content(text, jsonb) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.generate_content(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.generate_content(text, jsonb) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.generate_content(text, jsonb) IS
    'Begins to write a blog, carousel, social or video in your brand''s voice.

Returns {job_id, status}; the result lands in content_library as a draft. brief says what it is to be, in 64 kB at most: keyword, topic, search_intent, outline, entities, target_length (50 to 10000 words), platform, call_to_action, notes.

Errors: 22023, PT409 without a strategy, 55000 without a model or a worker, PT429 for more than orla.max_queued_jobs, 28000 without a tenant, 25006 in a READ ONLY transaction.';

CREATE FUNCTION orla_api.analyze_brand(include_competitors boolean DEFAULT true)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.begin_job('analyze_brand', jsonb_build_object('include_competitors', coalesce(include_competitors, true)))
$$;
ALTER FUNCTION orla_api.analyze_brand(boolean) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.analyze_brand(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.analyze_brand(boolean) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.analyze_brand(boolean) IS
    'Begins to derive your brand strategy from your brand material.

Returns {job_id, status}; the result lands in brand_strategy.

Errors: PT409 without a file that has text, 55000 without a model or a worker, PT429 for more than orla.max_queued_jobs, 28000 without a tenant, 25006 in a READ ONLY transaction.';

CREATE FUNCTION orla_api.analyze_competitor(competitor_id uuid)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.begin_job('analyze_competitor', jsonb_build_object('competitor_id', competitor_id))
$$;
ALTER FUNCTION orla_api.analyze_competitor(uuid) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.analyze_competitor(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.analyze_competitor(uuid) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.analyze_competitor(uuid) IS
    'Begins to analyse one of your competitors.

Returns {job_id, status}; the result lands in competitor_analyses.

Errors: PT404, 55000 without a model or a worker, PT429 for more than orla.max_queued_jobs, 28000 without a tenant, 25006 in a READ ONLY transaction.';

CREATE FUNCTION orla_api.next_keyword()
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.begin_job('next_keyword', '{}')
$$;
ALTER FUNCTION orla_api.next_keyword() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.next_keyword() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.next_keyword() TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.next_keyword() IS
    'Begins to choose the keyword of your next post.

Returns {job_id, status}; the result is in job().

Errors: PT409 without a strategy, 55000 without a model or a worker, PT429 for more than orla.max_queued_jobs, 28000 without a tenant, 25006 in a READ ONLY transaction.';

CREATE FUNCTION orla_api.market_research(topic text DEFAULT NULL)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.require_writable('market_research');
    IF char_length(topic) > 300 THEN
        RAISE EXCEPTION 'invalid topic'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It has 300 characters at most.';
    END IF;
    RETURN orla.begin_job('market_research', jsonb_build_object('topic', topic));
END
$$;
ALTER FUNCTION orla_api.market_research(text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.market_research(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.market_research(text) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.market_research(text) IS
    'Begins to describe your market, or what concerns a topic in it.

Returns {job_id, status}; the result is in job().

Errors: 22023, PT409 without a strategy, 55000 without a model or a worker, PT429 for more than orla.max_queued_jobs, 28000 without a tenant, 25006 in a READ ONLY transaction.';

-- ---- jobs -------------------------------------------------------------------

CREATE FUNCTION orla.job_object(j orla.jobs)
    RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'job_id', j.id, 'kind', j.kind, 'status', j.status, 'progress', j.progress, 'result_id', j.result_id, 'result', j.result,
        'error', j.error, 'model', j.model, 'input_tokens', j.input_tokens, 'output_tokens', j.output_tokens, 'attempts', j.attempts,
        'created_at', j.created_at, 'started_at', j.started_at, 'finished_at', j.finished_at)
$$;
REVOKE ALL ON FUNCTION orla.job_object(orla.jobs) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.job_object(orla.jobs) TO orla_service;
COMMENT ON FUNCTION orla.job_object(orla.jobs) IS
    'A job as its tenant sees it.';

CREATE FUNCTION orla_api.job(job_id uuid)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant uuid := orla.require_tenant();
    j      orla.jobs;
BEGIN
    SELECT * INTO j FROM orla.jobs AS q WHERE q.user_id = tenant AND q.id = job_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such job' USING ERRCODE = 'PT404';
    END IF;
    RETURN orla.job_object(j);
END
$$;
ALTER FUNCTION orla_api.job(uuid) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.job(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.job(uuid) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.job(uuid) IS
    'How far a job of yours is.

Returns {job_id, kind, status, progress, result_id, result, error, model, input_tokens, output_tokens, attempts, created_at, started_at, finished_at}; progress is per cent.

Errors: PT404, 28000 without a tenant.';

-- A job that has ended stays as it is.  Of one that is under way the worker drops
-- the request within a second or two; what the model has done by then is paid.
CREATE FUNCTION orla_api.cancel_job(job_id uuid)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant uuid := orla.require_tenant();
BEGIN
    PERFORM orla.require_writable('cancel_job');
    UPDATE orla.jobs AS q SET status = 'cancelled', finished_at = clock_timestamp()
     WHERE q.user_id = tenant AND q.id = job_id AND q.status IN ('queued', 'running');
    PERFORM orla.wake_worker();
    RETURN orla_api.job(job_id);
END
$$;
ALTER FUNCTION orla_api.cancel_job(uuid) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.cancel_job(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.cancel_job(uuid) TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.cancel_job(uuid) IS
    'Cancels a job of yours that has not ended.

Returns it as job() does; one that has ended stays as it is.

Errors: PT404, 28000 without a tenant.';
