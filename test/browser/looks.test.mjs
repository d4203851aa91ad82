// How the pages look and whether everybody can use them: axe-core on every page
// and dialog, in light and dark, on a phone and on a desk; nothing sticks out;
// the keyboard gets everywhere.
//
// With ORLA_SCREENSHOTS=FOLDER pictures are put there: docs/screenshots has
// some of those of the last release.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Person } from './lib/person.mjs';
import { fillAccount } from './lib/sample.mjs';
import { startWorld } from './lib/world.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FOLDER = process.env.ORLA_SCREENSHOTS;
const DOOR = ['sign-in', 'sign-up', 'forgot-password', 'reset-password?token=x', 'verify-email?token=x'];
const INSIDE = ['dashboard', 'library', 'calendar', 'strategy', 'brand-material', 'jobs', 'cloud-storage', 'account'];
const SIZES = { desk: { width: 1440, height: 900 }, phone: { width: 360, height: 740 } };

let world;
let ada;
let eve;

before(async () => {
  world = await startWorld();
  ada = await (await Person.arrive(world, 'Ada')).join();
  await fillAccount(world, ada);
  await world.providers.call('POST', 'accounts', { provider: 'google_drive', email: 'ada.lindqvist@drive.example', files: ['sample'] });
  await ada.connect('Google Drive');
  await ada.page.getByRole('button', { name: 'ada.lindqvist@drive.example' }).click();
  await ada.page.getByText('Google Drive is connected.').waitFor();
  eve = await (await Person.arrive(world, 'Eve')).join();
});

after(async () => {
  await world?.close();
});

/** What axe-core finds, in words. */
async function complaints(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 120)} (${failureSummary.split('\n').at(-1).trim()})`).slice(0, 3).join(' · ')}`);
}

async function stickingOut(page) {
  return page.evaluate(() => {
    const wide = document.documentElement.clientWidth;
    return document.documentElement.scrollWidth <= wide ? [] : [...document.querySelectorAll('body *')]
      .filter((one) => one.getBoundingClientRect().right > wide + 1).map((one) => one.outerHTML.slice(0, 100)).slice(0, 3);
  });
}

async function picture(page, name, size, scheme) {
  // of the dark desk and the light phone two are enough
  const common = (size === 'desk') === (scheme === 'light') || ['dashboard', 'library'].includes(name);
  if (FOLDER === undefined || !PICTURES.includes(name) || !common) return;
  mkdirSync(FOLDER, { recursive: true });
  await page.evaluate(() => { scrollTo(0, 0); document.activeElement?.blur?.(); });
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(FOLDER, `${name.replace(/\?.*/, '')}-${size}-${scheme}.png`), animations: 'disabled', fullPage: size === 'phone' && name !== 'editor' });
}

// Colours hang on the scheme alone, and places on the size: each is looked at
// once, except for pictures.
const PICTURES = [...INSIDE, 'sign-in', 'files', 'editor', 'first-day'];
const WAYS = FOLDER === undefined ? [['desk', 'light'], ['phone', 'dark']]
  : [['desk', 'light'], ['desk', 'dark'], ['phone', 'light'], ['phone', 'dark']];

for (const [size, scheme] of WAYS) {
  const viewport = SIZES[size];
  describe(`on a ${size}, ${scheme}`, () => {
    const look = async (page, name) => {
      assert.deepEqual(await complaints(page), [], name);
      assert.deepEqual(await stickingOut(page), [], name);
    };
    before(async () => {
      for (const person of [ada, eve]) {
        await person.page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
        await person.page.setViewportSize(viewport);
      }
    });
    for (const name of [...DOOR, ...INSIDE]) {
      test(name, async () => {
        await ada.open(name);
        await look(ada.page, name);
        await picture(ada.page, name, size, scheme);
      });
    }
    for (const name of INSIDE) {
      test(`${name}, with nothing in it yet`, async () => {
        await eve.open(name);
        await look(eve.page, name);
        if (name === 'dashboard') await picture(eve.page, 'first-day', size, scheme);
      });
    }
    test('files at a provider', async () => {
      await ada.open('cloud-storage');
      await ada.page.getByRole('button', { name: 'Browse files of Google Drive' }).click();
      await ada.page.getByRole('button', { name: 'Brand', exact: true }).click();
      await ada.page.getByText('guide.pdf', { exact: true }).first().waitFor();
      await look(ada.page, 'files');
      await picture(ada.page, 'files', size, scheme);
    });
    for (const [name, page, button] of [
      ['editor', 'library', 'Why we do not say premium'], ['draft', 'library', 'Create a draft'], ['plan', 'calendar', 'Plan a post'],
      ['strategy-editor', 'strategy', 'Edit'], ['question', 'cloud-storage', 'Disconnect Google Drive'], ['farewell', 'account', 'Delete my account…'],
    ]) {
      test(`the dialog of ${name}`, async () => {
        await ada.open(page);
        await ada.page.getByRole('button', { name: button }).first().click();
        await ada.page.getByRole('dialog').waitFor();
        await look(ada.page, name);
        await picture(ada.page, name, size, scheme);
        await ada.page.keyboard.press('Escape');
        await ada.page.getByRole('dialog').waitFor({ state: 'detached' });
        assert.ok(await ada.page.evaluate(() => document.activeElement !== document.body), 'the focus is back where it was');
      });
    }
    test('an error, and a wrong field', async () => {
      await ada.open('sign-up');
      await ada.page.getByRole('button', { name: 'Create account' }).click();
      await look(ada.page, 'wrong fields');
      await ada.page.route('**/content_library*', (route) => route.abort());
      await ada.open('library');
      await ada.page.getByText('The server cannot be reached.').waitFor();
      await look(ada.page, 'no answer');
      await ada.page.unroute('**/content_library*');
      await ada.page.getByRole('button', { name: 'Try again' }).click();
      await ada.page.getByRole('button', { name: 'First flush' }).waitFor();
    });
  });
}

