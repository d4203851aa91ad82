// The stand-in sends what PostgREST 16.2 was seen to send. Without this the
// other tests would prove something about a layer that nobody runs.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import pg from 'pg';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { IS_POSTGREST, startLayer } from './lib/layer.mjs';
import { join } from './lib/people.mjs';

const SETTINGS = `select set_config('search_path', $1, true), set_config('role', $2, true), ` +
  `set_config('request.jwt.claims', $3, true), set_config('request.method', $4, true), ` +
  `set_config('request.path', $5, true), set_config('request.headers', $6, true), set_config('request.cookies', $7, true)`;
const PRE_REQUEST = `select "orla"."pre_request"()`;
const RESPONSE = `nullif(current_setting('response.headers', true), '') AS response_headers, ` +
  `nullif(current_setting('response.status', true), '') AS response_status`;
const begin = (mode) => `BEGIN ISOLATION LEVEL READ COMMITTED READ ${mode}`;

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
    layer = await startLayer(database);
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
