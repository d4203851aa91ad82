-- When what is to be published.
CREATE TABLE orla.content_calendar (
    user_id        uuid        NOT NULL DEFAULT orla.current_tenant()
        REFERENCES orla.users (id) ON DELETE CASCADE,
    id             uuid        NOT NULL DEFAULT gen_random_uuid(),
    content_id     uuid,
    title          text        CHECK (octet_length(title) <= 8000),
    content_type   text        CHECK (octet_length(content_type) <= 500),
    scheduled_date timestamptz NOT NULL,
    status         text        NOT NULL DEFAULT 'scheduled'
        CHECK (status IN ('scheduled', 'published', 'cancelled', 'failed')),
    platform       text        CHECK (octet_length(platform) <= 500),
    notes          text        CHECK (octet_length(notes) <= 1048576),
    content        text        CHECK (octet_length(content) <= 16777216),
    media_url      text        CHECK (octet_length(media_url) <= 8000),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, id),
    FOREIGN KEY (user_id, content_id)
        REFERENCES orla.content_library (user_id, id) ON DELETE SET NULL (content_id)
);
ALTER TABLE orla.content_calendar OWNER TO orla_service;
COMMENT ON TABLE orla.content_calendar IS 'the calendar: what is published when';
COMMENT ON COLUMN orla.content_calendar.content_id IS 'item of the tenant''s own content library; emptied when that is deleted';
COMMENT ON COLUMN orla.content_calendar.content IS 'the text as scheduled, where it is not in the library';
CREATE INDEX content_calendar_scheduled_date ON orla.content_calendar (user_id, scheduled_date);
CREATE INDEX content_calendar_created_at ON orla.content_calendar (user_id, created_at);
CREATE INDEX content_calendar_content ON orla.content_calendar (user_id, content_id);

ALTER TABLE orla.content_calendar ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.content_calendar FORCE ROW LEVEL SECURITY;
CREATE POLICY content_calendar_tenant ON orla.content_calendar
    FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY content_calendar_analyst ON orla.content_calendar
    FOR SELECT TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));
CREATE POLICY content_calendar_tenant_only ON orla.content_calendar
    AS RESTRICTIVE FOR ALL TO orla_user, orla_gateway, orla_service
    USING (user_id = orla.current_tenant()) WITH CHECK (user_id = orla.current_tenant());
CREATE POLICY content_calendar_analyst_only ON orla.content_calendar
    AS RESTRICTIVE FOR ALL TO orla_analyst
    USING (user_id = ANY (orla.granted_tenants()));

CREATE TRIGGER content_calendar_touch BEFORE UPDATE ON orla.content_calendar
    FOR EACH ROW EXECUTE FUNCTION orla.touch_updated_at();

-- What a tenant plans is to come: a day is left for time zones.  What restores and
-- imports bring counts as it is, and so does what has happened.  Like
-- orla.touch_updated_at(), this reads no table.
CREATE FUNCTION orla.check_scheduled_date()
    RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.status = OLD.status
       AND date_trunc('minute', NEW.scheduled_date) = date_trunc('minute', OLD.scheduled_date) THEN
        RETURN NEW;     -- as it was: other things may change of what is over
    ELSIF NEW.scheduled_date < CURRENT_TIMESTAMP - interval '1 day' THEN
        RAISE EXCEPTION 'scheduled_date is in the past'
            USING ERRCODE = 'datetime_field_overflow',
                  HINT = 'For what has been published, say so in status.';
    ELSIF NEW.scheduled_date > CURRENT_TIMESTAMP + interval '100 years' THEN
        RAISE EXCEPTION 'scheduled_date is too far away'
            USING ERRCODE = 'datetime_field_overflow', DETAIL = 'It is at most 100 years from now.';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION orla.check_scheduled_date() FROM PUBLIC;
COMMENT ON FUNCTION orla.check_scheduled_date() IS 'trigger: refuses a plan for the past, or for a time that nobody sees';

CREATE TRIGGER content_calendar_date
    BEFORE INSERT OR UPDATE OF scheduled_date, status ON orla.content_calendar
    FOR EACH ROW WHEN (NEW.status = 'scheduled' AND orla.current_tenant() IS NOT NULL)
    EXECUTE FUNCTION orla.check_scheduled_date();

REVOKE ALL ON TABLE orla.content_calendar FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.content_calendar
    TO orla_user, orla_gateway, orla_service;
GRANT SELECT ON TABLE orla.content_calendar TO orla_analyst;

SELECT pg_extension_config_dump('orla.content_calendar', '');