describe('with more than anybody had in mind', () => {
  const LONG = 'Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen'.repeat(4);

  test('nothing sticks out, on a phone and on a desk', async () => {
    const zoe = await (await Person.arrive(world, 'Zoe')).join();
    const rows = (text) => world.database.sql(text, [zoe.id, LONG]);
    await rows('UPDATE orla.users SET name = $2, organization_name = $2 WHERE id = $1');
    await rows(`INSERT INTO orla.content_library (user_id, title, content, platform, tags, content_type) SELECT $1, i || $2, $2, left($2, 100), ARRAY[$2, $2], 'blog' FROM generate_series(1, 60) AS i`);
    await rows(`INSERT INTO orla.content_calendar (user_id, title, platform, notes, scheduled_date) SELECT $1, $2, left($2, 100), $2, date_trunc('day', now()) + i * interval '40 minutes' FROM generate_series(1, 30) AS i`);
    await rows(`INSERT INTO orla.brand_voice_assets (user_id, filename, content_preview) SELECT $1, i || $2, $2 FROM generate_series(1, 60) AS i`);
    await rows(`INSERT INTO orla.brand_strategy (user_id, brand_voice, content_themes, brand_colors, brand_fonts) VALUES ($1, jsonb_build_object('tone', $2::text, 'personality', jsonb_build_array($2)), ARRAY[$2], ARRAY[$2], ARRAY[$2])`);
    await rows(`INSERT INTO orla.competitors (user_id, name, industry, location) SELECT $1, $2, $2, $2 FROM generate_series(1, 20)`);
    await rows(`INSERT INTO orla.jobs (user_id, kind, status, error, model) SELECT $1, left($2, 90), 'failed', $2, $2 FROM generate_series(1, 60)`);
    await rows(`INSERT INTO orla.user_cloud_storage_tokens (user_id, provider, provider_user_id, provider_email, status, last_error) VALUES ($1, 'dropbox', 'x', $2 || '@example.org', 'needs_reconnect', $2)`);
    for (const [size, viewport] of Object.entries(SIZES)) {
      await zoe.page.setViewportSize(viewport);
      for (const name of INSIDE) {
        await zoe.open(name);
        assert.deepEqual(await stickingOut(zoe.page), [], `${name}, ${size}`);
      }
      for (const [page, button] of [['library', /Donau/], ['calendar', /Donau/], ['brand-material', /^\d+Donau/], ['strategy', 'Edit'], ['strategy', /^Remove/]]) {
        await zoe.open(page);
        await zoe.page.locator('main').getByRole('button', { name: button }).first().click();
        await zoe.page.getByRole('dialog').waitFor();
        assert.deepEqual(await stickingOut(zoe.page), [], `${page}, a dialog, ${size}`);
        const wider = await zoe.page.evaluate(() => [...document.querySelectorAll('dialog, dialog *')].filter((one) => one.scrollWidth > one.clientWidth + 1
          && ['auto', 'scroll'].includes(getComputedStyle(one).overflowX) && one.tagName !== 'TEXTAREA').map((one) => one.outerHTML.slice(0, 80)));
        assert.deepEqual(wider, [], `${page}, in a dialog, ${size}`);
      }
    }
    await zoe.open('library');
    assert.equal(await zoe.page.locator('.card').count(), 24);
    await zoe.page.getByRole('button', { name: 'Show more' }).click();
    await zoe.page.locator('.card').nth(47).waitFor();
    await zoe.page.getByRole('button', { name: 'Show more' }).click();
    await zoe.page.locator('.card').nth(59).waitFor();
    await zoe.hasNoProblems();
    await zoe.leave();
  });
});

