// Uploads: each provider's ways, with the rules that clients trip over.
import { after, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ask } from './lib/client.mjs';
import { startProviders } from './index.mjs';

const ADA = 'ada@lovelace.example';
const ALL = ['google_drive', 'onedrive', 'dropbox'];
const KIB = 1 << 10;
let providers;
let at;

before(async () => {
  providers = await startProviders({ only: ALL });
  at = providers.description;
});
after(() => providers.stop());
beforeEach(async () => {
  await providers.call('POST', 'reset');
  for (const provider of ALL) await providers.call('POST', 'accounts', { provider, email: ADA, name: 'Ada', kind: provider === 'onedrive' ? 'work' : 'personal', files: [{ path: '/Brand/notes.txt', text: 'first\n' }] });
});

const mint = async (provider, scopes) => (await providers.call('POST', 'mint', { provider, account: ADA, ...scopes && { scopes } })).tokens[0].access_token;
const files = (provider) => providers.call('GET', 'files', { provider, account: ADA });
const idOf = async (provider, path) => (await files(provider)).find((file) => file.path === path).id;
const range = (first, last, total) => ({ 'content-range': first === null ? `bytes */${total}` : `bytes ${first}-${last}/${total}` });
const pattern = (size) => Buffer.alloc(size, 'engine, pattern, proof. ');

// ---- Google -----------------------------------------------------------------

const google = (path, more) => ask(`${at.google_drive.main.http}/upload/drive/v3/files${path}`, more);

test('Google: in one piece, with its facts, and new bytes by id', async () => {
  const bearer = await mint('google_drive');
  const bare = await google('?uploadType=media', { bearer, body: 'plain', headers: { 'content-type': 'text/plain' } });
  assert.deepEqual([bare.status, bare.json.name, bare.json.mimeType], [200, 'Untitled', 'text/plain']);
  const parts = `--b\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{"name": "voice.md", "parents": ["${await idOf('google_drive', '/Brand')}"]}\r\n--b\r\nContent-Type: text/markdown\r\n\r\n# Voice\n\r\n--b--\r\n`;
  const both = () => google('?uploadType=multipart&fields=id,name,mimeType,size', { bearer, body: parts, headers: { 'content-type': 'multipart/related; boundary=b' } });
  const made = (await both()).json;
  assert.deepEqual([made.name, made.mimeType, made.size], ['voice.md', 'text/markdown', '8']);
  assert.notEqual((await both()).json.id, made.id, 'the same name again is another file');
  assert.equal((await files('google_drive')).filter(({ path }) => path === '/Brand/voice.md').length, 2);
  const again = await google(`/${made.id}?uploadType=media&fields=id,size,name`, { method: 'PATCH', bearer, body: 'new bytes', headers: { 'content-type': 'text/markdown' } });
  assert.deepEqual(again.json, { id: made.id, size: '9', name: 'voice.md' });
  assert.equal((await ask(`${at.google_drive.main.http}/drive/v3/files/${made.id}?alt=media`, { bearer })).text, 'new bytes');
  assert.equal((await google('?uploadType=media', { bearer, body: pattern((5 << 20) + 1) })).status, 413);
  const narrow = await mint('google_drive', ['https://www.googleapis.com/auth/drive.readonly']);
  assert.equal((await google('?uploadType=media', { bearer: narrow, body: 'x' })).json.error.errors[0].reason, 'insufficientPermissions');
  assert.equal((await google('?uploadType=media', { body: 'x' })).status, 401);
});

test('Google: in pieces of 256 KiB, 308 until the end, which goes on where it was', async () => {
  const bearer = await mint('google_drive');
  const whole = pattern(600 * KIB);
  const begun = await google('?uploadType=resumable', { bearer, json: { name: 'large.bin' }, headers: { 'x-upload-content-type': 'application/octet-stream', 'x-upload-content-length': String(whole.length) } });
  assert.equal(begun.status, 200);
  const { location } = begun.headers;
  const put = (first, last, total = whole.length) => ask(location, { method: 'PUT', headers: range(first, last, total), body: first === null ? '' : whole.subarray(first, last + 1) });
  const empty = await put(null);
  assert.deepEqual([empty.status, empty.headers.range], [308, undefined]);
  const one = await put(0, 256 * KIB - 1);
  assert.deepEqual([one.status, one.headers.range, one.headers.location], [308, `bytes=0-${256 * KIB - 1}`, undefined]);
  assert.equal((await put(256 * KIB, 256 * KIB + 999)).status, 400, 'no multiple of 256 KiB');
  assert.equal((await put(0, 256 * KIB - 1)).status, 400, 'what is there already');
  assert.equal((await put(null)).headers.range, `bytes=0-${256 * KIB - 1}`, 'none of which has changed anything');
  assert.equal((await put(256 * KIB, 512 * KIB - 1, '*')).status, 308);
  const end = await put(512 * KIB, whole.length - 1);
  assert.deepEqual([end.status, end.json.name], [200, 'large.bin']);
  assert.deepEqual((await ask(`${at.google_drive.main.http}/drive/v3/files/${end.json.id}?alt=media`, { bearer })).bytes, whole);
  assert.equal((await put(null)).status, 404, 'it is over');
  const other = (await google('?uploadType=resumable', { bearer, json: {} })).headers.location;
  await providers.call('POST', 'clock', { provider: 'google_drive', advance: 8 * 86_400 });
  assert.equal((await ask(other, { method: 'PUT', headers: range(null, null, '*'), body: '' })).status, 404, 'so is one after a week');
});

