-- orla: tenants of one PostgreSQL database, kept apart by the server itself.
-- The parts of sql/install, in the order of their numbers, are this script.

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION orla" to load this file. \quit

-- The schemas of required extensions stand in the search_path that CREATE
-- EXTENSION sets up.  Nothing in this script may be resolved there.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Row security as orla needs it was mended as late as in the minor releases
-- listed here; a major release that is not listed passes.
DO $$
DECLARE
    have int := current_setting('server_version_num')::int;
    need int;
BEGIN
    IF have < 150000 THEN
        RAISE EXCEPTION 'orla needs PostgreSQL 15 or later'
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = format('This server is PostgreSQL %s.', current_setting('server_version')),
                  HINT = 'Install orla on a newer server.';
    END IF;

    SELECT m.release INTO need
      FROM (VALUES (15, 150020)) AS m (major, release)
     WHERE m.major = have / 10000;

    IF have < need THEN
        RAISE EXCEPTION 'orla needs PostgreSQL %.% or a later release of PostgreSQL %',
                        need / 10000, need % 10000, need / 10000
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = format('This server is PostgreSQL %s; earlier releases have known holes in row security.',
                                  current_setting('server_version')),
                  HINT = 'Install the latest minor release, which needs no dump and restore.';
    END IF;
END
$$;

-- Default privileges would add grants to every object made below, among them
-- grants to orla's own roles, which 90_verify.sql could not tell from ours.
DO $$
DECLARE
    found text;
BEGIN
    SELECT string_agg(DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ', ')
      INTO found
      FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) a
     WHERE d.defaclrole = current_user::regrole
       AND d.defaclnamespace = 0
       AND a.grantee <> d.defaclrole
       AND NOT (a.grantee = 0 AND d.defaclobjtype IN ('f', 'T'));
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'default privileges of role "%" would give others access to orla''s objects', current_user
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('They grant to: %s.', found),
                  HINT = 'Run CREATE EXTENSION as a superuser without default privileges (pg_default_acl), or revoke them for as long as it runs.';
    END IF;
END
$$;
