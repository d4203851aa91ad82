// Own rows over HTTP, and nothing of anybody else's.
// Ways 30, 48 and 49 of docs/security.md.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { startLayer } from './lib/layer.mjs';
import { join } from './lib/people.mjs';

const FULL = { prefer: 'return=representation' };
let database;
let layer;
let anybody;
let ada;
let ben;

before(async () => {
  database = await startDatabase();
  layer = await startLayer(database);
  anybody = new Client(layer.url);
  ada = (await join(anybody, database, 'Ada'));
  ben = (await join(anybody, database, 'Ben'));
});

after(async () => {
  await layer?.close();
  await database?.close();
});

async function insert(person, path, row) {
  const answer = await person.api.post(path, row, FULL);
  assert.equal(answer.status, 201, answer.text);
  return answer.body[0];
}

test('a row is written without user_id, patched and deleted by id', async () => {
  const row = await insert(ada, '/competitors', { name: 'Rival' });
  assert.equal(row.user_id, ada.id);
  const patched = await ada.api.patch(`/competitors?id=eq.${row.id}`, { name: 'Friend' }, FULL);
  assert.deepEqual([patched.status, patched.body[0].name], [200, 'Friend'], patched.text);
  const deleted = await ada.api.delete(`/competitors?id=eq.${row.id}`);
  assert.equal(deleted.status, 204, deleted.text);
  assert.deepEqual((await ada.api.get(`/competitors?id=eq.${row.id}`)).body, []);
});

test('filters, order, limit, select and count', async () => {
  for (const [title, status] of [['c', 'draft'], ['a', 'published'], ['b', 'draft']]) {
    await insert(ada, '/content_library', { title, status, tags: [title, 'x'] });
  }
  await insert(ben, '/content_library', { title: 'a', status: 'draft' });
  const titles = async (query) => (await ada.api.get(`/content_library?select=title&${query}`)).body.map((r) => r.title);
  assert.deepEqual(await titles('order=title'), ['a', 'b', 'c']);
  assert.deepEqual(await titles('status=eq.draft&order=title.desc'), ['c', 'b']);
  assert.deepEqual(await titles('title=gt.a&order=title&limit=1'), ['b']);
  assert.deepEqual(await titles('title=in.(a,c)&order=title'), ['a', 'c']);
  assert.deepEqual(await titles('platform=is.null&order=title&offset=1'), ['b', 'c']);
  assert.deepEqual(await titles('tags=cs.{a}'), ['a']);
  const counted = await ada.api.get('/content_library?select=title', { prefer: 'count=exact' });
  assert.match(counted.headers['content-range'], /\/3$/);
  const one = await ada.api.get('/content_library?select=title&title=eq.b',
    { headers: { accept: 'application/vnd.pgrst.object+json' } });
  assert.deepEqual(one.body, { title: 'b' });
});

