// From sign-up to sign-out, the same through every layer and every pooler.
import assert from 'node:assert/strict';
import { CREATE, NAMES, call, data, error, joinByGraphql, refused } from './graphql.mjs';
import { PASSWORD, signIn, signUp } from './people.mjs';

const KEYS = ['access_token', 'expires_in', 'refresh_token', 'token_type', 'user'];

/** Over PostgREST. */
export async function restLifecycle(anybody, database) {
  const ada = await signUp(anybody, database, 'Ada');

  const session = await signIn(anybody, ada.email);
  assert.deepEqual(Object.keys(session).sort(), KEYS);
  assert.equal(session.token_type, 'bearer');
  assert.equal(session.user.id, ada.id);
  assert.equal(session.user.email_verified, true);

  const api = anybody.as({ token: session.access_token });
  const written = await api.post('/competitors', { name: 'Rival' }, { prefer: 'return=representation' });
  assert.equal(written.status, 201, written.text);
  assert.equal(written.body[0].user_id, ada.id);
  const read = await api.get('/competitors?select=name');
  assert.deepEqual([read.status, read.body], [200, [{ name: 'Rival' }]]);
  const me = await api.rpc('me');
  assert.deepEqual([me.status, me.body.email], [200, ada.email]);

  const refreshed = await anybody.rpc('refresh', { refresh_token: session.refresh_token });
  assert.equal(refreshed.status, 200, refreshed.text);
  const again = anybody.as({ token: refreshed.body.access_token });
  assert.equal((await again.get('/competitors')).body.length, 1);

  const out = await again.rpc('logout', { refresh_token: refreshed.body.refresh_token });
  assert.deepEqual([out.status, Object.keys(out.body)], [200, ['message']]);
  for (const ended of [api, again]) {
    const answer = await ended.get('/competitors');
    assert.deepEqual([answer.status, answer.body.code, answer.body.message], [401, 'PT401', 'access token refused'], answer.text);
  }
  const late = await anybody.rpc('refresh', { refresh_token: refreshed.body.refresh_token });
  assert.deepEqual([late.status, late.body.code], [401, 'PT401'], late.text);
}

/** Over PostGraphile. */
export async function graphqlLifecycle(anybody, database) {
  const eve = await joinByGraphql(anybody, database, 'Eve');

  const session = await call(anybody, 'login', { email: eve.email, password: PASSWORD });
  assert.deepEqual(Object.keys(session).sort(), KEYS);
  assert.equal(session.user.id, eve.id);

  const api = anybody.as({ token: session.access_token });
  assert.equal((await data(api, '{ me }')).me.email, eve.email);
  const { createCompetitor: { competitor } } = await data(api, CREATE, { name: 'Rival' });
  assert.equal(competitor.name, 'Rival');
  const { allCompetitors } = await data(api, NAMES);
  assert.deepEqual(allCompetitors, { totalCount: 1, nodes: [{ rowId: competitor.rowId, name: 'Rival' }] });

  const next = await call(anybody, 'refresh', { refreshToken: session.refresh_token });
  const again = anybody.as({ token: next.access_token });
  assert.equal((await data(again, NAMES)).allCompetitors.totalCount, 1);

  await call(again, 'logout', { refreshToken: next.refresh_token });
  for (const ended of [api, again]) {
    assert.deepEqual(await error(ended, NAMES), { message: 'access token refused', code: 'PT401', status: 401 });
  }
  const late = await refused(anybody, 'refresh', { refreshToken: next.refresh_token });
  assert.deepEqual([late.code, late.status], ['PT401', 401]);
}
