// How the pages look and whether everybody can use them: axe-core on every page
// and dialog, in light and dark, on a phone and on a desk; nothing sticks out;
// the keyboard gets everywhere.
//
// With ORLA_SCREENSHOTS=FOLDER pictures are put there: docs/screenshots has
// those of the last release.
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

describe('by keyboard alone', () => {
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
