// The session of a browser: cookies that no script can read, renewed when they
// must be, of no use to other sites (way 62 of docs/security.md); and pages that
// show hostile text as text.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Person, PASSWORD } from './lib/person.mjs';
import { startWorld } from './lib/world.mjs';

let world;
let ada;
const rows = (text, values) => world.database.sql(text, values);
const cookies = async (person) => Object.fromEntries((await person.context.cookies(world.url)).map((cookie) => [cookie.name, cookie]));

/** Counts the requests for a path while something is done. */
async function counting(person, path, work) {
  let n = 0;
  const listen = (request) => { if (request.url().includes(path)) n++; };
  person.context.on('request', listen);
  await work();
  person.context.off('request', listen);
  return n;
}

/** The session's cookie as it was, but for its last letters. */
async function spoil(person, name = 'orla_session') {
  const { [name]: cookie } = await cookies(person);
  await person.context.addCookies([{ ...cookie, value: `${cookie.value.slice(0, -6)}AAAAAA` }]);
}

before(async () => {
  world = await startWorld();
  ada = await (await Person.arrive(world, 'Ada')).join();
});

after(async () => {
  await world?.close();
});

describe('the cookies', () => {
  test('are out of reach of scripts and of other sites', async () => {
    const all = await cookies(ada);
    for (const name of ['orla_session', 'orla_refresh']) {
      const { httpOnly, sameSite, path, value, expires } = all[name];
      assert.deepEqual({ httpOnly, sameSite, path }, { httpOnly: true, sameSite: 'Strict', path: '/' }, name);
      assert.ok(value.length > 40 && expires > Date.now() / 1000);
    }
    assert.equal(await ada.page.evaluate(() => document.cookie), '');
    const kept = await ada.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    assert.equal(kept, '[{},{}]');
  });

  test('are all that has the tokens: no answer does', async () => {
    const post = (name, body, cookie = '') => fetch(`${world.url}/${name}`, {
      method: 'POST', headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', cookie }, body: JSON.stringify(body),
    });
    const signedIn = await post('sign_in', { email: ada.email, password: PASSWORD });
    const set = signedIn.headers.getSetCookie();
    assert.deepEqual(set.map((one) => one.split('=')[0]).sort(), ['orla_device', 'orla_refresh', 'orla_session']);
    assert.deepEqual(Object.keys(await signedIn.clone().json()).sort(), ['expires_in', 'user']);
    const refreshed = await post('refresh_session', {}, set.map((one) => one.split(';')[0]).join('; '));
    assert.equal(refreshed.status, 200);
    assert.deepEqual(refreshed.headers.getSetCookie().map((one) => one.split('=')[0]).sort(), ['orla_refresh', 'orla_session']);
    for (const answer of [signedIn, refreshed]) assert.ok(!/eyJ|_token|bearer/.test(await answer.text()), 'no token');
    const out = await post('sign_out', {}, refreshed.headers.getSetCookie().map((one) => one.split(';')[0]).join('; '));
    assert.deepEqual(out.headers.getSetCookie().map((one) => /^(\w+)=; Path=\/; Max-Age=0;/.exec(one)?.[1]).sort(), ['orla_refresh', 'orla_session']);
    const again = await post('refresh_session', {}, refreshed.headers.getSetCookie().map((one) => one.split(';')[0]).join('; '));
    assert.equal(again.status, 401, 'the session is over');
  });

  test('go with the sign-out, and the session with them', async () => {
    const eve = await (await Person.arrive(world, 'Eve')).join();
    const before = await cookies(eve);
    await eve.page.getByRole('button', { name: 'Sign out' }).click();
    await eve.page.getByText('You are signed out.').waitFor();
    assert.deepEqual(Object.keys(await cookies(eve)).filter((name) => name !== 'orla_device'), []);
    await eve.context.addCookies(Object.values(before));
    await eve.page.goto(`${world.url}/library`);
    await eve.page.waitForURL('**/sign-in*');
    assert.deepEqual(Object.keys(await cookies(eve)).filter((name) => name !== 'orla_device'), [], 'dead ones are taken away');
    await eve.leave();
  });
});

