// Sign-up, sign-in and sign-out as a browser does them.
// Ways 52, 56, 57, 59, 60, 61, 63 and 74 of docs/security.md.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { startLayer } from './lib/layer.mjs';
import { restLifecycle } from './lib/lifecycle.mjs';
import { PASSWORD, WRONG, eventually, join, mailTo, signIn, signUp, tokenIn } from './lib/people.mjs';

let database;
let layer;
let anybody;

before(async () => {
  database = await startDatabase({ settings: { 'orla.client_address_header': 'x-real-ip' } });
  // The worst that an operator can allow: clients that undo their requests.
  layer = await startLayer(database, { 'db-tx-end': 'commit-allow-override' });
  anybody = new Client(layer.url);
});

after(async () => {
  await layer?.close();
  await database?.close();
});

/** A refusal says its message and nothing that tells one cause from another. */
function assertRefused(answer, status = 401) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.body.code, `PT${status}`);
  assert.equal(answer.body.details, null, 'no detail');
  assert.equal(answer.body.hint, null, 'no hint');
}

test('register, verify, login, read and write own rows, refresh, logout, 401', () => restLifecycle(anybody, database));

test('a registration answers the same for a free address and for one that is taken', async () => {
  const ada = await signUp(anybody, database, 'Ada');
  const taken = await anybody.rpc('register', { name: 'Eve', email: ada.email, password: PASSWORD });
  const free = await anybody.rpc('register', { name: 'Eve', email: `free.${ada.email}`, password: PASSWORD });
  assert.deepEqual([taken.status, taken.text], [free.status, free.text]);
});

test('a link from the mail is not enough without the password, and works once', async () => {
  const email = `link.${process.pid}@example.org`;
  await anybody.rpc('register', { name: 'Link', email, password: PASSWORD });
  const token = tokenIn(await mailTo(database, email));
  assertRefused(await anybody.rpc('verify_email', { token, password: 'Another-Password-1' }));
  assert.equal((await anybody.rpc('verify_email', { token, password: PASSWORD })).status, 200);
  assertRefused(await anybody.rpc('verify_email', { token, password: PASSWORD }));
});

test('signing in says the same for an unknown address, a wrong password and an unverified account', async () => {
  const ada = await signUp(anybody, database, 'Ada');
  const unverified = `unverified.${process.pid}@example.org`;
  await anybody.rpc('register', { name: 'Una', email: unverified, password: PASSWORD });
  const answers = [];
  for (const [email, password] of [
    ['nobody@example.org', PASSWORD], [ada.email, WRONG], [unverified, PASSWORD],
  ]) {
    const answer = await anybody.rpc('login', { email, password });
    assertRefused(answer);
    answers.push(answer.text);
  }
  assert.equal(new Set(answers).size, 1);
});

test('two tabs that refresh at once both go on with the same session', async () => {
  const ada = await join(anybody, database, 'Ada');
  const refresh = () => anybody.rpc('refresh', { refresh_token: ada.session.refresh_token });
  const [one, two] = await Promise.all([refresh(), refresh()]);
  assert.deepEqual([one.status, two.status], [200, 200], one.text + two.text);
  assert.equal(one.body.refresh_token, two.body.refresh_token);
  for (const { body } of [one, two]) {
    assert.equal((await anybody.as({ token: body.access_token }).rpc('me')).status, 200);
  }
});

test('an access token where a refresh token belongs, and the other way round, is refused', async () => {
  const ada = await join(anybody, database, 'Ada');
  assertRefused(await anybody.rpc('refresh', { refresh_token: ada.session.access_token }));
  const answer = await anybody.as({ token: ada.session.refresh_token }).get('/competitors');
  assert.equal(answer.status, 401);
});

test('a token that has ended is refused on every path, sign-in and refresh too', async () => {
  const ada = await join(anybody, database, 'Ada');
  const other = await signIn(anybody, ada.email);
  await anybody.rpc('logout', { refresh_token: ada.session.refresh_token });
  for (const [name, args] of [['login', { email: ada.email, password: PASSWORD }], ['refresh', { refresh_token: other.refresh_token }]]) {
    const answer = await ada.api.rpc(name, args);
    assert.deepEqual([answer.status, answer.body.code, answer.body.message], [401, 'PT401', 'access token refused'], answer.text);
    assert.equal((await anybody.rpc(name, args)).status, 200, 'and without it is not');
  }
});

