-- The audit trail: written by the functions that do something, with what they
-- do.  Each row carries a keyed digest of itself; batches list rows and chain.

-- What a row's digest covers.  user_id is left out, since it is emptied when
-- the account goes: subject_digest stands for it.
CREATE FUNCTION orla.audit_row_text(r orla.audit_log)
    RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT convert_to(jsonb_build_array(r.id, r.event_type, r.event_status, r.error_message, r.metadata,
                                        extract(epoch FROM r.created_at)::text,
                                        encode(r.subject_digest, 'hex'), encode(r.sealed_personal, 'hex'))::text, 'UTF8')
$$;
REVOKE ALL ON FUNCTION orla.audit_row_text(orla.audit_log) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_row_text(orla.audit_log) TO orla_service;
COMMENT ON FUNCTION orla.audit_row_text(orla.audit_log) IS
    'What the keyed digest of an audit row covers.';

CREATE FUNCTION orla.audit(event text, status text, subject uuid, facts jsonb DEFAULT '{}', personal jsonb DEFAULT NULL, error text DEFAULT NULL)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r orla.audit_log;
BEGIN
    r.id := gen_random_uuid();
    r.user_id := subject;
    r.event_type := event;
    r.event_status := status;
    r.error_message := error;
    r.metadata := jsonb_strip_nulls(coalesce(facts, '{}'));
    r.created_at := clock_timestamp();
    r.mac_key_id := orla.mac_key_id();
    IF subject IS NOT NULL THEN
        r.subject_digest := orla.keyed_digest('audit subject', convert_to(subject::text, 'UTF8'));
        -- Under the tenant's own key: it goes with the account, the row stays.
        IF personal IS NOT NULL AND EXISTS (SELECT FROM orla.tenant_keys t WHERE t.user_id = subject) THEN
            r.sealed_personal := orla.seal(personal::text, subject, 'audit_log|' || r.id);
        END IF;
    END IF;
    r.mac := orla.keyed_digest_with(r.mac_key_id, 'audit row', orla.audit_row_text(r));
    INSERT INTO orla.audit_log (id, user_id, event_type, event_status, error_message, metadata,
                                created_at, subject_digest, sealed_personal, mac, mac_key_id)
    VALUES (r.id, r.user_id, r.event_type, r.event_status, r.error_message, r.metadata,
            r.created_at, r.subject_digest, r.sealed_personal, r.mac, r.mac_key_id);
    RETURN r.id;
