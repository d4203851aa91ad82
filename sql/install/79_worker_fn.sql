-- What the worker of a database does by itself (src/worker.c).

-- SECURITY DEFINER: operators neither read nor write sealed columns.
CREATE FUNCTION orla.configure_mail(url text, from_address text, username text DEFAULT NULL, password text DEFAULT NULL, starttls boolean DEFAULT true)
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
    INSERT INTO orla.mail_server AS m (url, starttls, from_address, username, password)
    VALUES (configure_mail.url, coalesce(configure_mail.starttls, true), configure_mail.from_address, nullif(configure_mail.username, ''),
            orla.seal(nullif(configure_mail.password, ''), NULL, 'mail_server|password'))
    ON CONFLICT (singleton) DO UPDATE
       SET url = excluded.url, starttls = excluded.starttls, from_address = excluded.from_address, username = excluded.username,
           password = excluded.password, updated_at = now();
    UPDATE orla.outbox SET next_attempt_at = now() WHERE sent_at IS NULL AND next_attempt_at < 'infinity';
    PERFORM orla.audit('configure_mail', 'success', NULL, jsonb_build_object('url', configure_mail.url, 'by', session_user));
END
$$;
ALTER FUNCTION orla.configure_mail(text, text, text, text, boolean) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.configure_mail(text, text, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.configure_mail(text, text, text, text, boolean) TO orla_admin;
COMMENT ON FUNCTION orla.configure_mail(text, text, text, text, boolean) IS
    'The mail server that the worker sends through; its password is sealed.

url is smtp://host:port with STARTTLS, or smtps://host:port. Without STARTTLS a mail goes to this machine alone. Mails that wait are tried at once.

Errors: 22023.';

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
-- again later, and a mail may then arrive twice.  What cannot be opened waits for
-- an operator and is in nobody's way.
CREATE FUNCTION orla.due_mails(room int)
    RETURNS SETOF jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    server   orla.mail_server;
    mail     orla.outbox;
    password record;
    token    record;
BEGIN
    SELECT * INTO server FROM orla.mail_server;
    IF NOT FOUND OR room <= 0 THEN
        RETURN;
    END IF;
    SELECT * INTO password FROM orla.try_unseal(server.password, NULL, 'mail_server|password');
    FOR mail IN
        SELECT * FROM orla.outbox AS o
         WHERE o.sent_at IS NULL AND o.next_attempt_at <= now()
         ORDER BY o.next_attempt_at LIMIT room FOR UPDATE SKIP LOCKED
    LOOP
        SELECT * INTO token FROM orla.try_unseal(mail.sealed_token, NULL, 'outbox|' || mail.id);
        UPDATE orla.outbox AS o
           SET attempts = o.attempts + 1, next_attempt_at = now() + greatest(orla.backoff(o.attempts + 5), interval '1 minute'),
               last_error = left(coalesce(password.problem, token.problem, o.last_error), 1000)
         WHERE o.id = mail.id;
        CONTINUE WHEN coalesce(password.problem, token.problem) IS NOT NULL;
        RETURN NEXT jsonb_build_object('next', 'record_mail', 'state', jsonb_build_object('mail_id', mail.id),
            'http', jsonb_strip_nulls(jsonb_build_object(
                'url', server.url, 'hosts', jsonb_build_array(orla.host_of(regexp_replace(server.url, '^smtps?', 'https'))),
                'username', server.username, 'password', password.secret, 'timeout_ms', 30000, 'starttls', server.starttls,
                'mail', jsonb_build_object('from', server.from_address, 'to', mail.to_address,
                                           'text', orla.mail_message(mail, server.from_address, token.secret)))));
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
    response jsonb := args -> 'response';
    status   int := (response ->> 'status')::int;
    failed   boolean := response ->> 'failure' IS NOT NULL OR coalesce(status, 0) NOT BETWEEN 200 AND 399;
BEGIN
    UPDATE orla.outbox AS o
       SET sent_at = CASE WHEN NOT failed THEN now() END,
           sealed_token = CASE WHEN failed THEN o.sealed_token END,
           last_error = CASE WHEN failed THEN left(coalesce(response ->> 'message', orla.response_problem(response)), 1000) END,
           next_attempt_at = CASE WHEN failed AND (response ->> 'failure' IS NULL AND status IN (501, 550, 551, 553)
                                                   OR o.created_at < now() - interval '7 days')
                                  THEN 'infinity' ELSE o.next_attempt_at END
     WHERE o.id = (args #>> '{state,mail_id}')::uuid;
    RETURN jsonb_build_object('answer', NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.do_record_mail(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_record_mail(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_record_mail(jsonb) IS
    'Notes that a mail was sent, and blanks its token, or why it was not.';

-- What a connection that is due and claimed has to be done for; NULL where that
-- is nothing, and the claim is void.
CREATE FUNCTION orla.due_step(c orla.user_cloud_storage_tokens)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step jsonb;
BEGIN
    IF NOT c.is_active OR c.refresh_token IS NULL AND c.token_expires_at > now() THEN
        UPDATE orla.user_cloud_storage_tokens AS t SET next_request_at = CASE WHEN c.is_active THEN t.token_expires_at END, claimed_at = NULL
         WHERE t.user_id = c.user_id AND t.provider = c.provider;
        RETURN NULL;
    END IF;
    step := orla.claim_refresh(c);
    RETURN CASE WHEN step ? 'http' THEN step END;
END
$$;
REVOKE ALL ON FUNCTION orla.due_step(orla.user_cloud_storage_tokens) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.due_step(orla.user_cloud_storage_tokens) TO orla_service;
COMMENT ON FUNCTION orla.due_step(orla.user_cloud_storage_tokens) IS
    'The step that refreshes a connection that is claimed; NULL where there is nothing to ask for.';

-- Each provider has so many requests of its own: one that hangs does not take
-- them from the others.  heard: keys of those whose requests have ended, and
-- which are recorded next.  Claimed at one go, by place, since the rows are locked.
-- Always in the order of the index: the plan is kept, and made when little is due
-- it would read and sort all that is due for each handful of requests.
CREATE FUNCTION orla.due_connections(room int, heard text[])
    RETURNS SETOF jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    place record;
    c     orla.user_cloud_storage_tokens;
    step  jsonb;
BEGIN
    -- a claim that a crash takes along would be void after it anyway
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR place IN
        SELECT p.name, room - (SELECT count(*) FROM orla.user_cloud_storage_tokens AS t
                                WHERE t.claimed_at IS NOT NULL AND t.provider = p.name)
                            + (SELECT count(*) FROM unnest(heard) AS h (key) WHERE split_part(h.key, ' ', 3) = p.name) AS free
          FROM orla.providers AS p
         WHERE EXISTS (SELECT FROM orla.user_cloud_storage_tokens AS t
                        WHERE t.provider || '' = p.name AND t.claimed_at IS NULL AND t.next_request_at <= now())
    LOOP
        CONTINUE WHEN place.free <= 0;
        FOR c IN
            UPDATE orla.user_cloud_storage_tokens AS t SET claimed_at = now()
             WHERE t.ctid = ANY (ARRAY(SELECT d.ctid FROM orla.user_cloud_storage_tokens AS d
                                        WHERE d.provider || '' = place.name AND d.claimed_at IS NULL AND d.next_request_at <= now()
                                        ORDER BY d.next_request_at LIMIT place.free FOR UPDATE SKIP LOCKED))
            RETURNING t.*
        LOOP
            step := orla.due_step(c);
            IF step IS NOT NULL THEN
                RETURN NEXT step;
            END IF;
        END LOOP;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION orla.due_connections(int, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.due_connections(int, text[]) TO orla_service;
COMMENT ON FUNCTION orla.due_connections(int, text[]) IS
    'Steps that refresh what is due, so many for each provider at most.';

CREATE FUNCTION orla.due_work(requests int, mails int, heard text[])
    RETURNS SETOF jsonb
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM orla.due_connections(requests, heard)
    UNION ALL
    SELECT * FROM orla.due_revocations()
    UNION ALL
    SELECT * FROM orla.due_mails(mails)
    UNION ALL
    SELECT * FROM orla.due_jobs()
$$;
REVOKE ALL ON FUNCTION orla.due_work(int, int, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.due_work(int, int, text[]) TO orla_service;
COMMENT ON FUNCTION orla.due_work(int, int, text[]) IS
    'Steps that are due, claimed: so many for each provider at most, not counting those heard of, and so many mails.';

-- Nobody but a worker claims, and there is one worker: what is claimed when it
-- starts was claimed by one that died.  What a tenant has locked is passed over:
-- it must not keep the worker from everybody else, and is void by itself later.
CREATE FUNCTION orla.do_take_over(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.user_cloud_storage_tokens AS t SET claimed_at = NULL
     WHERE t.ctid = ANY (ARRAY(SELECT l.ctid FROM orla.user_cloud_storage_tokens AS l
                                WHERE l.claimed_at IS NOT NULL FOR UPDATE SKIP LOCKED));
    PERFORM orla.put_off_job(x.j, 'the worker was stopped', '0')
       FROM (SELECT j FROM orla.jobs AS j WHERE j.status = 'running' FOR UPDATE SKIP LOCKED) AS x;
    UPDATE orla.revocations SET claimed_at = NULL WHERE claimed_at IS NOT NULL;
    RETURN jsonb_build_object('answer', NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.do_take_over(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_take_over(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_take_over(jsonb) IS
    'Voids the claims of a worker that died.';

-- What a claim was for did not come to its end.
CREATE FUNCTION orla.do_release_claim(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.user_cloud_storage_tokens AS t SET claimed_at = NULL
     WHERE t.claimed_at IS NOT NULL AND orla.connection_key(t.user_id, t.provider) = args ->> 'key';
    UPDATE orla.revocations AS r SET claimed_at = NULL
     WHERE r.claimed_at IS NOT NULL AND orla.revocation_key(r.id) = args ->> 'key';
    PERFORM orla.put_off_job(j, 'the worker could not go on', NULL) FROM orla.jobs AS j
      WHERE j.status = 'running' AND 'job ' || j.id = args ->> 'key';
    RETURN jsonb_build_object('answer', NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.do_release_claim(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_release_claim(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_release_claim(jsonb) IS
    'Voids the claim of a task that could not go on.';

-- One that fails does not keep the others from their turn.  No request takes half
-- an hour: a claim that is older is nobody's.
CREATE FUNCTION orla.do_keep_house(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    BEGIN
        PERFORM orla.audit_seal();
    EXCEPTION WHEN others THEN
        RAISE LOG 'orla could not seal the audit trail: %', SQLERRM;
    END;
    BEGIN
        PERFORM * FROM orla.purge_expired();
    EXCEPTION WHEN others THEN
        RAISE LOG 'orla could not remove what has expired: %', SQLERRM;
    END;
    BEGIN
        PERFORM orla.reseal(1000);
    EXCEPTION WHEN others THEN
        RAISE LOG 'orla could not seal with the newest key: %', SQLERRM;
    END;
    UPDATE orla.user_cloud_storage_tokens AS t SET claimed_at = NULL
     WHERE t.ctid = ANY (ARRAY(SELECT l.ctid FROM orla.user_cloud_storage_tokens AS l
                                WHERE l.claimed_at < now() - interval '30 minutes' FOR UPDATE SKIP LOCKED));
    UPDATE orla.revocations SET claimed_at = NULL WHERE claimed_at < now() - interval '30 minutes';
    RETURN jsonb_build_object('answer', NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.do_keep_house(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_keep_house(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_keep_house(jsonb) IS
    'Once a minute: seals the audit trail, removes what has expired, rewrites what old keys have sealed.';

CREATE VIEW orla.worker_status WITH (security_invoker = true) AS
    SELECT pid, ready, started_at, queued, in_flight, calls, requests, failures, last_error, last_error_at
      FROM orla.worker_state();
ALTER VIEW orla.worker_status OWNER TO orla_service;
COMMENT ON VIEW orla.worker_status IS 'The worker of this database: what it has to do, has done, and what went wrong last; pid is NULL where there is none.';
COMMENT ON COLUMN orla.worker_status.pid IS 'the process; NULL: there is none';
COMMENT ON COLUMN orla.worker_status.ready IS 'false: it has just begun, or the extension is not in this database (yet)';
COMMENT ON COLUMN orla.worker_status.started_at IS 'when it began';
COMMENT ON COLUMN orla.worker_status.queued IS 'calls of sessions that it has not taken yet';
COMMENT ON COLUMN orla.worker_status.in_flight IS 'requests under way';
COMMENT ON COLUMN orla.worker_status.calls IS 'calls of sessions that it has taken since it began';
COMMENT ON COLUMN orla.worker_status.requests IS 'requests that it has made since it began';
COMMENT ON COLUMN orla.worker_status.failures IS 'those of them that had no answer';
COMMENT ON COLUMN orla.worker_status.last_error IS 'of any kind; a connection''s own is in its row, a mail''s in the outbox';
COMMENT ON COLUMN orla.worker_status.last_error_at IS 'when that was';
REVOKE ALL ON TABLE orla.worker_status FROM PUBLIC, orla_service;
GRANT SELECT ON TABLE orla.worker_status TO orla_admin;
