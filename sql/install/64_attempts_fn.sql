-- Where a sign-in comes from, and how those that fail are counted.

CREATE FUNCTION orla.device_digest(key_id text, device text, address text)
    RETURNS bytea
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.keyed_digest_with(key_id, 'device', convert_to(device || ' ' || address, 'UTF8'));
END
$$;
REVOKE ALL ON FUNCTION orla.device_digest(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.device_digest(text, text, text) TO orla_service;
COMMENT ON FUNCTION orla.device_digest(text, text, text) IS
    'What a known-device cookie is signed with: the device and the address it signed in to.';

CREATE FUNCTION orla.known_device(address text, origin jsonb)
    RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    cookie text[] := regexp_match(origin ->> 'device', '^([0-9a-f-]{36})[.]([0-9a-f]{16})[.]([0-9a-f]{64})$');
BEGIN
    IF orla.constant_time_equal(orla.device_digest(cookie[2], cookie[1], address), decode(cookie[3], 'hex')) THEN
        RETURN cookie[1];
    END IF;
    RETURN NULL;
EXCEPTION WHEN undefined_object THEN
    RETURN NULL;        -- the key that it names is not ours
END
$$;
REVOKE ALL ON FUNCTION orla.known_device(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.known_device(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.known_device(text, jsonb) IS
    'The device that signed in to this address before and says so by a cookie under our key; NULL for any other.';

-- Where something comes from, for counting: a device that the account knows, else
-- the network address.  Of IPv6 the half that a customer does not choose.
CREATE FUNCTION orla.origin_digest(address text, origin jsonb)
    RETURNS bytea
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    device text := orla.known_device(address, origin);
    ip     inet := (origin ->> 'ip')::inet;
BEGIN
    IF family(ip) = 6 AND NOT ip <<= '::ffff:0:0/96' THEN
        ip := network(set_masklen(ip, 64));
    END IF;
    RETURN orla.keyed_digest('origin', convert_to(coalesce('device ' || device, 'address ' || ip, 'unknown'), 'UTF8'));
END
$$;
REVOKE ALL ON FUNCTION orla.origin_digest(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.origin_digest(text, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.origin_digest(text, jsonb) IS
    'Keyed digest of where something comes from: a known device of this account, else a network address.';

CREATE FUNCTION orla.device_cookie(address text)
    RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id     text := gen_random_uuid();
    key_id text := orla.mac_key_id();
BEGIN
    RETURN id || '.' || key_id || '.' || encode(orla.device_digest(key_id, id, address), 'hex');
END
$$;
REVOKE ALL ON FUNCTION orla.device_cookie(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.device_cookie(text) TO orla_service;
COMMENT ON FUNCTION orla.device_cookie(text) IS
    'A cookie that tells this device again when it signs in to the same account.';

CREATE FUNCTION orla.address_digest(address text)
    RETURNS bytea
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN orla.keyed_digest('address', convert_to(coalesce(address, ''), 'UTF8'));
END
$$;
REVOKE ALL ON FUNCTION orla.address_digest(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.address_digest(text) TO orla_service;
COMMENT ON FUNCTION orla.address_digest(text) IS
    'Keyed digest of an e-mail address, by which attempts are counted.';

-- Counts per address and origin, so that nobody locks another out.  While
-- locked, the right password is no better than a wrong one.  Whatever the cause of a
-- refusal, the same rows are written.
CREATE FUNCTION orla.count_attempt(address text, origin jsonb, good boolean)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    who      bytea := orla.address_digest(address);
    whence   bytea := orla.origin_digest(coalesce(address, ''), origin);
    lockout  interval := current_setting('orla.lockout_duration')::interval;
    attempts orla.sign_in_attempts;
    locked   boolean;
BEGIN
    -- locks the row, so that guesses at the same time are counted one by one
    INSERT INTO orla.sign_in_attempts AS a (address_digest, origin_digest) VALUES (who, whence)
    ON CONFLICT (address_digest, origin_digest) DO UPDATE SET failed = a.failed
    RETURNING * INTO attempts;
    locked := coalesce(attempts.locked_until > clock_timestamp(), false);

    IF good AND NOT locked THEN
        DELETE FROM orla.sign_in_attempts AS a WHERE a.address_digest = who AND a.origin_digest = whence;
        RETURN true;
    END IF;
    IF NOT locked THEN
        IF attempts.window_started_at < clock_timestamp() - lockout THEN
            attempts.failed := 0;
            attempts.window_started_at := clock_timestamp();
        END IF;
        attempts.failed := attempts.failed + 1;
        attempts.locked_until := CASE WHEN attempts.failed >= current_setting('orla.max_failed_sign_ins')::int
                                      THEN clock_timestamp() + lockout END;
    END IF;
    UPDATE orla.sign_in_attempts AS a
       SET failed = attempts.failed, window_started_at = attempts.window_started_at, locked_until = attempts.locked_until
     WHERE a.address_digest = who AND a.origin_digest = whence;
    RETURN false;
END
$$;
REVOKE ALL ON FUNCTION orla.count_attempt(text, jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.count_attempt(text, jsonb, boolean) TO orla_service;
COMMENT ON FUNCTION orla.count_attempt(text, jsonb, boolean) IS
    'Whether what is good otherwise comes from an origin that is not locked out for this address; counts what fails. NULL is not good.';

-- For the trail of a refusal: it names no account that is being deleted.
CREATE FUNCTION orla.account_if_there(account uuid)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT u.id FROM orla.users AS u WHERE u.id = account FOR KEY SHARE);
END
$$;
REVOKE ALL ON FUNCTION orla.account_if_there(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.account_if_there(uuid) TO orla_service;
COMMENT ON FUNCTION orla.account_if_there(uuid) IS
    'The account, locked against deletion; NULL where it is gone by now.';

CREATE FUNCTION orla.forget_attempts(address text)
    RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM orla.sign_in_attempts WHERE address_digest = orla.address_digest(address)
$$;
REVOKE ALL ON FUNCTION orla.forget_attempts(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.forget_attempts(text) TO orla_service;
COMMENT ON FUNCTION orla.forget_attempts(text) IS
    'Empties the counters of an address, for every origin.';
