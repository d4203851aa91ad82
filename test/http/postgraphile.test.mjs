// PostGraphile 5 with the documented configuration, for real: nothing of a
// request reaches it but the caller's own headers.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { CREATE, NAMES, call, data, error, joinByGraphql, query, refused } from './lib/graphql.mjs';
import { graphqlLifecycle } from './lib/lifecycle.mjs';
import { PASSWORD } from './lib/people.mjs';
import { startPostGraphile, startPostGraphileByCommand } from './lib/postgraphile.mjs';

let database;
let layer;
let anybody;
let ada;
let ben;

// Functions as an application may add them to the exposed schema.
const FUNCTIONS = `
  CREATE FUNCTION orla_api.write() RETURNS text LANGUAGE sql VOLATILE
      AS $$ INSERT INTO orla_api.competitors (name) VALUES ('sneaked') RETURNING name $$;
  CREATE FUNCTION orla_api.sneaky() RETURNS text LANGUAGE sql STABLE AS $$ SELECT orla_api.write() $$;
  CREATE FUNCTION orla_api.broken() RETURNS text LANGUAGE plpgsql STABLE
      AS $$ BEGIN RAISE SQLSTATE 'XX000' USING MESSAGE = 'page 7 of orla.users', DETAIL = 'x', HINT = 'y'; END $$;
  GRANT EXECUTE ON FUNCTION orla_api.write(), orla_api.sneaky(), orla_api.broken() TO orla_user`;

before(async () => {
  database = await startDatabase();
  await database.sql(FUNCTIONS);
  layer = await startPostGraphile(database.loginUri);
  anybody = new Client(layer.url);
  ada = await joinByGraphql(anybody, database, 'Ada');
  ben = await joinByGraphql(anybody, database, 'Ben');
});

after(async () => {
  await layer?.close();
  await database?.close();
});

test('register, verify, login, read and write own rows, refresh, logout, 401', () => graphqlLifecycle(anybody, database));

test('rows are patched and deleted by id alone, and nobody has to say a user_id', async () => {
  const { createCompetitor: { competitor } } = await data(ada.api, CREATE, { name: 'Before' });
  const { updateCompetitorByRowId: updated } = await data(ada.api, `mutation ($id: UUID!) {
    updateCompetitorByRowId(input: { rowId: $id, competitorPatch: { name: "After" } }) { competitor { name } } }`,
    { id: competitor.rowId });
  assert.equal(updated.competitor.name, 'After');
  await data(ada.api, `mutation ($id: UUID!) { deleteCompetitorByRowId(input: { rowId: $id }) { clientMutationId } }`,
    { id: competitor.rowId });
  const { body } = await query(ada.api, '{ __type(name: "Competitor") { fields { name } } }');
  assert.ok(!body.data.__type.fields.some(({ name }) => /user/i.test(name)), 'user_id is not in the schema');
});

test('relations over composite keys', async () => {
  const { createCompetitor: { competitor } } = await data(ada.api, CREATE, { name: 'Related' });
  await data(ada.api, `mutation ($id: UUID!) { createCompetitorAnalysis(input: {
    competitorAnalysis: { competitorId: $id, summary: "strong" } }) { competitorAnalysis { rowId } } }`, { id: competitor.rowId });
  const seen = await data(ada.api, `query ($id: UUID!) { competitorByRowId(rowId: $id) { name
    competitorAnalysesByCompetitorId { nodes { summary competitorByCompetitorId { name } } } } }`, { id: competitor.rowId });
  assert.deepEqual(seen.competitorByRowId, { name: 'Related', competitorAnalysesByCompetitorId: {
    nodes: [{ summary: 'strong', competitorByCompetitorId: { name: 'Related' } }] } });
});

