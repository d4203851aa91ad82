// What the page of cloud storage says when something is in the way: of a
// connection that has come to an end, of a provider that does not answer or
// refuses the installation, of an answer that is not good; and that from each of
// them there is a way on (way 153 of docs/security.md).
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Person } from './lib/person.mjs';
import { startWorld } from './lib/world.mjs';

let world;
let ada;
const EMAIL = 'ada@drive.example';
const NAMES = { google_drive: 'Google Drive', onedrive: 'OneDrive', dropbox: 'Dropbox' };
const rows = (text, values) => world.database.sql(text, values);
const panel = (name) => ada.page.getByRole('region', { name, exact: true });
const tell = (name, provider, given = {}) => world.providers.call('POST', name, { provider, ...given });
const browse = (name) => panel(name).getByRole('button', { name: 'Browse files' }).click();
const says = (text) => ada.page.getByRole('alert').getByText(text).first().waitFor();

async function connected(provider) {
  await tell('knobs', provider, { faults: [] });
  await ada.connect(NAMES[provider]);
  await ada.page.getByRole('button', { name: EMAIL }).click();
  await ada.page.getByText(`${NAMES[provider]} is connected.`).waitFor();
}
/** The next use of the connection needs a new token. */
const stale = (provider) => rows(`UPDATE orla.user_cloud_storage_tokens SET token_expires_at = now() - interval '1 minute' WHERE user_id = $1 AND provider = $2`, [ada.id, provider]);

before(async () => {
  world = await startWorld();
  for (const provider of Object.keys(NAMES)) {
    await tell('accounts', provider, { email: EMAIL, files: [1, 2, 3, 4, 5].map((i) => ({ path: `/letter ${i}.txt`, text: `The ${i}. letter\n` })) });
  }
  ada = await (await Person.arrive(world, 'Ada')).join();
});

after(async () => {
  await world?.close();
});

describe('a connection', () => {
  test('that the provider has ended says so, and is made anew from where it is said', async () => {
    await connected('google_drive');
    await tell('revoke', 'google_drive', { what: 'grant', account: EMAIL });
    await stale('google_drive');
    await browse('Google Drive');
    await says('The connection has ended.');
    await panel('Google Drive').getByText('Google Drive has ended the access. Connect again to go on.').waitFor();
    await panel('Google Drive').getByText(/^Last answer: The provider accepts the connection no longer/).waitFor();
    assert.match(await panel('Google Drive').innerText(), new RegExp(`Connected as ${EMAIL} since \\d`));
    assert.equal(await panel('Google Drive').getByRole('button', { name: 'Browse files' }).count(), 0);
    await panel('Google Drive').getByRole('button', { name: 'Connect again' }).click();
    await ada.page.getByRole('button', { name: EMAIL }).click();
    await ada.page.getByText('Google Drive is connected.').waitFor();
    await panel('Google Drive').getByText('Connected', { exact: true }).waitFor();
    await browse('Google Drive');
    await ada.page.getByText('letter 1.txt', { exact: true }).first().waitFor();
  });

  test('of an installation that the provider refuses is the operator\'s', async () => {
    await connected('onedrive');
    await tell('faults', 'onedrive', { endpoint: 'token', status: 401, body: { error: 'invalid_client', error_codes: [7000215] } });
    await stale('onedrive');
    await browse('OneDrive');
    await says('The provider refuses this installation.');
    await panel('OneDrive').getByText('Needs the operator').waitFor();
    await panel('OneDrive').getByText('Whoever runs this site has to look at it.').waitFor();
    await panel('OneDrive').getByRole('button', { name: 'Disconnect' }).waitFor();
  });

  test('to a provider that does not answer is kept, and goes on by another try', async () => {
    await connected('dropbox');
    await tell('faults', 'dropbox', { endpoint: 'token', status: 503 });
    await stale('dropbox');
    await browse('Dropbox');
    await says('The provider does not answer.');
    await panel('Dropbox').getByText('Trying again', { exact: true }).waitFor();
    await panel('Dropbox').getByText('you need not do anything').waitFor();
    await tell('knobs', 'dropbox', { faults: [] });
    // the worker asks again by itself, after a while that need not pass here
    await rows(`UPDATE orla.user_cloud_storage_tokens SET not_before = NULL, next_request_at = now() WHERE provider = 'dropbox'`);
    await world.eventually('a token', async () => {
      if (await ada.page.getByText('letter 1.txt', { exact: true }).count() > 0) return true;
      await rows(`UPDATE orla.user_cloud_storage_tokens SET not_before = NULL WHERE provider = 'dropbox' AND status = 'retrying'`);
      await ada.page.getByRole('button', { name: 'Try again' }).click({ timeout: 1000 }).catch(() => {});
      return false;
    });
    await ada.open('cloud-storage');
    await panel('Dropbox').getByText('Connected', { exact: true }).waitFor();
  });

  test('that was ended in another tab is not connected here, either', async () => {
    await ada.open('cloud-storage');
    await rows(`UPDATE orla.user_cloud_storage_tokens SET status = 'disconnected', is_active = false, access_token = NULL, refresh_token = NULL WHERE provider = 'dropbox'`);
    await browse('Dropbox');
    await says('Not connected.');
    await panel('Dropbox').getByText('Not connected', { exact: true }).waitFor();
    await panel('Dropbox').getByRole('button', { name: 'Connect' }).waitFor();
  });
});

