// Microsoft: the identity platform's v2 endpoints and Graph behind one address,
// the download host on another port, and a host that is nobody's.
// response_mode=form_post is refused.
import { randomUUID } from 'node:crypto';
import { authorize, credentials, pkceProblem, tokenAnswer } from './lib/authorize.mjs';
import { html, json } from './lib/answers.mjs';
import { idToken, jwks } from './lib/idtoken.mjs';
import { downloadRoute, graphError, graphRoute } from './onedrive_graph.mjs';
import { fragmentRoute, uploadRoute } from './onedrive_uploads.mjs';

export const PERSONAL_TENANT = '9188040d-6c67-4c5b-b112-36a304b66dad';
export const WORK_TENANT = '72f988bf-0000-4000-8000-2d7cd011db47';
const GRAPH = 'https://graph.microsoft.com/';
const IDENTITY = ['openid', 'profile', 'email', 'offline_access'];

const WHY = {
  50011: ['invalid_request', 'The redirect URI specified in the request does not match the redirect URIs configured for the application.'],
  50020: ['invalid_grant', 'User account from identity provider does not exist in tenant.'],
  50053: ['invalid_grant', 'The account is locked.'],
  50057: ['invalid_grant', 'The user account is disabled.'],
  50076: ['interaction_required', 'Due to a configuration change made by your administrator you must use multi-factor authentication.', 'basic_action'],
  50079: ['interaction_required', 'You must enroll in multi-factor authentication.', 'basic_action'],
  50173: ['invalid_grant', 'The provided grant has expired due to it being revoked, a fresh auth token is needed.', 'bad_token'],
  50196: ['invalid_grant', 'The server terminated an operation because it encountered a client request loop.'],
  53003: ['access_denied', 'Access has been blocked by Conditional Access policies.'],
  54005: ['invalid_grant', 'OAuth2 Authorization code was already redeemed, please retry with a new valid code.'],
  65001: ['consent_required', 'The user or administrator has not consented to use the application.', 'consent_required'],
  70000: ['invalid_grant', 'The user could not be authenticated or the grant is expired. The user must first sign in and if needed grant the client application access to the requested scope.'],
  70008: ['invalid_grant', 'The provided authorization code or refresh token has expired due to inactivity.'],
  70011: ['invalid_scope', 'The provided value for the input parameter scope is not valid.'],
  70043: ['invalid_grant', 'The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.', 'token_expired'],
  65004: ['invalid_grant', 'The user declined to consent to access the app.'],
  90006: ['server_error', 'A transient error has occurred. Please try again.'],
  90055: ['temporarily_unavailable', 'There are too many requests.'],
  7000112: ['unauthorized_client', 'The application is disabled.'],
  90033: ['temporarily_unavailable', 'A transient error has occurred. Please try again.'],
  700005: ['invalid_grant', 'Provided Authorization Code is intended to use against other tenant, thus rejected.'],
  700016: ['unauthorized_client', 'Application was not found in the directory.'],
  700082: ['invalid_grant', 'The refresh token has expired due to inactivity. The token was issued on 2026-01-01T00:00:00.0000000Z and was inactive for 90.00:00:00.'],
  900144: ['invalid_request', "The request body must contain a parameter that is missing."],
  501481: ['invalid_grant', 'The Code_Verifier does not match the code_challenge supplied in the authorization request.'],
  7000215: ['invalid_client', 'Invalid client secret provided.'],
  7000218: ['invalid_client', "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."],
  7000222: ['invalid_client', 'The provided client secret keys are expired.'],
  70003: ['unsupported_grant_type', 'The app requested an unsupported grant type.'],
};

function refusal(code, emulator) {
  const [error, text, suberror] = WHY[code] ?? ['invalid_grant', 'Refused.'];
  const timestamp = `${new Date(emulator.now()).toISOString().slice(0, 19).replace('T', ' ')}Z`;
  const [trace_id, correlation_id] = [randomUUID(), randomUUID()];
  const status = error === 'invalid_client' ? 401 : /^(temporarily|server)/.test(error) ? 503 : 400;
  return json(status, {
    error, error_description: `AADSTS${code}: ${text}\r\nTrace ID: ${trace_id}\r\nCorrelation ID: ${correlation_id}\r\nTimestamp: ${timestamp}`,
    error_codes: [code], timestamp, trace_id, correlation_id, error_uri: `https://login.microsoftonline.com/error?code=${code}`, ...suberror && { suberror },
  });
}

const page = (code, more = '') => html(400, 'Sign in', `<p>AADSTS${code}: ${(WHY[code] ?? [, more])[1]}</p>`);
const personal = ({ kind }) => kind === 'personal';

