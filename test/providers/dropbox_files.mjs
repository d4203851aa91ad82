// Dropbox's files as far as one reads them: list, search, metadata, download,
// export, temporary links; the account; revoke.  dropbox_uploads.mjs has the rest.
import { randomUUID } from 'node:crypto';
import { Answer, contentAnswer, json, text } from './lib/answers.mjs';
import { inside, own, pathOf } from './lib/accounts.mjs';
import { apiGrant } from './lib/authorize.mjs';
import { Content } from './lib/contents.mjs';
import { docx, pdf } from './lib/documents.mjs';

// Tags, and dots that nobody should compare.
export const summary = (tags) => `${tags}/${'.'.repeat(1 + Math.floor(Math.random() * 6))}`;

// union('path', 'not_found') is { '.tag': 'path', path: { '.tag': 'not_found' } }
export const union = (tag, inner, more = {}) => ({ '.tag': tag, ...inner && { [tag]: { '.tag': inner } }, ...more });
export function endpointError({ emulator }, tag, inner, more) {
  if (emulator.knobs.cannot_tell) return json(409, { error_summary: summary('something_new'), error: union('something_new') });
  return json(409, { error_summary: summary(inner ? `${tag}/${inner}` : tag), error: union(tag, inner, more) });
}
export const badCall = (name, message) => text(400, `Error in call to API function "${name}": ${message}`);

// The arguments of each call: names and whether they must be there.
const CALLS = {
  'users/get_current_account': { run: currentAccount, scope: 'account_info.read', endpoint: 'userinfo', args: null },
  'check/user': { run: (ctx, grant, args) => json(200, { result: args.query ?? '' }), scope: null, args: { query: false } },
  'auth/token/revoke': { run: revoke, scope: null, endpoint: 'revoke', args: null },
  'files/list_folder': { run: listFolder, scope: 'files.metadata.read', endpoint: 'list',
    args: { path: true, recursive: false, include_media_info: false, include_deleted: false, include_has_explicit_shared_members: false, include_mounted_folders: false,
      limit: false, shared_link: false, include_property_groups: false, include_non_downloadable_files: false } },
  'files/list_folder/continue': { run: listContinue, scope: 'files.metadata.read', endpoint: 'list_continue', args: { cursor: true } },
  'files/get_metadata': { run: getMetadata, scope: 'files.metadata.read', endpoint: 'metadata',
    args: { path: true, include_media_info: false, include_deleted: false, include_has_explicit_shared_members: false, include_property_groups: false } },
  'files/search_v2': { run: search, scope: 'files.metadata.read', endpoint: 'search', args: { query: true, options: false, match_field_options: false, include_highlights: false } },
  'files/search/continue_v2': { run: searchContinue, scope: 'files.metadata.read', endpoint: 'search_continue', args: { cursor: true } },
  'files/get_temporary_link': { run: temporaryLink, scope: 'files.content.read', endpoint: 'temporary_link', args: { path: true } },
};
const BYTES = {
  'files/download': { run: download, scope: 'files.content.read', endpoint: 'download', args: { path: true, rev: false } },
  'files/export': { run: exported, scope: 'files.content.read', endpoint: 'export', args: { path: true, export_format: false } },
};

export function filesRoute(ctx) {
  const name = /^\/2\/(.+)$/.exec(ctx.rawPath)?.[1];
  const call = name !== undefined && Object.hasOwn(CALLS, name) ? CALLS[name] : null;
  if (!call || ctx.method !== 'POST') return null;
  return { endpoint: call.endpoint ?? name, run: () => call.run(ctx, grantOf(ctx, name, call.scope), rpcArguments(ctx, name, call.args), name) };
}

export function contentRoute(ctx) {
  const link = /^\/apitl\/1\/(\w+)$/.exec(ctx.rawPath);
  if (link && ctx.method === 'GET') return { endpoint: 'temporary', run: () => temporary(ctx, link[1]) };
  const name = /^\/2\/(.+)$/.exec(ctx.rawPath)?.[1];
  const call = name !== undefined && Object.hasOwn(BYTES, name) ? BYTES[name] : null;
  if (!call || !['GET', 'POST'].includes(ctx.method)) return null;
  return { endpoint: call.endpoint, run: () => call.run(ctx, grantOf(ctx, name, call.scope), headerArguments(ctx, name, call.args), name) };
}

