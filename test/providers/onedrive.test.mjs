// Microsoft's emulator does what clients of the real one meet.
import { after, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { CALLBACK, SECRET, address, ask, pkce } from './lib/client.mjs';
import { startProviders } from './index.mjs';

const ADA = 'ada@outlook.example';
const BEN = 'ben@contoso.example';
const SCOPES = 'offline_access Files.Read Files.Read.All User.Read';
const provider = 'onedrive';
let providers;
let base;
const knobs = (values) => providers.call('POST', 'knobs', { provider, ...values });

before(async () => {
  providers = await startProviders({ only: ['onedrive'] });
  base = providers.description.onedrive.main.http;
});
after(() => providers.stop());
beforeEach(async () => {
  await providers.call('POST', 'reset');
  await providers.call('POST', 'accounts', { provider, email: ADA, name: 'Ada', files: ['sample', 'names', { path: '/Notebook', package: true }] });
  await providers.call('POST', 'accounts', { provider, email: BEN, kind: 'work' });
});

const url = (params, tenant = 'common') => address(`${base}/${tenant}/oauth2/v2.0/authorize`,
  { client_id: SECRET.client_id, redirect_uri: CALLBACK, response_type: 'code', state: 'a b', scope: SCOPES, ...params });
const approve = (params, { account = ADA, tenant, ...more } = {}) => providers.call('POST', 'approve', { authorization_url: url(params, tenant), account, ...more });
const token = (form, tenant = 'common') => ask(`${base}/${tenant}/oauth2/v2.0/token`, { form: { ...SECRET, ...form } });
const exchange = (code, more, tenant) => token({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, ...more }, tenant);
const refresh = (refresh_token, more) => token({ grant_type: 'refresh_token', refresh_token, ...more });
const connect = async (params, more) => (await exchange((await approve(params, more)).code)).json;
const graph = (path, bearer, more) => ask(path.startsWith('http') ? path : `${base}/v1.0${path}`, { bearer, ...more });
const mint = async (given) => (await providers.call('POST', 'mint', { provider, account: ADA, ...given })).tokens[0];
const files = (account = ADA) => providers.call('GET', 'files', { provider, account });
const idOf = async (path, account) => (await files(account)).find((file) => file.path === path).id;
const codeOf = async (answer) => { const { status, json } = await answer; return [status, json.error, json.error_codes[0]]; };

test('a code: state, PKCE, once, ten minutes, same redirect, same tenant segment', async () => {
  const { verifier, challenge } = pkce();
  const landed = await approve({ code_challenge: challenge, code_challenge_method: 'S256' });
  assert.equal(landed.state, 'a b');
  const good = await exchange(landed.code, { code_verifier: verifier });
  assert.deepEqual(Object.keys(good.json).sort(), ['access_token', 'expires_in', 'ext_expires_in', 'refresh_token', 'scope', 'token_type']);
  assert.equal(good.json.scope, 'Files.Read Files.Read.All User.Read');
  assert.match(good.json.refresh_token, /^M\.C507_BAY\.0\.U\.-.*[*!$]/);
  assert.deepEqual(await codeOf(exchange(landed.code, { code_verifier: verifier })), [400, 'invalid_grant', 54005]);
  const bound = await approve({ code_challenge: challenge, code_challenge_method: 'S256' });
  assert.deepEqual(await codeOf(exchange(bound.code)), [400, 'invalid_grant', 501481]);
  assert.deepEqual(await codeOf(exchange((await approve()).code, {}, 'consumers')), [400, 'invalid_grant', 700005]);
  assert.deepEqual(await codeOf(exchange((await approve()).code, { redirect_uri: 'http://127.0.0.1:2/' })), [400, 'invalid_request', 50011]);
  const late = await approve();
  await providers.call('POST', 'clock', { provider, advance: 601 });
  assert.deepEqual(await codeOf(exchange(late.code)), [400, 'invalid_grant', 70008]);
});

test('the tenant segment and the audience decide who may come in', async () => {
  assert.match((await approve({}, { tenant: 'organizations' })).page, /AADSTS50020/);
  assert.match((await approve({}, { tenant: 'consumers', account: BEN })).page, /AADSTS50020/);
  assert.ok((await approve({}, { tenant: 'consumers' })).code);
  await providers.call('POST', 'clients', { provider, ...SECRET, audience: 'single', redirect_uris: [CALLBACK] });
  assert.match((await approve()).page, /AADSTS50194/);
  assert.match((await approve({ redirect_uri: `${CALLBACK}/` })).page, /AADSTS50011/);
  await providers.call('POST', 'clients', { provider, ...SECRET, audience: 'work' });
  assert.match((await approve({}, { tenant: 'consumers' })).page, /AADSTS9002332/);
  assert.equal((await approve({}, { deny: true })).error, 'access_denied');
});

test('errors of the token endpoint carry codes and traces', async () => {
  const wrong = await token({ grant_type: 'refresh_token', refresh_token: 'x', client_secret: 'no' });
  assert.equal(wrong.status, 401);
  assert.deepEqual(Object.keys(wrong.json), ['error', 'error_description', 'error_codes', 'timestamp', 'trace_id', 'correlation_id', 'error_uri']);
  assert.match(wrong.json.error_description, /^AADSTS7000215: .*\r\nTrace ID: .*\r\nCorrelation ID: .*\r\nTimestamp: /);
  assert.deepEqual(await codeOf(token({ grant_type: 'refresh_token', client_id: 'no' })), [400, 'unauthorized_client', 700016]);
  assert.deepEqual(await codeOf(refresh('x')), [400, 'invalid_grant', 70000]);
  assert.deepEqual(await codeOf(token({})), [400, 'invalid_request', 900144]);
  const { refresh_token } = await mint();
  await knobs({ refuse_refresh: 50076 });
  const mfa = await refresh(refresh_token);
  assert.deepEqual([mfa.json.error, mfa.json.suberror], ['interaction_required', 'basic_action']);
  await knobs({ refuse_refresh: null, secret_expired: true });
  assert.deepEqual(await codeOf(refresh(refresh_token)), [401, 'invalid_client', 7000222]);
  await knobs({ secret_expired: false, loop_limit: 2 });
  await refresh(refresh_token);
  await refresh(refresh_token);
  assert.deepEqual(await codeOf(refresh(refresh_token)), [400, 'invalid_grant', 50196]);
});

test('a refresh gives a new refresh token, the old one stays; 90 days unused end it', async () => {
  const { refresh_token } = await mint();
  const first = (await refresh(refresh_token)).json;
  assert.notEqual(first.refresh_token, refresh_token);
  assert.equal((await refresh(refresh_token)).status, 200);
  assert.equal((await refresh(first.refresh_token)).status, 200);
  assert.equal((await refresh(first.refresh_token, { scope: 'User.Read' })).json.scope, 'User.Read');
  assert.deepEqual(await codeOf(refresh(first.refresh_token, { scope: 'Mail.Read' })), [400, 'consent_required', 65001]);
  await providers.call('POST', 'clock', { provider, advance: 91 * 86_400 });
  assert.deepEqual(await codeOf(refresh(first.refresh_token)), [400, 'invalid_grant', 700082]);
  const other = await mint();
  await providers.call('POST', 'revoke', { provider, account: ADA });
  assert.deepEqual(await codeOf(refresh(other.refresh_token)), [400, 'invalid_grant', 50173]);
});

test('no offline_access, no refresh token; scopes short or long, fewer than asked; id_token says the tenant', async () => {
  assert.equal((await connect({ scope: 'Files.Read' })).refresh_token, undefined);
  await knobs({ long_scopes: true });
  const told = await connect({ scope: `${SCOPES} openid` }, { untick: ['User.Read'] });
  assert.equal(told.scope, 'https://graph.microsoft.com/Files.Read https://graph.microsoft.com/Files.Read.All openid');
  const claims = JSON.parse(Buffer.from(told.id_token.split('.')[1], 'base64url'));
  assert.equal(claims.tid, '9188040d-6c67-4c5b-b112-36a304b66dad');
  assert.equal((await graph('/me', told.access_token)).status, 403);
  const work = await connect({}, { account: BEN });
  assert.match(work.access_token, /^eyJ/);
});

test('who am I: mail is null for personal accounts', async () => {
  assert.deepEqual((({ mail, userPrincipalName }) => [mail, userPrincipalName])((await graph('/me', (await mint()).access_token)).json), [null, ADA]);
  assert.equal((await graph('/me', (await mint({ account: BEN })).access_token)).json.mail, BEN);
});

test('children: by id, by path in any case, selected, in pages that lead back here', async () => {
  const { access_token } = await mint();
  const root = (await graph('/me/drive/root/children', access_token)).json.value;
  const by = (name) => root.find((item) => item.name === name);
  assert.deepEqual(Object.keys(by('Brand').folder), ['childCount']);
  assert.equal(by('old.txt'), undefined);
  assert.deepEqual(by('Notebook').package, { type: 'oneNote' });
  assert.ok(by('Marketing').remoteItem.parentReference.driveId);
  assert.match(by('Brand').id, /^[0-9A-F]{16}!\d+$/);
  assert.match((await graph('/me/drive/root/children', (await mint({ account: BEN })).access_token)).json.value[0].id, /^01[A-Z2-7]{32}$/);
  const path = `/me/drive/items/${encodeURIComponent(by('Brand').id)}/children?$top=4&$select=id,name`;
  const first = (await graph(path, access_token)).json;
  assert.deepEqual(Object.keys(first.value[0]).sort(), ['id', 'name']);
  assert.ok(first['@odata.nextLink'].startsWith(base));
  assert.ok(first['@odata.nextLink'].includes('$top=4&$select=id,name'));
  const second = (await graph(first['@odata.nextLink'], access_token)).json;
  assert.deepEqual([first.value.length, second.value.length, second['@odata.nextLink']], [4, 2, undefined]);
  assert.equal((await graph('/me/drive/root:/BRAND:/children', access_token)).json.value.length, 6);
  assert.equal((await graph('/me/drive/root:/brand/Notes.TXT', access_token)).json.name, 'notes.txt');
  assert.equal((await graph('/me/drive/items/nothing', access_token)).json.error.code, 'itemNotFound');
  await knobs({ empty_pages: 1 });
  const empty = (await graph(path, access_token)).json;
  assert.equal(empty.value.length, 0);
  assert.equal((await graph(empty['@odata.nextLink'], access_token)).json.value.length, 4);
});

test('names come back through path addressing, percent-encoded', async () => {
  const { access_token } = await mint();
  const names = (await files()).filter(({ path }) => path.startsWith('/Names/')).map(({ name }) => name);
  assert.ok(names.includes('hash#1.txt') && names.some((name) => Buffer.byteLength(name) === 255) && names.some((name) => name.includes('🦊')));
  for (const name of names) {
    const item = (await graph(`/me/drive/root:/Names/${encodeURIComponent(name)}`, access_token)).json;
    assert.equal(item.name.toLowerCase(), name.toLowerCase());
  }
});

test('nextLink can lead to a foreign host, which counts who comes', async () => {
  const { access_token } = await mint();
  await knobs({ next_link: 'foreign' });
  const link = (await graph('/me/drive/root/children?$top=1', access_token)).json['@odata.nextLink'];
  assert.match(link, /^http:\/\/127\.0\.0\.2:/);
  await graph(link, access_token);
  assert.equal((await providers.call('GET', 'counts', { provider })).requests.foreign, 1);
  const [last] = (await providers.call('GET', 'log', { provider })).slice(-1);
  assert.deepEqual([last.host, last.authorization], ['foreign', 'bearer']);
});

test('shared items are remote: another drive, a wider scope', async () => {
  const { access_token } = await mint();
  const shared = (await graph('/me/drive/sharedWithMe', access_token)).json.value;
  const plan = shared.find(({ remoteItem }) => remoteItem.name === 'shared plan.txt').remoteItem;
  assert.equal((await graph(`/me/drive/items/${plan.id}`, access_token)).status, 404);
  const there = `/drives/${plan.parentReference.driveId}/items/${plan.id}`;
  assert.equal((await graph(there, access_token)).json.name, 'shared plan.txt');
  const drive = shared.find(({ remoteItem }) => remoteItem.name === 'Marketing').remoteItem;
  const inner = (await graph(`/drives/${drive.parentReference.driveId}/items/${drive.id}/children`, access_token)).json.value;
  assert.deepEqual(inner.map(({ name }) => name), ['Campaigns']);
  const narrow = await mint({ scopes: ['Files.Read'] });
  assert.equal((await graph(there, narrow.access_token)).json.error.code, 'accessDenied');
  assert.equal((await graph('/me/drive/root', narrow.access_token)).status, 200);
  await knobs({ shared_with_me: false });
  assert.deepEqual((await graph('/me/drive/sharedWithMe', access_token)).json.value, []);
});

test('search: quotes doubled, own drive or shared too, nothing but text', async () => {
  const { access_token } = await mint();
  const search = async (where, text) => {
    const { json } = await graph(`/me/drive${where}/search(q='${encodeURIComponent(text).replaceAll("'", '%27%27')}')`, access_token);
    return json.value?.map((item) => item.name ?? item.remoteItem.name) ?? json.error.code;
  };
  assert.deepEqual(await search('/root', 'patterns in cards'), ['competitors.csv']);
  assert.deepEqual(await search('/root', 'shared plan'), []);
  assert.deepEqual(await search('', 'shared plan'), ['shared plan.txt']);
  assert.deepEqual(await search('/root', "'; DROP TABLE"), ["'; DROP TABLE orla.users; --.txt"]);
  assert.equal((await graph("/me/drive/root/search(q='O'Brien')", access_token)).status, 400);
});

test('content: 302 to another port, where a bearer is refused and the address must be as given', async () => {
  const { access_token } = await mint();
  const path = `/me/drive/items/${await idOf('/Brand/notes.txt')}`;
  const away = await graph(`${path}/content`, access_token, { headers: { range: 'bytes=6-10' } });
  assert.equal(away.status, 302);
  const { location } = away.headers;
  assert.ok(location.startsWith(providers.description.onedrive.download.http));
  assert.match(location, /tempauth=.*%2b/);
  assert.equal((await graph(location, access_token)).status, 401);
  const whole = await ask(location);
  assert.equal(whole.status, 200);
  const part = await ask(location, { headers: { range: 'bytes=6-10' } });
  assert.deepEqual([part.status, part.text], [206, 'voice']);
  await knobs({ range: 'ignore' });
  assert.equal((await ask(location, { headers: { range: 'bytes=6-10' } })).status, 200);
  assert.equal((await ask(location.replaceAll('%2b', '%2B'))).status, 403, 'another spelling');
  const item = (await graph(path, access_token)).json;
  assert.equal((await ask(item['@microsoft.graph.downloadUrl'])).text, whole.text);
  assert.equal((await graph(`${path}/content`, access_token, { headers: { 'if-none-match': item.eTag } })).status, 304);
  await providers.call('POST', 'clock', { provider, advance: 301 });
  assert.match((await ask(location)).text, /expired/);
  await knobs({ location: 'foreign' });
  assert.match((await graph(`${path}/content`, access_token)).headers.location, /127\.0\.0\.2/);
  await knobs({ location: null, redirect: false });
  assert.equal((await graph(`${path}/content`, access_token)).text, whole.text);
  assert.equal((await graph(`/me/drive/items/${await idOf('/Notebook')}/content`, access_token)).status, 403);
});

test('errors of Graph: expired, revoked early, throttled', async () => {
  const { access_token } = await mint();
  await providers.call('POST', 'clock', { provider, advance: 3600 });
  const late = await graph('/me', access_token);
  assert.deepEqual([late.status, late.json.error.code, Object.keys(late.json.error.innerError)], [401, 'InvalidAuthenticationToken', ['date', 'request-id', 'client-request-id']]);
  assert.match(late.headers['www-authenticate'], /expired_token/);
  const again = await mint();
  await providers.call('POST', 'revoke', { provider, what: 'access', account: ADA });
  assert.match((await graph('/me', again.access_token)).json.error.message, /80049228/);
  assert.equal((await refresh(again.refresh_token)).status, 200);
  await knobs({ faults: [{ endpoint: 'userinfo', throttle: true, retry_after: 2, times: 1 }, { endpoint: 'userinfo', throttle: 'serviceNotAvailable', times: 1 }] });
  const slow = await graph('/me', 'x');
  assert.deepEqual([slow.status, slow.json.error.code, slow.headers['retry-after']], [429, 'activityLimitReached', '2']);
  assert.deepEqual((({ status, headers }) => [status, headers['retry-after']])(await graph('/me', 'x')), [503, undefined]);
});
