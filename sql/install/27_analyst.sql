-- Which tenants an analyst may read (src/analyst.c).

CREATE FUNCTION orla.granted_tenants()
    RETURNS uuid[]
    LANGUAGE C STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_granted_tenants';
REVOKE ALL ON FUNCTION orla.granted_tenants() FROM PUBLIC;
-- To everybody: policies call it with the rights of whoever asks.
GRANT EXECUTE ON FUNCTION orla.granted_tenants() TO PUBLIC;
COMMENT ON FUNCTION orla.granted_tenants() IS
    'The tenants granted to the login of this session, cut down to orla.narrow_to; empty for whoever is no analyst. Called by policies, hence for everybody.';
