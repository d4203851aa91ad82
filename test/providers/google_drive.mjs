// Drive v3 as far as it reads: about, files (list, search, metadata, bytes,
// export), drives.  google_uploads.mjs has the rest.
import { contentAnswer, json, text } from './lib/answers.mjs';
import { own } from './lib/accounts.mjs';
import { apiGrant } from './lib/authorize.mjs';
import { Content } from './lib/contents.mjs';
import { docx, pdf, pptx, xlsx } from './lib/documents.mjs';
import { BadFields, parseFields, select } from './lib/fields.mjs';
import { BadQuery, parseQuery } from './lib/google_query.mjs';

export const SCOPE = 'https://www.googleapis.com/auth/';

// Drive's form of an error.
export function driveError(status, reason, message, more = {}, headers = {}) {
  const domain = reason.endsWith('Exceeded') ? 'usageLimits' : 'global';
  return json(status, { error: { code: status, message, errors: [{ message, domain, reason, ...more }] } }, headers);
}

const NATIVE = 'application/vnd.google-apps.';
const OFFICE = 'application/vnd.openxmlformats-officedocument.';
const rows = (csv) => csv.trim().split('\n').map((line) => line.split(','));
const lines = (plain) => plain.trim().split('\n');

// What a native document can become.
const EXPORTS = {
  document: {
    'text/plain': (t) => `\ufeff${t.replaceAll('\n', '\r\n')}`,
    'text/markdown': (t) => t,
    'text/html': (t) => `<html><head><meta content="text/html; charset=UTF-8" http-equiv="content-type"></head><body>${lines(t).map((l) => `<p>${l}</p>`).join('')}</body></html>`,
    'application/pdf': (t) => pdf(lines(t)),
    [`${OFFICE}wordprocessingml.document`]: (t) => docx(lines(t)),
  },
  spreadsheet: {
    'text/csv': (t) => t,
    'application/pdf': (t) => pdf(lines(t)),
    [`${OFFICE}spreadsheetml.sheet`]: (t) => xlsx(rows(t)),
  },
  presentation: {
    'text/plain': (t) => t,
    'application/pdf': (t) => pdf(lines(t)),
    [`${OFFICE}presentationml.presentation`]: (t) => pptx(lines(t)),
  },
};

export function driveRoute(ctx) {
  const { method, rawPath, query } = ctx;
  const match = /^\/drive\/v3\/(about|files|drives)(?:\/([^/]+))?(?:\/(export))?$/.exec(rawPath);
  if (method !== 'GET' || !match) return null;
  const [, what, rawId, action] = match;
  const id = plain(rawId);
  const run = (endpoint, work) => ({ endpoint, run: () => work(ctx, grantOf(ctx), id) });
  if (what === 'about' && !id) return run('about', about);
  if (what === 'drives') return id ? run('drive', (c, grant) => oneDrive(c, grant, id)) : run('drives', drives);
  if (what !== 'files') return null;
  if (!id) return run(/\b(?:name|fullText)\s+contains\b/.test(query.get('q') ?? '') ? 'search' : 'list', list);
  if (action) return run('export', exported);
  return query.get('alt') === 'media' ? run('download', download) : run('metadata', metadata);
}