describe('a 401', () => {
  test('renews the session once, and goes on', async () => {
    await spoil(ada);
    const n = await counting(ada, 'refresh_session', async () => {
      await ada.open('dashboard');
      await ada.page.getByRole('heading', { level: 1, name: 'Ada' }).waitFor();
    });
    assert.equal(n, 1, 'one for all requests of the page');
    assert.equal((await rows('SELECT 1 FROM orla.sessions WHERE user_id = $1 AND ended_at IS NULL', [ada.id])).length, 1, 'the same session');
  });

  test('in the middle of a work does the same, and loses nothing', async () => {
    await ada.open('library');
    await ada.page.getByRole('button', { name: 'Write yourself' }).click();
    await ada.page.getByRole('textbox', { name: 'Title' }).fill('Kept');
    await spoil(ada);
    const n = await counting(ada, 'refresh_session', async () => {
      await ada.page.getByRole('button', { name: 'Save' }).click();
      await ada.page.getByRole('button', { name: 'Kept' }).waitFor();
    });
    assert.equal(n, 1);
    assert.equal((await rows(`SELECT 1 FROM orla.content_library WHERE title = 'Kept'`)).length, 1, 'once');
  });

  test('of a session that is over asks for the password, and what was written is still there', async () => {
    await ada.page.getByRole('button', { name: 'Write yourself' }).click();
    await ada.page.getByRole('textbox', { name: 'Title' }).fill('Not lost');
    await rows(`UPDATE orla.sessions SET ended_at = now(), end_reason = 'test' WHERE user_id = $1`, [ada.id]);
    await ada.page.getByRole('button', { name: 'Save' }).click();
    const ask = ada.page.getByRole('dialog', { name: 'Sign in again' });
    await ask.getByRole('textbox', { name: 'Password' }).fill('Wrong-Horse-42');
    await ask.getByRole('button', { name: 'Sign in' }).click();
    await ask.getByText('That did not match.').waitFor();
    await ask.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
    await ask.getByRole('button', { name: 'Sign in' }).click();
    await ada.page.getByRole('button', { name: 'Not lost' }).waitFor();
    assert.equal((await rows(`SELECT 1 FROM orla.content_library WHERE title = 'Not lost' AND user_id = $1`, [ada.id])).length, 1);
  });

  test('does not shut anybody out of the pages: with bad cookies each of them opens', async () => {
    await spoil(ada);
    await spoil(ada, 'orla_refresh');
    for (const name of ['sign-in', 'sign-up', 'forgot-password', 'verify-email', 'reset-password', 'oauth-callback', 'oauth-callback.dropbox', 'dashboard',
      'library', 'calendar', 'strategy', 'brand-material', 'jobs', 'cloud-storage', 'account']) {
      const answer = await ada.context.request.get(`${world.url}/${name}`, { headers: { accept: 'text/html' } });
      assert.deepEqual([answer.status(), answer.headers()['content-type']], [200, 'text/html; charset=utf-8'], name);
    }
    await ada.page.goto(`${world.url}/calendar`);
    await ada.page.waitForURL('**/sign-in*');
    await ada.signIn();
    await ada.page.waitForURL('**/calendar');
  });
});

describe('a sign-in', () => {
  test('leads to a page of ours alone', async () => {
    for (const next of ['//localhost/evil', 'https://localhost/rpc/', '/\\localhost', 'javascript:alert(1)', '/rpc/../../evil', '/other']) {
      await ada.page.goto('about:blank');
      await ada.page.goto(`${world.url}/sign-in#next=${encodeURIComponent(next)}`);
      await ada.signIn();
      await ada.page.waitForURL(/\/rpc\/dashboard$/);
    }
  });

  test('in another tab as somebody else changes this tab, too', async () => {
    const eve = await (await Person.arrive(world, 'Eve')).join();
    const other = await ada.tab();
    await ada.open('dashboard');
    await ada.open('sign-in', other);
    const { email } = ada;
    ada.email = eve.email;
    await ada.signIn(PASSWORD, other);
    await ada.page.getByRole('heading', { level: 1, name: 'Eve' }).waitFor();
    ada.email = email;
    await other.goto(`${world.url}/sign-in`);
    await ada.signIn(PASSWORD, other);
    await ada.page.getByRole('heading', { level: 1, name: 'Ada' }).waitFor();
    await other.close();
    await eve.leave();
  });
});