test('logout_everywhere ends every session at once, the caller\'s too', async () => {
  const ada = await join(anybody, database, 'Ada');
  const other = anybody.as({ token: (await signIn(anybody, ada.email)).access_token });
  assert.equal((await ada.api.rpc('logout_everywhere')).status, 200);
  assert.deepEqual([(await ada.api.rpc('me')).status, (await other.rpc('me')).status], [401, 401]);
});

test('a changed password ends all other sessions', async () => {
  const ada = await join(anybody, database, 'Ada');
  const other = anybody.as({ token: (await signIn(anybody, ada.email)).access_token });
  const changed = await ada.api.rpc('change_password',
    { current_password: PASSWORD, new_password: 'Another-Horse-43' });
  assert.equal(changed.status, 200, changed.text);
  assert.equal((await other.rpc('me')).status, 401);
  await signIn(anybody, ada.email, 'Another-Horse-43');
});

test('a forgotten password is reset by the link in the mail, and the old one is over', async () => {
  const ada = await join(anybody, database, 'Ada');
  const known = await anybody.rpc('forgot_password', { email: ada.email });
  const unknown = await anybody.rpc('forgot_password', { email: 'nobody@example.org' });
  assert.deepEqual([known.status, known.text], [unknown.status, unknown.text]);
  const token = tokenIn(await mailTo(database, ada.email));
  const reset = await anybody.rpc('reset_password', { token, new_password: 'Third-Horse-44' });
  assert.equal(reset.status, 200, reset.text);
  assert.equal((await ada.api.rpc('me')).status, 401);
  assertRefused(await anybody.rpc('login', { email: ada.email, password: PASSWORD }));
  await signIn(anybody, ada.email, 'Third-Horse-44');
  assertRefused(await anybody.rpc('reset_password', { token, new_password: 'Fourth-Horse-45' }));
});

test('a deleted account leaves no rows and no way in', async () => {
  const ada = await join(anybody, database, 'Ada');
  await ada.api.post('/competitors', { name: 'Rival' });
  const gone = await ada.api.rpc('delete_account', { password: PASSWORD });
  assert.equal(gone.status, 200, gone.text);
  assert.equal((await ada.api.get('/competitors')).status, 401);
  assertRefused(await anybody.rpc('login', { email: ada.email, password: PASSWORD }));
  const [{ n }] = await database.sql('SELECT count(*)::int AS n FROM orla.competitors WHERE user_id = $1', [ada.id]);
  assert.equal(n, 0);
});

