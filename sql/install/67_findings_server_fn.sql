-- check_isolation: the server's and the database's settings.

-- The elements of a list of libraries.
CREATE FUNCTION orla.libraries(list text)
    RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(l.name ORDER BY l.place), '{}')
      FROM (SELECT btrim(s.name, ' "') AS name, s.place
              FROM string_to_table(list, ',') WITH ORDINALITY AS s (name, place)) l
     WHERE l.name <> ''
$$;
REVOKE ALL ON FUNCTION orla.libraries(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.libraries(text) TO orla_admin;
COMMENT ON FUNCTION orla.libraries(text) IS
    'The elements of a setting that lists libraries.';

CREATE FUNCTION orla.loads_orla(list text)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(bool_or(l ~ '(^|/)orla(\.so)?$'), false) FROM unnest(orla.libraries(list)) AS l
$$;
REVOKE ALL ON FUNCTION orla.loads_orla(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.loads_orla(text) TO orla_admin;
COMMENT ON FUNCTION orla.loads_orla(text) IS
    'Whether a list of libraries has orla in it.';

-- session_preload_libraries as sessions of this database begin with it: the
-- database's own value, else the cluster's, which is hidden from whoever is
-- neither superuser nor pg_read_all_settings.
CREATE FUNCTION orla.session_preload()
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        (SELECT substr(c, length('session_preload_libraries=') + 1)
           FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS c
          WHERE s.setrole = 0
            AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND c LIKE 'session_preload_libraries=%'),
        (SELECT CASE WHEN source IN ('database', 'user', 'database user', 'client') THEN '' ELSE reset_val END
           FROM pg_settings
          WHERE name = 'session_preload_libraries'))
$$;
REVOKE ALL ON FUNCTION orla.session_preload() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.session_preload() TO orla_admin;
COMMENT ON FUNCTION orla.session_preload() IS
    'session_preload_libraries for new sessions of this database; NULL where that is hidden from the caller.';

CREATE FUNCTION orla.preloaded()
    RETURNS boolean
    LANGUAGE C STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_preloaded';
REVOKE ALL ON FUNCTION orla.preloaded() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.preloaded() TO orla_admin;
COMMENT ON FUNCTION orla.preloaded() IS
    'Whether the server loaded the library for all sessions (shared_preload_libraries, which operators cannot read).';

CREATE FUNCTION orla.findings_server()
    RETURNS TABLE (object text, problem text, remedy text, automatic boolean)
    LANGUAGE sql STABLE ROWS 5
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH here AS (
        SELECT d.oid, d.datname, d.datdba, d.datacl FROM pg_database d WHERE d.datname = current_database()
    ), shared AS (
        SELECT orla.preloaded() AS loaded
    ), fenced_role AS (
        SELECT r.role, r.role::text AS name FROM orla.fenced_roles() AS r (role)
    )
    -- The same minimum as in the prologue: a server may be moved back.
    SELECT 'server'::text,
           format('PostgreSQL %s has known holes in row security', current_setting('server_version')),
           format('-- install PostgreSQL %s.%s or later', m.release / 10000, m.release % 10000),
           false
      FROM (VALUES (15, 150020)) AS m (major, release)
     WHERE current_setting('server_version_num')::int / 10000 = m.major
       AND current_setting('server_version_num')::int < m.release

    UNION ALL
    -- EXPLAIN, cursors and DROP are guarded from the library's loading on.
    SELECT format('database %I', h.datname),
           'the library is not loaded from a session''s first statement on',
           format('ALTER DATABASE %I SET session_preload_libraries = %s;', h.datname,
                  (SELECT string_agg(quote_literal(l), ', ' ORDER BY place)
                     FROM unnest(orla.libraries(orla.session_preload()) || 'orla'::text)
                          WITH ORDINALITY AS u (l, place))),
           true
      FROM here h, shared s
     WHERE NOT s.loaded
       AND orla.session_preload() IS NOT NULL AND NOT orla.loads_orla(orla.session_preload())

    UNION ALL
    SELECT format('role %I', r.rolname),
           'its own session_preload_libraries leave orla out',
           CASE WHEN s.setdatabase = 0 THEN format('ALTER ROLE %I RESET session_preload_libraries;', r.rolname)
                ELSE format('ALTER ROLE %I IN DATABASE %I RESET session_preload_libraries;', r.rolname, h.datname) END,
           false
      FROM here h
     CROSS JOIN shared p
      JOIN pg_db_role_setting s ON s.setdatabase IN (0, h.oid)
      JOIN pg_roles r ON r.oid = s.setrole AND NOT r.rolsuper
     CROSS JOIN LATERAL unnest(s.setconfig) AS c
     WHERE NOT p.loaded
       AND c LIKE 'session_preload_libraries=%'
       AND NOT orla.loads_orla(substr(c, length('session_preload_libraries=') + 1))

    UNION ALL
    -- A temporary table with a trigger waits for the next client of a pool.
    SELECT format('database %I', h.datname),
           format('%s may create temporary tables', string_agg(r.name, ', ' ORDER BY r.name)),
           format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC, %s;', h.datname,
                  string_agg(r.name, ', ' ORDER BY r.name)),
           true
      FROM here h CROSS JOIN fenced_role r
     WHERE has_database_privilege(r.role, h.oid, 'TEMPORARY')
     GROUP BY h.datname

    UNION ALL
    SELECT format('database %I', h.datname),
           format('%s may create schemas', string_agg(r.name, ', ' ORDER BY r.name)),
           format('REVOKE CREATE ON DATABASE %I FROM PUBLIC, %s;', h.datname,
                  string_agg(r.name, ', ' ORDER BY r.name)),
           true
      FROM here h CROSS JOIN fenced_role r
     WHERE has_database_privilege(r.role, h.oid, 'CREATE')
     GROUP BY h.datname

    UNION ALL
    SELECT 'setting lo_compat_privileges', 'large objects of all tenants can be read by each',
           format('ALTER DATABASE %I SET lo_compat_privileges = off;', h.datname), true
      FROM here h
     WHERE current_setting('lo_compat_privileges')::boolean

    UNION ALL
    SELECT 'event trigger orla_guard_drop', 'DROP EXTENSION is not guarded',
           'ALTER EVENT TRIGGER orla_guard_drop ENABLE;', true
      FROM pg_event_trigger e
     WHERE e.evtname = 'orla_guard_drop' AND e.evtenabled NOT IN ('O', 'A')

    UNION ALL
    SELECT 'setting orla.allow_drop', 'DROP EXTENSION is not guarded',
           format('ALTER DATABASE %I RESET orla.allow_drop;', h.datname), false
      FROM here h
     WHERE EXISTS (SELECT FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS c
                    WHERE s.setdatabase IN (0, h.oid) AND c ~* '^orla\.allow_drop=(on|true|yes|1)$')
$$;
REVOKE ALL ON FUNCTION orla.findings_server() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.findings_server() TO orla_admin;
COMMENT ON FUNCTION orla.findings_server() IS
    'For orla.check_isolation(): the server and the settings of the database.';