// ---- OneDrive ---------------------------------------------------------------

const graph = (path, more) => ask(`${at.onedrive.main.http}/v1.0/me/drive${path}`, more);
const writing = () => mint('onedrive', ['Files.ReadWrite', 'Files.ReadWrite.All', 'User.Read']);

test('OneDrive: small files replace, fail or take another name', async () => {
  const bearer = await writing();
  const put = (path, body, query = '') => graph(`${path}:/content${query}`, { method: 'PUT', bearer, body, headers: { 'content-type': 'text/plain' } });
  const made = await put('/root:/Plans/spring%231.txt', 'spring');
  assert.deepEqual([made.status, made.json.name, made.json.size], [201, 'spring#1.txt', 6]);
  const again = await put('/root:/Plans/SPRING%231.txt', 'summer!');
  assert.deepEqual([again.status, again.json.id, again.json.size], [200, made.json.id, 7]);
  assert.notEqual(again.json.eTag, made.json.eTag);
  const clash = await put('/root:/Plans/spring%231.txt', 'x', '?@microsoft.graph.conflictBehavior=fail');
  assert.deepEqual([clash.status, clash.json.error.code], [409, 'nameAlreadyExists']);
  assert.equal((await put('/root:/Plans/spring%231.txt', 'x', '?@microsoft.graph.conflictBehavior=rename')).json.name, 'spring#1 (1).txt');
  const { id } = made.json;
  assert.equal((await graph(`/items/${id}/content`, { method: 'PUT', bearer, body: 'by id' })).status, 200);
  assert.equal((await ask((await graph(`/items/${id}/content`, { bearer })).headers.location)).text, 'by id');
  assert.equal((await put('/root:/a%3Ab.txt', 'x')).status, 400, 'a name that cannot be');
  assert.equal((await graph('/root:/x.txt:/content', { method: 'PUT', bearer: await mint('onedrive', ['Files.Read.All']), body: 'x' })).status, 403);
});

test('OneDrive: fragments of 320 KiB in order, without a token; 416, 409 at the end', async () => {
  const bearer = await writing();
  const whole = pattern(700 * KIB);
  const begin = async (path, behaviour) => (await graph(`${path}:/createUploadSession`, { bearer, json: { item: { '@microsoft.graph.conflictBehavior': behaviour } } })).json;
  const { uploadUrl, nextExpectedRanges } = await begin('/root:/Plans/large.bin', 'fail');
  assert.deepEqual(nextExpectedRanges, ['0-']);
  assert.ok(uploadUrl.startsWith(at.onedrive.download.http), 'at another host');
  const put = (first, last, more = {}) => ask(uploadUrl, { method: 'PUT', body: whole.subarray(first, last + 1), ...more, headers: range(first, last, whole.length) });
  assert.equal((await put(0, 320 * KIB - 1, { bearer })).status, 401, 'which takes no token');
  assert.equal((await put(0, 999)).status, 400, 'no multiple of 320 KiB');
  const one = await put(0, 320 * KIB - 1);
  assert.deepEqual([one.status, one.json.nextExpectedRanges], [202, [`${320 * KIB}-`]]);
  for (const first of [0, 640 * KIB]) {
    const wrong = await put(first, first === 0 ? 320 * KIB - 1 : whole.length - 1);
    assert.deepEqual([wrong.status, wrong.json.error.code], [416, 'invalidRange'], 'what is there already, or comes too early');
  }
  assert.deepEqual((await ask(uploadUrl)).json.nextExpectedRanges, [`${320 * KIB}-`], 'where it is can be asked');
  assert.equal((await put(320 * KIB, 640 * KIB - 1)).status, 202);
  await graph('/root:/Plans/large.bin:/content', { method: 'PUT', bearer, body: 'somebody else' });
  const clash = await put(640 * KIB, whole.length - 1);
  assert.deepEqual([clash.status, clash.json.error.code], [409, 'nameAlreadyExists']);
  const renamed = await begin('/root:/Plans/large.bin', 'rename');
  const end = await ask(renamed.uploadUrl, { method: 'PUT', body: whole.subarray(0, 1000), headers: range(0, 999, 1000) });
  assert.deepEqual([end.status, end.json.name, end.json.size], [201, 'large (1).bin', 1000], 'the last one may have any size');
  assert.equal((await ask(renamed.uploadUrl)).status, 404, 'it is over');
  const given = await begin('/root:/other.bin', 'replace');
  assert.equal((await ask(given.uploadUrl, { method: 'DELETE' })).status, 204);
  assert.equal((await ask(given.uploadUrl)).status, 404, 'so is one that is given up');
});

