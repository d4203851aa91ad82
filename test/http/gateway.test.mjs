// The stand-in sends what PostgREST 16.2 was seen to send. Without this the
// other tests would prove something about a layer that nobody runs.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { IS_POSTGREST, startLayer, startProgram } from './lib/layer.mjs';
import { restLifecycle } from './lib/lifecycle.mjs';
import { join } from './lib/people.mjs';

const SETTINGS = `select set_config('search_path', $1, true), set_config('role', $2, true), ` +
  `set_config('request.jwt.claims', $3, true), set_config('request.method', $4, true), ` +
  `set_config('request.path', $5, true), set_config('request.headers', $6, true), set_config('request.cookies', $7, true)`;
const PRE_REQUEST = `select "orla"."pre_request"()`;
const RESPONSE = `nullif(current_setting('response.headers', true), '') AS response_headers, ` +
  `nullif(current_setting('response.status', true), '') AS response_status`;
const begin = (mode) => `BEGIN ISOLATION LEVEL READ COMMITTED READ ${mode}`;

const FULL = { prefer: 'return=representation' };
const NEVER = randomUUID();

const tidy = (text) => text.replace(/\s+/g, ' ').replace(/ ?([(),]) ?/g, '$1').trim();

const EXPECTED = {
  'GET of a view': [(api) => api.get('/competitors?id=is.null&select=id,name&order=name.desc&limit=5'),
    [begin('ONLY'), SETTINGS, PRE_REQUEST,
      `WITH pgrst_source AS ( SELECT "orla_api"."competitors"."id", "orla_api"."competitors"."name" FROM "orla_api"."competitors"
       WHERE "orla_api"."competitors"."id" IS NULL ORDER BY "orla_api"."competitors"."name" DESC LIMIT $1 OFFSET $2 )
       SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total,
       coalesce(json_agg(_postgrest_t), '[]') AS body, ${RESPONSE}, '' AS response_inserted
       FROM ( SELECT * FROM pgrst_source ) _postgrest_t`, 'COMMIT']],
  'POST to a view lists the columns of the payload only': [(api) => api.post('/competitors', { name: 'x' }),
    [begin('WRITE'), SETTINGS, PRE_REQUEST,
      `WITH pgrst_source AS (INSERT INTO "orla_api"."competitors"("name") SELECT "pgrst_body"."name" FROM
       (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "name" FROM json_to_record(pgrst_payload.json_data)
       AS _("name" text) ) pgrst_body RETURNING 1) SELECT '' AS total_result_set,
       pg_catalog.count(_postgrest_t) AS page_total, array[]::text[] AS header, ''::text AS body, ${RESPONSE},
       '' AS response_inserted FROM (SELECT * FROM pgrst_source) _postgrest_t`, 'COMMIT']],
  'POST to a view that wants the row back': [(api) => api.post('/competitors', { name: 'x', industry: 'y' }, FULL),
    [begin('WRITE'), SETTINGS, PRE_REQUEST,
      `WITH pgrst_source AS (INSERT INTO "orla_api"."competitors"("industry", "name") SELECT "pgrst_body"."industry", "pgrst_body"."name" FROM
       (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "industry", "name" FROM json_to_record(pgrst_payload.json_data)
       AS _("industry" text, "name" text) ) pgrst_body RETURNING "orla_api"."competitors".*) SELECT '' AS total_result_set,
       pg_catalog.count(_postgrest_t) AS page_total, array[]::text[] AS header, coalesce(json_agg(_postgrest_t), '[]') AS body, ${RESPONSE},
       '' AS response_inserted FROM (SELECT "competitors".* FROM "pgrst_source" AS "competitors" ) _postgrest_t`, 'COMMIT']],
  'PATCH': [(api) => api.patch(`/competitors?id=eq.${NEVER}`, { name: 'x' }, FULL),
    [begin('WRITE'), SETTINGS, PRE_REQUEST,
      `WITH pgrst_source AS (UPDATE "orla_api"."competitors" SET "name" = "pgrst_body"."name" FROM
       (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "name" FROM json_to_record(pgrst_payload.json_data)
       AS _("name" text) ) pgrst_body WHERE "orla_api"."competitors"."id" = $2 RETURNING "orla_api"."competitors".*)
       SELECT '' AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, array[]::text[] AS header,
       coalesce(json_agg(_postgrest_t), '[]') AS body, ${RESPONSE}, '' AS response_inserted
       FROM (SELECT "competitors".* FROM "pgrst_source" AS "competitors" ) _postgrest_t`, 'COMMIT']],
  'DELETE': [(api) => api.delete(`/competitors?id=eq.${NEVER}`),
    [begin('WRITE'), SETTINGS, PRE_REQUEST,
      `WITH pgrst_source AS (DELETE FROM "orla_api"."competitors" WHERE "orla_api"."competitors"."id" = $1 RETURNING 1)
       SELECT '' AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, array[]::text[] AS header, ''::text AS body,
       ${RESPONSE}, '' AS response_inserted FROM (SELECT * FROM pgrst_source) _postgrest_t`, 'COMMIT']],
  'an upsert': [(api) => api.post('/competitors', [{ id: NEVER, name: 'x' }], { prefer: 'resolution=merge-duplicates' }),
    [begin('WRITE'), SETTINGS, PRE_REQUEST,
      `WITH pgrst_source AS (INSERT INTO "orla_api"."competitors"("id", "name") SELECT "pgrst_body"."id", "pgrst_body"."name" FROM
       (SELECT $1::json AS json_data) pgrst_payload, LATERAL (SELECT "id", "name" FROM json_to_recordset(pgrst_payload.json_data)
       AS _("id" uuid, "name" text) ) pgrst_body WHERE set_config('pgrst.inserted',
       (coalesce(nullif(current_setting('pgrst.inserted', true), '')::int, 0) + 1)::text, true) <> '0'
       ON CONFLICT("user_id", "id") DO UPDATE SET "id" = EXCLUDED."id", "name" = EXCLUDED."name" WHERE set_config('pgrst.inserted',
       (coalesce(nullif(current_setting('pgrst.inserted', true), '')::int, 0) - 1)::text, true) <> '-1' RETURNING 1)
       SELECT '' AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, array[]::text[] AS header, ''::text AS body,
       ${RESPONSE}, nullif(current_setting('pgrst.inserted', true),'')::int AS response_inserted
       FROM (SELECT * FROM pgrst_source) _postgrest_t`, 'COMMIT']],
  'Prefer: tx=rollback, where it is allowed': [(api) => api.post('/competitors', { name: 'x' }, { prefer: 'tx=rollback' }),
    [begin('WRITE'), SETTINGS, PRE_REQUEST, null, 'SET CONSTRAINTS ALL IMMEDIATE', 'ABORT']],
  'a cast that fails after the function ran': [(api) => api.post('/rpc/logout?select=x:logout-%3E%3Emessage::integer', { refresh_token: 'x' }),
    [begin('WRITE'), SETTINGS, PRE_REQUEST, null, 'ABORT']],
  'POST to a VOLATILE function': [(api) => api.rpc('logout', { refresh_token: 'x' }),
    [begin('WRITE'), SETTINGS, PRE_REQUEST,
      `WITH pgrst_source AS (SELECT pgrst_call.pgrst_scalar FROM (SELECT $1::json AS json_data) pgrst_payload,
       LATERAL (SELECT "refresh_token" FROM json_to_record(pgrst_payload.json_data) AS _("refresh_token" text) LIMIT 1)
       pgrst_body , LATERAL (SELECT "orla_api"."logout"("refresh_token" := pgrst_body."refresh_token") pgrst_scalar) pgrst_call)
       SELECT null::bigint AS total_result_set, 1 AS page_total,
       coalesce(json_agg(_postgrest_t.pgrst_scalar)->0, 'null') AS body, ${RESPONSE}, '' AS response_inserted
       FROM (SELECT "logout".* FROM "pgrst_source" AS "logout" ) _postgrest_t`, null]],
  'POST to a STABLE function': [(api) => api.rpc('me'), [begin('ONLY'), SETTINGS, PRE_REQUEST, null, 'COMMIT']],
  'GET of a VOLATILE function': [(api) => api.get('/rpc/logout?refresh_token=x'),
    [begin('ONLY'), SETTINGS, PRE_REQUEST, null, 'ABORT']],
  'an error in pre-request': [(api) => api.as({ cookie: 'orla_session=x' }).get('/competitors'),
    [begin('ONLY'), SETTINGS, PRE_REQUEST, 'ABORT']],
  'a bad signature': [(api) => api.as({ token: `${api.token.slice(0, -6)}AAAAAA` }).get('/competitors'), []],
};

