-- What docs/api.md is made of, as one JSON value: functions, relations,
-- settings and roles, with their comments and who may do what with them.
SET search_path = pg_catalog, pg_temp;
LOAD 'orla';

WITH grants AS (
    -- Who may execute a function, without its owner, orla_service and superusers.
    SELECT p.oid, array_agg(coalesce(r.rolname, 'everybody') ORDER BY array_position('{orla_anon,orla_user,orla_gateway,orla_analyst,orla_admin,orla_service}', r.rolname)) AS who
      FROM pg_proc AS p
     CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
      LEFT JOIN pg_roles AS r ON r.oid = a.grantee
     WHERE a.grantee <> p.proowner OR r.rolname = 'orla_service'
     GROUP BY p.oid
), functions AS (
    SELECT format('%s.%s', n.nspname, p.proname) AS name,
           -- Without those that are OUT, which make the row that is returned.
           regexp_replace(pg_get_function_arguments(p.oid), '(^|, )OUT .*', '') AS arguments,
           coalesce('TABLE(' || substring(pg_get_function_arguments(p.oid) FROM '(?:^|, )(OUT .*)') || ')', pg_get_function_result(p.oid)) AS result,
           CASE p.provolatile WHEN 'v' THEN 'volatile' WHEN 's' THEN 'stable' ELSE 'immutable' END AS volatility,
           CASE WHEN p.prosecdef THEN pg_get_userbyid(p.proowner) END AS runs_as,
           coalesce(array_remove(g.who, 'orla_service'), '{}') AS who, 'orla_service' = ANY (g.who) AS for_service,
           obj_description(p.oid, 'pg_proc') AS comment
      FROM pg_proc AS p
      JOIN pg_namespace AS n ON n.oid = p.pronamespace
      LEFT JOIN grants AS g ON g.oid = p.oid
     WHERE n.nspname IN ('orla', 'orla_api') AND p.prorettype <> 'trigger'::regtype
), held AS (
    -- What a role may do with a relation, by a grant on it or on some of its columns.
    SELECT c.oid, a.grantee, a.privilege_type AS what, NULL::name AS on_column
      FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
    UNION ALL
    SELECT c.oid, a.grantee, a.privilege_type, t.attname
      FROM pg_class AS c JOIN pg_attribute AS t ON t.attrelid = c.oid CROSS JOIN LATERAL aclexplode(t.attacl) AS a
), rights AS (
    SELECT h.oid, r.rolname AS role, jsonb_agg(DISTINCT h.what) AS what
      FROM held AS h JOIN pg_roles AS r ON r.oid = h.grantee
     WHERE r.rolname ~ '^orla_' AND r.rolname <> 'orla_service'
     GROUP BY h.oid, r.rolname
), defaults AS (
    -- A view of orla_api has its columns' defaults from the table of the same name.
    SELECT v.oid, t.attname, t.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS value
      FROM pg_class AS v
      JOIN pg_class AS c ON c.relname = v.relname AND c.relnamespace = 'orla'::regnamespace AND c.relkind = 'r'
      JOIN pg_attribute AS t ON t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped
      LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = t.attnum
     WHERE v.relnamespace = 'orla_api'::regnamespace AND v.relkind = 'v'
), relations AS (
    SELECT c.oid, format('%s.%s', n.nspname, c.relname) AS name,
           CASE c.relkind WHEN 'v' THEN 'view' WHEN 'c' THEN 'type' ELSE 'table' END AS kind,
           CASE WHEN c.relkind = 'c' THEN obj_description(c.reltype, 'pg_type') ELSE obj_description(c.oid, 'pg_class') END AS comment,
           coalesce((SELECT jsonb_object_agg(r.role, r.what) FROM rights AS r WHERE r.oid = c.oid), '{}') AS rights,
           (SELECT jsonb_agg(jsonb_build_object('name', t.attname, 'type', format_type(t.atttypid, t.atttypmod),
                                                'comment', col_description(c.oid, t.attnum),
                                                'required', d.attnotnull AND d.value IS NULL, 'default', d.value,
                                                'readable', c.relkind = 'c' OR EXISTS (SELECT FROM held AS h JOIN pg_roles AS r ON r.oid = h.grantee
                                                                    WHERE h.oid = c.oid AND h.what = 'SELECT' AND r.rolname = CASE n.nspname WHEN 'orla' THEN 'orla_admin' ELSE 'orla_user' END
                                                                      AND coalesce(h.on_column, t.attname) = t.attname))
                             ORDER BY t.attnum)
              FROM pg_attribute AS t LEFT JOIN defaults AS d ON d.oid = c.oid AND d.attname = t.attname
             WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped) AS columns
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('orla', 'orla_api') AND c.relkind IN ('r', 'p', 'v', 'm', 'c')
)
SELECT jsonb_build_object(
    'functions', (SELECT jsonb_agg(to_jsonb(f)) FROM functions AS f),
    'relations', (SELECT jsonb_agg(to_jsonb(r) - 'oid') FROM relations AS r),
    'roles', (SELECT jsonb_object_agg(rolname, shobj_description(oid, 'pg_authid')) FROM pg_roles WHERE rolname ~ '^orla_'),
    'settings', (SELECT jsonb_agg(jsonb_build_object('name', name, 'type', vartype, 'default', boot_val, 'unit', unit,
                                                     'min', min_val, 'max', max_val, 'context', context, 'comment', short_desc, 'choices', enumvals))
                   FROM pg_settings WHERE name ~ '^orla\.'));
