// Graph as far as it reads drives, and the host that the bytes come from.
// onedrive_uploads.mjs has the rest.
import { randomUUID } from 'node:crypto';
import { Answer, contentAnswer, html, json } from './lib/answers.mjs';
import { own, pathOf } from './lib/accounts.mjs';
import { apiGrant } from './lib/authorize.mjs';

export function graphError(emulator, status, code, message, headers = {}) {
  const id = randomUUID();
  const date = new Date(emulator.serverTime()).toISOString().slice(0, 19);
  return json(status, { error: { code, message, innerError: { date, 'request-id': id, 'client-request-id': id } } }, { 'request-id': id, ...headers });
}

const missing = ({ emulator }) => graphError(emulator, 404, 'itemNotFound', 'The resource could not be found.');
const invalid = ({ emulator }, message) => graphError(emulator, 400, 'invalidRequest', message);

export function graphRoute(ctx) {
  if (!ctx.rawPath.startsWith('/v1.0/') || ctx.method !== 'GET') return null;
  const path = ctx.rawPath.slice(5);
  const run = (endpoint, work) => ({ endpoint, run: () => work(grantOf(ctx)) });
  if (path === '/me') return run('userinfo', (grant) => me(ctx, grant));
  if (path === '/me/drives') return run('drives', (grant) => allowed(ctx, grant, false) && json(200, { value: [...grant.account.drives.values()].map(driveResource) }));
  if (path === '/me/drive/sharedWithMe') return run('shared', (grant) => sharedWithMe(ctx, grant));
  const match = /^\/(?:me\/drive|drives\/([^/]+))(?:\/(root|items\/([^/:]+))(?::\/([^:]*):?)?)?(?:\/(children|content|search\((.*)\)))?$/.exec(path);
  if (!match) return null;
  const [, driveId, start, itemId, inner, action, argument] = match;
  const where = { driveId: plain(driveId), start, itemId: plain(itemId), inner: plain(inner) };
  if (action?.startsWith('search')) return run('search', (grant) => search(ctx, grant, where, plain(argument)));
  if (!start) return action ? null : run('drive', (grant) => json(200, driveResource(driveOf(ctx, grant, where))));
  if (action === 'children') return run('list', (grant) => children(ctx, grant, where));
  if (action === 'content') return run('content', (grant) => content(ctx, grant, where));
  return run('metadata', (grant) => json(200, selected(ctx, resource(ctx, find(ctx, grant, where)))));
}

