--
-- The roles: what they are, and what stops the install.
--
\set SHOW_CONTEXT never
SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication
  FROM pg_roles WHERE rolname LIKE 'orla\_%' ORDER BY rolname COLLATE "C";

-- orla_service has no members, and none of the roles is a member of another (way 4)
SELECT r.rolname AS member, g.rolname AS of
  FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
 WHERE r.rolname LIKE 'orla\_%' OR g.rolname = 'orla_service';

-- The schemas are not orla_service's, and nobody may create objects there.
SELECT nspname, pg_get_userbyid(nspowner) = 'orla_service' AS of_service,
       array(SELECT r FROM unnest(ARRAY['orla_anon', 'orla_user', 'orla_analyst', 'orla_gateway',
                                        'orla_admin', 'orla_service']) AS r
              WHERE has_schema_privilege(r, oid, 'USAGE')) AS may_use,
       array(SELECT r FROM unnest(ARRAY['public', 'orla_anon', 'orla_user', 'orla_analyst', 'orla_gateway',
                                        'orla_admin', 'orla_service']) AS r
              WHERE has_schema_privilege(r, oid, 'CREATE')) AS may_create
  FROM pg_namespace WHERE nspname IN ('orla', 'orla_api') ORDER BY nspname COLLATE "C";

-- An HTTP layer's login gets orla_anon and orla_user, and no rights of its own.
CREATE ROLE regress_orla_http LOGIN;
SELECT orla.allow_http_login('regress_orla_http');
SELECT orla.allow_http_login('regress_orla_http');	-- again is no error
SELECT rolinherit FROM pg_roles WHERE rolname = 'regress_orla_http';
SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
 WHERE m.member = 'regress_orla_http'::regrole ORDER BY g.rolname COLLATE "C";
SELECT c.oid::regclass FROM pg_class c
 WHERE relnamespace IN ('orla'::regnamespace, 'orla_api'::regnamespace) AND relkind IN ('r', 'v')
   AND has_any_column_privilege('regress_orla_http', oid, 'SELECT, INSERT, UPDATE');
SET SESSION AUTHORIZATION regress_orla_http;
SELECT count(*) FROM orla_api.content_library;
SET ROLE orla_user;
SELECT count(*) FROM orla_api.content_library;
SET ROLE orla_anon;
SELECT count(*) FROM orla_api.content_library;
SET ROLE orla_gateway;
SET ROLE orla_service;
RESET SESSION AUTHORIZATION;

-- What cannot be one (way 3).
SELECT orla.allow_http_login('regress_orla_nobody');
CREATE ROLE regress_orla_group;
SELECT orla.allow_http_login('regress_orla_group');
ALTER ROLE regress_orla_group LOGIN BYPASSRLS;
SELECT orla.allow_http_login('regress_orla_group');
ALTER ROLE regress_orla_group NOLOGIN;
CREATE ROLE regress_orla_other LOGIN IN ROLE regress_orla_group;
SELECT orla.allow_http_login('regress_orla_other');
REVOKE regress_orla_group FROM regress_orla_other;
GRANT orla_gateway TO regress_orla_other;
SELECT orla.allow_http_login('regress_orla_other');
SELECT orla.allow_http_login(NULL);
SET ROLE orla_admin;
SELECT orla.allow_http_login('regress_orla_http');	-- superusers only
SELECT orla.harden();
RESET ROLE;

REVOKE ALL ON SCHEMA orla FROM regress_orla_http;
REVOKE ALL ON FUNCTION orla.postgrest_config(), orla.authenticate(text), orla.pre_request() FROM regress_orla_http;
DROP ROLE regress_orla_http, regress_orla_group, regress_orla_other;
