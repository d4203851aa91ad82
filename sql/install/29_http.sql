-- Requests to other servers (src/http_fetch.c).

CREATE FUNCTION orla.http_fetch(
    request jsonb, sealed_bearer bytea DEFAULT NULL, tenant uuid DEFAULT NULL, purpose text DEFAULT NULL,
    OUT status integer, OUT headers jsonb, OUT body bytea, OUT failure text, OUT message text)
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_http_fetch_sql';
REVOKE ALL ON FUNCTION orla.http_fetch(jsonb, bytea, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.http_fetch(jsonb, bytea, uuid, text) TO orla_service;
COMMENT ON FUNCTION orla.http_fetch(jsonb, bytea, uuid, text) IS
    'One request to another server, for definer functions of your own that read from a provider.

The token comes sealed for a tenant and purpose (orla.seal()) and is opened for this request only; no statement, log or view has it. failure is NULL where there is a status, else refused, tls, connect (nothing was sent), timeout, too_large or protocol. Redirects are not followed: the answer is the 302 with its location. Names of headers come in lower case. It takes no lock, and a cancel ends it at once.

Errors: 22023 for a malformed request, 22000 where the token does not open.';
