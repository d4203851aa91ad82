-- Tables with rows in them are not dropped by mistake.  The hook that refuses
-- is in the library (src/fence.c); what the event trigger does is to load it in
-- sessions that had no need of it before.
CREATE EVENT TRIGGER orla_guard_drop ON ddl_command_start
    WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
    EXECUTE FUNCTION orla.guard_drop();
COMMENT ON EVENT TRIGGER orla_guard_drop IS
    'orla: loads the guard over tables that have rows, whatever statement would drop them';
