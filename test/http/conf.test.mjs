// What docs/postgrest.conf says is what the tests above ran with; here, what
// it must not say, and what the database adds to it.
// Way 48 of docs/security.md.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseFile, readDatabaseSettings, readSettings } from './lib/postgrest/config.mjs';
import { startDatabase } from './lib/database.mjs';
import { CONF } from './lib/layer.mjs';

let database;
before(async () => { database = await startDatabase(); });
after(() => database?.close());

test('the documented configuration holds no secret', () => {
  const settings = parseFile(readFileSync(CONF, 'utf8'));
  assert.equal(settings['jwt-secret'], undefined);
  assert.doesNotMatch(settings['db-uri'], /:[^/@]+@/, 'no password');
});

test('the documented configuration exposes orla_api alone, and lets nobody undo a request', () => {
  const settings = readSettings(CONF, {});
  assert.equal(settings['db-schemas'], 'orla_api');
  assert.equal(settings['db-anon-role'], 'orla_anon');
  assert.equal(settings['db-pre-request'], 'orla.pre_request');
  assert.equal(settings['db-tx-end'], 'commit');
  assert.equal(settings['db-plan-enabled'], 'false');
  assert.equal(settings['server-host'], '127.0.0.1');
});

test('the database gives public keys and the audience, and contradicts no line of the file', async () => {
  await database.sql('SELECT orla_api.jwks()');
  const login = await database.connectLogin();
  try {
    const file = readSettings(CONF, {});
    const settings = await readDatabaseSettings(login, file);
    const { keys } = JSON.parse(settings['jwt-secret']);
    assert.ok(Array.isArray(keys));
    assert.ok(keys.every((key) => key.d === undefined && key.k === undefined));
    assert.equal(settings['jwt-aud'], 'orla');
    for (const name of Object.keys(parseFile(readFileSync(CONF, 'utf8')))) {
      assert.equal(settings[name], file[name], name);
    }
  } finally {
    await login.end();
  }
});
