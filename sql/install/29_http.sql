-- Requests to other servers (src/http_fetch.c).

CREATE FUNCTION orla.http_fetch(
    request jsonb, sealed_bearer bytea DEFAULT NULL, tenant uuid DEFAULT NULL, purpose text DEFAULT NULL,
    OUT status integer, OUT headers jsonb, OUT body bytea, OUT failure text, OUT message text)
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_http_fetch_sql';
REVOKE ALL ON FUNCTION orla.http_fetch(jsonb, bytea, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.http_fetch(jsonb, bytea, uuid, text) TO orla_service;
COMMENT ON FUNCTION orla.http_fetch(jsonb, bytea, uuid, text) IS
    'One request to a server on its list of hosts, with a token that comes sealed for the tenant and purpose. failure is NULL where there is a status, else refused, tls, connect (nothing was sent), timeout, too_large or protocol. Errors: 22023 for a malformed request, 22000 where the token does not open.';
