// Dropbox's emulator does what clients of the real one meet.
import { after, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { CALLBACK, SECRET, address, ask, pkce } from './lib/client.mjs';
import { startProviders } from './index.mjs';

const ADA = 'ada@lovelace.example';
const provider = 'dropbox';
let providers;
let base;
let bytes;
const knobs = (values) => providers.call('POST', 'knobs', { provider, ...values });

before(async () => {
  providers = await startProviders({ only: ['dropbox'] });
  base = providers.description.dropbox.main.http;
  bytes = providers.description.dropbox.content.http;
});
after(() => providers.stop());
beforeEach(async () => {
  await providers.call('POST', 'reset');
  await providers.call('POST', 'accounts', { provider, email: ADA, name: 'Ada', files: ['sample', 'names'] });
});

const url = (params) => address(`${base}/oauth2/authorize`, { client_id: SECRET.client_id, redirect_uri: CALLBACK, response_type: 'code', state: 's', token_access_type: 'offline', ...params });
const approve = (params, more) => providers.call('POST', 'approve', { authorization_url: url(params), account: ADA, ...more });
const token = (form) => ask(`${base}/oauth2/token`, { form: { ...SECRET, ...form } });
const exchange = (code, more) => token({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, ...more });
const refresh = (refresh_token, more) => token({ grant_type: 'refresh_token', refresh_token, ...more });
const mint = async (given) => (await providers.call('POST', 'mint', { provider, account: ADA, ...given })).tokens[0];
const rpc = (name, bearer, args = null, more = {}) => ask(`${base}/2/${name}`, { bearer, json: args, ...more });
const download = (bearer, path, more = {}) => ask(`${bytes}/2/files/download`, { method: 'POST', bearer, ...more,
  headers: { 'dropbox-api-arg': JSON.stringify({ path }).replace(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`), ...more.headers } });
const problem = async (answer) => { const { status, json } = await answer; return [status, json.error, json.error_description]; };

test('a code: shapes of the two answers, PKCE, once, exact redirect', async () => {
  const { verifier, challenge } = pkce();
  const landed = await approve({ code_challenge: challenge, code_challenge_method: 'S256' });
  assert.equal(landed.state, 's');
  const first = (await exchange(landed.code, { code_verifier: verifier })).json;
  assert.deepEqual(Object.keys(first), ['access_token', 'token_type', 'expires_in', 'refresh_token', 'scope', 'uid', 'account_id']);
  assert.deepEqual([first.token_type, first.expires_in], ['bearer', 14_400]);
  assert.match(first.access_token, /^sl\./);
  const again = (await refresh(first.refresh_token)).json;
  assert.deepEqual(Object.keys(again), ['access_token', 'token_type', 'expires_in']);
  assert.equal((await refresh(first.refresh_token, { scope: 'account_info.read' })).json.scope, 'account_info.read');
  assert.deepEqual(await problem(exchange(landed.code, { code_verifier: verifier })), [400, 'invalid_grant', 'code has already been used']);
  assert.deepEqual(await problem(exchange('no')), [400, 'invalid_grant', "code doesn't exist or has expired"]);
  assert.deepEqual(await problem(exchange((await approve()).code, { redirect_uri: `${CALLBACK}?` })), [400, 'invalid_grant', 'redirect_uri mismatch']);
  assert.equal((await problem(exchange((await approve({ code_challenge: challenge, code_challenge_method: 'S256' })).code, { code_verifier: pkce().verifier })))[1], 'invalid_grant');
});

test('no refresh token without offline; refusals; a wrong secret; a public client', async () => {
  assert.equal((await exchange((await approve({ token_access_type: 'online' })).code)).json.refresh_token, undefined);
  assert.equal((await approve({}, { deny: true })).error, 'access_denied');
  assert.equal((await approve({ scope: 'files.metadata.read sharing.write' })).status, 400);
  assert.equal((await approve({ state: 'x'.repeat(501) })).status, 400);
  await providers.call('POST', 'clients', { provider, ...SECRET, redirect_uris: [CALLBACK] });
  assert.match((await approve({ redirect_uri: `${CALLBACK}/` })).page, /Invalid redirect_uri/);
  const { refresh_token } = await mint();
  assert.deepEqual(await problem(refresh('short')), [400, 'invalid_grant', 'refresh token is malformed']);
  assert.deepEqual(await problem(refresh('x'.repeat(64))), [400, 'invalid_grant', 'refresh token is invalid or revoked']);
  assert.equal((await problem(refresh(refresh_token, { client_secret: 'no' })))[1], 'invalid_client');
  await knobs({ invalid_client_status: 401 });
  assert.equal((await problem(refresh(refresh_token, { client_secret: 'no' })))[0], 401);
  const { verifier, challenge } = pkce();
  const { code } = await approve({ code_challenge: challenge, code_challenge_method: 'S256' });
  const bare = { client_id: SECRET.client_id, redirect_uri: CALLBACK, grant_type: 'authorization_code', code, code_verifier: verifier };
  assert.equal((await problem(ask(`${base}/oauth2/token`, { form: { ...bare, code_verifier: '' } })))[1], 'invalid_client', 'neither secret nor verifier');
  const own = (await ask(`${base}/oauth2/token`, { form: bare })).json;
  assert.equal((await ask(`${base}/oauth2/token`, { form: { client_id: SECRET.client_id, grant_type: 'refresh_token', refresh_token: own.refresh_token } })).status, 200);
});

test('unticked scopes are told at use', async () => {
  const { code } = await approve({}, { untick: ['files.content.read'] });
  const { access_token, scope } = (await exchange(code)).json;
  assert.equal(scope, 'account_info.read files.content.write files.metadata.read');
  const refused = await download(access_token, '/Brand/notes.txt');
  assert.deepEqual([refused.status, refused.json.error], [401, { '.tag': 'missing_scope', required_scope: 'files.content.read' }]);
});

test('revoking ends this grant alone', async () => {
  const one = await mint();
  const two = await mint();
  const sibling = (await refresh(one.refresh_token)).json;
  const answer = await ask(`${base}/2/auth/token/revoke`, { method: 'POST', bearer: one.access_token });
  assert.deepEqual([answer.status, answer.text], [200, 'null']);
  assert.equal((await refresh(one.refresh_token)).status, 400);
  assert.equal((await rpc('users/get_current_account', sibling.access_token)).json.error['.tag'], 'invalid_access_token');
  assert.equal((await rpc('users/get_current_account', two.access_token)).json.email, ADA);
});

test('a list: tags, root is the empty path, more entries than the limit, reset', async () => {
  const { access_token } = await mint();
  const list = async (args) => (await rpc('files/list_folder', access_token, args)).json;
  const root = await list({ path: '' });
  const by = (name) => root.entries.find((entry) => entry.name === name);
  assert.deepEqual([by('Brand')['.tag'], by('Brand').size, by('empty.txt')['.tag'], by('empty.txt').size], ['folder', undefined, 'file', 0]);
  assert.match(by('empty.txt').server_modified, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(by('old.txt'), undefined);
  assert.ok(by('Marketing').sharing_info.shared_folder_id);
  assert.equal((await list({ path: '', include_mounted_folders: false })).entries.find(({ name }) => name === 'Marketing'), undefined);
  const gone = (await list({ path: '', include_deleted: true })).entries.find(({ name }) => name === 'old.txt');
  assert.deepEqual([gone['.tag'], gone.id], ['deleted', undefined]);
  await knobs({ extra_entries: 1, empty_pages: 1 });
  let page = await list({ path: '/BRAND', limit: 3 });
  const sizes = [page.entries.length];
  while (page.has_more) {
    page = (await rpc('files/list_folder/continue', access_token, { cursor: page.cursor })).json;
    sizes.push(page.entries.length);
  }
  assert.deepEqual(sizes, [0, 4, 2], 'none, then one more than three');
  await knobs({ reset_continue: true });
  const reset = await rpc('files/list_folder/continue', access_token, { cursor: page.cursor });
  assert.deepEqual([reset.status, reset.json.error], [409, { '.tag': 'reset' }]);
  assert.match(reset.json.error_summary, /^reset\/\.+$/);
});

test('paths in any case, ids, names of all kinds; what is wrong says so', async () => {
  const { access_token } = await mint();
  const meta = (path) => rpc('files/get_metadata', access_token, { path });
  const { id } = (await meta('/brand/NOTES.txt')).json;
  assert.equal((await meta(id)).json.path_display, '/Brand/notes.txt');
  const names = (await providers.call('GET', 'files', { provider, account: ADA })).filter(({ path }) => path.startsWith('/Names/')).map(({ name }) => name);
  assert.ok(names.some((name) => name.includes('\\')) && names.some((name) => name.includes('"')));
  for (const name of names) {
    assert.equal((await meta(`/names/${name}`)).json.name, name);
    const file = await download(access_token, `/Names/${name}`);
    assert.equal(file.text, `in ${name}\n`);
    assert.match(file.headers['dropbox-api-result'], /^[\x20-\x7e]+$/);
    assert.equal(JSON.parse(file.headers['dropbox-api-result']).name, name);
  }
  const missing = await meta('/nothing');
  assert.deepEqual([missing.status, missing.json.error], [409, { '.tag': 'path', path: { '.tag': 'not_found' } }]);
  assert.equal((await meta('no slash')).json.error.path['.tag'], 'malformed_path');
  await knobs({ cannot_tell: true });
  assert.equal((await meta('/nothing')).json.error['.tag'], 'something_new');
});

test('bad calls and garbage tokens are 400 in plain text', async () => {
  const { access_token } = await mint();
  const plain = async (answer) => { const { status, text, headers } = await answer; assert.match(headers['content-type'], /^text\/plain/); return [status, text]; };
  assert.match((await plain(rpc('files/list_folder', access_token, { path: '/' })))[1], /^Error in call to API function "files\/list_folder": .*empty string/);
  assert.match((await plain(rpc('files/list_folder', access_token, { path: '', folder: 1 })))[1], /unknown field 'folder'/);
  assert.match((await plain(rpc('files/list_folder', access_token, { path: '' }, { headers: { 'content-type': 'application/x-www-form-urlencoded' } })))[1], /Content-Type/);
  assert.match((await plain(rpc('files/list_folder', 'garbage', { path: '' })))[1], /malformed/);
  assert.match((await plain(rpc('files/list_folder', undefined, { path: '' })))[1], /Must provide HTTP header "Authorization"/);
  assert.match((await plain(ask(`${bytes}/2/files/download`, { method: 'POST', bearer: access_token, headers: { 'dropbox-api-arg': Buffer.from('{"path":"/é"}').toString('latin1') } })))[1], /could not decode/);
  assert.equal((await plain(rpc('users/get_current_account', access_token, {})))[0], 400);
  assert.equal((await ask(`${base}/2/files/download`, { method: 'POST', bearer: access_token })).status, 404, 'the api host has no bytes');
});

test('bytes, ranges, hash, export, temporary links', async () => {
  const { access_token } = await mint();
  const whole = await download(access_token, '/Brand/notes.txt');
  const result = JSON.parse(whole.headers['dropbox-api-result']);
  assert.equal(result['.tag'], undefined);
  const once = createHash('sha256').update(whole.bytes).digest();
  assert.equal(result.content_hash, createHash('sha256').update(once).digest('hex'));
  const part = await download(access_token, '/Brand/notes.txt', { headers: { range: 'bytes=6-10' } });
  assert.deepEqual([part.status, part.text], [206, 'voice']);
  assert.equal((await download(access_token, '/Brand/notes.txt', { headers: { 'if-none-match': whole.headers.etag } })).status, 304);
  assert.equal((await download(access_token, '/Native/Voice')).json.error['.tag'], 'unsupported_file');
  assert.equal((await download(access_token, '/Brand')).json.error.path['.tag'], 'not_file');
  const exported = await ask(`${bytes}/2/files/export`, { method: 'POST', bearer: access_token, headers: { 'dropbox-api-arg': JSON.stringify({ path: '/Native/Voice', export_format: 'markdown' }) } });
  assert.match(exported.text, /^Brand voice/);
  const { link } = (await rpc('files/get_temporary_link', access_token, { path: '/Brand/notes.txt' })).json;
  assert.equal((await ask(link)).text, whole.text);
  await providers.call('POST', 'clock', { provider, advance: 301 });
  assert.equal((await ask(link)).status, 410);
});

test('search: by name and content, in pages that may repeat', async () => {
  const { access_token } = await mint();
  const search = async (args) => (await rpc('files/search_v2', access_token, args)).json;
  const found = await search({ query: 'patterns in cards' });
  assert.equal(found.matches[0].metadata['.tag'], 'metadata');
  assert.equal(found.matches[0].metadata.metadata.name, 'competitors.csv');
  assert.deepEqual((await search({ query: 'patterns in cards', options: { filename_only: true } })).matches, []);
  assert.deepEqual((await search({ query: '', options: { path: '/Brand' } })).matches, []);
  assert.equal((await search({ query: 'brand voice', options: { path: '/Brand', file_extensions: ['md'] } })).matches.length, 1);
  await knobs({ search_repeats: 1 });
  const first = await search({ query: 'brand', options: { max_results: 2 } });
  const second = (await rpc('files/search/continue_v2', access_token, { cursor: first.cursor })).json;
  assert.equal(second.matches[0].metadata.metadata.id, first.matches[1].metadata.metadata.id);
  assert.equal((await rpc('files/search_v2', access_token, { query: 'x'.repeat(1001) })).status, 400);
});

test('a team: the home by default, the team space with the header', async () => {
  await providers.call('POST', 'accounts', { provider, email: ADA, name: 'Ada', kind: 'team' });
  const { access_token } = await mint();
  const { root_info } = (await rpc('users/get_current_account', access_token)).json;
  assert.notEqual(root_info.root_namespace_id, root_info.home_namespace_id);
  const names = async (root, path = '') => {
    const { json } = await rpc('files/list_folder', access_token, { path }, { headers: root ? { 'dropbox-api-path-root': JSON.stringify({ '.tag': 'root', root }) } : {} });
    return json.entries?.map((entry) => entry.path_display) ?? json.error;
  };
  assert.ok((await names()).includes('/Brand'));
  assert.ok(!(await names()).includes('/Marketing'));
  assert.deepEqual(await names(root_info.root_namespace_id), ['/Ada', '/Marketing']);
  assert.deepEqual(await names(root_info.root_namespace_id, '/ada/native'), ['/Ada/Native/Voice', '/Ada/Native/Numbers', '/Ada/Native/Pitch']);
  assert.equal((await names('1'))['.tag'], 'invalid_root');
});

test('errors: expired, suspended, throttled in JSON and in text', async () => {
  const { access_token } = await mint();
  await providers.call('POST', 'clock', { provider, advance: 14_401 });
  assert.equal((await rpc('users/get_current_account', access_token)).json.error['.tag'], 'expired_access_token');
  await providers.call('POST', 'accounts', { provider, email: 'eve@x.example', suspended: true });
  const eve = await mint({ account: 'eve@x.example' });
  assert.equal((await rpc('users/get_current_account', eve.access_token)).json.error['.tag'], 'user_suspended');
  await knobs({ faults: [{ throttle: 'json', retry_after: 10, retry_after_body: 300, times: 1 }, { throttle: 'text', times: 1 }] });
  const slow = await rpc('users/get_current_account', access_token);
  assert.deepEqual([slow.status, slow.headers['retry-after'], slow.json.error], [429, '10', { reason: { '.tag': 'too_many_requests' }, retry_after: 300 }]);
  const plain = await rpc('users/get_current_account', access_token);
  assert.deepEqual([plain.status, plain.headers['content-type'].slice(0, 10)], [429, 'text/plain']);
});
