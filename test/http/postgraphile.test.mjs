// PostGraphile 5 with the documented configuration, for real: nothing of a
// request reaches it but the caller's own headers.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { PASSWORD, mailTo, tokenIn } from './lib/people.mjs';
import { startPostGraphile } from './lib/postgraphile.mjs';

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
  ada = await join('Ada');
  ben = await join('Ben');
});

after(async () => {
  await layer?.close();
  await database?.close();
});

const query = (client, text, variables) => client.post('/graphql', { query: text, variables });

/** The data of a query that must succeed. */
async function data(client, text, variables) {
  const answer = await query(client, text, variables);
  assert.equal(answer.body?.errors, undefined, answer.text);
  return answer.body.data;
}

/** The one error of a query, after the rules that every error keeps. */
async function error(client, text, variables) {
  const answer = await query(client, text, variables);
  assert.equal(answer.body.errors?.length, 1, answer.text);
  const [{ message, extensions, ...rest }] = answer.body.errors;
  assert.deepEqual(Object.keys(rest).filter((key) => key !== 'locations' && key !== 'path'), [], 'no detail, no hint');
  assert.ok(!answer.text.includes('eyJ'), 'no token');
  return { message, ...extensions };
}

async function join(name) {
  const email = `${name.toLowerCase()}.${randomUUID()}@example.org`;
  await data(anybody, `mutation ($i: RegisterInput!) { register(input: $i) { result } }`,
    { i: { name, email, password: PASSWORD } });
  const token = tokenIn(await mailTo(database, email));
  const { verifyEmail: { result } } = await data(anybody,
    `mutation ($i: VerifyEmailInput!) { verifyEmail(input: $i) { result } }`, { i: { token, password: PASSWORD } });
  return { name, email, id: result.user.id, session: result, api: anybody.as({ token: result.access_token }) };
}

const CREATE = `mutation ($name: String!) {
  createCompetitor(input: { competitor: { name: $name } }) { competitor { id rowId name } } }`;
const NAMES = `{ allCompetitors(orderBy: [PRIMARY_KEY_ASC]) { totalCount nodes { rowId name } } }`;

test('register, verify, login, read and write own rows, refresh, logout, 401', async () => {
  const eve = await join('Eve');
  const { login: { result: session } } = await data(anybody,
    `mutation ($i: LoginInput!) { login(input: $i) { result } }`, { i: { email: eve.email, password: PASSWORD } });
  const api = anybody.as({ token: session.access_token });
  assert.equal((await data(api, '{ me }')).me.email, eve.email);

  const { createCompetitor: { competitor } } = await data(api, CREATE, { name: 'Rival' });
  assert.equal(competitor.name, 'Rival');
  const { allCompetitors } = await data(api, NAMES);
  assert.deepEqual(allCompetitors, { totalCount: 1, nodes: [{ rowId: competitor.rowId, name: 'Rival' }] });

  const { refresh: { result: next } } = await data(anybody,
    `mutation ($t: String!) { refresh(input: { refreshToken: $t }) { result } }`, { t: session.refresh_token });
  const again = anybody.as({ token: next.access_token });
  await data(again, `mutation ($t: String!) { logout(input: { refreshToken: $t }) { result } }`, { t: next.refresh_token });
  assert.deepEqual(await error(again, NAMES), { message: 'access token refused', code: 'PT401', status: 401 });
});

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
      competitorByRowId(rowId: $row) { name } competitor(id: $id) { name } node(id: $id) { id } }`,
      { row: theirs.rowId, id: theirs.id });
    assert.deepEqual([seen.competitorByRowId, seen.competitor], [null, null]);
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
  const login = (email, password) => error(anybody,
    `mutation ($i: LoginInput!) { login(input: $i) { result } }`, { i: { email, password } });
  const wrong = await login(ben.email, 'Wrong-Horse-42');
  assert.deepEqual([wrong.code, wrong.status], ['PT401', 401]);
  assert.deepEqual(await login('nobody@example.org', PASSWORD), wrong);
  const [{ n }] = await database.sql('SELECT count(*)::int AS n FROM orla.sign_in_attempts');
  assert.ok(n > 0);
});

test('an error that is the server\'s own says nothing of itself', async () => {
  assert.deepEqual(await error(ada.api, '{ broken }'), { message: 'internal error', code: 'XX000', status: 500 });
});
