// Google: accounts.google.com, oauth2.googleapis.com and Drive v3, behind one
// address with Google's paths.
import { apiGrant, authorize, credentials, pkceProblem, tokenAnswer } from './lib/authorize.mjs';
import { Answer, html, json } from './lib/answers.mjs';
import { idToken, jwks } from './lib/idtoken.mjs';
import { SCOPE, driveError, driveRoute } from './google_drive.mjs';
import { uploadRoute } from './google_uploads.mjs';

const bad = (status, error, error_description, more = {}) => json(status, { error, error_description, ...more });

const THROTTLED = 'Quota exceeded for quota metric \'Queries\' and limit \'Queries per minute per user\' of service \'drive.googleapis.com\' for consumer \'project_number:123456789012\'. ' +
  `To see the figures for this project, and to ask for a higher limit, go to the console: https://console.emulator.example/apis/api/drive.googleapis.com/quotas?project=123456789012&${'metric=queries&'.repeat(20)}`;

export const google = {
  answer,
  allScopes: [`${SCOPE}drive`, `${SCOPE}userinfo.email`],
  name: 'google_drive',
  title: 'Google',
  hosts: { main: {} },
  codePrefix: '4/0A',
  knobs: {
    access_token_bytes: 220,
    refresh_token_bytes: 103,
    testing: false,              // refresh tokens end after 7 days, and say so
    refresh_token_limit: 100,    // live ones per account and client
    empty_pages: 0,              // so many without files come before the first page of a list
    incomplete_search: false,
    export_limit: 10 << 20,
    error_subtype: null,         // for example invalid_rapt, in the answer to a refused refresh
  },
  words: {
    unknown_client: 'Error 401: invalid_client',
    redirect_mismatch: 'Error 400: redirect_uri_mismatch',
    bad_request: 'Error 400: invalid_request',
  },
  denied: { error: 'access_denied' },
  rules: {
    duplicates: true,
    insensitive: false,
    allowed: () => true,
    accountId: (account) => BigInt(`0x${account.token('id').toString('hex', 0, 8)}`).toString().padStart(21, '1').slice(0, 21),
    driveId: (account, drive) => `0A${account.token(`drive/${drive.name}`).toString('base64url').slice(0, 14)}PVA`,
    newId: (account, node) => (node.parent === null && node.drive && !node.shared ? node.drive.id : `1${account.token(node.number).toString('base64url').slice(0, 32)}`),
  },

  checkAuthorize(query) {
    if (query.get('response_type') !== 'code') throw html(400, 'Error 400: invalid_request', '<p>response_type</p>');
    if (!query.get('scope')) throw html(400, 'Error 400: invalid_request', '<p>Missing required parameter: scope</p>');
    const method = query.get('code_challenge_method');
    if (method !== null && !['S256', 'plain'].includes(method)) throw html(400, 'Error 400: invalid_request', '<p>code_challenge_method</p>');
    return query.get('prompt') === 'none' ? { error: 'interaction_required' } : null;
  },

  scopes(query, client, account, { emulator }) {
    const asked = query.get('scope').split(' ').filter(Boolean).map((scope) => ({ email: `${SCOPE}userinfo.email`, profile: `${SCOPE}userinfo.profile` })[scope] ?? scope);
    const before = query.get('include_granted_scopes') === 'true' ? consents(emulator, account, client).scopes : [];
    return [...new Set([...asked, ...before])];
  },

  // Only the screen gives a refresh token: at the first consent, or when it is asked for.
  remember(query, client, account, { emulator }) {
    const consent = consents(emulator, account, client);
    const screen = !consent.given || (query.get('prompt') ?? '').split(' ').includes('consent');
    consent.given = true;
    return { offline: query.get('access_type') === 'offline' && screen };
  },

  extras: (scopes) => ({ scope: scopes.join(' '), authuser: '0', prompt: 'consent' }),

  route(ctx) {
    const at = `${ctx.method} ${ctx.rawPath}`;
    if (ctx.rawPath === '/o/oauth2/v2/auth' && ['GET', 'POST'].includes(ctx.method)) return { endpoint: 'authorize', run: () => authorize(ctx, google) };
    if (at === 'POST /token') return { endpoint: 'token', run: () => token(ctx) };
    if (at === 'POST /revoke') return { endpoint: 'revoke', run: () => revoke(ctx) };
    if (at === 'GET /v1/userinfo') return { endpoint: 'userinfo', run: () => userinfo(ctx) };
    if (at === 'GET /oauth2/v3/certs') return { endpoint: 'certs', run: () => json(200, jwks()) };
    return uploadRoute(ctx) ?? driveRoute(ctx);
  },

  throttle(fault) {
    const reason = typeof fault.throttle === 'string' ? fault.throttle : 'userRateLimitExceeded';
    return driveError(fault.status ?? 403, reason, THROTTLED);
  },

  problem(status, endpoint) {
    if (endpoint === 'unknown') return html(404, 'Error 404 (Not Found)!!1');
    if (endpoint === 'token') return bad(status, status >= 500 ? 'internal_failure' : 'invalid_request', 'Please try again later');
    return driveError(status, status >= 500 ? 'backendError' : 'badRequest', 'Backend Error');
  },
};

