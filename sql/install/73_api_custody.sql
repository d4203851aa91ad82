-- What tenants see of what is kept for them.  Read-only; with the caller's own
-- rights, like the views of the content tables.

CREATE VIEW orla_api.connections WITH (security_invoker = true) AS
    SELECT provider, is_active AND status NOT IN ('needs_reconnect', 'disconnected') AS connected, provider_email,
           connected_at, token_expires_at, status, scopes, last_error, selected_folders
      FROM orla.user_cloud_storage_tokens;
ALTER VIEW orla_api.connections OWNER TO orla_service;
COMMENT ON VIEW orla_api.connections IS 'Your connections to cloud storage.';
COMMENT ON COLUMN orla_api.connections.provider IS 'google_drive, onedrive, dropbox or what operators added.';
COMMENT ON COLUMN orla_api.connections.connected IS 'Whether files can be read now.';
COMMENT ON COLUMN orla_api.connections.provider_email IS 'The account at the provider.';
COMMENT ON COLUMN orla_api.connections.connected_at IS 'When it was last connected.';
COMMENT ON COLUMN orla_api.connections.token_expires_at IS 'When the access token runs out; it is renewed before.';
COMMENT ON COLUMN orla_api.connections.status IS 'connected, retrying (the provider does not answer), needs_operator, needs_reconnect or disconnected.';
COMMENT ON COLUMN orla_api.connections.scopes IS 'What the provider granted.';
COMMENT ON COLUMN orla_api.connections.last_error IS 'What went wrong last, if anything.';
COMMENT ON COLUMN orla_api.connections.selected_folders IS 'The folders that pages show, [{id, name}]; empty for all.';
REVOKE ALL ON TABLE orla_api.connections FROM PUBLIC, orla_service;
GRANT SELECT ON TABLE orla_api.connections TO orla_user, orla_gateway, orla_service;

CREATE VIEW orla_api.my_audit_log WITH (security_invoker = true) AS
    SELECT id, event_type, event_status, error_message, metadata, created_at
      FROM orla.audit_log;
ALTER VIEW orla_api.my_audit_log OWNER TO orla_service;
COMMENT ON VIEW orla_api.my_audit_log IS 'What happened to your account.';
COMMENT ON COLUMN orla_api.my_audit_log.id IS 'Of the row.';
COMMENT ON COLUMN orla_api.my_audit_log.event_type IS 'What was tried.';
COMMENT ON COLUMN orla_api.my_audit_log.event_status IS 'success, failure or pending.';
COMMENT ON COLUMN orla_api.my_audit_log.error_message IS 'Why it failed.';
COMMENT ON COLUMN orla_api.my_audit_log.metadata IS 'Details of the event.';
COMMENT ON COLUMN orla_api.my_audit_log.created_at IS 'When it happened.';
REVOKE ALL ON TABLE orla_api.my_audit_log FROM PUBLIC, orla_service;
GRANT SELECT ON TABLE orla_api.my_audit_log TO orla_user, orla_gateway, orla_service;

CREATE VIEW orla_api.my_jobs WITH (security_invoker = true) AS
    SELECT id, kind, status, progress, result_id, result, error, model, input_tokens,
           output_tokens, attempts, created_at, started_at, finished_at
      FROM orla.jobs;
ALTER VIEW orla_api.my_jobs OWNER TO orla_service;
COMMENT ON VIEW orla_api.my_jobs IS 'Work that was begun for you: analyses and generated content.';
COMMENT ON COLUMN orla_api.my_jobs.id IS 'What job() and cancel_job() take.';
COMMENT ON COLUMN orla_api.my_jobs.kind IS 'What is to be done.';
COMMENT ON COLUMN orla_api.my_jobs.status IS 'queued, running, succeeded, failed or cancelled.';
COMMENT ON COLUMN orla_api.my_jobs.progress IS 'Per cent.';
COMMENT ON COLUMN orla_api.my_jobs.result_id IS 'id of the row that was made.';
COMMENT ON COLUMN orla_api.my_jobs.result IS 'The result itself, of kinds that make no row.';
COMMENT ON COLUMN orla_api.my_jobs.error IS 'Why it failed, or what it waits for.';
COMMENT ON COLUMN orla_api.my_jobs.model IS 'The model that did it; template: none did.';
COMMENT ON COLUMN orla_api.my_jobs.input_tokens IS 'What its requests took, as the model counts.';
COMMENT ON COLUMN orla_api.my_jobs.output_tokens IS 'What it answered, counted likewise.';
COMMENT ON COLUMN orla_api.my_jobs.attempts IS 'How often it was begun.';
COMMENT ON COLUMN orla_api.my_jobs.created_at IS 'When it was called for.';
COMMENT ON COLUMN orla_api.my_jobs.started_at IS 'When it was first begun.';
COMMENT ON COLUMN orla_api.my_jobs.finished_at IS 'When it ended.';
REVOKE ALL ON TABLE orla_api.my_jobs FROM PUBLIC, orla_service;
GRANT SELECT ON TABLE orla_api.my_jobs TO orla_user, orla_gateway, orla_service;

