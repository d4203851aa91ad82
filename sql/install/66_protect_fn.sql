-- The fence of the content tables, around any table.

-- What the fence of a table consists of: written down once, created by
-- orla.protect(), compared by orla.check_isolation() and by 90_verify.sql.  The
-- expressions are as pg_get_expr() prints them.
CREATE FUNCTION orla.fence(target regclass, tenant_column name)
    RETURNS TABLE (policy name, permissive boolean, command text, roles text,
                   using_expression text, check_expression text)
    LANGUAGE plpgsql STABLE ROWS 4
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base     text;
    tenant   text := format('(%I = orla.current_tenant())', tenant_column);
    granted  text := format('(%I = ANY (orla.granted_tenants()))', tenant_column);
    tenants  text := 'orla_gateway, orla_service, orla_user';
BEGIN
    SELECT c.relname INTO base FROM pg_class c WHERE c.oid = target;
    -- Room for the longest suffix; the server would cut it off.
    WHILE octet_length(base) > 63 - octet_length('_analyst_only') LOOP
        base := left(base, -1);
    END LOOP;

    RETURN QUERY VALUES
        ((base || '_tenant')::name, true, 'ALL', tenants, tenant, tenant),
        ((base || '_analyst')::name, true, 'SELECT', 'orla_analyst', granted, NULL),
        ((base || '_tenant_only')::name, false, 'ALL', tenants, tenant, tenant),
        ((base || '_analyst_only')::name, false, 'ALL', 'orla_analyst', granted, NULL);