describe('an answer of a provider', () => {
  /** A state that is good now. */
  async function state(provider) {
    await ada.connect(NAMES[provider]);
    return new URL(ada.page.url()).searchParams.get('state');
  }
  async function lands(address, ...texts) {
    await ada.page.goto(`${world.url}/${address}`);
    await ada.page.getByRole('heading', { name: 'Not connected' }).waitFor();
    for (const text of texts) await says(text);
    assert.ok(!ada.page.url().includes('?'), 'nothing of it is left in the address');
    await ada.page.getByRole('link', { name: 'Back to cloud storage' }).click();
    await panel('Dropbox').getByText('Not connected').waitFor();
  }

  test('that is an error is said in words', async () => {
    await lands(`oauth-callback.dropbox?error=temporarily_unavailable&state=${await state('dropbox')}`, 'The provider gave no access.', 'The provider sent an error instead of a code.');
    await lands(`oauth-callback.dropbox?error=access_denied&state=${await state('dropbox')}`, 'Access was denied at the provider.');
    await lands(`oauth-callback.dropbox?code=made-up&state=${await state('dropbox')}`, 'The provider refused the code.', 'Connect again.');
    const refused = await state('dropbox');
    await tell('faults', 'dropbox', { endpoint: 'token', status: 401, body: { error: 'invalid_client' }, times: 1 });
    await lands(`oauth-callback.dropbox?code=x&state=${refused}`, 'The provider refuses this installation.');
  });

  test('to a state that is used, too old, of another provider or of nobody is refused', async () => {
    const used = await state('dropbox');
    await lands(`oauth-callback.dropbox?error=access_denied&state=${used}`, 'Access was denied at the provider.');
    await lands(`oauth-callback.dropbox?code=x&state=${used}`, 'Unknown state.', 'It was used, has expired, or belongs to another session or provider.');
    const old = await state('dropbox');
    await rows(`UPDATE orla.oauth_states SET created_at = now() - interval '20 minutes', expires_at = now() - interval '1 second'`);
    await lands(`oauth-callback.dropbox?code=x&state=${old}`, 'Unknown state.', 'Connect again.');
    await lands(`oauth-callback.google_drive?code=x&state=${await state('dropbox')}`, 'Unknown state.');
    await lands('oauth-callback.dropbox', 'Unknown state.');
    await lands('oauth-callback.dropbox?code=x&state=nonsense', 'Unknown state.');
    assert.deepEqual(await rows(`SELECT 1 FROM orla.user_cloud_storage_tokens WHERE provider = 'dropbox' AND status = 'connected'`), []);
  });

  test('of another provider than the one that was asked is refused, and so is whoever begins without an end', async () => {
    const eve = await (await Person.arrive(world, 'Eve')).join();
    await eve.connect('Google Drive');
    const asked = new URL(eve.page.url()).searchParams.get('state');
    await eve.page.goto(`${world.url}/oauth-callback.google_drive?code=x&iss=${encodeURIComponent('https://evil.example')}&state=${asked}`);
    await eve.page.getByRole('alert').getByText('The code is of another provider.').waitFor();
    await rows(`INSERT INTO orla.oauth_states (user_id, state_hash, provider, session_id, code_verifier, redirect_uri, expires_at)
      SELECT user_id, encode(sha256(i::text::bytea), 'hex'), provider, session_id, code_verifier, redirect_uri, expires_at FROM orla.oauth_states, generate_series(1, 50) AS i WHERE user_id = $1`, [eve.id]);
    await eve.open('cloud-storage');
    await eve.page.getByRole('button', { name: 'Connect Google Drive' }).click();
    await eve.page.getByRole('alert').getByText('Too many connections were begun.').waitFor();
    await eve.page.getByRole('alert').getByText('Wait ten minutes.').waitFor();
    await eve.hasNoProblems();
    await eve.leave();
  });

  test('that comes to a browser in which nobody is signed in completes nothing', async () => {
    const eve = await Person.arrive(world, 'Eve');
    await eve.page.goto(`${world.url}/oauth-callback.dropbox?code=x&state=${await state('dropbox')}`);
    await eve.page.getByRole('heading', { name: 'Not connected' }).waitFor();
    await eve.page.getByText('You are not signed in.').waitFor();
    await eve.hasNoProblems();
    await eve.leave();
  });
});

