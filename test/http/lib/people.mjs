// People who sign up over HTTP and read their mail in the outbox.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

export const PASSWORD = 'Correct-Horse-42';
export const WRONG = 'Wrong-Horse-42';
let count = 0;

/** Looks again until it is so, for 5 seconds. */
export async function eventually(what, check) {
  for (let i = 0; i < 250; i++) {
    if (await check()) return;
    await sleep(20);
  }
  assert.fail(what);
}

/** The newest mail to an address, as the operator's orla.render_mail() shows it. */
export async function mailTo(database, address) {
  const [row] = await database.sql(
    `SELECT orla.render_mail(id) AS text FROM orla.outbox
      WHERE to_address = $1 ORDER BY created_at DESC LIMIT 1`, [address]);
  assert.ok(row, `a mail to ${address}`);
  return row.text;
}

export function tokenIn(mail) {
  const match = /[?&]token=([\w.~-]+)/.exec(mail);
  assert.ok(match, 'the mail has a link with a token');
  return match[1];
}

/** Signs somebody up; { id, email, password, session }. */
export async function signUp(client, database, name = 'Ada') {
  const email = `${name.toLowerCase()}.${process.pid}.${++count}@example.org`;
  const registered = await client.rpc('register', { name, email, password: PASSWORD });
  assert.equal(registered.status, 200, registered.text);
  const token = tokenIn(await mailTo(database, email));
  const verified = await client.rpc('verify_email', { token, password: PASSWORD });
  assert.equal(verified.status, 200, verified.text);
  return { id: verified.body.user.id, name, email, session: verified.body };
}

export async function signIn(client, email, password = PASSWORD) {
  const answer = await client.rpc('login', { email, password });
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

/** Somebody signed up, with a client that carries the bearer token. */
export async function join(client, database, name) {
  const person = await signUp(client, database, name);
  return { ...person, api: client.as({ token: person.session.access_token }) };
}
