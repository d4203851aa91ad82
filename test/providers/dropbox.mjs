// Dropbox: www, api and content. The content host is on a port of its own and
// knows nothing of the rest.
import { authorize, credentials, pkceProblem, tokenAnswer } from './lib/authorize.mjs';
import { html, json, text } from './lib/answers.mjs';
import { contentRoute, filesRoute, summary } from './dropbox_files.mjs';
import { uploadRoute } from './dropbox_uploads.mjs';

const bad = (error, error_description, status = 400) => json(status, { error, error_description });
const APP_SCOPES = ['account_info.read', 'files.content.read', 'files.content.write', 'files.metadata.read'];

export const dropbox = {
  answer,
  allScopes: APP_SCOPES,
  name: 'dropbox',
  title: 'Dropbox',
  hosts: { main: {}, content: {} },
  codePrefix: '',
  knobs: {
    access_token_bytes: 1400,
    refresh_token_bytes: 64,
    expires_in: 14_400,
    extra_entries: 0,            // a page has so many more than the limit
    reset_continue: false,       // list_folder/continue says: start over
    invalid_client_status: 400,  // 401 is seen too
    cannot_tell: false,          // every error summary has another tag, one that nobody knows
    empty_pages: 0,
    search_repeats: 0,           // so many results come again on the next page
  },
  words: { unknown_client: 'Invalid client_id', redirect_mismatch: 'Invalid redirect_uri', bad_request: 'Bad request' },
  denied: { error: 'access_denied', error_description: 'The user chose not to give your app access to their Dropbox account.' },
  rules: {
    duplicates: false,
    insensitive: true,
    allowed: (name) => !/[/\p{Cc}]/u.test(name) && !/ $/.test(name) && !['desktop.ini', 'thumbs.db', '.ds_store', '.dropbox'].includes(name.toLowerCase()),
    accountId: (account) => `dbid:AA${account.token('id').toString('base64url').slice(0, 33)}`,
    driveId: (account, drive) => BigInt(`0x${account.token(`drive/${drive.name}`).toString('hex', 0, 4)}`).toString(),
    newId: (account, node) => `id:${account.token(node.number).toString('base64url').slice(0, 22)}`,
  },

  checkAuthorize(query) {
    if (query.get('response_type') !== 'code') throw html(400, 'Invalid response_type');
    if (Buffer.byteLength(query.get('state') ?? '') > 500) throw html(400, 'Invalid state', '<p>state is too long (more than 500 bytes)</p>');
    if (![null, 'offline', 'online'].includes(query.get('token_access_type'))) throw html(400, 'Invalid token_access_type');
    if (query.get('include_granted_scopes') && !query.get('scope')) throw html(400, 'include_granted_scopes needs scope');
    const unknown = (query.get('scope') ?? '').split(' ').filter((scope) => scope && !APP_SCOPES.includes(scope));
    if (unknown.length) throw html(400, 'Invalid scope', '<p>The app does not have these scopes</p>');
    return null;
  },

  scopes: (query) => [...new Set(query.get('scope')?.split(' ').filter(Boolean) ?? APP_SCOPES)].sort(),
  remember: (query) => ({ offline: query.get('token_access_type') === 'offline' }),

  route(ctx) {
    if (ctx.host === 'content') return uploadRoute(ctx) ?? contentRoute(ctx);
    const at = `${ctx.method} ${ctx.rawPath}`;
    if (ctx.rawPath === '/oauth2/authorize' && ['GET', 'POST'].includes(ctx.method)) return { endpoint: 'authorize', run: () => authorize(ctx, dropbox) };
    if (at === 'POST /oauth2/token') return { endpoint: 'token', run: () => token(ctx) };
    return filesRoute(ctx);
  },

  // header and body may say different times
  throttle(fault) {
    if (fault.throttle === 'text') return text(429, 'Too many requests, please slow down.');
    const tag = fault.throttle === true || fault.throttle === 'json' ? 'too_many_requests' : fault.throttle;
    return json(fault.status ?? 429, { error_summary: summary(tag), error: { reason: { '.tag': tag }, retry_after: fault.retry_after_body ?? 1 } });
  },

  problem(status, endpoint) {
    if (endpoint === 'unknown') return html(404, 'Error (404)');
    if (endpoint === 'token') return bad(status >= 500 ? 'server_error' : 'invalid_request', 'Try again later', status);
    return status >= 500 ? html(status, 'Error', '<p>Something went wrong.</p>') : text(status, `Error in call to API function: ${status}`);
  },
};

function token(ctx) {
  const { emulator } = ctx;
  const form = ctx.form();
  const { client_id, client_secret } = credentials(ctx);
  const client = emulator.clients.get(client_id);
  const wrong = () => bad('invalid_client', 'Invalid client_id or client_secret', emulator.knobs.invalid_client_status);
  // a verifier stands for the secret of a client that has none
  if (!client || (client_secret && client.client_secret !== client_secret)) throw wrong();
  const kind = form.get('grant_type');
  if (kind === 'authorization_code') return exchange(ctx, form, client, Boolean(client_secret), wrong);
  if (kind === 'refresh_token') return refresh(ctx, form, client, Boolean(client_secret), wrong);
  throw bad('unsupported_grant_type', 'grant_type must be authorization_code or refresh_token');
}

function exchange({ emulator }, form, client, proven, wrong) {
  const code = form.get('code');
  if (!proven && !form.get('code_verifier')) throw wrong();
  const found = emulator.tokens.takeCode(code);
  if (found === 'used') throw bad('invalid_grant', 'code has already been used');
  if (typeof found === 'string' || found.client_id !== client.client_id) throw bad('invalid_grant', "code doesn't exist or has expired");
  if (found.redirect_uri !== form.get('redirect_uri')) throw bad('invalid_grant', 'redirect_uri mismatch');
  const problem = pkceProblem(found, form.get('code_verifier'));
  if (problem) throw bad('invalid_grant', problem === 'missing' ? 'code_verifier is required' : 'invalid code verifier');
  const { account, scopes, offline } = found;
  const grant = emulator.tokens.newGrant({ account, client_id: client.client_id, scopes, public: !proven });
  return json(200, answer(emulator, grant, offline, true));
}

function refresh({ emulator }, form, client, proven, wrong) {
  const given = form.get('refresh_token') ?? '';
  if (!/^[\w-]{24,}$/.test(given)) throw bad('invalid_grant', 'refresh token is malformed');
  if (!proven && !emulator.tokens.refresh(given)?.grant.public) throw wrong();
  const asked = form.get('scope')?.split(' ').filter(Boolean);
  const used = emulator.tokens.use(given, client.client_id);
  if (used.refused) throw bad('invalid_grant', 'refresh token is invalid or revoked');
  if (asked?.some((scope) => !used.grant.scopes.includes(scope))) throw bad('invalid_scope', 'scope was not granted');
  const made = answer(emulator, used.grant, used.rotate, false);
  return json(200, asked ? { ...made, scope: asked.join(' ') } : made);
}

// A refresh tells no more than the token and its life.
function answer(emulator, grant, withRefresh, first = true) {
  const { knobs, tokens } = emulator;
  const fields = { access_token: tokens.newAccess(grant, 'sl.u.'), token_type: 'bearer', expires_in: knobs.expires_in };
  if (withRefresh) fields.refresh_token = tokens.newRefresh(grant, '');
  if (first) Object.assign(fields, { scope: grant.scopes.join(' '), uid: String(parseInt(grant.account.token('uid').toString('hex', 0, 4), 16)), account_id: grant.account.id });
  return tokenAnswer(emulator, fields);
}
