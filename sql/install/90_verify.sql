-- The install is refused where one of the extension's own rules is broken.
-- What can be compared with what was meant is compared in full: whoever adds a
-- table, a policy or a function says here what it is to be.

-- Tables: policies bind everybody, are the ones that are written down, and no
-- privilege goes to a role that is not ours (default privileges add such).
DO $$
DECLARE
    bad text;
BEGIN
    SELECT string_agg(c.relname, ', ' ORDER BY c.relname) INTO bad
      FROM pg_class c
     WHERE c.relnamespace = 'orla'::regnamespace AND c.relkind IN ('r', 'p')
       AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                AND c.relowner = 'orla_service'::regrole);
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'tables without forced row security, or not owned by orla_service: %', bad;
    END IF;

    SELECT string_agg(format('%s: %s', d.object, d.problem), '; ' ORDER BY d.object, d.problem) INTO bad
      FROM orla.policy_differences() d;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'policies are not as written down: %', bad;
    END IF;

    SELECT string_agg(c.relname, ', ' ORDER BY c.relname) INTO bad
      FROM pg_class c
     WHERE c.relnamespace = 'orla'::regnamespace AND c.relkind IN ('r', 'p', 'S')
       AND NOT c.oid = ANY ((SELECT e.extconfig FROM pg_extension e WHERE e.extname = 'orla')::oid[]);
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'tables that a dump would leave out: %', bad;
    END IF;

    SELECT string_agg(DISTINCT format('%s (%s to %s)', c.relname, a.privilege_type, orla.grantee(a.grantee)), ', ')
      INTO bad
      FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
     WHERE c.relnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
       AND (a.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
            OR a.is_grantable
            OR a.grantee NOT IN (SELECT r.oid FROM pg_roles r
                                  WHERE r.rolname IN ('orla_user', 'orla_analyst', 'orla_gateway',
                                                      'orla_admin', 'orla_service')));
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'privileges that nobody is to have: %', bad
            USING HINT = 'Check ALTER DEFAULT PRIVILEGES of the role that runs CREATE EXTENSION.';
    END IF;

    -- The primary key leads with the tenant, and so does each foreign key
    -- between tables of tenants.
    SELECT string_agg(format('%s.%s', k.conrelid::regclass, k.conname), ', ') INTO bad
      FROM pg_constraint k
      JOIN orla.fenced_tables() f ON f.target = k.conrelid
      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attname = f.tenant_column
     WHERE k.connamespace = 'orla'::regnamespace
       AND k.contype IN ('p', 'u', 'f')
       AND k.conkey[1] IS DISTINCT FROM a.attnum;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'keys of content tables that do not lead with the tenant: %', bad;
    END IF;
END
$$;

-- Views: the caller's rights, and a barrier where there is something to bar.
DO $$
DECLARE
    bad text;
BEGIN
    SELECT string_agg(c.oid::regclass::text, ', ') INTO bad
      FROM pg_class c
     WHERE c.relnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
       AND (c.relkind NOT IN ('r', 'p', 'v', 'i', 'I', 'c', 't')
            OR c.relkind = 'v'
               AND (NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)
                    OR (pg_get_viewdef(c.oid) ~ '\mWHERE\M'
                        AND NOT coalesce('security_barrier=true' = ANY (c.reloptions), false))));
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'views without security_invoker, or without security_barrier over a WHERE, or objects of a kind that has no place here: %', bad;
    END IF;

    SELECT string_agg(c.oid::regclass::text, ', ') INTO bad
      FROM pg_class c
     WHERE c.relnamespace = 'orla_api'::regnamespace AND c.relkind IN ('r', 'p');
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'tables in the exposed schema: %', bad;
    END IF;
END
$$;

-- Functions: definers are orla_service's with a pinned search_path, others are
-- not; PUBLIC may call what policies call.
DO $$
DECLARE
    bad text;
BEGIN
    SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text) INTO bad
      FROM pg_proc p
     WHERE p.pronamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
       AND p.prosecdef
       AND (p.proowner <> 'orla_service'::regrole
            OR NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false));
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'definer functions that orla_service does not own, or without a pinned search_path: %', bad;
    END IF;

    SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text) INTO bad
      FROM pg_proc p
     CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
     WHERE p.pronamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
       AND a.privilege_type = 'EXECUTE' AND a.grantee <> p.proowner
       AND (a.is_grantable
            OR a.grantee = 0 AND p.oid NOT IN ('orla.current_tenant()'::regprocedure,
                                               'orla.granted_tenants()'::regprocedure)
            OR a.grantee <> 0 AND a.grantee NOT IN (SELECT r.oid FROM pg_roles r
                                                     WHERE r.rolname IN ('orla_anon', 'orla_user', 'orla_analyst',
                                                                         'orla_gateway', 'orla_admin', 'orla_service')));
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'functions that somebody may call who is not meant to: %', bad
            USING HINT = 'Check ALTER DEFAULT PRIVILEGES of the role that runs CREATE EXTENSION.';
    END IF;

    -- Their result would be folded into plans that other tenants run.
    SELECT string_agg(p.oid::regprocedure::text, ', ') INTO bad
      FROM pg_proc p
     WHERE p.oid IN ('orla.current_tenant()'::regprocedure, 'orla.granted_tenants()'::regprocedure,
                     'orla.require_tenant()'::regprocedure)
       AND (p.provolatile <> 's' OR p.proparallel <> 's');
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'functions of the boundary that are not stable and parallel-safe: %', bad;
    END IF;

    SELECT string_agg(n.nspname, ', ') INTO bad
      FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
     WHERE n.nspname IN ('orla', 'orla_api') AND a.grantee <> n.nspowner
       AND (a.privilege_type <> 'USAGE' OR a.grantee = 0 OR a.is_grantable);
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'schemas in which somebody may create objects: %', bad;
    END IF;
END
$$;

-- Everything is explained.
DO $$
DECLARE
    bad text;
BEGIN
    SELECT string_agg(o.name, ', ' ORDER BY o.name) INTO bad
      FROM (SELECT c.oid::regclass::text, obj_description(c.oid, 'pg_class')
              FROM pg_class c
             WHERE c.relnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
               AND c.relkind IN ('r', 'p', 'v')
            UNION ALL
            SELECT p.oid::regprocedure::text, obj_description(p.oid, 'pg_proc')
              FROM pg_proc p
             WHERE p.pronamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
            UNION ALL
            SELECT t.oid::regtype::text, obj_description(t.oid, 'pg_type')
              FROM pg_type t
             WHERE t.typnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
               AND t.typtype IN ('d', 'e')
            UNION ALL
            SELECT o.oid::regoperator::text, obj_description(o.oid, 'pg_operator')
              FROM pg_operator o
             WHERE o.oprnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
            UNION ALL
            SELECT n.nspname, obj_description(n.oid, 'pg_namespace')
              FROM pg_namespace n WHERE n.nspname IN ('orla', 'orla_api')) AS o (name, said)
     WHERE o.said IS NULL;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'objects without a comment: %', bad;
    END IF;
END
$$;
