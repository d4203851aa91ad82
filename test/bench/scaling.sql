-- A table of :tenants tenants with :rows_per_tenant rows each, fenced in all
-- ways, and as many accounts.
\set ON_ERROR_STOP on
\set name 'bench.of_' :tenants
SELECT bench.make_accounts(:tenants);
CREATE TABLE bench.of_:tenants (
    user_id    uuid        NOT NULL,
    id         uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    amount     int         NOT NULL,
    PRIMARY KEY (user_id, id)
) WITH (autovacuum_enabled = off);
INSERT INTO bench.of_:tenants
SELECT bench.tenant(1 + i % :tenants), md5('row ' || i)::uuid,
       '2026-01-01'::timestamptz + i * interval '1 second', i % 1000
  FROM generate_series(0, :tenants * :rows_per_tenant - 1) AS i;
CREATE INDEX ON bench.of_:tenants (user_id, created_at);
SELECT bench.fence(:'name');
VACUUM (ANALYZE) bench.of_:tenants, orla.users, orla.sessions;