describe('what must be remembered survives the caller', () => {
  const CASTS = '?select=pgrst_scalar:pgrst_scalar-%3E%3Etoken_type::integer';
  const UNDOING = [
    ['Prefer: tx=rollback', '', { prefer: 'tx=rollback' }],
    ['a filter that fails after the function ran', CASTS, {}],
  ];
  let origin = 1;

  for (const [how, query, options] of UNDOING) {
    test(`${how} does not erase a failed attempt`, async () => {
      const ada = await signUp(anybody, database, 'Ada');
      const here = anybody.as({ headers: { 'x-real-ip': `192.0.2.${origin++}` } });
      for (let i = 0; i < 5; i++) {
        const answer = await here.post(`/rpc/login${query}`, { email: ada.email, password: WRONG }, options);
        assertRefused(answer);
      }
      // Locked from here, so the right password gets the same answer …
      assertRefused(await here.rpc('login', { email: ada.email, password: PASSWORD }));
      // … and not from elsewhere: nobody locks others out.
      const elsewhere = anybody.as({ headers: { 'x-real-ip': '198.51.100.7' } });
      await signIn(elsewhere, ada.email);
    });

    test(`${how} does not undo a rotation of refresh tokens`, async () => {
      const ada = await join(anybody, database, 'Ada');
      const { rows: [before] } = await database.admin.query(
        'SELECT count(*)::int AS n FROM orla.refresh_tokens WHERE user_id = $1', [ada.id]);
      const answer = await anybody.post(`/rpc/refresh${query}`, { refresh_token: ada.session.refresh_token }, options);
      assert.equal(answer.status, query === '' ? 200 : 400, answer.text);
      if (query !== '') assert.equal(answer.body.code, '22P02');
      const { rows: [after] } = await database.admin.query(
        'SELECT count(*)::int AS n FROM orla.refresh_tokens WHERE user_id = $1', [ada.id]);
      assert.equal(after.n, before.n + 1);
    });

    test(`${how} does not undo a sign-out`, async () => {
      const ada = await join(anybody, database, 'Ada');
      await ada.api.post(`/rpc/logout${query.replace('token_type', 'message')}`,
        { refresh_token: ada.session.refresh_token }, options);
      assert.equal((await ada.api.rpc('me')).status, 401);
    });
  }

  const failures = async () =>
    (await database.sql('SELECT coalesce(sum(failed), 0)::int AS n FROM orla.sign_in_attempts'))[0].n;
  const tokensOf = async (id) =>
    (await database.sql('SELECT count(*)::int AS n FROM orla.refresh_tokens WHERE user_id = $1', [id]))[0].n;

  test('ROLLBACK, also to a savepoint, does not erase a failed attempt, a rotation or a sign-out', async () => {
    const ada = await join(anybody, database, 'Ada');
    const [failed, tokens] = [await failures(), await tokensOf(ada.id)];
    const login = await database.connectLogin();
    try {
      await login.query('BEGIN; SET LOCAL ROLE orla_anon; SAVEPOINT a');
      await assert.rejects(login.query('SELECT orla_api.login($1, $2)', [ada.email, WRONG]), { code: 'PT401' });
      await login.query('ROLLBACK TO a');
      const { rows: [{ next }] } = await login.query(
        `SELECT orla_api.refresh($1) ->> 'refresh_token' AS next`, [ada.session.refresh_token]);
      await login.query('ROLLBACK TO a');
      await login.query('SELECT orla_api.logout($1)', [next]);
      await login.query('ROLLBACK');
    } finally {
      await login.end();
    }
    assert.equal(await failures(), failed + 1);
    assert.equal(await tokensOf(ada.id), tokens + 1);
    assert.equal((await ada.api.rpc('me')).status, 401, 'signed out');
  });

  test('a cancelled request does not erase a failed attempt', async () => {
    const ada = await signUp(anybody, database, 'Ada');
    const failed = await failures();
    // Somebody holds up the process that counts, so that the request is cancelled before it has an answer.
    const holder = await database.connectAdmin();
    try {
      await holder.query('BEGIN; LOCK TABLE orla.sign_in_attempts IN EXCLUSIVE MODE');
      const request = anybody.rpc('login', { email: ada.email, password: WRONG });
      await eventually('the process waits', async () => (await database.sql(
        `SELECT FROM pg_stat_activity WHERE backend_type = 'orla call' AND datname = current_database() AND wait_event_type = 'Lock'`)).length > 0);
      const cancelled = await database.sql(
        `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND usename = $1 AND state = 'active'`, [database.login]);
      assert.equal(cancelled.length, 1);
      const answer = await request;
      assert.deepEqual([answer.status, answer.body.code], [500, '57014'], answer.text);
      assert.equal(await failures(), failed);
      await holder.query('ROLLBACK');
    } finally {
      await holder.end();
    }
    await eventually('the attempt is counted', async () => (await failures()) === failed + 1);
  });

  test('Prefer: tx=rollback does undo what is not to be remembered', async () => {
    const ada = await join(anybody, database, 'Ada');
    const answer = await ada.api.post('/competitors', { name: 'Rival' }, { prefer: 'tx=rollback' });
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual((await ada.api.get('/competitors')).body, []);
  });

  test('a refused sign-in is in the audit log', async () => {
    const ada = await join(anybody, database, 'Ada');
    await anybody.post('/rpc/login', { email: ada.email, password: WRONG }, { prefer: 'tx=rollback' });
    const log = await ada.api.get('/my_audit_log?event_status=eq.failure');
    assert.equal(log.status, 200, log.text);
    assert.equal(log.body.length, 1, log.text);
  });
});

