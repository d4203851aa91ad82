// Ways to become somebody else through an HTTP layer, and what stays on a
// pooled connection. The layer has one connection here: whatever a request
// leaves behind, the next one finds.
// Ways 8, 13, 14, 44, 53, 55, 62 and 86 of docs/security.md.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { startLayer } from './lib/layer.mjs';
import { join, signIn } from './lib/people.mjs';

// Stands for SQL that a tenant got into a function of the exposed schema.
const INJECTED = `
  CREATE FUNCTION orla_api.injected(statement text) RETURNS json
      LANGUAGE plpgsql VOLATILE AS $$
  DECLARE result json;
  BEGIN
      EXECUTE statement INTO result;
      RETURN result;
  END $$;
  CREATE FUNCTION orla_api.injected_reset(statement text) RETURNS json
      LANGUAGE plpgsql VOLATILE AS $$
  DECLARE result json;
  BEGIN
      RESET ROLE;
      EXECUTE statement INTO result;
      RETURN result;
  END $$;
  GRANT EXECUTE ON FUNCTION orla_api.injected(text), orla_api.injected_reset(text) TO PUBLIC`;

const WHO = `SELECT json_build_object('user', current_user, 'session', session_user,
                                      'tenant', orla.current_tenant())`;

let database;
let layer;
let anybody;
let ada;
let ben;

before(async () => {
  database = await startDatabase();
  await database.sql(INJECTED);
  layer = await startLayer(database, { 'db-pool': '1' });
  anybody = new Client(layer.url);
  ada = await join(anybody, database, 'Ada');
  ben = await join(anybody, database, 'Ben');
  await ada.api.post('/competitors', { name: 'Ada\'s' });
  await ben.api.post('/competitors', { name: 'Ben\'s' });
});

after(async () => {
  await layer?.close();
  await database?.close();
});

const names = async (api) => (await api.get('/competitors?select=name')).body?.map?.((row) => row.name);
const inject = (api, statement) => api.rpc('injected', { statement });

describe('pooled connections never carry a tenant to the next request', () => {
  test('interleaved users on one connection each see their own', async () => {
    for (let i = 0; i < 20; i++) {
      assert.deepEqual(await names(ada.api), ['Ada\'s']);
      assert.deepEqual(await names(ben.api), ['Ben\'s']);
      assert.equal((await inject(anybody, WHO)).body.tenant, null);
    }
    const many = await Promise.all(Array.from({ length: 40 }, (_, i) => names([ada, ben][i % 2].api)));
    many.forEach((seen, i) => assert.deepEqual(seen, [['Ada\'s'], ['Ben\'s']][i % 2]));
  });

  const LEAKS = {
    'set_config(request.jwt.claims, …, false)': (who) =>
      `SELECT to_json(set_config('request.jwt.claims', '{"role":"orla_user","sub":"${who.id}"}', false))`,
    'set_config(request.headers, …, false) with a live token': (who) =>
      `SELECT to_json(set_config('request.headers', '{"authorization":"Bearer ${who.session.access_token}"}', false))`,
    'set_config(orla.tenant, …, false) with a live token': (who) =>
      `SELECT to_json(set_config('orla.tenant', '${who.session.access_token}', false))`,
    'set_config(role, …, false)': () => `SELECT to_json(set_config('role', 'orla_user', false))`,
  };
  for (const [what, statement] of Object.entries(LEAKS)) {
    test(`${what} in one request binds nobody in the next`, async () => {
      const left = await inject(ada.api, statement(ada));
      assert.equal(left.status, 200, left.text);
      const next = await inject(anybody, WHO);
      assert.deepEqual([next.body.user, next.body.tenant], ['orla_anon', null], next.text);
      assert.deepEqual(await names(ben.api), ['Ben\'s']);
    });
  }

  test('a request that fails after its proof leaves nothing', async () => {
    const failed = await ada.api.get('/competitors?select=name::integer');
    assert.equal(failed.status, 400);
    assert.equal((await inject(anybody, WHO)).body.tenant, null);
  });
});

