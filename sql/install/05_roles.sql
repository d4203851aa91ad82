-- The roles.  They belong to the cluster, not to the extension: another
-- database may have made them, and DROP EXTENSION leaves them alone.  One that
-- exists is taken only if it is as harmless as one made here.
DO $$
DECLARE
    r record;
    found text;
BEGIN
    FOR r IN
        SELECT * FROM (VALUES
            ('orla_anon', 'a request without a token'),
            ('orla_user', 'a signed-in tenant'),
            ('orla_analyst', 'people with their own login, reading the tenants granted to them'),
            ('orla_gateway', 'an HTTP layer that authenticates people itself and is trusted to name the tenant'),
            ('orla_admin', 'operators of orla'),
            ('orla_service', 'owner of orla''s tables and definer functions; has no members, cannot log in')
        ) AS v (name, purpose)
    LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = r.name) THEN
            CONTINUE;
        END IF;
        EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION',
                       r.name);
        EXECUTE format('COMMENT ON ROLE %I IS %L', r.name, 'orla: ' || r.purpose);
    END LOOP;

    -- What a role is itself, and what it could become by SET ROLE.
    WITH RECURSIVE reach (role, via) AS (
        SELECT oid, oid FROM pg_roles
         WHERE rolname IN ('orla_anon', 'orla_user', 'orla_analyst',
                           'orla_gateway', 'orla_admin', 'orla_service')
        UNION
        SELECT reach.role, m.roleid
          FROM reach JOIN pg_auth_members m ON m.member = reach.via
    )
    SELECT format('Role "%s" %s %s.', o.rolname,
                  CASE WHEN reach.role = reach.via THEN 'has'
                       ELSE format('is a member of "%s", which has', p.rolname) END,
                  concat_ws(', ',
                            CASE WHEN p.rolsuper THEN 'SUPERUSER' END,
                            CASE WHEN p.rolbypassrls THEN 'BYPASSRLS' END,
                            CASE WHEN p.rolcreaterole THEN 'CREATEROLE' END,
                            CASE WHEN p.rolreplication THEN 'REPLICATION' END,
                            CASE WHEN p.rolcanlogin THEN 'LOGIN' END))
      INTO found
      FROM reach
      JOIN pg_roles o ON o.oid = reach.role
      JOIN pg_roles p ON p.oid = reach.via
     WHERE p.rolsuper OR p.rolbypassrls OR p.rolcreaterole OR p.rolreplication
        OR (p.rolcanlogin AND reach.role = reach.via)
     ORDER BY o.rolname, p.rolname
     LIMIT 1;
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'a role that orla needs exists and is not safe to use'
            USING ERRCODE = 'invalid_role_specification',
                  DETAIL = found,
                  HINT = 'Take the attribute or the membership away with ALTER ROLE or REVOKE, or rename the role.';
    END IF;

    SELECT string_agg(format('"%s"', p.rolname), ', ' ORDER BY p.rolname)
      INTO found
      FROM pg_auth_members m
      JOIN pg_roles p ON p.oid = m.member
     WHERE m.roleid = 'orla_service'::regrole;
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'role "orla_service" must not have members'
            USING ERRCODE = 'invalid_role_specification',
                  DETAIL = format('Members are: %s.', found),
                  HINT = 'Use REVOKE orla_service FROM each of them.';
    END IF;
END
$$;
