-- Sign-in, by the password or by the link that proves an address and the password.
-- Each do_ function is a step of its own (src/worker_step.h); between them the
-- password is compared, or its hash is made anew.

-- Whether hashes of other costs than the configured ones are left: comparing
-- with them takes another time.  Two looks into an index.
CREATE FUNCTION orla.password_costs_differ()
    RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT coalesce(min(orla.password_costs(u.password_hash) COLLATE "C") <> orla.configured_password_costs()
                            OR max(orla.password_costs(u.password_hash) COLLATE "C") <> orla.configured_password_costs(), false)
              FROM orla.users AS u);
END
$$;
REVOKE ALL ON FUNCTION orla.password_costs_differ() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.password_costs_differ() TO orla_service;
COMMENT ON FUNCTION orla.password_costs_differ() IS
    'Whether any account has a hash of another algorithm or other costs than a new one would have.';

CREATE FUNCTION orla.login_address(args jsonb)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN lower(left(args ->> 'email', 1000) COLLATE "C");
END
$$;
REVOKE ALL ON FUNCTION orla.login_address(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.login_address(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.login_address(jsonb) IS
    'The address that somebody signs in with, as it is stored and counted.';

-- A row of the trail that is an account's takes longer than one that is nobody's,
-- so the answer is held.
CREATE FUNCTION orla.login_refused(account uuid, origin jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.audit('login', 'failure', orla.account_if_there(account), '{}', origin);
    RETURN orla.refusal('PT401', 'sign-in refused') || '{"hold_ms": 10}';
END
$$;
REVOKE ALL ON FUNCTION orla.login_refused(uuid, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.login_refused(uuid, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.login_refused(uuid, jsonb) IS
    'The refusal of a sign-in, with its row in the trail.';

CREATE FUNCTION orla.login(args jsonb, fresh_hash text)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u orla.users;
BEGIN
    -- not if it was changed or deactivated while the hash was computed
    UPDATE orla.users AS x SET last_login_at = now(), password_hash = coalesce(fresh_hash, x.password_hash)
     WHERE x.id = (args ->> 'user_id')::uuid AND x.password_hash = args ->> 'hash' AND x.is_active
    RETURNING * INTO u;
    IF u.id IS NULL THEN
        RETURN orla.login_refused((args ->> 'user_id')::uuid, args -> 'origin');
    END IF;
    PERFORM orla.ensure_tenant_key(u.id);
    PERFORM orla.audit('login', 'success', u.id, '{}', args -> 'origin');
    RETURN orla.open_session(u.id, args -> 'origin');
END
$$;
REVOKE ALL ON FUNCTION orla.login(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.login(jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.login(jsonb, text) IS
    'A session of args.user_id, whose password was right; with a hash of the costs of today, if it has another.';

-- One answer and, as near as can be, one time for an unknown address, a wrong
-- password, an account that is not active and an origin that is locked.
CREATE FUNCTION orla.login_compared(args jsonb, matches boolean)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    address text := orla.login_address(args);
    u       orla.users;
BEGIN
    SELECT * INTO u FROM orla.users AS x WHERE x.email = address;
    IF NOT orla.count_attempt(address, args -> 'origin',
                              matches AND u.password_hash = args ->> 'hash' AND u.is_active AND u.email_verified) THEN
        RETURN orla.login_refused(u.id, args -> 'origin');
    END IF;
    args := args || jsonb_build_object('user_id', u.id);
    IF orla.password_needs_rehash(u.password_hash) THEN
        RETURN orla.hash_apart(args ->> 'password', 'sign_in_hashed', args);
    END IF;
    RETURN orla.login(args, NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.login_compared(jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.login_compared(jsonb, boolean) TO orla_service;
COMMENT ON FUNCTION orla.login_compared(jsonb, boolean) IS
    'What orla_api.login() does once the password was compared with args.hash.';

CREATE FUNCTION orla.sign_in_answer(args jsonb, result jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF result ? 'apart' THEN
        RETURN result;
    END IF;
    RETURN jsonb_build_object('hold_ms', result -> 'hold_ms', 'answer',
               result - 'hold_ms' || jsonb_build_object('floor', args -> 'floor', 'device', orla.device_cookie(result #>> '{answer,user,email}')));
END
$$;
REVOKE ALL ON FUNCTION orla.sign_in_answer(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.sign_in_answer(jsonb, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.sign_in_answer(jsonb, jsonb) IS
    'What a sign-in has besides: whether it has to wait, and the cookie of the device; a step that is not the last as it is.';

CREATE FUNCTION orla.do_sign_in(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    login boolean := args ->> 'by' = 'login';
BEGIN
    PERFORM orla.ensure_instance();
    RETURN orla.compare_apart(args ->> 'password',
               CASE WHEN login THEN (SELECT u.password_hash FROM orla.users AS u WHERE u.email = orla.login_address(args))
                    ELSE orla.hash_behind_link(args ->> 'token') END,
               'sign_in_compared', args || jsonb_build_object('floor', login AND orla.password_costs_differ()));
END
$$;
REVOKE ALL ON FUNCTION orla.do_sign_in(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_sign_in(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_sign_in(jsonb) IS
    'The work of orla_api.login() and verify_email(), to be handed to orla.finish_sign_in().';

CREATE FUNCTION orla.do_sign_in_compared(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    matches boolean := (args #>> '{response,answer}')::boolean;
BEGIN
    RETURN orla.sign_in_answer(args -> 'state',
               CASE WHEN args #>> '{state,by}' = 'login' THEN orla.login_compared(args -> 'state', matches)
                    ELSE orla.verify_email(args -> 'state', matches) END);
END
$$;
REVOKE ALL ON FUNCTION orla.do_sign_in_compared(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_sign_in_compared(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_sign_in_compared(jsonb) IS
    'orla.do_sign_in(), with the password compared.';

CREATE FUNCTION orla.do_sign_in_hashed(args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.sign_in_answer(args -> 'state', orla.login(args -> 'state', args #>> '{response,answer}'));
END
$$;
REVOKE ALL ON FUNCTION orla.do_sign_in_hashed(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.do_sign_in_hashed(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.do_sign_in_hashed(jsonb) IS
    'orla.do_sign_in(), with the hash anew.';

-- Waits here and not in the process that does the work: that one has locks and a
-- place that others wait for.
CREATE FUNCTION orla.finish_sign_in(result jsonb, began timestamptz)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    refused jsonb := result -> 'refusal';
    secure  text := CASE WHEN current_setting('orla.public_url') LIKE 'https://%' THEN '; Secure' ELSE '' END;
BEGIN
    IF (result -> 'floor')::boolean THEN
        PERFORM orla.wait_until(began + current_setting('orla.sign_in_floor')::interval);
    END IF;
    IF refused IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = refused ->> 'sqlstate', MESSAGE = refused ->> 'message';
    END IF;
    -- the device is known from now on: an HTTP layer sets the cookie
    PERFORM set_config('response.headers', jsonb_build_array(jsonb_build_object('Set-Cookie',
                format('orla_device=%s; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax%s', result ->> 'device', secure)))::text, true);
    RETURN result -> 'answer';
END
$$;
REVOKE ALL ON FUNCTION orla.finish_sign_in(jsonb, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.finish_sign_in(jsonb, timestamptz) TO orla_service;
COMMENT ON FUNCTION orla.finish_sign_in(jsonb, timestamptz) IS
    'The caller''s end of a sign-in: not before the floor, the tokens and the device''s cookie, or the refusal.';