describe('GET never writes', () => {
  // Read from the catalogue, so that a function that is added is tried by itself.
  const functions = () => database.sql(`
    SELECT proname AS name, coalesce(proargnames[1:pronargs], '{}') AS arguments,
           has_function_privilege('orla_anon', oid, 'EXECUTE') AS anonymous
      FROM pg_proc WHERE pronamespace = 'orla_api'::regnamespace AND provolatile = 'v' ORDER BY proname`);
  // Every row of every table, the extension's own included.
  const everything = async () => {
    const tables = await database.sql(`SELECT oid::regclass::text AS name FROM pg_class
      WHERE relnamespace = 'orla'::regnamespace AND relkind = 'r' ORDER BY 1`);
    const rows = {};
    for (const { name } of tables) {
      [{ rows: rows[name] }] = await database.sql(`SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) AS rows FROM ${name} t`);
    }
    return rows;
  };

  test('every function that may write answers 405 to a GET and to a HEAD, and has written nothing', async () => {
    const ada = await join(anybody, database, 'Ada');
    const before = await everything();
    const all = await functions();
    assert.ok(all.length >= 11, 'sign-up and sign-in are there');
    for (const { name, arguments: names, anonymous } of all) {
      const path = `/rpc/${name}?${new URLSearchParams(names.map((each) =>
        [each, { email: ada.email, password: PASSWORD, refresh_token: ada.session.refresh_token }[each] ?? 'x']))}`;
      for (const client of anonymous ? [anybody, ada.api] : [ada.api]) {
        const answer = await client.get(path);
        assert.deepEqual([answer.status, answer.body.code], [405, '25006'], `${name}: ${answer.text}`);
        assert.equal((await client.request('HEAD', path)).status, 405, name);
      }
    }
    assert.deepEqual(await everything(), before);
    assert.equal((await ada.api.rpc('me')).status, 200, 'nobody was signed out');
  });

  test('a refused GET has counted nothing and mailed nothing', async () => {
    const ada = await signUp(anybody, database, 'Ada');
    const here = anybody.as({ headers: { 'x-real-ip': '203.0.113.9' } });
    for (let i = 0; i < 6; i++) {
      await here.get(`/rpc/login?${new URLSearchParams({ email: ada.email, password: WRONG })}`);
    }
    await signIn(here, ada.email);
    const [{ n }] = await database.sql(`SELECT count(*)::int AS n FROM orla.outbox WHERE to_address = 'get@example.org'`);
    assert.equal(n, 0);
  });

  test('GET /rpc/me and /rpc/jwks read', async () => {
    const ada = await join(anybody, database, 'Ada');
    assert.equal((await ada.api.get('/rpc/me')).status, 200);
    assert.equal((await ada.api.get('/rpc/my_sessions')).body.length, 1);
    assert.ok((await anybody.get('/rpc/jwks')).body.keys.length > 0);
  });
});

