// Brand material over HTTP: bytes as they are, names in headers, errors with the
// documented status, limits that hold when files arrive at once; the views of
// what is computed; what else PostgREST's users expect of views.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { startLayer } from './lib/layer.mjs';
import { eventually, join } from './lib/people.mjs';

const KB = 1 << 10;
const FULL = { prefer: 'return=representation' };
let database;
let layer;
let anybody;
let ada;
let ben;
let cleo;

before(async () => {
  database = await startDatabase({ settings: { 'orla.max_upload': '1MB', 'orla.max_material': '3MB', 'orla.extract_python': '', 'orla.extract_pdf': '' } });
  layer = await startLayer(database);
  anybody = new Client(layer.url);
  ada = await join(anybody, database, 'Ada');
  ben = await join(anybody, database, 'Ben');
  cleo = await join(anybody, database, 'Cleo');
});

after(async () => {
  await layer?.close();
  await database?.close();
});

const upload = (person, name, category, body) => (person.api ?? person).request('POST', '/rpc/upload_asset', { body, headers: {
  'content-type': 'application/octet-stream',
  ...name === undefined ? {} : { 'x-filename': name },
  ...category === undefined ? {} : { 'x-category': category },
} });

const count = async (person) => {
  const answer = await person.api.get('/brand_voice_assets?select=id&limit=0', { prefer: 'count=exact' });
  return Number(answer.headers['content-range'].split('/')[1]);
};

/** { status, headers, bytes } */
const bytesOf = (person, path) => new Promise((resolve, reject) => {
  const request = httpRequest(layer.url + path, { agent: false, headers: { authorization: `Bearer ${person.api.token}` } }, (response) => {
    const chunks = [];
    response.on('data', (chunk) => chunks.push(chunk));
    response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, bytes: Buffer.concat(chunks) }));
  });
  request.once('error', reject);
  request.end();
});

const refused = (answer, status, code, message) =>
  assert.deepEqual([answer.status, answer.body?.code, answer.body?.message], [status, code, message], answer.text);

describe('a file is uploaded', () => {
  test('with its text, colours and fonts, and a preview', async () => {
    const text = `# Voice\nWarm and plain. Primary #FF6B35, then rgb(0, 78, 137).\nHeadline font: Playfair Display\n${'More. '.repeat(300)}`;
    const answer = await upload(ada, encodeURIComponent('Räksmörgås 🦊 guide.md'), 'guidelines', text);
    assert.equal(answer.status, 200, answer.text);
    const { id, ...row } = answer.body;
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(
      [row.user_id, row.filename, row.category, row.file_type, row.file_size_bytes, row.content_preview],
      [ada.id, 'Räksmörgås 🦊 guide.md', 'guidelines', 'text/markdown', Buffer.byteLength(text), text.slice(0, 1000)]);
    assert.deepEqual(row.metadata, { full_text: text, text_outcome: 'found', found_type: 'text/markdown', colors: ['#ff6b35', '#004e89'], fonts: ['Playfair Display'] });
    assert.equal('content' in row, false, 'the bytes are not in the row');
  });

  test('byte by byte, and comes back so', async () => {
    const bytes = Buffer.concat([Buffer.from([0, 255, 0, 13, 10, 92, 39]), randomBytes(200 * KB)]);
    const { body: { id } } = await upload(ada, 'UTF-8\'\'na%C3%AFve%22%0D%0AX-Evil:%201.bin', 'logos', bytes);
    const back = await bytesOf(ada, `/rpc/download_asset?asset_id=${id}`);
    assert.equal(back.status, 200);
    assert.ok(back.bytes.equals(bytes));
    assert.equal(back.headers['content-type'].split(';')[0], 'application/octet-stream');
    assert.equal(back.headers['x-content-type-options'], 'nosniff');
    assert.equal(back.headers['content-security-policy'], "default-src 'none'; sandbox");
    assert.equal(back.headers['x-evil'], undefined);
    assert.match(back.headers['content-disposition'], /^attachment; filename="na_ve_  X-Evil_ 1\.bin"; filename\*=UTF-8''na%C3%AFve%22/);
  });

  test('and shown as an image only if its bytes are one', async () => {
    const png = Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), randomBytes(50)]);
    const image = (await upload(ada, 'guide.pdf', 'logos', png)).body;
    assert.deepEqual([image.file_type, image.metadata.found_type, image.metadata.text_outcome], ['application/pdf', 'image/png', 'unknown format']);
    const script = (await upload(ada, 'logo.png', 'logos', '<!doctype html><script>alert(1)</script>')).body;
    assert.deepEqual([script.file_type, script.metadata.found_type], ['image/png', 'text/html']);
    const svg = (await upload(ada, 'logo.svg', 'logos', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')).body;
    const types = await Promise.all([image, script, svg].map(async ({ id }) => {
      const { headers } = await bytesOf(ada, `/rpc/download_asset?asset_id=${id}`);
      return [headers['content-type'].split(';')[0], headers['content-disposition'].split(';')[0]];
    }));
    assert.deepEqual(types, [['image/png', 'inline'], ['application/octet-stream', 'attachment'], ['application/octet-stream', 'attachment']]);
  });

  test('under a name that is a path or a script', async () => {
    const path = await upload(ada, '..%2F..%2Fetc%2Fpasswd', 'voice_samples', 'x');
    assert.equal(path.body.filename, 'passwd', path.text);
    const script = await upload(ada, '<img src=x onerror=alert(1)>.txt', 'voice_samples', 'x');
    assert.equal(script.body.filename, '<img src=x onerror=alert(1)>.txt', script.text);
  });

  test('as JSON', async () => {
    const answer = await ada.api.rpc('save_asset', { filename: 'voice.txt', category: 'voice_samples', content_base64: Buffer.from('We write plainly.').toString('base64') });
    assert.deepEqual([answer.status, answer.body.filename, answer.body.content_preview], [200, 'voice.txt', 'We write plainly.'], answer.text);
  });
});