export function plain(segment) {
  try {
    return segment === undefined ? undefined : decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export function grantOf(ctx) {
  return apiGrant(ctx, (reason) => graphError(ctx.emulator, 401, 'InvalidAuthenticationToken', {
    absent: 'Access token is empty.', malformed: 'CompactToken parsing failed with error code: 80049217', unknown: 'CompactToken validation failed with reason code: 80049228.',
    revoked: 'CompactToken validation failed with reason code: 80049228.', expired: 'Lifetime validation failed, the token is expired.' }[reason],
  { 'www-authenticate': `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"${reason === 'expired' ? ', error="invalid_token", error_description="expired_token"' : ''}` }));
}

// foreign: what belongs to others needs a wider scope.
function allowed(ctx, { scopes }, foreign) {
  const enough = foreign ? /^(Files|Sites)\.(Read|ReadWrite)\.All$/ : /^(Files\.(Read|ReadWrite)(\.All)?|Sites\.(Read|ReadWrite)\.All)$/;
  if (!scopes.some((scope) => enough.test(scope))) throw graphError(ctx.emulator, 403, 'accessDenied', 'Access denied');
  return true;
}

function me(ctx, { account, scopes }) {
  if (!scopes.includes('User.Read')) throw graphError(ctx.emulator, 403, 'Authorization_RequestDenied', 'Insufficient privileges to complete the operation.');
  const { id, name, email } = account;
  return json(200, { '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#users/$entity', businessPhones: [], displayName: name, givenName: name, jobTitle: null,
    mail: account.kind === 'personal' ? null : account.mail, mobilePhone: null, surname: null, userPrincipalName: email, id });
}

const driveType = ({ account, name }) => (name === own && account.kind === 'personal' ? 'personal' : name === own ? 'business' : 'documentLibrary');
const driveResource = (drive) => ({ id: drive.id, driveType: driveType(drive), name: drive.name === own ? 'OneDrive' : drive.name,
  owner: { user: { id: drive.account.id, displayName: drive.account.name } }, quota: { total: 5368709120, used: 48213, state: 'normal' } });

// What was shared singly lies in the drive of the person who shares.
const graceDrive = (account) => `b!${account.token('grace').toString('base64url').slice(0, 60)}`;
const homeOf = (node) => (node.shared ? graceDrive(node.account) : node.drive.id);

function driveOf(ctx, grant, { driveId }) {
  const { account } = grant;
  if (driveId === undefined) {
    allowed(ctx, grant, false);
    return account.drive(own);
  }
  const drive = [...account.drives.values()].find(({ id }) => id.toLowerCase() === driveId.toLowerCase());
  allowed(ctx, grant, drive?.name !== own);
  if (!drive && driveId !== graceDrive(account)) throw missing(ctx);
  return drive ?? { id: driveId, root: null, account };
}

export function find(ctx, grant, where) {
  const drive = driveOf(ctx, grant, where);
  let node = where.start === 'root' || where.itemId === 'root' ? drive.root : grant.account.nodes.get(where.itemId);
  if (!node || node.trashed || homeOf(node) !== drive.id) throw missing(ctx);
  if (where.inner) node = grant.account.at(where.inner, undefined, node);
  if (!node) throw missing(ctx);
  return node;
}

const webUrl = (node) => `https://contoso-my.sharepoint.com/personal/${encodeURIComponent(node.account.email)}/Documents${pathOf(node).split('/').map(encodeURIComponent).join('/')}`;

function facets(node) {
  if (node.type === 'folder') return { folder: { childCount: node.children.filter(({ trashed }) => !trashed).length } };
  if (node.type === 'package') return { package: { type: 'oneNote' } };
  const quickXorHash = node.content.quickXorHash();
  return { file: { mimeType: node.mime, hashes: quickXorHash === null ? {} : { quickXorHash } } };
}

function sizeOf(node) {
  if (node.type === 'folder') return node.children.reduce((sum, child) => sum + sizeOf(child), 0);
  return node.content?.size ?? 0;
}

export function resource(ctx, node) {
  const modified = `${node.modified.slice(0, 19)}Z`;
  const shown = { createdDateTime: modified, eTag: `"{${node.id}},${node.version ?? 1}"`, cTag: `"c:{${node.id}},${node.version ?? 1}"`, id: node.id, lastModifiedDateTime: modified,
    name: node.parent || node.shared ? node.name : 'root', webUrl: webUrl(node), size: sizeOf(node) };
  shown.parentReference = { driveId: homeOf(node), driveType: driveType(node.drive) };
  if (node.parent) Object.assign(shown.parentReference, { id: node.parent.id, path: `/drive/root:${pathOf(node.parent).split('/').map(encodeURIComponent).join('/')}` });
  if (!node.parent && !node.shared) shown.root = {};
  Object.assign(shown, facets(node));
  if (node.type === 'file') shown['@microsoft.graph.downloadUrl'] = ticket(ctx, node);
  return shown;
}

// An item that lies elsewhere, as it is shown here. bare: nothing but where.
function remote(node, bare) {
  const shown = { id: bare ? node.id : `${node.id}L`, ...!bare && { name: node.name, size: sizeOf(node), parentReference: { driveId: node.account.drive(own).id, id: node.account.drive(own).root.id } } };
  shown.remoteItem = { id: node.id, name: node.name, size: sizeOf(node), ...facets(node), webUrl: webUrl(node), lastModifiedDateTime: `${node.modified.slice(0, 19)}Z`,
    parentReference: { driveId: homeOf(node), driveType: driveType(node.drive) } };
  return shown;
}

const foreignNodes = (account) => [...account.all().filter(({ shared, trashed }) => shared && !trashed),
  ...[...account.drives.values()].filter(({ shared }) => shared).map(({ root }) => root)];

function sharedWithMe(ctx, grant) {
  allowed(ctx, grant, true);
  return paged(ctx, ctx.emulator.knobs.shared_with_me ? foreignNodes(grant.account).map((node) => () => remote(node, true)) : []);
}

function children(ctx, grant, where) {
  const folder = find(ctx, grant, where);
  if (folder.type !== 'folder') throw invalid(ctx, 'The item is not a folder.');
  const here = folder.children.filter(({ trashed }) => !trashed).map((node) => () => resource(ctx, node));
  // shortcuts to the drives of others
  const there = folder === grant.account.drive(own).root ? [...grant.account.drives.values()].filter(({ shared }) => shared) : [];
  return paged(ctx, [...here, ...there.map(({ root }) => () => remote(root, false))]);
}

function search(ctx, grant, where, argument) {
  const match = /^q='((?:[^']|'')*)'$/.exec(argument ?? '');
  if (!match) throw graphError(ctx.emulator, 400, 'BadRequest', 'Syntax error in the search expression.');
  const text = match[1].replaceAll("''", "'").toLowerCase();
  const top = where.start ? find(ctx, grant, where) : null;
  const drive = driveOf(ctx, grant, where);
  const inner = (node) => !top || top === drive.root || node.parent === top || (node.parent && inner(node.parent));
  const words = (node) => `${node.name} ${node.type === 'file' && node.content.size < 1 << 20 ? node.content.whole() : ''}`.toLowerCase();
  const hit = (node) => !node.trashed && text !== '' && words(node).includes(text);
  const found = grant.account.all().filter((node) => homeOf(node) === drive.id && inner(node) && hit(node));
  // results lack some fields
  const short = (node) => () => { const { cTag, eTag, '@microsoft.graph.downloadUrl': url, ...rest } = resource(ctx, node); return rest; };
  const others = where.start ? [] : foreignNodes(grant.account).filter(hit);
  return paged(ctx, [...found.map(short), ...others.map((node) => () => remote(node, true))]);
}

