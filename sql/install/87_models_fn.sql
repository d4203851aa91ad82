-- Which models write.

-- What is wrong with a model, NULL if nothing is.
CREATE FUNCTION orla.model_problem(m orla.models, api_key text)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN m.name IS NULL OR m.name !~ '^[a-z][a-z0-9_]{0,62}$' THEN
            'Its name has lower-case letters, digits and underscores, and begins with a letter.'
        WHEN m.kind IS NULL OR m.kind NOT IN ('anthropic', 'openai', 'template') THEN
            'Its kind is anthropic, openai or template.'
        WHEN m.kind = 'template' THEN NULL
        WHEN m.base_url !~ '^https?://[^?#[:space:]]+$' OR orla.host_of(m.base_url) IS NULL
             OR m.base_url !~ '^https://' AND NOT (current_setting('orla.allow_loopback_http')::boolean
                                                   AND orla.host_of(m.base_url) IN ('127.0.0.1', 'localhost', '[::1]')) THEN
            'Its base_url must be an https URL.'
        WHEN coalesce(m.model, '') = '' OR octet_length(m.model) > 500 THEN 'It needs the name of a model.'
        WHEN api_key !~ '^[\x21-\x7e]+$' OR octet_length(api_key) > 2000 THEN 'Its api_key must be printable ASCII without spaces.'
        WHEN m.kind = 'anthropic' AND api_key IS NULL THEN 'It needs an api_key.'
        WHEN jsonb_typeof(m.options) IS DISTINCT FROM 'object' OR pg_column_size(m.options) > 8192 THEN
            'Its options must be an object of 8 kB at most.'
        WHEN m.options ?| '{model,messages,system,stream,stream_options,n,tools,functions}' THEN
            'Its options may not have model, messages, system, stream, stream_options, n, tools or functions.' END
$$;
REVOKE ALL ON FUNCTION orla.model_problem(orla.models, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.model_problem(orla.models, text) TO orla_service;
COMMENT ON FUNCTION orla.model_problem(orla.models, text) IS
    'What is wrong with a model; NULL if nothing is.';

-- SECURITY DEFINER: operators neither read nor write sealed columns.
CREATE FUNCTION orla.configure_model(name text, kind text, base_url text DEFAULT NULL, model text DEFAULT NULL,
                                     api_key text DEFAULT NULL, options jsonb DEFAULT '{}')
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m       orla.models;
    problem text;
BEGIN
    m.name := configure_model.name;
    m.kind := configure_model.kind;
    IF m.kind <> 'template' THEN
        m.base_url := rtrim(coalesce(nullif(configure_model.base_url, ''),
                                     CASE m.kind WHEN 'anthropic' THEN 'https://api.anthropic.com'
                                                 ELSE 'https://api.openai.com/v1' END), '/');
        m.model := configure_model.model;
    END IF;
    m.options := coalesce(configure_model.options, '{}');
    problem := orla.model_problem(m, nullif(configure_model.api_key, ''));
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'invalid model'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = problem;
    END IF;

    PERFORM orla.ensure_instance();
    IF m.kind <> 'template' THEN
        m.api_key := orla.seal(nullif(configure_model.api_key, ''), NULL, 'models|' || m.name || '|api_key');
    END IF;
    INSERT INTO orla.models AS x (name, kind, base_url, model, api_key, options)
    VALUES (m.name, m.kind, m.base_url, m.model, m.api_key, m.options)
    ON CONFLICT ON CONSTRAINT models_pkey DO UPDATE
       SET kind = excluded.kind, base_url = excluded.base_url, model = excluded.model,
           api_key = excluded.api_key, options = excluded.options, updated_at = now();
    -- What waited for a model is tried again.
    UPDATE orla.jobs AS j SET run_at = now() WHERE j.status = 'queued' AND j.run_at > now();
    PERFORM orla.wake_worker();
    PERFORM orla.audit('configure_model', 'success', NULL,
                       jsonb_build_object('model', m.name, 'kind', m.kind, 'by', session_user));
END
$$;
ALTER FUNCTION orla.configure_model(text, text, text, text, text, jsonb) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.configure_model(text, text, text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.configure_model(text, text, text, text, text, jsonb) TO orla_admin;
COMMENT ON FUNCTION orla.configure_model(text, text, text, text, text, jsonb) IS
    'A model that writes, for jobs of the kind that it is named like, or, as default, for all.

kind is anthropic (the Messages API), openai (any server that speaks chat completions) or template (built in, no network); model is its name at the server, options are further members of each request, such as max_tokens. Again: takes the place of what had that name. The key is sealed; pass it as a parameter. Jobs that wait for a model are tried at once.

Errors: 22023.';

CREATE FUNCTION orla.remove_model(name text)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM orla.models AS m WHERE m.name = remove_model.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown model' USING ERRCODE = 'undefined_object';
    END IF;
    PERFORM orla.audit('remove_model', 'success', NULL, jsonb_build_object('model', remove_model.name, 'by', session_user));
END
$$;
ALTER FUNCTION orla.remove_model(text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.remove_model(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.remove_model(text) TO orla_admin;
COMMENT ON FUNCTION orla.remove_model(text) IS
    'Forgets a model and its key. Jobs that need it wait for another.

Errors: 42704.';

-- One that is named like the kind of job, else default, else the latest.
CREATE FUNCTION orla.model_for(job_kind text)
    RETURNS orla.models
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT m FROM orla.models AS m
             ORDER BY m.name = job_kind DESC, m.name = 'default' DESC, m.updated_at DESC, m.name LIMIT 1);
END
$$;
REVOKE ALL ON FUNCTION orla.model_for(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.model_for(text) TO orla_service;
COMMENT ON FUNCTION orla.model_for(text) IS
    'The model that does jobs of this kind; NULL where none is configured.';
