-- Random values and keyed digests (src/mac.c), for orla's own code: whoever
-- can make a digest can forge what it vouches for.

CREATE FUNCTION orla.random_token()
    RETURNS text
    LANGUAGE C VOLATILE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_random_token';
REVOKE ALL ON FUNCTION orla.random_token() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.random_token() TO orla_service;
COMMENT ON FUNCTION orla.random_token() IS
    '256 random bits as 43 characters of base64url.';

CREATE FUNCTION orla.mac_key_id()
    RETURNS text
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_mac_key_id';
REVOKE ALL ON FUNCTION orla.mac_key_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.mac_key_id() TO orla_service;
COMMENT ON FUNCTION orla.mac_key_id() IS
    'The key of the keyring that digests are made with now; to be stored beside them.';

CREATE FUNCTION orla.keyed_digest(label text, data bytea)
    RETURNS bytea
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_keyed_digest';
REVOKE ALL ON FUNCTION orla.keyed_digest(text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.keyed_digest(text, bytea) TO orla_service;
COMMENT ON FUNCTION orla.keyed_digest(text, bytea) IS
    'HMAC-SHA256 under the key that orla.mac_key_id() names. The label says what for: digests of two labels have nothing in common.';

CREATE FUNCTION orla.keyed_digest_with(key_id text, label text, data bytea)
    RETURNS bytea
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_keyed_digest_with';
REVOKE ALL ON FUNCTION orla.keyed_digest_with(text, text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.keyed_digest_with(text, text, bytea) TO orla_service;
COMMENT ON FUNCTION orla.keyed_digest_with(text, text, bytea) IS
    'The same under a given key, to check what an earlier key made; error 42704 when the keyring does not have it.';

CREATE FUNCTION orla.constant_time_equal(a bytea, b bytea)
    RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_constant_time_equal';
REVOKE ALL ON FUNCTION orla.constant_time_equal(bytea, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.constant_time_equal(bytea, bytea) TO orla_service;
COMMENT ON FUNCTION orla.constant_time_equal(bytea, bytea) IS
    'Whether two byte strings are equal, in a time that tells nothing but their lengths.';
