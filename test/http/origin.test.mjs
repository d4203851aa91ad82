// Where a sign-in comes from: the header that a proxy sets, by setting, and the
// cookie of a known device. Both decide who is locked out, so neither may be
// made up.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { startLayer } from './lib/layer.mjs';
import { PASSWORD, WRONG, signUp } from './lib/people.mjs';

/** A database with these settings and a layer over it, for one group. */
function over(settings) {
  const here = {};
  before(async () => {
    here.database = await startDatabase({ settings });
    here.layer = await startLayer(here.database);
    here.anybody = new Client(here.layer.url);
  });
  after(async () => {
    await here.layer?.close();
    await here.database?.close();
  });
  here.login = async (email, headers = {}, cookie = undefined, password = PASSWORD) =>
    here.anybody.as({ cookie, headers }).rpc('login', { email, password });
  /** What the session of a sign-in with these headers says of its origin. */
  here.address = async (email, headers) => {
    const { status, text, body } = await here.login(email, headers);
    assert.equal(status, 200, text);
    const sessions = await here.anybody.as({ token: body.access_token }).rpc('my_sessions');
    return sessions.body.find(({ current }) => current).ip_address;
  };
  here.lockOut = async (email, headers, cookie) => {
    for (let i = 0; i < 5; i++) assert.equal((await here.login(email, headers, cookie, WRONG)).status, 401);
    assert.equal((await here.login(email, headers, cookie)).status, 401, 'locked');
  };
  return here;
}

describe('the client\'s address, where x-forwarded-for is named', () => {
  const here = over({ 'orla.client_address_header': 'x-forwarded-for' });
  let ada;
  before(async () => { ada = await signUp(here.anybody, here.database, 'Ada'); });

  test('is the last of the header, which the proxy added itself', async () => {
    assert.equal(await here.address(ada.email, { 'x-forwarded-for': '203.0.113.50, 198.51.100.9' }), '198.51.100.9');
    assert.equal(await here.address(ada.email, { 'x-forwarded-for': '2001:db8::7' }), '2001:db8::7');
  });

  test('is not what a client says of itself in front of it, nor in another header', async () => {
    for (let i = 0; i < 5; i++) {
      const refused = await here.login(ada.email, { 'x-forwarded-for': `203.0.113.${i}, 192.0.2.1`, 'x-real-ip': `203.0.113.${i}` }, undefined, WRONG);
      assert.equal(refused.status, 401);
    }
    assert.equal((await here.login(ada.email, { 'x-forwarded-for': '203.0.113.99, 192.0.2.1' })).status, 401, 'counted as one');
    assert.equal((await here.login(ada.email, { 'x-forwarded-for': '192.0.2.2' })).status, 200, 'and nobody else is locked out');
  });

  test('is unknown where the header has none, and signing in works', async () => {
    for (const value of ['nonsense', '', '10.0.0.1; drop', `${'9'.repeat(2000)}`]) {
      assert.equal(await here.address(ada.email, { 'x-forwarded-for': value }), null, value);
    }
    assert.equal(await here.address(ada.email, {}), null);
  });
});

describe('the client\'s address, where no header is named', () => {
  const here = over({});

  test('is not taken from any header', async () => {
    const ada = await signUp(here.anybody, here.database, 'Ada');
    const claimed = { 'x-forwarded-for': '203.0.113.50', 'x-real-ip': '203.0.113.50', forwarded: 'for=203.0.113.50' };
    assert.equal(await here.address(ada.email, claimed), null, 'the layer is connected by a socket');
    await here.lockOut(ada.email, claimed);
    assert.equal((await here.login(ada.email, { 'x-forwarded-for': '198.51.100.1', 'x-real-ip': '198.51.100.1' })).status, 401);
  });
});

