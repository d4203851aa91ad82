-- A schema of either name that is already there fails the install: what is in
-- it would otherwise be taken for ours.  The schemas belong to the superuser
-- who installs, so that orla_service, which runs functions for tenants, can
-- neither add objects to them nor drop any.
CREATE SCHEMA orla;
COMMENT ON SCHEMA orla IS 'orla, private: tables, the tenant boundary, operators'' functions';
REVOKE ALL ON SCHEMA orla FROM PUBLIC;
GRANT USAGE ON SCHEMA orla
    TO orla_anon, orla_user, orla_analyst, orla_gateway, orla_admin, orla_service;

CREATE SCHEMA orla_api;
COMMENT ON SCHEMA orla_api IS 'orla, exposed: sign-in, content and connections of the signed-in tenant';
REVOKE ALL ON SCHEMA orla_api FROM PUBLIC;
GRANT USAGE ON SCHEMA orla_api
    TO orla_anon, orla_user, orla_analyst, orla_gateway, orla_service;