// What this person has told this client before.
function consents(emulator, account, client) {
  const all = (emulator.state.consents ??= new Map());
  const key = `${account.email} ${client.client_id}`;
  if (!all.has(key)) all.set(key, { given: false, scopes: [] });
  return all.get(key);
}

function token(ctx) {
  const { emulator } = ctx;
  const form = ctx.form();
  const { client_id, client_secret } = credentials(ctx);
  const client = emulator.clients.get(client_id);
  if (!client) throw bad(401, 'invalid_client', 'The OAuth client was not found.');
  if (client.deleted) throw bad(401, 'deleted_client', 'The OAuth client was deleted.');
  if (client.client_secret !== client_secret) throw bad(401, 'invalid_client', 'Unauthorized');
  const kind = form.get('grant_type');
  if (kind === 'authorization_code') return exchange(ctx, form, client);
  if (kind === 'refresh_token') return refresh(ctx, form, client);
  throw bad(400, 'unsupported_grant_type', `Invalid grant_type: ${kind ?? ''}`);
}

function exchange({ emulator }, form, client) {
  const found = emulator.tokens.takeCode(form.get('code'));
  if (found === 'unknown') throw bad(400, 'invalid_grant', 'Malformed auth code.');
  if (typeof found === 'string' || found.client_id !== client.client_id) throw bad(400, 'invalid_grant', 'Bad Request');
  if (found.redirect_uri !== form.get('redirect_uri')) throw bad(400, 'redirect_uri_mismatch', 'Bad Request');
  const problem = pkceProblem(found, form.get('code_verifier'));
  if (problem) throw bad(400, 'invalid_grant', problem === 'missing' ? 'Missing code verifier.' : 'Invalid code verifier.');
  const { account, scopes, offline, nonce } = found;
  const consent = consents(emulator, account, client);
  consent.scopes = [...new Set([...consent.scopes, ...scopes])];
  const grant = emulator.tokens.newGrant({ account, client_id: client.client_id, project: client.project, scopes, nonce });
  return json(200, answer(emulator, grant, offline));
}

function refresh({ emulator }, form, client) {
  const { knobs } = emulator;
  const used = emulator.tokens.use(form.get('refresh_token') ?? '', client.client_id);
  if (used.refused === 'foreign') throw bad(401, 'unauthorized_client', 'Unauthorized');
  if (used.refused || tooOld(emulator, used.grant)) {
    const description = used.refused === 'unknown' ? 'Bad Request' : 'Token has been expired or revoked.';
    throw bad(400, 'invalid_grant', description, knobs.error_subtype ? { error_subtype: knobs.error_subtype } : {});
  }
  return json(200, answer(emulator, used.grant, used.rotate));
}

const tooOld = (emulator, grant) => grant.testing && emulator.now() - grant.created > 7 * 86_400_000;

function answer(emulator, grant, withRefresh) {
  const { knobs, tokens } = emulator;
  const access_token = tokens.newAccess(grant, 'ya29.a0A');
  const fields = { access_token, expires_in: knobs.expires_in, scope: grant.scopes.join(' '), token_type: 'Bearer' };
  if (withRefresh) {
    fields.refresh_token = tokens.newRefresh(grant, '1//0g');
    grant.testing = knobs.testing;
    if (knobs.testing) fields.refresh_token_expires_in = 604_799;
    tokens.pushOut(grant, knobs.refresh_token_limit);
  }
  if (grant.scopes.includes('openid')) {
    const now = Math.floor(emulator.now() / 1000);
    const { account, client_id, nonce } = grant;
    fields.id_token = idToken({ iss: 'https://accounts.google.com', azp: client_id, aud: client_id, sub: account.id, email: account.email,
      email_verified: account.email_verified, ...nonce && { nonce }, iat: now, exp: now + 3600 }, access_token);
  }
  return tokenAnswer(emulator, fields);
}

// All tokens of the user for the whole project, whoever holds them.
function revoke(ctx) {
  const { emulator } = ctx;
  const token = ctx.form().get('token') ?? ctx.query.get('token') ?? '';
  const grant = (emulator.tokens.access(token) ?? emulator.tokens.refresh(token))?.grant;
  if (!grant || grant.revoked) throw bad(400, 'invalid_token', 'Token expired or revoked');
  emulator.tokens.revoke('grant', (other) => other.account === grant.account && other.project === grant.project);
  for (const client of emulator.clients.values()) {
    if (client.project === grant.project) emulator.state.consents?.delete(`${grant.account.email} ${client.client_id}`);
  }
  return new Answer(200, '');
}

function userinfo(ctx) {
  const grant = apiGrant(ctx, () => json(401, { error: 'invalid_request', error_description: 'Invalid Credentials' },
    { 'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"' }));
  const { id, email, email_verified, name } = grant.account;
  const told = { sub: id };
  if (!grant.scopes.includes('openid') && !grant.scopes.includes(`${SCOPE}userinfo.email`)) {
    throw json(403, { error: 'insufficient_scope', error_description: 'Request had insufficient authentication scopes.' });
  }
  if (grant.scopes.includes(`${SCOPE}userinfo.email`)) Object.assign(told, { email, email_verified });
  if (grant.scopes.includes(`${SCOPE}userinfo.profile`)) Object.assign(told, { name });
  return json(200, told);
}
