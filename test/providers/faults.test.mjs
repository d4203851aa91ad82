// Every knob and every fault does what it says.
import { after, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { request } from 'node:http';
import { SECRET, ask } from './lib/client.mjs';
import { startProviders } from './index.mjs';

const ADA = 'ada@lovelace.example';
let providers;
const call = (method, name, given) => providers.call(method, name, given);
const at = (provider) => providers.description[provider].main.http;
const TOKEN = { google_drive: '/token', onedrive: '/common/oauth2/v2.0/token', dropbox: '/oauth2/token' };
const ALL = Object.keys(TOKEN);

before(async () => { providers = await startProviders({ only: ALL }); });
after(() => providers.stop());
beforeEach(async () => {
  await call('POST', 'reset');
  for (const provider of ALL) await call('POST', 'accounts', { provider, email: ADA });
});

const mint = async (provider, given) => (await call('POST', 'mint', { provider, account: ADA, ...given })).tokens[0];
const refresh = (provider, refresh_token, more) => ask(`${at(provider)}${TOKEN[provider]}`, { form: { ...SECRET, grant_type: 'refresh_token', refresh_token }, ...more });
const knobs = (provider, values) => call('POST', 'knobs', { provider, ...values });
const fault = (provider, given) => knobs(provider, { faults: [{ endpoint: 'token', ...given }] });
const files = (bearer, more) => ask(`${at('google_drive')}/drive/v3/files?pageSize=1000`, { bearer, ...more });

for (const provider of ALL) {
  test(`${provider}: rotation none, keep, strict with family revocation, grace`, async () => {
    const next = async (token) => (await refresh(provider, token)).json;
    await knobs(provider, { rotation: 'none' });
    const none = await mint(provider);
    assert.equal((await next(none.refresh_token)).refresh_token, undefined);

    await knobs(provider, { rotation: 'keep' });
    const keep = await mint(provider);
    assert.ok((await next(keep.refresh_token)).refresh_token);
    assert.ok((await next(keep.refresh_token)).refresh_token);

    await knobs(provider, { rotation: 'strict' });
    const strict = await mint(provider);
    const second = await next(strict.refresh_token);
    const third = await next(second.refresh_token);
    assert.ok(third.refresh_token);
    assert.equal((await next(strict.refresh_token)).error, 'invalid_grant');
    assert.equal((await next(third.refresh_token)).error, 'invalid_grant', 'the family is dead');
    const { grants } = await call('GET', 'counts', { provider });
    assert.deepEqual([grants[2].refreshes, grants[2].refused, grants[2].revoked], [2, 2, true]);

    await knobs(provider, { rotation: 'grace', grace_seconds: 10 });
    const grace = await mint(provider);
    const fresh = await next(grace.refresh_token);
    await call('POST', 'clock', { provider, advance: 9 });
    assert.ok((await next(grace.refresh_token)).refresh_token);
    await call('POST', 'clock', { provider, advance: 2 });
    assert.equal((await next(grace.refresh_token)).error, 'invalid_grant');
    assert.equal((await next(fresh.refresh_token)).error, 'invalid_grant');
  });

  test(`${provider}: tokens of 1.3, 2, 8 and 16 KiB work`, async () => {
    for (const size of [1330, 2048, 8192, 16_384]) {
      await knobs(provider, { access_token_bytes: size, refresh_token_bytes: size });
      const { access_token, refresh_token } = await mint(provider);
      assert.deepEqual([access_token.length, refresh_token.length], [size, size]);
      const again = await refresh(provider, refresh_token);
      assert.equal(again.json.access_token.length, size);
      assert.equal((await who(provider, again.json.access_token)).status, 200);
    }
  });

  test(`${provider}: the answer is lost after the rotation, or 500; before it, nothing was rotated`, async () => {
    for (const [given, seen] of [[{ close: true }, null], [{ status: 500 }, 500], [{ status: 500, body: 'html' }, 500]]) {
      await knobs(provider, { rotation: 'strict' });
      const { refresh_token } = await mint(provider);
      await fault(provider, { ...given, when: 'after', times: 1 });
      const answer = await refresh(provider, refresh_token).catch(() => null);
      assert.equal(answer?.status ?? null, seen);
      assert.equal((await refresh(provider, refresh_token)).json.error, 'invalid_grant', 'it had been used');
    }
    for (const given of [{ close: true }, { status: 503 }]) {
      const { refresh_token } = await mint(provider);
      await fault(provider, { ...given, times: 1 });
      await refresh(provider, refresh_token).catch(() => null);
      assert.equal((await refresh(provider, refresh_token)).status, 200, 'it had not been used');
    }
  });

  test(`${provider}: expires_in of 1 s, absent; tokens die early; fields left out; another type`, async () => {
    await knobs(provider, { expires_in: 1 });
    const short = await mint(provider);
    assert.equal((await refresh(provider, short.refresh_token)).json.expires_in, 1);
    await call('POST', 'clock', { provider, advance: 1 });
    assert.equal((await who(provider, short.access_token)).status, 401);
    await knobs(provider, { expires_in: null });
    const without = (await refresh(provider, short.refresh_token)).json;
    assert.ok(!('expires_in' in without) && !('ext_expires_in' in without));
    await call('POST', 'clock', { provider, advance: 3000 });
    assert.equal((await who(provider, without.access_token)).status, 200);
    await knobs(provider, { expires_in: 3600, lifetime: 5 });
    const liar = await mint(provider);
    await call('POST', 'clock', { provider, advance: 6 });
    assert.equal((await who(provider, liar.access_token)).status, 401);
    assert.equal((await call('POST', 'revoke', { provider, what: 'access', account: ADA })).revoked, 4);
    await knobs(provider, { omit: ['access_token'], token_type: 'mac' });
    const odd = (await refresh(provider, short.refresh_token)).json;
    assert.deepEqual([odd.access_token, odd.token_type], [undefined, 'mac']);
    await call('POST', 'revoke', { provider, what: 'refresh', account: ADA });
    assert.equal((await refresh(provider, short.refresh_token)).json.error, 'invalid_grant');
  });

  test(`${provider}: wrong answers of the token endpoint: HTML, empty, truncated, short, not UTF-8, 10 MB`, async () => {
    const { refresh_token } = await mint(provider);
    const broken = async (given) => { await fault(provider, given); return refresh(provider, refresh_token); };
    const page = await broken({ status: 502, body: 'html' });
    assert.deepEqual([page.status, page.text.slice(0, 15), page.headers['content-type']], [502, '<!DOCTYPE html>', 'text/html; charset=utf-8']);
    const empty = await broken({ body: 'empty' });
    assert.deepEqual([empty.status, empty.bytes.length], [200, 0]);
    const cut = await broken({ body: 'truncated' });
    assert.equal(cut.status, 200);
    assert.throws(() => cut.json);
    assert.equal(Number(cut.headers['content-length']), cut.bytes.length);
    await assert.rejects(broken({ body: 'short' }), /aborted/);
    const latin = await broken({ body: 'latin1' });
    assert.throws(() => new TextDecoder('utf-8', { fatal: true }).decode(latin.bytes));
    const huge = await broken({ body: 'huge' });
    assert.equal(huge.bytes.length, 10 << 20);
    assert.ok(huge.json.access_token);
    const packed = await broken({ body: 'huge', compress: 'always' });
    assert.equal(packed.headers['content-encoding'], 'gzip');
    assert.ok(packed.bytes.length < 20_000);
    assert.equal(gunzipSync(packed.bytes).length, 10 << 20);
    const own = await broken({ status: 400, body: { error: 'something_new' } });
    assert.deepEqual([own.status, own.json], [400, { error: 'something_new' }]);
  });
}

const who = (provider, bearer) => ({
  google_drive: () => ask(`${at(provider)}/drive/v3/about?fields=user`, { bearer }),
  onedrive: () => ask(`${at(provider)}/v1.0/me`, { bearer }),
  dropbox: () => ask(`${at(provider)}/2/users/get_current_account`, { method: 'POST', bearer }),
})[provider]();

test('Retry-After: in seconds, as a date by the provider\'s clock, zero, absent', async () => {
  const header = async (retry_after) => {
    await fault('google_drive', { status: 503, retry_after });
    const { headers } = await refresh('google_drive', 'x');
    return headers;
  };
  assert.equal((await header(7))['retry-after'], '7');
  assert.equal((await header(0))['retry-after'], '0');
  assert.equal((await header(null))['retry-after'], undefined);
  await knobs('google_drive', { clock_offset: -86_400 });
  const { date, 'retry-after': then } = await header({ date: 30 });
  assert.equal((Date.parse(then) - Date.parse(date)) / 1000, 30);
  assert.ok(Math.abs(Date.parse(date) - Date.now() + 86_400_000) < 5000, 'the Date header is a day late');
  assert.equal(new Date(then).toUTCString(), then);
});

test('gzip when asked or always, chunked without a length, in pieces', async () => {
  const { access_token } = await mint('google_drive');
  await knobs('google_drive', { compress: 'asked' });
  assert.equal((await files(access_token)).headers['content-encoding'], undefined);
  const packed = await files(access_token, { headers: { 'accept-encoding': 'gzip, deflate' } });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.ok(JSON.parse(gunzipSync(packed.bytes)).files.length > 10);
  await knobs('google_drive', { compress: 'no', chunked: true });
  const chunked = await files(access_token);
  assert.deepEqual([chunked.headers['transfer-encoding'], chunked.headers['content-length']], ['chunked', undefined]);
  assert.ok(chunked.json.files.length > 10);
  await knobs('google_drive', { chunked: false, faults: [{ endpoint: 'list', trickle_ms: 5 }] });
  const began = Date.now();
  assert.ok((await files(access_token)).json.files.length > 10);
  assert.ok(Date.now() - began >= 30);
});

test('delays; one fault for one endpoint, so often, after so many, for one account', async () => {
  const provider = 'google_drive';
  await call('POST', 'accounts', { provider, email: 'ben@x.example' });
  const { access_token, refresh_token } = await mint(provider);
  const ben = await mint(provider, { account: 'ben@x.example' });
  await fault(provider, { delay_ms: 60 });
  const began = Date.now();
  assert.equal((await refresh(provider, refresh_token)).status, 200);
  assert.ok(Date.now() - began >= 50);
  await knobs(provider, { faults: [{ endpoint: ['list', 'search'], status: 500, skip: 1, times: 2 }] });
  const seen = [];
  for (let i = 0; i < 4; i += 1) seen.push((await files(access_token)).status);
  assert.deepEqual(seen, [200, 500, 500, 200]);
  await knobs(provider, { faults: [{ account: ADA, status: 500 }] });
  assert.deepEqual([(await files(access_token)).status, (await files(ben.access_token)).status], [500, 200]);
  await call('POST', 'faults', { provider, endpoint: 'list', status: 599 });
  assert.equal((await files(ben.access_token)).status, 599);
});

test('a request can be held, before its work or after, until the test lets it go', async () => {
  const provider = 'dropbox';
  await knobs(provider, { rotation: 'strict', faults: [{ endpoint: 'token', hold: true, when: 'after', times: 1 }] });
  const { refresh_token } = await mint(provider);
  const pending = refresh(provider, refresh_token);
  const { held } = await call('GET', 'wait', { provider, endpoint: 'token', held: 1 });
  assert.equal(held.token, 1);
  assert.equal((await call('GET', 'counts', { provider })).refreshes, 1, 'the token is rotated, the answer is not sent');
  assert.equal((await call('POST', 'release', { provider })).released, 1);
  assert.ok((await pending).json.refresh_token);
  await call('GET', 'wait', { provider, endpoint: 'token', idle: 1 });
  await assert.rejects(call('GET', 'wait', { provider, endpoint: 'token', requests: 5, timeout_ms: 10 }), /not reached/);
});

test('requests are counted: by endpoint, by connection, by refresh token, at once', async () => {
  const provider = 'google_drive';
  const one = await mint(provider);
  const two = await mint(provider);
  await fault(provider, { hold: true });
  const running = [one, one, two].map(({ refresh_token }) => refresh(provider, refresh_token));
  await call('GET', 'wait', { provider, endpoint: 'token', held: 3 });
  await call('POST', 'release', { provider, endpoint: 'token' });
  await Promise.all(running);
  await files(one.access_token);
  await files('no');
  const counts = await call('GET', 'counts', { provider });
  assert.deepEqual(counts.requests, { token: 3, list: 2 });
  assert.equal(counts.most_at_once.token, 3);
  assert.deepEqual(counts.statuses, { 'token 200': 3, 'list 200': 1, 'list 401': 1 });
  assert.deepEqual(counts.grants.map(({ refreshes, api_calls }) => [refreshes, api_calls]), [[2, 1], [1, 0]]);
  assert.deepEqual(Object.values(counts.refresh_tokens).map(({ grant, uses }) => [grant, uses]), [['g1', 2], ['g2', 1]]);
  await fault(provider, { status: 503 });
  await refresh(provider, two.refresh_token);
  assert.deepEqual((({ arrived, refreshes, refused }) => [arrived, refreshes, refused])((await call('GET', 'counts', { provider })).grants[1]), [2, 1, 0], 'also what a fault answers');
  assert.equal((await call('GET', 'counts', { provider, brief: 1 })).grants, undefined);
  const log = await call('GET', 'log', { provider });
  assert.deepEqual(log.map(({ endpoint, account, authorization }) => [endpoint, account, authorization]).filter(([endpoint]) => endpoint === 'list'), [['list', ADA, 'bearer'], ['list', null, 'bearer']]);
  assert.ok(!JSON.stringify([counts, log]).includes(one.refresh_token.slice(10)), 'no tokens in what is shown');
});

test('a file of 200 MB comes whole and is not held in memory', async () => {
  const provider = 'google_drive';
  await call('POST', 'accounts', { provider, email: ADA, files: ['big:200000000'] });
  const { access_token } = await mint(provider);
  const [{ id }] = await call('GET', 'files', { provider, account: ADA });
  const url = `${at(provider)}/drive/v3/files/${id}?alt=media`;
  const before_ = process.memoryUsage().rss;
  let most = 0;
  const size = await new Promise((resolve, reject) => {
    request(url, { headers: { authorization: `Bearer ${access_token}` } }).on('error', reject).on('response', (res) => {
      let sum = 0;
      res.on('data', (chunk) => { sum += chunk.length; most = Math.max(most, process.memoryUsage.rss()); }).on('end', () => resolve(sum));
    }).end();
  });
  assert.equal(size, 200_000_000);
  assert.ok(most - before_ < 100_000_000, `${(most - before_) >> 20} MB more`);
  const part = await ask(url, { bearer: access_token, headers: { range: 'bytes=131072-131091' } });
  assert.equal(part.text, (await ask(url, { bearer: access_token, headers: { range: 'bytes=0-19' } })).text, 'a pattern of 64 KiB');
});

test('misspelled knobs, faults, accounts and calls are refused', async () => {
  const provider = 'dropbox';
  await assert.rejects(knobs(provider, { rotaton: 'none' }), /no knob rotaton/);
  await assert.rejects(knobs(provider, { rotation: 'often' }), /one of none/);
  await assert.rejects(knobs(provider, { expires_in: 'soon' }), /is like/);
  await assert.rejects(fault(provider, { staus: 500 }), /no field staus/);
  await assert.rejects(fault(provider, { body: 'truncated', when: 'before' }), /after the work/);
  await assert.rejects(call('POST', 'knobs', { provider: 'box' }), /no provider box/);
  await assert.rejects(call('POST', 'mint', { provider, account: 'nobody' }), /no account nobody/);
  await assert.rejects(call('POST', 'accounts', { provider, email: 'x@x', files: [{ pat: '/x' }] }), /no field pat/);
  await assert.rejects(call('POST', 'accounts', { provider, email: 'x@x', files: [{ path: '/a.txt' }, { path: '/A.TXT' }] }), /there already/);
  await assert.rejects(call('GET', 'nothing', { provider }), /no such call/);
});
