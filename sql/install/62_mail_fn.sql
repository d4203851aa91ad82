-- Mail: put into the outbox with what it reports, its token sealed.

CREATE FUNCTION orla.enqueue_mail(recipient uuid, address text, recipient_name text, template text, token text)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mail uuid := gen_random_uuid();
BEGIN
    INSERT INTO orla.outbox (id, user_id, to_address, subject, template, name, sealed_token)
    VALUES (mail, recipient, address,
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
REVOKE ALL ON FUNCTION orla.enqueue_mail(uuid, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.enqueue_mail(uuid, text, text, text, text) TO orla_service;
COMMENT ON FUNCTION orla.enqueue_mail(uuid, text, text, text, text) IS
    'Puts a mail into the outbox; its token is sealed for this mail alone.';

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
                   E'somebody asked for a new password, but there is no account for this address.\nIf it was you, try another address or sign up.'
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
    'The mail as it would be sent, for an operator without a mail server. Leaves an audit row. Errors: P0002 for an unknown id.';