export function grantOf(ctx, name, scope) {
  const tag = (word, more = {}) => json(401, { error_summary: summary(word), error: { '.tag': word, ...more } });
  const { authorization } = ctx.headers;
  if (authorization === undefined) throw badCall(name, 'Must provide HTTP header "Authorization" or URL parameter "authorization".');
  if (ctx.bearer === null) throw badCall(name, `Invalid authorization value in HTTP header "Authorization": "${authorization.slice(0, 20)}". Expecting "Bearer <oauth2-access-token>".`);
  if (!/^sl\.[\w.-]+$/.test(ctx.bearer)) throw badCall(name, 'The given OAuth 2 access token is malformed.');
  const grant = apiGrant(ctx, (reason) => tag(reason === 'expired' ? 'expired_access_token' : 'invalid_access_token'));
  if (grant.account.suspended) throw tag('user_suspended');
  if (scope && !grant.scopes.includes(scope)) throw tag('missing_scope', { required_scope: scope });
  return grant;
}

function checked(name, value, args) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw badCall(name, 'request body: expected object, got something else');
  for (const key of Object.keys(value)) if (!Object.hasOwn(args, key)) throw badCall(name, `request body: unknown field '${key}'`);
  for (const key of Object.keys(args)) if (args[key] && value[key] === undefined) throw badCall(name, `request body: missing required field '${key}'`);
  for (const key of ['path', 'cursor', 'query']) {
    const type = args[key] === 'object' ? 'object' : 'string';
    if (value[key] !== undefined && typeof value[key] !== type) throw badCall(name, `request body: ${key}: expected ${type}`);
  }
  return value;
}

// A call without arguments has the body null, or none and no type.
function rpcArguments({ headers, body }, name, args) {
  const type = headers['content-type'];
  if (args === null && body.length === 0 && type === undefined) return {};
  if (!/^(application\/json|text\/plain; charset=dropbox-cors-hack)/.test(type ?? '')) {
    throw badCall(name, `Bad HTTP "Content-Type" header: "${type ?? ''}". Expecting one of "application/json", "application/json; charset=utf-8", "text/plain; charset=dropbox-cors-hack".`);
  }
  let value;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw badCall(name, 'request body: could not decode input as JSON');
  }
  if (args === null) {
    if (value !== null) throw badCall(name, 'request body: expected null, got value');
    return {};
  }
  return checked(name, value, args);
}

// What comes with bytes has its arguments in a header; takes: whether they come along.
export function headerArguments({ headers, query, body, method }, name, args, takes = false) {
  const given = headers['dropbox-api-arg'] ?? query.get('arg');
  if (given === undefined || given === null) throw badCall(name, 'Must provide HTTP header "Dropbox-API-Arg" or URL parameter "arg".');
  if (method === 'POST' && !takes && body.length > 0) throw badCall(name, 'this function does not take a body');
  if (method === 'POST' && headers['content-type'] !== undefined && !/^(application\/octet-stream|text\/plain)/.test(headers['content-type'])) {
    throw badCall(name, `Bad HTTP "Content-Type" header: "${headers['content-type']}".`);
  }
  let value;
  try {
    if (/[^\x20-\x7e]/.test(given)) throw new Error('not ASCII');
    value = JSON.parse(given);
  } catch {
    throw badCall(name, 'HTTP header "Dropbox-API-Arg": could not decode input as JSON');
  }
  return checked(name, value, args);
}

// A team's members live in a folder of the team's space.
const isTeam = ({ kind }) => kind === 'team';
const teamRoot = (account) => String(Number(account.drive(own).id) + 1);

function rootInfo(account) {
  const home = account.drive(own).id;
  if (!isTeam(account)) return { '.tag': 'user', root_namespace_id: home, home_namespace_id: home };
  return { '.tag': 'team', root_namespace_id: teamRoot(account), home_namespace_id: home, home_path: `/${account.name}` };
}

