-- What content tables have as BEFORE UPDATE trigger.  It reads no table and
-- writes nothing but the row at hand: inside a foreign key's action a trigger
-- runs as the table's owner with the fence down.  It has no SET clause because
-- there is nothing in it to resolve.
CREATE FUNCTION orla.touch_updated_at()
    RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    NEW.updated_at := CURRENT_TIMESTAMP;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION orla.touch_updated_at() FROM PUBLIC;
COMMENT ON FUNCTION orla.touch_updated_at() IS 'trigger: sets updated_at to the time of the transaction';
