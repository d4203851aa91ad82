// oidc-provider, as it is configured here, and what the front adds to it.
import { after, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { CALLBACK, SECRET, address, ask, pkce } from './lib/client.mjs';
import { startProviders } from './index.mjs';

const ADA = 'ada@lovelace.example';
const provider = 'oidc';
let providers;
let base;

before(async () => {
  providers = await startProviders({ only: ['oidc'] });
  base = providers.description.oidc.main.http;
});
after(() => providers.stop());
beforeEach(async () => {
  await providers.call('POST', 'reset');
  await providers.call('POST', 'accounts', { provider, email: ADA, name: 'Ada', files: [] });
});

const url = (params) => address(`${base}/auth`, { client_id: SECRET.client_id, redirect_uri: CALLBACK, response_type: 'code', state: 's&é', scope: 'openid email offline_access', prompt: 'consent', ...params });
const approve = (params, more) => providers.call('POST', 'approve', { authorization_url: url(params), account: ADA, ...more });
const token = (form) => ask(`${base}/token`, { form: { ...SECRET, ...form } });
const refresh = (refresh_token) => token({ grant_type: 'refresh_token', refresh_token });
async function connect() {
  const { verifier, challenge } = pkce();
  const landed = await approve({ code_challenge: challenge, code_challenge_method: 'S256' });
  return { landed, verifier, answer: await token({ grant_type: 'authorization_code', code: landed.code, redirect_uri: CALLBACK, code_verifier: verifier }) };
}

test('a code with PKCE, state and iss; who am I', async () => {
  const { landed, answer } = await connect();
  assert.deepEqual([landed.state, landed.iss], ['s&é', base]);
  assert.equal(answer.status, 200, answer.text);
  const { access_token, refresh_token, token_type } = answer.json;
  assert.ok(refresh_token);
  assert.equal(token_type, 'Bearer');
  assert.equal((await ask(`${base}/me`, { bearer: access_token })).json.email, ADA);
  assert.equal((await ask(`${base}/.well-known/openid-configuration`)).json.issuer, base);
});

test('without PKCE, with the wrong verifier, twice, refused: no tokens', async () => {
  assert.equal((await approve()).error, 'invalid_request');
  const { verifier, challenge } = pkce();
  const bound = { code_challenge: challenge, code_challenge_method: 'S256' };
  const exchange = async (code, code_verifier) => (await token({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier })).json.error;
  assert.equal(await exchange((await approve(bound)).code, pkce().verifier), 'invalid_grant');
  const { code } = await approve(bound);
  assert.equal(await exchange(code, verifier), undefined);
  assert.equal(await exchange(code, verifier), 'invalid_grant');
  assert.equal((await approve(bound, { deny: true })).error, 'access_denied');
  await providers.call('POST', 'clients', { provider, ...SECRET, redirect_uris: [CALLBACK] });
  assert.match((await approve({ ...bound, redirect_uri: `${CALLBACK}/` })).page, /redirect_uri/);
});

test('a refresh token is good once; used again it ends the grant', async () => {
  const { refresh_token } = (await connect()).answer.json;
  const second = (await refresh(refresh_token)).json;
  assert.ok(second.refresh_token && second.refresh_token !== refresh_token);
  assert.equal((await refresh(refresh_token)).json.error, 'invalid_grant');
  assert.equal((await refresh(second.refresh_token)).json.error, 'invalid_grant');
  const { grants, requests } = await providers.call('GET', 'counts', { provider });
  assert.deepEqual([grants[0].refreshes, grants[0].revoked, grants[0].account, requests.token], [1, true, ADA, 4]);
});

test('faults work here too: an answer lost after the rotation', async () => {
  const { refresh_token } = (await connect()).answer.json;
  await providers.call('POST', 'knobs', { provider, faults: [{ endpoint: 'token', when: 'after', close: true, times: 1 }] });
  await assert.rejects(refresh(refresh_token), /socket hang up/);
  assert.equal((await refresh(refresh_token)).json.error, 'invalid_grant', 'it was used up');
  await providers.call('POST', 'knobs', { provider, rotation: 'none', expires_in: 2, faults: [] });
  const again = (await connect()).answer.json;
  const { refresh_token: same, expires_in } = (await refresh(again.refresh_token)).json;
  assert.deepEqual([same, expires_in], [again.refresh_token, 2]);
});
