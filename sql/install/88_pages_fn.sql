-- What pages are served by: their headers, and the session that a browser holds
-- in cookies.  The pages themselves are files in sql/pages, put into functions by
-- sql/pages/assemble.

-- ---- media types ------------------------------------------------------------
-- PostgREST serves a function whose result is a domain of this name to whoever
-- accepts this type.  Browsers accept anything for a script or a style sheet, so
-- those are orla_api."*/*" (86_api_files.sql), with their type in a header.

CREATE DOMAIN orla_api."text/html" AS text;
COMMENT ON DOMAIN orla_api."text/html" IS 'A page.';
REVOKE ALL ON TYPE orla_api."text/html" FROM PUBLIC;
GRANT USAGE ON TYPE orla_api."text/html" TO orla_anon, orla_user, orla_gateway, orla_service;
GRANT USAGE ON TYPE orla_api."*/*" TO orla_anon;

-- ---- headers ----------------------------------------------------------------

CREATE FUNCTION orla.add_response_header(name text, value text)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('response.headers',
        (coalesce(nullif(current_setting('response.headers', true), '')::jsonb, '[]') || jsonb_build_array(jsonb_build_object(name, value)))::text,
        true);
END
$$;
REVOKE ALL ON FUNCTION orla.add_response_header(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.add_response_header(text, text) TO orla_service;
COMMENT ON FUNCTION orla.add_response_header(text, text) IS
    'One more header of the answer, for an HTTP layer that takes response.headers.';

CREATE FUNCTION orla.serve_page(source text)
    RETURNS text
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_serve_page';
REVOKE ALL ON FUNCTION orla.serve_page(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.serve_page(text) TO orla_anon, orla_user, orla_gateway, orla_service;
COMMENT ON FUNCTION orla.serve_page(text) IS
    'A page with the addresses of this installation in it, and its headers set.';

-- The version is part of an asset's address in a page: a new one is another
-- address, so this one may be kept.
CREATE FUNCTION orla.serve_asset(media_type text, version text)
    RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT set_config('response.headers', jsonb_build_array(
        jsonb_build_object('Content-Type', media_type || '; charset=utf-8'),
        jsonb_build_object('X-Content-Type-Options', 'nosniff'),
        jsonb_build_object('Cross-Origin-Resource-Policy', 'same-origin'),
        jsonb_build_object('Cache-Control', CASE WHEN version IS NULL THEN 'no-cache' ELSE 'public, max-age=31536000, immutable' END))::text, true)
$$;
REVOKE ALL ON FUNCTION orla.serve_asset(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.serve_asset(text, text) TO orla_anon, orla_user, orla_gateway, orla_service;
COMMENT ON FUNCTION orla.serve_asset(text, text) IS
    'Sets the headers of a style sheet or script.';

-- ---- the session of a browser -----------------------------------------------
-- Both tokens are in cookies that no script can read and that no other site's
-- request carries.  src/request.c takes the session's; the other one is read here
-- alone.

CREATE FUNCTION orla.require_own_page()
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_require_own_page';
REVOKE ALL ON FUNCTION orla.require_own_page() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.require_own_page() TO orla_service;
COMMENT ON FUNCTION orla.require_own_page() IS
    'Errors: PT403 unless the request says that it comes from a page of ours; 25006 in a READ ONLY transaction.';

CREATE FUNCTION orla.cookie_name(name text)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN current_setting('orla.public_url') LIKE 'https://%' THEN '__Host-' ELSE '' END || name
$$;
REVOKE ALL ON FUNCTION orla.cookie_name(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.cookie_name(text) TO orla_service;
COMMENT ON FUNCTION orla.cookie_name(text) IS
    'A cookie''s name; under https it is one that browsers take over TLS and for this host alone.';

CREATE FUNCTION orla.set_cookie(name text, value text, max_age bigint)
    RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.add_response_header('Set-Cookie', format('%s=%s; Path=/; Max-Age=%s; HttpOnly; SameSite=Strict%s',
               orla.cookie_name(name), value, max_age,
               CASE WHEN current_setting('orla.public_url') LIKE 'https://%' THEN '; Secure' ELSE '' END))
$$;
REVOKE ALL ON FUNCTION orla.set_cookie(text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.set_cookie(text, text, bigint) TO orla_service;
COMMENT ON FUNCTION orla.set_cookie(text, text, bigint) IS
    'Sets a cookie of the session in the answer; max_age 0 takes it away.';

CREATE FUNCTION orla.refresh_cookie()
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT nullif(nullif(current_setting('request.cookies', true), '')::jsonb ->> orla.cookie_name('orla_refresh'), '')
$$;
REVOKE ALL ON FUNCTION orla.refresh_cookie() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.refresh_cookie() TO orla_service;
COMMENT ON FUNCTION orla.refresh_cookie() IS
    'The refresh token that the browser sent.';

CREATE FUNCTION orla.session_in_cookies(answer jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.set_cookie('orla_session', answer ->> 'access_token', (answer ->> 'expires_in')::bigint);
    PERFORM orla.set_cookie('orla_refresh', answer ->> 'refresh_token',
                            extract(epoch FROM current_setting('orla.refresh_token_lifetime')::interval)::bigint);
    RETURN answer - '{access_token,refresh_token,token_type}'::text[];
END
$$;
REVOKE ALL ON FUNCTION orla.session_in_cookies(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.session_in_cookies(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.session_in_cookies(jsonb) IS
    'The answer of a sign-in with its tokens taken out of it and put into cookies.';

CREATE FUNCTION orla.no_session_in_cookies()
    RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.set_cookie('orla_session', '', 0), orla.set_cookie('orla_refresh', '', 0)
$$;
REVOKE ALL ON FUNCTION orla.no_session_in_cookies() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.no_session_in_cookies() TO orla_service;
COMMENT ON FUNCTION orla.no_session_in_cookies() IS
    'Takes the cookies of a session away.';

-- Whoever signs in in the place of a session ends it: nobody could use it again.
CREATE FUNCTION orla.end_session_in_cookies()
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    token  text := orla.refresh_cookie();
    cookie text := nullif(nullif(current_setting('request.cookies', true), '')::jsonb ->> orla.cookie_name('orla_session'), '');
    claims jsonb;
BEGIN
    IF token IS NOT NULL THEN
        PERFORM orla.perform('logout', jsonb_build_object('refresh_token', token, 'origin', orla.request_origin()));
    ELSIF cookie IS NOT NULL THEN
        -- a browser that has lost the other one
        BEGIN
            claims := orla.verify_jwt(cookie);
        EXCEPTION WHEN SQLSTATE 'PT401' THEN
            RETURN;
        END;
        PERFORM orla.perform('logout', jsonb_build_object('user_id', claims ->> 'sub', 'session_id', claims ->> 'sid', 'origin', orla.request_origin()));
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.end_session_in_cookies() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.end_session_in_cookies() TO orla_service;
COMMENT ON FUNCTION orla.end_session_in_cookies() IS
    'Ends the session that the browser holds.';

CREATE FUNCTION orla.begin_session_in_cookies(answer jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.end_session_in_cookies();
    RETURN orla.session_in_cookies(answer);
END
$$;
REVOKE ALL ON FUNCTION orla.begin_session_in_cookies(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.begin_session_in_cookies(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.begin_session_in_cookies(jsonb) IS
    'As orla.session_in_cookies(), in the place of the session that the browser holds.';

-- SECURITY DEFINER, these four: only orla_service has work done by
-- orla.perform(), and the tokens are to reach nobody but the browser.

CREATE FUNCTION orla_api.sign_in(email text, password text)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.require_own_page();
    RETURN orla.begin_session_in_cookies(orla_api.login(email, password));
END
$$;
ALTER FUNCTION orla_api.sign_in(text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.sign_in(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.sign_in(text, text) TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.sign_in(text, text) IS
    'Signs a browser in. For pages of the application.

As login(), but the tokens are set as cookies that no script can read; returns {user, expires_in}. A session that the browser had before ends.

Errors: PT401, the same for every cause; PT403 from another page, PT503.';

CREATE FUNCTION orla_api.verify_and_sign_in(token text, password text)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.require_own_page();
    RETURN orla.begin_session_in_cookies(orla_api.verify_email(token, password));
END
$$;
ALTER FUNCTION orla_api.verify_and_sign_in(text, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.verify_and_sign_in(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.verify_and_sign_in(text, text) TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.verify_and_sign_in(text, text) IS
    'Confirms an address and signs a browser in. For pages of the application.

As verify_email(), with the tokens as cookies; returns {user, expires_in}.

Errors: PT401, PT403 from another page, PT503.';

-- A refusal is an answer with a status, no error: with an error the cookies could
-- not be taken away, and every request of this browser would be refused.
CREATE FUNCTION orla_api.refresh_session()
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    token  text := orla.refresh_cookie();
    answer jsonb;
BEGIN
    PERFORM orla.require_own_page();
    BEGIN
        answer := orla_api.refresh(coalesce(token, ''));
    EXCEPTION WHEN SQLSTATE 'PT401' THEN
        PERFORM set_config('response.status', '401', true);
        PERFORM orla.no_session_in_cookies();
        RETURN jsonb_build_object('code', SQLSTATE, 'message', SQLERRM, 'details', NULL, 'hint', NULL);
    END;
    RETURN orla.session_in_cookies(answer);
END
$$;
ALTER FUNCTION orla_api.refresh_session() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.refresh_session() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.refresh_session() TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.refresh_session() IS
    'Trades the refresh token of the browser''s cookie for a new pair of cookies. For pages of the application.

As refresh(); returns {user, expires_in}. Where the token is not good the answer has status 401 and takes both cookies away; it is no error, since an error sets no headers.

Errors: PT403 from another page, PT503.';

CREATE FUNCTION orla_api.sign_out()
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.require_own_page();
    PERFORM orla.end_session_in_cookies();
    PERFORM orla.no_session_in_cookies();
    RETURN orla.answer_message('You are signed out.') -> 'answer';
END
$$;
ALTER FUNCTION orla_api.sign_out() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla_api.sign_out() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla_api.sign_out() TO orla_anon, orla_user;
COMMENT ON FUNCTION orla_api.sign_out() IS
    'Ends the session of the browser and takes its cookies away. For pages of the application.

Returns {message}.

Errors: PT403 from another page, PT503.';