describe('refusals carry the documented status', () => {
  test('a wrong password of one\'s own: 403', async () => {
    const ada = await join(anybody, database, 'Ada');
    assertRefused(await ada.api.rpc('change_password', { current_password: WRONG, new_password: 'Another-Horse-43' }), 403);
    assertRefused(await ada.api.rpc('delete_account', { password: WRONG }), 403);
    assert.equal((await ada.api.rpc('me')).status, 200);
  });

  test('too many mails to one address, whether or not it has an account: 429', async () => {
    const ada = await signUp(anybody, database, 'Ada');
    for (const email of [ada.email, `nobody.${ada.email}`]) {
      const statuses = [];
      for (let i = 0; i < 11; i++) statuses.push((await anybody.rpc('forgot_password', { email })).status);
      assert.deepEqual(new Set(statuses), new Set([200, 429]), email);
      assertRefused(await anybody.rpc('resend_verification', { email }), 429);
      assertRefused(await anybody.rpc('register', { name: 'Ada', email, password: PASSWORD }), 429);
    }
  });

  test('the server is too busy: 503', async () => {
    const holder = await database.connectAdmin();
    try {
      await holder.query('BEGIN; LOCK TABLE orla.users IN ACCESS EXCLUSIVE MODE');
      assertRefused(await anybody.rpc('forgot_password', { email: 'nobody@example.org' }), 503);
    } finally {
      await holder.end();
    }
  });

  // As class 53 it would make PostgREST drop its connections and read the schema again.
  test('the process for one call runs out of memory or disk: 503 of orla\'s own', async () => {
    const [{ source }] = await database.sql(`SELECT pg_get_functiondef('orla.do_logout(jsonb)'::regprocedure) AS source`);
    try {
      for (const state of ['53200', '53100']) {
        await database.sql(`CREATE OR REPLACE FUNCTION orla.do_logout(args jsonb) RETURNS jsonb LANGUAGE plpgsql
          AS $$ BEGIN RAISE EXCEPTION 'none left' USING ERRCODE = '${state}'; END $$`);
        assertRefused(await anybody.rpc('logout', { refresh_token: 'x' }), 503);
      }
    } finally {
      await database.sql(source);
    }
    assert.equal((await anybody.rpc('logout', { refresh_token: 'x' })).status, 200);
  });

  const bad = { name: 'Ada', email: 'ada@example.org', password: PASSWORD };
  for (const [what, args] of Object.entries({
    'an address without @': { ...bad, email: 'ada' },
    'an address with spaces': { ...bad, email: 'a da@example.org' },
    'an address of 300 characters': { ...bad, email: `${'a'.repeat(300)}@example.org` },
    'a password of 7 characters': { ...bad, password: '1234567' },
    'a password of 10,000 characters': { ...bad, password: 'x'.repeat(10000) },
    'no name': { ...bad, name: ' ' },
  })) {
    test(`${what}: 400`, async () => {
      const answer = await anybody.rpc('register', args);
      assert.deepEqual([answer.status, answer.body.code], [400, '22023'], answer.text);
      assert.ok(!answer.text.includes(args.password), 'and does not say the password again');
    });
  }

  test('a NUL in a password: 400', async () => {
    const answer = await anybody.rpc('register', { ...bad, password: 'Correct-\u0000-Horse' });
    assert.deepEqual([answer.status, answer.body.code], [400, '22P05'], answer.text);
  });
});

test('strange arguments of any function are refused as such, never an error of the server\'s own', async () => {
  const functions = await database.sql(`
    SELECT proname AS name, proargnames[1:pronargs] AS arguments FROM pg_proc
     WHERE pronamespace = 'orla_api'::regnamespace AND provolatile = 'v' AND pronargs > 0 ORDER BY proname`);
  const ada = await join(anybody, database, 'Ada');
  const here = ada.api.as({ token: ada.session.access_token, headers: { 'x-real-ip': '203.0.113.77' } });
  for (const [what, value] of Object.entries({
    null: null, empty: '', 'a number': 7, 'an object': { a: 1 }, 'a megabyte': 'x'.repeat(1 << 20),
    unicode: '\u{1F980}\u202E@\u00e9', quotes: `' OR ''='"\\`, newlines: 'a\r\nBcc: b@example.org',
  })) {
    for (const { name, arguments: names } of functions) {
      const answer = await here.rpc(name, Object.fromEntries(names.map((each) => [each, value])));
      assert.ok([200, 400, 401, 403, 409, 429].includes(answer.status), `${name} of ${what}: ${answer.status} ${answer.text.slice(0, 200)}`);
      if (answer.status === 200) assert.ok(['logout', 'register', 'forgot_password', 'resend_verification'].includes(name), `${name} of ${what}`);
      assert.ok(answer.text.length < 1000, `${name} of ${what} does not say it again`);
    }
  }
  assert.equal((await ada.api.rpc('me')).status, 200);
});