function currentAccount(ctx, { account }) {
  return json(200, { account_id: account.id, name: { given_name: account.name, surname: '', familiar_name: account.name, display_name: account.name, abbreviated_name: account.name[0] },
    email: account.email, email_verified: account.email_verified, disabled: false, locale: 'en', referral_link: 'https://www.dropbox.com/referrals/x', is_paired: false,
    account_type: { '.tag': isTeam(account) ? 'business' : 'basic' }, root_info: rootInfo(account), country: 'GB' });
}

function revoke({ emulator }, grant) {
  grant.revoked = true;
  return json(200, null);
}

// The folders that the client sees: the home, or the team's space with the
// home in it. view: { children of the top, prefix of what lies in the home }
export function viewOf(ctx, { account }) {
  const header = ctx.headers['dropbox-api-path-root'];
  const info = rootInfo(account);
  let namespace = info.home_namespace_id;
  if (header !== undefined) {
    let value;
    try { value = JSON.parse(header); } catch { throw text(400, 'Error: HTTP header "Dropbox-API-Path-Root": could not decode input as JSON'); }
    const tag = value['.tag'];
    namespace = tag === 'home' ? info.home_namespace_id : value[tag];
    if (tag === 'root' && namespace !== info.root_namespace_id) {
      throw json(422, { error_summary: summary('invalid_root'), error: { '.tag': 'invalid_root', invalid_root: info } });
    }
    if (![info.home_namespace_id, info.root_namespace_id].includes(namespace)) throw json(422, { error_summary: summary('no_permission'), error: { '.tag': 'no_permission' } });
  }
  const home = account.drive(own).root;
  const others = [...account.drives.values()].filter(({ shared }) => shared).map(({ root }) => root);
  const mounted = account.all().filter((node) => node.shared);
  if (!isTeam(account)) return { top: [...home.children, ...mounted, ...others], prefix: '' };
  return namespace === info.root_namespace_id ? { top: [home, ...others], prefix: `/${account.name}`, home } : { top: [...home.children, ...mounted], prefix: '', homeOnly: true };
}

const shownPath = (view, node) => {
  if (node === view.home) return view.prefix;
  return node.drive.name === own ? view.prefix + pathOf(node) : `/${node.drive.name}${pathOf(node)}`;
};
const nameOf = (view, node) => (node === view.home ? view.prefix.slice(1) : node.name);
const kids = (node) => node.children ?? [];

// A path, an id or a revision; undefined is the top.
export function resolve(ctx, grant, view, path, wrap) {
  const lost = (inner) => endpointError(ctx, ...wrap(inner));
  if (path === '') return undefined;
  if (path.startsWith('id:') || path.startsWith('rev:')) {
    const node = [...grant.account.nodes.values()].find((one) => one.id === path || `rev:${revision(one)}` === path);
    if (!node || node.trashed || (node.drive.name !== own && view.homeOnly)) throw lost('not_found');
    return node;
  }
  if (!/^(\/(.|[\r\n])*)$/.test(path) || path.endsWith('/')) throw lost('malformed_path');
  let node;
  for (const step of path.slice(1).split('/')) {
    const list = node === undefined ? view.top : kids(node);
    node = list.find((one) => nameOf(view, one).toLowerCase() === step.toLowerCase() && !one.trashed);
    if (!node) throw lost('not_found');
  }
  return node;
}

export const revision = (node) => `0160${node.account.token(`rev/${node.number}${node.version ? `/${node.version}` : ''}`).toString('hex', 0, 9)}`;
const PAPER = { document: 'paper', spreadsheet: 'gsheet', presentation: 'gslides' };

