// The consent page: what a browser sees at authorization_url. A GET shows who
// is there, a POST says who consents and to what. The provider's own rules come
// from its dialect.
import { createHash } from 'node:crypto';
import { Answer, escape, html } from './answers.mjs';

// dialect.checkAuthorize(params, client, emulator) throws a page, or answers
// { error, error_description } for the redirect.
export function authorize(ctx, dialect) {
  const { emulator, query } = ctx;
  const client = emulator.clients.get(query.get('client_id'));
  const redirect_uri = query.get('redirect_uri');
  if (!client) throw html(400, dialect.words.unknown_client);
  if (!redirect_uri || !URL.canParse(redirect_uri) || (client.redirect_uris && !client.redirect_uris.includes(redirect_uri))) {
    throw html(400, dialect.words.redirect_mismatch, `<p>redirect_uri=${escape(redirect_uri)}</p>`);
  }
  for (const name of new Set(query.keys())) {
    if (query.getAll(name).length > 1) throw html(400, dialect.words.bad_request, `<p>${escape(name)} is there twice</p>`);
  }
  const problem = dialect.checkAuthorize(query, client, ctx);
  if (problem) return back(ctx, dialect, problem);
  if (ctx.method === 'GET') return html(200, `${dialect.title}: who are you?`, page(emulator, query));
  return consent(ctx, dialect, client);
}

function page(emulator, query) {
  const scopes = (query.get('scope') ?? '').split(' ').map((scope) => `<li>${escape(scope)}</li>`).join('');
  const people = [...emulator.accounts.values()].map(({ email }) =>
    `<button name="account" value="${escape(email)}">${escape(email)}</button>`).join('\n');
  return `<p>${escape(query.get('client_id'))} asks for:</p><ul>${scopes}</ul>
<form method="post">${people}
<button name="decision" value="deny">No</button></form>`;
}

function consent(ctx, dialect, client) {
  const { emulator, query } = ctx;
  const form = ctx.form();
  if (form.get('decision') === 'deny') return back(ctx, dialect, dialect.denied);
  const account = emulator.accounts.get(form.get('account'));
  if (!account) throw html(400, 'No such account');
  const refused = dialect.checkAccount?.(account, client, ctx);
  if (refused) throw refused;
  const unticked = form.getAll('untick');
  const scopes = dialect.scopes(query, client, account, ctx).filter((scope) => !unticked.includes(scope));
  const code = emulator.tokens.newCode({
    account, client_id: client.client_id, redirect_uri: query.get('redirect_uri'), scopes,
    challenge: query.get('code_challenge'), method: query.get('code_challenge_method') ?? 'plain',
    nonce: query.get('nonce'), ...dialect.remember(query, client, account, ctx),
  }, dialect.codePrefix);
  return back(ctx, dialect, { code, ...dialect.extras?.(scopes, ctx) });
}

// The browser is sent to the client again, state as it was.
function back(ctx, dialect, fields) {
  const { query, emulator } = ctx;
  const target = new URL(query.get('redirect_uri'));
  const values = { ...fields };
  if (query.get('state') !== null) values.state = query.get('state');
  if (emulator.knobs.iss !== null) values.iss = emulator.knobs.iss;
  if (query.get('response_mode') === 'fragment') target.hash = new URLSearchParams(values);
  else for (const [name, value] of Object.entries(values)) target.searchParams.set(name, value);
  return new Answer(302, '', { location: target.href, 'cache-control': 'no-store' });
}

// Whether the verifier is the one that the code was bound to.
export function pkceProblem({ challenge, method }, verifier) {
  if (!challenge) return verifier ? 'unexpected' : null;
  if (!verifier) return 'missing';
  if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) return 'malformed';
  const made = method === 'S256' ? createHash('sha256').update(verifier).digest('base64url') : verifier;
  return made === challenge ? null : 'wrong';
}

// client_id and secret of a token request, from the form or from Basic.
export function credentials(ctx) {
  const form = ctx.form();
  const basic = /^Basic (.+)$/i.exec(ctx.headers.authorization ?? '');
  if (!basic) return { client_id: form.get('client_id'), client_secret: form.get('client_secret') };
  const decoded = Buffer.from(basic[1], 'base64').toString();
  const cut = decoded.indexOf(':');
  const plain = (value) => { try { return decodeURIComponent(value.replaceAll('+', ' ')); } catch { return value; } };
  return { client_id: plain(decoded.slice(0, cut)), client_secret: plain(decoded.slice(cut + 1)) };
}

// The token answer with what the knobs leave out or change.
export function tokenAnswer(emulator, fields) {
  const { omit, token_type, expires_in } = emulator.knobs;
  const all = { ...fields };
  if (token_type !== null) all.token_type = token_type;
  if (expires_in === null) {
    delete all.expires_in;
    delete all.ext_expires_in;
  }
  for (const name of omit) delete all[name];
  return all;
}

// The grant behind the bearer token, or the refusal that is made of the reason.
export function apiGrant({ emulator, bearer, headers }, refusal) {
  const reason = bearer === null ? (headers.authorization === undefined ? 'absent' : 'malformed') : emulator.tokens.accessProblem(bearer);
  const grant = bearer === null ? null : emulator.tokens.access(bearer)?.grant;
  if (grant) grant[reason === null ? 'api_calls' : 'api_refused'] += 1;
  if (reason !== null) throw refusal(reason);
  return grant;
}
