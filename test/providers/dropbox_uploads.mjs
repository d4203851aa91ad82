// Uploads to Dropbox: at once, or in a session that knows how far it is.
import { json } from './lib/answers.mjs';
import { own } from './lib/accounts.mjs';
import { Content } from './lib/contents.mjs';
import { Sessions, take } from './lib/uploads.mjs';
import { badCall, endpointError, grantOf, headerArguments, resolve, resource, revision, summary, union, viewOf } from './dropbox_files.mjs';

const LARGEST = 150 << 20;
const WEEK = 7 * 86_400;
const COMMIT = { path: true, mode: false, autorename: false, client_modified: false, mute: false, property_groups: false, strict_conflict: false, content_hash: false };
const CALLS = {
  'files/upload': { run: upload, endpoint: 'upload', args: COMMIT },
  'files/upload_session/start': { run: start, endpoint: 'upload_start', args: { close: false, session_type: false, content_hash: false } },
  'files/upload_session/append_v2': { run: append, endpoint: 'upload_append', args: { cursor: true, close: false, content_hash: false } },
  'files/upload_session/finish': { run: finish, endpoint: 'upload_finish', args: { cursor: true, commit: true, content_hash: false } },
};

export function uploadRoute(ctx) {
  const name = /^\/2\/(.+)$/.exec(ctx.rawPath)?.[1];
  const call = name !== undefined && Object.hasOwn(CALLS, name) ? CALLS[name] : null;
  if (!call || ctx.method !== 'POST') return null;
  return { endpoint: call.endpoint, run() {
    const grant = grantOf(ctx, name, 'files.content.write');
    const { cursor, ...args } = argumentsOf(ctx, name, call.args);
    if (Number(ctx.headers['content-length'] ?? 0) > LARGEST) throw endpointError(ctx, 'payload_too_large');
    if (args.content_hash !== undefined && Content.of(ctx.body).blockHash() !== args.content_hash) throw endpointError(ctx, 'content_hash_mismatch');
    return call.run(ctx, grant, args, cursor, name);
  } };
}

// A cursor is an object here, and a text in lists.
function argumentsOf(ctx, name, args) {
  if (ctx.headers['content-type'] !== 'application/octet-stream') {
    throw badCall(name, `Bad HTTP "Content-Type" header: "${ctx.headers['content-type'] ?? ''}". Expecting one of "application/octet-stream".`);
  }
  const { cursor: wanted, ...others } = args;
  const value = headerArguments(ctx, name, { ...others, ...wanted && { cursor: 'object' } }, true);
  if (wanted && !(typeof value.cursor?.session_id === 'string' && Number.isInteger(value.cursor.offset))) throw badCall(name, 'request body: cursor: expected object');
  return value;
}

// Where the file goes, and what is there.
function target(ctx, grant, path) {
  const view = viewOf(ctx, grant);
  const refuse = (inner, more) => json(409, { error_summary: summary(`path/${inner}`), error: { '.tag': 'path', reason: union(inner, more), upload_session_id: '' } });
  if (!/^\/(.|[\r\n])*[^/]$/.test(path)) throw refuse('malformed_path');
  const { account } = grant;
  const steps = path.slice(1).split('/');
  const name = steps.pop();
  if (!account.rules.allowed(name)) throw refuse('disallowed_name');
  let parent = account.drive(own).root;
  for (const step of steps) {
    const next = account.child(parent, step);
    if (next && next.type !== 'folder') throw refuse('conflict', 'file_ancestor');
    parent = next ?? account.node({ name: step, type: 'folder', drive: parent.drive, parent, modified: '2026-03-01T00:00:00.000Z' });
  }
  return { view, parent, name, there: account.child(parent, name) ?? null, refuse };
}

// add never overwrites; the same bytes are no conflict.
function commit(ctx, grant, { path, mode = 'add', autorename = false, strict_conflict = false }, bytes) {
  const { view, parent, name, there, refuse } = target(ctx, grant, path);
  const { account } = grant;
  const way = typeof mode === 'string' ? mode : mode['.tag'];
  const same = there?.type === 'file' && there.content.blockHash() === Content.of(bytes).blockHash();
  if (there && way === 'add' && same && !strict_conflict) return json(200, resource(view, there, false));
  const replaces = there?.type === 'file' && (way === 'overwrite' || (way === 'update' && revision(there) === mode.update));
  if (there && !replaces && !autorename) throw refuse('conflict', there.type === 'folder' ? 'folder' : 'file');
  const node = account.upload(parent, there && !replaces ? account.freeName(parent, name) : name, bytes, { there: replaces ? there : null });
  return json(200, resource(view, node, false));
}

function upload(ctx, grant, args) {
  return commit(ctx, grant, args, ctx.body);
}

function start(ctx, grant, { close = false }) {
  const session = Sessions.of(ctx.emulator, WEEK).open({ grant, closed: close });
  take(session, ctx.body);
  return json(200, { session_id: session.id });
}

// wrap: as finish has it, inside of lookup_failed
function sessionOf(ctx, grant, { session_id, offset }, wrap) {
  const refuse = (tag, more = {}) => {
    const error = { '.tag': tag, ...more };
    return json(409, wrap ? { error_summary: summary(`lookup_failed/${tag}`), error: { '.tag': 'lookup_failed', lookup_failed: error } } : { error_summary: summary(tag), error });
  };
  const session = Sessions.of(ctx.emulator, WEEK).get(session_id);
  if (!session || session.grant.account !== grant.account) throw refuse('not_found');
  if (session.closed && !wrap) throw refuse('closed');
  if (session.size !== offset) throw refuse('incorrect_offset', { correct_offset: session.size });
  return session;
}

function append(ctx, grant, { close = false }, cursor) {
  const session = sessionOf(ctx, grant, cursor, false);
  take(session, ctx.body);
  session.closed = close;
  return json(200, null);
}

function finish(ctx, grant, args, cursor, name) {
  if (args.commit === null || typeof args.commit?.path !== 'string') throw badCall(name, 'request body: commit: expected object');
  const session = sessionOf(ctx, grant, cursor, true);
  take(session, ctx.body);
  return commit(ctx, grant, args.commit, Sessions.of(ctx.emulator, WEEK).close(session));
}