// tagged: with .tag, as in lists; the header of a download has none.
export function resource(view, node, tagged = true) {
  const path = shownPath(view, node);
  const common = { name: nameOf(view, node), id: node.id, path_lower: path.toLowerCase(), path_display: path };
  if (node.type === 'folder') {
    const sharing = node.drive.name === own ? {} : { shared_folder_id: node.drive.id, sharing_info: { read_only: false, shared_folder_id: node.drive.id } };
    return { ...tagged && { '.tag': 'folder' }, ...common, ...sharing };
  }
  if (node.type === 'native') common.name += `.${PAPER[node.native] ?? 'paper'}`;
  const time = `${node.modified.slice(0, 19)}Z`;
  const content = node.content ?? Content.of(node.text ?? '');
  return { ...tagged && { '.tag': 'file' }, ...common, client_modified: time, server_modified: time, rev: revision(node), size: content.size,
    is_downloadable: node.type === 'file', content_hash: content.blockHash(), ...node.type === 'native' && { export_info: { export_as: 'docx', export_options: ['docx', 'pdf', 'markdown'] } } };
}

const deleted = (view, node) => ({ '.tag': 'deleted', name: node.name, path_lower: shownPath(view, node).toLowerCase(), path_display: shownPath(view, node) });

function listFolder(ctx, grant, args, name) {
  if (args.path === '/') throw badCall(name, 'request body: path: Specify the root folder as an empty string rather than as "/".');
  const { limit = 2000 } = args;
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= 2000)) throw badCall(name, 'request body: limit: not in the range 1 to 2000');
  const view = viewOf(ctx, grant);
  const folder = resolve(ctx, grant, view, args.path, (inner) => ['path', inner]);
  if (folder && folder.type !== 'folder') throw endpointError(ctx, 'path', 'not_folder');
  let nodes = folder ? kids(folder) : view.top;
  if (args.recursive) nodes = nodes.flatMap(function deep(node) { return [node, ...kids(node).flatMap(deep)]; });
  if (args.include_mounted_folders === false) nodes = nodes.filter((node) => node.drive.name === own && !node.shared);
  if (args.include_non_downloadable_files === false) nodes = nodes.filter((node) => node.type === 'file' || node.type === 'folder');
  const entries = nodes.filter((node) => args.include_deleted || !node.trashed).map((node) => () => (node.trashed ? deleted(view, node) : resource(view, node)));
  return page(ctx, grant, { what: 'list', entries, at: 0, limit, empty: ctx.emulator.knobs.empty_pages });
}

// Cursors are kept here: they are tied to the account.
function page(ctx, grant, cursor) {
  const { knobs, state } = ctx.emulator;
  const { entries, at, limit, empty } = cursor;
  const size = empty > 0 ? 0 : Math.min(limit, knobs.page_limit ?? limit) + (cursor.what === 'list' ? knobs.extra_entries : 0);
  const next = at + size;
  const has_more = empty > 0 || next < entries.length;
  const key = `AAF${randomUUID().replaceAll('-', '')}`;
  const back = cursor.what === 'search' && has_more ? Math.min(knobs.search_repeats, Math.max(0, size - 1)) : 0;
  (state.cursors ??= new Map()).set(key, { ...cursor, at: next - back, empty: Math.max(0, empty - 1), account: grant.account });
  const shown = entries.slice(at, next).map((make) => make());
  return json(200, cursor.what === 'list' ? { entries: shown, cursor: key, has_more } : { matches: shown, has_more, ...has_more && { cursor: key } });
}

function continued(ctx, grant, args, name, what) {
  const found = ctx.emulator.state.cursors?.get(args.cursor);
  if (!found || found.what !== what || found.account !== grant.account) throw badCall(name, 'request body: cursor: Invalid "cursor" parameter');
  return page(ctx, grant, found);
}

function listContinue(ctx, grant, args, name) {
  if (ctx.emulator.knobs.reset_continue) throw endpointError(ctx, 'reset');
  return continued(ctx, grant, args, name, 'list');
}

function searchContinue(ctx, grant, args, name) {
  return continued(ctx, grant, args, name, 'search');
}

