-- check_isolation: tables, their policies, and what runs inside them.

-- The policies of orla's own tables that have no plain fence, in the form of
-- orla.fence().  90_verify.sql holds the tables to it; afterwards this is how
-- a policy that somebody changed or added is told from ours.
CREATE FUNCTION orla.custody_policies()
    RETURNS TABLE (target regclass, policy name, permissive boolean, command text, roles text,
                   using_expression text, check_expression text)
    LANGUAGE sql STABLE ROWS 40
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH access (table_name, admin, tenant_column, tenants) AS (VALUES
        ('instance',                  true,  NULL,      NULL),
        ('users',                     true,  'id',      'orla_user'),
        ('tenant_keys',               false, NULL,      NULL),
        ('pending_registrations',     false, NULL,      NULL),
        ('sessions',                  true,  NULL,      NULL),
        ('refresh_tokens',            false, NULL,      NULL),
        ('sign_in_attempts',          false, NULL,      NULL),
        ('outbox',                    true,  NULL,      NULL),
        ('mail_server',               true,  NULL,      NULL),
        ('audit_log',                 true,  'user_id', 'orla_gateway, orla_user'),
        ('audit_batches',             true,  NULL,      NULL),
        ('audit_batch_rows',          true,  NULL,      NULL),
        ('providers',                 true,  NULL,      NULL),
        ('models',                    true,  NULL,      NULL),
        ('oauth_states',              false, NULL,      NULL),
        ('revocations',               true,  NULL,      NULL),
        ('user_cloud_storage_tokens', false, 'user_id', 'orla_gateway, orla_user'),
        ('jobs',                      false, 'user_id', 'orla_gateway, orla_user'),
        ('tenant_grants',             true,  NULL,      NULL))
    SELECT c.oid::regclass, p.policy::name, p.permissive, p.command, p.roles,
           p.using_expression, p.check_expression
      FROM access t
      JOIN pg_class c ON c.relname = t.table_name AND c.relnamespace = 'orla'::regnamespace
     CROSS JOIN LATERAL (VALUES
        (true, t.table_name || '_service', true, 'ALL', 'orla_service', 'true', 'true'),
        (t.admin, t.table_name || '_admin', true, 'SELECT', 'orla_admin', 'true', NULL),
        (t.tenants IS NOT NULL, t.table_name || '_tenant', true, 'SELECT', t.tenants,
         '(' || quote_ident(t.tenant_column) || ' = orla.current_tenant())', NULL),
        (t.tenants IS NOT NULL, t.table_name || '_tenant_only', false, 'ALL', t.tenants,
         '(' || quote_ident(t.tenant_column) || ' = orla.current_tenant())',
         '(' || quote_ident(t.tenant_column) || ' = orla.current_tenant())')
     ) AS p (wanted, policy, permissive, command, roles, using_expression, check_expression)
     WHERE p.wanted
$$;
REVOKE ALL ON FUNCTION orla.custody_policies() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.custody_policies() TO orla_admin;
COMMENT ON FUNCTION orla.custody_policies() IS
    'The policies of the tables that sign-in and custody use, one line per table.';