// ---- Dropbox ----------------------------------------------------------------

const box = (name, bearer, args, body, more = {}) => ask(`${at.dropbox.content.http}/2/files/${name}`, { method: 'POST', bearer, body,
  headers: { 'content-type': 'application/octet-stream', 'dropbox-api-arg': JSON.stringify(args), ...more } });

test('Dropbox: add never overwrites, overwrite and update do; hash, names, scope', async () => {
  const bearer = await mint('dropbox');
  const path = '/Brand/notes.txt';
  const clash = await box('upload', bearer, { path: '/brand/NOTES.txt' }, 'second');
  assert.deepEqual([clash.status, clash.json.error.reason], [409, { '.tag': 'conflict', conflict: { '.tag': 'file' } }]);
  assert.equal((await box('upload', bearer, { path }, 'first\n')).status, 200, 'the same bytes are no conflict');
  assert.equal((await box('upload', bearer, { path, autorename: true }, 'second')).json.name, 'notes (1).txt');
  const over = (await box('upload', bearer, { path, mode: 'overwrite' }, 'second')).json;
  assert.deepEqual([over.size, over['.tag']], [6, undefined]);
  const update = (rev) => box('upload', bearer, { path, mode: { '.tag': 'update', update: rev } }, 'third');
  const next = await update(over.rev);
  assert.equal(next.status, 200);
  assert.notEqual(next.json.rev, over.rev);
  assert.equal((await update(over.rev)).status, 409, 'an old revision');
  const hash = createHash('sha256').update(createHash('sha256').update('x').digest()).digest('hex');
  assert.equal((await box('upload', bearer, { path: '/x', content_hash: hash }, 'x')).status, 200);
  assert.equal((await box('upload', bearer, { path: '/y', content_hash: hash }, 'y')).json.error['.tag'], 'content_hash_mismatch');
  assert.equal((await box('upload', bearer, { path: '/desktop.ini' }, 'x')).json.error.reason['.tag'], 'disallowed_name');
  assert.equal((await box('upload', bearer, { path: 'x' }, 'x')).json.error.reason['.tag'], 'malformed_path');
  assert.equal((await box('upload', bearer, { path: '/z' }, 'x', { 'content-type': 'application/json' })).status, 400);
  assert.equal((await box('upload', await mint('dropbox', ['files.metadata.read']), { path: '/z' }, 'x')).json.error['.tag'], 'missing_scope');
});

test('Dropbox: a session tells the right offset', async () => {
  const bearer = await mint('dropbox');
  const { session_id } = (await box('upload_session/start', bearer, {}, 'one ')).json;
  const append = (offset, body, more) => box('upload_session/append_v2', bearer, { cursor: { session_id, offset }, ...more }, body);
  const wrong = await append(0, 'two ');
  assert.deepEqual([wrong.status, wrong.json.error], [409, { '.tag': 'incorrect_offset', correct_offset: 4 }]);
  const right = await append(4, 'two ', { close: true });
  assert.deepEqual([right.status, right.json], [200, null]);
  assert.equal((await append(8, 'x')).json.error['.tag'], 'closed');
  const finish = (offset, path = '/Brand/three.txt') => box('upload_session/finish', bearer, { cursor: { session_id, offset }, commit: { path } }, '');
  assert.deepEqual((await finish(7)).json.error, { '.tag': 'lookup_failed', lookup_failed: { '.tag': 'incorrect_offset', correct_offset: 8 } });
  const made = (await finish(8)).json;
  assert.deepEqual([made.path_display, made.size], ['/Brand/three.txt', 8]);
  assert.equal((await finish(8)).json.error.lookup_failed['.tag'], 'not_found', 'it is over');
  assert.equal((await box('download', bearer, { path: '/Brand/three.txt' }, undefined, { 'content-type': 'text/plain' })).text, 'one two ');
});
