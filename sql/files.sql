--
-- What files come down to, provider by provider: requests that are made, rows that
-- are read, refusals that are understood.  No network: test/t/160_files.pl has that.
--
\set SHOW_CONTEXT never
SELECT orla.current_tenant() IS NULL AS nobody;     -- and the library is there, with its settings
\set facts_google '{"api_url": "https://g.example/v3", "files": "google_drive"}'
\set facts_onedrive '{"api_url": "https://m.example/v1.0", "files": "onedrive"}'
\set facts_dropbox '{"api_url": "https://d.example/2", "content_url": "https://c.example/2", "files": "dropbox"}'
\set team '{"api_url": "https://d.example/2", "content_url": "https://c.example/2", "metadata": {"root_namespace_id": "42"}}'

-- ---------------------------------------------------------------------------
-- What all have in common
-- ---------------------------------------------------------------------------
SELECT t.value, orla.to_bigint(t.value) FROM (VALUES ('0'), ('48213'), ('999999999999999999'), ('9999999999999999999'), ('-1'), ('1.5'), (''), ('x'), (NULL)) AS t (value);
SELECT t.value, orla.to_time(t.value) AT TIME ZONE 'UTC' AS moment
  FROM (VALUES ('2026-02-03T10:11:12.345Z'), ('2026-02-03T10:11:12Z'), ('2026-02-03T10:11:12+02:00'), ('2024-02-29T00:00:00Z'), ('2026-02-30T00:00:00Z'),
               ('2026-13-01T00:00:00Z'), ('2026-02-03'), ('now'), ('infinity'), (''), (NULL)) AS t (value);
-- as PostgreSQL itself reads them
SELECT t.value, orla.to_time(t.value) = t.value::timestamptz AS same
  FROM (VALUES ('2026-02-03T10:11:12.1234564Z'), ('2026-02-03T10:11:12.1234567891Z'), ('2026-12-31T23:59:59.9999999Z'), ('2026-12-31T23:59:60Z'), ('2000-02-29T00:00:00-05:30'),
               ('1969-12-31T23:59:59.5Z'), ('0001-01-01T00:00:00Z'), ('9999-12-31T23:59:59+15:59')) AS t (value);
SELECT t.value, orla.to_time(t.value) AS none
  FROM (VALUES ('1900-02-29T00:00:00Z'), ('0000-01-01T00:00:00Z'), ('2026-00-01T00:00:00Z'), ('2026-01-00T00:00:00Z'), ('2026-01-01T24:00:00Z'), ('2026-01-01T00:60:00Z'),
               ('2026-01-01T00:00:61Z'), ('2026-01-01T00:00:00'), ('2026-01-01T00:00:00.Z'), ('2026-01-01T00:00:00+16:00'), ('2026-01-01T00:00:00+0200'), ('2026-01-01T00:00:00Zx'),
               (' 2026-01-01T00:00:00Z'), ('2026-01-01 00:00:00Z'), ('-026-01-01T00:00:00Z'), ('２026-01-01T00:00:00Z')) AS t (value);
SELECT t.value, orla.media_type_of(t.value)
  FROM (VALUES ('a.txt'), ('A.PDF'), ('x.tar.docx'), ('.md'), ('plain'), ('a.'), ('a.nothing'), ('a.txt/'), ('Voice.gdoc'), (''), (NULL)) AS t (value);
