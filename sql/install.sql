--
-- What stops CREATE EXTENSION: roles that could see past the fence (ways 3 and 4),
-- objects and default privileges that wait for it (way 36), and whoever may not.
--
\set SHOW_CONTEXT never
\set VERBOSITY terse
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_install;
\c orla_install
SET client_min_messages = warning;
CREATE EXTENSION pgcrypto;

-- not a superuser's
CREATE ROLE regress_orla_owner LOGIN;
ALTER DATABASE orla_install OWNER TO regress_orla_owner;
SET SESSION AUTHORIZATION regress_orla_owner;
CREATE EXTENSION orla;
RESET SESSION AUTHORIZATION;

-- roles of the cluster that are not what they are to be
BEGIN;
ALTER ROLE orla_user BYPASSRLS;
CREATE EXTENSION orla;
ROLLBACK;
BEGIN;
ALTER ROLE orla_analyst SUPERUSER;
CREATE EXTENSION orla;
ROLLBACK;
BEGIN;
ALTER ROLE orla_gateway CREATEROLE;
CREATE EXTENSION orla;
ROLLBACK;
BEGIN;
ALTER ROLE orla_service LOGIN;
CREATE EXTENSION orla;
ROLLBACK;
BEGIN;
GRANT orla_service TO regress_orla_owner;
CREATE EXTENSION orla;
ROLLBACK;

-- schemas that somebody else made, with something in them
CREATE SCHEMA orla AUTHORIZATION regress_orla_owner;
CREATE FUNCTION orla.current_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid';
CREATE EXTENSION orla;
DROP SCHEMA orla CASCADE;
CREATE SCHEMA orla_api AUTHORIZATION regress_orla_owner;
CREATE EXTENSION orla;
DROP SCHEMA orla_api;

-- default privileges of whoever installs
CREATE ROLE regress_orla_installer SUPERUSER;
SET ROLE regress_orla_installer;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
CREATE EXTENSION orla;
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO regress_orla_owner;
CREATE EXTENSION orla;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM regress_orla_owner;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO regress_orla_owner;
CREATE EXTENSION orla;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM regress_orla_owner;
RESET ROLE;
DROP ROLE regress_orla_installer;

-- in somebody's path, with somebody's objects first: names are qualified (way 66)
CREATE SCHEMA evil AUTHORIZATION regress_orla_owner;
CREATE FUNCTION evil.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT 'ALTER ROLE regress_orla_owner SUPERUSER' $$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '2000-01-01'::timestamptz $$;
SET search_path = evil, pg_catalog;
CREATE EXTENSION orla;
RESET search_path;
SELECT count(*) AS bound_to_evil FROM pg_depend d JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
 WHERE p.pronamespace = 'evil'::regnamespace AND d.deptype = 'n';
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_orla_owner';
CREATE EXTENSION orla;
CREATE EXTENSION IF NOT EXISTS orla;
-- the database's owner owns nothing of it
SET SESSION AUTHORIZATION regress_orla_owner;
SELECT count(*) FROM orla.users;
DROP EXTENSION orla;
ALTER EXTENSION orla UPDATE;
DROP SCHEMA orla CASCADE;
RESET SESSION AUTHORIZATION;

\c :previous
DROP DATABASE orla_install;
DROP ROLE regress_orla_owner;
