// Sign-up, sign-in and sign-out as a browser does them.
// Ways 52, 56, 57, 58, 59, 60, 61, 63 and 74 of docs/security.md.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { startLayer } from './lib/layer.mjs';
import { PASSWORD, join, mailTo, signIn, signUp, tokenIn } from './lib/people.mjs';

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

test('register, verify, login, read and write own rows, refresh, logout, 401', async () => {
  const ada = await signUp(anybody, database, 'Ada');

  const session = await signIn(anybody, ada.email);
  assert.deepEqual(Object.keys(session).sort(),
    ['access_token', 'expires_in', 'refresh_token', 'token_type', 'user']);
  assert.equal(session.token_type, 'bearer');
  assert.equal(session.user.id, ada.id);
  assert.equal(session.user.email_verified, true);

  const api = anybody.as({ token: session.access_token });
  const written = await api.post('/competitors', { name: 'Rival' }, { prefer: 'return=representation' });
  assert.equal(written.status, 201, written.text);
  assert.equal(written.body[0].user_id, ada.id);
  const read = await api.get('/competitors?select=name');
  assert.deepEqual([read.status, read.body], [200, [{ name: 'Rival' }]]);
  const me = await api.rpc('me');
  assert.deepEqual([me.status, me.body.email], [200, ada.email]);

  const refreshed = await anybody.rpc('refresh', { refresh_token: session.refresh_token });
  assert.equal(refreshed.status, 200, refreshed.text);
  const again = anybody.as({ token: refreshed.body.access_token });
  assert.equal((await again.get('/competitors')).body.length, 1);

  const out = await again.rpc('logout', { refresh_token: refreshed.body.refresh_token });
  assert.deepEqual([out.status, Object.keys(out.body)], [200, ['message']]);
  for (const ended of [api, again]) {
    const refused = await ended.get('/competitors');
    assert.equal(refused.status, 401, refused.text);
    assert.equal(refused.body.code, 'PT401');
  }
  assertRefused(await anybody.rpc('refresh', { refresh_token: refreshed.body.refresh_token }));
});

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
    ['nobody@example.org', PASSWORD], [ada.email, 'Wrong-Horse-42'], [unverified, PASSWORD],
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
        const answer = await here.post(`/rpc/login${query}`, { email: ada.email, password: 'Wrong-Horse-42' }, options);
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

  test('Prefer: tx=rollback does undo what is not to be remembered', async () => {
    const ada = await join(anybody, database, 'Ada');
    const answer = await ada.api.post('/competitors', { name: 'Rival' }, { prefer: 'tx=rollback' });
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual((await ada.api.get('/competitors')).body, []);
  });

  test('a refused sign-in is in the audit log', async () => {
    const ada = await join(anybody, database, 'Ada');
    await anybody.post('/rpc/login', { email: ada.email, password: 'Wrong-Horse-42' }, { prefer: 'tx=rollback' });
    const log = await ada.api.get('/my_audit_log?event_status=eq.failure');
    assert.equal(log.status, 200, log.text);
    assert.equal(log.body.length, 1, log.text);
  });
});

describe('GET never writes', () => {
  const VOLATILE = {
    login: { email: 'ada@example.org', password: PASSWORD },
    register: { name: 'Ada', email: 'get@example.org', password: PASSWORD },
    refresh: { refresh_token: 'x.y' },
    logout: { refresh_token: 'x.y' },
    forgot_password: { email: 'ada@example.org' },
  };
  for (const [name, args] of Object.entries(VOLATILE)) {
    test(`GET /rpc/${name} is 405`, async () => {
      const answer = await anybody.get(`/rpc/${name}?${new URLSearchParams(args)}`);
      assert.deepEqual([answer.status, answer.body.code], [405, '25006'], answer.text);
    });
  }

  test('a refused GET has counted nothing and mailed nothing', async () => {
    const ada = await signUp(anybody, database, 'Ada');
    const here = anybody.as({ headers: { 'x-real-ip': '203.0.113.9' } });
    for (let i = 0; i < 6; i++) {
      await here.get(`/rpc/login?${new URLSearchParams({ email: ada.email, password: 'Wrong-Horse-42' })}`);
    }
    await signIn(here, ada.email);
    const [{ n }] = await database.sql(`SELECT count(*)::int AS n FROM orla.outbox WHERE to_address = 'get@example.org'`);
    assert.equal(n, 0);
  });

  test('GET /rpc/me and /rpc/jwks read', async () => {
    const ada = await join(anybody, database, 'Ada');
    assert.equal((await ada.api.get('/rpc/me')).status, 200);
    assert.ok((await anybody.get('/rpc/jwks')).body.keys.length > 0);
  });
});