describe('another tenant\'s row', () => {
  let theirs;
  before(async () => { theirs = (await data(ben.api, CREATE, { name: 'Ben\'s' })).createCompetitor.competitor; });

  test('is null by its id, by its node id and in a list', async () => {
    const seen = await data(ada.api, `query ($row: UUID!, $id: ID!) {
      competitorByRowId(rowId: $row) { name } competitor(id: $id) { name } node(id: $id) { ... on Competitor { name } } }`,
      { row: theirs.rowId, id: theirs.id });
    assert.deepEqual(seen, { competitorByRowId: null, competitor: null, node: null });
    assert.ok(!JSON.stringify(await data(ada.api, NAMES)).includes(theirs.rowId));
  });

  test('cannot be patched or deleted, and answers like an id that never was', async () => {
    const patch = (id) => data(ada.api, `mutation ($id: UUID!) {
      updateCompetitorByRowId(input: { rowId: $id, competitorPatch: { name: "mine" } }) { competitor { name } } }`, { id });
    assert.deepEqual(await patch(theirs.rowId), { updateCompetitorByRowId: { competitor: null } });
    assert.deepEqual(await patch(randomUUID()), await patch(theirs.rowId));
    const remove = (id) => error(ada.api, `mutation ($id: UUID!) {
      deleteCompetitorByRowId(input: { rowId: $id }) { deletedCompetitorId } }`, { id });
    assert.deepEqual(await remove(theirs.rowId), { message: 'there is no such row', status: 404 });
    assert.deepEqual(await remove(randomUUID()), await remove(theirs.rowId));
    const { competitorByRowId: left } = await data(ben.api,
      'query ($id: UUID!) { competitorByRowId(rowId: $id) { name } }', { id: theirs.rowId });
    assert.equal(left.name, 'Ben\'s');
  });

  test('cannot be referred to', async () => {
    const refer = (id) => error(ada.api, `mutation ($id: UUID!) { createCompetitorAnalysis(input: {
      competitorAnalysis: { competitorId: $id } }) { competitorAnalysis { rowId } } }`, { id });
    const refused = await refer(theirs.rowId);
    assert.equal(refused.status, 409);
    assert.deepEqual(refused, await refer(randomUUID()));
  });
});

test('interleaved requests of two tenants on pooled connections each see their own', async () => {
  await data(ada.api, CREATE, { name: 'Interleaved Ada' });
  const seen = await Promise.all(Array.from({ length: 60 }, async (_, i) => {
    const who = [ada, ben, anybody][i % 3];
    const answer = await query(who.api ?? who, NAMES);
    return [i % 3, answer.text];
  }));
  for (const [who, text] of seen) {
    assert.equal(text.includes('Interleaved Ada'), who === 0, text);
    assert.equal(text.includes('Ben\'s'), who === 1, text);
  }
});

