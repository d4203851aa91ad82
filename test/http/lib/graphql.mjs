// GraphQL over HTTP, as a client of PostGraphile sees it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { PASSWORD, mailTo, tokenIn } from './people.mjs';

export const query = (client, text, variables) => client.post('/graphql', { query: text, variables });

/** The data of a query that must succeed. */
export async function data(client, text, variables) {
  const answer = await query(client, text, variables);
  assert.equal(answer.body?.errors, undefined, answer.text);
  return answer.body.data;
}

/** The one error of a query, after the rules that every error keeps. */
export async function error(client, text, variables) {
  const answer = await query(client, text, variables);
  assert.equal(answer.body.errors?.length, 1, answer.text);
  const [{ message, extensions, ...rest }] = answer.body.errors;
  assert.deepEqual(Object.keys(rest).filter((key) => key !== 'locations' && key !== 'path'), [], 'no detail, no hint');
  assert.deepEqual(Object.keys(extensions).filter((key) => key !== 'code' && key !== 'status'), [], 'nothing else');
  assert.ok(!answer.text.includes('eyJ'), 'no token');
  return { message, ...extensions };
}

/** A function that changes something, by its name and its arguments; its result. */
export async function call(client, name, args) {
  const type = `${name[0].toUpperCase()}${name.slice(1)}Input!`;
  return (await data(client, `mutation ($i: ${type}) { ${name}(input: $i) { result } }`, { i: args }))[name].result;
}

/** The same, refused. */
export function refused(client, name, args) {
  const type = `${name[0].toUpperCase()}${name.slice(1)}Input!`;
  return error(client, `mutation ($i: ${type}) { ${name}(input: $i) { result } }`, { i: args });
}

/** Somebody signed up through this layer, with a client that carries the bearer token. */
export async function joinByGraphql(anybody, database, name) {
  const email = `${name.toLowerCase()}.${randomUUID()}@example.org`;
  await call(anybody, 'register', { name, email, password: PASSWORD });
  const token = tokenIn(await mailTo(database, email));
  const session = await call(anybody, 'verifyEmail', { token, password: PASSWORD });
  return { name, email, id: session.user.id, session, api: anybody.as({ token: session.access_token }) };
}

export const CREATE = `mutation ($name: String!) {
  createCompetitor(input: { competitor: { name: $name } }) { competitor { id rowId name } } }`;
export const NAMES = `{ allCompetitors(orderBy: [PRIMARY_KEY_ASC]) { totalCount nodes { rowId name } } }`;