SELECT t.value, orla.percent_encode(t.value)
  FROM (VALUES ('plain-1.0_~'), ('a b'), ('100%'), ('a/b?c#d&e=f+g'), ('ü€🦊'), (E'\r\n'), ('''"\'), ('')) AS t (value);
SELECT t.value, orla.ascii_json(to_jsonb(t.value)) FROM (VALUES ('plain'), ('ü€🦊'), (E'a"\\\n\x7f')) AS t (value);

SELECT t.id, orla.file_id_problem(t.id, '^[^/]+$') AS problem
  FROM (VALUES ('1AbC_-'), ('A!123'), ('..'), ('.'), ('a..b'), ('...'), ('a/b'), (''), (E'a\nb'), (NULL)) AS t (id);
SELECT orla.file_id_problem(repeat('x', 4000), '') AS longest, orla.file_id_problem(repeat('x', 4001), '') AS longer;
SELECT orla.check_file_id('a/../b', '.');

SELECT t.name, ARRAY(SELECT k FROM unnest('{folder,document,spreadsheet,presentation,pdf,image,audio,video}'::text[]) AS k
                      WHERE orla.is_of_type(ROW('1', t.name, orla.media_type_of(t.name), t.name = 'folder', NULL, NULL, NULL, NULL, NULL)::orla.file_row, k)) AS types
  FROM (VALUES ('folder'), ('a.txt'), ('a.csv'), ('a.docx'), ('a.pdf'), ('a.xls'), ('a.pptx'), ('a.gslides'), ('a.svg'), ('a.mp3'), ('a.mov'), ('a.zip')) AS t (name);
SELECT orla.is_of_type(ROW('1', 'x', NULL, false, NULL, NULL, NULL, NULL, NULL)::orla.file_row, 'image') AS of_none, orla.is_of_type(NULL::orla.file_row, NULL) AS whatever;
SELECT orla.check_file_type('image'), orla.check_file_type(NULL) IS NULL AS all;
SELECT orla.check_file_type('secret');

SELECT orla.object_in(convert_to(t.body, 'UTF8')) FROM (VALUES ('{"a": 1}'), ('[1]'), ('"a"'), ('null'), ('<h1>Oops</h1>'), ('{"a": 1'), (''), ('{"a": "\u0000"}')) AS t (body);
SELECT orla.object_in('\x7b2261223a20226a7bff22'::bytea) AS no_text, orla.object_in('\x7b00'::bytea) AS zero, orla.object_in(convert_to(repeat('[', 1000000), 'UTF8')) AS deep, orla.object_in(NULL) AS nothing;

-- ---------------------------------------------------------------------------
-- Requests: what people type stays text
-- ---------------------------------------------------------------------------
CREATE FUNCTION pg_temp.show(request jsonb) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', request ->> 'method', request ->> 'url', request ->> 'body', request ->> 'headers') $$;

SELECT pg_temp.show(orla.google_drive_list_request(:'facts_google', t.folder, NULL, t.page, t.size))
  FROM (VALUES (NULL, NULL, 100), ('root', 'p/1', 1), ('a''b\c" & d', NULL, 7), ('shared_with_me', NULL, 1000), ('shared_drives', 'p&q', 1000)) AS t (folder, page, size);
SELECT pg_temp.show(orla.google_drive_search_request(:'facts_google', t.query, t.file_type, NULL, 100))
  FROM (VALUES ('brand', NULL), (''' or trashed = true or name contains ''', NULL), ('\', 'pdf'), ('\'' %1$s', 'image'), ('&q=x#', 'folder'), ('x', 'presentation')) AS t (query, file_type);
SELECT pg_temp.show(orla.google_drive_item_request(:'facts_google', t.id)) FROM (VALUES ('1AbC'), ('x?alt=media&y=#'), ('%2e%2e')) AS t (id);
-- What needs a resource key has it in its id.
SELECT i, orla.google_drive_item_request(:'facts_google', i), orla.google_drive_list_request(:'facts_google', i, NULL, NULL, 7), orla.google_drive_content_request(:'facts_google', '{"mimeType": "text/plain"}', i, true)
  FROM unnest('{1Ab_C-/0-k_Y,1AbC}'::text[]) AS i;
SELECT orla.google_drive_content_request(:'facts_google', '{"mimeType": "application/vnd.google-apps.document"}', '1AbC/k', true);
SELECT orla.google_drive_item_request(:'facts_google', 'a/b c');
SELECT orla.google_drive_item_request(:'facts_google', 'a,x/b');
SELECT orla.google_drive_item_request(:'facts_google', 'a/b,x/y');
SELECT orla.google_drive_item_request(:'facts_google', 'a/');
SELECT t.item, t.id, orla.google_drive_id(t.item::jsonb, t.id)
  FROM (VALUES ('{"id": "1"}', '1'), ('{"id": "1"}', 'root'), ('{"id": "1", "resourceKey": "k"}', '1'), ('{"id": "1", "resourceKey": "k"}', '1/other'), ('{"id": "1", "resourceKey": "k\\r\\nx: y"}', '1'), ('{"id": "1", "resourceKey": 7}', '1'),
               ('{"id": "1", "shortcutDetails": {"targetId": "2"}}', '1'), ('{"id": "1", "shortcutDetails": {"targetId": "2", "targetResourceKey": "k"}}', '1'), ('{"id": "1", "shortcutDetails": {"targetId": "2", "targetResourceKey": "k"}}', '1/x')) AS t (item, id);
SELECT id, name, parent_id FROM orla.google_drive_rows(:'facts_google', '{"files": [{"id": "1", "name": "a", "resourceKey": "k", "parents": ["F"]}, {"id": "2", "name": "b", "resourceKey": "k, x/y", "parents": ["G"]},
  {"id": "3", "name": "s", "resourceKey": "k", "shortcutDetails": {"targetId": "4", "targetResourceKey": "t"}}]}', 'F/key');
SELECT orla.google_drive_list_request(:'facts_google', '../x', NULL, NULL, 1);
SELECT t.type, t.as_text, orla.google_drive_content_request(:'facts_google', jsonb_build_object('id', 'other', 'mimeType', t.type), '1 2', t.as_text)
  FROM (VALUES ('application/pdf', false), ('application/vnd.google-apps.document', false), ('application/vnd.google-apps.document', true), ('application/vnd.google-apps.spreadsheet', true),
               ('application/vnd.google-apps.form', false), (NULL, false)) AS t (type, as_text);

SELECT pg_temp.show(orla.onedrive_list_request(:'facts_onedrive', t.folder, NULL, t.page, 100))
  FROM (VALUES (NULL, NULL), ('root', NULL), ('A1!23', NULL), ('b!x/01?#', NULL), ('shared_with_me', NULL), ('shared_drives', NULL),
               (NULL, 'https://m.example/v1.0/me/drive/root/children?$skiptoken=x'), ('x', 'https://m.example/v1.0/drives(''b!1'')/items/2/children?$skiptoken=x'), ('x', 'https://m.example/v1.0/drives/b!1/items/2/children?$skiptoken=/../')) AS t (folder, page)
 WHERE t.page IS NULL OR orla.onedrive_leads_to_drives(:'facts_onedrive', t.page);
SELECT t.url, orla.onedrive_leads_to_drives(:'facts_onedrive', t.url)
  FROM (VALUES ('https://m.example/v1.0/users/1/drive/root/children'), ('https://m.example/v1.0/drives(''b!1'')/items'), ('https://m.example/v1.0/sites/x/drive'), ('https://m.example/v1.0/me/drive/search(q=''x'')?a'),
               ('https://m.example/v1.0/me/messages'), ('https://m.example/v1.0/me/drives/../messages'), ('https://m.example/v1.0/me/drive/%2E./messages'),
               ('https://m.example/v1.0/me/drivex'), ('https://m.example/v1.0x/me/drive/'), ('https://m.example/v1.0@evil.example/me/drive/'), ('https://evil.example/v1.0/me/drive/'),
               ('http://m.example/v1.0/me/drive/'), (E'https://m.example/v1.0/me/drive/\nx'), ('https://m.example/v1.0/me/drive/ x'), ('https://m.example/v1.0/me/drive/#x'), ('')) AS t (url);
SELECT orla.onedrive_list_request(:'facts_onedrive', NULL, NULL, 'https://evil.example/v1.0/me/drive/', 1);
SELECT orla.onedrive_list_request(:'facts_onedrive', 'a/b/c', NULL, NULL, 1);
SELECT pg_temp.show(orla.onedrive_search_request(:'facts_onedrive', t.query, NULL, NULL, 100)) FROM (VALUES ('brand'), (''''), (''')/../../me/messages?q=('''), ('a b/c')) AS t (query);
SELECT pg_temp.show(orla.onedrive_item_request(:'facts_onedrive', 'b!x/01')), orla.onedrive_content_request(:'facts_onedrive', '{"file": {}}', 'b!x/01', true), orla.onedrive_content_request(:'facts_onedrive', '{"package": {}}', '01', true);

SELECT pg_temp.show(orla.dropbox_list_request(t.facts::jsonb, t.folder, NULL, t.page, 100))
  FROM (VALUES (:'facts_dropbox', NULL, NULL), (:'facts_dropbox', 'root', NULL), (:'facts_dropbox', 'id:a', NULL), (:'facts_dropbox', '/a "b"\ü', NULL), (:'team', NULL, 'cursor"')) AS t (facts, folder, page);
SELECT orla.dropbox_list_request(:'facts_dropbox', 'shared_with_me', NULL, NULL, 1);
SELECT orla.dropbox_list_request(:'facts_dropbox', '/', NULL, NULL, 1);
SELECT pg_temp.show(orla.dropbox_search_request(:'facts_dropbox', '"}, {"', t.file_type, t.page, 100)) FROM (VALUES (NULL, NULL), ('pdf', NULL), (NULL, 'c')) AS t (file_type, page);
SELECT orla.dropbox_content_request(:'team', t.item::jsonb, '/räksmörgås 🦊', t.as_text)
  FROM (VALUES ('{".tag": "file"}', false), ('{".tag": "folder"}', false), ('{".tag": "file", "is_downloadable": false}', false),
               ('{".tag": "file", "is_downloadable": false, "export_info": {"export_as": "docx", "export_options": ["docx", "markdown"]}}', false),
               ('{".tag": "file", "is_downloadable": false, "export_info": {"export_as": "docx", "export_options": ["docx", "markdown"]}}', true),
               ('{".tag": "file", "is_downloadable": false, "export_info": {"export_as": "xlsx"}}', true),
               ('{".tag": "file", "is_downloadable": false, "export_info": {"export_as": "odd"}}', true)) AS t (item, as_text);
SELECT orla.dropbox_other_root('{"url": "u", "headers": {"a": "b", "dropbox-api-path-root": "old"}}', '{"error": {".tag": "invalid_root", "invalid_root": {".tag": "team", "root_namespace_id": "7"}}}') AS other,
       orla.dropbox_other_root('{"url": "u", "headers": {}}', '{"error": {".tag": "invalid_root"}}') AS none;

-- ---------------------------------------------------------------------------
-- Rows
-- ---------------------------------------------------------------------------
\x on
SELECT * FROM orla.google_drive_rows(:'facts_google', '{"files": [
  {"id": "1", "name": "a", "mimeType": "application/pdf", "size": "48213", "modifiedTime": "2026-02-03T10:11:12.345Z", "parents": ["0A"], "webViewLink": "https://w", "md5Checksum": "9e10"},
  {"id": "2", "name": "s", "mimeType": "application/vnd.google-apps.shortcut", "shortcutDetails": {"targetId": "1", "targetMimeType": "application/vnd.google-apps.folder"}},
  {"id": "3", "name": "d", "mimeType": "application/vnd.google-apps.document", "size": "1024"}, {"name": "no id"}, "odd", 7, null, {"id": null}]}', NULL);
SELECT * FROM orla.google_drive_rows(:'facts_google', '{"drives": [{"id": "D", "name": "Marketing"}]}', 'shared_drives');
SELECT * FROM orla.onedrive_rows(:'facts_onedrive', '{"value": [
  {"id": "01", "name": "a.pdf", "size": 48213, "file": {"mimeType": "application/pdf", "hashes": {"quickXorHash": "AA="}}, "parentReference": {"driveId": "b!own", "id": "01P"}, "lastModifiedDateTime": "2026-02-03T10:11:12Z", "webUrl": "https://w"},
  {"id": "02", "name": "f", "size": 99, "folder": {"childCount": 0}, "parentReference": {"driveId": "b!own", "id": "01P"}},
  {"id": "03", "name": "n", "package": {"type": "oneNote"}},
  {"id": "04L", "name": "linked", "parentReference": {"driveId": "b!own", "id": "01P"}, "remoteItem": {"id": "04", "name": "there", "folder": {}, "parentReference": {"driveId": "b!other", "id": "77"}}},
  {"id": "05", "remoteItem": {"id": "05", "name": "shared.txt", "size": 3, "file": {}, "parentReference": {"driveId": "b!other"}}},
  {"id": "06", "name": "gone", "deleted": {}}, {"name": "no id"}, []]}', '01P');
SELECT id, parent_id FROM orla.onedrive_rows(:'facts_onedrive', '{"value": [{"id": "08", "name": "x", "file": {}, "parentReference": {"driveId": "b!other", "id": "77"}}]}', 'b!other/77');
SELECT id, name, is_folder FROM orla.onedrive_rows(:'facts_onedrive', '{"value": [{"id": "b!d", "driveType": "documentLibrary", "name": "Docs"}]}', 'shared_drives');
SELECT * FROM orla.dropbox_rows(:'facts_dropbox', '{"entries": [
  {".tag": "file", "id": "id:a", "name": "r p.pdf", "path_lower": "/inv/r p.pdf", "path_display": "/Inv/r p.pdf", "size": 48213, "server_modified": "2026-02-03T10:11:13Z", "content_hash": "ab"},
  {".tag": "folder", "id": "id:b", "name": "ü#", "path_lower": "/ü#", "path_display": "/Ü#"},
  {".tag": "deleted", "name": "x", "path_lower": "/x"}, {".tag": "something_new", "id": "id:c"}, "odd"]}', NULL);
SELECT id, parent_id FROM orla.dropbox_rows(:'facts_dropbox', '{"entries": [{".tag": "file", "id": "id:a", "name": "a", "path_lower": "/x/a", "path_display": "/X/a"}]}', 'id:x');
SELECT id, parent_id FROM orla.dropbox_rows(:'facts_dropbox', '{"item": {".tag": "file", "id": "id:a", "name": "a", "path_lower": "/x/a", "path_display": "/X/a"}}', 'id:a');
SELECT id, parent_id FROM orla.dropbox_rows(:'facts_dropbox', '{"matches": [{"metadata": {".tag": "metadata", "metadata": {".tag": "file", "id": "id:a", "name": "a", "path_lower": "/a", "path_display": "/a"}}}, {"metadata": {".tag": "other"}}, 7]}', NULL);
\x off
-- Whatever comes, nothing fails.
SELECT (SELECT count(*) FROM orla.google_drive_rows('{}', a.answer, NULL)) + (SELECT count(*) FROM orla.onedrive_rows('{}', a.answer, NULL)) + (SELECT count(*) FROM orla.dropbox_rows('{}', a.answer, NULL)) AS rows,
       orla.google_drive_next_page('{}', a.answer), orla.dropbox_next_page('{}', a.answer)
  FROM (VALUES ('{}'::jsonb), ('{"files": {}, "value": 1, "entries": "x", "matches": null, "nextPageToken": ""}'), ('{"files": [{"id": 1, "name": {}, "parents": 7, "shortcutDetails": "x", "size": []}]}'),
               ('{"value": [{"id": 1, "parentReference": "x", "remoteItem": 7, "file": [], "folder": null}]}'), ('{"entries": [{".tag": "file", "id": {}, "path_lower": 7}], "has_more": true, "cursor": "c"}'),
               ('{"matches": [{"metadata": 7}], "has_more": "yes", "cursor": "c"}'), ('{"nextPageToken": "n", "has_more": false, "cursor": "c"}')) AS a (answer);
SELECT orla.onedrive_next_page(:'facts_onedrive', '{}') IS NULL AS last, orla.onedrive_next_page(:'facts_onedrive', '{"@odata.nextLink": "https://m.example/v1.0/me/drive/root/children?$skiptoken=a"}');
SELECT orla.onedrive_next_page(:'facts_onedrive', '{"@odata.nextLink": "https://evil.example/v1.0/me/drive/root/children?$skiptoken=a"}');
SELECT t.item, t.id, orla.onedrive_id(t.item::jsonb, t.id) FROM (VALUES ('{"id": "1"}', '1'), ('{"id": "1", "parentReference": {"driveId": "d"}}', 'd/1'), ('{"id": "1"}', 'd/1'), ('{"id": "1", "remoteItem": {"id": "2", "parentReference": {"driveId": "e"}}}', '1'), ('{}', '1')) AS t (item, id);

-- ---------------------------------------------------------------------------
-- Refusals
-- ---------------------------------------------------------------------------
CREATE FUNCTION pg_temp.answer(status int, body text DEFAULT '', failure text DEFAULT NULL, headers jsonb DEFAULT '{}') RETURNS orla.file_answer LANGUAGE sql
    AS $$ SELECT ROW(status, headers, convert_to(body, 'UTF8'), failure, CASE WHEN failure IS NOT NULL THEN 'host h.example did not' END, orla.object_in(convert_to(body, 'UTF8')), NULL)::orla.file_answer $$;
CREATE FUNCTION pg_temp.kinds(facts jsonb, status int, body text) RETURNS text LANGUAGE sql
    AS $$ SELECT concat_ws(' | ', orla.kind_of_refusal(pg_temp.answer(status, body), facts, 'list'), orla.answer_problem(pg_temp.answer(status, body))) $$;

SELECT t.status, t.reason, pg_temp.kinds(:'facts_google', t.status, format('{"error": {"code": %s, "message": "secret", "errors": [{"reason": "%s", "message": "secret", "location": "%s"}]}}', t.status, t.reason, t.location))
  FROM (VALUES (401, 'authError', ''), (403, 'rateLimitExceeded', ''), (403, 'userRateLimitExceeded', ''), (429, 'rateLimitExceeded', ''), (403, 'insufficientPermissions', ''), (403, 'fileNotDownloadable', ''),
               (403, 'accessNotConfigured', ''), (403, 'something new', ''), (404, 'notFound', ''), (400, 'invalid', 'pageToken'), (400, 'invalid', 'q'), (500, 'backendError', ''), (302, '', '')) AS t (status, reason, location);
SELECT t.status, t.body, pg_temp.kinds(:'facts_onedrive', t.status, t.body)
  FROM (VALUES (401, '{"error": {"code": "InvalidAuthenticationToken", "message": "secret"}}'), (429, '{"error": {"code": "activityLimitReached"}}'), (403, '{"error": {"code": "accessDenied"}}'), (404, '{"error": {"code": "itemNotFound"}}'),
               (410, '{}'), (400, '{"error": {"code": "invalidRequest"}}'), (400, '{"error": {"code": "BadRequest"}}'), (423, ''), (509, '<h1>Oops</h1>')) AS t (status, body);
SELECT t.status, t.body, pg_temp.kinds(:'facts_dropbox', t.status, t.body)
  FROM (VALUES (401, '{"error_summary": "expired_access_token/..", "error": {".tag": "expired_access_token"}}'), (401, '{"error_summary": "missing_scope/.", "error": {".tag": "missing_scope"}}'), (401, '{"error": {".tag": "user_suspended"}}'),
               (400, 'The given OAuth 2 access token is malformed.'), (400, 'Error in call to API function "x": Invalid "cursor"'), (409, '{"error_summary": "path/not_found/...", "error": {".tag": "path", "path": {".tag": "not_found"}}}'),
               (409, '{"error": {".tag": "reset"}}'), (409, '{"error": {".tag": "unsupported_file"}}'), (409, '{"error": {".tag": "path", "path": {".tag": "unsupported_file"}}}'), (409, '{"error": {".tag": "internal_error"}}'),
               (409, '{"error": {".tag": "something_new"}}'), (409, 'x'), (422, '{"error": {".tag": "invalid_root"}}'), (429, 'Too many requests'), (403, '{}'), (503, '')) AS t (status, body);
SELECT orla.kind_of_refusal(pg_temp.answer(400, 'cursor'), :'facts_dropbox', p) AS refused, orla.kind_of_refusal(pg_temp.answer(200, '<h1>'), :'facts_dropbox', p) AS odd,
       orla.kind_of_refusal(pg_temp.answer(NULL, '', 'too_large'), :'facts_dropbox', p) AS large, orla.kind_of_refusal(pg_temp.answer(NULL, '', 'refused'), :'facts_dropbox', p) AS elsewhere,
       orla.kind_of_refusal(pg_temp.answer(NULL, '', 'timeout'), :'facts_dropbox', p) AS late
  FROM unnest('{list,page,item,content}'::text[]) AS p;
SELECT orla.answer_problem(pg_temp.answer(NULL, '', 'timeout')), orla.answer_problem(pg_temp.answer(200, '<h1>')), orla.answer_problem(NULL), orla.answer_problem(pg_temp.answer(400, '{"error": {"code": "a b <script>"}}'));
SELECT orla.seconds_to_wait(pg_temp.answer(429, '', NULL, '{"retry-after": "7"}'), 1) AS header, orla.seconds_to_wait(pg_temp.answer(429, '{"error": {"retry_after": 300}}', NULL, '{"retry-after": "10"}'), 1) AS both,
       orla.seconds_to_wait(pg_temp.answer(429, '{"error": {"retry_after": 300}}'), 1) AS body, orla.seconds_to_wait(pg_temp.answer(429, '', NULL, '{"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}'), 1) AS past;
SELECT a, orla.seconds_to_wait(pg_temp.answer(429, '{"error": {"retry_after": "soon"}}', NULL, '{"retry-after": "soon"}'), a) BETWEEN 0.75 * 2.0 ^ (a - 3) AND 1.25 * 2.0 ^ (a - 3) AS spread FROM generate_series(1, 5) AS a;

DO $$
DECLARE
    kind   text;
    detail text;
    hint   text;
BEGIN
    FOREACH kind IN ARRAY '{unauthorized,scope,not_found,page,too_large,not_downloadable,busy,operator,unavailable,foreign,root,other}'::text[] LOOP
        BEGIN
            PERFORM orla.raise_file_error(kind, 'Status 4');
        EXCEPTION WHEN others THEN
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
            RAISE NOTICE '% % % | % | %', kind, SQLSTATE, SQLERRM, detail, hint;
        END;
    END LOOP;
END
$$;
SELECT orla.file_family('{"files": "dropbox"}'), orla.file_family('{"files": "onedrive"}');
SELECT orla.file_family('{"name": "plain"}');
SELECT orla.file_family('{"name": "odd", "files": "pg_sleep"}');
SELECT t.name, orla.content_disposition(t.name) FROM (VALUES ('notes.txt'), ('O''Brien "x".txt'), ('räksmörgås 🦊.md'), (E'a\r\nSet-Cookie: b'), (E'invoice\u202Efdp.exe'), (E'👩\u200D🎨a\u200Bb\u2066c\u2069d\u061Ce\uFEFFf\u2028g'), ('../../etc/passwd'), ('a;b=c%41'), (''), (NULL)) AS t (name);
