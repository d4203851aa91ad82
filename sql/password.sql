--
-- Passwords: hashes that hold, checked as strictly as they are made (way 89).
--
\set SHOW_CONTEXT never

-- A hash without its random part.
CREATE FUNCTION pg_temp.costs(hash text) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT regexp_replace(hash, '^(\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+)\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$', '\1') $$;

SELECT pg_temp.costs(orla.hash_password('correct horse'));
SELECT count(DISTINCT orla.hash_password('same')) FROM generate_series(1, 3);
SELECT orla.hash_password('correct horse') AS hash \gset
SELECT n, orla.verify_password(password, :'hash')
  FROM (VALUES (1, 'correct horse'), (2, 'Correct horse'), (3, 'correct horse '), (4, 'correct hors'), (5, ''), (6, :'hash')) AS v (n, password);
SELECT orla.verify_password(p, orla.hash_password(p)) AS right, orla.verify_password(p || 'x', orla.hash_password(p)) AS wrong
  FROM (VALUES (''), ('schlüssel 鍵'), (repeat('x', 1023))) AS v (p);
SELECT orla.hash_password(NULL) IS NULL AS hash, orla.verify_password(NULL, :'hash') IS NULL AS password, orla.verify_password('x', NULL) IS NULL AS no_hash;

-- Longer ones are refused when they are set and are wrong when they are tried.
SELECT orla.hash_password(repeat('x', 1025));
SELECT orla.verify_password(repeat('x', 1025), :'hash');

-- A hash of libargon2's own tests, with other costs than ours.
SELECT orla.verify_password('password', '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc') AS right,
       orla.verify_password('passwore', '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc') AS wrong;

-- What is no Argon2id hash is nobody's; one of absurd costs takes no memory.
SELECT n, orla.verify_password('password', hash)
  FROM (VALUES
    (1, ''),
    (2, 'password'),
    (3, '$argon2id$'),
    (4, '$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8'),
    (5, '$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'),
    (6, '$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'),
    (7, '$argon2id$v=19$m=65536,t=999999,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'),
    (8, '$argon2id$v=19$m=065536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'),
    (9, '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc='),
    (10, '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc$'),
    (11, ' $argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'),
    (12, '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW')
  ) AS v (n, hash) ORDER BY n;

-- ---------------------------------------------------------------------------
-- Costs: fewer kilobytes take more passes
-- ---------------------------------------------------------------------------
SET orla.password_memory = 47103;
SELECT pg_temp.costs(orla.hash_password('x'));
SET orla.password_memory = 19456;
SELECT pg_temp.costs(orla.hash_password('x'));
SET orla.password_memory = 12288;
SELECT pg_temp.costs(orla.hash_password('x'));
SET orla.password_memory = 9216;
SELECT pg_temp.costs(orla.hash_password('x')), orla.hash_password('x') AS small \gset small_
SELECT :'small_costs' AS costs;
SET orla.password_memory = 7168;
SELECT pg_temp.costs(orla.hash_password('x'));
SET orla.password_memory = 7167;
-- More than asked for is never cut down.
SET orla.password_passes = 7;
SELECT pg_temp.costs(orla.hash_password('x'));
RESET orla.password_passes;
RESET orla.password_memory;
-- Old hashes go on to be right and are to be replaced.
SELECT orla.verify_password('x', :'small_small') AS right,
       orla.password_needs_rehash(:'small_small') AS small,
       orla.password_needs_rehash(:'hash') AS current,
       orla.password_needs_rehash('$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW') AS bcrypt,
       orla.password_needs_rehash('') AS empty;

-- ---------------------------------------------------------------------------
-- bcrypt, as imported accounts have it
-- ---------------------------------------------------------------------------
SELECT n, orla.check_bcrypt(password, hash)
  FROM (VALUES
    -- known answers, under each of the function's names
    (1, 'U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    (2, 'U*U', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    (3, 'U*U', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    (4, 'U*U*', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'),
    (5, 'U*U*', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'),
    -- wrong ones
    (10, 'U*u', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    (11, '', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    (12, 'U*U', '$2b$06$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    -- no such hashes; the costs would take years
    (20, 'U*U', '$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    (21, 'U*U', '$2$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    (22, 'U*U', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe'),
    (23, 'U*U', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW'),
    (24, 'U*U', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe!'),
    (25, 'U*U', '$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    (26, 'U*U', '$2b$16$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    (27, 'U*U', '$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    (28, 'U*U', ''),
    (29, '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'),
    (30, 'correct horse', :'hash')
  ) AS v (n, password, hash) ORDER BY n;
-- pgcrypto may be moved, and what shadows its function is not called.
CREATE SCHEMA regress_orla_crypto;
ALTER EXTENSION pgcrypto SET SCHEMA regress_orla_crypto;
CREATE FUNCTION public.crypt(text, text) RETURNS text LANGUAGE sql AS $$ SELECT $2 $$;
SELECT orla.check_bcrypt('U*U', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW') AS right,
       orla.check_bcrypt('wrong', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW') AS wrong;
DROP FUNCTION public.crypt(text, text);
ALTER EXTENSION pgcrypto SET SCHEMA public;
DROP SCHEMA regress_orla_crypto;

-- ---------------------------------------------------------------------------
-- Who may: a hash that anybody could try is a hash that anybody could guess
-- ---------------------------------------------------------------------------
SET ROLE orla_user;
SELECT orla.hash_password('x');
SELECT orla.verify_password('x', 'y');
SELECT orla.check_bcrypt('x', 'y');
SELECT orla.bcrypt('x', 'y');
SET ROLE orla_admin;
SELECT orla.verify_password('x', 'y');
SET ROLE orla_service;
SELECT orla.verify_password('x', 'y');
SELECT orla.check_bcrypt('U*U', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW');
RESET ROLE;

-- No slot stays taken, also after an error (way 90).
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = 0;
