--
-- The hooks need the library from a session's first statement on.  Where the
-- server does not preload it, check_isolation() says so and harden() has each
-- session of the database load it; where it does (preload_1.out), there is
-- nothing to say, to whomever asks.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_preload;
\c orla_preload
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
CREATE ROLE regress_orla_operator LOGIN;
GRANT orla_admin TO regress_orla_operator;
CREATE ROLE regress_orla_http LOGIN;
SELECT orla.allow_http_login('regress_orla_http');
CREATE FUNCTION pg_temp.found() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT object || ': ' || problem || ': ' || remedy FROM orla.check_isolation() WHERE problem ~ 'preload|library'
$$;
GRANT USAGE ON SCHEMA orla TO regress_orla_operator;

SELECT pg_temp.found();
SELECT orla.preloaded();
SET SESSION AUTHORIZATION regress_orla_operator;
SELECT pg_temp.found();
SELECT orla.preloaded();
RESET SESSION AUTHORIZATION;
-- from the first statement on: a session that has called nothing of orla
\! psql -X -A -t -d orla_preload -c 'SET ROLE orla_user' -c 'EXPLAIN ANALYZE SELECT 1' 2>&1 | grep -o 'ERROR.*\|Execution Time'

-- a value that was set before the library was there, by a gateway even, is not
-- believed when it comes (way 12); nor is one from the start-up packet (way 11)
GRANT orla_gateway TO regress_orla_operator;
INSERT INTO orla.users (id, name, email, password_hash) VALUES ('aaaaaaaa-0000-4000-8000-00000000000a', 'Ada', 'ada@example.org', '$argon2id$test');
\! psql -X -A -t -d orla_preload -v VERBOSITY=terse -c 'SET SESSION AUTHORIZATION regress_orla_operator' -c "SET orla.tenant = 'aaaaaaaa-0000-4000-8000-00000000000a'" -c "SELECT coalesce(orla.current_tenant()::text, 'nobody'), current_setting('orla.tenant')" 2>&1
\! psql -X -A -t -d orla_preload -v VERBOSITY=terse -c 'SET SESSION AUTHORIZATION regress_orla_operator' -c "SET orla.tenant = 'no uuid'; SET orla.made_up = 'x'" -c "SELECT coalesce(orla.current_tenant()::text, 'nobody'), current_setting('orla.tenant')" 2>&1
\! PGOPTIONS='-c orla.tenant=aaaaaaaa-0000-4000-8000-00000000000a' psql -X -A -t -d orla_preload -v VERBOSITY=terse -c 'SET SESSION AUTHORIZATION regress_orla_operator' -c "SELECT coalesce(orla.current_tenant()::text, 'nobody'), current_setting('orla.tenant')" 2>&1 | sed 's/^psql: error: .*FATAL/FATAL/'
REVOKE orla_gateway FROM regress_orla_operator;
DELETE FROM orla.users;

-- harden() keeps the libraries that others want
ALTER DATABASE orla_preload SET session_preload_libraries = auto_explain, "$libdir/pg_stat_statements";
SELECT pg_temp.found();
SELECT count(*) FROM orla.harden() WHERE problem ~ 'preload|library';
SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
 WHERE d.datname = 'orla_preload' AND s.setrole = 0;
ALTER DATABASE orla_preload SET session_preload_libraries = auto_explain;
SELECT count(*) FROM orla.harden() WHERE problem ~ 'preload|library';
\! psql -X -A -t -d orla_preload -c 'SET ROLE orla_user' -c 'EXPLAIN ANALYZE SELECT 1' 2>&1 | grep -o 'ERROR.*\|Execution Time'

-- a login that goes without: harden() leaves roles to the operator
ALTER ROLE regress_orla_http SET session_preload_libraries = '';
SELECT pg_temp.found();
SELECT problem FROM orla.harden() WHERE problem ~ 'preload|library';
ALTER ROLE regress_orla_http RESET session_preload_libraries;
ALTER ROLE regress_orla_http IN DATABASE orla_preload SET session_preload_libraries = auto_explain;
SELECT pg_temp.found();
ALTER ROLE regress_orla_http IN DATABASE orla_preload RESET session_preload_libraries;
SELECT pg_temp.found();

DROP OWNED BY regress_orla_http, regress_orla_operator;
\c :previous
DROP DATABASE orla_preload;
DROP ROLE regress_orla_http, regress_orla_operator;