describe('another site', () => {
  let site;
  let address;
  const done = [];
  before(async () => {
    site = createServer((request, response) => {
      if (request.url.startsWith('/done')) done.push(request.url);
      response.writeHead(200, { 'content-type': 'text/html' }).end(request.url.startsWith('/done') ? '' : `<!doctype html><title>Evil</title><script>
        const at = ${JSON.stringify(world.url)};
        const send = (path, type, body) => fetch(at + path, { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'content-type': type }, body });
        Promise.allSettled([
          send('/logout_everywhere', 'text/plain', '{}'), send('/sign_out', 'text/plain', '{}'), send('/refresh_session', 'application/x-www-form-urlencoded', ''),
          fetch(at + '/sign_in', { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: '{"email":"eve@example.org","password":"x"}' }),
          fetch(at.replace('rpc', 'competitors'), { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: '{"name":"forged"}' }),
        ]).then(() => fetch('/done'));
      </script><iframe src="${world.url}/dashboard"></iframe>`);
    });
    await new Promise((resolve) => { site.listen(0, '127.0.0.1', resolve); });
    address = `http://localhost:${site.address().port}/`;
  });
  after(() => site.close());

  test('can neither write, nor sign in or out, nor put a frame around a page', async () => {
    await ada.open('dashboard');
    const evil = await ada.tab();
    await evil.goto(address);
    await world.eventually('all tried', () => done.length > 0);
    assert.deepEqual(await rows(`SELECT 1 FROM orla.competitors WHERE name = 'forged'`), []);
    assert.equal((await rows('SELECT 1 FROM orla.sessions WHERE user_id = $1 AND ended_at IS NULL', [ada.id])).length > 0, true);
    const frame = evil.frames().find((one) => one !== evil.mainFrame());
    assert.ok(!(await frame.content()).includes('data-base'), 'the frame is empty');
    await evil.close();
    await ada.open('dashboard');
    await ada.page.getByRole('heading', { level: 1, name: 'Ada' }).waitFor();
  });

  test('with the cookies of a browser, as old ones send them, is refused by what it says of itself', async () => {
    const { orla_session, orla_refresh } = await cookies(ada);
    const cookie = `orla_session=${orla_session.value}; orla_refresh=${orla_refresh.value}`;
    const post = (path, headers) => fetch(`${world.url}/${path}`, { method: 'POST', headers: { cookie, 'content-type': 'application/json', ...headers }, body: '{}' });
    for (const path of ['sign_out', 'refresh_session', 'logout_everywhere']) {
      for (const headers of [{}, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'https://evil.example' }, { origin: 'null' }]) {
        const answer = await post(path, headers);
        assert.equal(answer.status, 403, `${path} ${JSON.stringify(headers)}`);
        assert.equal((await answer.json()).code, 'PT403');
        assert.equal(answer.headers.get('set-cookie'), null);
      }
    }
    const bearer = await post('me', { authorization: `Bearer ${orla_session.value}`, 'sec-fetch-site': 'same-origin' });
    assert.equal(bearer.status, 401, 'a bearer token and the cookie at once');
    const own = await post('me', { origin: new URL(world.url).origin });
    assert.equal(own.status, 200, 'our own page, in a browser that knows no Sec-Fetch-Site');
  });
});

