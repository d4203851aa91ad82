// Files of a connection over HTTP: rows, bytes with their headers, and errors
// with the documented status, from the counterparts in test/providers.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startProviders } from '../providers/index.mjs';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { data, error } from './lib/graphql.mjs';
import { startLayer } from './lib/layer.mjs';
import { eventually, join } from './lib/people.mjs';
import { startPostGraphile } from './lib/postgraphile.mjs';

const ALL = ['google_drive', 'onedrive', 'dropbox'];
const MB = 1 << 20;
const FILES = [
  { path: '/Brand/notes.txt', text: 'We write plainly.\n' },
  { path: '/Brand/räksmörgås 🦊 "50 %" ;=.html'.replaceAll('"', '\u201d'), text: '<script>alert(1)</script>\n' },
  ...[1, 2, 3].map((n) => ({ path: `/Many/${n}.txt`, text: `number ${n}\n` })),
  { path: '/large.bin', bytes: 2 * MB },
];

let providers;
let database;
let layer;
let anybody;
let ada;
let ben;

const facts = {
  google_drive: ({ main: { http } }) => ({ authorize_url: `${http}/o/oauth2/v2/auth`, token_url: `${http}/token`, revoke_url: `${http}/revoke`,
    account_url: `${http}/v1/userinfo`, api_url: `${http}/drive/v3`, issuer: null }),
  onedrive: ({ main: { http } }) => ({ authorize_url: `${http}/common/oauth2/v2.0/authorize`, token_url: `${http}/common/oauth2/v2.0/token`,
    account_url: `${http}/v1.0/me?$select=id,mail,userPrincipalName`, api_url: `${http}/v1.0`, download_hosts: ['127.0.0.1'] }),
  dropbox: ({ main: { http }, content }) => ({ authorize_url: `${http}/oauth2/authorize`, token_url: `${http}/oauth2/token`, revoke_url: `${http}/2/auth/token/revoke`,
    account_url: `${http}/2/users/get_current_account`, api_url: `${http}/2`, content_url: `${content.http}/2` }),
};

async function connect(person, provider, account) {
  await providers.call('POST', 'accounts', { provider, email: account, files: FILES });
  const begun = await person.api.rpc('connect', { provider });
  assert.equal(begun.status, 200, begun.text);
  const { code, state } = await providers.call('POST', 'approve', { provider, authorization_url: begun.body.authorization_url, account });
  const done = await person.api.rpc('complete_connection', { state, code });
  assert.equal(done.status, 200, done.text);
}

before(async () => {
  providers = await startProviders({ only: ALL });
  database = await startDatabase({ worker: true, settings: { 'orla.allow_loopback_http': 'on', 'orla.public_url': 'https://app.example', 'orla.max_download': '1MB' } });
  layer = await startLayer(database);
  anybody = new Client(layer.url);
  for (const name of ALL) {
    const { client_id, client_secret } = providers.description;
    await database.sql('SELECT orla.configure_provider($1, $2, $3, $4)',
      [name, client_id, client_secret, { ...facts[name](providers.description[name]), hosts: ['127.0.0.1'] }]);
  }
  await eventually('the worker is ready', async () => (await database.sql('SELECT ready FROM orla.worker_status'))[0].ready === true);
  ada = await join(anybody, database, 'Ada');
  ben = await join(anybody, database, 'Ben');
  for (const name of ALL) await connect(ada, name, 'ada@drive.example');
});

after(async () => {
  await layer?.close();
  await database?.close();
  await providers?.stop();
});

const path = (name, args) => `/rpc/${name}?${new URLSearchParams(args)}`;
const get = (person, name, args) => person.api.get(path(name, args));
const rows = async (person, args) => {
  const answer = await get(person, 'files', args);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
};
const idOf = async (provider, name, folder_id) => {
  const found = (await rows(ada, { provider, ...folder_id === undefined ? {} : { folder_id } })).find((row) => row.name === name);
  assert.ok(found, name);
  return found.id;
};
const refused = (answer, status, code, message) => {
  assert.deepEqual([answer.status, answer.body?.code, answer.body?.message], [status, code, message], answer.text);
};

