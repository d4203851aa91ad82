-- check_isolation: who is, or can become, somebody for whom there is no fence.
-- A superuser of the cluster is no finding: nothing in a database protects
-- from one.

CREATE FUNCTION orla.findings_roles()
    RETURNS TABLE (object text, problem text, remedy text, automatic boolean)
    LANGUAGE sql STABLE ROWS 5
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH path AS (
        SELECT r.oid, r.rolname, r.rolcanlogin, r.rolsuper,
               t.oid AS via, t.rolname AS via_name,
               concat_ws(', ', CASE WHEN t.rolsuper THEN 'SUPERUSER' END,
                               CASE WHEN t.rolbypassrls THEN 'BYPASSRLS' END,
                               CASE WHEN t.rolcreaterole THEN 'CREATEROLE' END) AS power
          FROM orla.role_paths() p
          JOIN pg_roles r ON r.oid = p.role
          JOIN pg_roles t ON t.oid = p.reaches
    ), ours AS (
        SELECT r.oid, r.rolname FROM pg_roles r
         WHERE r.rolname IN ('orla_anon', 'orla_user', 'orla_analyst', 'orla_gateway',
                             'orla_admin', 'orla_service')
    ), under_fence AS (
        -- Logins that act for tenants or analysts.
        SELECT DISTINCT p.oid, p.rolname FROM path p
         WHERE p.rolcanlogin AND NOT p.rolsuper AND p.via IN (SELECT orla.fenced_roles())
    )
    SELECT format('role %I', p.rolname), format('login has %s', p.power),
           format('ALTER ROLE %I NOBYPASSRLS NOCREATEROLE;', p.rolname), false
      FROM path p
     WHERE p.rolcanlogin AND NOT p.rolsuper AND p.via = p.oid AND p.power <> ''

    UNION ALL
    SELECT format('role %I', p.rolname),
           format('login can become "%s", which has %s', p.via_name, p.power),
           coalesce((SELECT string_agg(format('REVOKE %I FROM %I;', g.rolname, p.rolname), ' ' ORDER BY g.rolname)
                       FROM pg_auth_members m
                       JOIN pg_roles g ON g.oid = m.roleid
                       JOIN orla.role_paths() n ON n.role = m.roleid AND n.reaches = p.via
                      WHERE m.member = p.oid), ''),
           false
      FROM path p
     WHERE p.rolcanlogin AND NOT p.rolsuper AND p.via <> p.oid AND p.power <> ''

    UNION ALL
    SELECT format('role %I', o.rolname),
           format('role of orla has %s',
                  concat_ws(', ', CASE WHEN r.rolcanlogin THEN 'LOGIN' END,
                                  CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
                                  CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
                                  CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
                                  CASE WHEN r.rolreplication THEN 'REPLICATION' END)),
           format('ALTER ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION;', o.rolname),
           false
      FROM ours o JOIN pg_roles r ON r.oid = o.oid
     WHERE r.rolcanlogin OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication

    UNION ALL
    SELECT format('role %I', p.rolname),
           format('role of orla can become "%s"%s', p.via_name,
                  CASE WHEN p.power <> '' THEN ', which has ' || p.power ELSE '' END),
           format('REVOKE %I FROM %I;', p.via_name, p.rolname),
           false
      FROM path p
     WHERE p.oid IN (SELECT oid FROM ours) AND p.via <> p.oid
       AND (p.power <> '' OR p.via IN (SELECT oid FROM ours)
            OR p.via_name LIKE 'pg\_%')

    UNION ALL
    SELECT format('role %I', r.rolname), 'role is a member of orla_service, which has none',
           format('REVOKE orla_service FROM %I;', r.rolname), false
      FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
     WHERE m.roleid = (SELECT oid FROM ours WHERE rolname = 'orla_service')

    UNION ALL
    -- A gateway's word for the tenant is taken in all of its sessions, also
    -- where a tenant's request is at work.
    SELECT format('role %I', u.rolname),
           'login is a gateway and serves requests as orla_anon or orla_user, too',
           format('REVOKE orla_gateway FROM %I;', u.rolname), false
      FROM under_fence u
     WHERE EXISTS (SELECT FROM path p WHERE p.oid = u.oid AND p.via = 'orla_gateway'::regrole)
       AND EXISTS (SELECT FROM path p WHERE p.oid = u.oid AND p.via IN ('orla_anon'::regrole, 'orla_user'::regrole))

    UNION ALL
    SELECT format('role %I', u.rolname),
           format('login acts for tenants or analysts and can become "%s"', p.via_name),
           format('REVOKE %I FROM %I;', p.via_name, u.rolname), false
      FROM under_fence u JOIN path p ON p.oid = u.oid
     WHERE p.via_name IN ('pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files',
                          'pg_write_server_files', 'pg_execute_server_program',
                          'pg_read_all_stats', 'pg_monitor', 'pg_maintain',
                          'pg_create_subscription', 'orla_admin')

    UNION ALL
    SELECT format('role %I', u.rolname), 'login acts for tenants or analysts and has REPLICATION',
           format('ALTER ROLE %I NOREPLICATION;', u.rolname), false
      FROM under_fence u JOIN pg_roles r ON r.oid = u.oid
     WHERE r.rolreplication

    UNION ALL
    -- Whoever makes a login of that name next would read the tenant.
    SELECT format('role %I', g.analyst),
           CASE WHEN r.oid IS NULL THEN 'has grants of tenants and does not exist'
                ELSE 'has grants of tenants and is not an analyst' END,
           format('SELECT orla.revoke_tenant(analyst, user_id) FROM orla.tenant_grants WHERE analyst = %L;', g.analyst),
           false
      FROM (SELECT DISTINCT t.analyst FROM orla.tenant_grants t) g
      LEFT JOIN pg_roles r ON r.rolname = g.analyst
     WHERE r.oid IS NULL OR NOT pg_has_role(r.oid, 'orla_analyst', 'MEMBER')
$$;
REVOKE ALL ON FUNCTION orla.findings_roles() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.findings_roles() TO orla_admin;
COMMENT ON FUNCTION orla.findings_roles() IS
    'For orla.check_isolation(): logins, memberships and grants to analysts.';