export const onedrive = {
  answer,
  allScopes: ['offline_access', 'Files.Read', 'Files.Read.All', 'User.Read'],
  name: 'onedrive',
  title: 'Microsoft',
  hosts: { main: {}, download: {}, foreign: { address: '127.0.0.2' } },
  codePrefix: 'M.C507_BAY.2.U.',
  knobs: {
    rotation: 'keep',
    access_token_bytes: 1500,
    refresh_token_bytes: 1000,
    idle_lifetime: 90 * 86_400,
    expires_in: 3599,
    long_scopes: false,          // scopes told as https://graph.microsoft.com/Files.Read
    secret_expired: false,       // the app owner forgot it
    refuse_refresh: null,        // an AADSTS number: every refresh is answered so
    loop_limit: null,            // more uses of one refresh token than this are a loop: AADSTS50196
    empty_pages: 0,
    next_link: null,             // foreign, or an origin: where @odata.nextLink leads
    redirect: true,              // false: /content answers with the bytes itself
    location: null,              // another Location for /content; foreign: the host that is nobody's
    shared_with_me: true,        // false: as after its retirement, always empty
  },
  words: { unknown_client: 'AADSTS700016: Application was not found', redirect_mismatch: 'AADSTS50011: The redirect URI does not match', bad_request: 'AADSTS9000411' },
  denied: { error: 'access_denied', error_description: 'The user has denied access to the scope requested by the client application.', error_subcode: 'cancel' },
  rules: {
    duplicates: false,
    insensitive: true,
    allowed: (name) => !/["*:<>?/\\|\p{Cc}]/u.test(name) && !/^ |[ .]$/.test(name),
    accountId: (account) => (personal(account) ? account.token('id').toString('hex', 0, 8) : guid(account.token('id'))),
    driveId: (account, drive) => (personal(account) && drive.name === 'own' ? account.id : `b!${account.token(`drive/${drive.name}`).toString('base64url').slice(0, 60)}`),
    newId: (account, node) => (personal(account) ? `${account.id.toUpperCase()}!${100 + node.number}` : `01${base32(account.token(node.number), 32)}`),
  },

  checkAuthorize(query, client, ctx) {
    const tenant = ctx.rawPath.split('/')[1];
    if (query.get('response_type') !== 'code') throw page(900144);
    if (!query.get('scope')) throw page(900144);
    if (!['query', 'fragment', null].includes(query.get('response_mode'))) throw html(501, 'This response_mode is not emulated');
    if (client.audience === 'single' && tenant === 'common') throw page(50194, 'Application is not configured as a multi-tenant application.');
    if (client.audience === 'work' && tenant === 'consumers') throw page(9002332, 'Application is configured for use by Azure Active Directory users only.');
    return query.get('prompt') === 'none' ? { error: 'login_required', error_description: 'AADSTS50058: A silent sign-in request was sent but no user is signed in.' } : null;
  },

  checkAccount(account, client, { rawPath }) {
    const tenant = rawPath.split('/')[1];
    const right = { common: true, consumers: personal(account), organizations: !personal(account) }[tenant] ?? tenant === tenantOf(account);
    return right ? null : page(50020);
  },

  scopes: (query) => [...new Set(query.get('scope').split(' ').filter(Boolean).flatMap((scope) => {
    const short = scope.startsWith(GRAPH) ? scope.slice(GRAPH.length) : scope;
    return short === '.default' ? ['Files.Read', 'User.Read'] : [short];
  }))],

  remember: (query, client, account, { rawPath }) => ({ tenant: rawPath.split('/')[1] }),
  extras: () => ({ session_state: randomUUID() }),

  route(ctx) {
    if (ctx.host === 'foreign') return { endpoint: 'foreign', run: () => json(200, { value: [] }) };
    if (ctx.host === 'download') return downloadRoute(ctx) ?? fragmentRoute(ctx);
    const match = /^\/([^/]+)\/(?:oauth2\/v2\.0\/(authorize|token)|discovery\/v2\.0\/(keys))$/.exec(ctx.rawPath);
    if (!match) return uploadRoute(ctx) ?? graphRoute(ctx);
    const what = match[2] ?? match[3];
    if (what === 'keys') return { endpoint: 'certs', run: () => json(200, jwks()) };
    if (what === 'authorize' && ['GET', 'POST'].includes(ctx.method)) return { endpoint: 'authorize', run: () => authorize(ctx, onedrive) };
    return what === 'token' && ctx.method === 'POST' ? { endpoint: 'token', run: () => token(ctx, match[1]) } : null;
  },

  throttle(fault, endpoint, emulator) {
    if (endpoint === 'token') return refusal(90033, emulator);
    const code = typeof fault.throttle === 'string' ? fault.throttle : 'activityLimitReached';
    const status = fault.status ?? { serviceNotAvailable: 503, bandwidthLimitExceeded: 509 }[code] ?? 429;
    return graphError(emulator, status, code, 'The request has been throttled');
  },

  problem(status, endpoint, emulator) {
    if (endpoint === 'token') return status >= 500 ? refusal(90033, emulator) : refusal(900144, emulator);
    return graphError(emulator, status, status === 404 ? 'itemNotFound' : status >= 500 ? 'generalException' : 'invalidRequest', 'An error has occurred.');
  },
};

const guid = (bytes) => bytes.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
const base32 = (bytes, length) => [...bytes].map((byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte & 31]).join('').slice(0, length);
const tenantOf = (account) => (personal(account) ? PERSONAL_TENANT : WORK_TENANT);

function token(ctx, tenant) {
  const { emulator } = ctx;
  const form = ctx.form();
  const { client_id, client_secret } = credentials(ctx);
  const kind = form.get('grant_type');
  if (!kind || !client_id) throw refusal(900144, emulator);
  const client = emulator.clients.get(client_id);
  if (!client) throw refusal(700016, emulator);
  if (!client_secret) throw refusal(7000218, emulator);
  if (emulator.knobs.secret_expired) throw refusal(7000222, emulator);
  if (client.client_secret !== client_secret) throw refusal(7000215, emulator);
  if (kind === 'authorization_code') return exchange(ctx, form, client, tenant);
  if (kind === 'refresh_token') return refresh(ctx, form, client);
  throw refusal(70003, emulator);
}

function exchange({ emulator }, form, client, tenant) {
  const found = emulator.tokens.takeCode(form.get('code'));
  if (typeof found === 'string') throw refusal({ unknown: 70000, used: 54005, expired: 70008 }[found], emulator);
  if (found.client_id !== client.client_id) throw refusal(70000, emulator);
  if (found.tenant !== tenant) throw refusal(700005, emulator);
  if (found.redirect_uri !== form.get('redirect_uri')) throw refusal(50011, emulator);
  if (pkceProblem(found, form.get('code_verifier'))) throw refusal(501481, emulator);
  const { account, scopes, nonce } = found;
  const grant = emulator.tokens.newGrant({ account, client_id: client.client_id, scopes, nonce });
  return json(200, answer(emulator, grant, scopes.includes('offline_access')));
}

function refresh({ emulator }, form, client) {
  const { knobs } = emulator;
  const given = form.get('refresh_token');
  if (!given) throw refusal(900144, emulator);
  const asked = onedrive.scopes(new Map([['scope', form.get('scope') ?? '']]));
  if (knobs.refuse_refresh !== null) {
    const known = emulator.tokens.refresh(given);
    if (known) known.grant.refused += 1;
    throw refusal(knobs.refuse_refresh, emulator);
  }
  if (knobs.loop_limit !== null && (emulator.tokens.refresh(given)?.uses ?? 0) >= knobs.loop_limit) throw refusal(50196, emulator);
  const used = emulator.tokens.use(given, client.client_id);
  if (used.refused) throw refusal({ revoked: 50173, idle: 700082, expired: 70008 }[used.refused] ?? 70000, emulator);
  if (asked.some((scope) => !used.grant.scopes.includes(scope) && !IDENTITY.includes(scope))) throw refusal(65001, emulator);
  return json(200, answer(emulator, used.grant, used.rotate, asked.length ? asked : used.grant.scopes));
}

function answer(emulator, grant, withRefresh, scopes = grant.scopes) {
  const { knobs, tokens } = emulator;
  const { account } = grant;
  const access_token = tokens.newAccess(grant, personal(account) ? 'EwB4A8l6BAAU' : 'eyJ0eXAiOiJKV1QiLCJub25jZSI6.');
  const told = scopes.filter((scope) => scope !== 'offline_access').map((scope) => (knobs.long_scopes && !IDENTITY.includes(scope) ? GRAPH + scope : scope));
  const fields = { token_type: 'Bearer', scope: told.join(' '), expires_in: knobs.expires_in, ext_expires_in: knobs.expires_in, access_token };
  if (withRefresh) fields.refresh_token = personal(account) ? tokens.newRefresh(grant, 'M.C507_BAY.0.U.-', '*!$!*$') : tokens.newRefresh(grant, '1.AXkA');
  if (grant.scopes.includes('openid')) {
    const now = Math.floor(emulator.now() / 1000);
    const tid = tenantOf(account);
    fields.id_token = idToken({ iss: `https://login.microsoftonline.com/${tid}/v2.0`, tid, aud: grant.client_id, sub: account.id, oid: account.id, name: account.name,
      preferred_username: account.email, ...grant.nonce && { nonce: grant.nonce }, iat: now, nbf: now, exp: now + 3600 }, access_token);
  }
  return tokenAnswer(emulator, fields);
}
