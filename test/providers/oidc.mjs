// A provider that nobody here wrote: the certified OpenID provider oidc-provider,
// with PKCE required, refresh tokens that rotate (one that is used again ends
// its whole grant) and iss in the answer to the browser. It listens behind the
// emulators' own front, so that counts and faults are the same for all.
//
// Of the knobs it knows expires_in and rotation: none, or anything else for its own.
import { createServer, request } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { Answer, escape, html, json } from './lib/answers.mjs';
import { landed } from './lib/browser.mjs';

// It warns of Node 20, where it does work.
const warn = console.warn;
console.warn = () => {};
const { Provider } = await import('oidc-provider');
console.warn = warn;

const ENDPOINTS = { '/auth': 'authorize', '/token': 'token', '/me': 'userinfo', '/jwks': 'certs', '/token/revocation': 'revoke', '/.well-known/openid-configuration': 'discovery' };
const SCOPES = ['openid', 'offline_access', 'email', 'profile'];

let keys;
function signingKeys() {
  keys ??= [['rsa', { modulusLength: 2048 }, 'RS256'], ['ec', { namedCurve: 'P-256' }, 'ES256']]
    .map(([type, options, alg]) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg }));
  return { keys };
}

export const oidc = {
  name: 'oidc',
  title: 'OpenID',
  hosts: { main: {} },
  knobs: { rotation: 'strict', expires_in: 600 },
  rules: { duplicates: false, insensitive: false, allowed: () => true, accountId: (account) => account.token('id').toString('hex', 0, 8), driveId: () => 'none', newId: (account, node) => String(node.number) },

  route(ctx) {
    const endpoint = ENDPOINTS[ctx.rawPath] ?? (/^\/(interaction|auth)\//.test(ctx.rawPath) ? 'interaction' : 'unknown');
    const { emulator, query } = ctx;
    const client = emulator.clients.get(query.get('client_id'));
    // a client without fixed addresses: the one that it names is registered
    if (endpoint === 'authorize' && client?.redirect_uris === null) (emulator.state.learned ??= new Map()).set(client.client_id, query.get('redirect_uri'));
    return { endpoint, run: () => forward(ctx) };
  },

  throttle: (fault) => json(fault.status ?? 429, { error: 'temporarily_unavailable', error_description: 'slow down' }),
  problem: (status) => json(status, { error: status >= 500 ? 'server_error' : 'invalid_request', error_description: 'so the test wanted it' }),

  // The emulator's own methods, where this provider differs.
  async start(emulator) {
    emulator.inner = createServer((req, res) => serve(emulator, req, res));
    await new Promise((resolve) => { emulator.inner.listen(0, '127.0.0.1', resolve); });
    emulator.approve = (url, account, given) => approve(emulator, url, account, given);
  },
  stop: (emulator) => new Promise((done) => {
    emulator.inner.close(done);
    emulator.inner.closeAllConnections();
  }),
};

// It has one name: that by https, if there is one.
const issuerOf = ({ hosts }) => hosts.main.https ?? hosts.main.http;

// To the provider inside, and its answer back.
function forward({ emulator, method, headers, rawPath, rawQuery, body }) {
  const { port } = emulator.inner.address();
  return new Promise((resolve, reject) => {
    const outer = new URL(issuerOf(emulator));
    const passed = { ...headers, host: outer.host, 'x-forwarded-proto': outer.protocol.slice(0, -1), 'content-length': body.length };
    delete passed.connection;
    delete passed['transfer-encoding'];
    const req = request({ port, host: '127.0.0.1', method, path: rawQuery ? `${rawPath}?${rawQuery}` : rawPath, headers: passed });
    req.on('error', reject).on('response', async (res) => {
      const chunks = [];
      for await (const chunk of res) chunks.push(chunk);
      const { connection, date, 'transfer-encoding': encoding, 'keep-alive': alive, 'content-length': length, ...rest } = res.headers;
      resolve(new Answer(res.statusCode, Buffer.concat(chunks), rest));
    });
    req.end(body);
  });
}

async function serve(emulator, req, res) {
  emulator.state.provider ??= build(emulator, issuerOf(emulator));
  const { provider } = emulator.state;
  if (!req.url.startsWith('/interaction/')) return provider.callback()(req, res);
  try {
    await interact(emulator, provider, req, res);
  } catch (problem) {
    res.writeHead(400, { 'content-type': 'text/plain' }).end(`${problem.message}\n`);
  }
}

// Sign-in and consent in one step: whoever the script or the button names.
async function interact(emulator, provider, req, res) {
  const { params } = await provider.interactionDetails(req, res);
  const asked = new URL(req.url, 'http://here').searchParams;
  const email = req.headers['x-account'] ?? asked.get('account');
  if (req.headers['x-deny'] ?? asked.get('deny')) return provider.interactionFinished(req, res, { error: 'access_denied', error_description: 'The user said no' });
  const account = emulator.accounts.get(email);
  if (!account) {
    const people = [...emulator.accounts.keys()].map((one) => `<button name="account" value="${escape(one)}">${escape(one)}</button>`).join('\n');
    const page = html(200, 'OpenID: who are you?', `<form>${people}<button name="deny" value="1">No</button></form>`);
    return res.writeHead(200, page.headers).end(page.body);
  }
  const grant = new provider.Grant({ accountId: account.email, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const grantId = await grant.save();
  emulator.tokens.newGrant({ id: grantId, account, client_id: params.client_id, scopes: params.scope.split(' ') });
  return provider.interactionFinished(req, res, { login: { accountId: account.email }, consent: { grantId } });
}

function build(emulator, issuer) {
  const provider = new Provider(issuer, {
    adapter: storage(emulator),
    jwks: signingKeys(),
    cookies: { keys: ['of no use outside of tests'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    scopes: SCOPES,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: () => emulator.knobs.rotation !== 'none',
    renderError: (ctx, out) => { Object.assign(ctx, { type: 'html', body: html(400, out.error, `<p>${escape(out.error_description ?? '')}</p>`).body }); },
    ttl: { AccessToken: () => emulator.knobs.expires_in, AuthorizationCode: 600, RefreshToken: 90 * 86_400, Grant: 90 * 86_400, IdToken: 3600, Interaction: 3600, Session: 3600 },
    findAccount: (ctx, id) => {
      const account = emulator.accounts.get(id);
      return account && { accountId: id, claims: () => ({ sub: account.id, email: account.email, email_verified: account.email_verified, name: account.name }) };
    },
  });
  provider.proxy = true;
  const count = (name) => (ctx) => {
    if (ctx.oidc.params?.grant_type !== 'refresh_token') return;
    const grant = emulator.tokens.grants.find(({ id }) => id === ctx.oidc.entities.RefreshToken?.grantId);
    if (grant) grant[name] += 1;
    else emulator.tokens.unknown.refreshes += 1;
  };
  provider.on('grant.success', count('refreshes'));
  provider.on('grant.error', count('refused'));
  provider.on('grant.revoked', (ctx, id) => {
    const grant = emulator.tokens.grants.find((one) => one.id === id);
    if (grant) grant.revoked = true;
  });
  provider.on('server_error', (ctx, problem) => console.error(problem));
  return provider;
}

// Where the provider keeps things: maps that go with a reset.
function storage(emulator) {
  const models = {};
  return class {
    constructor(model) {
      this.model = model;
      this.all = models[model] ??= new Map();
    }

    async upsert(id, payload, expiresIn) {
      this.all.set(id, { payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    }

    async find(id) {
      if (this.model === 'Client') return clientOf(emulator, id);
      const found = this.all.get(id);
      return found && found.until > Date.now() ? found.payload : undefined;
    }

    async findByUid(uid) {
      return [...this.all.values()].find(({ payload }) => payload.uid === uid)?.payload;
    }

    async findByUserCode() {
      return undefined;
    }

    async consume(id) {
      this.all.get(id).payload.consumed = Math.floor(Date.now() / 1000);
    }

    async destroy(id) {
      this.all.delete(id);
    }

    async revokeByGrantId(grantId) {
      for (const [id, { payload }] of this.all) if (payload.grantId === grantId) this.all.delete(id);
    }
  };
}

function clientOf(emulator, id) {
  const client = emulator.clients.get(id);
  if (!client) return undefined;
  return { client_id: id, client_secret: client.client_secret, redirect_uris: client.redirect_uris ?? [emulator.state.learned?.get(id) ?? 'http://127.0.0.1/'],
    grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: client.auth_method ?? 'client_secret_post' };
}

// The browser: follows redirects with its cookies until it leaves the provider.
async function approve(emulator, url, account, { deny }) {
  const own = Object.values(emulator.hosts.main);
  const cookies = new Map();
  let path = `${url.pathname}${url.search}`;
  for (let i = 0; i < 10; i += 1) {
    const answer = await step(emulator.hosts.main.http, path, { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '), 'x-account': account ?? '', ...deny && { 'x-deny': '1' } });
    for (const set of answer.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set);
      cookies.set(name, value);
    }
    if (!answer.headers.location) return landed(answer);
    const next = new URL(answer.headers.location, url);
    if (!own.includes(next.origin)) return landed(answer);
    path = `${next.pathname}${next.search}`;
  }
  throw new Error('the provider sends the browser in circles');
}

function step(origin, path, headers) {
  return new Promise((resolve, reject) => {
    request(`${origin}${path}`, { headers }).on('error', reject).on('response', async (res) => {
      const chunks = [];
      for await (const chunk of res) chunks.push(chunk);
      resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString() });
    }).end();
  });
}