for (const provider of ALL) {
  describe(provider, () => {
    test('rows by GET and by POST, page by page', async () => {
      const folder_id = await idOf(provider, 'Many');
      const first = await rows(ada, { provider, folder_id, page_size: 2 });
      assert.deepEqual(Object.keys(first[0]), ['provider', 'id', 'name', 'mime_type', 'is_folder', 'size', 'modified_at', 'parent_id', 'web_url', 'hash', 'next_page_token']);
      assert.deepEqual(first.map(({ name, size }) => [name, size]), [['1.txt', 9], ['2.txt', 9]]);
      const next = await rows(ada, { provider, folder_id, page_size: 2, page_token: first[0].next_page_token });
      assert.deepEqual(next.map(({ name, next_page_token }) => [name, next_page_token]), [['3.txt', null]]);
      const posted = await ada.api.rpc('files', { provider, folder_id, page_size: 2 });
      assert.deepEqual(posted.body.map(({ id }) => id), first.map(({ id }) => id), posted.text);
    });

    test('bytes come as what they are, to be saved and not to be shown', async () => {
      const folder_id = await idOf(provider, 'Brand');
      const args = { provider, file_id: await idOf(provider, 'notes.txt', folder_id) };
      for (const answer of [await get(ada, 'download_file', args), await ada.api.rpc('download_file', args)]) {
        assert.deepEqual([answer.status, answer.text], [200, 'We write plainly.\n']);
        assert.equal(answer.headers['content-type'], 'text/plain');
        assert.equal(answer.headers['content-disposition'], `attachment; filename="notes.txt"; filename*=UTF-8''notes.txt`);
        assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      }
      const page = (await rows(ada, { provider, folder_id })).find(({ name }) => name.endsWith('.html'));
      const answer = await get(ada, 'download_file', { provider, file_id: page.id });
      assert.deepEqual([answer.status, answer.headers['content-type'], answer.headers['x-content-type-options']], [200, 'text/html', 'nosniff'], answer.text);
      const [, plain, encoded] = /^attachment; filename="([A-Za-z0-9._ -]+)"; filename\*=UTF-8''([A-Za-z0-9._~%-]+)$/.exec(answer.headers['content-disposition']);
      assert.equal(plain, page.name.replace(/[^A-Za-z0-9._ -]/gu, '_'));
      assert.equal(decodeURIComponent(encoded), page.name);
    });

    test('a GET goes on when the token has run out, with one refresh', async () => {
      const refreshes = async () => (await providers.call('GET', 'counts', { provider, brief: true })).requests.token;
      const count = await refreshes();
      await database.sql(`UPDATE orla.user_cloud_storage_tokens SET token_expires_at = now() WHERE provider = $1`, [provider]);
      const answers = await Promise.all([1, 2, 3, 4].map(() => get(ada, 'files', { provider })));
      assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
      assert.equal(await refreshes(), count + 1);
    });

    test('errors carry the documented status', async () => {
      refused(await get(ada, 'download_file', { provider, file_id: provider === 'dropbox' ? 'id:nothing' : 'nothing' }), 404, 'PT404', 'no such file');
      refused(await get(ada, 'download_file', { provider, file_id: await idOf(provider, 'large.bin') }), 413, 'PT413', 'file is too large');
      refused(await get(ada, 'download_file', { provider, file_id: '../../me' }), 400, '22023', 'invalid id of a file');
      refused(await get(ada, 'download_file', { provider, file_id: await idOf(provider, 'Brand') }), 400, '22023', 'file cannot be downloaded');
      refused(await get(ada, 'files', { provider, page_token: 'nonsense' }), 400, '22023', 'invalid page token');
      refused(await get(ada, 'search_files', { provider, query: ' ' }), 400, '22023', 'invalid search text');
      await providers.call('POST', 'knobs', { provider, faults: [{ endpoint: 'list', throttle: true, retry_after: 600 }] });
      refused(await get(ada, 'files', { provider }), 503, 'PT503', 'the provider asks to wait');
      await providers.call('POST', 'knobs', { provider, faults: [{ endpoint: 'list', status: 418, body: {} }] });
      refused(await get(ada, 'files', { provider }), 502, 'PT502', 'the provider refuses the request');
      await providers.call('POST', 'knobs', { provider, faults: [] });
    });

    test('nobody reads with another\'s connection', async () => {
      const file_id = await idOf(provider, 'notes.txt', await idOf(provider, 'Brand'));
      for (const answer of [await get(ben, 'files', { provider }), await get(ben, 'search_files', { provider, query: 'notes' }), await get(ben, 'download_file', { provider, file_id })]) {
        assert.deepEqual([answer.body.code, answer.body.message, answer.body.details, answer.body.hint], ['PT409', 'not connected', null, 'Connect first.'], answer.text);
      }
      for (const name of ['files', 'search_files', 'download_file']) {
        const answer = await anybody.get(path(name, { provider, ...{ search_files: { query: 'x' }, download_file: { file_id } }[name] }));
        assert.deepEqual([answer.status, answer.body.code], [401, '42501'], `${name}: ${answer.text}`);
      }
    });

    test('search', async () => {
      const found = await get(ada, 'search_files', { provider, query: '\' or "1"=("1")\\' });
      assert.deepEqual([found.status, found.body], [200, []], found.text);
      assert.deepEqual((await get(ada, 'search_files', { provider, query: 'notes' })).body.map(({ name }) => name), ['notes.txt']);
    });
  });
}

