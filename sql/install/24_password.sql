-- Passwords (src/password.c).

CREATE FUNCTION orla.hash_password(password text)
    RETURNS text
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_hash_password';
REVOKE ALL ON FUNCTION orla.hash_password(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.hash_password(text) TO orla_service;
COMMENT ON FUNCTION orla.hash_password(text) IS
    'Argon2id (RFC 9106) with the costs of the settings, as a PHC string. Errors: PT503 where too many are computed at once.';

CREATE FUNCTION orla.verify_password(password text, hash text)
    RETURNS boolean
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'orla_verify_password';
REVOKE ALL ON FUNCTION orla.verify_password(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.verify_password(text, text) TO orla_service;
COMMENT ON FUNCTION orla.verify_password(text, text) IS
    'Whether an Argon2id hash is of this password. Errors: PT503 where too many are computed at once.';

CREATE FUNCTION orla.password_needs_rehash(hash text)
    RETURNS boolean
    LANGUAGE C STABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'orla_password_needs_rehash';
REVOKE ALL ON FUNCTION orla.password_needs_rehash(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.password_needs_rehash(text) TO orla_service;
COMMENT ON FUNCTION orla.password_needs_rehash(text) IS
    'Whether a hash was made with other costs than the settings say now, or in another way.';

-- bcrypt as it comes from elsewhere: $2b$ and $2y$ name the same function as
-- pgcrypto's $2a$.  pgcrypto may live in any schema.
DO $$
DECLARE
    pgcrypto name;
BEGIN
    SELECT n.nspname INTO STRICT pgcrypto
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pgcrypto';
    EXECUTE format($f$
        CREATE FUNCTION orla.check_bcrypt(password text, hash text)
            RETURNS boolean
            LANGUAGE sql STABLE STRICT
            RETURN %1$I.crypt(password, '$2a' || substr(hash, 4)) = '$2a' || substr(hash, 4)
    $f$, pgcrypto);
END
$$;
REVOKE ALL ON FUNCTION orla.check_bcrypt(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.check_bcrypt(text, text) TO orla_service;
COMMENT ON FUNCTION orla.check_bcrypt(text, text) IS
    'Whether a bcrypt hash ($2a$, $2b$, $2y$) is of this password; replaced by Argon2id at the next sign-in.';
