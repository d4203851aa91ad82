-- Operators decide which analyst reads which tenant.

-- SECURITY DEFINER because orla_admin reads the grants and may not write them:
-- every change goes through here and leaves an audit row.
CREATE FUNCTION orla.grant_tenant(analyst name, tenant uuid)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    who pg_roles;
BEGIN
    SELECT * INTO who FROM pg_roles r WHERE r.rolname = grant_tenant.analyst;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'role "%" does not exist', analyst
            USING ERRCODE = 'undefined_object';
    END IF;
    IF who.rolsuper OR who.rolbypassrls THEN
        RAISE EXCEPTION 'role "%" is exempt from row security', analyst
            USING ERRCODE = 'invalid_grant_operation',
                  DETAIL = 'It reads all tenants, whatever is granted to it.',
                  HINT = 'Give the analyst a login without SUPERUSER and BYPASSRLS.';
    END IF;
    IF NOT who.rolcanlogin THEN
        RAISE EXCEPTION 'role "%" cannot log in', analyst
            USING ERRCODE = 'invalid_grant_operation',
                  DETAIL = 'Grants count for the login of a session, never for a role that it changes to.',
                  HINT = 'Grant the tenant to the login of each analyst.';
    END IF;
    IF NOT pg_has_role(who.oid, 'orla_analyst', 'MEMBER') THEN
        RAISE EXCEPTION 'role "%" is not an analyst', analyst
            USING ERRCODE = 'invalid_grant_operation',
                  HINT = format('Use GRANT orla_analyst TO %I first.', analyst);
    END IF;
    IF NOT EXISTS (SELECT FROM orla.users u WHERE u.id = grant_tenant.tenant) THEN
        RAISE EXCEPTION 'tenant "%" does not exist', tenant
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    INSERT INTO orla.tenant_grants (analyst, user_id, granted_by)
    VALUES (grant_tenant.analyst, grant_tenant.tenant, session_user)
    ON CONFLICT ON CONSTRAINT tenant_grants_pkey DO NOTHING;
    IF FOUND THEN
        PERFORM orla.ensure_instance();
        PERFORM orla.audit('grant_tenant', 'success', grant_tenant.tenant,
                           jsonb_build_object('analyst', grant_tenant.analyst, 'by', session_user));
    END IF;
END
$$;
ALTER FUNCTION orla.grant_tenant(name, uuid) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.grant_tenant(name, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.grant_tenant(name, uuid) TO orla_admin;
COMMENT ON FUNCTION orla.grant_tenant(name, uuid) IS
    'Lets a login read the content of a tenant, as an analyst; twice changes nothing.

Errors: 42704, 0LP01, 22023.';

-- SECURITY DEFINER for the same reason.  It takes any name and any uuid, since
-- a grant may outlive the login it was made for.
CREATE FUNCTION orla.revoke_tenant(analyst name, tenant uuid)
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM orla.tenant_grants g
     WHERE g.analyst = revoke_tenant.analyst
       AND g.user_id = revoke_tenant.tenant;
    IF FOUND THEN
        PERFORM orla.ensure_instance();
        PERFORM orla.audit('revoke_tenant', 'success', revoke_tenant.tenant,
                           jsonb_build_object('analyst', revoke_tenant.analyst, 'by', session_user));
    END IF;
END
$$;
ALTER FUNCTION orla.revoke_tenant(name, uuid) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.revoke_tenant(name, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.revoke_tenant(name, uuid) TO orla_admin;
COMMENT ON FUNCTION orla.revoke_tenant(name, uuid) IS
    'Takes the right to read a tenant from an analyst; counts from the analyst''s next statement on.

Takes any name and any uuid.';