describe('what is refused leaves nothing', () => {
  const json = (args) => ada.api.rpc('save_asset', { filename: 'a.txt', category: 'logos', content_base64: 'YQ==', ...args });
  const cases = [
    ['an unknown category', 400, '22023', 'unknown category', () => upload(ada, 'a.txt', 'memes', 'x')],
    ['no category', 400, '22023', 'unknown category', () => upload(ada, 'a.txt', undefined, 'x')],
    ['no name', 400, '22023', 'invalid file name', () => upload(ada, undefined, 'logos', 'x')],
    ['a name of 300 characters', 400, '22023', 'invalid file name', () => upload(ada, 'x'.repeat(300), 'logos', 'x')],
    ['a path without a file', 400, '22023', 'invalid file name', () => upload(ada, 'a%2F', 'logos', 'x')],
    ['a name that is not percent-encoded', 400, '22023', 'invalid file name', () => upload(ada, '100%.txt', 'logos', 'x')],
    ['a name with a NUL', 400, '22023', 'invalid file name', () => upload(ada, 'a%00.txt', 'logos', 'x')],
    ['an empty file', 400, '22023', 'file is empty', () => upload(ada, 'a.txt', 'logos', '')],
    ['a file that is too large', 413, 'PT413', 'file is too large', () => upload(ada, 'a.txt', 'logos', Buffer.alloc(KB * KB + 1, 65))],
    ['the same as JSON', 413, 'PT413', 'file is too large', () => json({ content_base64: Buffer.alloc(KB * KB + 1, 65).toString('base64') })],
    ['an unknown category in JSON', 400, '22023', 'unknown category', () => json({ category: 'memes' })],
    ['broken base64', 400, '22023', 'invalid base64', () => json({ content_base64: 'YQ' })],
    ['a data URL', 400, '22023', 'invalid base64', () => json({ content_base64: 'data:text/plain;base64,YQ==' })],
    ['an empty file in JSON', 400, '22023', 'file is empty', () => json({ content_base64: '' })],
    ['a NUL in a name in JSON', 400, '22P05', undefined, () => json({ filename: 'a\u0000.txt' })],
    ['nobody', 401, '42501', undefined, () => upload(anybody, 'a.txt', 'logos', 'x')],
  ];
  for (const [what, status, code, message, call] of cases) {
    test(`${what}: ${status}`, async () => {
      const had = await count(ada);
      const answer = await call();
      refused(answer, status, code, message ?? answer.body?.message);
      assert.equal(await count(ada), had);
    });
  }

  test('a call by GET: nothing that writes', async () => {
    const answer = await ada.api.get('/rpc/save_asset?filename=a&category=logos&content_base64=YQ==');
    assert.deepEqual([answer.status, answer.body.code], [405, '25006'], answer.text);
  });
});

test('files that arrive at once do not get more room than there is', async () => {
  const file = randomBytes(700 * KB);
  const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => upload(cleo, `${n}.bin`, 'logos', file)));
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 200, 200, 200, 507, 507, 507, 507]);
  refused(answers.find((answer) => answer.status === 507), 507, 'PT507', 'no room for this file');
  assert.equal(await count(cleo), 4);
  const [{ id }] = answers.filter((answer) => answer.status === 200).map((answer) => answer.body);
  assert.equal((await cleo.api.delete(`/brand_voice_assets?id=eq.${id}`)).status, 204);
  assert.equal((await upload(cleo, 'again.bin', 'logos', file)).status, 200, 'a deleted file makes room');
  assert.equal((await upload(ben, 'mine.bin', 'logos', file)).status, 200, 'what Cleo has is no matter of Ben\'s');
});

