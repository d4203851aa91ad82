// Pages, and the session that a browser holds in cookies, as PostgREST carries
// them (ways 144, 145, 146, 150 and 151 of docs/security.md). What a browser makes
// of them is in test/browser.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { startLayer } from './lib/layer.mjs';
import { PASSWORD, WRONG, mailTo, signUp, tokenIn } from './lib/people.mjs';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8';
const OWN = { 'sec-fetch-site': 'same-origin' };

let database;
let layer;
let anybody;
let ada;
const at = async (public_url, work) => {
  const own = await startDatabase({ settings: { 'orla.public_url': public_url } });
  const other = await startLayer(own);
  try {
    await work(new Client(other.url), own);
  } finally {
    await other.close();
    await own.close();
  }
};

before(async () => {
  database = await startDatabase();
  layer = await startLayer(database);
  anybody = new Client(layer.url);
  ada = await signUp(anybody, database, 'Ada');
});

after(async () => {
  await layer?.close();
  await database?.close();
});

/** name → value of the cookies that an answer sets; null for one that it takes away. */
const cookiesOf = (answer) => Object.fromEntries((answer.headers['set-cookie'] ?? []).map((text) => {
  const [, name, value, age] = /^([^=]+)=([^;]*); Path=\/; Max-Age=(\d+);/.exec(text);
  return [name, age === '0' ? null : value];
}));
const asCookie = (cookies) => Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ');

describe('a page', () => {
  test('is HTML for a browser, with a policy that lets in nothing but our own files', async () => {
    const answer = await anybody.get('/rpc/sign-in', { headers: { accept: BROWSER } });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
    assert.match(answer.text, /^<!doctype html>\n/);
    const policy = Object.fromEntries(answer.headers['content-security-policy'].split('; ').map((part) => [part.split(' ')[0], part]));
    assert.equal(policy['default-src'], "default-src 'none'");
    assert.equal(policy['script-src'], "script-src 'self'");
    assert.equal(policy['style-src'], "style-src 'self'");
    assert.equal(policy['frame-ancestors'], "frame-ancestors 'none'");
    assert.equal(policy['base-uri'], "base-uri 'none'");
    assert.ok(!/unsafe|https?:/.test(answer.headers['content-security-policy']));
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.equal(answer.headers['referrer-policy'], 'no-referrer');
    assert.equal(answer.headers['cache-control'], 'no-store');
  });

  test('and every part of one is served to whoever is nobody, and to whoever has a session that is over', async () => {
    const names = (await database.sql(`SELECT proname AS name, format_type(prorettype, NULL) LIKE '%text/html%' AS is_page FROM pg_proc
      WHERE pronamespace = 'orla_api'::regnamespace AND (proname ~ '[.]' OR prorettype = 'orla_api."text/html"'::regtype) ORDER BY 1`));
    assert.ok(names.filter(({ is_page }) => is_page).length >= 14 && names.length >= 24, `${names.length} found`);
    for (const { name, is_page } of names) {
      for (const cookie of [undefined, 'orla_session=nonsense', `orla_session=${ada.session.access_token.slice(0, -8)}AAAAAAAA`]) {
        const answer = await anybody.as({ cookie }).get(`/rpc/${name}`, { headers: { accept: is_page ? BROWSER : '*/*' } });
        assert.equal(answer.status, 200, `${name} with ${cookie}: ${answer.text.slice(0, 200)}`);
        assert.match(answer.headers['content-type'], is_page ? /^text\/html; charset=utf-8$/ : /^text\/(css|javascript); charset=utf-8$/, name);
      }
      const bearer = await anybody.as({ token: ada.session.access_token }).get(`/rpc/${name}`, { headers: { accept: BROWSER } });
      assert.equal(bearer.status, 200, name);
    }
  });

  test('takes what its address may carry, and does not look', async () => {
    for (const path of ['verify-email?token=x', 'reset-password?token=x', 'oauth-callback?code=a&state=b&iss=c&scope=d&authuser=0&hd=e&prompt=f&session_state=g',
      'oauth-callback.dropbox?error=a&error_description=b&state=c', 'app.css?v=0']) {
      const answer = await anybody.get(`/rpc/${path}`, { headers: { accept: BROWSER } });
      assert.equal(answer.status, 200, `${path}: ${answer.text.slice(0, 200)}`);
      assert.ok(!answer.text.includes('=x'));
    }
  });

  test('names its parts by a version, and they may be kept under it', async () => {
    const { text } = await anybody.get('/rpc/library', { headers: { accept: BROWSER } });
    const parts = [...text.matchAll(/(?:src|href)="([^"]*\.(?:js|css)\?v=\w+)"/g)].map(([, path]) => path);
    assert.deepEqual(parts.map((path) => path.replace(/\?.*/, '')), ['/app.css', '/core.js', '/library.js']);
    const script = await anybody.get(`/rpc${parts[2]}`);
    assert.equal(script.headers['cache-control'], 'public, max-age=31536000, immutable');
    assert.ok(script.text.includes(`from './core.js${parts[1].slice(parts[1].indexOf('?'))}'`), 'and asks for the others by the same');
    assert.equal((await anybody.get('/rpc/library.js')).headers['cache-control'], 'no-cache');
  });

  test('says where pages and API are, by orla.public_url', async () => {
    for (const [public_url, base, api] of [['http://127.0.0.1:3000/rpc', '/rpc', ''], ['https://app.example.org', '', '/api'],
      ['https://example.org/orla', '/orla', '/orla/api'], ['https://example.org/orla/rpc', '/orla/rpc', '/orla'],
      ['https://example.org/a&b/rpc', '/a&amp;b/rpc', '/a&amp;b'], ['https://example.org/arpc', '/arpc', '/arpc/api']]) {
      await at(public_url, async (client) => {
        const { text } = await client.get('/rpc/sign-in', { headers: { accept: BROWSER } });
        assert.ok(text.includes(`data-base="${base}" data-api="${api}"`), public_url);
        assert.ok(text.includes(`href="${base}/forgot-password"`), public_url);
        assert.ok(!text.includes('{base}') && !text.includes('{api}') && !text.includes('{version}'));
      });
    }
  });

  test('and how large an upload may be; other braces stay as they are', async () => {
    const [served] = await database.sql(`SELECT orla.serve_page('{max_upload}{{max_upload}} {other}ü{max_upload') AS page
                                           FROM set_config('orla.max_upload', '1537kB', true)`);
    assert.equal(served.page, '1573888{1573888} {other}ü{max_upload');
  });
});