describe('who a request is cannot be changed from within', () => {
  test('RESET ROLE goes back to a login that has nothing', async () => {
    const who = await ada.api.rpc('injected_reset', { statement: WHO });
    assert.equal(who.body.user, database.login, who.text);
    for (const view of ['competitors', 'my_audit_log']) {
      const read = await ada.api.rpc('injected_reset', { statement: `SELECT json_agg(t) FROM orla_api.${view} t` });
      assert.equal(read.status, 403, read.text);
    }
    const users = await ada.api.rpc('injected_reset', { statement: 'SELECT json_agg(t) FROM orla.users t' });
    assert.equal(users.status, 403, users.text);
  });

  for (const role of ['orla_service', 'orla_admin', 'orla_gateway', 'orla_analyst', 'postgres']) {
    test(`SET ROLE ${role} is refused, also after RESET ROLE`, async () => {
      const statement = `SELECT to_json(set_config('role', '${role}', true))`;
      for (const name of ['injected', 'injected_reset']) {
        const answer = await ada.api.rpc(name, { statement });
        assert.deepEqual([answer.status, answer.body.code], [403, '42501'], answer.text);
      }
    });
  }

  test('another tenant cannot be named by its uuid', async () => {
    const answer = await inject(ada.api, `SELECT to_json(set_config('orla.tenant', '${ben.id}', true))`);
    assert.deepEqual([answer.status, answer.body.code], [403, '42501'], answer.text);
    assert.ok(!answer.text.includes(ben.id));
  });

  test('a second token does not make a second tenant of the same request', async () => {
    for (const empty of [`''`, `'${ada.session.access_token}'`]) {
      const answer = await inject(ada.api, `
        SELECT to_json(count(*)) FROM orla_api.competitors,
               (SELECT set_config('orla.tenant', ${empty}, true)) a,
               (SELECT set_config('orla.tenant', '${ben.session.access_token}', true)) b`);
      assert.notEqual(answer.status, 200, answer.text);
      assert.ok(!answer.text.includes('eyJ'), 'and the answer shows no token');
    }
  });

  test('SET request.jwt.claims in a request changes nothing', async () => {
    const answer = await inject(ada.api, `
      SELECT json_agg(name) FROM orla_api.competitors,
             (SELECT set_config('request.jwt.claims', '{"sub":"${ben.id}","role":"orla_user"}', true)) c`);
    assert.deepEqual(answer.body, ['Ada\'s'], answer.text);
  });
});

