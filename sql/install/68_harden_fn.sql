-- The operator's calls after CREATE EXTENSION.

-- SECURITY INVOKER: what it does, its caller could do by hand.
CREATE FUNCTION orla.harden()
    RETURNS TABLE (object text, problem text, remedy text)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    command text;
BEGIN
    IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION 'permission denied to harden the database'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Ask a superuser: the settings and grants at hand belong to the server.';
    END IF;

    PERFORM orla.ensure_instance();

    FOR command IN
        SELECT f.remedy
          FROM (SELECT * FROM orla.findings_server()
                UNION ALL SELECT * FROM orla.findings_roles()
                UNION ALL SELECT * FROM orla.findings_fences()
                UNION ALL SELECT * FROM orla.findings_objects()) AS f
         WHERE f.automatic
    LOOP
        EXECUTE command;
    END LOOP;

    RETURN QUERY SELECT * FROM orla.check_isolation();
END
$$;
REVOKE ALL ON FUNCTION orla.harden() FROM PUBLIC;
COMMENT ON FUNCTION orla.harden() IS
    'Makes keys and identity, and applies every remedy that harms nobody else; returns what is left of orla.check_isolation(). For a superuser.

Loads the library with each session of the database, takes TEMP, CREATE and large objects from tenants'' roles, closes dblink and statement texts. Again at any time.

Errors: 42501.';

-- SECURITY INVOKER.  NOINHERIT, so that the login has no rights of its own
-- between requests; what it calls as itself is granted to it by name: the
-- configuration that PostgREST reads when it starts, and the proof of a token
-- for layers that call it before they change the role.
CREATE FUNCTION orla.allow_http_login(login name)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    who  pg_roles;
    path text;
    door name;
BEGIN
    IF login IS NULL THEN
        RAISE EXCEPTION 'no login was named'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT * INTO who FROM pg_roles r WHERE r.rolname = login;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'role "%" does not exist', login
            USING ERRCODE = 'undefined_object',
                  HINT = format('Use CREATE ROLE %I LOGIN NOINHERIT first.', login);
    END IF;
    IF NOT who.rolcanlogin THEN
        RAISE EXCEPTION 'role "%" cannot log in', login
            USING ERRCODE = 'invalid_role_specification',
                  HINT = format('Use ALTER ROLE %I LOGIN first.', login);
    END IF;
    SELECT format('Role "%s" has %s.', t.rolname,
                  concat_ws(', ', CASE WHEN t.rolsuper THEN 'SUPERUSER' END,
                                  CASE WHEN t.rolbypassrls THEN 'BYPASSRLS' END,
                                  CASE WHEN t.rolcreaterole THEN 'CREATEROLE' END,
                                  CASE WHEN t.rolreplication THEN 'REPLICATION' END))
      INTO path
      FROM orla.role_paths() p JOIN pg_roles t ON t.oid = p.reaches
     WHERE p.role = who.oid
       AND (t.rolsuper OR t.rolbypassrls OR t.rolcreaterole OR t.rolreplication)
     ORDER BY t.rolname
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'role "%" has, or can come by, more rights than an HTTP layer may have', login
            USING ERRCODE = 'invalid_role_specification',
                  DETAIL = path,
                  HINT = 'Use a login of its own, without special rights, for the HTTP layer.';
    END IF;
    IF pg_has_role(who.oid, 'orla_gateway', 'MEMBER') THEN
        RAISE EXCEPTION 'role "%" is a gateway', login
            USING ERRCODE = 'invalid_role_specification',
                  DETAIL = 'A gateway''s word for the tenant is taken in all of its sessions.',
                  HINT = 'Use two logins.';
    END IF;

    EXECUTE format('ALTER ROLE %I NOINHERIT', login);
    FOREACH door IN ARRAY '{orla_anon,orla_user}'::name[] LOOP
        IF NOT EXISTS (SELECT FROM pg_auth_members m
                        WHERE m.member = who.oid AND m.roleid = door::regrole) THEN
            EXECUTE format('GRANT %I TO %I', door, login);
        END IF;
    END LOOP;
    IF NOT has_database_privilege(who.oid, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), login);
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA orla TO %I', login);
    EXECUTE format('GRANT EXECUTE ON FUNCTION orla.postgrest_config(), orla.authenticate(text), '
                   'orla.pre_request() TO %I', login);
END
$$;
REVOKE ALL ON FUNCTION orla.allow_http_login(name) FROM PUBLIC;
COMMENT ON FUNCTION orla.allow_http_login(name) IS
    'Gives the login of an HTTP layer what it needs, and nothing of its own. For a superuser.

It may change to orla_anon and orla_user (NOINHERIT, so nothing of its own), connect, read PostgREST''s configuration, and prove tokens.

Errors: 42704, 0P000, 22004.';