describe('a token that is not good', () => {
  for (const [what, token] of Object.entries({
    empty: () => '',
    nonsense: () => 'nonsense',
    'a uuid': () => ben.id,
    'a refresh token': () => ben.session.refresh_token,
    'of a changed signature': () => `${ben.session.access_token.slice(0, -8)}AAAAAAAA`,
    'alg none': () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${ben.session.access_token.split('.')[1]}.`,
  })) {
    test(`${what}: refused with a message only, no rows`, async () => {
      const refused = await error(anybody.as({ token: token() }), NAMES);
      assert.ok([401, 403].includes(refused.status), JSON.stringify(refused));
      assert.ok(!refused.message.includes(ben.id));
    });
  }

  test('claims in headers of one\'s own prove nothing', async () => {
    const forged = anybody.as({ headers: {
      'request.jwt.claims': JSON.stringify({ sub: ben.id, role: 'orla_user' }), 'orla.tenant': ben.id, role: 'orla_service',
      cookie: `orla_session=${ben.session.access_token}`,
    } });
    const answer = await query(forged, NAMES);
    assert.ok(!answer.text.includes('Ben\'s'), answer.text);
  });
});

test('a query cannot write, even through a function that is marked as one that does not', async () => {
  const refused = await error(ada.api, '{ sneaky }');
  assert.deepEqual([refused.code, refused.status], ['25006', 405]);
  assert.ok(!JSON.stringify(await data(ada.api, NAMES)).includes('sneaked'));
});

test('GraphQL over GET is off', async () => {
  const answer = await ada.api.get(`/graphql?${new URLSearchParams({ query: '{ me }' })}`);
  assert.equal(answer.status, 405, answer.text);
});

test('a wrong password is refused like an unknown address, and counted', async () => {
  const attempts = async () => (await database.sql('SELECT coalesce(sum(failed), 0)::int AS n FROM orla.sign_in_attempts'))[0].n;
  const before = await attempts();
  const wrong = await refused(anybody, 'login', { email: ben.email, password: 'Wrong-Horse-42' });
  assert.deepEqual([wrong.code, wrong.status], ['PT401', 401]);
  assert.deepEqual(await refused(anybody, 'login', { email: 'nobody@example.org', password: PASSWORD }), wrong);
  assert.equal(await attempts(), before + 2);
});

describe('errors carry the documented status', () => {
  const insert = (client, name) => error(client, CREATE, { name });
  const cases = [
    ['a row by nobody', 401, '42501', () => insert(anybody, 'x')],
    ['a read by nobody', 401, '42501', () => error(anybody, NAMES)],
    ['a function of nobody where somebody is needed', 401, '42501', () => error(anybody, '{ me }')],
    ['a bad address', 400, '22023', () => refused(anybody, 'register', { name: 'x', email: 'x', password: PASSWORD })],
    ['a short password', 400, '22023', () => refused(anybody, 'register', { name: 'x', email: 'x@example.org', password: 'short' })],
    ['a wrong token of a mail', 401, 'PT401', () => refused(anybody, 'verifyEmail', { token: 'x', password: PASSWORD })],
    ['a wrong password of one\'s own', 403, 'PT403', () => refused(ada.api, 'changePassword',
      { currentPassword: 'Wrong-Horse-42', newPassword: PASSWORD })],
    ['a value outside its list', 400, '23514', () => error(ada.api, `mutation {
      createContentLibrary(input: { contentLibrary: { title: "x", status: "lost" } }) { clientMutationId } }`)],
    ['no name', 400, '23502', () => error(ada.api, 'mutation { createCompetitor(input: { competitor: { industry: "x" } }) { clientMutationId } }')],
    ['a malformed time', 400, '22007', () => error(ada.api, `mutation {
      createContentLibrary(input: { contentLibrary: { title: "x", publishedAt: "x" } }) { clientMutationId } }`)],
    ['a negative limit', 400, '2201W', () => error(ada.api, '{ allCompetitors(first: -1) { nodes { name } } }')],
    ['a malformed cursor', 400, undefined, () => error(ada.api, '{ allCompetitors(after: "x") { nodes { name } } }')],
    ['a patch of nothing', 400, undefined, () => error(ada.api, `mutation ($id: UUID!) {
      updateCompetitorByRowId(input: { rowId: $id, competitorPatch: {} }) { clientMutationId } }`, { id: randomUUID() })],
    ['a malformed uuid in a variable', 400, undefined, () => error(ada.api,
      'query ($id: UUID!) { competitorByRowId(rowId: $id) { name } }', { id: 'x' })],
    ['a reference to nothing', 409, '23503', () => error(ada.api, `mutation ($id: UUID!) {
      createCompetitorAnalysis(input: { competitorAnalysis: { competitorId: $id } }) { clientMutationId } }`, { id: randomUUID() })],
    ['a row that is not there', 404, undefined, () => error(ada.api, `mutation ($id: UUID!) {
      deleteCompetitorByRowId(input: { rowId: $id }) { clientMutationId } }`, { id: randomUUID() })],
    ['a write by a query', 405, '25006', () => error(ada.api, '{ sneaky }')],
  ];
  for (const [what, status, code, refusal] of cases) {
    test(`${what}: ${status}`, async () => {
      const answer = await refusal();
      assert.deepEqual([answer.status, answer.code], [status, code], answer.message);
    });
  }

  for (const [what, text] of Object.entries({
    'a malformed uuid': '{ competitorByRowId(rowId: "x") { name } }', 'a field that is not there': '{ users }', 'no GraphQL': '{',
  })) {
    test(`${what} in the query itself: HTTP 400, not executed`, async () => {
      const answer = await query(ada.api, text);
      assert.deepEqual([answer.status, answer.body.errors.length, answer.body.data], [400, 1, undefined], answer.text);
    });
  }

  test('what does not fit a variable is not said again', async () => {
    const answer = await refused(anybody, 'login', { email: 'ada@example.org', password: PASSWORD, extra: 1 });
    assert.equal(answer.status, 400);
    assert.match(answer.message, /"extra" is not defined/);
    assert.ok(!answer.message.includes(PASSWORD), answer.message);
  });

  test('a second brand strategy: 409', async () => {
    const create = `mutation { createBrandStrategy(input: { brandStrategy: { primaryColor: "#000" } }) { clientMutationId } }`;
    await data(ben.api, create);
    const second = await error(ben.api, create);
    assert.deepEqual([second.status, second.code], [409, '23505']);
  });

  test('too many mails: 429', async () => {
    const email = `${randomUUID()}@example.org`;
    await call(anybody, 'forgotPassword', { email });
    let answer;
    for (let i = 0; i < 10 && answer?.body.errors === undefined; i++) {
      answer = await query(anybody, 'mutation ($email: String!) { forgotPassword(input: { email: $email }) { result } }', { email });
    }
    assert.deepEqual(answer.body.errors?.map(({ extensions }) => extensions), [{ code: 'PT429', status: 429 }], answer.text);
  });
});

test('what the schema offers is orla_api, and nothing of the tables behind it', async () => {
  const { __schema: { queryType, mutationType, types } } = await data(anybody,
    '{ __schema { queryType { fields { name } } mutationType { fields { name } } types { name } } }');
  const fields = [...queryType.fields, ...mutationType.fields].map(({ name }) => name);
  const functions = (await database.sql(`SELECT proname, proname IN ('sign_in', 'verify_and_sign_in', 'refresh_session', 'sign_out') OR proname ~ '[.]'
      OR prorettype = 'orla_api."text/html"'::regtype AS for_browsers FROM pg_proc WHERE pronamespace = 'orla_api'::regnamespace`))
    .map((one) => ({ ...one, name: one.proname.replace(/_(.)/g, (_, letter) => letter.toUpperCase()) }));
  const offered = ({ name }) => fields.includes(name);
  assert.deepEqual(functions.filter((one) => !one.for_browsers && !offered(one)), [], 'every function');
  assert.deepEqual(functions.filter((one) => one.for_browsers && offered(one)), [], 'but for pages and their cookies');
  assert.ok(fields.includes('allMyAuditLogs') && fields.includes('allConnections'));
  assert.deepEqual(types.filter(({ name }) => /^(User|Session|RefreshToken|Outbox|Provider|TenantKey)s?$/.test(name)), []);
  assert.deepEqual(fields.filter((name) => /(authenticate|perform|signJwt|renderMail|crypt|digest)/i.test(name)), []);
});

test('an error that is the server\'s own says nothing of itself, but to the operator', async ({ mock }) => {
  const said = mock.method(console, 'error', () => {});
  assert.deepEqual(await error(ada.api, '{ broken }'), { message: 'internal error', code: 'XX000', status: 500 });
  assert.deepEqual(said.mock.calls.map((call) => call.arguments), [['internal error at broken: XX000 page 7 of orla.users']]);
});

test('the documented command starts it, with no editor', async () => {
  const started = await startPostGraphileByCommand(database.loginUri);
  try {
    const client = new Client(started.url);
    assert.equal((await data(client.as({ token: ada.session.access_token }), '{ me }')).me.id, ada.id);
    assert.equal((await client.get('/')).status, 404);
  } finally {
    await started.close();
  }
});