describe('by keyboard alone', () => {
  test('everything that can be used is reached, and shows that it has the focus', async () => {
    await ada.page.setViewportSize(SIZES.desk);
    for (const name of [...DOOR, ...INSIDE]) {
      await ada.open(name);
      await ada.page.evaluate(() => {
        globalThis.left = new Set([...document.querySelectorAll('a[href], button, input, select, textarea, summary')].filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled
          && !(one.type === 'radio' && !one.checked)));
        globalThis.ringless = [];
      });
      for (let i = 0; i < 150; i++) {
        await ada.page.keyboard.press('Tab');
        const over = await ada.page.evaluate(() => {
          const one = document.activeElement;
          if (!globalThis.left.delete(one)) return globalThis.left.size === 0;
          const places = [one, one.nextElementSibling, one.closest('.card'), one.closest('.drop')].filter(Boolean);
          if (!places.some((place) => getComputedStyle(place).outlineStyle !== 'none' && parseFloat(getComputedStyle(place).outlineWidth) >= 2)) globalThis.ringless.push(one.outerHTML.slice(0, 100));
          return globalThis.left.size === 0;
        });
        if (over) break;
      }
      const found = await ada.page.evaluate(() => [[...globalThis.left].map((one) => one.outerHTML.slice(0, 100)), globalThis.ringless]);
      assert.deepEqual(found, [[], []], name);
    }
  });

  const focused = (page) => page.evaluate(() => (document.activeElement.textContent || document.activeElement.getAttribute('aria-label') || document.activeElement.name).trim());

  test('one skips to the content, and through the navigation', async () => {
    await ada.page.setViewportSize(SIZES.desk);
    await ada.open('library');
    await ada.page.keyboard.press('Tab');
    assert.equal(await focused(ada.page), 'Skip to content');
    await ada.page.keyboard.press('Enter');
    await ada.page.keyboard.press('Tab');
    assert.equal(await focused(ada.page), 'Write yourself');
  });

  test('a text is written, kept from being lost, and saved', async () => {
    await ada.page.keyboard.press('Enter');
    await ada.page.keyboard.type('By keyboard');
    let asked = 0;
    ada.page.once('dialog', (dialog) => { asked++; dialog.dismiss(); });
    await ada.page.keyboard.press('Escape');
    assert.equal(asked, 1, 'Escape asks first');
    await ada.page.getByRole('textbox', { name: 'Title' }).press('Enter');
    await ada.page.getByRole('button', { name: 'By keyboard' }).waitFor();
  });

  test('what was typed goes with no dialog unasked, whichever way one leaves it', async () => {
    const { page } = ada;
    const asked = [];
    const listen = (question) => { asked.push(question.message()); question.dismiss(); };
    page.on('dialog', listen);
    for (const [name, button, field] of [['library', 'By keyboard', 'Text'], ['library', 'Create a draft', 'Topic'], ['calendar', 'Plan a post', 'Notes (optional)'],
      ['strategy', 'Edit', 'Tone (optional)'], ['strategy', 'Add a competitor', 'Name']]) {
      await ada.open(name);
      const opens = page.getByRole('button', { name: button, exact: true }).first();
      const dialog = page.getByRole('dialog');
      await opens.click();
      await dialog.getByRole('button', { name: 'Close' }).last().click();
      await dialog.waitFor({ state: 'detached' });
      assert.deepEqual(asked.splice(0), [], `${name}, ${button}: nothing is asked where nothing was typed`);
      await opens.click();
      const typed = dialog.getByRole('textbox', { name: field, exact: true });
      await typed.fill('Not to be lost');
      // Chromium closes a dialog at the second Escape whatever a page says: one is tried
      await page.keyboard.press('Escape');
      for (const close of await dialog.getByRole('button', { name: 'Close' }).all()) await close.click();
      if (button === 'By keyboard') await dialog.getByRole('link', { name: 'Plan' }).click();
      assert.deepEqual(asked.splice(0), Array(button === 'By keyboard' ? 4 : 3).fill('Close without saving?'), `${name}, ${button}`);
      assert.equal(await typed.inputValue(), 'Not to be lost');
    }
    page.off('dialog', listen);
  });

  test('the menu of a phone opens and closes', async () => {
    await ada.page.setViewportSize(SIZES.phone);
    await ada.open('dashboard');
    const menu = ada.page.getByRole('button', { name: 'Menu' });
    assert.equal(await ada.page.getByRole('link', { name: 'Strategy' }).count(), 0);
    await menu.press('Enter');
    assert.equal(await menu.getAttribute('aria-expanded'), 'true');
    await ada.page.getByRole('link', { name: 'Strategy' }).click();
    await ada.page.waitForURL('**/strategy');
  });

  test('finds no complaint in either browser', async () => {
    await ada.hasNoProblems();
    await eve.hasNoProblems();
  });
});