test('a file waits for one that is stored and not yet committed, and counts it', async () => {
  const dora = await join(anybody, database, 'Dora');
  const session = await database.connectLogin();
  const other = await database.connectLogin();
  const begin = async (client) => {
    await client.query('BEGIN');
    await client.query('SELECT orla.authenticate($1)', [dora.session.access_token]);
    await client.query('SET LOCAL ROLE orla_user');
    await client.query('SELECT set_config(\'request.headers\', $1, true)', [JSON.stringify({ 'x-filename': 'a.bin', 'x-category': 'logos' })]);
  };
  const store = (client) => client.query('SELECT id FROM orla_api.upload_asset($1)', [randomBytes(900 * KB)]);
  try {
    await begin(session);
    for (let i = 0; i < 3; i++) await store(session);
    await begin(other);
    const { rows: [{ pid }] } = await other.query('SELECT pg_backend_pid() AS pid');
    const late = store(other).then(() => 'stored', (error) => error.code);
    await eventually('it waits', async () =>
      (await database.sql('SELECT wait_event_type = \'Lock\' AS waits FROM pg_stat_activity WHERE pid = $1', [pid]))[0].waits === true);
    await session.query('COMMIT');
    assert.equal(await late, 'PT507');
    assert.equal(await count(dora), 3);
  } finally {
    await session.end();
    await other.end();
  }
});

test('the context is one\'s own', async () => {
  const answer = await ada.api.get('/rpc/brand_context');
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual([answer.body.strategy, answer.body.colors, answer.body.fonts], [null, ['#ff6b35', '#004e89'], ['Playfair Display']]);
  assert.deepEqual(Object.keys(answer.body.assets).sort(), ['guidelines', 'logos', 'voice_samples']);
  assert.equal(answer.body.total, await count(ada));
  const bens = await ben.api.rpc('brand_context');
  assert.deepEqual([bens.body.colors, bens.body.total], [[], 1]);
  assert.ok(!bens.text.includes('Warm and plain'));
});

test('another tenant\'s file is not there', async () => {
  const { body: [theirs] } = await ada.api.get('/brand_voice_assets?category=eq.guidelines&select=id');
  const one = await ben.api.get(`/rpc/download_asset?asset_id=${theirs.id}`);
  refused(one, 404, 'PT404', 'no such file');
  const never = await ben.api.get(`/rpc/download_asset?asset_id=${randomUUID()}`);
  assert.equal(one.text, never.text, 'and says what an id that never was says');
  assert.deepEqual((await ben.api.delete(`/brand_voice_assets?id=eq.${theirs.id}`, FULL)).body, []);
});

