-- Sign-up and sign-in, as an HTTP layer shows them.
--
-- All are SECURITY DEFINER, since only orla_service has work done by
-- orla.perform(); they hand arguments on and decide nothing.  Who calls is told
-- by the proven tenant, never by an argument.

-- SECURITY INVOKER; the layer's own settings, the network address without one.
-- A header that a proxy sets is believed only where orla.client_address_header
-- names it, and from an HTTP layer's login: whoever types SQL could write any.
-- Of several addresses the last is the proxy's own.
CREATE FUNCTION orla.request_origin()
    RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    headers jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
    cookies jsonb := nullif(current_setting('request.cookies', true), '')::jsonb;
    header  text := lower(current_setting('orla.client_address_header'));
    whence  text := host(inet_client_addr());
BEGIN
    IF header <> '' AND headers ->> header IS NOT NULL AND pg_has_role(session_user, 'orla_anon', 'MEMBER') THEN
        whence := btrim(regexp_replace(headers ->> header, '^.*,', ''));
        BEGIN
            whence := host(whence::inet);
        EXCEPTION WHEN invalid_text_representation THEN
            whence := NULL;
        END;
    END IF;
    RETURN jsonb_strip_nulls(jsonb_build_object('ip', whence, 'user_agent', left(headers ->> 'user-agent', 500),
                                                'device', left(cookies ->> 'orla_device', 200)));
END
$$;
REVOKE ALL ON FUNCTION orla.request_origin() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.request_origin() TO orla_service;
COMMENT ON FUNCTION orla.request_origin() IS
    'Where a request comes from: network address, user agent, known-device cookie.';

