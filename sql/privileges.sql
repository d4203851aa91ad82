--
-- Who may do what, read from the catalogue: a table, view or function that is
-- added later shows up here by itself.
--

-- Tables and views: whole-table privileges.
SELECT c.oid::regclass AS relation, a.grantee::regrole AS role,
       string_agg(lower(a.privilege_type), ' ' ORDER BY strpos('SELECT INSERT UPDATE DELETE', a.privilege_type)) AS may
  FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
 WHERE c.relnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace) AND c.relkind IN ('r', 'p', 'v')
 GROUP BY c.oid, a.grantee
 ORDER BY c.oid::regclass::text COLLATE "C", a.grantee::regrole::text COLLATE "C";

-- Single columns.
SELECT c.oid::regclass AS relation, a.grantee::regrole AS role, lower(a.privilege_type) AS may,
       string_agg(t.attname, ' ' ORDER BY t.attnum) AS columns
  FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid CROSS JOIN LATERAL aclexplode(t.attacl) a
 WHERE c.relnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
 GROUP BY c.oid, a.grantee, a.privilege_type
 ORDER BY c.oid::regclass::text COLLATE "C", a.grantee::regrole::text COLLATE "C", a.privilege_type COLLATE "C";

-- Nobody, not even the owner, has TRUNCATE, REFERENCES or TRIGGER, nor may
-- anybody pass a privilege on (way 40).
SELECT c.oid::regclass, a.*
  FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
 WHERE c.relnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
   AND (a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER') OR a.is_grantable OR a.grantee = 0);
SET ROLE orla_service;
TRUNCATE orla.jobs;
RESET ROLE;

-- There is no sequence, hence no counter that tenants share (way 50).
SELECT c.oid::regclass FROM pg_class c
 WHERE c.relnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace) AND c.relkind = 'S';

-- Every table: forced row security, orla_service's, in dumps, with a comment (way 1).
SELECT c.oid::regclass FROM pg_class c
 WHERE c.relnamespace = 'orla'::regnamespace AND c.relkind IN ('r', 'p')
   AND NOT (c.relrowsecurity AND c.relforcerowsecurity
            AND c.relowner = 'orla_service'::regrole
            AND c.oid = ANY ((SELECT extconfig FROM pg_extension WHERE extname = 'orla')::oid[])
            AND obj_description(c.oid, 'pg_class') IS NOT NULL);

-- Every table of tenants: the policies, by name.
SELECT polrelid::regclass AS "table", polname AS policy,
       CASE WHEN polpermissive THEN 'permissive' ELSE 'restrictive' END AS kind,
       CASE polcmd WHEN '*' THEN 'all' WHEN 'r' THEN 'select' ELSE polcmd::text END AS command,
       array(SELECT r::regrole::text COLLATE "C" FROM unnest(polroles) AS r ORDER BY 1) AS roles,
       pg_get_expr(polqual, polrelid) AS using
  FROM pg_policy JOIN pg_class c ON c.oid = polrelid
 WHERE c.relnamespace = 'orla'::regnamespace
 ORDER BY polrelid::regclass::text COLLATE "C", polname COLLATE "C";

-- A WITH CHECK never says less than its USING.
SELECT polrelid::regclass, polname FROM pg_policy JOIN pg_class c ON c.oid = polrelid
 WHERE c.relnamespace = 'orla'::regnamespace
   AND polwithcheck IS NOT NULL
   AND pg_get_expr(polqual, polrelid) <> pg_get_expr(polwithcheck, polrelid);

-- Every view: the caller's rights (way 37).
SELECT c.oid::regclass, c.reloptions FROM pg_class c
 WHERE c.relnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace) AND c.relkind IN ('v', 'm')
   AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false);

-- Definer functions: orla_service's, search_path pinned (way 22).
SELECT p.oid::regprocedure FROM pg_proc p
 WHERE p.pronamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace) AND p.prosecdef
   AND NOT (p.proowner = 'orla_service'::regrole
            AND coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false));

-- Functions for everybody: what policies call, and no other (way 45).
SELECT p.oid::regprocedure FROM pg_proc p
 WHERE p.pronamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace)
   AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
 ORDER BY p.oid::regprocedure::text COLLATE "C";

-- Leak-proof is one function, argued in docs/security.md.
SELECT p.oid::regprocedure FROM pg_proc p
 WHERE p.pronamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace) AND p.proleakproof;

-- Triggers: all of them, since none may read a table (way 32).
SELECT t.tgrelid::regclass AS "table", t.tgname AS trigger, t.tgfoid::regproc AS function
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE c.relnamespace = 'orla'::regnamespace AND NOT t.tgisinternal
 ORDER BY 1, 2;

-- Foreign keys: all carry the tenant and go with it, or are emptied.
SELECT conrelid::regclass AS "table", pg_get_constraintdef(oid) AS key
  FROM pg_constraint
 WHERE connamespace = 'orla'::regnamespace AND contype = 'f'
 ORDER BY conrelid::regclass::text COLLATE "C", 2;

-- Indexes by which a tenant's statement reads rows of others before the fence
-- takes them out: those that do not lead with the tenant, by columns that tenants
-- may name.  The counters of scans tell how many there were; an address or a
-- name must not be among them (way 83).
SELECT i.indrelid::regclass AS "table", i.indexrelid::regclass AS index, a.attname AS by
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
 WHERE c.relnamespace = 'orla'::regnamespace
   AND a.attname <> CASE WHEN c.relname = 'users' THEN 'id' ELSE 'user_id' END
   AND EXISTS (SELECT FROM unnest(ARRAY['orla_anon', 'orla_user', 'orla_gateway', 'orla_analyst']) AS r
                WHERE has_column_privilege(r, c.oid, a.attnum, 'SELECT'))
 ORDER BY i.indexrelid::regclass::text COLLATE "C";

-- No default privilege slipped in.
SELECT defaclrole::regrole, defaclnamespace::regnamespace FROM pg_default_acl;