describe('files', () => {
  test('come page by page, and the search has pages, too', async () => {
    await tell('knobs', 'google_drive', { page_limit: 2 });
    await ada.open('cloud-storage');
    await browse('Google Drive');
    const shown = () => ada.page.locator('#files > ul > li').count();
    await ada.page.locator('#files > ul > li').nth(1).waitFor();
    assert.equal(await shown(), 2);
    for (const wanted of [4, 5]) {
      await ada.page.getByRole('button', { name: 'Show more' }).click();
      await ada.page.locator('#files > ul > li').nth(wanted - 1).waitFor();
      assert.equal(await shown(), wanted);
    }
    assert.equal(await ada.page.getByRole('button', { name: 'Show more' }).count(), 0, 'that was the last');
    await ada.page.getByRole('searchbox', { name: 'Search' }).fill('letter');
    await ada.page.getByRole('button', { name: 'Search', exact: true }).click();
    await ada.page.locator('#crumbs').getByText('Search').waitFor();
    await ada.page.getByRole('button', { name: 'Show more' }).click();
    await ada.page.locator('#files > ul > li').nth(3).waitFor();
    await ada.page.getByRole('searchbox', { name: 'Search' }).fill('of nobody');
    await ada.page.getByRole('button', { name: 'Search', exact: true }).click();
    await ada.page.getByText('Nothing found').waitFor();
    await tell('knobs', 'google_drive', { page_limit: null });
  });

  test('of a provider that asks to wait are for later, and the connection stays', async () => {
    await tell('faults', 'google_drive', { endpoint: 'list', throttle: true, retry_after: 3600 });
    await ada.open('cloud-storage');
    await browse('Google Drive');
    await says('The provider asks to wait.');
    await panel('Google Drive').getByText('Connected', { exact: true }).waitFor();
    await tell('knobs', 'google_drive', { faults: [] });
    await ada.page.getByRole('button', { name: 'Try again' }).click();
    await ada.page.getByText('letter 1.txt', { exact: true }).first().waitFor();
  });

  test('that cannot be imported leave the dialog open, with the reason', async () => {
    await tell('faults', 'google_drive', { endpoint: '*', status: 404 });
    await ada.page.getByRole('button', { name: 'Import letter 1.txt' }).click();
    const dialog = ada.page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await dialog.getByRole('alert').getByText('No such file.').waitFor();
    await tell('knobs', 'google_drive', { faults: [] });
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await ada.page.getByText('is in your brand material').waitFor();
    assert.equal((await rows('SELECT 1 FROM orla.brand_voice_assets')).length, 1);
    await ada.hasNoProblems();
  });
});