-- What each fenced table should have against what it has.
CREATE FUNCTION orla.policy_differences()
    RETURNS TABLE (object text, problem text, remedy text)
    LANGUAGE sql STABLE ROWS 2
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH guarded AS (
        SELECT DISTINCT target FROM orla.custody_policies()
        UNION
        SELECT c.oid::regclass FROM pg_class c
         WHERE c.relnamespace = 'orla'::regnamespace AND c.relkind IN ('r', 'p')
        UNION
        SELECT f.target FROM orla.fenced_tables() f
    ), expected AS (
        SELECT * FROM orla.custody_policies()
        UNION ALL
        -- A content table of ours that has lost its fence is still expected to have one.
        SELECT g.target, f.*
          FROM guarded g
          LEFT JOIN orla.fenced_tables() t ON t.target = g.target
          JOIN pg_class c ON c.oid = g.target
         CROSS JOIN LATERAL orla.fence(g.target, coalesce(t.tenant_column, 'user_id')) f
         WHERE g.target NOT IN (SELECT target FROM orla.custody_policies())
    ), actual AS (
        SELECT g.target, p.* FROM guarded g CROSS JOIN LATERAL orla.policies_of(g.target) p
    )
    SELECT coalesce(e.target, a.target)::text,
           CASE WHEN e.policy IS NULL THEN format('policy "%s" is not orla''s', a.policy)
                WHEN a.policy IS NULL THEN format('policy "%s" is missing', e.policy)
                ELSE format('policy "%s" was changed', a.policy) END,
           concat_ws('; ',
               CASE WHEN a.policy IS NOT NULL THEN format('DROP POLICY %I ON %s', a.policy, a.target) END,
               CASE WHEN e.policy IS NOT NULL THEN
                   orla.policy_command(e.target, e.policy, e.permissive, e.command, e.roles,
                                       e.using_expression, e.check_expression) END) || ';'
      FROM expected e FULL JOIN actual a ON a.target = e.target AND a.policy = e.policy
     WHERE (e.permissive, e.command, e.roles, e.using_expression, e.check_expression)
           IS DISTINCT FROM
           (a.permissive, a.command, a.roles, a.using_expression, a.check_expression)
$$;
REVOKE ALL ON FUNCTION orla.policy_differences() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.policy_differences() TO orla_admin;
COMMENT ON FUNCTION orla.policy_differences() IS
    'Policies on fenced tables that are missing, were changed, or are not ours.';