describe('the stand-in', { skip: IS_POSTGREST ? 'POSTGREST names the real one' : false }, () => {
  const query = pg.Client.prototype.query;
  const sent = [];
  let database;
  let layer;
  let api;
  before(async () => {
    database = await startDatabase();
    layer = await startLayer(database, { 'db-tx-end': 'commit-allow-override' });
    ({ api } = await join(new Client(layer.url), database, 'Ada'));
    pg.Client.prototype.query = function spy(config, ...rest) {
      const text = typeof config === 'string' ? config : config.text;
      if (!/^SET client_encoding/.test(text)) sent.push(text);
      return query.call(this, config, ...rest);
    };
  });
  after(async () => {
    pg.Client.prototype.query = query;
    await layer?.close();
    await database?.close();
  });

  for (const [what, [call, expected]] of Object.entries(EXPECTED)) {
    test(`${what}: the statements of one request`, async () => {
      sent.length = 0;
      await call(api);
      assert.equal(sent.length, expected.length, sent.join('\n'));
      expected.forEach((text, i) => {
        if (text !== null) assert.equal(tidy(sent[i]), tidy(text));
      });
    });
  }
});

// What POSTGREST=/path does, tried where there is no such path: the stand-in
// takes PostgREST's arguments, environment and signals.
test('as a process of its own, with the documented file and the environment', async () => {
  const database = await startDatabase();
  const program = process.env.POSTGREST ?? fileURLToPath(new URL('gateway.mjs', import.meta.url));
  try {
    const layer = await startProgram(program, database);
    try {
      layer.reload();
      await restLifecycle(new Client(layer.url), database);
    } finally {
      await layer.close();
    }
    await assert.rejects(new Client(layer.url).get('/rpc/jwks'), { code: 'ECONNREFUSED' });
  } finally {
    await database.close();
  }
  await assert.rejects(startProgram('/nonexistent/postgrest', database), /did not start|ended/);
});