function search(ctx, grant, { query, options = {} }, name) {
  if (query.length > 1000) throw badCall(name, 'request body: query: too long');
  const limit = options.max_results ?? 100;
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= 1000)) throw badCall(name, 'request body: options: max_results: not in the range 1 to 1000');
  const view = viewOf(ctx, grant);
  const top = options.path ? resolve(ctx, grant, view, options.path, (inner) => ['path', inner]) : undefined;
  const words = query.toLowerCase();
  const extensions = options.file_extensions?.map((extension) => `.${extension.toLowerCase()}`);
  const list = (node) => [node, ...kids(node).flatMap(list)];
  const found = (top ? kids(top) : view.top).flatMap(list).filter((node) => !node.trashed &&
    (!top || inside(node, top)) && (!extensions || extensions.some((extension) => node.name.toLowerCase().endsWith(extension))));
  const matches = [];
  for (const node of found) {
    const byName = node.name.toLowerCase().includes(words);
    const byContent = !byName && !options.filename_only && node.content && node.content.size < 1 << 20 && node.content.whole().toString().toLowerCase().includes(words);
    if (words !== '' && (byName || byContent)) {
      matches.push(() => ({ metadata: { '.tag': 'metadata', metadata: resource(view, node) }, match_type: { '.tag': byName ? 'filename' : 'file_content' } }));
    }
  }
  return page(ctx, grant, { what: 'search', entries: matches, at: 0, limit, empty: ctx.emulator.knobs.empty_pages });
}

function getMetadata(ctx, grant, args, name) {
  if (args.path === '' || args.path === '/') throw badCall(name, 'request body: path: The root folder is unsupported.');
  const view = viewOf(ctx, grant);
  return json(200, resource(view, resolve(ctx, grant, view, args.path, (inner) => ['path', inner])));
}

function fileAt(ctx, grant, args, name) {
  const view = viewOf(ctx, grant);
  const node = args.path === '' ? undefined : resolve(ctx, grant, view, args.path, (inner) => ['path', inner]);
  if (!node || node.type === 'folder') throw endpointError(ctx, 'path', 'not_file');
  return { view, node };
}

const ascii = (value) => JSON.stringify(value).replace(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

function download(ctx, grant, args) {
  const { view, node } = fileAt(ctx, grant, args);
  if (node.type !== 'file') throw endpointError(ctx, 'unsupported_file');
  if (node.locked) throw endpointError(ctx, 'path', 'restricted_content');
  const etag = `W/"${revision(node)}"`;
  if (ctx.headers['if-none-match'] === etag) return new Answer(304, '', { etag });
  return contentAnswer(node.content, ctx.headers.range, { 'content-type': 'application/octet-stream', etag, 'dropbox-api-result': ascii(resource(view, node, false)) },
    ctx.emulator.knobs.range === 'honour');
}

function exported(ctx, grant, args) {
  const { view, node } = fileAt(ctx, grant, args);
  if (node.type !== 'native') throw endpointError(ctx, 'non_exportable');
  const format = args.export_format ?? 'docx';
  const make = { docx: (t) => docx(t.trim().split('\n')), pdf: (t) => pdf(t.trim().split('\n')), markdown: (t) => t }[format];
  if (!make) throw endpointError(ctx, 'invalid_export_format');
  const content = Content.of(make(node.text));
  const result = { export_metadata: { name: `${node.name}.${format}`, size: content.size, export_hash: content.blockHash() }, file_metadata: resource(view, node, false) };
  return contentAnswer(content, null, { 'content-type': 'application/octet-stream', 'dropbox-api-result': ascii(result) }, false);
}

function temporaryLink(ctx, grant, args) {
  const { view, node } = fileAt(ctx, grant, args);
  if (node.type !== 'file') throw endpointError(ctx, 'unsupported_file');
  const key = randomUUID().replaceAll('-', '');
  (ctx.emulator.state.links ??= new Map()).set(key, { node, until: ctx.emulator.now() + ctx.emulator.knobs.download_url_seconds * 1000 });
  return json(200, { metadata: resource(view, node, false), link: `${ctx.origin('content')}/apitl/1/${key}` });
}

function temporary(ctx, key) {
  const found = ctx.emulator.state.links?.get(key);
  if (!found) throw text(404, 'Not found');
  if (found.until <= ctx.emulator.now()) throw text(410, 'Gone');
  return contentAnswer(found.node.content, ctx.headers.range, { 'content-type': found.node.mime }, ctx.emulator.knobs.range === 'honour');
}
