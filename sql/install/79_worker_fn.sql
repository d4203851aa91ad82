-- What the worker of a database does by itself (src/worker.c).

-- SECURITY DEFINER: operators neither read nor write sealed columns.
CREATE FUNCTION orla.configure_mail(url text, from_address text, username text DEFAULT NULL, password text DEFAULT NULL)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF url IS NULL OR url !~ '^smtps?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$' THEN
        RAISE EXCEPTION 'invalid url of a mail server'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It is smtp://host:port, where STARTTLS is used, or smtps://host:port.';
    END IF;
    PERFORM orla.check_address(from_address);
    PERFORM orla.ensure_instance();
    INSERT INTO orla.mail_server AS m (url, from_address, username, password)
    VALUES (configure_mail.url, configure_mail.from_address, nullif(configure_mail.username, ''),
            orla.seal(nullif(configure_mail.password, ''), NULL, 'mail_server|password'))
    ON CONFLICT (singleton) DO UPDATE
       SET url = excluded.url, from_address = excluded.from_address, username = excluded.username,
           password = excluded.password, updated_at = now();
    UPDATE orla.outbox SET next_attempt_at = now() WHERE sent_at IS NULL AND next_attempt_at < 'infinity';
    PERFORM orla.audit('configure_mail', 'success', NULL, jsonb_build_object('url', configure_mail.url, 'by', session_user));
