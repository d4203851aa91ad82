-- Mail: put into the outbox with what it reports, its token sealed.

-- recipient_name is the account's, never what somebody typed who has not proven
-- the address: a stranger's text would reach people over our name.
CREATE FUNCTION orla.enqueue_mail(recipient uuid, address text, recipient_name text, template text, token text, origin_digest bytea DEFAULT NULL)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mail uuid := gen_random_uuid();
BEGIN
    INSERT INTO orla.outbox (id, user_id, to_address, origin_digest, subject, template, name, sealed_token)
    VALUES (mail, recipient, address, origin_digest,
            CASE template
                WHEN 'verify_email' THEN 'Confirm your address'
                WHEN 'address_taken' THEN 'You already have an account'
                WHEN 'no_account' THEN 'No account for this address'
                WHEN 'reset_password' THEN 'Choose a new password'
                WHEN 'password_changed' THEN 'Your password was changed'
            END,
            template, recipient_name, orla.seal(token, NULL, 'outbox|' || mail));
    RETURN mail;
END
$$;
REVOKE ALL ON FUNCTION orla.enqueue_mail(uuid, text, text, text, text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.enqueue_mail(uuid, text, text, text, text, bytea) TO orla_service;
COMMENT ON FUNCTION orla.enqueue_mail(uuid, text, text, text, text, bytea) IS
    'Puts a mail into the outbox; its token is sealed for this mail alone. origin_digest tells who asked for it.';

-- Two budgets in an hour, so that nobody can fill a stranger's mailbox: what one
-- origin may have sent to an address, and what all together may.  The first
-- keeps whoever used it up from using up anybody else's; the second takes ten
-- networks to use up, and a device that the account knows is past it.  The same
-- whether or not the address has an account.
CREATE FUNCTION orla.mails_used_up(address text, origin jsonb)
    RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whence bytea := orla.origin_digest(address, origin);
    mine   bigint;
    alls   bigint;
BEGIN
    SELECT count(*) FILTER (WHERE o.origin_digest = whence), count(*) INTO mine, alls
      FROM orla.outbox AS o
     WHERE o.to_address = address AND o.created_at > now() - interval '1 hour' AND o.origin_digest IS NOT NULL;
    RETURN mine >= 5 OR alls >= 50 AND orla.known_device(address, origin) IS NULL;
END
$$;
REVOKE ALL ON FUNCTION orla.mails_used_up(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.mails_used_up(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.mails_used_up(text, jsonb) IS
    'Whether an address has had the mails of this hour that this origin may ask for.';

CREATE FUNCTION orla.mail_text(template text, recipient_name text, token text)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format(E'Hello %s,\n\n', coalesce(regexp_replace(recipient_name, '[[:cntrl:]]+', ' ', 'g'), 'there')) ||
           CASE template
               WHEN 'verify_email' THEN
                   format(E'confirm your address with this link and the password that you chose:\n\n%s/verify-email?token=%s\n\nIf you did not sign up, do nothing.',
                          current_setting('orla.public_url'), token)
               WHEN 'address_taken' THEN
                   E'somebody, probably you, signed up with this address, which has an account already.\nNothing was changed. If you forgot your password, choose a new one at\n\n'
                   || current_setting('orla.public_url') || '/forgot-password'
               WHEN 'no_account' THEN
                   E'somebody asked for a link to an account of this address, but there is none.\nIf it was you, try another address or sign up.'
               WHEN 'reset_password' THEN
                   format(E'choose a new password with this link:\n\n%s/reset-password?token=%s\n\nIf you did not ask for it, do nothing.',
                          current_setting('orla.public_url'), token)
               WHEN 'password_changed' THEN
                   E'your password was changed and your other sessions were ended.\nIf it was not you, choose a new one at\n\n'
                   || current_setting('orla.public_url') || '/forgot-password'
           END || E'\n'
$$;
REVOKE ALL ON FUNCTION orla.mail_text(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.mail_text(text, text, text) TO orla_service;
COMMENT ON FUNCTION orla.mail_text(text, text, text) IS
    'The body of a mail.';

-- SECURITY DEFINER: only orla_service opens what is sealed.  Volatile, since
-- reading somebody's link leaves an audit row.
CREATE FUNCTION orla.render_mail(mail_id uuid)
    RETURNS text
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mail orla.outbox;
BEGIN
    SELECT * INTO mail FROM orla.outbox AS o WHERE o.id = mail_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such mail'
            USING ERRCODE = 'no_data_found';
    END IF;
    PERFORM orla.audit('render_mail', 'success', mail.user_id,
                       jsonb_build_object('mail_id', mail.id, 'template', mail.template, 'by', session_user));
    RETURN format(E'To: %s\nSubject: %s\n\n%s', mail.to_address, mail.subject,
                  orla.mail_text(mail.template, mail.name,
                                 CASE WHEN mail.sealed_token IS NULL THEN '(sent and blanked)'
                                      ELSE orla.unseal(mail.sealed_token, NULL, 'outbox|' || mail.id) END));
END
$$;
ALTER FUNCTION orla.render_mail(uuid) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.render_mail(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.render_mail(uuid) TO orla_admin;
COMMENT ON FUNCTION orla.render_mail(uuid) IS
    'The text of a mail, with its link, for an operator without a mail server or a program that sends. Leaves an audit row.

Errors: P0002.';

-- SECURITY DEFINER: an operator's program sends the mails and may say so, no
-- more.
CREATE FUNCTION orla.record_delivery(mail_id uuid, error text DEFAULT NULL)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE orla.outbox AS o
       SET attempts = o.attempts + 1, last_error = left(error, 1000),
           sent_at = CASE WHEN error IS NULL THEN coalesce(o.sent_at, now()) ELSE o.sent_at END,
           sealed_token = CASE WHEN error IS NOT NULL THEN o.sealed_token END,
           next_attempt_at = now() + least(interval '1 minute' * power(2, o.attempts), interval '6 hours')
     WHERE o.id = mail_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such mail'
            USING ERRCODE = 'no_data_found';
    END IF;
END
$$;
ALTER FUNCTION orla.record_delivery(uuid, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.record_delivery(uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.record_delivery(uuid, text) TO orla_admin;
COMMENT ON FUNCTION orla.record_delivery(uuid, text) IS
    'Notes that a mail was sent, and blanks its link, or why it was not. For the program that sends.

With an error the mail is kept, and next_attempt_at moves on, by a minute first, by six hours at most.

Errors: P0002.';