-- ---- connections ------------------------------------------------------------
-- SECURITY DEFINER: states and tokens are orla_service's.  Whose they are is told
-- by the proven tenant, never by an argument.

CREATE FUNCTION orla_api.connect(provider text, return_to text DEFAULT NULL)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.begin_connection(provider, return_to, orla.require_tenant(), (orla.current_claims() ->> 'sid')::uuid)
$$;
ALTER FUNCTION orla_api.connect(text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.connect(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.connect(text, text) TO orla_user;
COMMENT ON FUNCTION orla_api.connect(text, text) IS
    'Begins a connection to cloud storage: where to send the browser.

Returns {authorization_url}, good for ten minutes and for the session that asked. return_to is a path of the application, which complete_connection() hands back.

Errors: 22023 for an unknown provider or a bad path, 55000 for a provider that is not configured and without a worker, 28000 without a tenant, PT503.';

CREATE FUNCTION orla_api.complete_connection(state text, code text, iss text DEFAULT NULL, error text DEFAULT NULL, provider text DEFAULT NULL)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.require_writable('complete_connection');
    -- what cannot be a state needs no worker to be refused
    IF orla.token_id(state) IS NULL THEN
        RAISE EXCEPTION 'unknown state'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is none of those that orla_api.connect() makes.', HINT = 'Connect again.';
    END IF;
    -- the worker has it in memory for as long as the provider takes
    IF octet_length(concat(code, iss, error, provider)) > 16384 THEN
        RAISE EXCEPTION 'arguments are too large'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN orla.perform_by_worker('complete_connection', jsonb_strip_nulls(jsonb_build_object(
               'state', state, 'code', code, 'iss', iss, 'error', error, 'provider', provider,
               'user_id', orla.require_tenant(), 'session_id', orla.current_claims() ->> 'sid')));
END
$$;
ALTER FUNCTION orla_api.complete_connection(text, text, text, text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.complete_connection(text, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.complete_connection(text, text, text, text, text) TO orla_user;
COMMENT ON FUNCTION orla_api.complete_connection(text, text, text, text, text) IS
    'Completes a connection with what the provider sent back.

Called by the page that the provider redirects to, in the session that called connect(), with what stands in its address: state and code, iss where there is one, error where there is no code; provider: whose redirect path it came to. Returns {provider, provider_email, scopes, connected_at}, and where there are any missing_scopes (asked for and not granted) and return_to. A state is used up by the first attempt. The same account again takes the place of its old tokens; another account, of the old connection; what is replaced is ended at the provider, where that ends nothing else.

Errors: 22023 where the state is not good or the provider refuses, PT409 where another''s disconnect of the same account has just ended what the provider gave, PT502 where it refuses this installation, PT503 where it does not answer, 55000 without a worker, 28000 without a tenant.';

CREATE FUNCTION orla_api.disconnect(provider text)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.require_writable('disconnect');
    PERFORM orla.provider_facts(provider);
    RETURN orla.perform_by_worker('disconnect', jsonb_build_object('provider', provider, 'user_id', orla.require_tenant()));
END
$$;
ALTER FUNCTION orla_api.disconnect(text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.disconnect(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.disconnect(text) TO orla_user;
COMMENT ON FUNCTION orla_api.disconnect(text) IS
    'Ends a connection: its tokens are forgotten.

Returns {message}, which says what is left for you to do. Nobody reads with the tokens from that moment on. They are revoked at the provider too, where that ends nothing else.

Errors: PT409 where there is none, 55000 without a worker, 28000 without a tenant, PT503.';
