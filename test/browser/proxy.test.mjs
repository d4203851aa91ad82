// The pages behind the nginx of docs/pages.md, by https: short addresses, the
// API at /api, cookies that no plain connection carries, providers' answers at
// their default paths, and no token in nginx's log (ways 151 and 152 of
// docs/security.md).
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Person } from './lib/person.mjs';
import { linkIn, startWorld } from './lib/world.mjs';

let world;
let ada;
let token;
const rows = (text, values) => world.database.sql(text, values);
const get = (path, options = {}) => ada.context.request.get(world.url + path, { maxRedirects: 0, ...options });

before(async () => {
  world = await startWorld({ behind: true, settings: { 'orla.client_address_header': 'x-real-ip' } });
  ada = await Person.arrive(world, 'Ada');
});

after(async () => {
  await world?.close();
});

describe('behind nginx', () => {
  test('somebody signs up, follows the link of the mail, and is in', async () => {
    await ada.register();
    const link = linkIn(await world.mailTo(ada.email, 'verify_email'));
    token = new URL(link).searchParams.get('token');
    assert.ok(link.startsWith(`${world.url}/verify-email?token=`) && token.length > 40);
    await ada.verify();
    await ada.page.waitForURL(`${world.url}/dashboard`);
    await ada.page.getByRole('heading', { level: 1, name: 'Ada' }).waitFor();
    const [{ ip_address }] = await rows('SELECT ip_address FROM orla.sessions');
    assert.equal(ip_address, '127.0.0.1', 'nginx says from where');
  });

  test('the cookies are for this host and for TLS alone', async () => {
    const cookies = Object.fromEntries((await ada.context.cookies(world.url)).map((cookie) => [cookie.name, cookie]));
    for (const name of ['__Host-orla_session', '__Host-orla_refresh']) {
      const { httpOnly, secure, sameSite, path, domain } = cookies[name];
      assert.deepEqual({ httpOnly, secure, sameSite, path, domain }, { httpOnly: true, secure: true, sameSite: 'Strict', path: '/', domain: '127.0.0.1' }, name);
    }
  });

  test('every page and every part of one is at a short address, with its headers', async () => {
    const names = await rows(`SELECT proname AS name, prorettype = 'orla_api."text/html"'::regtype AS is_page FROM pg_proc
      WHERE pronamespace = 'orla_api'::regnamespace AND (proname ~ '[.](css|js)$' OR prorettype = 'orla_api."text/html"'::regtype) AND proname !~ '^oauth-callback[.]'`);
    assert.ok(names.length >= 24);
    for (const { name, is_page } of names) {
      const answer = await get(`/${name}`, { headers: { accept: is_page ? 'text/html' : '*/*' } });
      assert.equal(answer.status(), 200, name);
      const headers = answer.headers();
      assert.equal(headers['x-content-type-options'], 'nosniff', name);
      if (is_page) assert.match(headers['content-security-policy'], /^default-src 'none'; script-src 'self'; /, name);
    }
    const home = await get('/');
    assert.deepEqual([home.status(), home.headers().location], [302, '/dashboard']);
    for (const path of ['/rpc/me', '/library/', '/app.css.map', '/../rpc/me', '/Sign-In']) assert.equal((await get(path)).status(), 404, path);
  });

  test('a connection comes back to the path that is the default', async () => {
    await world.providers.call('POST', 'accounts', { provider: 'google_drive', email: 'ada@drive.example', files: [{ path: '/Ada.md', text: 'Slowly.\n' }] });
    await ada.connect('Google Drive');
    assert.equal(new URL(ada.page.url()).searchParams.get('redirect_uri'), `${world.url}/oauth/callback/google_drive`);
    await ada.page.getByRole('button', { name: 'ada@drive.example' }).click();
    await ada.page.waitForURL('**/cloud-storage');
    await ada.page.getByText('Google Drive is connected.').waitFor();
    await ada.page.getByRole('button', { name: 'Browse files of Google Drive' }).click();
    await ada.page.getByText('Ada.md', { exact: true }).first().waitFor();
  });

  test('a file goes up, one larger than nginx takes without being told, and comes into the list', async () => {
    await ada.open('brand-material');
    await ada.page.getByLabel('Choose files').setInputFiles([{ name: 'three megabytes.txt', mimeType: 'text/plain', buffer: Buffer.alloc(3 << 20, 'We pour. ') }]);
    await ada.page.getByRole('button', { name: 'three megabytes.txt', exact: true }).waitFor();
    const [asset] = await rows('SELECT user_id, file_size_bytes::int AS size FROM orla.brand_voice_assets');
    assert.deepEqual(asset, { user_id: ada.id ?? asset.user_id, size: 3 << 20 });
  });

  test('a session is renewed, and ended', async () => {
    const { context } = ada;
    const session = (await context.cookies(world.url)).find(({ name }) => name === '__Host-orla_session');
    await context.addCookies([{ ...session, value: `${session.value.slice(0, -6)}AAAAAA` }]);
    await ada.open('dashboard');
    await ada.page.getByRole('heading', { level: 1, name: 'Ada' }).waitFor();
    assert.notEqual((await context.cookies(world.url)).find(({ name }) => name === '__Host-orla_session').value, session.value);
    await ada.page.getByRole('button', { name: 'Sign out' }).click();
    await ada.page.getByText('You are signed out.').waitFor();
    assert.deepEqual((await context.cookies(world.url)).map(({ name }) => name), ['orla_device'], 'which is no session');
  });

  test('what a link or a provider put into an address is in no log', async () => {
    const log = world.proxy.log();
    assert.match(log, /POST \/api\/rpc\/upload_asset/, 'the log is the one that is looked at');
    for (const word of [token, 'token=', 'code=', 'state=']) assert.ok(!log.includes(word), word);
    assert.ok(!/\[(error|crit|emerg|alert)\]/.test(log), log);
    await ada.hasNoProblems();
  });
});
