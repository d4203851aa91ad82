--
-- The text in a file: what needs no program, and what is said where there is none.
-- Programs are tried by test/t/110_extract.pl.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set previous :DBNAME
CREATE DATABASE orla_extract ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE orla_extract_latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
\c orla_extract
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
RESET client_min_messages;
SET orla.extract_pdf = '';
SET orla.extract_python = '';

-- ---------------------------------------------------------------------------
-- Text
-- ---------------------------------------------------------------------------
SELECT what, (t).*
  FROM (VALUES ('UTF-8', '\x63c3a9e282ac'::bytea, NULL), ('its mark', '\xefbbbf63c3a9', 'text/plain'), ('Markdown', '# Title', 'text/markdown'),
               ('CSV', 'a,=1+2', 'text/csv; charset=utf-8'), ('Latin-1', '\x636166e9', 'text/plain; charset=utf-8'), ('Windows-1252', '\x80203130', NULL),
               ('UTF-16', '\xfffe6800e9003ed88add', NULL), ('UTF-16, big-endian', '\xfeff006800e9', NULL), ('damaged UTF-8', '\xc3a9c3a9ffc3a9', NULL),
               ('with a NUL', '\x610062630a', NULL), ('said to be a PDF', 'hello', 'application/pdf'), ('said to be nothing', 'hello', NULL))
       AS v (what, content, media_type), LATERAL (SELECT orla.extract_text(content, media_type) AS t OFFSET 0) AS q;

-- Cut between characters.
SET orla.extract_size = 1;
SELECT outcome, octet_length(full_text), right(full_text, 2) FROM orla.extract_text(convert_to(repeat('aé€🦊', 1000), 'UTF8'), NULL);
SELECT outcome, octet_length(full_text) FROM orla.extract_text(convert_to(repeat('a', 1024), 'UTF8'), NULL);
SELECT outcome, octet_length(full_text) FROM orla.extract_text(convert_to(repeat('a', 1025), 'UTF8'), NULL);
SELECT outcome, octet_length(full_text) FROM orla.extract_text(convert_to(repeat('é', 1000), 'LATIN1'), NULL);
RESET orla.extract_size;

-- ---------------------------------------------------------------------------
-- No text
-- ---------------------------------------------------------------------------
SELECT what, (t).*
  FROM (VALUES ('empty', ''::bytea, 'text/plain'), ('nothing', NULL, NULL), ('white space', ' \012\011 ', NULL), ('a mark alone', '\xefbbbf', NULL),
               ('NULs', '\x0000000000', 'text/plain'), ('an image', '\x89504e470d0a1a0a0000000d49484452', 'image/png'),
               ('an old Word document', '\xd0cf11e0a1b11ae1', 'application/msword'),
               ('an Office file with a password', '\xd0cf11e0a1b11ae1'::bytea || convert_to('E', 'UTF8') || '\x00' || '\x6e0063007200790070007400650064005000610063006b00610067006500', NULL),
               ('a PDF', '%PDF-1.7', 'text/plain'), ('HTML', '<!doctype html><p>a', 'text/plain'), ('said to be HTML', 'a', 'text/html'),
               ('SVG', '<svg/>', 'text/plain'), ('a ZIP', '\x504b0304', 'text/plain'))
       AS v (what, content, media_type), LATERAL (SELECT orla.extract_text(content, media_type) AS t OFFSET 0) AS q;

-- ---------------------------------------------------------------------------
-- Settings
-- ---------------------------------------------------------------------------
SET orla.extract_pdf = 'pdftotext';
SET orla.extract_python = '../python3';
SET orla.extract_memory = '1MB';
SET orla.extract_size = '1GB';
SET orla.extract_timeout = 0;

-- ---------------------------------------------------------------------------
-- Who may: orla_service alone
-- ---------------------------------------------------------------------------
SELECT role, has_function_privilege(role, 'orla.extract_text(bytea, text)', 'EXECUTE')
  FROM unnest(ARRAY['orla_service', 'orla_user', 'orla_anon', 'orla_gateway', 'orla_analyst', 'orla_admin', 'public']) AS role;
SET ROLE orla_service;
SELECT * FROM orla.extract_text('a', NULL);
SET ROLE orla_user;
SELECT * FROM orla.extract_text('a', NULL);
SET orla.extract_python = '/bin/sh';
SHOW orla.extract_pdf;
RESET ROLE;

-- ---------------------------------------------------------------------------
-- A database that has not every character
-- ---------------------------------------------------------------------------
\c orla_extract_latin
SET client_min_messages = warning;
CREATE EXTENSION orla CASCADE;
RESET client_min_messages;
SELECT outcome, convert_to(full_text, 'LATIN1'), length(full_text) FROM orla.extract_text('\x63c3a9e282acf09fa68a20c3a9', NULL);
SELECT outcome, length(full_text), length(replace(full_text, '?', '')) FROM orla.extract_text(decode(repeat('e282acc3a961', 5000), 'hex'), NULL);

\c :previous
DROP DATABASE orla_extract;
DROP DATABASE orla_extract_latin;
