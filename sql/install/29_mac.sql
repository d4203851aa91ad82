-- Opaque tokens and keyed digests (src/mac.c).  For orla's own code: whoever
-- may compute them can forge what they vouch for.

CREATE FUNCTION orla.random_token()
    RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_random_token';
REVOKE ALL ON FUNCTION orla.random_token() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.random_token() TO orla_service;
COMMENT ON FUNCTION orla.random_token() IS
    '256 random bits as base64url, 43 characters.';

CREATE FUNCTION orla.mac_key_id()
    RETURNS text
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_mac_key_id';
REVOKE ALL ON FUNCTION orla.mac_key_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.mac_key_id() TO orla_service;
COMMENT ON FUNCTION orla.mac_key_id() IS
    'Id of the key that orla.keyed_digest() takes now; kept beside digests that must outlive a rotation.';

CREATE FUNCTION orla.keyed_digest(label text, data bytea)
    RETURNS bytea
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_keyed_digest';
REVOKE ALL ON FUNCTION orla.keyed_digest(text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.keyed_digest(text, bytea) TO orla_service;
COMMENT ON FUNCTION orla.keyed_digest(text, bytea) IS
    'HMAC-SHA256 under the keyring''s current mac key; the label separates uses.';

CREATE FUNCTION orla.keyed_digest_with(key_id text, label text, data bytea)
    RETURNS bytea
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_keyed_digest_with';
REVOKE ALL ON FUNCTION orla.keyed_digest_with(text, text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.keyed_digest_with(text, text, bytea) TO orla_service;
COMMENT ON FUNCTION orla.keyed_digest_with(text, text, bytea) IS
    'As orla.keyed_digest(), under the mac key of this id. Errors: F0000 where the keyring does not hold it.';