describe('the session of a browser', () => {
  test('is found by a function that runs with the rights of its caller: it has to change the role', async () => {
    const [found] = await database.sql(`SELECT prosecdef AS definer, proconfig AS settings FROM pg_proc WHERE oid = 'orla.pre_request()'::regprocedure`);
    assert.deepEqual(found, { definer: false, settings: null });
  });

  const signIn = (password = PASSWORD, { headers = OWN, cookie } = {}) =>
    anybody.as({ cookie }).rpc('sign_in', { email: ada.email, password }, { headers });

  test('is in two cookies that no script can read, and in no body', async () => {
    const answer = await signIn();
    assert.equal(answer.status, 200, answer.text);
    const cookies = answer.headers['set-cookie'].filter((text) => !text.startsWith('orla_device'));
    assert.equal(cookies.length, 2);
    for (const [i, name, age] of [[0, 'orla_session', 3600], [1, 'orla_refresh', 2592000]]) {
      assert.match(cookies[i], new RegExp(`^${name}=[\\w.-]{60,}; Path=/; Max-Age=${age}; HttpOnly; SameSite=Strict$`));
    }
    assert.deepEqual(Object.keys(answer.body).sort(), ['expires_in', 'user']);
    const { orla_session } = cookiesOf(answer);
    const me = await anybody.as({ cookie: `orla_session=${orla_session}` }).rpc('me', {}, { headers: OWN });
    assert.deepEqual([me.status, me.body.email], [200, ada.email]);
  });

  test('is of another name where the application is reached by https', async () => {
    await at('https://app.example.org', async (client, own) => {
      const ben = await signUp(client, own, 'Ben');
      const answer = await client.rpc('sign_in', { email: ben.email, password: PASSWORD }, { headers: OWN });
      const names = answer.headers['set-cookie'].map((text) => text.split('=')[0]);
      assert.deepEqual(names, ['orla_device', '__Host-orla_session', '__Host-orla_refresh']);
      for (const text of answer.headers['set-cookie']) assert.match(text, /; Secure$/);
      const { '__Host-orla_refresh': refresh, '__Host-orla_session': session } = cookiesOf(answer);
      const refreshed = await client.as({ cookie: asCookie({ '__Host-orla_session': session, '__Host-orla_refresh': refresh }) })
        .rpc('refresh_session', {}, { headers: OWN });
      assert.equal(refreshed.status, 200, refreshed.text);
      const bare = await client.as({ cookie: `orla_refresh=${refresh}` }).rpc('refresh_session', {}, { headers: OWN });
      assert.equal(bare.status, 401, 'not from a cookie that anybody in the network could have set');
    });
  });

  test('begins with the mail and the password, too', async () => {
    const email = `eve.${process.pid}@example.org`;
    await anybody.rpc('register', { name: 'Eve', email, password: PASSWORD });
    const token = tokenIn(await mailTo(database, email));
    const wrong = await anybody.rpc('verify_and_sign_in', { token, password: WRONG }, { headers: OWN });
    assert.deepEqual([wrong.status, wrong.headers['set-cookie']], [401, undefined]);
    const elsewhere = await anybody.rpc('verify_and_sign_in', { token, password: PASSWORD });
    assert.equal(elsewhere.status, 403);
    const answer = await anybody.rpc('verify_and_sign_in', { token, password: PASSWORD }, { headers: OWN });
    assert.equal(answer.body.user.email, email);
    assert.ok(cookiesOf(answer).orla_refresh);
  });

  test('does not begin with a wrong password, nor by GET, nor from another page', async () => {
    const wrong = await signIn(WRONG);
    assert.deepEqual([wrong.status, wrong.body.code, wrong.headers['set-cookie']], [401, 'PT401', undefined]);
    const read = await anybody.get(`/rpc/sign_in?email=${ada.email}&password=${PASSWORD}`, { headers: OWN });
    assert.equal(read.status, 405, read.text);
    for (const headers of [{}, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'none' }, { origin: 'https://evil.example' }]) {
      const answer = await signIn(PASSWORD, { headers });
      assert.deepEqual([answer.status, answer.body.code, answer.headers['set-cookie']], [403, 'PT403', undefined], JSON.stringify(headers));
    }
    assert.equal((await signIn(PASSWORD, { headers: { origin: 'http://localhost:3000' } })).status, 200, 'a browser that says its origin alone');
  });

  test('is renewed, the old token being used up', async () => {
    const first = cookiesOf(await signIn());
    const refresh = (cookie) => anybody.as({ cookie }).rpc('refresh_session', {}, { headers: OWN });
    const renewed = await refresh(`orla_session=nonsense; orla_refresh=${first.orla_refresh}`);
    assert.equal(renewed.status, 200, renewed.text);
    const second = cookiesOf(renewed);
    assert.ok(second.orla_session && second.orla_refresh && second.orla_refresh !== first.orla_refresh);
    const api = anybody.as({ cookie: `orla_session=${second.orla_session}` });
    assert.equal((await api.get('/competitors')).status, 200);
    assert.equal((await anybody.as({ cookie: `orla_refresh=${second.orla_refresh}` }).get('/competitors')).status, 401, 'the other cookie opens nothing');
  });

  test('that cannot be renewed is taken out of the browser, with a 401', async () => {
    for (const cookie of [undefined, 'orla_refresh=', 'orla_refresh=nonsense', `orla_session=nonsense; orla_refresh=${ada.id}.${'A'.repeat(43)}`]) {
      const answer = await anybody.as({ cookie }).rpc('refresh_session', {}, { headers: OWN });
      assert.deepEqual([answer.status, answer.body.code], [401, 'PT401'], answer.text);
      assert.deepEqual(cookiesOf(answer), { orla_session: null, orla_refresh: null }, cookie);
    }
  });

  test('ends with the sign-out, and where another takes its place', async () => {
    const first = cookiesOf(await signIn());
    const second = cookiesOf(await signIn(PASSWORD, { cookie: asCookie(first) }));
    const opens = async ({ orla_session }) => (await anybody.as({ cookie: `orla_session=${orla_session}` }).get('/competitors')).status;
    assert.deepEqual([await opens(first), await opens(second)], [401, 200]);
    const out = await anybody.as({ cookie: asCookie(second) }).rpc('sign_out', {}, { headers: OWN });
    assert.deepEqual([out.status, cookiesOf(out)], [200, { orla_session: null, orla_refresh: null }]);
    assert.equal(await opens(second), 401);
    const third = cookiesOf(await signIn());
    const half = await anybody.as({ cookie: `orla_session=${third.orla_session}` }).rpc('sign_out', {}, { headers: OWN });
    assert.deepEqual([half.status, await opens(third)], [200, 401], 'with one of the two cookies alone as well');
    const neither = await anybody.as({ cookie: 'orla_session=nonsense' }).rpc('sign_out', {}, { headers: OWN });
    assert.deepEqual([neither.status, cookiesOf(neither)], [200, { orla_session: null, orla_refresh: null }]);
    assert.equal((await anybody.rpc('sign_out', {}, { headers: OWN })).status, 200, 'nobody may, too');
  });
});

describe('media types', () => {
  test('HTML is for whoever takes it; others get the text as JSON, or are told', async () => {
    const json = await anybody.get('/rpc/sign-in', { headers: { accept: 'application/json' } });
    assert.equal(typeof json.body, 'string');
    const any = await anybody.get('/rpc/sign-in', { headers: { accept: '*/*' } });
    assert.equal(typeof any.body, 'string');
    const picture = await anybody.get('/rpc/sign-in', { headers: { accept: 'image/png' } });
    assert.deepEqual([picture.status, picture.body.code], [406, 'PGRST107']);
    const me = await anybody.as({ token: ada.session.access_token }).get('/rpc/me', { headers: { accept: 'text/html' } });
    assert.equal(me.status, 406);
  });
});