function selected({ query }, item) {
  const wanted = query.get('$select')?.split(',').map((name) => name.trim());
  return wanted ? Object.fromEntries(Object.entries(item).filter(([name]) => wanted.includes(name) || name.startsWith('@odata'))) : item;
}

// items: functions that make one, so that what is not shown is not made.
function paged(ctx, items) {
  const { emulator, query } = ctx;
  const { knobs } = emulator;
  const top = Math.min(Number(query.get('$top') ?? 200), 1000);
  if (!(top >= 1)) throw invalid(ctx, "Invalid value for '$top'.");
  let at = 0;
  let empty = knobs.empty_pages;
  const token = query.get('$skiptoken');
  if (token !== null) {
    const known = /^MSZ(\d+)Z(\d+)$/.exec(Buffer.from(token, 'base64url'));
    if (!known) throw invalid(ctx, 'The skip token is not valid.');
    [at, empty] = [Number(known[1]), Number(known[2])];
  }
  const size = Math.min(top, knobs.page_limit ?? top);
  const page = empty > 0 ? [] : items.slice(at, at + size);
  const whole = { '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#Collection(driveItem)', value: page.map((make) => selected(ctx, make())) };
  if (empty > 0 || at + size < items.length) whole['@odata.nextLink'] = nextLink(ctx, `MSZ${at + page.length}Z${Math.max(0, empty - 1)}`);
  return json(200, whole);
}

function nextLink(ctx, token) {
  const { next_link } = ctx.emulator.knobs;
  const origin = next_link === null ? ctx.origin('main') : next_link === 'foreign' ? ctx.origin('foreign') : next_link;
  const kept = ctx.rawQuery.split('&').filter((pair) => pair && !/^(\$|%24)skiptoken=/i.test(pair));
  return `${origin}${ctx.rawPath}?${[...kept, `$skiptoken=${Buffer.from(token).toString('base64url')}`].join('&')}`;
}

// An address that works without a token, for a while, as it is written and not otherwise.
function ticket(ctx, node) {
  const { emulator } = ctx;
  const tickets = (emulator.state.tickets ??= new Map());
  const id = guidless();
  const query = `UniqueId=${id}&Translate=false&tempauth=v1.eyJ%2bQ~${guidless()}!%7E%2f.xy&ApiVersion=2.0`;
  tickets.set(id, { node, query, until: emulator.now() + emulator.knobs.download_url_seconds * 1000 });
  return `${ctx.origin('download')}/personal/_layouts/15/download.aspx?${query}`;
}

const guidless = () => randomUUID().replaceAll('-', '');

function content(ctx, grant, where) {
  const { emulator, headers } = ctx;
  const node = find(ctx, grant, where);
  if (node.type === 'folder') throw invalid(ctx, 'You cannot get content for a folder.');
  if (node.type !== 'file') throw graphError(emulator, 403, 'accessDenied', 'The item cannot be downloaded.');
  const { eTag, cTag } = resource(ctx, node);
  if ([eTag, cTag].includes(headers['if-none-match'])) return new Answer(304, '', { etag: eTag });
  const { location, redirect } = emulator.knobs;
  if (!redirect) return contentAnswer(node.content, null, { 'content-type': node.mime, etag: eTag }, false);
  return new Answer(302, '', { location: location === 'foreign' ? `${ctx.origin('foreign')}/download` : location ?? ticket(ctx, node) });
}

export function downloadRoute(ctx) {
  const { emulator, headers } = ctx;
  if (ctx.rawPath !== '/personal/_layouts/15/download.aspx' || ctx.method !== 'GET') return null;
  return { endpoint: 'download', run() {
    if (headers.authorization !== undefined) throw html(401, 'Unauthorized', '<p>The address is enough.</p>');
    const found = emulator.state.tickets?.get(ctx.query.get('UniqueId'));
    if (!found || found.query !== ctx.rawQuery) throw html(403, '403 FORBIDDEN', '<p>The tempauth is not valid.</p>');
    if (found.until <= emulator.now()) throw html(403, '403 FORBIDDEN', '<p>The tempauth has expired.</p>');
    const { node } = found;
    return contentAnswer(node.content, headers.range, { 'content-type': node.mime, 'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(node.name)}`,
      etag: `"{${node.id}},1"` }, emulator.knobs.range === 'honour');
  } };
}