CREATE FUNCTION orla_api.register(name text, email text, password text, organization_name text DEFAULT NULL)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.perform('register', jsonb_build_object('name', name, 'email', email, 'password', password, 'organization_name', organization_name, 'origin', orla.request_origin()))
$$;
ALTER FUNCTION orla_api.register(text, text, text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.register(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.register(text, text, text, text) TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.register(text, text, text, text) IS
    'Signs up: mails a link that, together with the password, makes the account.

Returns {message}; the same, with the same writes, whether or not the address is taken: the owner of one that is gets a notice. There is no account until verify_email().

Errors: 22023 for a bad address, name or password, PT429 for too many mails, PT503.';

CREATE FUNCTION orla_api.verify_email(token text, password text)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.finish_sign_in(orla.perform('sign_in', jsonb_build_object('by', 'verify_email', 'token', token, 'password', password, 'origin', orla.request_origin())), clock_timestamp())
$$;
ALTER FUNCTION orla_api.verify_email(text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.verify_email(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.verify_email(text, text) TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.verify_email(text, text) IS
    'Confirms an address with the token of the mail and the password of the sign-up, and signs in.

Returns {access_token, refresh_token, token_type, expires_in, user}: token_type is bearer, expires_in counts seconds, user is as of me(). The password is asked for so that nobody makes an account of a stranger''s sign-up. A link works once, and no more after five wrong passwords. Sets the cookie by which the device is known, like login().

Errors: PT401, the same for every cause; PT503.';

CREATE FUNCTION orla_api.login(email text, password text)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    RETURN orla.finish_sign_in(orla.perform('sign_in', jsonb_build_object('by', 'login', 'email', email, 'password', password, 'origin', orla.request_origin())), began);
END
$$;
ALTER FUNCTION orla_api.login(text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.login(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.login(text, text) TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.login(text, text) IS
    'Signs in.

Returns the same as verify_email(). Five wrong passwords (orla.max_failed_sign_ins) for one address from one origin lock that address for that origin for half an hour (orla.lockout_duration); while it is locked the right one is refused, too. The origin is a device that signed in to the account before, or the network address (of IPv6 the first 64 bits). A sign-in sets the setting response.headers, of which PostgREST makes a header: the cookie orla_device, by which this device is known. Other layers hand it on, and hand it over in request.cookies.

Errors: PT401, the same for every cause; PT503.';

CREATE FUNCTION orla_api.refresh(refresh_token text)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.perform('refresh', jsonb_build_object('refresh_token', refresh_token, 'origin', orla.request_origin()))
$$;
ALTER FUNCTION orla_api.refresh(text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.refresh(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.refresh(text) TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.refresh(text) IS
    'Trades a refresh token for a new pair.

Returns the same as login(), with a new refresh token; the old one is used up. Within ten seconds (orla.refresh_grace) it gives the same new one again, for two tabs that refresh at once; later, using it again ends the session.

Errors: PT401, the same for every cause; PT503.';

CREATE FUNCTION orla_api.resend_verification(email text)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.perform('resend_verification', jsonb_build_object('email', email, 'origin', orla.request_origin()))
$$;
ALTER FUNCTION orla_api.resend_verification(text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.resend_verification(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.resend_verification(text) TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.resend_verification(text) IS
    'Mails the link of a sign-up again.

Returns {message}, the same for any address. Of several sign-ups it is the one that came from the same origin. For an imported account that was never verified it mails a link that verify_email() takes with the account''s password.

Errors: 22023, PT429 for too many mails, PT503.';

CREATE FUNCTION orla_api.forgot_password(email text)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.perform('forgot_password', jsonb_build_object('email', email, 'origin', orla.request_origin()))
$$;
ALTER FUNCTION orla_api.forgot_password(text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.forgot_password(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.forgot_password(text) TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.forgot_password(text) IS
    'Mails a link to choose a new password.

Returns {message}, the same for any address. The link is for reset_password().

Errors: 22023, PT429 for too many mails, PT503.';

CREATE FUNCTION orla_api.reset_password(token text, new_password text)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.perform('reset_password', jsonb_build_object('token', token, 'new_password', new_password, 'origin', orla.request_origin()))
$$;
ALTER FUNCTION orla_api.reset_password(text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.reset_password(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.reset_password(text, text) TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.reset_password(text, text) IS
    'Sets a new password with the token of the mail.

Returns {message}. The link works once. All sessions end, locks of the address are lifted, and the address counts as verified.

Errors: 22023 for a password that nobody should have, PT401 for a link that is not good, PT503.';

CREATE FUNCTION orla_api.logout(refresh_token text)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.perform('logout', jsonb_build_object('refresh_token', refresh_token, 'origin', orla.request_origin()))
$$;
ALTER FUNCTION orla_api.logout(text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.logout(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.logout(text) TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.logout(text) IS
    'Ends the session of a refresh token.

Returns {message}, the same for any token. The session''s access tokens are worth nothing from that moment on.

Errors: PT503.';

CREATE FUNCTION orla_api.change_password(current_password text, new_password text)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.perform('change_password', jsonb_build_object('current_password', current_password, 'new_password', new_password, 'user_id', orla.require_tenant(), 'session_id', orla.current_claims() ->> 'sid', 'origin', orla.request_origin()))
$$;
ALTER FUNCTION orla_api.change_password(text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.change_password(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.change_password(text, text) TO orla_user;
COMMENT ON FUNCTION orla_api.change_password(text, text) IS
    'Sets a new password.

Returns {message}. All other sessions end at once. Wrong passwords count like those at login().

Errors: 22023 for a password that nobody should have, 28000 without a tenant, PT403 for a wrong password, PT503.';

CREATE FUNCTION orla_api.logout_everywhere()
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.perform('logout_everywhere', jsonb_build_object('user_id', orla.require_tenant(), 'session_id', orla.current_claims() ->> 'sid', 'origin', orla.request_origin()))
$$;
ALTER FUNCTION orla_api.logout_everywhere() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.logout_everywhere() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.logout_everywhere() TO orla_user;
COMMENT ON FUNCTION orla_api.logout_everywhere() IS
    'Ends all of your sessions, this one, too.

Returns {message}. Access tokens are worth nothing from that moment on.

Errors: 28000 without a tenant, PT503.';

CREATE FUNCTION orla_api.delete_account(password text)
    RETURNS jsonb
    LANGUAGE sql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.perform('delete_account', jsonb_build_object('password', password, 'user_id', orla.require_tenant(), 'session_id', orla.current_claims() ->> 'sid', 'origin', orla.request_origin()))
$$;
ALTER FUNCTION orla_api.delete_account(text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.delete_account(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.delete_account(text) TO orla_user;
COMMENT ON FUNCTION orla_api.delete_account(text) IS
    'Deletes your account and every row of it.

Returns {message}. Its key goes, too: what was sealed for it opens for nobody any more. Its accesses to cloud storage are ended at the providers by the worker, where that ends nobody else''s. The audit trail keeps its rows, without a name. Tables of the operator''s own go along if they refer to orla.users with ON DELETE CASCADE; one that refers without keeps the account.

Errors: 28000 without a tenant, PT403 for a wrong password, PT503, 23503.';

CREATE FUNCTION orla_api.me()
    RETURNS jsonb
    LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.user_object(u) FROM orla.users AS u WHERE u.id = orla.require_tenant()
$$;
ALTER FUNCTION orla_api.me() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.me() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.me() TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.me() IS
    'Who you are.

Returns {id, name, email, organization_name, role, plan, email_verified}.

Errors: 28000 without a tenant.';

CREATE FUNCTION orla_api.my_sessions()
    RETURNS jsonb
    LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'id', s.id, 'created_at', s.created_at, 'last_used_at', s.last_used_at, 'expires_at', s.expires_at,
               'ip_address', host(s.ip_address), 'user_agent', s.user_agent,
               'current', s.id::text IS NOT DISTINCT FROM orla.current_claims() ->> 'sid') ORDER BY s.created_at DESC, s.id), '[]')
      FROM orla.sessions AS s
     WHERE s.user_id = orla.require_tenant() AND s.ended_at IS NULL AND s.expires_at > now()
$$;
ALTER FUNCTION orla_api.my_sessions() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.my_sessions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.my_sessions() TO orla_user, orla_gateway;
COMMENT ON FUNCTION orla_api.my_sessions() IS
    'Your open sessions, without secrets.

Returns an array, newest first, of {id, created_at, last_used_at, expires_at, ip_address, user_agent, current}.

Errors: 28000 without a tenant.';
