// serve.mjs, as others start it: one line of JSON, control by HTTP, TLS.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ask, CALLBACK, address } from './lib/client.mjs';
import { makeCertificates } from './lib/certificates.mjs';

const ADA = 'ada@x.example';

async function start(...args) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'serve.mjs'), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(createInterface(child.stdout), 'line');
  return { child, told: JSON.parse(line) };
}

test('over https, with a script that says it all by HTTP; ends when told', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-serve-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { child, told } = await start('--tls', folder);
  t.after(() => child.kill());
  const post = async (name, given) => (await ask(`${told.control}/${name}`, { json: given })).json;
  const ca = readFileSync(join(folder, 'ca.pem'));
  assert.equal((await post('accounts', { provider: 'onedrive', email: ADA })).email, ADA);
  assert.equal((await post('accounts', { provider: 'oidc', email: ADA, files: [] })).email, ADA);
  const base = told.onedrive.main.https;
  const authorization_url = address(`${base}/common/oauth2/v2.0/authorize`, { client_id: told.client_id, redirect_uri: CALLBACK, response_type: 'code', scope: 'Files.Read offline_access', state: 'x' });
  const { code, state } = await post('approve', { authorization_url, account: ADA });
  assert.equal(state, 'x');
  const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, client_id: told.client_id, client_secret: told.client_secret };
  const { access_token } = (await ask(`${base}/common/oauth2/v2.0/token`, { form, ca })).json;
  const page = (await ask(`${base}/v1.0/me/drive/root/children?$top=1`, { bearer: access_token, ca })).json;
  assert.ok(page['@odata.nextLink'].startsWith(base), 'links are https too');
  const [{ id }] = (await ask(`${told.control}/files?provider=onedrive&account=${ADA}`)).json.filter(({ name }) => name === 'notes.txt');
  const { location } = (await ask(`${base}/v1.0/me/drive/items/${id}/content`, { bearer: access_token, ca })).headers;
  assert.ok(location.startsWith(told.onedrive.download.https));
  assert.equal((await ask(location, { ca })).status, 200);
  await assert.rejects(ask(`${base}/v1.0/me`), /certificate|issuer/);
  assert.equal((await ask(`${told.oidc.main.https}/.well-known/openid-configuration`, { ca })).json.issuer, told.oidc.main.https);
  const more = await post('files', { provider: 'onedrive', account: ADA, files: [{ path: '/later.txt', text: 'x' }] });
  assert.equal(more[0].path, '/later.txt');
  assert.equal((await ask(`${told.control}/counts?provider=onedrive`)).json.requests.content, 1);
  assert.match((await post('knobs', { provider: 'onedrive', no: 1 })).error, /no knob no/);
  assert.deepEqual((await post('reset', {})).reset, ['google_drive', 'onedrive', 'dropbox', 'oidc', 'smtp']);
  child.kill('SIGTERM');
  const [status] = await once(child, 'exit');
  assert.equal(status, 0);
});

test('ends with the process that started it', async () => {
  const { child } = await start('--with-parent');
  child.stdin.end();
  assert.equal((await once(child, 'exit'))[0], 0);
});

test('certificates: a good one, and each kind of bad one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-certificates-'));
  t.after(() => rmSync(folder, { recursive: true }));
  makeCertificates(folder);
  const { createServer } = await import('node:https');
  const seen = {};
  for (const [name, key] of [['cert', 'key.pem'], ['wrong-host', 'wrong-host.key'], ['expired', 'expired.key'], ['self-signed', 'self-signed.key'], ['other-ca', 'other-ca.key']]) {
    const server = createServer({ cert: readFileSync(join(folder, `${name}.pem`)), key: readFileSync(join(folder, key)) }, (req, res) => res.end('hello'));
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    seen[name] = await ask(`https://127.0.0.1:${server.address().port}/`, { ca: readFileSync(join(folder, 'ca.pem')) }).then(({ text }) => text, ({ code }) => code);
    server.close();
  }
  assert.deepEqual(seen, { cert: 'hello', 'wrong-host': 'ERR_TLS_CERT_ALTNAME_INVALID', expired: 'CERT_HAS_EXPIRED', 'self-signed': 'DEPTH_ZERO_SELF_SIGNED_CERT', 'other-ca': 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
});
