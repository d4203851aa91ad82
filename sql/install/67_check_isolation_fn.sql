-- What an operator asks after every change: is the fence still whole?
--
-- The findings come from four functions, one per kind of object, in the parts
-- 67_findings_*.  They are SECURITY INVOKER and read catalogues only, so that
-- orla_admin may ask; where the server hides a setting from it, the finding
-- that hangs on it is left out rather than guessed.

CREATE FUNCTION orla.check_isolation()
    RETURNS TABLE (object text, problem text, remedy text)
    LANGUAGE plpgsql STABLE ROWS 10
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
        SELECT f.object, f.problem, f.remedy
          FROM (SELECT * FROM orla.findings_server()
                UNION ALL SELECT * FROM orla.findings_roles()
                UNION ALL SELECT * FROM orla.findings_fences()
                UNION ALL SELECT * FROM orla.findings_objects()) AS f
         ORDER BY f.object COLLATE "C", f.problem COLLATE "C";
END
$$;
REVOKE ALL ON FUNCTION orla.check_isolation() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_isolation() TO orla_admin;
COMMENT ON FUNCTION orla.check_isolation() IS
    'Every way around the fence that the catalogues show, each with a remedy; empty when all is well.

Remedies are statements to be read before they are run. Some settings are hidden from non-superusers; findings that hang on them are then left out. Run it after every migration.';

-- The roles that people reach without being operators.
CREATE FUNCTION orla.fenced_roles()
    RETURNS SETOF regrole
    LANGUAGE sql IMMUTABLE ROWS 4
    SET search_path = pg_catalog, pg_temp
AS $$
    VALUES ('orla_anon'::regrole), ('orla_user'), ('orla_analyst'), ('orla_gateway')
$$;
REVOKE ALL ON FUNCTION orla.fenced_roles() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.fenced_roles() TO orla_admin;
COMMENT ON FUNCTION orla.fenced_roles() IS
    'The roles that act for tenants or analysts.';

-- Membership counts whether or not it inherits: SET ROLE is a step, too.
CREATE FUNCTION orla.role_paths()
    RETURNS TABLE (role oid, reaches oid)
    LANGUAGE sql STABLE ROWS 50
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE path (role, reaches) AS (
        SELECT r.oid, r.oid FROM pg_roles r
        UNION
        SELECT p.role, m.roleid FROM path p JOIN pg_auth_members m ON m.member = p.reaches
    )
    SELECT p.role, p.reaches FROM path p
$$;
REVOKE ALL ON FUNCTION orla.role_paths() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.role_paths() TO orla_admin;
COMMENT ON FUNCTION orla.role_paths() IS
    'For each role the roles that it can become, itself among them.';

-- Tables with the fence, and the column it hangs on.  The restrictive policy
-- for tenants decides: without it there is no fence, whatever else is there.
CREATE FUNCTION orla.fenced_tables()
    RETURNS TABLE (target regclass, tenant_column name)
    LANGUAGE sql STABLE ROWS 20
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.polrelid::regclass, a.attname
      FROM pg_policy p
      JOIN pg_attribute a ON a.attrelid = p.polrelid AND a.attnum > 0 AND NOT a.attisdropped
                         AND a.atttypid = 'uuid'::regtype
     CROSS JOIN LATERAL orla.fence(p.polrelid::regclass, a.attname) f
      JOIN LATERAL orla.policies_of(p.polrelid::regclass) q ON q IS NOT DISTINCT FROM f
     WHERE NOT p.polpermissive
       AND p.polname LIKE '%tenant\_only'
       AND f.policy = p.polname
       AND f.check_expression IS NOT NULL
$$;
REVOKE ALL ON FUNCTION orla.fenced_tables() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.fenced_tables() TO orla_admin;
COMMENT ON FUNCTION orla.fenced_tables() IS
    'The tables that have the fence, with their tenant column.';
