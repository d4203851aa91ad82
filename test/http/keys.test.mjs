// A rotation of signing keys reaches a layer that runs. In clusters of its own:
// databases of one cluster share the keyring.
// Way 87 of docs/security.md.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Client } from './lib/client.mjs';
import { startDatabase } from './lib/database.mjs';
import { startLayer } from './lib/layer.mjs';
import { eventually, join, signIn } from './lib/people.mjs';

let database;
let layer;
let anybody;

before(async () => {
  database = await startDatabase({ alone: true, settings: { 'orla.key_activation_delay': '1s' } });
  layer = await startLayer(database);
  anybody = new Client(layer.url);
});

after(async () => {
  await layer?.close();
  await database?.close();
});

const kid = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;

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

test('a layer that cannot listen has the new key after a reload, and not before', async () => {
  const deaf = await startLayer(database, { 'db-channel-enabled': 'false' });
  try {
    const api = new Client(deaf.url);
    const ada = await join(api, database, 'Ada');
    await database.sql('SELECT * FROM orla.rotate_keys()');
    let fresh;
    await eventually('tokens are signed with the new key', async () => {
      fresh = await signIn(api, ada.email);
      return kid(fresh.access_token) !== kid(ada.session.access_token);
    });
    const early = await api.as({ token: fresh.access_token }).get('/competitors');
    assert.deepEqual([early.status, early.body.code], [401, 'PGRST301'], early.text);
    deaf.reload();
    await eventually('the new key is known', async () =>
      (await api.as({ token: fresh.access_token }).get('/competitors')).status === 200);
  } finally {
    await deaf.close();
  }
});

test('published keys are public', async () => {
  for (const key of (await anybody.get('/rpc/jwks')).body.keys) {
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(key[secret], undefined, secret);
    assert.ok(key.kid && key.alg && key.kty);
  }
});

test('a layer that started before the first key finds it', async () => {
  // The keyring is made at first use; a layer may well be up before that.
  const fresh = await startDatabase({ alone: true, harden: false });
  const early = await startLayer(fresh);
  try {
    const client = new Client(early.url);
    assert.deepEqual((await client.get('/rpc/jwks')).body, { keys: [] });
    const ada = await join(client, fresh, 'Ada');
    await eventually('the first token is accepted', async () => (await ada.api.get('/competitors')).status === 200);
  } finally {
    await early.close();
    await fresh.close();
  }
});