test('or, and, not: nested, and never beyond one\'s own rows', async () => {
  for (const [name, industry] of [['Oak', 'tea'], ['Elm, Inc.', 'coffee'], ['Ash', null]]) await insert(ada, '/competitors', { name, industry, location: 'wood' });
  await insert(ben, '/competitors', { name: 'Oak', industry: 'tea', location: 'wood' });
  const names = async (query, who = ada) => {
    const answer = await who.api.get(`/competitors?select=name&location=eq.wood&order=name&${query}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.body.map((row) => row.name);
  };
  assert.deepEqual(await names('or=(name.eq.Oak,industry.is.null)'), ['Ash', 'Oak']);
  assert.deepEqual(await names('or=(name.eq."Elm, Inc.",and(name.eq.Oak,industry.in.(tea,milk)))'), ['Elm, Inc.', 'Oak']);
  assert.deepEqual(await names('not.or=(name.eq.Oak,industry.is.null)'), ['Elm, Inc.']);
  assert.deepEqual(await names('and=(name.neq.Oak,or(industry.eq.coffee,not.and(industry.is.null,name.eq.Ash)))'), ['Elm, Inc.']);

  // An alternative that is true of every row is true of one's own alone.
  assert.deepEqual(await names('or=(name.eq.Oak,user_id.not.is.null)'), ['Ash', 'Elm, Inc.', 'Oak']);
  assert.deepEqual(await names(`or=(user_id.eq.${ada.id},user_id.neq.${ada.id})`, ben), ['Oak']);
  assert.deepEqual((await ada.api.patch(`/competitors?or=(user_id.eq.${ben.id},and(user_id.eq.${ben.id},name.eq.Oak))`, { name: 'mine' }, FULL)).body, []);
  assert.deepEqual((await ada.api.delete(`/competitors?location=eq.wood&or=(user_id.eq.${ben.id},name.eq.Ash)`, FULL)).body.map((row) => row.name), ['Ash']);
  assert.deepEqual(await names('', ben), ['Oak']);
  assert.equal((await ada.api.get('/competitors?or=(name.eq)')).status, 400);
});

test('pages by limit and offset or by Range, counted', async () => {
  for (const name of ['p1', 'p2', 'p3', 'p4', 'p5']) await insert(ada, '/competitors', { name, location: 'pages' });
  await insert(ben, '/competitors', { name: 'p0', location: 'pages' });
  const page = async (query, { range, prefer = 'count=exact' } = {}) => {
    const answer = await ada.api.get(`/competitors?select=name&location=eq.pages&order=name&${query}`,
      { prefer, headers: range === undefined ? {} : { 'range-unit': 'items', range } });
    return [answer.status, answer.headers['content-range'], Array.isArray(answer.body) ? answer.body.map((row) => row.name).join() : answer.body.code];
  };
  assert.deepEqual(await page('limit=2&offset=1'), [206, '1-2/5', 'p2,p3']);
  assert.deepEqual(await page('', { range: '1-2' }), [206, '1-2/5', 'p2,p3']);
  assert.deepEqual(await page('', { range: '3-' }), [206, '3-4/5', 'p4,p5']);
  assert.deepEqual(await page('', { range: '0-99' }), [200, '0-4/5', 'p1,p2,p3,p4,p5'], 'five: nobody else\'s is counted');
  assert.deepEqual(await page('', { range: '1-2', prefer: 'count=none' }), [200, '1-2/*', 'p2,p3']);
  assert.deepEqual(await page('', { range: '6-9' }), [416, '*/5', 'PGRST103']);
  assert.deepEqual((await page('', { range: '3-1' }))[0], 416);
});

describe('PUT', () => {
  const put = (person, owner, id, row) => person.api.request('PUT', `/competitors?user_id=eq.${owner.id}&id=eq.${id}`, { json: row, ...FULL });

  test('makes the row that its key names, or takes its place', async () => {
    const id = randomUUID();
    const made = await put(ada, ada, id, { user_id: ada.id, id, name: 'made' });
    assert.deepEqual([made.status, made.body[0]?.name], [201, 'made'], made.text);
    const again = await put(ada, ada, id, { user_id: ada.id, id, name: 'again' });
    assert.deepEqual([again.status, again.body[0]?.name], [200, 'again'], again.text);
    assert.equal((await ada.api.get(`/competitors?id=eq.${id}`)).body.length, 1);
  });

  test('takes no row of another tenant and makes none for it', async () => {
    const theirs = await insert(ben, '/competitors', { name: 'put by Ben' });
    const taken = await put(ada, ben, theirs.id, { user_id: ben.id, id: theirs.id, name: 'mine' });
    assert.deepEqual([taken.status, taken.body.code], [403, '42501'], taken.text);
    const never = randomUUID();
    const given = await put(ada, ben, never, { user_id: ben.id, id: never, name: 'a gift' });
    assert.equal(given.text, taken.text, 'a row that is there and one that is not are refused alike');
    assert.deepEqual((await ben.api.get(`/competitors?id=in.(${theirs.id},${never})`)).body.map((row) => row.name), ['put by Ben']);
  });

  test('needs the whole key in the address, and the same in the body', async () => {
    const id = randomUUID();
    const part = await ada.api.request('PUT', `/competitors?id=eq.${id}`, { json: { user_id: ada.id, id, name: 'x' } });
    assert.deepEqual([part.status, part.body.code], [405, 'PGRST105'], part.text);
    const other = await put(ada, ada, id, { user_id: ada.id, id: randomUUID(), name: 'x' });
    assert.deepEqual([other.status, other.body.code], [400, 'PGRST115'], other.text);
    assert.deepEqual((await ada.api.get('/competitors?name=eq.x')).body, []);
  });
});

test('upsert by primary key', async () => {
  const id = randomUUID();
  const upsert = (person, name) => person.api.post('/competitors', [{ id, user_id: person.id, name }],
    { prefer: 'resolution=merge-duplicates, return=representation' });
  assert.equal((await upsert(ada, 'first')).status, 201);
  const again = await upsert(ada, 'second');
  assert.deepEqual([again.status, again.body[0].name], [200, 'second'], again.text);
  assert.equal((await ada.api.get(`/competitors?id=eq.${id}`)).body.length, 1);

  // The same id is another row with Ben: nothing to find out, nothing to overwrite.
  const bens = await upsert(ben, 'third');
  assert.deepEqual([bens.status, bens.body[0].name], [201, 'third'], bens.text);
  assert.equal((await ada.api.get(`/competitors?id=eq.${id}`)).body[0].name, 'second');

  // Naming Ben's row does not reach it, whichever way a duplicate is resolved.
  for (const resolution of ['merge-duplicates', 'ignore-duplicates']) {
    const forged = await ada.api.post('/competitors', [{ id, user_id: ben.id, name: 'forged' }], { prefer: `resolution=${resolution}, return=representation` });
    assert.deepEqual([forged.status, forged.body.code], [403, '42501'], forged.text);
  }
  assert.equal((await ben.api.get(`/competitors?id=eq.${id}`)).body[0].name, 'third');
});

test('an upsert of many rows, some of them there: merged or left alone', async () => {
  const [one, two] = [randomUUID(), randomUUID()];
  const upsert = (names, resolution) => ada.api.post('/competitors',
    Object.entries(names).map(([id, name]) => ({ id, user_id: ada.id, name })), { prefer: `resolution=${resolution}, return=representation` });
  assert.deepEqual((await upsert({ [one]: 'one' }, 'merge-duplicates')).body.map((row) => row.name), ['one']);
  const merged = await upsert({ [one]: 'uno', [two]: 'due' }, 'merge-duplicates');
  assert.deepEqual([merged.status, merged.body.map((row) => row.name)], [201, ['uno', 'due']], merged.text);
  const ignored = await upsert({ [one]: 'ein', [two]: 'zwei' }, 'ignore-duplicates');
  assert.deepEqual(ignored.body, [], ignored.text);
  assert.deepEqual((await ada.api.get(`/competitors?id=in.(${one},${two})&order=name`)).body.map((row) => row.name), ['due', 'uno']);
});

test('embedding over composite keys', async () => {
  const rival = await insert(ada, '/competitors', { name: 'Embedded' });
  await insert(ada, '/competitor_analyses', { competitor_id: rival.id, summary: 'strong' });
  const down = await ada.api.get(`/competitors?id=eq.${rival.id}&select=name,competitor_analyses(summary)`);
  assert.deepEqual(down.body, [{ name: 'Embedded', competitor_analyses: [{ summary: 'strong' }] }], down.text);
  const up = await ada.api.get(`/competitor_analyses?select=summary,competitor:competitors(name)&competitor_id=eq.${rival.id}`);
  assert.deepEqual(up.body, [{ summary: 'strong', competitor: { name: 'Embedded' } }], up.text);
});

test('a row that refers to a deleted one keeps its tenant: SET NULL (content_id)', async () => {
  const post = await insert(ada, '/content_library', { title: 'Launch' });
  const entry = await insert(ada, '/content_calendar',
    { content_id: post.id, scheduled_date: '2030-01-01T00:00:00Z', title: 'Launch day' });
  assert.equal((await ada.api.delete(`/content_library?id=eq.${post.id}`)).status, 204);
  const { body: [left] } = await ada.api.get(`/content_calendar?id=eq.${entry.id}`);
  assert.deepEqual([left.content_id, left.user_id], [null, ada.id]);
});

describe('another tenant\'s row by its id', () => {
  let theirs;
  before(async () => { theirs = await insert(ben, '/competitors', { name: 'Ben\'s' }); });

  test('is not there to GET', async () => {
    const list = await ada.api.get(`/competitors?id=eq.${theirs.id}`);
    assert.deepEqual([list.status, list.body], [200, []]);
    const other = await ada.api.get(`/competitors?user_id=eq.${ben.id}`, { prefer: 'count=exact' });
    assert.deepEqual([other.status, other.body, other.headers['content-range']], [200, [], '*/0']);
  });

  test('answers like an id that never was', async () => {
    const headers = { accept: 'application/vnd.pgrst.object+json' };
    const one = await ada.api.get(`/competitors?id=eq.${theirs.id}`, { headers });
    const none = await ada.api.get(`/competitors?id=eq.${randomUUID()}`, { headers });
    assert.deepEqual([one.status, one.text], [none.status, none.text]);
  });

  test('is not there to PATCH or DELETE', async () => {
    const patched = await ada.api.patch(`/competitors?id=eq.${theirs.id}`, { name: 'mine now' }, FULL);
    assert.deepEqual([patched.status, patched.body], [200, []], patched.text);
    const deleted = await ada.api.delete(`/competitors?id=eq.${theirs.id}`, FULL);
    assert.deepEqual([deleted.status, deleted.body], [200, []], deleted.text);
    assert.equal((await ben.api.get(`/competitors?id=eq.${theirs.id}`)).body[0].name, 'Ben\'s');
  });

  test('cannot be referred to, and says what an id that never was says', async () => {
    const refer = (id) => ada.api.post('/competitor_analyses', { competitor_id: id });
    const one = await refer(theirs.id);
    const never = randomUUID();
    const none = await refer(never);
    assert.equal(one.status, 409, one.text);
    assert.equal(one.text.replaceAll(theirs.id, 'ID'), none.text.replaceAll(never, 'ID'));
  });

  test('is not reached through an embedding, a cast or a filter that fails', async () => {
    const embedded = await ada.api.get('/competitors?select=name,competitor_analyses(*)');
    assert.ok(!embedded.text.includes(ben.id));
    const cast = await ada.api.get('/competitors?select=name::integer&name=eq.Ben\'s');
    assert.deepEqual([cast.status, cast.body], [200, []], cast.text);
  });
});

test('a row cannot be written for, or given to, another tenant', async () => {
  const forged = await ada.api.post('/competitors', { name: 'gift', user_id: ben.id });
  assert.deepEqual([forged.status, forged.body.code], [403, '42501'], forged.text);
  assert.ok(!forged.text.includes(ben.id), 'and the answer does not repeat the id');
  const mine = await insert(ada, '/competitors', { name: 'mine' });
  const given = await ada.api.patch(`/competitors?id=eq.${mine.id}`, { user_id: ben.id });
  assert.deepEqual([given.status, given.body.code], [403, '42501'], given.text);
  assert.equal((await ben.api.get('/competitors?name=in.(gift,mine)')).body.length, 0);
});

test('count=planned discloses no estimate of anybody\'s rows', async () => {
  const answer = await ada.api.get('/competitors?select=id', { prefer: 'count=planned' });
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers['content-range'], /\/\*$/);
});

test('nobody without a token reads or writes a row', async () => {
  for (const view of ['competitors', 'content_library', 'brand_strategy', 'my_audit_log']) {
    const answer = await anybody.get(`/${view}`);
    assert.ok(answer.status === 401 || answer.text === '[]', `${view}: ${answer.status} ${answer.text}`);
  }
  assert.equal((await anybody.post('/competitors', { name: 'x' })).status, 401);
  assert.equal((await anybody.delete('/competitors')).status, 401);
});

describe('errors carry the documented status', () => {
  const cases = [
    ['an unknown view', 404, 'PGRST205', () => ada.api.get('/nothing')],
    ['a private table', 404, 'PGRST205', () => ada.api.get('/users')],
    ['a private function', 404, 'PGRST202', () => ada.api.rpc('sign_jwt', { claims: {} })],
    ['an unknown column in a filter', 400, '42703', () => ada.api.get('/competitors?nothing=eq.1')],
    ['a malformed uuid', 400, '22P02', () => ada.api.get('/competitors?id=eq.nonsense')],
    ['a value outside its list', 400, '23514', () => ada.api.post('/content_library', { title: 'x', status: 'lost' })],
    ['a missing value', 400, '23502', () => ada.api.post('/competitors', { industry: 'x' })],
    ['malformed JSON', 400, 'PGRST102', () => ada.api.request('POST', '/competitors',
      { body: '{"name":', headers: { 'content-type': 'application/json' } })],
    ['a body of another type', 400, 'PGRST102', () => ada.api.request('POST', '/rpc/me',
      { body: 'x', headers: { 'content-type': 'multipart/form-data' } })],
    ['a write to a read-only view', 403, '42501', () => ada.api.delete('/my_audit_log')],
    ['a write by nobody', 401, '42501', () => anybody.post('/competitors', { name: 'x' })],
    ['an unknown way to call a function', 405, 'PGRST101', () => ada.api.delete('/rpc/me')],
    ['a call of nobody where somebody is needed', 401, undefined, () => anybody.rpc('me')],
  ];
  for (const [what, status, code, call] of cases) {
    test(`${what}: ${status}`, async () => {
      const answer = await call();
      assert.equal(answer.status, status, answer.text);
      if (code !== undefined) assert.equal(answer.body.code, code);
    });
  }

  test('a second brand strategy: 409', async () => {
    await ben.api.post('/brand_strategy', { primary_color: '#000' });
    const second = await ben.api.post('/brand_strategy', { primary_color: '#fff' });
    assert.deepEqual([second.status, second.body.code], [409, '23505'], second.text);
  });
});
