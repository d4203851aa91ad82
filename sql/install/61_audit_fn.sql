-- The audit trail: written by the functions that do something, with what they
-- do.  Each row carries a keyed digest of itself; batches list rows and chain.
--
-- What a digest covers is put together from values whose text depends on no
-- setting of the session: numbers, hexadecimal, uuids, jsonb.

-- user_id is left out, since it is emptied when the account goes:
-- subject_digest stands for it.
CREATE FUNCTION orla.audit_row_text(r orla.audit_log)
    RETURNS bytea
    LANGUAGE sql STABLE
    RETURN convert_to(jsonb_build_array(r.id, r.event_type, r.event_status, r.ip_address, r.user_agent,
                                        r.error_message, r.metadata, extract(epoch FROM r.created_at)::text,
                                        encode(r.subject_digest, 'hex'), encode(r.sealed_personal, 'hex'))::text, 'UTF8');
REVOKE ALL ON FUNCTION orla.audit_row_text(orla.audit_log) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_row_text(orla.audit_log) TO orla_service;
COMMENT ON FUNCTION orla.audit_row_text(orla.audit_log) IS
    'What the keyed digest of an audit row covers.';

CREATE FUNCTION orla.audit_subject_digest(key_id text, subject uuid)
    RETURNS bytea
    LANGUAGE sql STABLE
    RETURN orla.keyed_digest_with(key_id, 'audit subject', convert_to(subject::text, 'UTF8'));