test('import_file writes, so a GET does not', async () => {
  const answer = await get(ada, 'import_file', { provider: 'dropbox', file_id: '/Brand/notes.txt', category: 'guidelines' });
  refused(answer, 405, '25006', 'cannot execute import_file in a read-only transaction');
});

test('what is imported has its text, and joins what the brand is told by', async () => {
  const { body: made, status, text } = await ada.api.rpc('import_file', { provider: 'dropbox', file_id: '/Brand/notes.txt', category: 'voice_samples' });
  assert.deepEqual([status, made.filename, made.category, made.content_preview, made.metadata?.full_text, made.metadata?.text_outcome],
    [200, 'notes.txt', 'voice_samples', 'We write plainly.\n', 'We write plainly.\n', 'found'], text);
  assert.match(made.file_path, /^dropbox:/);
  const context = await ada.api.get('/rpc/brand_context');
  assert.deepEqual(context.body.assets.voice_samples.map(({ id, text }) => [id, text]), [[made.id, 'We write plainly.\n']], context.text);
  assert.deepEqual((await ben.api.get('/rpc/brand_context')).body.assets, {});
});

test('a next page on another host', async () => {
  await providers.call('POST', 'knobs', { provider: 'onedrive', next_link: 'foreign', page_limit: 1 });
  refused(await get(ada, 'files', { provider: 'onedrive' }), 502, 'PT502', 'the provider leads to another server');
  await providers.call('POST', 'knobs', { provider: 'onedrive', next_link: null, page_limit: null });
});

test('PostGraphile has them as queries', async () => {
  const graphile = await startPostGraphile(database.loginUri);
  try {
    const client = new Client(graphile.url, { token: ada.session.access_token });
    const LIST = 'query ($folder: String) { files(provider: "google_drive", folderId: $folder) { nodes { name isFolder rowId } } }';
    const { files: { nodes } } = await data(client, LIST);
    assert.deepEqual(nodes.map(({ name, isFolder }) => [name, isFolder]), [['Brand', true], ['Many', true], ['large.bin', false]]);
    const { searchFiles } = await data(client, '{ searchFiles(provider: "google_drive", query: "notes") { nodes { name rowId } } }');
    const DOWNLOAD = 'query ($id: String!) { downloadFile(provider: "google_drive", fileId: $id) }';
    const { downloadFile } = await data(client, DOWNLOAD, { id: searchFiles.nodes[0].rowId });
    assert.equal(Buffer.from(downloadFile, 'base64').toString(), 'We write plainly.\n');
    assert.deepEqual(await error(client, DOWNLOAD, { id: 'nothing' }), { message: 'no such file', code: 'PT404', status: 404 });
  } finally {
    await graphile.close();
  }
});