describe('forged tokens', () => {
  const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  const headerOf = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));

  const FORGERIES = {
    'alg none': (token) => `${part({ alg: 'none' })}.${token.split('.')[1]}.`,
    'claims of another under a good signature': (token) => {
      const [header, , signature] = token.split('.');
      return `${header}.${part({ ...claimsOf(token), sub: ben.id })}.${signature}`;
    },
    'a key of one\'s own': (token) => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const data = `${part(headerOf(token))}.${part({ ...claimsOf(token), sub: ben.id })}`;
      return `${data}.${sign('sha256', Buffer.from(data), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
    },
    'HS256 keyed with the public key': (token) => {
      const { kid } = headerOf(token);
      const data = `${part({ alg: 'HS256', typ: 'JWT', kid })}.${part({ ...claimsOf(token), sub: ben.id })}`;
      const jwk = JSON.stringify(layerKeys.find((key) => key.kid === kid));
      return `${data}.${createHmac('sha256', jwk).update(data).digest('base64url')}`;
    },
    'an unknown kid': (token) => `${part({ ...headerOf(token), kid: '0000000000000000' })}.${token.split('.').slice(1).join('.')}`,
    nothing: () => '',
    'a uuid': () => ben.id,
    'a megabyte of nothing': () => 'A'.repeat(8000),
  };
  let layerKeys;
  before(async () => { layerKeys = (await anybody.get('/rpc/jwks')).body.keys; });

  for (const [what, forge] of Object.entries(FORGERIES)) {
    test(`${what}: 401 with a message only`, async () => {
      const answer = await anybody.as({ token: forge(ada.session.access_token) }).get('/competitors');
      assert.equal(answer.status, 401, answer.text);
      assert.match(answer.headers['www-authenticate'], /^Bearer/);
      assert.ok(!answer.text.includes(ben.id) && !answer.text.includes('eyJ'), answer.text);
    });

    test(`${what}: refused by the database too, where a layer would not look`, async () => {
      const login = await database.connectLogin();
      const token = forge(ada.session.access_token);
      try {
        await login.query('BEGIN; SET LOCAL ROLE orla_user');
        await login.query(`SELECT set_config('request.headers', $1, true)`,
          [JSON.stringify({ authorization: `Bearer ${token}` })]);
        await assert.rejects(login.query('SELECT orla.pre_request()'),
          (error) => ['PT401', '42501'].includes(error.code) && !error.message.includes(ben.id));
      } finally {
        await login.end();
      }
    });
  }

  // Signed by the right key, as nobody but the database can: what a layer lets
  // pass, and what it does not, in time and in every claim.
  const now = () => Math.floor(Date.now() / 1000);
  const [LAYER, DATABASE] = ['PGRST303', 'PT401'];
  const CLAIMS = {
    'that has expired': [{ exp: -3600 }, LAYER],
    'that expired just now': [{ exp: -5 }, DATABASE],
    'of tomorrow': [{ nbf: 86400 }, LAYER],
    'issued tomorrow': [{ iat: 86400 }, LAYER],
    'for another audience': [{ aud: 'other' }, LAYER],
    'without an audience': [{ aud: undefined }, DATABASE],
    'without an expiry': [{ exp: undefined }, DATABASE],
    'of another issuer': [{ iss: 'orla:00000000-0000-4000-8000-000000000000' }, DATABASE],
    'without an issuer': [{ iss: undefined }, DATABASE],
    'for another use': [{ token_use: 'refresh' }, DATABASE],
    'of another session': [{ sid: '00000000-0000-4000-8000-000000000000' }, DATABASE],
    'of another\'s session': [{ sub: () => ben.id }, DATABASE],
    'of another generation': [{ gen: 2 }, DATABASE],
    'without a subject': [{ sub: undefined }, DATABASE],
    'for nobody\'s role': [{ role: 'orla_anon' }, DATABASE],
  };
  const TIMES = ['exp', 'nbf', 'iat'];
  async function signed(changes) {
    const claims = claimsOf(ada.session.access_token);
    for (const [name, value] of Object.entries(changes)) {
      const given = typeof value === 'function' ? value() : value;
      claims[name] = TIMES.includes(name) && given !== undefined ? now() + given : given;
    }
    const [{ token }] = await database.sql('SELECT orla.sign_jwt($1) AS token', [JSON.stringify(claims)]);
    return token;
  }
  for (const [what, [changes, code]] of Object.entries(CLAIMS)) {
    test(`a token ${what} is refused: 401 ${code}`, async () => {
      const answer = await anybody.as({ token: await signed(changes) }).get('/competitors');
      assert.deepEqual([answer.status, answer.body.code], [401, code], answer.text);
      assert.ok(!answer.text.includes('eyJ') && !answer.text.includes(ben.id), answer.text);
    });
  }

  test('a token like these with nothing changed is good', async () => {
    assert.deepEqual(await names(anybody.as({ token: await signed({}) })), ['Ada\'s']);
  });

  for (const role of ['orla_service', 'orla_admin', 'orla_gateway', 'orla_analyst', 'postgres']) {
    test(`a token for role ${role} is refused: the login may not become it`, async () => {
      const answer = await anybody.as({ token: await signed({ role }) }).get('/competitors');
      assert.deepEqual([answer.status, answer.body.code], [403, '42501'], answer.text);
    });
  }

  test('forged JWT claims without a proof are nobody', async () => {
    const login = await database.connectLogin();
    try {
      await login.query('BEGIN');
      await login.query(`SELECT set_config('role', 'orla_user', true), set_config('request.jwt.claims', $1, true)`,
        [JSON.stringify({ role: 'orla_user', sub: ben.id, exp: 4102444800 })]);
      await login.query('SELECT orla.pre_request()');
      const { rows } = await login.query('SELECT orla.current_tenant() AS tenant, (SELECT count(*)::int FROM orla_api.competitors) AS n');
      assert.deepEqual(rows[0], { tenant: null, n: 0 });
    } finally {
      await login.end();
    }
  });
});

describe('the session in a cookie', () => {
  const cookie = (token) => `orla_session=${token}`;
  const OWN = { 'sec-fetch-site': 'same-origin' };

  test('reads and, from the application\'s own pages, writes', async () => {
    const api = anybody.as({ cookie: cookie(ada.session.access_token) });
    assert.deepEqual(await names(api), ['Ada\'s']);
    const written = await api.post('/competitors', { name: 'by cookie' }, { headers: OWN });
    assert.equal(written.status, 201, written.text);
    const origin = await api.delete('/competitors?name=eq.by%20cookie', { headers: { origin: 'http://localhost:3000' } });
    assert.equal(origin.status, 204, origin.text);
    assert.deepEqual(await names(api), ['Ada\'s']);
  });

  for (const [what, headers] of Object.entries({
    'another site': { 'sec-fetch-site': 'cross-site', origin: 'http://localhost:3000' },
    'another host of the site': { 'sec-fetch-site': 'same-site' },
    'another origin': { origin: 'http://localhost:3001' },
    'an origin that only begins like ours': { origin: 'http://localhost:3000.example.org' },
    'a page that does not say': {},
  })) {
    test(`does not write for ${what}: 403`, async () => {
      const api = anybody.as({ cookie: cookie(ada.session.access_token) });
      const answer = await api.post('/competitors', { name: 'forged' }, { headers });
      assert.deepEqual([answer.status, answer.body.code], [403, 'PT403'], answer.text);
      assert.deepEqual(await names(ada.api), ['Ada\'s']);
    });
  }

  test('together with a bearer token is refused, even of the same user', async () => {
    for (const other of [ada, ben]) {
      const both = anybody.as({ token: ada.session.access_token, cookie: cookie(other.session.access_token) });
      const answer = await both.get('/competitors', { headers: OWN });
      assert.deepEqual([answer.status, answer.body.code], [401, 'PT401'], answer.text);
    }
  });

  test('that is bad or ended is 401, not anonymous', async () => {
    const session = await signIn(anybody, ben.email);
    const api = anybody.as({ cookie: cookie(session.access_token) });
    assert.deepEqual(await names(api), ['Ben\'s']);
    await anybody.as({ token: session.access_token }).rpc('logout', { refresh_token: session.refresh_token });
    assert.equal((await api.get('/competitors')).status, 401);
    assert.equal((await anybody.as({ cookie: cookie('nonsense') }).get('/competitors')).status, 401);
  });

  test('under another name is nobody', async () => {
    const answer = await inject(anybody.as({ cookie: `session=${ada.session.access_token}` }), WHO);
    assert.equal(answer.body.tenant, null);
  });
});

describe('errors that only SQL in an exposed function can cause carry the documented status', () => {
  const cases = [
    ['nobody where somebody is needed', 403, '28000', () => inject(anybody, 'SELECT to_json(orla.require_tenant())')],
    ['a second tenant', 500, '25001', () => inject(ada.api,
      `SELECT to_json(set_config('orla.tenant', '${ben.session.access_token}', true))`)],
    ['a bad token', 401, 'PT401', () => inject(anybody, `SELECT to_json(orla.authenticate('x'))`)],
    ['a table that is not there', 404, '42P01', () => inject(ada.api, 'SELECT to_json(1) FROM orla_api.nothing')],
    ['a function that is not there', 404, '42883', () => inject(ada.api, 'SELECT to_json(orla_api.nothing())')],
    ['a malformed value', 400, '22P02', () => inject(ada.api, `SELECT to_json('x'::uuid)`)],
    ['a table behind the API', 403, '42501', () => inject(ada.api, 'SELECT json_agg(u) FROM orla.users u')],
    ['the same by nobody', 401, '42501', () => inject(anybody, 'SELECT json_agg(u) FROM orla.users u')],
    ['EXPLAIN ANALYZE', 403, '42501', () => inject(ada.api, 'EXPLAIN (ANALYZE, FORMAT JSON) SELECT 1')],
  ];
  for (const [what, status, code, call] of cases) {
    test(`${what}: ${status}`, async () => {
      const answer = await call();
      assert.deepEqual([answer.status, answer.body.code], [status, code], answer.text);
    });
  }
});

describe('the login of the layer', () => {
  test('sees nothing by itself: no table, no view, no account', async () => {
    const login = await database.connectLogin();
    try {
      const { rows } = await login.query(`
        SELECT c.oid::regclass::text AS name FROM pg_class c
         WHERE c.relnamespace IN (to_regnamespace('orla'), to_regnamespace('orla_api')) AND c.relkind IN ('r', 'v', 'p')`);
      assert.ok(rows.length > 10);
      for (const { name } of rows) {
        await assert.rejects(login.query(`SELECT * FROM ${name}`), { code: '42501' }, name);
      }
    } finally {
      await login.end();
    }
  });

  test('may become orla_anon and orla_user, who see nothing without a token', async () => {
    const login = await database.connectLogin();
    try {
      await login.query('SET ROLE orla_user');
      const { rows } = await login.query('SELECT count(*)::int AS n FROM orla_api.competitors');
      assert.equal(rows[0].n, 0);
      await assert.rejects(login.query('SELECT orla.require_tenant()'), { code: '28000' });
      for (const role of ['orla_service', 'orla_admin', 'orla_gateway', 'orla_analyst']) {
        await assert.rejects(login.query(`SET ROLE ${role}`), { code: '42501' }, role);
      }
    } finally {
      await login.end();
    }
  });

  test('can do nothing that survives it: no temporary table, no holdable cursor, no large object', async () => {
    const login = await database.connectLogin();
    try {
      for (const statement of ['CREATE TEMP TABLE t ()', 'CREATE SCHEMA s', 'CREATE TABLE public.t ()', 'SELECT lo_create(0)']) {
        await assert.rejects(login.query(statement), { code: '42501' }, statement);
      }
      await login.query('SET ROLE orla_user');
      await assert.rejects(login.query('DECLARE c CURSOR WITH HOLD FOR SELECT 1'), statement => statement.code !== undefined);
    } finally {
      await login.end();
    }
  });
});

test('an ended session is refused on a connection that has its token cached', async () => {
  const session = await signIn(anybody, ada.email);
  const api = anybody.as({ token: session.access_token });
  for (let i = 0; i < 3; i++) assert.deepEqual(await names(api), ['Ada\'s']);
  await api.rpc('logout', { refresh_token: session.refresh_token });
  const answer = await api.get('/competitors');
  assert.deepEqual([answer.status, answer.body.code], [401, 'PT401'], answer.text);
  assert.equal(answer.body.message, 'access token refused');
});

test('no answer and no statement of the server shows a token', async () => {
  await anybody.as({ token: ada.session.access_token }).get('/competitors');
  const rows = await database.sql(
    `SELECT query FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%eyJ%' AND pid <> pg_backend_pid()`);
  assert.deepEqual(rows, []);
  const shown = await inject(ada.api, `SELECT to_json(current_setting('orla.tenant'))`);
  assert.equal(shown.body, ada.id);
});
