--
-- Analysts: the tenants granted to them, to read.
--
\i test/fixtures/tenants.sql
INSERT INTO orla.content_library (user_id, title) VALUES (:ada, 'Ada''s'), (:ben, 'Ben''s');
CREATE ROLE regress_orla_second LOGIN IN ROLE orla_analyst;

-- Without a grant there are no rows.
SET SESSION AUTHORIZATION regress_orla_analyst;
SELECT title FROM orla_api.content_library ORDER BY title;
SELECT orla.grant_tenant('regress_orla_analyst', :ada);	-- not theirs to give

SET SESSION AUTHORIZATION regress_orla_operator;
SELECT orla.grant_tenant('regress_orla_analyst', :ada);
SELECT orla.grant_tenant('regress_orla_analyst', :ada);	-- again is no error
SELECT analyst, user_id, granted_by FROM orla.tenant_grants;

SET SESSION AUTHORIZATION regress_orla_analyst;
SELECT title FROM orla_api.content_library ORDER BY title;
SELECT orla.granted_tenants() = ARRAY[:ada]::uuid[] AS ada_alone;
-- to read, and nothing else
INSERT INTO orla_api.content_library (user_id, title) VALUES (:ada, 'x');
UPDATE orla_api.content_library SET title = 'x';
DELETE FROM orla_api.content_library;
SELECT * FROM orla_api.connections;
SELECT * FROM orla_api.my_audit_log;
SELECT email FROM orla.users;
SELECT * FROM orla.tenant_grants;
BEGIN;
SELECT set_config('orla.tenant', :ben, true);
ROLLBACK;

-- Both tenants, narrowed to one, and to one that is not granted.
RESET SESSION AUTHORIZATION;
SELECT orla.grant_tenant('regress_orla_analyst', :ben);
SET SESSION AUTHORIZATION regress_orla_analyst;
SELECT title FROM orla_api.content_library ORDER BY title;
SET orla.narrow_to = 'bbbbbbbb-0000-4000-8000-00000000000b';
SELECT title FROM orla_api.content_library ORDER BY title;
SET orla.narrow_to = 'cccccccc-0000-4000-8000-00000000000c';
SELECT title FROM orla_api.content_library ORDER BY title;
SET orla.narrow_to = 'nonsense';
RESET orla.narrow_to;

-- Grants count for the login: a role in between passes none on.
SET SESSION AUTHORIZATION regress_orla_second;
SELECT title FROM orla_api.content_library ORDER BY title;
RESET SESSION AUTHORIZATION;
GRANT regress_orla_analyst TO regress_orla_second;
SET SESSION AUTHORIZATION regress_orla_second;
SET ROLE regress_orla_analyst;
SELECT title FROM orla_api.content_library ORDER BY title;

-- Withdrawn: from the next statement on.
RESET SESSION AUTHORIZATION;
SELECT orla.revoke_tenant('regress_orla_analyst', :ben);
SELECT orla.revoke_tenant('regress_orla_analyst', :ben);	-- again is no error
SET SESSION AUTHORIZATION regress_orla_analyst;
SELECT title FROM orla_api.content_library ORDER BY title;
SELECT orla.revoke_tenant('regress_orla_analyst', :ada);

-- What cannot be granted.
SET SESSION AUTHORIZATION regress_orla_operator;
SELECT orla.grant_tenant('regress_orla_nobody', :ada);
SELECT orla.grant_tenant('regress_orla_door', :ada);
SELECT orla.grant_tenant('orla_analyst', :ada);
SELECT orla.grant_tenant('regress_orla_analyst', 'cccccccc-0000-4000-8000-00000000000c');
SELECT orla.grant_tenant('regress_orla_analyst', 'nonsense');
SELECT orla.grant_tenant(NULL, :ada);
SELECT orla.grant_tenant('regress_orla_analyst', NULL);
RESET SESSION AUTHORIZATION;
ALTER ROLE regress_orla_second BYPASSRLS;
SELECT orla.grant_tenant('regress_orla_second', :ada);
DROP ROLE regress_orla_second;

-- An account that goes takes its grants along.
DELETE FROM orla.users WHERE id = :ada;
SELECT analyst, user_id FROM orla.tenant_grants;

\i test/fixtures/tenants_drop.sql