export function plain(segment) {
  try {
    return segment === undefined ? undefined : decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export function grantOf(ctx) {
  return apiGrant(ctx, (reason) => driveError(401, reason === 'absent' ? 'required' : 'authError', reason === 'absent' ? 'Login Required.' : 'Invalid Credentials',
    { locationType: 'header', location: 'Authorization' }, { 'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"' }));
}

// all, picked (files made with the client or opened with it), or no access.
function reach({ scopes }, forBytes) {
  const has = (name) => scopes.includes(SCOPE + name);
  if (has('drive') || has('drive.readonly') || (!forBytes && has('drive.metadata.readonly'))) return () => true;
  if (has('drive.file')) return (node) => node.picked === true || node === node.drive.root;
  throw driveError(403, 'insufficientPermissions', 'Request had insufficient authentication scopes.');
}

export const plainFields = parseFields('kind,id,name,mimeType');

export function fieldsOf(query, fallback) {
  const given = query.get('fields');
  if (given === null) return fallback;
  try {
    return parseFields(given);
  } catch (problem) {
    if (!(problem instanceof BadFields)) throw problem;
    throw driveError(400, 'invalidParameter', `Invalid field selection ${given}`, { locationType: 'parameter', location: 'fields' });
  }
}

const mimeOf = (node) => {
  if (node.type === 'folder') return `${NATIVE}folder`;
  if (node.type === 'shortcut') return `${NATIVE}shortcut`;
  return node.type === 'native' ? NATIVE + node.native : node.mime;
};

export function resource(node) {
  const mimeType = mimeOf(node);
  const where = node.type === 'folder' ? `drive/folders/${node.id}` : `file/d/${node.id}/view?usp=drivesdk`;
  const shown = {
    kind: 'drive#file', id: node.id, name: node.name || 'My Drive', mimeType, trashed: node.trashed, starred: false,
    modifiedTime: node.modified, createdTime: node.modified, webViewLink: `https://drive.google.com/${where}`,
    owners: [{ kind: 'drive#user', emailAddress: node.shared ? 'grace@emulator.example' : node.account.email }], ownedByMe: !node.shared,
  };
  if (node.parent) shown.parents = [node.parent.id];
  if (node.drive.name !== own) Object.assign(shown, { driveId: node.drive.id, teamDriveId: node.drive.id });
  if (node.resource_key) shown.resourceKey = node.resource_key;
  if (node.type === 'file') Object.assign(shown, { size: String(node.content.size), md5Checksum: node.content.hash('md5') });
  if (node.type === 'native') Object.assign(shown, { size: '1024', exportLinks: Object.fromEntries(Object.keys(EXPORTS[node.native] ?? {}).map((mime) => [mime, `https://docs.google.com/feeds/download/export?id=${node.id}&mimeType=${encodeURIComponent(mime)}`])) });
  if (node.type === 'shortcut') shown.shortcutDetails = { targetId: node.target.id, targetMimeType: mimeOf(node.target), ...node.target.resource_key && { targetResourceKey: node.target.resource_key } };
  return shown;
}

const searchable = (node) => ({
  name: node.name, mimeType: mimeOf(node), trashed: node.trashed, sharedWithMe: node.shared, modifiedTime: node.modified, createdTime: node.modified,
  parents: node.parent ? [node.parent.id] : [], owner: node.account.email,
  words: () => `${node.name} ${node.type === 'native' ? node.text : node.type === 'file' && node.content.size < 1 << 20 ? node.content.whole().toString() : ''}`,
});

function list(ctx, grant) {
  const { emulator, query } = ctx;
  const reachable = reach(grant, false);
  const fields = fieldsOf(query, parseFields('kind,nextPageToken,incompleteSearch,files(kind,id,name,mimeType)'));
  const pageSize = Number(query.get('pageSize') ?? 100);
  if (!(pageSize >= 1 && pageSize <= 1000)) throw badParameter('pageSize');
  const nodes = chosen(ctx, grant, reachable);
  const asked = JSON.stringify(['q', 'orderBy', 'corpora', 'driveId'].map((name) => query.get(name)));
  const { at, empty } = position(query, asked, emulator.knobs);
  const size = Math.min(pageSize, emulator.knobs.page_limit ?? pageSize);
  const page = empty > 0 ? [] : nodes.slice(at, at + size);
  const more = empty > 0 || at + size < nodes.length;
  const whole = { kind: 'drive#fileList', incompleteSearch: emulator.knobs.incomplete_search, files: page.map(resource) };
  if (more) whole.nextPageToken = `~!!~${Buffer.from(JSON.stringify({ at: at + page.length, empty: Math.max(0, empty - 1), asked })).toString('base64url')}`;
  return json(200, select(whole, fields));
}

const badParameter = (name) => driveError(400, 'invalidParameter', `Invalid value for ${name}`, { locationType: 'parameter', location: name });

function position(query, asked, knobs) {
  const token = query.get('pageToken');
  if (token === null) return { at: 0, empty: knobs.empty_pages };
  try {
    const found = JSON.parse(Buffer.from(/^~!!~(.+)$/.exec(token)[1], 'base64url'));
    if (found.asked === asked) return found;
  } catch { /* it is refused below */ }
  throw driveError(400, 'invalid', 'Invalid Value', { locationType: 'parameter', location: 'pageToken' });
}

// The files that the parameters speak of, in the order that they ask for.
function chosen({ query, headers }, { account }, reachable) {
  const keys = keysIn(headers);
  const corpora = query.get('corpora') ?? 'user';
  const all = query.get('includeItemsFromAllDrives') === 'true' && query.get('supportsAllDrives') === 'true';
  if (corpora === 'drive' && (!all || !query.get('driveId'))) throw badParameter('corpora');
  let matches = () => true;
  const q = query.get('q');
  if (q) {
    try {
      matches = parseQuery(q, account.drive(own).root.id);
    } catch (problem) {
      if (!(problem instanceof BadQuery)) throw problem;
      throw driveError(400, 'invalid', 'Invalid Value', { locationType: 'parameter', location: 'q' });
    }
  }
  const here = (node) => (corpora === 'drive' ? node.drive.id === query.get('driveId') : all || node.drive.name === own);
  // what lies in a folder that needs a key is seen by whoever has it
  const open = (node) => !node.parent?.resource_key || keys.includes(`${node.parent.id}/${node.parent.resource_key}`);
  const found = account.all().filter((node) => here(node) && open(node) && reachable(node) && matches(searchable(node)));
  for (const key of (query.get('orderBy') ?? '').split(',').filter(Boolean).reverse()) order(found, key.trim());
  return found;
}

function order(found, key) {
  const [name, way] = key.split(' ');
  const values = {
    name: (n) => n.name.toLowerCase(), name_natural: (n) => n.name.toLowerCase(), folder: (n) => (n.type === 'folder' ? 0 : 1),
    modifiedTime: (n) => n.modified, createdTime: (n) => n.modified, recency: (n) => n.modified, quotaBytesUsed: (n) => n.content?.size ?? 0,
    sharedWithMeTime: (n) => n.modified, starred: () => 0, viewedByMeTime: (n) => n.modified, modifiedByMeTime: (n) => n.modified,
  };
  if (!Object.hasOwn(values, name) || (way !== undefined && way !== 'desc')) throw badParameter('orderBy');
  const value = values[name];
  found.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (way ? -1 : 1));
}

const keysIn = (headers) => (headers['x-goog-drive-resource-keys'] ?? '').split(',').map((pair) => pair.trim());

export function find({ query, headers }, grant, id, forBytes = false) {
  const { account } = grant;
  const node = id === 'root' ? account.drive(own).root : account.nodes.get(id);
  const keys = keysIn(headers);
  const visible = node && reach(grant, forBytes)(node) && (node.drive.name === own || query.get('supportsAllDrives') === 'true') &&
    (!node.resource_key || keys.includes(`${node.id}/${node.resource_key}`));
  if (!visible) throw driveError(404, 'notFound', `File not found: ${id}.`, { locationType: 'parameter', location: 'fileId' });
  return node;
}

function metadata(ctx, grant, id) {
  const fields = fieldsOf(ctx.query, plainFields);
  return json(200, select(resource(find(ctx, grant, id)), fields));
}

function download(ctx, grant, id) {
  const node = find(ctx, grant, id, true);
  if (node.type !== 'file') {
    throw driveError(403, 'fileNotDownloadable', 'Only files with binary content can be downloaded. Use Export with Docs Editors files.',
      { locationType: 'parameter', location: 'alt' });
  }
  if (node.locked) throw driveError(403, 'cannotDownloadFile', 'This file cannot be downloaded by the user.');
  if (node.abuse && ctx.query.get('acknowledgeAbuse') !== 'true') {
    throw driveError(403, 'cannotDownloadAbusiveFile', 'This file has been identified as malware or spam and cannot be downloaded.');
  }
  return contentAnswer(node.content, ctx.headers.range, { 'content-type': node.mime },
    ctx.emulator.knobs.range === 'honour');
}

function exported(ctx, grant, id) {
  const node = find(ctx, grant, id, true);
  if (node.type !== 'native') throw driveError(403, 'fileNotExportable', 'Export only supports Docs Editors files.');
  const mime = ctx.query.get('mimeType');
  if (!mime) throw driveError(400, 'required', 'Required parameter: mimeType', { locationType: 'parameter', location: 'mimeType' });
  const make = EXPORTS[node.native]?.[mime];
  if (!make) throw driveError(400, 'badRequest', 'The requested conversion is not supported.', { locationType: 'parameter', location: 'convertTo' });
  const content = Content.of(make(node.text));
  if (content.size > ctx.emulator.knobs.export_limit) throw driveError(403, 'exportSizeLimitExceeded', 'This file is too large to be exported.');
  return mime.startsWith('text/') ? text(200, content.whole(), { 'content-type': mime }) : contentAnswer(content, null, { 'content-type': mime }, false);
}

function about({ query }, grant) {
  reach(grant, false);
  if (!query.get('fields')) throw driveError(400, 'required', "The 'fields' parameter is required for this method.", { locationType: 'parameter', location: 'fields' });
  const { name, email, id } = grant.account;
  const user = { kind: 'drive#user', displayName: name, me: true, permissionId: id, emailAddress: email };
  return json(200, select({ kind: 'drive#about', user, storageQuota: { limit: '16106127360', usage: '48213' } }, fieldsOf(query, null)));
}

const driveResource = ({ id, name }) => ({ kind: 'drive#drive', id, name });

function drives({ emulator, query }, grant) {
  reach(grant, false);
  const pageSize = Number(query.get('pageSize') ?? 10);
  if (!(pageSize >= 1 && pageSize <= 100)) throw badParameter('pageSize');
  const shared = [...grant.account.drives.values()].filter((drive) => drive.shared);
  const { at } = position(query, 'drives', { empty_pages: 0 });
  const size = Math.min(pageSize, emulator.knobs.page_limit ?? pageSize);
  const whole = { kind: 'drive#driveList', drives: shared.slice(at, at + size).map(driveResource) };
  if (at + size < shared.length) whole.nextPageToken = `~!!~${Buffer.from(JSON.stringify({ at: at + size, asked: 'drives' })).toString('base64url')}`;
  return json(200, select(whole, fieldsOf(query, null)));
}

function oneDrive(ctx, grant, id) {
  const found = [...grant.account.drives.values()].find((drive) => drive.shared && drive.id === id);
  if (!found) throw driveError(404, 'notFound', `Shared drive not found: ${id}`);
  return json(200, driveResource(found));
}
