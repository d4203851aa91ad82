// Google's emulator does what clients of the real one meet.
import { after, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { CALLBACK, SECRET, address, ask, pkce } from './lib/client.mjs';
import { startProviders } from './index.mjs';

const ADA = 'ada@lovelace.example';
const SCOPE = 'https://www.googleapis.com/auth/';
const DRIVE = { scope: `${SCOPE}drive`, access_type: 'offline' };
let providers;
let base;
const provider = 'google_drive';
const knobs = (values) => providers.call('POST', 'knobs', { provider, ...values });

before(async () => {
  providers = await startProviders({ only: ['google_drive'] });
  base = providers.description.google_drive.main.http;
});
after(() => providers.stop());
beforeEach(async () => {
  await providers.call('POST', 'reset');
  await providers.call('POST', 'accounts', { provider, email: ADA, name: 'Ada', files: ['sample', 'names'] });
});

const url = (params) => address(`${base}/o/oauth2/v2/auth`, { client_id: SECRET.client_id, redirect_uri: CALLBACK, response_type: 'code', state: 'st ate&=é', ...params });
const approve = (params, more) => providers.call('POST', 'approve', { authorization_url: url({ ...DRIVE, ...params }), account: ADA, ...more });
const token = (form) => ask(`${base}/token`, { form: { ...SECRET, ...form } });
const exchange = (code, more) => token({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, ...more });
const refresh = (refresh_token) => token({ grant_type: 'refresh_token', refresh_token });
const connect = async (params, more) => (await exchange((await approve(params, more)).code)).json;
const api = async (path, bearer, more) => ask(`${base}${path}`, { bearer, ...more });
const list = async (bearer, params) => (await api(`/drive/v3/files?${new URLSearchParams(params)}`, bearer)).json;
const mint = async (given) => (await providers.call('POST', 'mint', { provider, account: ADA, ...given })).tokens[0];
const files = () => providers.call('GET', 'files', { provider, account: ADA });
const idOf = async (path) => (await files()).find((file) => file.path === path).id;

test('a code: state echoed, PKCE checked, redeemed once, within ten minutes, with the same redirect', async () => {
  const { verifier, challenge } = pkce();
  const bound = { code_challenge: challenge, code_challenge_method: 'S256' };
  const landed = await approve(bound);
  assert.equal(landed.state, 'st ate&=é');
  assert.ok(landed.redirect_to.startsWith(`${CALLBACK}?`));
  assert.ok(landed.code.length <= 256);
  const good = await exchange(landed.code, { code_verifier: verifier });
  assert.equal(good.status, 200);
  assert.deepEqual(Object.keys(good.json).sort(), ['access_token', 'expires_in', 'refresh_token', 'scope', 'token_type']);
  assert.equal(good.json.token_type, 'Bearer');
  assert.match(good.json.access_token, /^ya29\./);
  assert.match(good.json.refresh_token, /^1\/\//);
  const problem = async (answer) => { const { status, json } = await answer; return [status, json.error, json.error_description]; };
  assert.deepEqual(await problem(exchange(landed.code, { code_verifier: verifier })), [400, 'invalid_grant', 'Bad Request']);
  assert.deepEqual(await problem(exchange('made up')), [400, 'invalid_grant', 'Malformed auth code.']);
  assert.deepEqual(await problem(exchange((await approve(bound)).code)), [400, 'invalid_grant', 'Missing code verifier.']);
  assert.deepEqual(await problem(exchange((await approve(bound)).code, { code_verifier: pkce().verifier })), [400, 'invalid_grant', 'Invalid code verifier.']);
  assert.deepEqual(await problem(exchange((await approve()).code, { redirect_uri: `${CALLBACK}/` })), [400, 'redirect_uri_mismatch', 'Bad Request']);
  const late = await approve();
  await providers.call('POST', 'clock', { provider, advance: 601 });
  assert.deepEqual(await problem(exchange(late.code)), [400, 'invalid_grant', 'Bad Request']);
});

test('the wrong client or secret is refused with 401, in the form and in Basic', async () => {
  const { code } = await approve();
  assert.equal((await exchange(code, { client_secret: 'no' })).status, 401);
  assert.equal((await exchange(code, { client_id: 'no' })).json.error, 'invalid_client');
  const basic = `Basic ${Buffer.from(`${SECRET.client_id}:${encodeURIComponent(SECRET.client_secret)}`).toString('base64')}`;
  const answer = await ask(`${base}/token`, { headers: { authorization: basic }, form: { grant_type: 'authorization_code', code, redirect_uri: CALLBACK } });
  assert.equal(answer.status, 200);
});

test('what is wrong at the consent page stays in the browser; a refusal reaches the client', async () => {
  await providers.call('POST', 'clients', { provider, ...SECRET, redirect_uris: [CALLBACK] });
  assert.equal((await approve({ redirect_uri: `${CALLBACK}?x=1` })).status, 400);
  assert.match((await approve({ redirect_uri: `${CALLBACK}/` })).page, /redirect_uri_mismatch/);
  assert.match((await approve({ client_id: 'no' })).page, /invalid_client/);
  const denied = await approve({}, { deny: true });
  assert.equal(denied.error, 'access_denied');
  assert.equal(denied.state, 'st ate&=é');
  assert.equal(denied.code, undefined);
});

test('a refresh token comes with the consent screen alone', async () => {
  assert.ok((await connect()).refresh_token);
  assert.equal((await connect()).refresh_token, undefined, 'the second time there is no screen');
  assert.ok((await connect({ prompt: 'consent' })).refresh_token);
  assert.equal((await connect({ prompt: 'consent', access_type: 'online' })).refresh_token, undefined);
});

test('a refresh does not rotate and needs the live token', async () => {
  const first = await connect({ scope: `${SCOPE}drive openid email` });
  assert.ok(first.id_token);
  const again = (await refresh(first.refresh_token)).json;
  assert.equal(again.refresh_token, undefined);
  assert.notEqual(again.access_token, first.access_token);
  assert.ok(again.id_token);
  assert.equal((await api('/drive/v3/about?fields=user', again.access_token)).json.user.emailAddress, ADA);
  assert.deepEqual((await refresh('made up')).json, { error: 'invalid_grant', error_description: 'Bad Request' });
  const { grants } = await providers.call('GET', 'counts', { provider });
  assert.deepEqual([grants[0].refreshes, grants[0].account], [1, ADA]);
});

test('scopes can be unticked, and then count', async () => {
  const told = await connect({ scope: `${SCOPE}drive openid email` }, { untick: [`${SCOPE}drive`] });
  assert.equal(told.scope, `openid ${SCOPE}userinfo.email`);
  const refused = await api('/drive/v3/files', told.access_token);
  assert.equal(refused.json.error.errors[0].reason, 'insufficientPermissions');
  assert.equal((await api('/v1/userinfo', told.access_token)).json.email, ADA);
});

test('revoking one token ends all of the person at the project', async () => {
  await providers.call('POST', 'clients', { provider, client_id: 'other', client_secret: 'x', project: 'orla-test' });
  await providers.call('POST', 'clients', { provider, client_id: 'stranger', client_secret: 'x', project: 'another' });
  const one = await mint();
  const two = await mint({ client_id: 'other' });
  const three = await mint({ client_id: 'stranger' });
  assert.equal((await ask(`${base}/revoke`, { form: { token: one.access_token } })).status, 200);
  assert.equal((await refresh(one.refresh_token)).json.error_description, 'Token has been expired or revoked.');
  assert.equal((await api('/drive/v3/files', two.access_token)).status, 401);
  assert.equal((await api('/drive/v3/files', three.access_token)).status, 200);
  assert.equal((await ask(`${base}/revoke`, { form: { token: one.access_token } })).status, 400);
  assert.ok((await connect()).refresh_token, 'the next consent is a first one again');
});

test('the 101st refresh token kills the oldest; testing mode kills after a week', async () => {
  const { tokens } = await providers.call('POST', 'mint', { provider, account: ADA, count: 101 });
  assert.equal((await refresh(tokens[0].refresh_token)).status, 400);
  assert.equal((await refresh(tokens[1].refresh_token)).status, 200);
  await knobs({ testing: true });
  const short = await connect({ prompt: 'consent' });
  assert.equal(short.refresh_token_expires_in, 604_799);
  await providers.call('POST', 'clock', { provider, advance: 8 * 86_400 });
  assert.equal((await refresh(short.refresh_token)).json.error, 'invalid_grant');
});

test('a list: four fields unless asked, sizes as strings, trash too, shared drives only when asked for', async () => {
  const { access_token } = await mint();
  const plain = await list(access_token, { pageSize: 1 });
  assert.deepEqual(Object.keys(plain.files[0]), ['kind', 'id', 'name', 'mimeType']);
  const all = await list(access_token, { fields: 'files(name,size,trashed,driveId,parents,md5Checksum,webViewLink,mimeType)', pageSize: 1000 });
  const by = (name) => all.files.find((file) => file.name === name);
  assert.match(by('report.pdf').size, /^\d+$/);
  assert.equal(by('old.txt').trashed, true);
  assert.equal(by('shared plan.txt').parents, undefined);
  assert.equal(by('Voice').md5Checksum, undefined);
  assert.equal(by('spring.txt'), undefined);
  assert.equal(all.files.filter(({ name }) => name === 'twice.txt').length, 2);
  const more = await list(access_token, { supportsAllDrives: true, includeItemsFromAllDrives: true, fields: '*', pageSize: 1000 });
  const spring = more.files.find((file) => file.name === 'spring.txt');
  assert.ok(spring.driveId);
  const drives = (await api('/drive/v3/drives', access_token)).json.drives;
  assert.deepEqual(drives.map(({ name, id }) => [name, id]), [['Marketing', spring.driveId]]);
  const inDrive = await list(access_token, { corpora: 'drive', driveId: spring.driveId, supportsAllDrives: true, includeItemsFromAllDrives: true });
  assert.deepEqual(inDrive.files.map(({ name }) => name), ['Campaigns', 'spring.txt']);
  assert.equal((await api(`/drive/v3/files/${spring.id}`, access_token)).status, 404);
  assert.equal((await api(`/drive/v3/files/${spring.id}?supportsAllDrives=true`, access_token)).status, 200);
});

test('folders, pages, empty pages', async () => {
  const { access_token } = await mint();
  const q = `'${await idOf('/Brand')}' in parents and trashed=false`;
  const whole = await list(access_token, { q, orderBy: 'name' });
  assert.equal(whole.files.length, 6);
  assert.equal(whole.nextPageToken, undefined);
  await knobs({ empty_pages: 2, page_limit: 4 });
  const seen = [];
  const sizes = [];
  let pageToken = '';
  do {
    const page = await list(access_token, { q, orderBy: 'name', ...pageToken && { pageToken } });
    sizes.push(page.files.length);
    seen.push(...page.files);
    pageToken = page.nextPageToken;
  } while (pageToken);
  assert.deepEqual(sizes, [0, 0, 4, 2]);
  assert.deepEqual(seen, whole.files);
  const { nextPageToken } = await list(access_token, { q });
  assert.equal((await list(access_token, { q: 'trashed=false', pageToken: nextPageToken })).error.code, 400, 'the token of another question');
  await knobs({ empty_pages: 0, page_limit: null });
  assert.deepEqual((await list(access_token, { q: "'root' in parents and mimeType='application/vnd.google-apps.folder'" })).files.map(({ name }) => name),
    ['Brand', 'Invoices', 'Native', 'Names']);
  assert.equal((await list(access_token, { q, pageToken: 'made up' })).error.errors[0].location, 'pageToken');
});

test('text in a query is text when it is escaped, and only then', async () => {
  const { access_token } = await mint();
  const names = async (q) => { const found = await list(access_token, { q, pageSize: 1000 }); return found.files?.map(({ name }) => name) ?? found.error.code; };
  const quoted = (value) => `'${value.replace(/[\\']/g, '\\$&')}'`;
  const { length } = await names('trashed=false or trashed=true');
  for (const name of (await files()).filter(({ path }) => path.startsWith('/Names/')).map((file) => file.name)) {
    assert.deepEqual(new Set(await names(`name = ${quoted(name)}`)), new Set([name]));
  }
  const evil = "x' or trashed = false or name contains 'y";
  assert.deepEqual(await names(`name contains ${quoted(evil)}`), []);
  assert.ok((await names(`name contains '${evil}'`)).length > length / 2);
  assert.equal(await names("name contains 'O'Brien'"), 400);
  assert.deepEqual(await names("fullText contains 'patterns in cards' and not mimeType contains 'application/'"), ['competitors.csv']);
  assert.deepEqual(await names("sharedWithMe=true and (modifiedTime > '2020-01-01T00:00:00')"), ['shared plan.txt']);
  assert.equal(await names("__proto__ = 'x'"), 400);
});

test('bytes, ranges, exports, and what cannot be downloaded', async () => {
  const { access_token } = await mint();
  const path = `/drive/v3/files/${await idOf('/Brand/notes.txt')}?alt=media`;
  const whole = await api(path, access_token);
  assert.equal(whole.headers['content-type'], 'text/plain');
  const part = await api(path, access_token, { headers: { range: 'bytes=6-10' } });
  assert.deepEqual([part.status, part.text, part.headers['content-range']], [206, 'voice', `bytes 6-10/${whole.bytes.length}`]);
  assert.equal((await api(path, access_token, { headers: { range: 'bytes=99999-' } })).status, 416);
  await knobs({ range: 'ignore' });
  assert.equal((await api(path, access_token, { headers: { range: 'bytes=6-10' } })).status, 200);
  const voice = await idOf('/Native/Voice');
  const refused = await api(`/drive/v3/files/${voice}?alt=media`, access_token);
  assert.deepEqual([refused.status, refused.json.error.errors[0].reason], [403, 'fileNotDownloadable']);
  const exported = (mimeType) => api(`/drive/v3/files/${voice}/export?mimeType=${encodeURIComponent(mimeType)}`, access_token);
  assert.match((await exported('text/plain')).text, /^\ufeffBrand voice.*\r\n/);
  assert.equal((await exported('application/pdf')).text.slice(0, 5), '%PDF-');
  assert.equal((await exported('application/vnd.openxmlformats-officedocument.wordprocessingml.document')).text.slice(0, 2), 'PK');
  assert.equal((await exported('image/gif')).status, 400);
  await knobs({ export_limit: 10 });
  assert.equal((await exported('text/plain')).json.error.errors[0].reason, 'exportSizeLimitExceeded');
});

test('files with conditions: abuse, resource keys, drive.file', async () => {
  await providers.call('POST', 'accounts', { provider, email: ADA, files: [{ path: '/bad.bin', text: 'x', abuse: true },
    { path: '/link.txt', text: 'x', resource_key: 'k1', shared: true }, { path: '/picked.txt', text: 'x', picked: true },
    { path: '/locked.txt', text: 'x', locked: true }, { path: '/to picked', shortcut_to: '/picked.txt' }] });
  const { access_token } = await mint();
  const at = async (path, more = '') => `/drive/v3/files/${await idOf(path)}?alt=media${more}`;
  assert.equal((await api(await at('/bad.bin'), access_token)).json.error.errors[0].reason, 'cannotDownloadAbusiveFile');
  assert.equal((await api(await at('/bad.bin', '&acknowledgeAbuse=true'), access_token)).status, 200);
  assert.equal((await api(await at('/locked.txt'), access_token)).status, 403);
  assert.equal((await api(await at('/link.txt'), access_token)).status, 404);
  assert.equal((await api(await at('/link.txt'), access_token, { headers: { 'x-goog-drive-resource-keys': `${await idOf('/link.txt')}/k1` } })).status, 200);
  const shortcut = (await list(access_token, { q: "name = 'to picked'", fields: 'files' })).files[0];
  assert.deepEqual([shortcut.mimeType, shortcut.shortcutDetails.targetId], ['application/vnd.google-apps.shortcut', await idOf('/picked.txt')]);
  const narrow = await mint({ scopes: [`${SCOPE}drive.file`] });
  assert.deepEqual((await list(narrow.access_token, {})).files.map(({ name }) => name), ['picked.txt']);
});

test('errors of the API: 401, throttling with a long text, 404', async () => {
  const { access_token } = await mint();
  const reason = async (answer) => { const { status, json } = await answer; return [status, json.error.errors[0].reason]; };
  assert.deepEqual(await reason(api('/drive/v3/files', 'no')), [401, 'authError']);
  assert.deepEqual(await reason(api('/drive/v3/files')), [401, 'required']);
  assert.deepEqual(await reason(api('/drive/v3/files/no', access_token)), [404, 'notFound']);
  await knobs({ faults: [{ endpoint: 'list', throttle: true, times: 1 }, { endpoint: 'list', throttle: 'rateLimitExceeded', status: 429, times: 1 },
    { endpoint: 'list', throttle: 'dailyLimitExceeded', times: 1 }] });
  const throttled = await api('/drive/v3/files', access_token);
  assert.deepEqual(await reason(throttled), [403, 'userRateLimitExceeded']);
  assert.ok(throttled.json.error.message.length > 500);
  assert.equal(throttled.headers['retry-after'], undefined);
  assert.deepEqual(await reason(api('/drive/v3/files', access_token)), [429, 'rateLimitExceeded']);
  assert.deepEqual(await reason(api('/drive/v3/files', access_token)), [403, 'dailyLimitExceeded']);
  assert.equal((await api('/drive/v3/files', access_token)).status, 200);
  assert.match((await api('/nowhere', access_token)).text, /^<!DOCTYPE html>/);
});
