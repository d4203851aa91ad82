// The session of a browser: cookies that no script can read, renewed when they
// must be, of no use to other sites; and pages that show hostile text as text (ways
// 62, 144, 145, 146, 147, 148, 149 and 150 of docs/security.md).
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
  world = await startWorld({ remembers: true });
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

describe('after the sign-out', () => {
  test('the browser has nothing of the person any more, neither by its back button nor for whoever signs in next', async () => {
    const fay = await (await Person.arrive(world, 'Fay')).join();
    await rows(`INSERT INTO orla.content_library (user_id, title, content) VALUES ($1, 'Of Fay alone', 'x')`, [fay.id]);
    const { page } = fay;
    await fay.open('library');
    await page.getByRole('button', { name: 'Of Fay alone' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    // by history alone: what the browser kept, it would show
    await page.evaluate(() => history.back());
    await page.waitForURL('**/sign-in#next=*');
    assert.equal(await page.getByText('Of Fay alone').count(), 0);
    fay.email = ada.email;
    await fay.signIn();
    await page.waitForURL('**/library');
    await page.getByText('Your library is empty').waitFor();
    assert.equal(await page.getByText('Of Fay alone').count(), 0);
    assert.ok(!(await page.locator('.side').innerText()).includes('Fay'));
    for (const path of ['library', '../content_library', '../rpc/me']) {
      const kept = await page.evaluate((at) => fetch(at, { cache: 'only-if-cached', mode: 'same-origin' }).then((answer) => answer.text(), () => null), `${world.url}/${path}`);
      assert.ok(kept === null || !/Fay/.test(kept), `${path} is in no cache`);
    }
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    await fay.leave();
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

  test('of many requests at once renews it once, also where one of them is told late', async () => {
    await ada.open('dashboard');
    await spoil(ada);
    let renewed;
    const renewal = new Promise((resolve) => { renewed = resolve; });
    ada.page.on('response', function listen(answer) {
      if (!answer.url().endsWith('/refresh_session')) return;
      ada.page.off('response', listen);
      answer.finished().then(renewed);
    });
    // sent with the old cookie, answered when there is a new one
    await ada.page.route('**/competitors?late=*', async (route) => {
      const answer = await route.fetch();
      assert.equal(answer.status(), 401);
      await renewal;
      await route.fulfill({ response: answer });
      await ada.page.unroute('**/competitors?late=*');
    });
    let answers;
    const n = await counting(ada, 'refresh_session', async () => {
      answers = await ada.page.evaluate(async () => {
        const { list } = await import(document.querySelector('link[rel=modulepreload]').href);
        return Promise.all([...Array.from({ length: 20 }, () => list('competitors', { select: 'id' })), list('competitors', { late: 'not.is.null' }).catch(({ status }) => status)]);
      });
    });
    assert.deepEqual(answers.slice(0, 20), Array(20).fill([]));
    assert.equal(answers[20], 400, 'it went on to what the server says of it with a session');
    assert.equal(n, 1, 'one for all');
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

  test('to a file that goes up does the same, and it is kept once', async () => {
    const page = await ada.tab();
    await ada.open('brand-material', page);
    await spoil(ada);
    const n = await counting(ada, 'refresh_session', async () => {
      await page.getByLabel('Choose files').setInputFiles([1, 2].map((i) => ({ name: `letter ${i}.txt`, mimeType: 'text/plain', buffer: Buffer.from('Dear all') })));
      for (const i of [1, 2]) await page.getByRole('button', { name: `letter ${i}.txt`, exact: true }).waitFor();
    });
    assert.equal(n, 1);
    assert.deepEqual((await rows('SELECT filename FROM orla.brand_voice_assets WHERE user_id = $1 ORDER BY 1', [ada.id])).map(({ filename }) => filename), ['letter 1.txt', 'letter 2.txt']);
    await rows('DELETE FROM orla.brand_voice_assets WHERE user_id = $1', [ada.id]);
    await page.close();
    await ada.page.bringToFront();
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
    // it goes there by itself, and would go on to after what follows
    await other.getByRole('heading', { level: 1, name: 'Eve' }).waitFor();
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
      </script><iframe src="${world.url}/dashboard"></iframe><a href="${world.url}/dashboard">In</a>${
        // forms need no script and no permission to be read: each of the types that they can have
        [['logout_everywhere', 'text/plain'], ['sign_out', 'application/x-www-form-urlencoded'], ['refresh_session', 'multipart/form-data'], ['../competitors', 'text/plain']]
          .map(([path, type]) => `<form method="post" action="${world.url}/${path}" enctype="${type}" target="_blank"><input name='{"name": "forged", "x": "' value='"}'><button>${path}</button></form>`).join('')}`);
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

  test('can send forms and gets nothing by them, and may link to a page', async () => {
    const evil = await ada.tab();
    await evil.goto(address);
    for (const path of ['logout_everywhere', 'sign_out', 'refresh_session', '../competitors']) {
      const [popup] = await Promise.all([ada.context.waitForEvent('page'), evil.getByRole('button', { name: path, exact: true }).click()]);
      await popup.waitForLoadState();
      assert.match(await popup.locator('body').textContent(), /"code":"(PT403|PT401|PGRST\d+|42501|28000)"/, path);
      await popup.close();
    }
    assert.deepEqual(await rows(`SELECT 1 FROM orla.competitors WHERE name = 'forged'`), []);
    assert.equal((await rows('SELECT 1 FROM orla.sessions WHERE user_id = $1 AND ended_at IS NULL', [ada.id])).length > 0, true);
    await evil.getByRole('link', { name: 'In' }).click();
    await evil.getByRole('heading', { level: 1, name: 'Ada' }).waitFor();
    await evil.close();
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
    // the types that a form of another site can send without being asked
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x']) {
      for (const headers of [{}, { 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }]) {
        const answer = await post('logout_everywhere', { 'content-type': type, ...headers });
        // refused for where it comes from, or by the layer for what it is
        assert.match(`${answer.status} ${(await answer.json()).code}`, /^(403 PT403|4\d\d PGRST\d+)$/, `${type} ${JSON.stringify(headers)}`);
      }
    }
    assert.equal((await rows('SELECT 1 FROM orla.sessions WHERE user_id = $1 AND ended_at IS NULL', [ada.id])).length > 0, true);
    const bearer = await post('me', { authorization: `Bearer ${orla_session.value}`, 'sec-fetch-site': 'same-origin' });
    assert.equal(bearer.status, 401, 'a bearer token and the cookie at once');
    const own = await post('me', { origin: new URL(world.url).origin });
    assert.equal(own.status, 200, 'our own page, in a browser that knows no Sec-Fetch-Site');
  });
});

// Hostile text, in every field that a page shows. What makes it findable is the
// name of its field at the end.
describe('hostile text', () => {
  const evil = (field) => `"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>{{7*7}} ${field}`;
  const EVIL = evil('address');
  const LINK = 'javascript:window.pwned=1';
  const TABLES = ['users', 'sessions', 'audit_log', 'user_cloud_storage_tokens', 'jobs', 'brand_strategy', 'brand_voice_assets', 'competitors',
    'competitor_analyses', 'content_library', 'content_calendar'];
  // Columns of text that take no such text, or are shown by no page.
  const NEVER = {
    users: 'password_hash role plan organization_slug verification_token reset_token profile_image_url timezone stripe_customer_id stripe_subscription_id subscription_status',
    sessions: 'end_reason', audit_log: 'event_status user_agent error_message metadata mac_key_id',
    user_cloud_storage_tokens: 'provider provider_user_id scopes status metadata selected_folders', jobs: 'status payload',
    brand_strategy: 'logo_url primary_color secondary_color', brand_voice_assets: 'category file_path', competitors: 'social_handles',
    competitor_analyses: 'threat_level raw_analysis analysis_type summary strengths weaknesses content_strategy messaging_themes opportunities_for_us what_to_avoid',
    content_library: 'content_type status metadata media_url', content_calendar: 'content_type status content media_url',
  };

  async function plant() {
    const id = ada.id;
    const e = evil;
    const insert = async (table, row) => {
      const names = Object.keys(row);
      const [made] = await rows(`INSERT INTO orla.${table} (user_id, ${names.join(', ')}) VALUES ($1, ${names.map((_, i) => `$${i + 2}`).join(', ')}) RETURNING id`, [id, ...Object.values(row)]);
      return made.id;
    };
    ada.email = e('users.email').toLowerCase();
    await rows('UPDATE orla.users SET name = $2, organization_name = $3, email = $4 WHERE id = $1', [id, e('users.name'), e('users.organization_name'), ada.email]);
    await rows('UPDATE orla.sessions SET user_agent = $2 WHERE user_id = $1', [id, `<img src=x onerror=window.pwned=1> sessions.user_agent`]);
    await insert('audit_log', { event_type: e('audit_log.event_type').replaceAll('_', ' ') });
    const post = await insert('content_library', { title: e('content_library.title'), content: e('content_library.content'), platform: e('content_library.platform'),
      tags: [e('content_library.tags')], media_url: LINK, content_type: 'blog', status: 'draft' });
    const at = (hours) => new Date(Date.now() + hours * 3600000);
    await insert('content_calendar', { title: e('content_calendar.title'), platform: e('content_calendar.platform'), notes: e('content_calendar.notes'), scheduled_date: at(1), media_url: LINK });
    await insert('content_calendar', { content_id: post, scheduled_date: at(2), content_type: 'blog', media_url: LINK });
    await insert('brand_voice_assets', { filename: e('brand_voice_assets.filename'), file_type: e('brand_voice_assets.file_type'), content_preview: e('brand_voice_assets.content_preview') });
    await insert('brand_voice_assets', { filename: `${e('brand_voice_assets.filename')} whole`, metadata: { full_text: e('brand_voice_assets.metadata.full_text') } });
    await insert('brand_voice_assets', { filename: `${e('brand_voice_assets.filename')} unread`, metadata: { text_outcome: e('brand_voice_assets.metadata.text_outcome') } });
    const s = (field) => e(`brand_strategy.${field}`);
    await insert('brand_strategy', {
      brand_voice: { tone: s('tone'), personality: [s('personality')], key_characteristics: [s('key_characteristics')] }, messaging_pillars: [s('messaging_pillars')],
      language_patterns: { writing_style: s('writing_style'), preferred_phrases: [s('preferred_phrases')], vocabulary: [s('vocabulary')] },
      dos_and_donts: { dos: [s('dos')], donts: [s('donts')] }, target_audience: { primary: s('primary'), characteristics: [s('characteristics')] },
      content_themes: [s('content_themes')], brand_colors: [s('brand_colors'), '#12594f"><script>'], brand_fonts: [s('brand_fonts')], logo_url: LINK,
      competitive_positioning: { unique_value: s('unique_value'), copy_and_adapt: [s('copy_and_adapt')], gaps_to_exploit: [s('gaps_to_exploit')], avoid: [s('avoid')] },
    });
    const c = (field) => e(`competitors.${field}`);
    const competitor = await insert('competitors', { name: c('name'), industry: c('industry'), location: c('location') });
    const a = (field) => e(`competitor_analyses.${field}`);
    await insert('competitor_analyses', { competitor_id: competitor, threat_level: 'high', strategic_summary: a('strategic_summary'), marketing_they_do_well: [a('marketing_they_do_well')],
      gaps_they_miss: [a('gaps_they_miss')], positioning_messaging: a('positioning_messaging'), content_opportunities: [a('content_opportunities')] });
    const j = (field) => `<img src=x onerror=window.pwned=1> jobs.${field}`;
    await insert('jobs', { kind: j('kind'), status: 'failed', error: j('error'), model: j('model') });
    await insert('jobs', { kind: 'market_research', status: 'succeeded', result: { [j('key')]: [j('result')] } });
    await insert('user_cloud_storage_tokens', { provider: 'dropbox', provider_user_id: 'x', provider_email: e('user_cloud_storage_tokens.provider_email'),
      status: 'needs_reconnect', last_error: e('user_cloud_storage_tokens.last_error') });
  }

  /** Each of these fields is there, as text; nothing was made of any. */
  async function isText(what, ...fields) {
    await ada.page.locator('html[data-ready]').waitFor({ state: 'attached' });
    const found = await ada.page.evaluate((wanted) => {
      const texts = [document.body.textContent, ...[...document.querySelectorAll('input, textarea')].map(({ value }) => value)];
      const marked = texts.join('\n').split(/<img src=x onerror="?window.pwned=1"?>(?:<script>window.pwned=1<\/script>\{\{7\*7\}\})? /).slice(1);
      return {
        missing: wanted.filter((field) => !marked.some((text) => text.startsWith(field))), pwned: window.pwned,
        foreign: [...document.querySelectorAll('main img, main script, .side img, dialog img, dialog script, [onerror], [onload], iframe, [href^="javascript:"]')].map((one) => one.outerHTML),
      };
    }, fields);
    assert.deepEqual(found, { missing: [], pwned: undefined, foreign: [] }, what);
  }
  const of = (table, names) => names.split(' ').map((name) => `${table}.${name}`);
  const STRATEGY = of('brand_strategy', 'tone personality key_characteristics messaging_pillars writing_style preferred_phrases vocabulary dos donts primary characteristics content_themes unique_value brand_colors brand_fonts');
  const ME = of('users', 'name email');

  test('is planted in every field of text that there is', async () => {
    await plant();
    for (const table of TABLES) {
      const columns = await rows(`SELECT attname AS name FROM pg_attribute WHERE attrelid = ('orla.' || $1)::regclass AND attnum > 0 AND NOT attisdropped
        AND atttypid::regtype::text IN ('text', 'text[]', 'jsonb', 'character varying') AND attname <> ALL ($2)`, [table, NEVER[table].split(' ')]);
      for (const { name } of columns) {
        const [{ planted }] = await rows(`SELECT coalesce(bool_or(${name}::text LIKE '%onerror=%'), false) AS planted FROM orla.${table} WHERE ${table === 'users' ? 'id' : 'user_id'} = $1`, [ada.id]);
        assert.ok(planted, `${table}.${name}`);
      }
    }
  });

  test('is shown as text on every page and in every dialog', async () => {
    const { page } = ada;
    await ada.open('dashboard');
    await isText('dashboard', ...ME, 'content_library.title', 'content_calendar.title', 'content_calendar.platform', 'jobs.kind');
    await ada.open('library');
    await isText('library', ...of('content_library', 'title content platform tags'));
    await page.locator('.card h2 button').filter({ hasText: 'onerror' }).click();
    await isText('library, one text', ...of('content_library', 'title content platform tags'));
    await rows('UPDATE orla.content_library SET title = $2, content = $3 WHERE user_id = $1 AND title LIKE $4', [ada.id, evil('theirs.title'), evil('theirs.content'), '%content_library.title']);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('This was changed somewhere else').waitFor();
    await isText('library, two versions', 'theirs.title', 'theirs.content');
    await page.getByRole('button', { name: 'Keep mine instead' }).click();
    await page.getByText('Saved.').waitFor();
    await page.locator('.card h2 button').filter({ hasText: 'onerror' }).click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await isText('library, the question', 'content_library.title');
    await ada.open('calendar');
    await isText('calendar, month', 'content_calendar.title', 'content_library.title');
    await page.getByRole('radio', { name: 'List' }).check();
    await page.locator('button.title').first().waitFor();
    await isText('calendar, list', 'content_calendar.title', 'content_calendar.platform', 'content_library.title');
    await page.locator('button.title').filter({ hasText: 'content_calendar.title' }).click();
    await isText('calendar, one entry', ...of('content_calendar', 'title platform notes'), 'content_library.title');
    await page.getByRole('button', { name: 'Delete' }).click();
    await isText('calendar, the question', 'content_calendar.title');
    await ada.open('strategy');
    await isText('strategy', ...STRATEGY, ...of('brand_strategy', 'copy_and_adapt gaps_to_exploit avoid'), ...of('competitors', 'name industry location'));
    await page.locator('#competitors button.title').click();
    await isText('strategy, a competitor', 'competitors.name', ...of('competitor_analyses', 'strategic_summary marketing_they_do_well gaps_they_miss positioning_messaging content_opportunities'));
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Remove/ }).click();
    await isText('strategy, the question', 'competitors.name');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Edit' }).click();
    await isText('strategy, the form', ...STRATEGY);
    await ada.open('brand-material');
    await isText('brand material', 'brand_voice_assets.filename');
    for (const [which, ...fields] of [[/filename$/, 'file_type', 'content_preview'], [/whole$/, 'metadata.full_text'], [/unread$/]]) {
      await page.locator('.files button.title').filter({ hasText: which }).click();
      await page.locator('dialog .reading, dialog .empty').waitFor();
      await isText('brand material, one file', ...fields.map((name) => `brand_voice_assets.${name}`));
      await page.keyboard.press('Escape');
    }
    await page.getByLabel('Choose files').setInputFiles([{ name: '<img src=x onerror=window.pwned=1> upload.txt', mimeType: 'text/plain', buffer: Buffer.from('') }]);
    await page.getByRole('list', { name: 'Uploads' }).getByRole('alert').waitFor();
    await isText('brand material, an upload that fails', 'upload.txt');
    await ada.open('jobs');
    await isText('jobs', ...of('jobs', 'kind error model'));
    await page.getByRole('button', { name: 'See the result' }).click();
    await isText('jobs, a result', 'jobs.key', 'jobs.result');
    await ada.open('cloud-storage');
    await isText('cloud storage', ...of('user_cloud_storage_tokens', 'provider_email last_error'));
    await ada.open('account');
    await isText('account', ...of('users', 'name email organization_name'), 'sessions.user_agent', 'audit log.event type');
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
