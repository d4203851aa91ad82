-- The accounts.  A user is a tenant.
CREATE TABLE orla.users (
    id                          uuid        NOT NULL DEFAULT gen_random_uuid(),
    name                        text        NOT NULL CHECK (octet_length(name) <= 2000),
    email                       text        NOT NULL
        CHECK (octet_length(email) <= 1000 AND email = lower(email COLLATE "C")),
    password_hash               text        NOT NULL
        CHECK (octet_length(password_hash) <= 500 AND password_hash ~ '^\$(argon2id|2[aby])\$'),
    organization_name           text        CHECK (octet_length(organization_name) <= 2000),
    organization_slug           text        CHECK (octet_length(organization_slug) <= 500),
    role                        text        NOT NULL DEFAULT 'user'
        CHECK (role IN ('user', 'org_admin', 'system_admin')),
    plan                        text        NOT NULL DEFAULT 'free'
        CHECK (plan IN ('free', 'starter', 'pro', 'professional', 'business', 'enterprise')),
    is_active                   boolean     NOT NULL DEFAULT true,
    email_verified              boolean     NOT NULL DEFAULT false,
    failed_login_attempts       int         NOT NULL DEFAULT 0,
    is_locked                   boolean     NOT NULL DEFAULT false,
    locked_until                timestamptz,
    verification_token          text        CHECK (verification_token ~ '^[0-9a-f]{64}$'),
    verification_token_expires  timestamptz,
    reset_token                 text        CHECK (reset_token ~ '^[0-9a-f]{64}$'),
    reset_token_expires         timestamptz,
    profile_image_url           text        CHECK (octet_length(profile_image_url) <= 8000),
    timezone                    text        NOT NULL DEFAULT 'UTC' CHECK (octet_length(timezone) <= 100),
    created_at                  timestamptz NOT NULL DEFAULT now(),
    updated_at                  timestamptz NOT NULL DEFAULT now(),
    last_login_at               timestamptz,
    password_changed_at         timestamptz NOT NULL DEFAULT now(),
    stripe_customer_id          varchar(255),
    stripe_subscription_id      varchar(255),
    subscription_status         varchar(50),
    subscription_started_at     timestamp,
    subscription_ends_at        timestamp,
    trial_ends_at               timestamp,
    credit_balance              int,
    monthly_credit_allocation   int,
    total_credits_purchased     int,
    total_credits_used          int,
    last_credit_reset_at        timestamp,
    PRIMARY KEY (id),
    UNIQUE (email),
    UNIQUE (organization_slug)
);
ALTER TABLE orla.users OWNER TO orla_service;
COMMENT ON TABLE orla.users IS 'accounts; a user is a tenant';
COMMENT ON COLUMN orla.users.id IS 'the tenant; sub of access tokens, user_id of every content row';
COMMENT ON COLUMN orla.users.name IS 'how the person wants to be called';
COMMENT ON COLUMN orla.users.email IS 'lower-case address; but for imported accounts, proven by mail before the row exists';
COMMENT ON COLUMN orla.users.password_hash IS 'Argon2id; bcrypt only until the next sign-in of an imported account';
COMMENT ON COLUMN orla.users.organization_name IS 'as given at the sign-up';
COMMENT ON COLUMN orla.users.organization_slug IS 'of imported accounts: the organization in an address';
COMMENT ON COLUMN orla.users.role IS 'the application''s role, app_role in access tokens; not a database role';
COMMENT ON COLUMN orla.users.plan IS 'what the account has subscribed to';
COMMENT ON COLUMN orla.users.is_active IS 'false refuses sign-in and every access token at once';
COMMENT ON COLUMN orla.users.email_verified IS 'false only for imported accounts that were never verified';
COMMENT ON COLUMN orla.users.failed_login_attempts IS 'as imported; orla.sign_in_attempts counts per address and origin';
COMMENT ON COLUMN orla.users.is_locked IS 'as imported; an operator''s lock is is_active = false';
COMMENT ON COLUMN orla.users.locked_until IS 'as imported';
COMMENT ON COLUMN orla.users.verification_token IS 'SHA-256 (hex) of the token mailed to an imported account; new ones wait in orla.pending_registrations';
COMMENT ON COLUMN orla.users.verification_token_expires IS 'when verification_token stops to count';
COMMENT ON COLUMN orla.users.reset_token IS 'SHA-256 (hex) of the token that was mailed, never the token';
COMMENT ON COLUMN orla.users.reset_token_expires IS 'when reset_token stops to count';
COMMENT ON COLUMN orla.users.created_at IS 'when the account came into being';
COMMENT ON COLUMN orla.users.updated_at IS 'when an operator last let it in or shut it out';
COMMENT ON COLUMN orla.users.last_login_at IS 'the last sign-in with the password; NULL before the first of an imported account';
COMMENT ON COLUMN orla.users.password_changed_at IS 'when the password was last set';
COMMENT ON COLUMN orla.users.stripe_customer_id IS 'billing, as imported, like the columns that follow; orla does not use them';

-- The first and the last entry tell whether all hashes cost the same.
CREATE INDEX users_password_costs ON orla.users (orla.password_costs(password_hash) COLLATE "C");

ALTER TABLE orla.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE orla.users FORCE ROW LEVEL SECURITY;
-- Sign-in looks an address up before any tenant is known.
CREATE POLICY users_service ON orla.users
    FOR ALL TO orla_service USING (true) WITH CHECK (true);
CREATE POLICY users_tenant ON orla.users
    FOR SELECT TO orla_user USING (id = orla.current_tenant());
CREATE POLICY users_tenant_only ON orla.users
    AS RESTRICTIVE FOR ALL TO orla_user
    USING (id = orla.current_tenant()) WITH CHECK (id = orla.current_tenant());
CREATE POLICY users_admin ON orla.users
    FOR SELECT TO orla_admin USING (true);

REVOKE ALL ON TABLE orla.users FROM PUBLIC, orla_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orla.users TO orla_service;
-- Not email: asking for a value of a unique column finds its row by the index,
-- and counters tell whether there was one.  orla_api.me() has it.
GRANT SELECT (id, name, organization_name, role, plan, email_verified,
              created_at, timezone, profile_image_url)
    ON TABLE orla.users TO orla_user;
-- An operator finds an account and its state; no hash, no token, no billing.
GRANT SELECT (id, name, email, organization_name, organization_slug, role, plan,
              is_active, email_verified, created_at, updated_at, last_login_at,
              password_changed_at)
    ON TABLE orla.users TO orla_admin;

SELECT pg_extension_config_dump('orla.users', '');
