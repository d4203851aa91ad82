// Uploads to Graph: small files at once, others in fragments to an address of
// their own, which is no place for a token.
import { Answer, json } from './lib/answers.mjs';
import { Sessions, contentRange, take } from './lib/uploads.mjs';
import { find, grantOf, graphError, plain, resource } from './onedrive_graph.mjs';

const FRAGMENT = 320 << 10;
const LARGEST = 60 << 20;
const SMALL = 250_000_000;
const DAY = 86_400;
const refuse = ({ emulator }, status, code, message) => graphError(emulator, status, code, message);
const CONFLICT = '@microsoft.graph.conflictBehavior';

export function uploadRoute(ctx) {
  if (!['PUT', 'POST'].includes(ctx.method) || !ctx.rawPath.startsWith('/v1.0/')) return null;
  const match = /^\/(?:me\/drive|drives\/([^/]+))\/(root|items\/([^/:]+))(?::\/([^:]+):)?\/(content|createUploadSession)$/.exec(ctx.rawPath.slice(5));
  if (!match || match[5] !== (ctx.method === 'PUT' ? 'content' : 'createUploadSession')) return null;
  const [, driveId, start, itemId, inner] = match;
  const where = { driveId: plain(driveId), start, itemId: plain(itemId) };
  if (ctx.method === 'PUT') return { endpoint: 'upload', run: () => small(ctx, writer(ctx), where, plain(inner)) };
  return { endpoint: 'upload_session', run: () => begin(ctx, writer(ctx), where, plain(inner)) };
}

function writer(ctx) {
  const grant = grantOf(ctx);
  if (!grant.scopes.some((scope) => /^(Files|Sites)\.ReadWrite(\.All)?$/.test(scope))) throw refuse(ctx, 403, 'accessDenied', 'Access denied');
  return grant;
}

// The folder, the name, and what is there by that name. inner: a path from the
// item, in which folders that are not there are made.
function target(ctx, grant, where, inner) {
  const item = find(ctx, grant, where);
  const { account } = grant;
  if (inner === undefined) {
    if (item.type !== 'file') throw refuse(ctx, 400, 'invalidRequest', 'Only files have content.');
    return { parent: item.parent, name: item.name, there: item };
  }
  const steps = inner.split('/').filter(Boolean);
  const name = steps.pop();
  let parent = item;
  for (const step of steps) parent = account.child(parent, step) ?? account.node({ name: step, type: 'folder', drive: parent.drive, parent, modified: '2026-03-01T00:00:00.000Z' });
  if (!name || !account.rules.allowed(name) || parent.type !== 'folder') throw refuse(ctx, 400, 'invalidRequest', 'The provided name cannot contain this.');
  return { parent, name, there: account.child(parent, name) ?? null };
}

function store(ctx, grant, { parent, name, there }, behaviour, bytes) {
  const { account } = grant;
  if (there && behaviour === 'fail') throw refuse(ctx, 409, 'nameAlreadyExists', 'An item with the same name already exists under the parent.');
  const free = there && behaviour === 'rename' ? account.freeName(parent, name) : name;
  const node = account.upload(parent, free, bytes, { there: free === name ? there : null });
  return json(there === node ? 200 : 201, resource(ctx, node));
}

function small(ctx, grant, where, inner) {
  if (Number(ctx.headers['content-length'] ?? 0) > SMALL) throw refuse(ctx, 413, 'invalidRequest', 'Too large for a simple upload.');
  return store(ctx, grant, target(ctx, grant, where, inner), ctx.query.get(CONFLICT) ?? 'replace', ctx.body);
}

const shown = (session) => ({ expirationDateTime: new Date(session.until).toISOString(), nextExpectedRanges: [`${session.size}-`] });

function begin(ctx, grant, where, inner) {
  let item;
  try {
    ({ item = {} } = ctx.body.length ? JSON.parse(ctx.body) : {});
  } catch {
    throw refuse(ctx, 400, 'invalidRequest', 'Invalid JSON.');
  }
  const session = Sessions.of(ctx.emulator, DAY).open({ grant, where, inner, behaviour: item[CONFLICT] ?? 'replace', total: null });
  target(ctx, grant, where, inner);
  return json(200, { uploadUrl: `${ctx.origin('download')}/up/${session.id}`, ...shown(session) });
}

export function fragmentRoute(ctx) {
  const match = /^\/up\/(\w+)$/.exec(ctx.rawPath);
  if (!match || !['PUT', 'GET', 'DELETE'].includes(ctx.method)) return null;
  return { endpoint: 'upload_fragment', run: () => fragment(ctx, match[1]) };
}

function fragment(ctx, id) {
  const { emulator, headers, body, method } = ctx;
  if (headers.authorization !== undefined) throw refuse(ctx, 401, 'unauthenticated', 'The address is enough.');
  const sessions = Sessions.of(emulator, DAY);
  const session = sessions.get(id);
  if (!session) throw refuse(ctx, 404, 'itemNotFound', 'The upload session was not found');
  if (method === 'GET') return json(200, shown(session));
  if (method === 'DELETE') {
    sessions.close(session);
    return new Answer(204, '');
  }
  const size = Number(headers['content-length'] ?? body.length);
  if (size >= LARGEST) throw refuse(ctx, 413, 'invalidRequest', 'A fragment has less than 60 MiB.');
  const range = contentRange(headers['content-range']);
  if (!range || range.first === null || range.total === null || range.last - range.first + 1 !== body.length || (session.total ?? range.total) !== range.total) {
    throw refuse(ctx, 400, 'invalidRequest', 'Invalid Content-Range header value.');
  }
  if (range.first !== session.size || range.last >= range.total) {
    throw json(416, { error: { code: 'invalidRange', message: 'The uploaded fragment has already been received or is out of order.' }, ...shown(session) });
  }
  const isLast = range.last + 1 === range.total;
  if (!isLast && body.length % FRAGMENT !== 0) throw refuse(ctx, 400, 'invalidRequest', 'Fragments are multiples of 320 KiB.');
  session.total = range.total;
  take(session, body);
  if (!isLast) return json(202, shown(session));
  const found = target(ctx, session.grant, session.where, session.inner);
  return store(ctx, session.grant, found, session.behaviour, sessions.close(session));
}