describe('the cookie of a known device', () => {
  const here = over({ 'orla.client_address_header': 'x-real-ip' });
  const deviceOf = (answer) => /^orla_device=([^;]*);/.exec(answer.headers['set-cookie']?.[0])?.[1];
  let from = 0;
  const elsewhere = () => ({ 'x-real-ip': `192.0.2.${++from}` });
  let ada;
  let cookie;
  before(async () => {
    ada = await signUp(here.anybody, here.database, 'Ada');
    cookie = `orla_device=${deviceOf(await here.login(ada.email, elsewhere()))}`;
  });

  test('is set by a sign-in, out of reach of scripts and of other sites', async () => {
    const answer = await here.login(ada.email, elsewhere());
    assert.equal(answer.headers['set-cookie'].length, 1);
    assert.match(answer.headers['set-cookie'][0],
      /^orla_device=[0-9a-f-]{36}\.[0-9a-f]{16}\.[0-9a-f]{64}; Path=\/; Max-Age=31536000; HttpOnly; SameSite=Lax$/);
    assert.ok(!answer.text.includes(deviceOf(answer)), 'and is not in the body');
    assert.ok(!answer.headers['set-cookie'][0].includes(ada.id));
  });

  test('is not set by a refusal', async () => {
    const answer = await here.login(ada.email, elsewhere(), undefined, WRONG);
    assert.deepEqual([answer.status, answer.headers['set-cookie']], [401, undefined]);
  });

  test('lets its device in where others locked the address out', async () => {
    const headers = elsewhere();
    await here.lockOut(ada.email, headers);
    assert.equal((await here.login(ada.email, headers, cookie)).status, 200);
  });

  test('is no password', async () => {
    assert.equal((await here.login(ada.email, elsewhere(), cookie, WRONG)).status, 401);
    assert.equal((await here.anybody.as({ cookie }).get('/competitors')).status, 401);
  });

  test('does nothing if it was changed, made up, or of another account', async () => {
    const ben = await signUp(here.anybody, here.database, 'Ben');
    const bens = deviceOf(await here.login(ben.email, elsewhere()));
    const headers = elsewhere();
    await here.lockOut(ada.email, headers);
    const [id, key, digest] = cookie.slice('orla_device='.length).split('.');
    const other = digest.endsWith('0') ? '1' : '0';
    for (const forged of [`${id}.${key}.${digest.slice(0, -1)}${other}`, `${ada.id}.${key}.${digest}`, bens,
      'x', '', `${id}.${key}.`, `${'a'.repeat(5000)}`]) {
      assert.equal((await here.login(ada.email, headers, `orla_device=${forged}`)).status, 401, forged);
    }
  });

  test('locks out its own device alone when it guesses', async () => {
    const device = `orla_device=${deviceOf(await here.login(ada.email, elsewhere()))}`;
    const headers = elsewhere();
    await here.lockOut(ada.email, headers, device);
    assert.equal((await here.login(ada.email, elsewhere(), device)).status, 401, 'wherever it goes');
    assert.equal((await here.login(ada.email, headers)).status, 200, 'others from there are not');
    assert.equal((await here.login(ada.email, headers, cookie)).status, 200, 'nor other devices');
  });
});

describe('where the application is reached by https', () => {
  const here = over({ 'orla.public_url': 'https://app.example.org' });
  let ada;
  before(async () => { ada = await signUp(here.anybody, here.database, 'Ada'); });

  test('the device cookie is for https alone', async () => {
    const answer = await here.login(ada.email);
    assert.match(answer.headers['set-cookie'][0], /; HttpOnly; SameSite=Lax; Secure$/);
  });

  test('the session cookie has the name that browsers keep to https and one host', async () => {
    const token = ada.session.access_token;
    const rows = (cookie) => here.anybody.as({ cookie }).get('/competitors');
    assert.equal((await rows(`__Host-orla_session=${token}`)).status, 200);
    assert.equal((await rows(`orla_session=${token}`)).status, 401, 'the other name is nobody');
    const write = (headers) => here.anybody.as({ cookie: `__Host-orla_session=${token}` })
      .post('/competitors', { name: 'x' }, { headers });
    assert.equal((await write({ origin: 'https://app.example.org' })).status, 201);
    for (const origin of ['http://app.example.org', 'https://app.example.org:8443', 'https://app.example.org.evil.example', 'null']) {
      assert.equal((await write({ origin })).status, 403, origin);
    }
  });
});
