// A rotation of signing keys reaches a layer that runs.
// Way 87 of docs/security.md.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { startLayer } from './lib/layer.mjs';
import { join, signIn } from './lib/people.mjs';

let database;
let layer;
let anybody;

before(async () => {
  database = await startDatabase({ settings: { 'orla.key_activation_delay': '1s' } });
  layer = await startLayer(database);
  anybody = new Client(layer.url);
});

after(async () => {
  await layer?.close();
  await database?.close();
});

const kid = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;

async function eventually(what, check) {
  for (let i = 0; i < 50; i++) {
    if (await check()) return;
    await sleep(100);
  }
  assert.fail(what);
}

test('key rotation reaches the layer by NOTIFY, without a restart', async () => {
  const ada = await join(anybody, database, 'Ada');
  const before = kid(ada.session.access_token);

  await database.sql('SELECT * FROM orla.rotate_keys()');
  let session;
  await eventually('tokens are signed with the new key', async () => {
    session = await signIn(anybody, ada.email);
    return kid(session.access_token) !== before;
  });

  // The layer knows the new key by now: it had notice before anybody got a token of it.
  const read = await anybody.as({ token: session.access_token }).get('/competitors');
  assert.equal(read.status, 200, read.text);
  // And the old key is good until what it signed has expired.
  assert.equal((await ada.api.get('/competitors')).status, 200);
  const published = (await anybody.get('/rpc/jwks')).body.keys.map((key) => key.kid);
  assert.ok(published.includes(before) && published.includes(kid(session.access_token)));
});

test('published keys are public', async () => {
  for (const key of (await anybody.get('/rpc/jwks')).body.keys) {
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(key[secret], undefined, secret);
    assert.ok(key.kid && key.alg && key.kty);
  }
});

test('a layer that started before the first key finds it', async () => {
  // The keyring is made at first use; a layer may well be up before that.
  const fresh = await startDatabase({ harden: false });
  const early = await startLayer(fresh);
  try {
    const client = new Client(early.url);
    const ada = await join(client, fresh, 'Ada');
    await eventually('the first token is accepted', async () => (await ada.api.get('/competitors')).status === 200);
  } finally {
    await early.close();
    await fresh.close();
  }
});
