// Both layers through a real PgBouncer in transaction mode with one server
// connection, configured as docs/howto-pgbouncer.md says.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { startLayer } from './lib/layer.mjs';
import { join } from './lib/people.mjs';
import { graphqlLifecycle, restLifecycle } from './lib/lifecycle.mjs';
import { startPgBouncer } from './lib/pgbouncer.mjs';

// Read when the package is loaded, so before that.
process.env.DATAPLAN_PG_PREPARED_STATEMENT_CACHE_SIZE = '0';
const { startPostGraphile } = await import('./lib/postgraphile.mjs');

describe('through PgBouncer', () => {
  let database;
  let bouncer;
  let postgrest;
  let postgraphile;
  let anybody;
  let ada;
  let ben;

  before(async () => {
    database = await startDatabase();
    bouncer = await startPgBouncer(database);
    const behind = { ...database, loginUri: bouncer.uri };
    postgrest = await startLayer(behind, { 'db-prepared-statements': 'false', 'db-channel-enabled': 'false' });
    postgraphile = await startPostGraphile(bouncer.uri);
    anybody = new Client(postgrest.url);
    ada = await join(anybody, database, 'Ada');
    ben = await join(anybody, database, 'Ben');
    await ada.api.post('/competitors', { name: 'of Ada' });
    await ben.api.post('/competitors', { name: 'of Ben' });
  });

  after(async () => {
    await postgraphile?.close();
    await postgrest?.close();
    await bouncer?.close();
    await database?.close();
  });

  const EXPECTED = ['of Ada', 'of Ben', undefined];

  test('PostgREST: interleaved users on one server connection each see their own', async () => {
    const answers = await Promise.all(Array.from({ length: 45 }, (_, i) =>
      (i % 3 === 2 ? anybody : [ada, ben][i % 3].api).get('/competitors?select=name')));
    answers.forEach((answer, i) => assert.equal(answer.body?.[0]?.name, EXPECTED[i % 3], answer.text));
  });

  test('PostGraphile: interleaved users on one server connection each see their own', async () => {
    const api = new Client(postgraphile.url);
    const clients = [api.as({ token: ada.session.access_token }), api.as({ token: ben.session.access_token }), api];
    const answers = await Promise.all(Array.from({ length: 45 }, (_, i) =>
      clients[i % 3].post('/graphql', { query: '{ allCompetitors { nodes { name } } }' })));
    answers.forEach((answer, i) =>
      assert.equal(answer.body?.data?.allCompetitors?.nodes?.[0]?.name, EXPECTED[i % 3], answer.text));
  });

  const LIFE = 'register, verify, login, read and write own rows, refresh, logout, 401';
  test(`PostgREST: ${LIFE}`, () => restLifecycle(anybody, database));
  test(`PostGraphile: ${LIFE}`, () => graphqlLifecycle(new Client(postgraphile.url), database));

  test('the layers do share one server connection', async () => {
    const [{ n }] = await database.sql(
      'SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND usename = $1', [database.login]);
    assert.equal(n, 1);
  });

  test('a connection that skips the proof sees nothing, right after one that did not', async () => {
    const pg = (await import('pg')).default;
    const client = new pg.Client({ connectionString: bouncer.uri });
    await client.connect();
    try {
      await ada.api.get('/competitors');
      await client.query('BEGIN; SET LOCAL ROLE orla_user');
      const { rows } = await client.query('SELECT count(*)::int AS n, orla.current_tenant() AS tenant FROM orla_api.competitors');
      assert.deepEqual(rows[0], { n: 0, tenant: null });
      await client.query('ROLLBACK');
    } finally {
      await client.end();
    }
  });
});