END
$$;
ALTER FUNCTION orla.configure_mail(text, text, text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.configure_mail(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.configure_mail(text, text, text, text) TO orla_admin;
COMMENT ON FUNCTION orla.configure_mail(text, text, text, text) IS
    'The mail server that the worker sends through; its password is sealed. Errors: 22023.';

-- RFC 5322 and 2045.  Subjects are ours and ASCII; what people wrote is in the
-- body alone, in base64.
CREATE FUNCTION orla.mail_message(mail orla.outbox, sender text, token text)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT concat_ws(E'\r\n',
        'From: ' || sender, 'To: ' || mail.to_address, 'Subject: ' || mail.subject,
        'Date: ' || to_char(mail.created_at AT TIME ZONE 'UTC', 'Dy, DD Mon YYYY HH24:MI:SS') || ' +0000',
        'Message-ID: <' || mail.id || '@' || coalesce(orla.host_of(current_setting('orla.public_url')), 'localhost') || '>',
        'Auto-Submitted: auto-generated', 'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: base64', '',
        replace(encode(convert_to(orla.mail_text(mail.template, mail.name, token), 'UTF8'), 'base64'), E'\n', E'\r\n'), '')
$$;
REVOKE ALL ON FUNCTION orla.mail_message(orla.outbox, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.mail_message(orla.outbox, text, text) TO orla_service;
COMMENT ON FUNCTION orla.mail_message(orla.outbox, text, text) IS
    'A mail as it goes over the wire.';

-- Claimed by putting the next attempt off: a worker that dies in between tries
-- again later, and a mail may then arrive twice.
CREATE FUNCTION orla.due_mails(room int)
    RETURNS SETOF jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    server orla.mail_server;
    mail   orla.outbox;
BEGIN
    SELECT * INTO server FROM orla.mail_server;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    FOR mail IN
        SELECT * FROM orla.outbox AS o
         WHERE o.sent_at IS NULL AND o.next_attempt_at <= now()
         ORDER BY o.next_attempt_at LIMIT room FOR UPDATE SKIP LOCKED
    LOOP
        UPDATE orla.outbox AS o
           SET attempts = o.attempts + 1, next_attempt_at = now() + greatest(orla.backoff(o.attempts + 5), interval '1 minute')
         WHERE o.id = mail.id;
        RETURN NEXT jsonb_build_object('next', 'record_mail', 'state', jsonb_build_object('mail_id', mail.id),
            'http', jsonb_strip_nulls(jsonb_build_object(
                'url', server.url, 'hosts', jsonb_build_array(orla.host_of(regexp_replace(server.url, '^smtps?', 'https'))),
                'username', server.username, 'password', orla.unseal(server.password, NULL, 'mail_server|password'),
                'timeout_ms', 30000,
                'mail', jsonb_build_object('from', server.from_address, 'to', mail.to_address,
                                           'text', orla.mail_message(mail, server.from_address,
                                                                     orla.unseal(mail.sealed_token, NULL, 'outbox|' || mail.id))))));
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION orla.due_mails(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.due_mails(int) TO orla_service;
COMMENT ON FUNCTION orla.due_mails(int) IS
    'Steps that send the mails that wait, so many at most.';

-- A mailbox that does not exist is not asked again; everything else is, for as
-- long as a link in a mail could be good.
CREATE FUNCTION orla.do_record_mail(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    status int := (args #>> '{response,status}')::int;
    failed boolean := args #>> '{response,failure}' IS NOT NULL OR coalesce(status, 250) NOT BETWEEN 200 AND 399;
BEGIN
    UPDATE orla.outbox AS o
       SET sent_at = CASE WHEN NOT failed THEN now() END,
           sealed_token = CASE WHEN failed THEN o.sealed_token END,
           last_error = CASE WHEN failed THEN left(orla.response_problem(args -> 'response'), 1000) END,
           next_attempt_at = CASE WHEN failed AND (status IN (501, 550, 551, 553) OR o.created_at < now() - interval '7 days')
                                  THEN 'infinity' ELSE o.next_attempt_at END
     WHERE o.id = (args #>> '{state,mail_id}')::uuid;
    RETURN jsonb_build_object('answer', NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.do_record_mail(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_record_mail(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_record_mail(jsonb) IS
    'Notes that a mail was sent, and blanks its token, or why it was not.';

-- Each provider has so many requests of its own: one that hangs does not take
-- them from the others.
CREATE FUNCTION orla.due_connections(room int)
    RETURNS SETOF jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place record;
    c     orla.user_cloud_storage_tokens;
    token text;
BEGIN
    FOR place IN
        SELECT p.name, room - (SELECT count(*) FROM orla.user_cloud_storage_tokens AS t
                                WHERE t.provider = p.name AND t.claimed_at IS NOT NULL) AS free
          FROM orla.providers AS p
    LOOP
        FOR c IN
            SELECT * FROM orla.user_cloud_storage_tokens AS t
             WHERE t.provider = place.name AND t.claimed_at IS NULL AND t.next_request_at <= now()
             ORDER BY t.next_request_at LIMIT greatest(place.free, 0) FOR UPDATE SKIP LOCKED
        LOOP
            token := orla.unseal(c.refresh_token, c.user_id, orla.token_purpose(c.provider, 'refresh_token'));
            IF c.is_active AND token IS NULL THEN
                IF c.token_expires_at > now() THEN
                    UPDATE orla.user_cloud_storage_tokens AS t SET next_request_at = t.token_expires_at
                     WHERE t.user_id = c.user_id AND t.provider = c.provider;
                ELSE
                    PERFORM orla.end_of_connection(c, 'The provider gave no refresh token, and the access token has run out.');
                END IF;
                CONTINUE;
            END IF;
            UPDATE orla.user_cloud_storage_tokens AS t SET claimed_at = now()
             WHERE t.user_id = c.user_id AND t.provider = c.provider;
            RETURN NEXT CASE WHEN c.is_active THEN orla.refresh_step(c, token, false)
                             ELSE orla.revoke_step(c, orla.provider_facts(c.provider)) END;
        END LOOP;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION orla.due_connections(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.due_connections(int) TO orla_service;
COMMENT ON FUNCTION orla.due_connections(int) IS
    'Steps that refresh or revoke what is due, so many for each provider at most.';

CREATE FUNCTION orla.due_work(room int)
    RETURNS SETOF jsonb
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM orla.due_connections(room)
    UNION ALL
    SELECT * FROM orla.due_mails(least(room, 8))
    UNION ALL
    SELECT * FROM orla.due_jobs()
$$;
REVOKE ALL ON FUNCTION orla.due_work(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.due_work(int) TO orla_service;
COMMENT ON FUNCTION orla.due_work(int) IS
    'Steps that are due, claimed.';

-- Nobody but a worker claims, and there is one worker: what is claimed when it
-- starts was claimed by one that died.
CREATE FUNCTION orla.worker_started(pid int)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.user_cloud_storage_tokens SET claimed_at = NULL WHERE claimed_at IS NOT NULL;
    PERFORM orla.put_off_job(j, 'the server was restarted', '0') FROM orla.jobs AS j WHERE j.status = 'running';
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.worker_started(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.worker_started(int) TO orla_service;
COMMENT ON FUNCTION orla.worker_started(int) IS
    'Voids the claims of a worker that died.';

CREATE FUNCTION orla.housekeeping(unused int)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.audit_seal();
    PERFORM * FROM orla.purge_expired();
    PERFORM orla.reseal(1000);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.housekeeping(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.housekeeping(int) TO orla_service;
COMMENT ON FUNCTION orla.housekeeping(int) IS
    'Once a minute: seals the audit trail, removes what has expired, rewrites what old keys have sealed.';

CREATE VIEW orla.worker_status WITH (security_invoker = true) AS
    SELECT pid, ready, started_at, queued, in_flight, calls, requests, failures, last_error, last_error_at
      FROM orla.worker_state();
ALTER VIEW orla.worker_status OWNER TO orla_service;
COMMENT ON VIEW orla.worker_status IS 'The worker of this database: what it has to do, has done, and what went wrong last; pid is NULL where there is none.';
REVOKE ALL ON TABLE orla.worker_status FROM PUBLIC, orla_service;
GRANT SELECT ON TABLE orla.worker_status TO orla_admin;