describe('what is computed', () => {
  before(async () => {
    for (const [name, analyses] of [['Acme', [['low', '2020-01-01'], ['high', '2021-01-01']]], ['Bolt', [['medium', '2022-01-01']]], ['Core', []]]) {
      const { body: [{ id }] } = await ada.api.post('/competitors', { name }, FULL);
      for (const [threat_level, analyzed_at] of analyses) {
        await ada.api.post('/competitor_analyses', { competitor_id: id, threat_level, analyzed_at, gaps_they_miss: [`${name} ${threat_level}`] });
      }
    }
    await ada.api.post('/content_library', [{ title: 'a', content_type: 'blog', status: 'draft' }, { title: 'b', content_type: 'video', status: 'published' }]);
    await ada.api.post('/content_calendar', ['2098', '2099', '2097'].map((year) => ({ title: year, scheduled_date: `${year}-01-01T00:00:00Z` })));
    await ada.api.post('/content_calendar', { title: 'over', scheduled_date: '2001-01-01T00:00:00Z' });
  });

  test('takes filters, paging, ordering and a count', async () => {
    const list = async (query) => (await ada.api.get(`/competitors_with_analysis?select=name,threat_level&${query}`)).body;
    assert.deepEqual(await list('order=name'), [{ name: 'Acme', threat_level: 'high' }, { name: 'Bolt', threat_level: 'medium' }, { name: 'Core', threat_level: null }]);
    assert.deepEqual(await list('order=name.desc&limit=1&offset=1'), [{ name: 'Bolt', threat_level: 'medium' }]);
    assert.deepEqual(await list('threat_level=in.(high,low)'), [{ name: 'Acme', threat_level: 'high' }]);
    assert.deepEqual(await list('analysis_id=is.null'), [{ name: 'Core', threat_level: null }]);
    const counted = await ada.api.get('/upcoming_calendar?select=title&order=scheduled_date&limit=2', { prefer: 'count=exact' });
    assert.deepEqual([counted.body.map((row) => row.title), counted.headers['content-range']], [['2097', '2098'], '0-1/3']);
    const statistics = await ada.api.get('/content_statistics?select=total,drafts,published,blogs,videos,created_this_week');
    assert.deepEqual(statistics.body, [{ total: 2, drafts: 1, published: 1, blogs: 1, videos: 1, created_this_week: 2 }]);
  });

  test('in one value', async () => {
    const summary = await ada.api.get('/rpc/competitor_summary');
    assert.deepEqual([summary.body.competitors, summary.body.analyzed, summary.body.threat_levels], [3, 2, { low: 0, medium: 1, high: 1 }], summary.text);
    const insights = await ada.api.get('/rpc/competitor_insights');
    assert.deepEqual(insights.body.gaps, [{ competitor: 'Acme', gap: 'Acme high' }, { competitor: 'Bolt', gap: 'Bolt medium' }], insights.text);
  });

  test('is not written, and not another tenant\'s', async () => {
    for (const view of ['competitors_with_analysis', 'content_statistics', 'upcoming_calendar']) {
      const written = await ada.api.delete(`/${view}`);
      assert.ok(written.status >= 400, `${view}: ${written.status}`);
      assert.deepEqual((await ben.api.get(`/${view}`)).body, [], view);
      assert.equal((await anybody.get(`/${view}`)).status, 401, view);
    }
    assert.equal((await ben.api.get('/rpc/competitor_summary')).body.competitors, 0);
    assert.equal(await count(ada) > 0, true);
  });
});

describe('views of content as PostgREST users expect them', () => {
  test('the one strategy is written by upsert', async () => {
    const upsert = (row) => ben.api.post('/brand_strategy?on_conflict=user_id', row, { prefer: 'resolution=merge-duplicates, return=representation' });
    assert.equal((await upsert({ primary_color: '#000000', brand_voice: { tone: 'warm' } })).status, 201);
    const again = await upsert({ primary_color: '#ffffff' });
    assert.deepEqual([again.status, again.body[0].primary_color, again.body[0].brand_voice], [200, '#ffffff', { tone: 'warm' }], again.text);
  });

  test('several rows at once, all or none', async () => {
    const made = await ben.api.post('/content_library', [{ title: 'one', tags: ['a'] }, { title: 'two', tags: ['b'] }], FULL);
    assert.deepEqual([made.status, made.body.length], [201, 2], made.text);
    const failed = await ben.api.post('/content_library', [{ title: 'three', status: 'draft' }, { title: 'four', status: 'lost' }]);
    assert.deepEqual([failed.status, failed.body.code], [400, '23514'], failed.text);
    assert.deepEqual((await ben.api.get('/content_library?select=title&order=title')).body, [{ title: 'one' }, { title: 'two' }]);
  });

  test('ignored duplicates', async () => {
    const id = randomUUID();
    const put = (title) => ben.api.post('/content_library', [{ user_id: ben.id, id, title }], { prefer: 'resolution=ignore-duplicates, return=representation' });
    assert.equal((await put('first')).body.length, 1);
    assert.deepEqual((await put('second')).body, []);
    assert.equal((await ben.api.get(`/content_library?id=eq.${id}&select=title`)).body[0].title, 'first');
  });

  test('files of a category, renamed and moved', async () => {
    const { body: [file] } = await ada.api.get('/brand_voice_assets?category=eq.voice_samples&order=filename&limit=1');
    const moved = await ada.api.patch(`/brand_voice_assets?id=eq.${file.id}`, { category: 'target_audience_insights', filename: 'new' }, FULL);
    assert.deepEqual([moved.status, moved.body[0].category, moved.body[0].filename], [200, 'target_audience_insights', 'new'], moved.text);
    const wrong = await ada.api.patch(`/brand_voice_assets?id=eq.${file.id}`, { category: 'memes' });
    assert.deepEqual([wrong.status, wrong.body.code], [400, '23514'], wrong.text);
  });

  test('members of JSON, and patterns', async () => {
    const names = async (query) => (await ada.api.get(`/brand_voice_assets?select=filename&order=filename&${query}`)).body.map((row) => row.filename);
    assert.deepEqual(await names('metadata->>found_type=eq.image/png'), ['guide.pdf']);
    assert.deepEqual(await names('filename=ilike.logo.*'), ['logo.png', 'logo.svg']);
  });
});
