-- check_isolation: what stands beside the tables and shows their rows, or lets
-- a tenant leave something behind for the next.

CREATE FUNCTION orla.findings_objects()
    RETURNS TABLE (object text, problem text, remedy text, automatic boolean)
    LANGUAGE sql STABLE ROWS 5
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE guarded AS (
        SELECT f.target::oid AS target FROM orla.fenced_tables() f
        UNION
        SELECT c.oid FROM pg_class c
         WHERE c.relnamespace = 'orla'::regnamespace AND c.relkind IN ('r', 'p')
    ), uses (viewed, target) AS (
        SELECT w.ev_class, d.refobjid
          FROM pg_rewrite w
          JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                          AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
         WHERE w.ev_type = '1'
    ), shows (viewed) AS (
        SELECT u.viewed FROM uses u WHERE u.target IN (SELECT target FROM guarded)
        UNION
        SELECT u.viewed FROM uses u JOIN shows s ON u.target = s.viewed
    ), fenced_role AS (
        SELECT r.role, r.role::text AS name FROM orla.fenced_roles() AS r (role)
    )
    SELECT c.oid::regclass::text,
           'view reads with the rights of its owner',
           format('ALTER VIEW %s SET (security_invoker = true);', c.oid::regclass),
           false
      FROM pg_class c
     WHERE c.relkind = 'v'
       AND (c.relnamespace = 'orla_api'::regnamespace
            OR c.oid IN (SELECT u.viewed FROM uses u WHERE u.target IN (SELECT target FROM guarded)))
       AND NOT coalesce((SELECT o.option_value::boolean FROM pg_options_to_table(c.reloptions) o
                          WHERE o.option_name = 'security_invoker'), false)

    UNION ALL
    SELECT c.oid::regclass::text,
           'materialized view holds rows of fenced tables and has no fence',
           format('DROP MATERIALIZED VIEW %s;', c.oid::regclass),
           false
      FROM pg_class c
     WHERE c.relkind = 'm' AND c.oid IN (SELECT viewed FROM shows)

    UNION ALL
    -- Of an operator's functions each is one that PUBLIC may call, unless that
    -- was taken away.
    SELECT p.oid::regprocedure::text,
           format('function runs as "%s", which %s, and %s may call it', o.rolname,
                  CASE WHEN o.rolsuper OR o.rolbypassrls THEN 'is exempt from row security' ELSE 'sees all accounts' END,
                  string_agg(r.name, ', ' ORDER BY r.name)),
           format('REVOKE EXECUTE ON %s %s FROM PUBLIC, %s;',
                  CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
                  p.oid::regprocedure, string_agg(r.name, ', ' ORDER BY r.name)),
           false
      FROM pg_proc p
      JOIN pg_roles o ON o.oid = p.proowner
     CROSS JOIN fenced_role r
     WHERE p.prosecdef
       AND (o.rolsuper OR o.rolbypassrls
            OR p.pronamespace NOT IN ('orla'::regnamespace, 'orla_api'::regnamespace)
               AND EXISTS (SELECT FROM orla.role_paths() a
                            WHERE a.role = o.oid AND a.reaches = 'orla_admin'::regrole))
       AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
       AND has_function_privilege(r.role, p.oid, 'EXECUTE')
       AND has_schema_privilege(r.role, p.pronamespace, 'USAGE')
     GROUP BY p.oid, p.prokind, o.rolname, o.rolsuper, o.rolbypassrls

    UNION ALL
    -- The owner of a database may put what PostgreSQL trusts into any schema: where
    -- the HTTP layer looks for functions, or before the server's own operators.
    SELECT format('extension %I', e.extname),
           format('was put into schema %I by "%s", who may not create anything there', n.nspname, r.rolname),
           format('ALTER EXTENSION %I SET SCHEMA public;', e.extname),
           false
      FROM pg_extension e
      JOIN pg_namespace n ON n.oid = e.extnamespace AND n.nspname IN ('orla', 'orla_api', 'pg_catalog')
      JOIN pg_roles r ON r.oid = e.extowner AND NOT r.rolsuper
     WHERE e.extrelocatable                      -- else the schema is the extension's own choice

    UNION ALL
    -- A connection back into the server has a login, and a tenant, of its own.
    SELECT 'extension dblink',
           'tenants may connect to any server, as any login',
           format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, %s;',
                  string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text),
                  (SELECT string_agg(name, ', ' ORDER BY name) FROM fenced_role)),
           true
      FROM pg_extension e
      JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                      AND d.classid = 'pg_proc'::regclass
      JOIN pg_proc p ON p.oid = d.objid
     WHERE e.extname = 'dblink'
       AND p.proname IN ('dblink', 'dblink_exec', 'dblink_connect', 'dblink_connect_u')
       AND EXISTS (SELECT FROM fenced_role r WHERE has_function_privilege(r.role, p.oid, 'EXECUTE'))
    HAVING count(*) > 0

    UNION ALL
    SELECT format('server %I', s.srvname),
           format('%s may use this foreign server', r.name),
           format('REVOKE USAGE ON FOREIGN SERVER %I FROM PUBLIC, %s;', s.srvname, r.name),
           false
      FROM pg_foreign_server s CROSS JOIN fenced_role r
     WHERE has_server_privilege(r.role, s.oid, 'USAGE')

    UNION ALL
    SELECT c.oid::regclass::text,
           format('%s may read this foreign table, which can have no fence', r.name),
           format('REVOKE ALL ON TABLE %s FROM PUBLIC, %s;', c.oid::regclass, r.name),
           false
      FROM pg_class c CROSS JOIN fenced_role r
     WHERE c.relkind = 'f' AND has_table_privilege(r.role, c.oid, 'SELECT')

    UNION ALL
    -- Statements of all tenants stand under one role, and utility statements
    -- keep their literals.
    SELECT c.oid::regclass::text,
           'texts of statements can be read by tenants',
           format('REVOKE SELECT ON TABLE %s FROM PUBLIC, %s;', c.oid::regclass,
                  (SELECT string_agg(name, ', ' ORDER BY name) FROM fenced_role)),
           true
      FROM pg_class c
     WHERE c.relkind = 'v' AND c.relname IN ('pg_stat_statements', 'pg_stat_monitor')
       AND EXISTS (SELECT FROM fenced_role r WHERE has_table_privilege(r.role, c.oid, 'SELECT'))

    UNION ALL
    SELECT p.oid::regprocedure::text,
           'texts of statements can be read by tenants',
           format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, %s;', p.oid::regprocedure,
                  (SELECT string_agg(name, ', ' ORDER BY name) FROM fenced_role)),
           true
      FROM pg_proc p
     WHERE p.proname IN ('pg_stat_statements', 'pg_stat_monitor') AND p.proretset
       AND EXISTS (SELECT FROM fenced_role r WHERE has_function_privilege(r.role, p.oid, 'EXECUTE'))

    UNION ALL
    -- They count rows that a scan has read and the fence has taken out again:
    -- by an index on a unique column, whether somebody else has a value.
    SELECT 'functions pg_stat_get_xact_*',
           'tenants may see how many rows of others a statement of theirs has read',
           format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, %s;',
                  string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text),
                  (SELECT string_agg(name, ', ' ORDER BY name) FROM fenced_role)),
           true
      FROM pg_proc p
     WHERE p.pronamespace = 'pg_catalog'::regnamespace
       AND p.proname ~ '^pg_stat_get_xact_(numscans|tuples_returned|tuples_fetched|blocks_fetched|blocks_hit)$'
       AND EXISTS (SELECT FROM fenced_role r WHERE has_function_privilege(r.role, p.oid, 'EXECUTE'))
    HAVING count(*) > 0

    UNION ALL
    -- To the row and the byte, what the process did that worked for somebody:
    -- a request for a link writes more where there is an account to write to.
    -- Who monitors keeps them.
    SELECT 'functions that count reads and writes of all',
           'tenants may see by them whether an address has an account',
           format('REVOKE EXECUTE ON FUNCTION %1$s FROM PUBLIC, %2$s; GRANT EXECUTE ON FUNCTION %1$s TO pg_read_all_stats;',
                  string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text),
                  (SELECT string_agg(name, ', ' ORDER BY name) FROM fenced_role)),
           true
      FROM pg_proc p
     WHERE p.pronamespace = 'pg_catalog'::regnamespace
       AND (p.proname ~ '^pg_stat_get_(db_)?(numscans|tuples_[a-z_]+|(live|dead)_tuples|mod_since_analyze|ins_since_vacuum|blocks_[a-z]+)$'
            OR p.proname ~ '^pg_stat_get_(wal|io|slru|replication_slot|(xact_)?function_[a-z_]+)$'
            OR p.proname ~ '^pg_(current|last)_wal_[a-z_]*lsn$'
            OR p.proname IN ('pg_logical_emit_message', 'pg_get_replication_slots'))
       AND EXISTS (SELECT FROM fenced_role r WHERE has_function_privilege(r.role, p.oid, 'EXECUTE'))
    HAVING count(*) > 0

    UNION ALL
    -- Large objects belong to roles, and tenants share one.
    SELECT p.oid::regprocedure::text,
           'tenants may create large objects, which know no tenant',
           format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, %s;', p.oid::regprocedure,
                  (SELECT string_agg(name, ', ' ORDER BY name) FROM fenced_role)),
           true
      FROM pg_proc p
     WHERE p.pronamespace = 'pg_catalog'::regnamespace
       AND p.proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import')
       AND EXISTS (SELECT FROM fenced_role r WHERE has_function_privilege(r.role, p.oid, 'EXECUTE'))

    UNION ALL
    SELECT format('schema %I', n.nspname),
           format('%s may create objects here', string_agg(r.name, ', ' ORDER BY r.name)),
           format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, %s;', n.nspname,
                  string_agg(r.name, ', ' ORDER BY r.name)),
           true
      FROM pg_namespace n CROSS JOIN fenced_role r
     WHERE n.nspname !~ '^pg_(toast_)?temp_'
       AND has_schema_privilege(r.role, n.oid, 'CREATE')
     GROUP BY n.nspname

    UNION ALL
    -- Compared with what the install script granted.
    SELECT c.oid::regclass::text,
           format('%s was granted to %s after the install',
                  string_agg(x.privilege, ', ' ORDER BY x.privilege), orla.grantee(x.grantee)),
           format('REVOKE %s ON TABLE %s FROM %s;',
                  string_agg(x.privilege, ', ' ORDER BY x.privilege), c.oid::regclass, orla.grantee(x.grantee)),
           false
      FROM pg_class c
     CROSS JOIN LATERAL (
        SELECT a.grantee, a.privilege_type AS privilege FROM aclexplode(c.relacl) a
        EXCEPT
        SELECT a.grantee, a.privilege_type
          FROM pg_init_privs i CROSS JOIN LATERAL aclexplode(i.initprivs) a
         WHERE i.classoid = 'pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = 0
        UNION ALL
        (SELECT a.grantee, format('%s (%I)', a.privilege_type, t.attname)
           FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) a
          WHERE t.attrelid = c.oid AND t.attnum > 0
         EXCEPT
         SELECT a.grantee, format('%s (%I)', a.privilege_type, t.attname)
           FROM pg_attribute t
           JOIN pg_init_privs i ON i.classoid = 'pg_class'::regclass AND i.objoid = t.attrelid AND i.objsubid = t.attnum
          CROSS JOIN LATERAL aclexplode(i.initprivs) a
          WHERE t.attrelid = c.oid)
     ) x
     WHERE c.relnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
       AND c.relkind IN ('r', 'p', 'v')
       AND (x.grantee = 0
            OR x.grantee IN (SELECT role FROM fenced_role)
            OR x.grantee = 'orla_admin'::regrole)
     GROUP BY c.oid, x.grantee

    UNION ALL
    SELECT p.oid::regprocedure::text,
           format('EXECUTE was granted to %s after the install', orla.grantee(x.grantee)),
           format('REVOKE EXECUTE ON FUNCTION %s FROM %s;', p.oid::regprocedure, orla.grantee(x.grantee)),
           false
      FROM pg_proc p
     CROSS JOIN LATERAL (
        SELECT a.grantee FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        EXCEPT
        (SELECT a.grantee
           FROM pg_init_privs i CROSS JOIN LATERAL aclexplode(i.initprivs) a
          WHERE i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid
         UNION ALL
         -- PUBLIC's by default, see 20_tenant.sql.
         SELECT 0::oid WHERE p.oid = 'orla.current_tenant()'::regprocedure)
     ) x
     WHERE p.pronamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
       AND (x.grantee = 0
            OR x.grantee IN (SELECT role FROM fenced_role)
            OR x.grantee = 'orla_admin'::regrole)
$$;
REVOKE ALL ON FUNCTION orla.findings_objects() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.findings_objects() TO orla_admin;
COMMENT ON FUNCTION orla.findings_objects() IS
    'For orla.check_isolation(): views, functions, foreign servers, statement texts, large objects, later grants.';
