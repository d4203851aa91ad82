-- Hashes of passwords (src/password.c), for orla's own code. The number of
-- hashes computed at once is bounded over the cluster.

CREATE FUNCTION orla.hash_password(password text)
    RETURNS text
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_hash_password';
REVOKE ALL ON FUNCTION orla.hash_password(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.hash_password(text) TO orla_service;
COMMENT ON FUNCTION orla.hash_password(text) IS
    'An Argon2id hash with the costs that are configured. Error PT503 where too many are computed at once.';

CREATE FUNCTION orla.verify_password(password text, hash text)
    RETURNS boolean
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_verify_password';
REVOKE ALL ON FUNCTION orla.verify_password(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.verify_password(text, text) TO orla_service;
COMMENT ON FUNCTION orla.verify_password(text, text) IS
    'Whether an Argon2id hash is that of the password; false for hashes of another kind. Error PT503 where too many are computed at once.';

CREATE FUNCTION orla.password_needs_rehash(hash text)
    RETURNS boolean
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_password_needs_rehash';
REVOKE ALL ON FUNCTION orla.password_needs_rehash(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.password_needs_rehash(text) TO orla_service;
COMMENT ON FUNCTION orla.password_needs_rehash(text) IS
    'Whether a hash was made with other costs than those configured, or in another way.';

CREATE FUNCTION orla.configured_password_costs()
    RETURNS text
    LANGUAGE C STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'orla_configured_password_costs';
REVOKE ALL ON FUNCTION orla.configured_password_costs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.configured_password_costs() TO orla_service;
COMMENT ON FUNCTION orla.configured_password_costs() IS
    'Algorithm and costs of new hashes, as orla.password_costs() tells them.';

-- No SET clause: an index on orla.users is made over it.
CREATE FUNCTION orla.password_costs(hash text)
    RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(substring(hash FROM '^\$(?:argon2id\$v=[0-9]+\$m=[0-9]+,t=[0-9]+,p=[0-9]+|2[aby]\$[0-9]+)'), '');
REVOKE ALL ON FUNCTION orla.password_costs(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.password_costs(text) TO orla_service;
COMMENT ON FUNCTION orla.password_costs(text) IS
    'Algorithm and costs of a hash: how it begins, up to its salt. Empty for what is no hash.';

-- pgcrypto's crypt() by its identity, not its name: pgcrypto may lie in any
-- schema and may be moved to another.
DO $$
BEGIN
    EXECUTE format($f$
        CREATE FUNCTION orla.bcrypt(password text, salt text)
            RETURNS text
            LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
            RETURN %I.crypt(password, salt)
        $f$,
        (SELECT n.nspname
           FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
          WHERE e.extname = 'pgcrypto'));
END
$$;
REVOKE ALL ON FUNCTION orla.bcrypt(text, text) FROM PUBLIC;
COMMENT ON FUNCTION orla.bcrypt(text, text) IS
    'pgcrypto''s crypt(), for orla.check_bcrypt().';

CREATE FUNCTION orla.check_bcrypt(password text, hash text)
    RETURNS boolean
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_check_bcrypt';
REVOKE ALL ON FUNCTION orla.check_bcrypt(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_bcrypt(text, text) TO orla_service;
COMMENT ON FUNCTION orla.check_bcrypt(text, text) IS
    'Whether a bcrypt hash ($2a$, $2b$, $2y$; cost 4 to 15) is that of the password. Error PT503 where too many are computed at once.';