describe('hostile text', () => {
  const EVIL = '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script><svg onload=window.pwned=1>{{7*7}}';
  const LINK = 'javascript:window.pwned=1';

  async function plant() {
    const id = ada.id;
    await rows('UPDATE orla.users SET name = $2, organization_name = $2 WHERE id = $1', [id, EVIL]);
    const [{ id: post }] = await rows(`INSERT INTO orla.content_library (user_id, title, content, platform, tags, media_url, content_type, status)
      VALUES ($1, $2, $2, $2, ARRAY[$2], $3, 'blog', 'draft') RETURNING id`, [id, EVIL, LINK]);
    await rows(`INSERT INTO orla.content_calendar (user_id, title, platform, notes, content, content_type, scheduled_date, media_url)
      VALUES ($1, $2, $2, $2, $2, $2, now() + interval '2 hours', $3), ($1, NULL, $2, NULL, NULL, NULL, now() + interval '3 hours', $3)`, [id, EVIL, LINK]);
    await rows(`UPDATE orla.content_calendar SET content_id = $2 WHERE user_id = $1 AND title IS NULL`, [id, post]);
    await rows(`INSERT INTO orla.brand_voice_assets (user_id, filename, category, file_type, content_preview, metadata)
      VALUES ($1, $2, 'guidelines', $2, $2, jsonb_build_object('full_text', $2::text))`, [id, EVIL]);
    await rows(`INSERT INTO orla.brand_strategy (user_id, brand_voice, messaging_pillars, language_patterns, dos_and_donts, target_audience, content_themes, competitive_positioning, brand_colors, brand_fonts, logo_url)
      SELECT $1, jsonb_build_object('tone', e, 'personality', jsonb_build_array(e), 'key_characteristics', jsonb_build_array(e)), ARRAY[e],
        jsonb_build_object('writing_style', e, 'preferred_phrases', jsonb_build_array(e), 'vocabulary', e), jsonb_build_object('dos', jsonb_build_array(e), 'donts', jsonb_build_array(e)),
        jsonb_build_object('primary', e, 'characteristics', jsonb_build_array(e)), ARRAY[e], jsonb_build_object('unique_value', e, 'avoid', jsonb_build_array(e)),
        ARRAY[e, '#12594f"><script>'], ARRAY[e], $3 FROM (SELECT $2::text) AS x (e)`, [id, EVIL, LINK]);
    const [{ id: competitor }] = await rows(`INSERT INTO orla.competitors (user_id, name, industry, location) VALUES ($1, $2, $2, $2) RETURNING id`, [id, EVIL]);
    await rows(`INSERT INTO orla.competitor_analyses (user_id, competitor_id, threat_level, strategic_summary, marketing_they_do_well, positioning_messaging)
      VALUES ($1, $2, 'high', $3, ARRAY[$3], $3)`, [id, competitor, EVIL]);
    await rows(`INSERT INTO orla.jobs (user_id, kind, status, error) VALUES ($1, $2, 'failed', $3), ($1, 'generate_content', 'queued', $3)`, [id, EVIL.slice(0, 90), EVIL]);
    await rows(`UPDATE orla.sessions SET user_agent = $2 WHERE user_id = $1`, [id, EVIL]);
    await rows(`INSERT INTO orla.user_cloud_storage_tokens (user_id, provider, provider_user_id, provider_email, access_token, status, last_error)
      VALUES ($1, 'dropbox', 'x', $2, orla.seal('x', $1, 'user_cloud_storage_tokens|dropbox|access_token'), 'needs_reconnect', $2)`, [id, EVIL]);
  }

  /** The text is there, as text; nothing was made of it. */
  async function isText(what, times = 1) {
    const found = await ada.page.evaluate((evil) => {
      const texts = [document.body.innerText, ...[...document.querySelectorAll('input, textarea')].map(({ value }) => value)].join('\n');
      return {
        shown: texts.includes(evil), pwned: window.pwned,
        foreign: [...document.querySelectorAll('main img, main script, dialog img, dialog script, [onerror], [onload], iframe, [href^="javascript:"]')].map((one) => one.outerHTML),
      };
    }, EVIL);
    assert.deepEqual(found, { shown: times > 0, pwned: undefined, foreign: [] }, what);
  }

  test('is shown as text on every page and in every dialog', async () => {
    await plant();
    await ada.open('dashboard');
    await isText('dashboard');
    await ada.open('library');
    await isText('library');
    await ada.page.locator('.card h2 button').filter({ hasText: 'onerror' }).click();
    await isText('library, one text');
    await ada.page.getByRole('button', { name: 'Delete' }).click();
    await isText('library, the question');
    await ada.open('calendar');
    await isText('calendar, month');
    await ada.page.getByRole('radio', { name: 'List' }).check();
    await ada.page.locator('button.title').first().waitFor();
    await isText('calendar, list');
    await ada.page.locator('button.title').first().click();
    await isText('calendar, one entry');
    await ada.open('strategy');
    await isText('strategy');
    await ada.page.locator('#competitors button.title').click();
    await isText('strategy, a competitor');
    await ada.page.keyboard.press('Escape');
    await ada.page.getByRole('button', { name: 'Edit' }).click();
    await isText('strategy, the form');
    await ada.open('brand-material');
    await isText('brand material');
    await ada.page.locator('.files button.title').first().click();
    await ada.page.locator('dialog .reading').waitFor();
    await isText('brand material, one file');
    await ada.open('jobs');
    await isText('jobs');
    await ada.open('cloud-storage');
    await isText('cloud storage');
    await ada.open('account');
    await isText('account');
  });

  test('in names of files at a provider is text, too', async () => {
    const file = '<img src=x onerror=window.pwned=1>.txt';
    await world.providers.call('POST', 'accounts', { provider: 'google_drive', email: 'ada@drive.example', files: [
      { path: '/<script>window.pwned=1<∕script>/inside.txt', text: 'x' }, { folder: '/', name: file, text: 'x' }] });
    await ada.connect('Google Drive');
    await ada.page.getByRole('button', { name: 'ada@drive.example' }).click();
    await ada.page.getByText('Google Drive is connected.').waitFor();
    await ada.page.getByRole('button', { name: 'Browse files of Google Drive' }).click();
    await ada.page.getByText(file, { exact: true }).first().waitFor();
    await ada.page.getByRole('button', { name: /^<script>/ }).click();
    await ada.page.getByText('inside.txt', { exact: true }).first().waitFor();
    assert.equal(await ada.page.evaluate(() => window.pwned), undefined);
  });

  test('in an address is text, too', async () => {
    for (const address of [`verify-email?token=${encodeURIComponent(EVIL)}`, `oauth-callback?error=${encodeURIComponent(EVIL)}&state=${encodeURIComponent(EVIL)}`,
      `cloud-storage#connected=${encodeURIComponent(EVIL)}`, `library#id=${encodeURIComponent(EVIL)}`, `calendar#plan=${encodeURIComponent(EVIL)}`]) {
      await ada.page.goto(`${world.url}/${address}`);
      await ada.page.waitForLoadState('networkidle');
      assert.equal(await ada.page.evaluate(() => window.pwned), undefined, address);
    }
  });

  test('finds a browser that would have let nothing through anyway', async () => {
    const [made, markup] = await ada.page.evaluate(() => {
      const tried = [];
      try {
        document.body.innerHTML = '<p>made of text</p>';
        tried.push(true);
      } catch {
        tried.push(false);
      }
      const link = document.createElement('a');
      try {
        link.setAttribute('onclick', 'window.pwned = 1');
      } catch {
        // refused even before it is clicked
      }
      link.click();
      return [tried[0], window.pwned];
    });
    assert.deepEqual([made, markup], [false, undefined]);
    await world.eventually('a report of it', () => ada.problems.some((one) => one.startsWith('policy: require-trusted-types-for')));
    ada.problems = ada.problems.filter((one) => !/trusted-types|policy: script-src-attr|TrustedHTML|Refused to execute inline event handler|Executing inline event handler/.test(one));
    await ada.hasNoProblems();
  });
});