REVOKE ALL ON FUNCTION orla.audit_subject_digest(text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_subject_digest(text, uuid) TO orla_service;
COMMENT ON FUNCTION orla.audit_subject_digest(text, uuid) IS
    'What stands for an account in the digest of an audit row.';

-- Under the tenant's own key: it goes with the account, the row stays.  The
-- device cookie vouches for a device, so it is left out.
CREATE FUNCTION orla.audit_seal_personal(row_id uuid, subject uuid, personal jsonb)
    RETURNS bytea
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- looked at for nobody as well, since pg_locks shows which tables are read
    has_key boolean := EXISTS (SELECT FROM orla.tenant_keys AS t WHERE t.user_id = subject);
BEGIN
    personal := nullif(jsonb_strip_nulls(personal - 'device'), '{}');
    IF subject IS NULL OR personal IS NULL THEN
        RETURN NULL;
    END IF;
    -- imported accounts have no key until something is sealed for them
    IF NOT has_key THEN
        INSERT INTO orla.tenant_keys (user_id, wrapped_key, key_id)
        SELECT subject, w.wrapped_key, w.key_id FROM orla.wrap_new_key(subject) AS w
        ON CONFLICT (user_id) DO NOTHING;
    END IF;
    RETURN orla.seal(personal::text, subject, 'audit_log|' || row_id);
END
$$;
REVOKE ALL ON FUNCTION orla.audit_seal_personal(uuid, uuid, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_seal_personal(uuid, uuid, jsonb) TO orla_service;
COMMENT ON FUNCTION orla.audit_seal_personal(uuid, uuid, jsonb) IS
    'What names a person, sealed for the account and this audit row; NULL without an account.';

CREATE FUNCTION orla.audit(event text, status text, subject uuid, facts jsonb DEFAULT '{}', personal jsonb DEFAULT NULL, error text DEFAULT NULL)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r orla.audit_log;
BEGIN
    -- an account that has gone since it was looked at is nobody
    PERFORM FROM orla.users AS u WHERE u.id = subject FOR KEY SHARE;
    IF NOT FOUND THEN
        subject := NULL;
    END IF;
    r.id := gen_random_uuid();
    r.user_id := subject;
    r.event_type := event;
    r.event_status := status;
    r.error_message := error;
    r.metadata := jsonb_strip_nulls(coalesce(facts, '{}'));
    r.created_at := clock_timestamp();
    r.mac_key_id := orla.mac_key_id();
    r.subject_digest := orla.audit_subject_digest(r.mac_key_id, subject);
    r.sealed_personal := orla.audit_seal_personal(r.id, subject, personal);
    r.mac := orla.keyed_digest_with(r.mac_key_id, 'audit row', orla.audit_row_text(r));
    INSERT INTO orla.audit_log VALUES (r.*);
    RETURN r.id;
END
$$;
REVOKE ALL ON FUNCTION orla.audit(text, text, uuid, jsonb, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit(text, text, uuid, jsonb, jsonb, text) TO orla_service;
COMMENT ON FUNCTION orla.audit(text, text, uuid, jsonb, jsonb, text) IS
    'Writes an audit row. facts name no person and hold no secret; personal (address, user agent) is sealed under the subject''s own key.';

-- The listed rows as they are now, batch by batch.
CREATE FUNCTION orla.audit_listed_rows(first bigint DEFAULT 0)
    RETURNS TABLE (seq bigint, row_count bigint, listed bytea)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT b.seq, count(*),
           convert_to(string_agg(b.position || ':' || b.audit_id || ':' || coalesce(encode(a.mac, 'hex'), 'gone'),
                                 ',' ORDER BY b.position, b.audit_id), 'UTF8')
      FROM orla.audit_batch_rows AS b
      LEFT JOIN orla.audit_log AS a ON a.id = b.audit_id
     WHERE b.seq >= first
     GROUP BY b.seq;
END;
REVOKE ALL ON FUNCTION orla.audit_listed_rows(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_listed_rows(bigint) TO orla_service;
COMMENT ON FUNCTION orla.audit_listed_rows(bigint) IS
    'How many rows each batch lists, and the text that its digest covers.';

CREATE FUNCTION orla.audit_batch_digest(b orla.audit_batches)
    RETURNS bytea
    LANGUAGE sql STABLE
    RETURN orla.keyed_digest_with(b.mac_key_id, 'audit batch',
               convert_to(jsonb_build_array(b.seq, extract(epoch FROM b.sealed_at)::text, b.row_count,
                                            encode(b.rows_digest, 'hex'), encode(b.previous_digest, 'hex'))::text, 'UTF8'));
REVOKE ALL ON FUNCTION orla.audit_batch_digest(orla.audit_batches) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_batch_digest(orla.audit_batches) TO orla_service;
COMMENT ON FUNCTION orla.audit_batch_digest(orla.audit_batches) IS
    'Keyed digest of a batch, which chains it to the one before.';

CREATE FUNCTION orla.audit_pruned_digest(b orla.audit_batches)
    RETURNS bytea
    LANGUAGE sql STABLE
    RETURN orla.keyed_digest_with(b.mac_key_id, 'audit pruned',
               convert_to(jsonb_build_array(encode(b.digest, 'hex'), extract(epoch FROM b.pruned_at)::text)::text, 'UTF8'));
REVOKE ALL ON FUNCTION orla.audit_pruned_digest(orla.audit_batches) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_pruned_digest(orla.audit_batches) TO orla_service;
COMMENT ON FUNCTION orla.audit_pruned_digest(orla.audit_batches) IS
    'Keyed digest that vouches for the pruning of a batch.';

-- Whoever seals or prunes has this lock, a row's that nobody else locks.
CREATE FUNCTION orla.audit_lock()
    RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM orla.ensure_instance();
    PERFORM FROM orla.instance FOR NO KEY UPDATE;
END
$$;
REVOKE ALL ON FUNCTION orla.audit_lock() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_lock() TO orla_service;
COMMENT ON FUNCTION orla.audit_lock() IS
    'Lets one after the other work on the batches of the audit trail, until the transaction ends.';

-- SECURITY DEFINER: the trail is orla_service's.  Writers of the trail do not
-- wait for this; two sealers do, for each other.  A batch has at most 100,000
-- rows, whose list is some megabytes of text.  Rows without a digest are left
-- out: audit_verify() tells of them until audit_adopt() gives them one.
CREATE FUNCTION orla.audit_seal()
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last orla.audit_batches;
    b    orla.audit_batches;
    l    record;
BEGIN
    IF NOT EXISTS (SELECT FROM orla.audit_log AS a WHERE a.mac IS NOT NULL) THEN
        RETURN NULL;        -- first use is not ours to begin
    END IF;
    PERFORM orla.audit_lock();
    SELECT * INTO last FROM orla.audit_batches ORDER BY seq DESC LIMIT 1;
    INSERT INTO orla.audit_batch_rows (audit_id, seq, position)
    SELECT n.id, coalesce(last.seq, 0) + 1 + (n.n - 1) / 100000, 1 + (n.n - 1) % 100000
      FROM (SELECT a.id, row_number() OVER (ORDER BY a.created_at, a.id) AS n
              FROM orla.audit_log AS a
             WHERE a.mac IS NOT NULL
               AND NOT EXISTS (SELECT FROM orla.audit_batch_rows AS r WHERE r.audit_id = a.id)) AS n;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    b.mac_key_id := orla.mac_key_id();
    b.sealed_at := clock_timestamp();
    FOR l IN SELECT * FROM orla.audit_listed_rows(coalesce(last.seq, 0) + 1) ORDER BY seq LOOP
        b.seq := l.seq;
        b.row_count := l.row_count;
        b.rows_digest := orla.keyed_digest_with(b.mac_key_id, 'audit rows', l.listed);
        b.previous_digest := last.digest;
        b.digest := orla.audit_batch_digest(b);
        INSERT INTO orla.audit_batches VALUES (b.*);
        last := b;
    END LOOP;
    RETURN b.seq;
END
$$;
ALTER FUNCTION orla.audit_seal() OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.audit_seal() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_seal() TO orla_admin;
COMMENT ON FUNCTION orla.audit_seal() IS
    'Puts the audit rows that are in no batch yet into one and chains it to the last. Returns its number, NULL where there was nothing to seal.

Writers of the trail do not wait for it.';

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
    'Number and digest of the last batch: to be kept where whoever can write to this database cannot, and handed to orla.audit_verify() later.';

-- The parts of audit_verify().  NULL is as wrong as any other value: whoever may
-- change a table may drop its constraints.  Each reads a table once; a key that the ring
-- does not have is a finding, not an error, since whoever changes a row may
-- write any key's id beside it.
CREATE FUNCTION orla.audit_findings_rows(known text[])
    RETURNS TABLE (object text, problem text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH digests AS (
        SELECT d.mac_key_id, orla.audit_subject_digest(d.mac_key_id, u.id) AS digest
          FROM (SELECT DISTINCT a.mac_key_id FROM orla.audit_log AS a
                 WHERE a.user_id IS NULL AND a.subject_digest IS NOT NULL AND a.mac_key_id = ANY (known)) AS d
         CROSS JOIN orla.users AS u
    ), found AS (
        SELECT a.created_at, a.id,
               CASE WHEN a.mac IS NULL OR a.mac_key_id IS NULL THEN 'has no digest: it was inserted by hand, or imported and not adopted'
                    WHEN a.mac_key_id <> ALL (known) THEN format('has a digest under key "%s", which is not in the keyring', a.mac_key_id)
                    WHEN a.mac IS DISTINCT FROM orla.keyed_digest_with(a.mac_key_id, 'audit row', orla.audit_row_text(a))
                        THEN 'was changed or inserted by hand'
                    WHEN a.user_id IS NULL AND EXISTS (SELECT FROM digests AS d
                                                        WHERE d.mac_key_id = a.mac_key_id AND d.digest = a.subject_digest)
                        THEN 'was taken from its account, which is still there'
                    WHEN a.user_id IS NOT NULL
                         AND a.subject_digest IS DISTINCT FROM orla.audit_subject_digest(a.mac_key_id, a.user_id)
                        THEN 'was given to another account' END AS problem
          FROM orla.audit_log AS a
        UNION ALL
        SELECT min(a.created_at), a.id, 'is there twice' FROM orla.audit_log AS a GROUP BY a.id HAVING count(*) > 1
    )
    SELECT 'row ' || f.id, f.problem
      FROM found AS f
     WHERE f.problem IS NOT NULL
     ORDER BY f.created_at, f.id
     LIMIT 1;
END;
REVOKE ALL ON FUNCTION orla.audit_findings_rows(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_findings_rows(text[]) TO orla_service;
COMMENT ON FUNCTION orla.audit_findings_rows(text[]) IS
    'The first audit row that is not as it was written.';

CREATE FUNCTION orla.audit_findings_batches(known text[])
    RETURNS TABLE (object text, problem text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH chained AS (
        SELECT b AS batch, b.seq, b.mac_key_id, b.digest, b.previous_digest, b.rows_digest, b.row_count, b.pruned_at, b.pruned_digest,
               coalesce(lag(b.seq) OVER w, 0) + 1 AS expected,
               lag(b.digest) OVER w AS before,
               lag(b.pruned_at IS NULL) OVER w AS kept_before
          FROM orla.audit_batches AS b
        WINDOW w AS (ORDER BY b.seq)
    ), missing AS (
        SELECT DISTINCT ON (r.seq) r.seq, r.audit_id
          FROM orla.audit_batch_rows AS r
         WHERE NOT EXISTS (SELECT FROM orla.audit_log AS a WHERE a.id = r.audit_id)
         ORDER BY r.seq, r.position
    ), found AS (
        SELECT c.seq, CASE WHEN c.seq = c.expected OR c.seq < c.expected THEN 'batch ' || c.seq
                           ELSE 'batch ' || c.expected END AS object,
               CASE WHEN c.seq < c.expected THEN 'is there twice'
                    WHEN c.seq > c.expected THEN 'was removed'
                    WHEN (c.mac_key_id = ANY (known)) IS NOT TRUE THEN format('has a digest under key "%s", which is not in the keyring', c.mac_key_id)
                    WHEN c.previous_digest IS DISTINCT FROM c.before OR c.digest IS DISTINCT FROM orla.audit_batch_digest(c.batch)
                        THEN 'was changed or inserted by hand'
                    WHEN c.pruned_at IS NOT NULL AND (c.kept_before OR c.pruned_digest IS DISTINCT FROM orla.audit_pruned_digest(c.batch))
                        THEN 'says that it was pruned, and was not' END AS problem
          FROM chained AS c
        UNION ALL
        SELECT c.seq, coalesce('row ' || m.audit_id, 'batch ' || c.seq),
               CASE WHEN m.audit_id IS NOT NULL THEN 'was removed' ELSE 'lists other rows than it was sealed with' END
          FROM chained AS c
          LEFT JOIN orla.audit_listed_rows() AS l ON l.seq = c.seq
          LEFT JOIN missing AS m ON m.seq = c.seq
         WHERE CASE WHEN c.pruned_at IS NOT NULL THEN l.seq IS NOT NULL
                    WHEN (c.mac_key_id = ANY (known)) IS NOT TRUE THEN false
                    ELSE c.row_count IS DISTINCT FROM l.row_count
                         OR c.rows_digest IS DISTINCT FROM orla.keyed_digest_with(c.mac_key_id, 'audit rows', l.listed) END
        UNION ALL
        SELECT r.seq, 'batch ' || r.seq, 'was removed'
          FROM orla.audit_batch_rows AS r
         WHERE NOT EXISTS (SELECT FROM orla.audit_batches AS b WHERE b.seq = r.seq)
    )
    SELECT f.object, f.problem
      FROM found AS f
     WHERE f.problem IS NOT NULL
     ORDER BY f.seq, f.object DESC
     LIMIT 1;
END;
REVOKE ALL ON FUNCTION orla.audit_findings_batches(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_findings_batches(text[]) TO orla_service;
COMMENT ON FUNCTION orla.audit_findings_batches(text[]) IS
    'The first batch of the audit trail that is not as it was sealed, or the row that it misses.';

-- SECURITY DEFINER, like audit_seal().  STABLE: all of it sees one snapshot, so
-- writers, sealers and deletions that go on meanwhile are no findings.
CREATE FUNCTION orla.audit_verify(head_seq bigint DEFAULT NULL, head_digest text DEFAULT NULL)
    RETURNS TABLE (object text, problem text)
    LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known text[];
    kept  text;
BEGIN
    IF EXISTS (SELECT FROM orla.audit_log AS a WHERE a.mac IS NOT NULL) OR EXISTS (SELECT FROM orla.audit_batches) THEN
        PERFORM orla.mac_key_id();      -- an error without a keyring
        known := ARRAY(SELECT k.key_id FROM orla.keys() AS k WHERE k.use = 'mac');
    END IF;
    RETURN QUERY SELECT f.* FROM orla.audit_findings_rows(known) AS f;
    IF FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT f.* FROM orla.audit_findings_batches(known) AS f;
    IF FOUND THEN
        RETURN;
    END IF;
    IF head_seq IS NOT NULL THEN
        SELECT encode(b.digest, 'hex') INTO kept FROM orla.audit_batches AS b WHERE b.seq = head_seq;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 'batch ' || head_seq, 'was cut off';
        ELSIF kept IS DISTINCT FROM lower(head_digest) THEN
            RETURN QUERY SELECT 'batch ' || head_seq, 'is not the one whose digest was kept';
        END IF;
    END IF;
END
$$;
ALTER FUNCTION orla.audit_verify(bigint, text) OWNER TO orla_service;
REVOKE ALL ON FUNCTION orla.audit_verify(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orla.audit_verify(bigint, text) TO orla_admin;
COMMENT ON FUNCTION orla.audit_verify(bigint, text) IS
    'The first audit row or batch that was changed, removed, inserted or cut off; no row when all is whole.

With the kept head of orla.audit_head() an end that was cut off shows as well.';

-- For superusers: an operator who could prune could take away what tells of him.
CREATE FUNCTION orla.audit_prune(before timestamptz)
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bad   record;
    first bigint;
    last  bigint;
    n     bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM orla.audit_batches) THEN
        RETURN 0;
    END IF;
    PERFORM orla.audit_lock();
    -- up to the first that was sealed later: clocks may have been set back
    SELECT min(b.seq), max(b.seq) INTO first, last
      FROM orla.audit_batches AS b
     WHERE b.pruned_at IS NULL
       AND NOT EXISTS (SELECT FROM orla.audit_batches AS x
                        WHERE x.seq <= b.seq AND (x.sealed_at < audit_prune.before) IS NOT TRUE);
    IF first IS NULL THEN
        RETURN 0;
    END IF;
    -- what is pruned cannot be verified any more
    SELECT * INTO bad FROM orla.audit_verify();
    IF FOUND THEN
        RAISE EXCEPTION 'cannot prune an audit trail that is not whole'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('The %s %s.', bad.object, bad.problem),
                  HINT = 'Find out what happened, and keep a dump of the trail, before anything else.';
    END IF;
    DELETE FROM orla.audit_log AS a USING orla.audit_batch_rows AS r WHERE r.audit_id = a.id AND r.seq <= last;
    GET DIAGNOSTICS n = ROW_COUNT;
    DELETE FROM orla.audit_batch_rows AS r WHERE r.seq <= last;
    UPDATE orla.audit_batches AS b
       SET pruned_at = p.pruned_at, pruned_digest = orla.audit_pruned_digest(p)
      FROM (SELECT x.seq, x.sealed_at, x.row_count, x.rows_digest, x.previous_digest, x.digest, x.mac_key_id,
                   transaction_timestamp() AS pruned_at, NULL::bytea AS pruned_digest
              FROM orla.audit_batches AS x WHERE x.seq BETWEEN first AND last) AS p
     WHERE b.seq = p.seq;
    PERFORM orla.audit('audit_prune', 'success', NULL,
                       jsonb_build_object('by', session_user, 'first_batch', first, 'last_batch', last, 'rows', n));
    -- in a batch at once: it is what is left of those rows
    PERFORM orla.audit_seal();
    RETURN n;
END
$$;
REVOKE ALL ON FUNCTION orla.audit_prune(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION orla.audit_prune(timestamptz) IS
    'Takes away the rows of the audit trail that were sealed before then; returns their number. For a superuser, since an operator could take away what tells of him.

Whole batches from the beginning. The batches themselves stay, so every head that was ever kept stays good. Nothing goes while orla.audit_verify() reports something. Leaves an audit row.

Errors: 55000 where the trail is not whole.';

-- For superusers, since nobody else can import.
CREATE FUNCTION orla.audit_adopt()
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r orla.audit_log;
    n bigint := 0;
BEGIN
    PERFORM orla.audit_lock();
    FOR r IN SELECT * FROM orla.audit_log AS a
              WHERE a.mac IS NULL AND NOT EXISTS (SELECT FROM orla.audit_batch_rows AS x WHERE x.audit_id = a.id)
                FOR UPDATE LOOP
        r.mac_key_id := orla.mac_key_id();
        r.subject_digest := orla.audit_subject_digest(r.mac_key_id, r.user_id);
        r.sealed_personal := NULL;
        IF r.user_id IS NOT NULL THEN
            r.sealed_personal := orla.audit_seal_personal(r.id, r.user_id,
                                     jsonb_build_object('ip', host(r.ip_address), 'user_agent', r.user_agent));
            r.ip_address := NULL;
            r.user_agent := NULL;
        END IF;
        r.mac := orla.keyed_digest_with(r.mac_key_id, 'audit row', orla.audit_row_text(r));
        UPDATE orla.audit_log
           SET ip_address = r.ip_address, user_agent = r.user_agent, subject_digest = r.subject_digest,
               sealed_personal = r.sealed_personal, mac = r.mac, mac_key_id = r.mac_key_id
         WHERE id = r.id;
        n := n + 1;
    END LOOP;
    IF n > 0 THEN
        PERFORM orla.audit('audit_adopt', 'success', NULL, jsonb_build_object('by', session_user, 'rows', n));
        PERFORM orla.audit_seal();
    END IF;
    RETURN n;
END
$$;
REVOKE ALL ON FUNCTION orla.audit_adopt() FROM PUBLIC;
COMMENT ON FUNCTION orla.audit_adopt() IS
    'Gives imported audit rows their digests; returns their number. For a superuser.

Client address and user agent of rows of an account are sealed for it and emptied. Leaves an audit row.';
