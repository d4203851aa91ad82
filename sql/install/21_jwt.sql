-- Access tokens (src/jwt.c). Both functions are for orla's own code: whoever
-- may sign can be anybody.

CREATE FUNCTION orla.sign_jwt(claims jsonb)
    RETURNS text
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_sign_jwt';
REVOKE ALL ON FUNCTION orla.sign_jwt(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.sign_jwt(jsonb) TO orla_service;
COMMENT ON FUNCTION orla.sign_jwt(jsonb) IS
    'A JWT (RFC 7519) with these claims, signed by the keyring''s current signing key, named in kid.';

CREATE FUNCTION orla.verify_jwt(token text)
    RETURNS jsonb
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_verify_jwt';
REVOKE ALL ON FUNCTION orla.verify_jwt(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.verify_jwt(text) TO orla_service;
COMMENT ON FUNCTION orla.verify_jwt(text) IS
    'Claims of an access token whose signature, issuer, audience and times are good, else error PT401. Does not look at the session: orla.authenticate() does.';