END
$$;
REVOKE ALL ON FUNCTION orla.audit(text, text, uuid, jsonb, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit(text, text, uuid, jsonb, jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.audit(text, text, uuid, jsonb, jsonb, text) IS
    'Writes an audit row. facts name no person and hold no secret; personal (address, origin) is sealed under the subject''s own key.';

CREATE FUNCTION orla.audit_rows_digest(batch bigint, key_id text)
    RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.keyed_digest_with(key_id, 'audit rows',
               convert_to(coalesce(string_agg(b.audit_id || ':' || coalesce(encode(a.mac, 'hex'), 'gone'), ',' ORDER BY b.position), ''), 'UTF8'))
      FROM orla.audit_batch_rows AS b
      LEFT JOIN orla.audit_log AS a ON a.id = b.audit_id
     WHERE b.seq = batch
$$;
REVOKE ALL ON FUNCTION orla.audit_rows_digest(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_rows_digest(bigint, text) TO orla_service;
COMMENT ON FUNCTION orla.audit_rows_digest(bigint, text) IS
    'Keyed digest over the rows that a batch lists, as they are now.';

CREATE FUNCTION orla.audit_batch_digest(b orla.audit_batches)
    RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT orla.keyed_digest_with(b.mac_key_id, 'audit batch',
               convert_to(jsonb_build_array(b.seq, extract(epoch FROM b.sealed_at)::text, b.row_count,
                                            encode(b.rows_digest, 'hex'), encode(b.previous_digest, 'hex'))::text, 'UTF8'))
$$;
REVOKE ALL ON FUNCTION orla.audit_batch_digest(orla.audit_batches) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_batch_digest(orla.audit_batches) TO orla_service;
COMMENT ON FUNCTION orla.audit_batch_digest(orla.audit_batches) IS
    'Keyed digest of a batch, which chains it to the one before.';

-- SECURITY DEFINER: the trail is orla_service's.  Writers of the trail do not
-- wait for this; two sealers do, for each other.
CREATE FUNCTION orla.audit_seal()
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last orla.audit_batches;
    b    orla.audit_batches;
BEGIN
    LOCK TABLE orla.audit_batches IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO last FROM orla.audit_batches ORDER BY seq DESC LIMIT 1;
    b.seq := coalesce(last.seq, 0) + 1;
    INSERT INTO orla.audit_batch_rows (audit_id, seq, position)
    SELECT a.id, b.seq, row_number() OVER (ORDER BY a.created_at, a.id)
      FROM orla.audit_log AS a
     WHERE NOT EXISTS (SELECT FROM orla.audit_batch_rows AS r WHERE r.audit_id = a.id);
    GET DIAGNOSTICS b.row_count = ROW_COUNT;
    IF b.row_count = 0 THEN
        RETURN NULL;
    END IF;
    b.sealed_at := clock_timestamp();
    b.mac_key_id := orla.mac_key_id();
    b.previous_digest := last.digest;
    b.rows_digest := orla.audit_rows_digest(b.seq, b.mac_key_id);
    b.digest := orla.audit_batch_digest(b);
    INSERT INTO orla.audit_batches VALUES (b.*);
    RETURN b.seq;
END
$$;
ALTER FUNCTION orla.audit_seal() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.audit_seal() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_seal() TO orla_admin;
COMMENT ON FUNCTION orla.audit_seal() IS
    'Puts the audit rows that are in no batch yet into one and chains it to the last. Returns its number, NULL where there was nothing to seal.';

-- SECURITY DEFINER, like audit_seal().
CREATE FUNCTION orla.audit_head()
    RETURNS TABLE (seq bigint, digest text)
    LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.seq, encode(b.digest, 'hex') FROM orla.audit_batches AS b ORDER BY b.seq DESC LIMIT 1
$$;
ALTER FUNCTION orla.audit_head() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.audit_head() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_head() TO orla_admin;
COMMENT ON FUNCTION orla.audit_head() IS
    'Number and digest of the last batch: what an operator keeps elsewhere, to hand to orla.audit_verify() later.';

-- SECURITY DEFINER, like audit_seal().
CREATE FUNCTION orla.audit_verify(head_seq bigint DEFAULT NULL, head_digest text DEFAULT NULL)
    RETURNS TABLE (object text, problem text)
    LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r        orla.audit_log;
    b        orla.audit_batches;
    listed   record;
    previous orla.audit_batches;
BEGIN
    FOR r IN SELECT * FROM orla.audit_log ORDER BY created_at, id LOOP
        IF r.mac IS NULL OR r.mac_key_id IS NULL THEN
            RETURN QUERY SELECT 'row ' || r.id, 'was inserted by hand: it has no digest';
            RETURN;
        ELSIF r.mac <> orla.keyed_digest_with(r.mac_key_id, 'audit row', orla.audit_row_text(r)) THEN
            RETURN QUERY SELECT 'row ' || r.id, 'was changed or inserted by hand';
            RETURN;
        END IF;
    END LOOP;

    FOR b IN SELECT * FROM orla.audit_batches AS x ORDER BY x.seq LOOP
        IF b.seq <> coalesce(previous.seq, 0) + 1 THEN
            RETURN QUERY SELECT 'batch ' || (coalesce(previous.seq, 0) + 1), 'was removed';
            RETURN;
        END IF;
        IF b.previous_digest IS DISTINCT FROM previous.digest OR b.digest <> orla.audit_batch_digest(b) THEN
            RETURN QUERY SELECT 'batch ' || b.seq, 'was changed or inserted by hand';
            RETURN;
        END IF;
        SELECT l.audit_id INTO listed
          FROM orla.audit_batch_rows AS l
         WHERE l.seq = b.seq AND NOT EXISTS (SELECT FROM orla.audit_log AS a WHERE a.id = l.audit_id)
         ORDER BY l.position LIMIT 1;
        IF FOUND THEN
            RETURN QUERY SELECT 'row ' || listed.audit_id, 'was removed';
            RETURN;
        END IF;
        IF b.rows_digest <> orla.audit_rows_digest(b.seq, b.mac_key_id) THEN
            RETURN QUERY SELECT 'batch ' || b.seq, 'lists other rows than it was sealed with';
            RETURN;
        END IF;
        previous := b;
    END LOOP;

    SELECT l.audit_id, l.seq INTO listed
      FROM orla.audit_batch_rows AS l
     WHERE NOT EXISTS (SELECT FROM orla.audit_batches AS x WHERE x.seq = l.seq)
     ORDER BY l.seq, l.position LIMIT 1;
    IF FOUND THEN
        RETURN QUERY SELECT 'batch ' || listed.seq, 'was removed';
        RETURN;
    END IF;

    IF head_seq IS NOT NULL THEN
        SELECT * INTO b FROM orla.audit_batches AS x WHERE x.seq = head_seq;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 'batch ' || head_seq, 'was cut off';
        ELSIF encode(b.digest, 'hex') IS DISTINCT FROM lower(head_digest) THEN
            RETURN QUERY SELECT 'batch ' || head_seq, 'is not the one whose digest was kept';
        END IF;
    END IF;
END
$$;
ALTER FUNCTION orla.audit_verify(bigint, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.audit_verify(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_verify(bigint, text) TO orla_admin;
COMMENT ON FUNCTION orla.audit_verify(bigint, text) IS
    'The first audit row or batch that was changed, removed, inserted or cut off; no row when all is whole. With the kept head of orla.audit_head() a cut-off end shows as well.';
