-- What tenants see of what is kept for them.  Read-only; with the caller's own
-- rights, like the views of the content tables.

CREATE VIEW orla_api.connections WITH (security_invoker = true) AS
    SELECT provider, is_active AND status = 'connected' AS connected, provider_email,
           connected_at, token_expires_at, status, scopes, last_error
      FROM orla.user_cloud_storage_tokens;
ALTER VIEW orla_api.connections OWNER TO orla_service;
COMMENT ON VIEW orla_api.connections IS 'Your connections to cloud storage.';
COMMENT ON COLUMN orla_api.connections.provider IS 'google_drive, onedrive, dropbox or what operators added.';
COMMENT ON COLUMN orla_api.connections.connected IS 'Whether files can be read now.';
COMMENT ON COLUMN orla_api.connections.provider_email IS 'The account at the provider.';
COMMENT ON COLUMN orla_api.connections.token_expires_at IS 'When the access token runs out; it is renewed before.';
COMMENT ON COLUMN orla_api.connections.status IS 'connected, needs_reconnect or disconnected.';
COMMENT ON COLUMN orla_api.connections.scopes IS 'What the provider granted.';
COMMENT ON COLUMN orla_api.connections.last_error IS 'What went wrong last, if anything.';
REVOKE ALL ON TABLE orla_api.connections FROM PUBLIC, orla_service;
GRANT SELECT ON TABLE orla_api.connections TO orla_user, orla_gateway, orla_service;

CREATE VIEW orla_api.my_audit_log WITH (security_invoker = true) AS
    SELECT id, event_type, event_status, error_message, metadata, created_at
      FROM orla.audit_log;
ALTER VIEW orla_api.my_audit_log OWNER TO orla_service;
COMMENT ON VIEW orla_api.my_audit_log IS 'What happened to your account.';
COMMENT ON COLUMN orla_api.my_audit_log.event_type IS 'What was tried.';
COMMENT ON COLUMN orla_api.my_audit_log.event_status IS 'success, failure or pending.';
COMMENT ON COLUMN orla_api.my_audit_log.metadata IS 'Details of the event.';
REVOKE ALL ON TABLE orla_api.my_audit_log FROM PUBLIC, orla_service;
GRANT SELECT ON TABLE orla_api.my_audit_log TO orla_user, orla_gateway, orla_service;

CREATE VIEW orla_api.my_jobs WITH (security_invoker = true) AS
    SELECT id, kind, status, progress, result_id, error, attempts,
           created_at, started_at, finished_at
      FROM orla.jobs;
ALTER VIEW orla_api.my_jobs OWNER TO orla_service;
COMMENT ON VIEW orla_api.my_jobs IS 'Work that was begun for you: analyses and generated content.';
COMMENT ON COLUMN orla_api.my_jobs.kind IS 'What is to be done.';
COMMENT ON COLUMN orla_api.my_jobs.status IS 'queued, running, succeeded, failed or cancelled.';
COMMENT ON COLUMN orla_api.my_jobs.progress IS 'Per cent.';
COMMENT ON COLUMN orla_api.my_jobs.result_id IS 'id of the row that was made.';
COMMENT ON COLUMN orla_api.my_jobs.error IS 'Why it failed.';
REVOKE ALL ON TABLE orla_api.my_jobs FROM PUBLIC, orla_service;
GRANT SELECT ON TABLE orla_api.my_jobs TO orla_user, orla_gateway, orla_service;
