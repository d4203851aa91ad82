// Uploads to Drive v3: in one piece, with its facts, and in pieces that go on
// after an interruption.
import { Answer, json } from './lib/answers.mjs';
import { own } from './lib/accounts.mjs';
import { Sessions, contentRange, take } from './lib/uploads.mjs';
import { select } from './lib/fields.mjs';
import { SCOPE, driveError, fieldsOf, find, grantOf, plain, plainFields, resource } from './google_drive.mjs';

const IN_ONE_PIECE = 5 << 20;
const PIECE = 256 << 10;
const WEEK = 7 * 86_400;
const bad = (message) => driveError(400, 'badRequest', message);

export function uploadRoute(ctx) {
  const match = /^\/upload\/drive\/v3\/files(?:\/([^/]+))?$/.exec(ctx.rawPath);
  if (!match) return null;
  const id = plain(match[1]);
  const kind = ctx.query.get('uploadType');
  if (ctx.method === 'PUT' && ctx.query.has('upload_id')) return { endpoint: 'upload_piece', run: () => piece(ctx) };
  if (ctx.method !== (id ? 'PATCH' : 'POST')) return null;
  if (kind === 'resumable') return { endpoint: 'upload_session', run: () => begin(ctx, writer(ctx), id) };
  if (kind === 'media' || kind === 'multipart') return { endpoint: 'upload', run: () => whole(ctx, writer(ctx), id, kind) };
  return { endpoint: 'upload', run: () => bad('Bad uploadType') };
}

function writer(ctx) {
  const grant = grantOf(ctx);
  if (!grant.scopes.some((scope) => [`${SCOPE}drive`, `${SCOPE}drive.file`].includes(scope))) {
    throw driveError(403, 'insufficientPermissions', 'Request had insufficient authentication scopes.');
  }
  return grant;
}

function factsIn(text) {
  try {
    return text.length ? JSON.parse(text) : {};
  } catch {
    throw driveError(400, 'parseError', 'Parse Error');
  }
}

// Names are not unique: what is there by the name stays.
function store(ctx, grant, id, facts, mime, bytes) {
  const there = id === undefined ? null : find(ctx, grant, id, true);
  if (there && there.type !== 'file') throw driveError(403, 'fileNotDownloadable', 'Only files with binary content can be replaced.');
  const { account } = grant;
  const parent = facts.parents ? find(ctx, grant, facts.parents[0]) : account.drive(own).root;
  if (there && facts.name) there.name = facts.name;
  const node = account.upload(parent, facts.name ?? 'Untitled', bytes, { mime: facts.mimeType ?? mime, there });
  return json(200, select(resource(node), fieldsOf(ctx.query, plainFields)));
}

function whole(ctx, grant, id, kind) {
  const type = ctx.headers['content-type'] ?? '';
  if (ctx.body.length > IN_ONE_PIECE) throw driveError(413, 'uploadTooLarge', 'The upload is too large for this way.');
  if (kind === 'media') return store(ctx, grant, id, {}, type || undefined, ctx.body);
  const boundary = /^multipart\/related;.*\bboundary="?([^";]+)"?/.exec(type)?.[1];
  const parts = boundary ? partsOf(ctx.body, boundary) : [];
  if (parts.length !== 2) throw bad('Malformed multipart body.');
  return store(ctx, grant, id, factsIn(parts[0].body.toString()), parts[1].type, parts[1].body);
}

function partsOf(body, boundary) {
  const text = body.toString('latin1');
  return text.split(`--${boundary}`).slice(1, -1).map((part) => {
    const [, head, content] = /^\r\n(.*?)\r\n\r\n(.*)\r\n$/s.exec(part) ?? [null, '', ''];
    return { type: /^content-type: *(.*)$/im.exec(head)?.[1].trim(), body: Buffer.from(content, 'latin1') };
  });
}

function begin(ctx, grant, id) {
  const { emulator, headers } = ctx;
  const session = Sessions.of(emulator, WEEK).open({ grant, file: id, facts: factsIn(ctx.body.toString()), mime: headers['x-upload-content-type'],
    total: headers['x-upload-content-length'] === undefined ? null : Number(headers['x-upload-content-length']) });
  const query = new URLSearchParams({ uploadType: 'resumable', upload_id: session.id });
  return new Answer(200, '', { location: `${ctx.origin('main')}${ctx.rawPath}?${query}`, 'x-guploader-uploadid': session.id });
}

// The address is enough. 308 is no redirect here: it says how far it is.
function piece(ctx) {
  const { emulator, headers, body } = ctx;
  const sessions = Sessions.of(emulator, WEEK);
  const session = sessions.get(ctx.query.get('upload_id'));
  if (!session) throw driveError(404, 'notFound', 'The upload session was not found.');
  const range = headers['content-range'] === undefined ? { first: 0, last: body.length - 1, total: body.length } : contentRange(headers['content-range']);
  if (!range || (range.first !== null && range.last - range.first + 1 !== body.length)) throw bad('Failed to parse Content-Range header.');
  const total = range.total ?? session.total;
  if (range.first !== null) {
    const isLast = total !== null && range.last + 1 === total;
    if (range.first !== session.size || (total !== null && range.last >= total)) throw bad('Invalid request. The range does not follow what is there.');
    if (!isLast && body.length % PIECE !== 0) throw bad('Invalid request. Pieces are multiples of 262144 bytes.');
    take(session, body);
  }
  if (total === null || session.size < total) return new Answer(308, '', session.size > 0 ? { range: `bytes=0-${session.size - 1}` } : {});
  return store(ctx, session.grant, session.file, session.facts, session.mime, sessions.close(session));
}