CREATE FUNCTION orla.findings_fences()
    RETURNS TABLE (object text, problem text, remedy text, automatic boolean)
    LANGUAGE sql STABLE ROWS 5
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE fenced AS (
        SELECT target, tenant_column FROM orla.fenced_tables()
    ), uuids (type) AS (
        -- and its domains, on which no fence can stand
        SELECT 'uuid'::regtype::oid
        UNION
        SELECT t.oid FROM pg_type t JOIN uuids u ON t.typbasetype = u.type
    ), guarded AS (
        SELECT target FROM fenced
        UNION
        SELECT c.oid::regclass FROM pg_class c
         WHERE c.relnamespace = 'orla'::regnamespace AND c.relkind IN ('r', 'p')
    ), tenanted AS (
        -- Named like a tenant, or pointing to one; of orla's own tables the
        -- policies are compared instead.
        SELECT DISTINCT ON (c.oid) c.oid::regclass AS target, a.attname AS tenant_column,
               a.atttypid <> 'uuid'::regtype AS is_domain
          FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
           AND n.nspname NOT IN ('orla', 'information_schema') AND n.nspname !~ '^pg_'
           AND a.atttypid IN (SELECT type FROM uuids)
           AND (a.attname = 'user_id'
                OR EXISTS (SELECT FROM pg_constraint k
                            WHERE k.conrelid = c.oid AND k.contype = 'f'
                              AND k.confrelid = 'orla.users'::regclass
                              AND k.conkey = ARRAY[a.attnum]))
         ORDER BY c.oid, a.attname <> 'user_id', a.attnum
    )
    SELECT t.target::text,
           format('table has the tenant column "%s" and no fence', t.tenant_column),
           CASE WHEN t.is_domain THEN format('ALTER TABLE %s ALTER COLUMN %I TYPE uuid; ', orla.root_of(t.target), t.tenant_column) ELSE '' END ||
           format('SELECT orla.protect(%L, %L);', orla.root_of(t.target)::text, t.tenant_column),
           false
      FROM tenanted t
     WHERE t.target NOT IN (SELECT target FROM fenced)

    UNION ALL
    -- a partition or child beside the fence
    SELECT member::text,
           format('table is part of %s and has no fence of its own', f.target),
           format('SELECT orla.protect(%L, %L);', orla.root_of(f.target)::text, f.tenant_column),
           false
      FROM fenced f
     CROSS JOIN LATERAL orla.family(f.target) AS member
      JOIN pg_class c ON c.oid = member
     WHERE member NOT IN (SELECT target FROM fenced)
       AND member NOT IN (SELECT target FROM tenanted)
       AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = member AND i.inhparent IN (SELECT target FROM fenced))

    UNION ALL
    SELECT g.target::text, 'row security is off',
           format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', g.target), false
      FROM guarded g JOIN pg_class c ON c.oid = g.target
     WHERE NOT c.relrowsecurity

    UNION ALL
    SELECT g.target::text, 'row security does not bind the owner',
           format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', g.target), false
      FROM guarded g JOIN pg_class c ON c.oid = g.target
     WHERE NOT c.relforcerowsecurity

    UNION ALL
    SELECT d.object, d.problem, d.remedy, false FROM orla.policy_differences() d

    UNION ALL
    -- TRUNCATE knows no policies; REFERENCES and TRIGGER act inside them.
    SELECT g.target::text,
           format('%s is granted to %s', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type),
                  orla.grantee(a.grantee)),
           format('REVOKE %s ON TABLE %s FROM %s;',
                  string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), g.target, orla.grantee(a.grantee)),
           false
      FROM guarded g
      JOIN pg_class c ON c.oid = g.target
     CROSS JOIN LATERAL aclexplode(c.relacl) a
     WHERE a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')
       AND a.grantee <> c.relowner
     GROUP BY g.target, a.grantee

    UNION ALL
    -- The owner of a table can take its fence down.
    SELECT g.target::text,
           format('table belongs to "%s", which acts for tenants or analysts', r.rolname),
           format('ALTER TABLE %s OWNER TO orla_service;', g.target),
           false
      FROM guarded g
      JOIN pg_class c ON c.oid = g.target
      JOIN pg_roles r ON r.oid = c.relowner
     WHERE NOT r.rolsuper
       AND EXISTS (SELECT FROM orla.role_paths() p
                    WHERE (p.role = r.oid AND p.reaches IN (SELECT orla.fenced_roles()))
                       OR (p.reaches = r.oid AND p.role IN (SELECT orla.fenced_roles())))

    UNION ALL
    -- So can a login that is both: SET ROLE is a step.
    SELECT g.target::text,
           format('login "%s" acts for tenants or analysts and can become "%s", which owns the table', l.rolname, r.rolname),
           format('REVOKE %I FROM %I;', r.rolname, l.rolname),
           false
      FROM guarded g
      JOIN pg_class c ON c.oid = g.target
      JOIN pg_roles r ON r.oid = c.relowner AND NOT r.rolsuper
      JOIN orla.role_paths() b ON b.reaches = r.oid AND b.role <> r.oid
      JOIN pg_roles l ON l.oid = b.role AND l.rolcanlogin AND NOT l.rolsuper
     WHERE EXISTS (SELECT FROM orla.role_paths() p WHERE p.role = l.oid AND p.reaches IN (SELECT orla.fenced_roles()))
       AND NOT EXISTS (SELECT FROM orla.role_paths() p
                        WHERE (p.role = r.oid AND p.reaches IN (SELECT orla.fenced_roles()))
                           OR (p.reaches = r.oid AND p.role IN (SELECT orla.fenced_roles())))

    UNION ALL
    -- A plain key lets one tenant's DELETE reach another's rows, and confirms ids.
    SELECT k.conrelid::regclass::text,
           format('foreign key "%s" does not carry the tenant', k.conname),
           format('ALTER TABLE %s DROP CONSTRAINT %I; -- and make it anew with %I in front',
                  k.conrelid::regclass, k.conname, f.tenant_column),
           false
      FROM pg_constraint k
      JOIN fenced f ON f.target = k.conrelid
      JOIN fenced t ON t.target = k.confrelid
      JOIN pg_attribute a ON a.attrelid = f.target AND a.attname = f.tenant_column
      JOIN pg_attribute b ON b.attrelid = t.target AND b.attname = t.tenant_column
     WHERE k.contype = 'f' AND k.conparentid = 0
       AND NOT EXISTS (SELECT FROM generate_subscripts(k.conkey, 1) AS i
                        WHERE k.conkey[i] = a.attnum AND k.confkey[i] = b.attnum)

    UNION ALL
    -- Inside a cascade a BEFORE trigger runs as the table's owner, fence down.
    -- Whether it reads a table is guessed from its text; a language that is
    -- neither SQL's nor the server's own cannot be read at all.
    SELECT g.target::text,
           format('trigger "%s" may read tables inside a cascade, where the fence is down', t.tgname),
           format('DROP TRIGGER %I ON %s;', t.tgname, g.target),
           false
      FROM guarded g
      JOIN pg_trigger t ON t.tgrelid = g.target AND NOT t.tgisinternal AND t.tgenabled <> 'D'
      JOIN pg_proc p ON p.oid = t.tgfoid
      JOIN pg_language l ON l.oid = p.prolang
     WHERE (t.tgtype & 2) <> 0                   -- BEFORE
       AND (t.tgtype & (8 | 16)) <> 0            -- DELETE or UPDATE
       AND l.lanname NOT IN ('c', 'internal')
       AND (l.lanname <> 'plpgsql'
            OR regexp_replace(p.prosrc, '--[^\n]*|''[^'']*''', '', 'g')
               ~* '\m(select|table|insert|update|delete|merge|perform|execute|call)\M')
       AND EXISTS (SELECT FROM pg_constraint k
                    WHERE k.conrelid = g.target AND k.contype = 'f'
                      AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd')))

    UNION ALL
    SELECT g.target::text,
           format('trigger "%s" runs as "%s", which is exempt from row security', t.tgname, r.rolname),
           format('ALTER FUNCTION %s SECURITY INVOKER;', p.oid::regprocedure),
           false
      FROM guarded g
      JOIN pg_trigger t ON t.tgrelid = g.target AND NOT t.tgisinternal AND t.tgenabled <> 'D'
      JOIN pg_proc p ON p.oid = t.tgfoid AND p.prosecdef
      JOIN pg_roles r ON r.oid = p.proowner AND (r.rolsuper OR r.rolbypassrls)

    UNION ALL
    -- The deletion of an account ends in it, and is refused (src/triggers.c).
    SELECT g.target::text,
           format('trigger "%s" would run as orla_service where a key deletes or changes rows, which is refused', t.tgname),
           format('ALTER FUNCTION %s OWNER TO %I;', p.oid::regprocedure, (SELECT rolname FROM pg_roles WHERE oid = 10)),
           false
      FROM guarded g
      JOIN pg_trigger t ON t.tgrelid = g.target AND NOT t.tgisinternal AND t.tgenabled <> 'D'
      JOIN pg_proc p ON p.oid = t.tgfoid AND NOT p.prosecdef
      JOIN pg_roles r ON r.oid = p.proowner AND NOT r.rolsuper
     WHERE current_setting('server_version_num')::int < 180000
       AND (t.tgtype & 2) = 0                    -- AFTER
       AND (t.tgtype & (8 | 16)) <> 0            -- DELETE or UPDATE
       AND EXISTS (SELECT FROM pg_constraint k
                    WHERE k.conrelid = g.target AND k.contype = 'f'
                      AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd')))

    UNION ALL
    SELECT g.target::text,
           format('rule "%s" acts with the rights of the table''s owner', w.rulename),
           format('DROP RULE %I ON %s;', w.rulename, g.target),
           false
      FROM guarded g
      JOIN pg_rewrite w ON w.ev_class = g.target AND w.ev_type <> '1'
$$;
REVOKE ALL ON FUNCTION orla.findings_fences() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.findings_fences() TO orla_admin;
COMMENT ON FUNCTION orla.findings_fences() IS
    'For orla.check_isolation(): tables, policies, keys, triggers and rules.';

CREATE FUNCTION orla.root_of(target regclass)
    RETURNS regclass
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN c.relispartition THEN pg_partition_root(target) ELSE target END
      FROM pg_class c WHERE c.oid = target
$$;
REVOKE ALL ON FUNCTION orla.root_of(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.root_of(regclass) TO orla_admin;
COMMENT ON FUNCTION orla.root_of(regclass) IS
    'The table that a partition is a part of, else the table itself.';

CREATE FUNCTION orla.grantee(role oid)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN role = 0 THEN 'PUBLIC' ELSE role::regrole::text END
$$;
REVOKE ALL ON FUNCTION orla.grantee(oid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.grantee(oid) TO orla_admin;
COMMENT ON FUNCTION orla.grantee(oid) IS
    'A role as GRANT and REVOKE name it.';