END
$$;
REVOKE ALL ON FUNCTION orla.fence(regclass, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.fence(regclass, name) TO orla_admin;
COMMENT ON FUNCTION orla.fence(regclass, name) IS
    'The policies that keep the tenants of a table apart.';

CREATE FUNCTION orla.policies_of(target regclass)
    RETURNS TABLE (policy name, permissive boolean, command text, roles text,
                   using_expression text, check_expression text)
    LANGUAGE sql STABLE ROWS 4
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.polname, p.polpermissive,
           CASE p.polcmd WHEN '*' THEN 'ALL' WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT'
                         WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' END,
           (SELECT string_agg(coalesce(r.rolname, 'PUBLIC'), ', ' ORDER BY r.rolname)
              FROM unnest(p.polroles) AS m (role) LEFT JOIN pg_roles r ON r.oid = m.role),
           pg_get_expr(p.polqual, p.polrelid),
           pg_get_expr(p.polwithcheck, p.polrelid)
      FROM pg_policy p
     WHERE p.polrelid = target
$$;
REVOKE ALL ON FUNCTION orla.policies_of(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.policies_of(regclass) TO orla_admin;
COMMENT ON FUNCTION orla.policies_of(regclass) IS
    'The policies that a table has, in the form of orla.fence().';

-- The table and what inherits from it or is a partition of it, parents first.
CREATE FUNCTION orla.family(target regclass)
    RETURNS SETOF regclass
    LANGUAGE sql STABLE ROWS 2
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE family (member, depth) AS (
        SELECT target, 0
        UNION
        SELECT i.inhrelid::regclass, f.depth + 1
          FROM family f JOIN pg_inherits i ON i.inhparent = f.member
    )
    SELECT f.member FROM family f GROUP BY f.member ORDER BY max(f.depth), f.member::oid
$$;
REVOKE ALL ON FUNCTION orla.family(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.family(regclass) TO orla_admin;
COMMENT ON FUNCTION orla.family(regclass) IS
    'A table with its partitions and the tables that inherit from it.';

-- Refuses what a fence cannot be put around.
CREATE FUNCTION orla.check_fenceable(target regclass)
    RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c      pg_class;
    schema name;
    parent text;
BEGIN
    SELECT * INTO c FROM pg_class WHERE oid = target;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no table was named'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT n.nspname INTO schema FROM pg_namespace n WHERE n.oid = c.relnamespace;

    IF schema IN ('pg_catalog', 'information_schema', 'pg_toast') THEN
        RAISE EXCEPTION '"%" is a system table', c.relname
            USING ERRCODE = 'wrong_object_type';
    END IF;
    IF schema IN ('orla', 'orla_api') THEN
        RAISE EXCEPTION '"%" belongs to orla itself', c.relname
            USING ERRCODE = 'wrong_object_type',
                  DETAIL = 'Its fence comes with the extension and is not to be changed.';
    END IF;
    IF c.relkind IN ('v', 'm', 'f') THEN
        RAISE EXCEPTION '"%" is not a table', c.relname
            USING ERRCODE = 'wrong_object_type',
                  DETAIL = 'Only tables can have policies.',
                  HINT = CASE c.relkind
                             WHEN 'v' THEN format('Protect the tables under it, and use ALTER VIEW %s SET (security_invoker = true).', target)
                             WHEN 'm' THEN 'It holds rows of all tenants: use a view with security_invoker.'
                             ELSE 'Grant it to no role that acts for tenants.'
                         END;
    END IF;
    IF c.relkind NOT IN ('r', 'p') THEN
        RAISE EXCEPTION '"%" is not a table', c.relname
            USING ERRCODE = 'wrong_object_type';
    END IF;
    IF c.relpersistence = 't' THEN
        RAISE EXCEPTION '"%" is a temporary table', c.relname
            USING ERRCODE = 'wrong_object_type',
                  DETAIL = 'It belongs to one session and ends with it.';
    END IF;
    IF c.relispartition THEN
        SELECT i.inhparent::regclass::text INTO parent FROM pg_inherits i WHERE i.inhrelid = target;
        RAISE EXCEPTION '"%" is a partition', c.relname
            USING ERRCODE = 'wrong_object_type',
                  HINT = format('Name its parent %s; the partitions follow it.', parent);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.check_fenceable(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_fenceable(regclass) TO orla_admin;
COMMENT ON FUNCTION orla.check_fenceable(regclass) IS
    'Raises an error for what orla.protect() cannot protect.';

-- SECURITY INVOKER: it does nothing but what the table's owner may do by hand.
CREATE FUNCTION orla.protect(target regclass, tenant_column name DEFAULT 'user_id')
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member  regclass;
    kind    "char";
    col     pg_attribute;
    ours    record;
    found_as record;
BEGIN
    PERFORM orla.check_fenceable(target);

    SELECT * INTO col FROM pg_attribute a
     WHERE a.attrelid = target AND a.attname = tenant_column
       AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'column "%" of table % does not exist', tenant_column, target
            USING ERRCODE = 'undefined_column',
                  HINT = 'Name the column that holds the tenant as second argument.';
    END IF;
    IF col.atttypid <> 'uuid'::regtype THEN
        RAISE EXCEPTION 'column "%" of table % is of type %, not uuid',
                        tenant_column, target, format_type(col.atttypid, col.atttypmod)
            USING ERRCODE = 'datatype_mismatch',
                  HINT = 'The tenant is the id of a row of orla.users.';
    END IF;
    IF NOT col.attnotnull THEN
        RAISE EXCEPTION 'column "%" of table % may be null', tenant_column, target
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'A row without a tenant would belong to nobody.',
                  HINT = format('Use ALTER TABLE %s ALTER COLUMN %I SET NOT NULL.', target, tenant_column);
    END IF;

    FOR member IN SELECT orla.family(target) LOOP
        SELECT c.relkind INTO kind FROM pg_class c WHERE c.oid = member;
        IF kind NOT IN ('r', 'p') THEN
            RAISE EXCEPTION '% is part of % and not a table', member, target
                USING ERRCODE = 'wrong_object_type',
                      DETAIL = 'Only tables can have policies.',
                      HINT = 'Detach it first.';
        END IF;

        IF NOT (SELECT c.relrowsecurity AND c.relforcerowsecurity FROM pg_class c WHERE c.oid = member) THEN
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', member);
        END IF;
        FOR ours IN SELECT * FROM orla.fence(member, tenant_column) LOOP
            SELECT * INTO found_as FROM orla.policies_of(member) p WHERE p.policy = ours.policy;
            IF FOUND THEN
                CONTINUE WHEN found_as IS NOT DISTINCT FROM ours;
                EXECUTE format('DROP POLICY %I ON %s', ours.policy, member);
            END IF;
            EXECUTE orla.policy_command(member, ours.policy, ours.permissive, ours.command, ours.roles,
                                        ours.using_expression, ours.check_expression);
        END LOOP;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION orla.protect(regclass, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.protect(regclass, name) TO orla_admin;
COMMENT ON FUNCTION orla.protect(regclass, name) IS
    'Puts the fence of the content tables around a table and its partitions. Again: repairs it.

For the table''s owner, if a member of orla_admin, and superusers.

Errors: 42809, 42703, 42804, 55000, 22023.';

CREATE FUNCTION orla.policy_command(target regclass, policy name, permissive boolean, command text,
                                    roles text, using_expression text, check_expression text)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('CREATE POLICY %I ON %s AS %s FOR %s TO %s USING %s%s',
                  policy, target, CASE WHEN permissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                  command, roles,
                  CASE WHEN using_expression LIKE '(%' THEN using_expression
                       ELSE '(' || using_expression || ')' END,
                  CASE WHEN check_expression LIKE '(%' THEN ' WITH CHECK ' || check_expression
                       WHEN check_expression IS NOT NULL THEN ' WITH CHECK (' || check_expression || ')'
                       ELSE '' END)
$$;
REVOKE ALL ON FUNCTION orla.policy_command(regclass, name, boolean, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.policy_command(regclass, name, boolean, text, text, text, text) TO orla_admin;
COMMENT ON FUNCTION orla.policy_command(regclass, name, boolean, text, text, text, text) IS
    'The command that creates a policy of orla.fence().';

-- SECURITY INVOKER, like orla.protect().  Row security stays on where somebody
-- else's policies remain, since they would cease to count.
CREATE FUNCTION orla.unprotect(target regclass)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member  regclass;
    ours    name;
    dropped boolean;
BEGIN
    PERFORM orla.check_fenceable(target);

    FOR member IN SELECT orla.family(target) LOOP
        dropped := false;
        FOR ours IN
            SELECT f.policy FROM orla.fence(member, 'user_id') f JOIN orla.policies_of(member) p USING (policy)
        LOOP
            EXECUTE format('DROP POLICY %I ON %s', ours, member);
            dropped := true;
        END LOOP;
        IF dropped AND NOT EXISTS (SELECT FROM orla.policies_of(member)) THEN
            EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', member);
        END IF;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION orla.unprotect(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.unprotect(regclass) TO orla_admin;
COMMENT ON FUNCTION orla.unprotect(regclass) IS
    'Takes the fence of a table away. Policies of others stay, and row security with them.';
