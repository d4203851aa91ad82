-- Who an HTTP request is from (src/request.c).

-- SECURITY INVOKER, since it changes orla_anon to orla_user for whoever
-- brought a good token, which a definer function could not.
CREATE FUNCTION orla.pre_request()
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_pre_request';
REVOKE ALL ON FUNCTION orla.pre_request() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.pre_request()
    TO orla_anon, orla_user, orla_analyst, orla_gateway;
COMMENT ON FUNCTION orla.pre_request() IS
    'Binds the tenant of an HTTP request. For PostgREST''s db-pre-request, or any layer that hands over request.headers and request.cookies.

Takes the bearer token, or the session cookie (__Host-orla_session; orla_session while orla.public_url is plain http), and binds the tenant until the transaction ends. Neither: nobody. If the current role is orla_anon, a proof makes it orla_user for the rest of the transaction. HTTP logins may call it as well.

Errors: PT401 for a bad token, or for both at once, PT403 for a cookie on a request that writes and does not come from the application''s own pages.';

-- For what writes later than it refuses other things: the answer to a GET does
-- not depend on its arguments.
CREATE FUNCTION orla.require_writable(operation text)
    RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'cannot execute % in a read-only transaction', operation
            USING ERRCODE = 'read_only_sql_transaction';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION orla.require_writable(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.require_writable(text) TO orla_service;
COMMENT ON FUNCTION orla.require_writable(text) IS
    'Refuses a read-only transaction. Errors: 25006.';
