// The whole checklist, by two people in two browsers: register, verify, sign
// in, bring in material, connect own drives, see own files only, write, have
// written, plan, disconnect, delete the account. (An answer of a provider in another
// browser, or twice: way 153 of docs/security.md.)
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Person, PASSWORD } from './lib/person.mjs';
import { SAMPLES } from '../providers/lib/samples.mjs';
import { linkIn, startWorld } from './lib/world.mjs';

let world;
let folder;
let ada;
let ben;
const rows = (text, values) => world.database.sql(text, values);
const region = (person, name) => person.page.getByRole('region', { name });
const dialog = (page) => page.getByRole('dialog').last();

before(async () => {
  world = await startWorld();
  folder = mkdtempSync(join(tmpdir(), 'orla-material-'));
  ada = await Person.arrive(world, 'Ada');
  ben = await Person.arrive(world, 'Ben');
  const { providers } = world;
  await providers.call('POST', 'accounts', { provider: 'google_drive', email: 'ada@drive.example', files: [
    { path: '/Brand/Ada guidelines.md', text: 'We write as we pour: slowly, and to the brim.\n' }, { path: '/Ada notes.txt', text: 'The rain came early.\n' }] });
  await providers.call('POST', 'accounts', { provider: 'onedrive', email: 'ada@drive.example', files: [{ path: '/Ada in the cloud.txt', text: 'One drive of Ada\n' }] });
  await providers.call('POST', 'accounts', { provider: 'dropbox', email: 'ben@drive.example', files: [
    { path: '/Ben guidelines.md', text: 'Loud, quick, orange.\n' }, { path: '/Bikes/Ben bikes.txt', text: 'Every bike has a name.\n' }] });
});

after(async () => {
  await world?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

describe('an account', () => {
  test('is asked for, and comes into being with the mail and the password', async () => {
    for (const person of [ada, ben]) await person.register();
    assert.deepEqual(await rows('SELECT 1 FROM orla.users'), [], 'nobody is there before the mail');

    await ada.verify('Battery-Staple-17');
    await ada.page.getByRole('alert').getByText('That did not match.').waitFor();
    assert.deepEqual(await rows('SELECT 1 FROM orla.users'), [], 'a wrong password makes none');

    for (const person of [ada, ben]) {
      await person.verify();
      await person.page.waitForURL('**/dashboard');
      await person.page.getByRole('heading', { level: 1, name: person.name }).waitFor();
      [{ id: person.id }] = await rows('SELECT id FROM orla.users WHERE email = $1', [person.email]);
    }
    assert.equal((await rows('SELECT 1 FROM orla.users')).length, 2);
  });

  test('asked for with an address that is taken looks the same from outside', async () => {
    const eve = await Person.arrive(world, 'Eve');
    const { email } = eve;
    eve.email = ada.email;
    await eve.register();
    assert.match(await world.mailTo(ada.email), /has an account already/);
    eve.email = email;
    await eve.hasNoProblems();
    await eve.leave();
  });

  test('says what is wrong with a field, beside it', async () => {
    const eve = await Person.arrive(world, 'Eve');
    await eve.open('sign-up');
    await eve.page.getByRole('button', { name: 'Create account' }).click();
    await eve.page.getByText('Please fill this in.').first().waitFor();
    assert.equal(await eve.page.evaluate(() => document.activeElement.name), 'name', 'the focus is on the first');
    await eve.page.getByLabel('Name').fill('Eve');
    await eve.page.getByLabel('E-mail').fill('eve@example.org');
    await eve.page.getByRole('textbox', { name: 'Password', exact: true }).fill('password1');
    await eve.page.getByRole('button', { name: 'Create account' }).click();
    await eve.page.getByRole('alert').getByText('first that anybody would try').waitFor();
    await eve.leave();
  });

  test('is left and entered again', async () => {
    await ada.page.getByRole('button', { name: 'Sign out' }).click();
    await ada.page.getByText('You are signed out.').waitFor();
    await ada.page.goto(`${world.url}/library`);
    await ada.page.waitForURL('**/sign-in*');
    await ada.signIn('Wrong-Horse-42');
    await ada.page.getByRole('alert').getByText('That did not match.').waitFor();
    await ada.signIn();
    await ada.page.waitForURL('**/library');
    await ada.page.getByText('Your library is empty').waitFor();
  });

  test('gets a new password by mail', async () => {
    const eve = await Person.arrive(world, 'Eve');
    await eve.join();
    await eve.page.getByRole('button', { name: 'Sign out' }).click();
    await eve.page.getByRole('link', { name: 'Forgot your password?' }).click();
    await eve.page.getByLabel('E-mail').fill(eve.email);
    await eve.page.getByRole('button', { name: 'Send the link' }).click();
    await eve.page.getByText('a link is on its way').waitFor();
    const link = linkIn(await world.mailTo(eve.email, 'reset_password'));
    await eve.page.goto(link);
    await eve.page.getByLabel('New password', { exact: true }).fill('Another-Horse-17');
    await eve.page.getByRole('button', { name: 'Set the password' }).click();
    await eve.page.getByText('Your new password is set.').waitFor();
    await eve.signIn(PASSWORD);
    await eve.page.getByText('That did not match.').waitFor();
    await eve.signIn('Another-Horse-17');
    await eve.page.waitForURL('**/dashboard');
    await eve.page.goto(link);
    await eve.page.getByLabel('New password', { exact: true }).fill('Third-Horse-18');
    await eve.page.getByRole('button', { name: 'Set the password' }).click();
    await eve.page.getByText('not good any more').waitFor();
    await eve.hasNoProblems();
    await eve.leave();
  });
});

describe('cloud storage', () => {
  test('is connected by the provider\'s own page, and says as whom and since when', async () => {
    for (const [person, label, account] of [[ada, 'Google Drive', 'ada@drive.example'], [ada, 'OneDrive', 'ada@drive.example'], [ben, 'Dropbox', 'ben@drive.example']]) {
      await person.connect(label);
      await person.page.getByRole('button', { name: account }).click();
      await person.page.waitForURL('**/cloud-storage');
      await person.page.getByText(`${label} is connected.`).waitFor();
      const panel = region(person, label);
      await panel.getByText('Connected', { exact: true }).waitFor();
      assert.match(await panel.innerText(), new RegExp(`Connected as ${account} since \\d`));
    }
    assert.deepEqual(await rows(`SELECT user_id, provider FROM orla.user_cloud_storage_tokens ORDER BY provider`),
      [{ user_id: ben.id, provider: 'dropbox' }, { user_id: ada.id, provider: 'google_drive' }, { user_id: ada.id, provider: 'onedrive' }]);
  });

  test('is not connected where the person says no, and it is said in words', async () => {
    await ben.connect('Google Drive');
    await ben.page.getByRole('button', { name: 'No', exact: true }).click();
    await ben.page.getByRole('heading', { name: 'Not connected' }).waitFor();
    await ben.page.getByText('Access was denied at the provider.').waitFor();
    assert.ok(!ben.page.url().includes('state='), 'what was sent is not in the address any more');
    await ben.page.getByRole('link', { name: 'Back to cloud storage' }).click();
    await region(ben, 'Google Drive').getByText('Not connected').waitFor();
  });

  test('does not take the same answer twice, nor one of another browser', async () => {
    await ada.connect('Dropbox');
    const authorization_url = ada.page.url().replace('//localhost:', '//127.0.0.1:');
    const { redirect_to } = await world.providers.call('POST', 'approve', { provider: 'dropbox', authorization_url, account: 'ben@drive.example' });
    await ben.page.goto(redirect_to);
    await ben.page.getByText('Unknown state.').waitFor();
    assert.deepEqual(await rows(`SELECT 1 FROM orla.user_cloud_storage_tokens WHERE user_id = $1 AND provider = 'dropbox'`, [ada.id]), []);
    await ada.page.goto(redirect_to);
    await ada.page.getByText('Dropbox is connected.').waitFor();
    await ada.page.goto(redirect_to);
    await ada.page.getByText('Unknown state.').waitFor();
    await ada.open('cloud-storage');
    await region(ada, 'Dropbox').getByRole('button', { name: 'Disconnect' }).click();
    await dialog(ada.page).getByRole('button', { name: 'Disconnect', exact: true }).click();
    await ada.page.getByText('Dropbox is disconnected.').waitFor();
  });

  test('says why where the operator has not set a provider up, and where nobody answers', async () => {
    await rows(`DELETE FROM orla.providers WHERE name = 'onedrive'`);
    await ben.open('cloud-storage');
    await region(ben, 'OneDrive').getByRole('button', { name: /^Connect/ }).click();
    await ben.page.getByText('Provider onedrive is not configured.').waitFor();

    await world.providers.call('POST', 'faults', { provider: 'google_drive', endpoint: 'token', status: 500, times: 1 });
    await ben.connect('Google Drive');
    await ben.page.getByRole('button', { name: 'ada@drive.example' }).click();
    await ben.page.getByRole('heading', { name: 'Not connected' }).waitFor();
    await ben.page.getByText('The provider does not answer.').waitFor();
  });

  test('has the own files, and nobody else\'s', async () => {
    await ada.open('cloud-storage');
    await region(ada, 'Google Drive').getByRole('button', { name: 'Browse files' }).click();
    await ada.page.getByText('Ada notes.txt', { exact: true }).first().waitFor();
    await ada.page.getByRole('button', { name: 'Brand', exact: true }).click();
    await ada.page.getByText('Ada guidelines.md', { exact: true }).first().waitFor();
    assert.ok(!(await ada.page.locator('main').innerText()).includes('Ben '));

    await ben.open('cloud-storage');
    await region(ben, 'Dropbox').getByRole('button', { name: 'Browse files' }).click();
    await ben.page.getByText('Ben guidelines.md', { exact: true }).first().waitFor();
    assert.ok(!(await ben.page.locator('main').innerText()).includes('Ada '));
    await ben.page.getByRole('searchbox', { name: 'Search' }).fill('bikes');
    await ben.page.getByRole('button', { name: 'Search', exact: true }).click();
    await ben.page.getByText('Ben bikes.txt', { exact: true }).first().waitFor();
  });

  test('is where material is imported from', async () => {
    await ada.page.getByRole('button', { name: 'Import Ada guidelines.md' }).click();
    await dialog(ada.page).getByRole('button', { name: 'Import', exact: true }).click();
    await ada.page.getByText('is in your brand material').waitFor();
    await ada.open('brand-material');
    await ada.page.getByRole('button', { name: 'Ada guidelines.md', exact: true }).click();
    await dialog(ada.page).getByText('We write as we pour').waitFor();
    await ben.open('brand-material');
    await ben.page.getByText('Nothing here yet').waitFor();
  });
});

describe('brand material', () => {
  /** Drops files out of the file manager, as the browser is told of them; where: what is beneath the pointer. */
  async function drop({ context, page }, where, files) {
    const box = await where.boundingBox();
    const at = { x: box.x + box.width / 2, y: box.y + box.height / 2, data: { items: [], files, dragOperationsMask: 1 } };
    const browser = await context.newCDPSession(page);
    await browser.send('Input.dispatchDragEvent', { type: 'dragEnter', ...at });
    await browser.send('Input.dispatchDragEvent', { type: 'dragOver', ...at });
    const marked = await page.locator('#drop.over').count() > 0;
    await browser.send('Input.dispatchDragEvent', { type: 'drop', ...at });
    await browser.detach();
    return marked;
  }
  const uploads = (person) => person.page.getByRole('list', { name: 'Uploads' });
  const assets = (person) => rows('SELECT filename, category FROM orla.brand_voice_assets WHERE user_id = $1 ORDER BY uploaded_at, filename', [person.id]);

  test('is uploaded by choosing it, with its category', async () => {
    await ben.open('brand-material');
    await ben.page.getByRole('radio', { name: 'Voice samples' }).check();
    await ben.page.getByLabel('Choose files').setInputFiles([
      { name: 'Bens Ton – laut.md', mimeType: 'text/markdown', buffer: Buffer.from('Loud. Quick. Orange. Bells, bells and brakes.\n') }]);
    await ben.page.getByRole('button', { name: 'Bens Ton – laut.md', exact: true }).click();
    await dialog(ben.page).getByText('Loud. Quick. Orange.').waitFor();
    await ben.page.keyboard.press('Escape');
    assert.deepEqual(await assets(ben), [{ filename: 'Bens Ton – laut.md', category: 'voice_samples' }]);
  });

  test('is of each its own: the other one\'s guidelines are other ones', async () => {
    await ben.page.getByRole('radio', { name: 'Guidelines' }).check();
    await ben.page.getByLabel('Choose files').setInputFiles([{ name: 'Guide – laut.md', mimeType: 'text/markdown', buffer: Buffer.from('Our orange is #FF6B00. Always ring the bell.\n') }]);
    await ben.page.getByRole('button', { name: 'Guide – laut.md', exact: true }).waitFor();
    await ben.page.getByLabel('Show').selectOption('guidelines');
    await ben.page.getByRole('button', { name: 'Bens Ton – laut.md', exact: true }).waitFor({ state: 'detached' });
    assert.equal(await ben.page.getByRole('button', { name: 'Guide – laut.md', exact: true }).count(), 1, 'shown by its category');
    await ben.page.getByLabel('Show').selectOption('');
    const [{ colors }] = await rows(`SELECT metadata -> 'colors' AS colors FROM orla.brand_voice_assets WHERE user_id = $1 AND category = 'guidelines'`, [ben.id]);
    assert.deepEqual(colors, ['#ff6b00']);
  });

  test('is uploaded by dropping it, and a bar tells how far it is', async () => {
    const files = ['Ada guide – leise.txt', 'Letters.txt'].map((name) => join(folder, name));
    writeFileSync(files[0], `Slowly, and to the brim. ${'Origin, patience, craft. '.repeat(60000)}`);
    writeFileSync(files[1], 'Dear all, the first leaves are here.\n');
    await ada.open('brand-material');
    const browser = await ada.context.newCDPSession(ada.page);
    await browser.send('Network.enable');
    await browser.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 500000 });
    await ada.page.evaluate(() => {
      window.seen = [];
      new MutationObserver(() => {
        const bar = document.querySelector('#uploads progress');
        if (bar) window.seen.push([bar.value, bar.closest('li').querySelector('.line > :last-child').textContent]);
      }).observe(document.getElementById('uploads'), { subtree: true, childList: true, attributes: true, characterData: true });
    });
    assert.ok(await drop(ada, ada.page.locator('#drop'), files), 'the place shows that it would take them');
    for (const name of ['Ada guide – leise.txt', 'Letters.txt']) await ada.page.getByRole('button', { name, exact: true }).waitFor();
    await browser.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
    const seen = await ada.page.evaluate(() => window.seen);
    const first = seen.slice(0, seen.findIndex(([value]) => value === 1) + 1).map(([value]) => value);
    const between = new Set(first.filter((value) => value > 0 && value < 1));
    assert.ok(between.size >= 3, `steps between nothing and all: ${[...between]}`);
    assert.deepEqual(first, [...first].sort((a, b) => a - b), 'never back');
    assert.ok(seen.some(([, word]) => /^[1-9]\d? %$/.test(word)) && seen.some(([, word]) => word === 'Waiting' || word === 'Reading…'), 'and in words');
    assert.equal(await ada.page.locator('#said').textContent(), '2 files are uploaded.', 'said to whoever does not see the bar');
    assert.deepEqual((await assets(ada)).map(({ category }) => category), ['guidelines', 'guidelines', 'guidelines']);
    assert.ok(!(await ada.page.locator('main').innerText()).includes('Bens'));
    await ben.page.reload();
    await ben.page.getByRole('button', { name: 'Bens Ton – laut.md', exact: true }).waitFor();
    assert.ok(!(await ben.page.locator('main').innerText()).includes('Ada'), 'Ben sees his own alone');
  });

  test('that misses its place takes the page not away', async () => {
    await drop(ada, ada.page.getByRole('heading', { level: 1 }), [join(folder, 'Letters.txt')]);
    await ada.page.getByRole('heading', { level: 1, name: 'Brand material' }).waitFor();
    assert.match(ada.page.url(), /brand-material$/);
    assert.equal((await assets(ada)).length, 3);
  });

  test('that is empty, too large, a folder or not what its name says is refused or said so, and the others go on', async () => {
    const huge = join(folder, 'a gigabyte.pdf');
    closeSync(openSync(huge, 'w'));
    truncateSync(huge, 2 ** 30);
    const sent = [];
    const listen = (request) => { if (request.url().includes('/upload_asset')) sent.push(decodeURIComponent(request.headers()['x-filename'])); };
    ben.page.on('request', listen);
    writeFileSync(join(folder, 'empty.txt'), '');
    writeFileSync(join(folder, 'wrong.docx'), 'PK\x03\x04 and nothing of a document of Word');
    writeFileSync(join(folder, 'program.exe'), Buffer.from('4d5a90000300000004000000ffff0000', 'hex'));
    mkdirSync(join(folder, 'a folder'));
    await drop(ben, ben.page.locator('#drop'), ['a gigabyte.pdf', 'empty.txt', 'a folder', 'wrong.docx', 'program.exe'].map((name) => join(folder, name)));
    const line = (name) => uploads(ben).getByRole('listitem').filter({ hasText: name });
    await line('a gigabyte.pdf').getByRole('alert').getByText('The file is too large. It has 1.1 GB; the limit is 20 MB.').waitFor();
    await line('empty.txt').getByRole('alert').getByText('The file is empty.').waitFor();
    await line('a folder').getByRole('alert').waitFor();
    await ben.page.getByRole('button', { name: 'wrong.docx', exact: true }).click();
    await dialog(ben.page).getByText('It is damaged, or not what its name says.').waitFor();
    await ben.page.keyboard.press('Escape');
    await ben.page.getByRole('button', { name: 'program.exe', exact: true }).waitFor();
    for (const [name, why] of [['wrong.docx', 'It is damaged, or not what its name says.'], ['program.exe', 'Files of this kind cannot be read.']]) {
      await line(name).getByRole('alert').getByText(why).waitFor();
      await line(name).getByRole('button', { name: 'Dismiss' }).click();
    }
    ben.page.off('request', listen);
    assert.ok(!sent.includes('a gigabyte.pdf') && !sent.includes('empty.txt'), 'what would not be kept is not even sent');
    await line('empty.txt').getByRole('button', { name: 'Dismiss' }).click();
    assert.equal(await line('empty.txt').count(), 0);
    await line('a gigabyte.pdf').getByRole('button', { name: /^Try again/ }).click();
    await line('a gigabyte.pdf').getByRole('alert').waitFor();
    for (const name of ['wrong.docx', 'program.exe']) {
      await ben.page.getByRole('button', { name: `Delete ${name}` }).click();
      await dialog(ben.page).getByRole('button', { name: 'Delete', exact: true }).click();
      await ben.page.getByRole('button', { name, exact: true }).waitFor({ state: 'detached' });
    }
  });

  test('that has a password, unpacks to too much or has a name of 300 letters is said so, with what helps', async () => {
    const line = (name) => uploads(ben).getByRole('listitem').filter({ hasText: name });
    await ben.page.getByLabel('Choose files').setInputFiles([
      { name: 'locked.pdf', mimeType: 'application/pdf', buffer: SAMPLES.pdf_password() }, { name: 'bomb.docx', mimeType: 'application/msword', buffer: SAMPLES.docx_bomb() },
      { name: `${'x'.repeat(296)}.txt`, mimeType: 'text/plain', buffer: Buffer.from('x') }, { name: '..\\..\\passwd.txt', mimeType: 'text/plain', buffer: Buffer.from('x') }]);
    for (const [name, why] of [['locked.pdf', 'It opens with a password. Upload it once more without one.'], ['bomb.docx', 'Unpacked, it is too large to be read.'],
      ['xxxx', 'Invalid file name. It has more than 255 characters.']]) {
      await line(name).getByRole('alert').getByText(why).waitFor();
      await line(name).getByRole('button', { name: 'Dismiss' }).click();
    }
    await ben.page.getByRole('button', { name: 'passwd.txt', exact: true }).waitFor();
    assert.deepEqual((await assets(ben)).map(({ filename }) => filename).slice(-3), ['locked.pdf', 'bomb.docx', 'passwd.txt']);
    await rows(`DELETE FROM orla.brand_voice_assets WHERE filename IN ('locked.pdf', 'bomb.docx', 'passwd.txt')`);
  });

  test('is deleted only after a question', async () => {
    await ada.open('brand-material');
    const button = ada.page.getByRole('button', { name: 'Delete Ada guidelines.md' });
    await button.click();
    await dialog(ada.page).getByRole('button', { name: 'Keep it as it is' }).click();
    assert.equal((await assets(ada)).length, 3);
    await button.click();
    await dialog(ada.page).getByRole('button', { name: 'Delete', exact: true }).click();
    await button.waitFor({ state: 'detached' });
    assert.deepEqual((await assets(ada)).map(({ filename }) => filename).sort(), ['Ada guide – leise.txt', 'Letters.txt']);
  });
});

async function writePost(person, title, text, tags = '') {
  await person.open('library');
  await person.page.getByRole('button', { name: 'Write yourself' }).click();
  await person.page.getByRole('textbox', { name: 'Title' }).fill(title);
  await person.page.getByRole('textbox', { name: 'Text', exact: true }).fill(text);
  await person.page.getByRole('textbox', { name: 'Tags' }).fill(tags);
  await person.page.getByRole('button', { name: 'Save' }).click();
  await person.page.getByRole('button', { name: title }).waitFor();
}

describe('the library', () => {
  test('has what one wrote oneself', async () => {
    await writePost(ada, 'First flush', 'The first leaves of spring.', 'spring, darjeeling');
    await writePost(ada, 'A kettle is not a clock', 'Eighty degrees.');
    await writePost(ben, 'Spring tune-up', 'Your chain has had a winter, too.', 'spring');
    assert.deepEqual(await rows(`SELECT title, tags FROM orla.content_library WHERE user_id = $1 AND title = 'First flush'`, [ada.id]),
      [{ title: 'First flush', tags: ['spring', 'darjeeling'] }]);
    assert.ok(!(await ada.page.locator('main').innerText()).includes('tune-up'));
    assert.ok(!(await ben.page.locator('main').innerText()).includes('flush'));
  });

  test('is searched and filtered', async () => {
    await ada.page.getByRole('searchbox').fill('spring');
    await ada.page.getByRole('button', { name: 'A kettle' }).waitFor({ state: 'detached' });
    assert.equal(await ada.page.getByRole('button', { name: 'First flush' }).count(), 1);
    await ada.page.getByLabel('Status').selectOption('published');
    await ada.page.getByText('Nothing matches').waitFor();
    await ada.page.getByRole('button', { name: 'Clear filters' }).click();
    await ada.page.getByRole('button', { name: 'A kettle' }).waitFor();
  });

  test('does not open a text of somebody else', async () => {
    const [{ id }] = await rows(`SELECT id FROM orla.content_library WHERE title = 'First flush'`);
    await ben.open(`dashboard`);
    await ben.open(`library#id=${id}`);
    await ben.page.getByText('not there any more').waitFor();
    assert.equal(await ben.page.getByRole('dialog').count(), 0);
  });

  test('loses nothing where two tabs edit the same text', async () => {
    const other = await ada.tab();
    for (const page of [ada.page, other]) {
      await page.bringToFront();
      await ada.open('library', page);
      await page.getByRole('button', { name: 'First flush' }).click();
    }
    await other.getByRole('textbox', { name: 'Text', exact: true }).fill('From the other tab.');
    await other.getByRole('button', { name: 'Save' }).click();
    await other.getByText('Saved.').waitFor();

    await ada.page.bringToFront();
    await ada.page.getByRole('textbox', { name: 'Text', exact: true }).fill('From this tab.');
    await ada.page.getByRole('button', { name: 'Save' }).click();
    await ada.page.getByText('This was changed somewhere else').waitFor();
    await ada.page.getByRole('region', { name: 'The other text' }).getByText('From the other tab.').waitFor();
    const text = async () => (await rows(`SELECT content FROM orla.content_library WHERE title = 'First flush'`))[0].content;
    assert.equal(await text(), 'From the other tab.', 'nothing was overwritten');

    await ada.page.getByRole('button', { name: 'Keep mine instead' }).click();
    await ada.page.getByText('Saved.').waitFor();
    assert.equal(await text(), 'From this tab.', 'until somebody chose');

    await other.bringToFront();
    await other.getByRole('button', { name: 'First flush' }).click();
    await other.getByRole('textbox', { name: 'Text', exact: true }).fill('Late.');
    await other.getByRole('button', { name: 'Save' }).click();
    await other.getByRole('button', { name: 'Take the other one' }).click();
    await other.locator('dialog textarea').filter({ hasText: '' }).first().waitFor();
    assert.equal(await other.getByRole('textbox', { name: 'Text', exact: true }).inputValue(), 'From this tab.');
    await other.close();
  });

  test('says what is missing before anything can be written in one\'s own voice', async () => {
    for (const person of [ada, ben]) {
      await person.open('library');
      await person.page.getByRole('button', { name: 'Create a draft' }).first().click();
      await person.page.getByLabel('Topic').fill('Bells');
      await person.page.getByRole('button', { name: 'Start writing' }).click();
      await dialog(person.page).getByRole('alert').getByText('No brand strategy yet.').waitFor();
      await dialog(person.page).getByRole('alert').getByText('Have it worked out from your material, or write it down yourself.').waitFor();
      await dialog(person.page).getByRole('link', { name: 'Go to your strategy' }).click();
      await person.page.waitForURL('**/strategy');
      await person.page.getByText('No strategy yet').waitFor();
    }
    await ben.page.getByRole('button', { name: 'Work it out from my material' }).click();
    await ben.page.getByRole('button', { name: 'Start', exact: true }).click();
    await dialog(ben.page).getByRole('alert').getByText('No model is configured.').waitFor();
    await dialog(ben.page).getByText('Whoever runs this site has to see to it.').waitFor();
    await ben.page.keyboard.press('Escape');
    assert.deepEqual(await rows('SELECT 1 FROM orla.jobs'), [], 'nothing is begun');
  });

  test('has what was written in one\'s own voice: each from the own material, and in no other library', async () => {
    await rows(`SELECT orla.configure_model('built_in', 'template')`);
    const written = {};
    for (const [person, theme] of [[ada, /patience|origin|craft|slowly|brim/i], [ben, /loud|quick|orange|bells/i]]) {
      await person.open('strategy');
      await person.page.getByRole('button', { name: 'Work it out from my material' }).click();
      await person.page.getByRole('button', { name: 'Start', exact: true }).click();
      await person.page.getByText('Your strategy is worked out.').waitFor();
      await person.open('library');
      await person.page.getByRole('button', { name: 'Create a draft' }).first().click();
      await person.page.getByLabel('Topic').fill('What we make');
      await person.page.getByRole('button', { name: 'Start writing' }).click();
      await person.page.getByText('Your draft is ready.').waitFor();
      await person.page.getByRole('dialog', { name: 'Edit' }).waitFor();
      written[person.name] = await person.page.getByRole('textbox', { name: 'Text', exact: true }).inputValue();
      assert.match(written[person.name], theme, person.name);
      await person.page.keyboard.press('Escape');
      assert.deepEqual(await rows('SELECT kind, status, result_id IS NOT NULL AS has_result FROM orla.jobs WHERE user_id = $1 ORDER BY created_at', [person.id]),
        [{ kind: 'analyze_brand', status: 'succeeded', has_result: true }, { kind: 'generate_content', status: 'succeeded', has_result: true }]);
      await person.open('jobs');
      await person.page.getByRole('link', { name: 'Open the draft' }).click();
      await person.page.getByRole('dialog', { name: 'Edit' }).waitFor();
      await person.page.keyboard.press('Escape');
    }
    assert.ok(!/loud|orange|bells/i.test(written.Ada) && !/brim|patience|craft/i.test(written.Ben), 'neither has a word of the other');
    assert.notEqual(written.Ada, written.Ben);
    const [strategy] = await rows('SELECT s::text AS all FROM orla.brand_strategy AS s WHERE user_id = $1', [ada.id]);
    assert.ok(!/bells|loud|orange/i.test(strategy.all));
    const count = async (person) => {
      await person.open('library');
      return person.page.locator('.card').count();
    };
    assert.deepEqual([await count(ada), await count(ben)], [3, 2]);
  });

  test('loses a text after a question', async () => {
    await ada.open('library');
    await ada.page.getByRole('button', { name: 'A kettle' }).click();
    await dialog(ada.page).getByRole('button', { name: 'Delete' }).click();
    await dialog(ada.page).getByRole('button', { name: 'Delete', exact: true }).click();
    await ada.page.getByRole('button', { name: 'A kettle' }).waitFor({ state: 'detached' });
    assert.deepEqual(await rows(`SELECT 1 FROM orla.content_library WHERE user_id = $1 AND title LIKE 'A kettle%'`, [ada.id]), []);
    assert.equal(await ada.page.locator('.card').count(), 2);
  });
});

describe('the calendar', () => {
  const inAWeek = () => {
    const at = new Date(Date.now() + 7 * 86400000);
    return `${at.toISOString().slice(0, 10)}T09:30`;
  };
  const inLibrary = async () => (await rows(`SELECT status, scheduled_for IS NOT NULL AS is_planned, published_at IS NOT NULL AS is_out
    FROM orla.content_library WHERE user_id = $1 AND title = 'First flush'`, [ada.id]))[0];
  const entries = (person) => rows('SELECT title, content_id IS NOT NULL AS linked, status, platform FROM orla.content_calendar WHERE user_id = $1', [person.id]);

  test('takes a post from the library', async () => {
    await ada.open('library');
    await ada.page.getByRole('button', { name: 'First flush' }).click();
    await ada.page.getByRole('link', { name: 'Plan' }).click();
    await ada.page.getByRole('dialog', { name: 'Plan a post' }).waitFor();
    await ada.page.getByLabel('Date and time').fill(inAWeek());
    await ada.page.getByLabel('Platform').fill('LinkedIn');
    await ada.page.getByRole('button', { name: 'Plan it' }).click();
    await ada.page.getByText('Planned.').waitFor();
    await ada.page.getByRole('button', { name: /First flush/ }).waitFor();
    assert.deepEqual(await entries(ada), [{ title: null, linked: true, status: 'scheduled', platform: 'LinkedIn' }]);
    assert.deepEqual(await inLibrary(), { status: 'scheduled', is_planned: true, is_out: false }, 'the library knows');
    await ben.open('calendar');
    assert.equal(await ben.page.getByRole('button', { name: /First flush/ }).count(), 0);
  });

  test('takes no day that is over, nor one in the year 20000', async () => {
    await ada.page.getByRole('button', { name: 'Plan a post', exact: true }).click();
    await ada.page.getByRole('textbox', { name: 'Title' }).fill('Too early');
    await ada.page.getByLabel('Date and time').fill('2020-01-01T09:00');
    await ada.page.getByRole('button', { name: 'Plan it' }).click();
    await ada.page.getByText('This is too early.').waitFor();
    await ada.page.getByLabel('Date and time').fill('20000-01-01T09:00');
    await ada.page.getByRole('button', { name: 'Plan it' }).click();
    await ada.page.getByText('This is too late.').waitFor();
    ada.page.once('dialog', (question) => question.accept());
    await ada.page.getByRole('button', { name: 'Close' }).last().click();
    assert.equal((await entries(ada)).length, 1);
  });

  test('is changed, and called off', async () => {
    await ada.page.getByRole('button', { name: /First flush/ }).click();
    await ada.page.getByLabel('Notes').fill('with the picture of the train');
    await ada.page.getByRole('button', { name: 'Save' }).click();
    await ada.page.getByText('Saved.').waitFor();
    assert.deepEqual(await rows('SELECT notes FROM orla.content_calendar WHERE user_id = $1', [ada.id]), [{ notes: 'with the picture of the train' }]);
    await ada.page.getByRole('button', { name: /First flush/ }).click();
    await ada.page.getByRole('button', { name: 'Call it off' }).click();
    await ada.page.getByText('Called off.').waitFor();
    assert.equal((await entries(ada))[0].status, 'cancelled');
    await world.eventually('the text is a draft again', async () => (await inLibrary()).status === 'draft');
    await ada.page.getByRole('radio', { name: 'List' }).check();
    await ada.page.getByText('Cancelled').waitFor();
  });

  test('says what went out, and that is recorded once', async () => {
    await ada.open('calendar');
    await ada.page.getByRole('button', { name: /First flush/ }).click();
    await ada.page.getByLabel('Status').selectOption('published');
    await ada.page.getByRole('button', { name: 'Save' }).click();
    await ada.page.getByText('Saved.').waitFor();
    const posts = () => rows('SELECT platform, caption, content_id IS NOT NULL AS linked FROM orla.published_posts WHERE user_id = $1', [ada.id]);
    await world.eventually('a record', async () => (await posts()).length > 0);
    assert.deepEqual(await posts(), [{ platform: 'LinkedIn', caption: 'From this tab.', linked: true }]);
    assert.deepEqual(await inLibrary(), { status: 'published', is_planned: false, is_out: true });
    await ada.page.getByRole('button', { name: /First flush/ }).click();
    await ada.page.getByLabel('Notes').fill('and went well');
    await ada.page.getByRole('button', { name: 'Save' }).click();
    await world.eventually('the note', async () => (await rows('SELECT 1 FROM orla.content_calendar WHERE user_id = $1 AND notes = \'and went well\'', [ada.id])).length > 0);
    await ada.open('dashboard');
    assert.equal(await ada.page.locator('#numbers div').filter({ hasText: 'Published' }).locator('dd').textContent(), '1');
    assert.equal((await posts()).length, 1);
  });

  test('loses nothing where two tabs change the same entry', async () => {
    await rows(`UPDATE orla.content_calendar SET status = 'scheduled' WHERE user_id = $1`, [ada.id]);
    await ada.open('calendar');
    await ada.page.getByRole('button', { name: /First flush/ }).click();
    await rows(`UPDATE orla.content_calendar SET notes = 'from elsewhere' WHERE user_id = $1`, [ada.id]);
    await ada.page.getByLabel('Notes').fill('mine');
    await ada.page.getByRole('button', { name: 'Save' }).click();
    await ada.page.getByText('This was changed somewhere else').waitFor();
    await ada.page.getByRole('button', { name: 'Take the other one' }).click();
    assert.equal(await ada.page.getByLabel('Notes').inputValue(), 'from elsewhere');
    await ada.page.keyboard.press('Escape');
  });
});

describe('the strategy', () => {
  test('is written down, read, and changed', async () => {
    await rows('DELETE FROM orla.brand_strategy WHERE user_id = $1', [ada.id]);
    await ada.open('strategy');
    await ada.page.getByRole('button', { name: 'Write it myself' }).click();
    await ada.page.getByLabel('Tone').fill('Calm and dry');
    await ada.page.getByLabel('You write about').fill('origin\ncraft');
    await ada.page.getByLabel('Colours').fill('#12594f');
    await ada.page.getByRole('button', { name: 'Save' }).click();
    await ada.page.getByText('Calm and dry').waitFor();
    const [strategy] = await rows('SELECT brand_voice, content_themes, brand_colors FROM orla.brand_strategy WHERE user_id = $1', [ada.id]);
    assert.deepEqual(strategy, { brand_voice: { tone: 'Calm and dry', personality: [], key_characteristics: [] }, content_themes: ['origin', 'craft'], brand_colors: ['#12594f'] });

    await ada.page.getByRole('button', { name: 'Edit' }).click();
    await rows(`UPDATE orla.brand_strategy SET brand_voice = '{"tone": "from elsewhere"}' WHERE user_id = $1`, [ada.id]);
    await ada.page.getByLabel('Tone').fill('Warm');
    await ada.page.getByRole('button', { name: 'Save' }).click();
    await ada.page.getByText('changed somewhere else').waitFor();
    await ada.page.getByRole('button', { name: 'Keep mine instead' }).click();
    await ada.page.getByText('Warm', { exact: true }).waitFor();
  });

  test('knows competitors', async () => {
    await ada.page.getByRole('button', { name: 'Add a competitor' }).click();
    await ada.page.getByLabel('Name').fill('Leaf & Sons');
    await ada.page.getByRole('button', { name: 'Add', exact: true }).click();
    await ada.page.getByText('Leaf & Sons').first().waitFor();
    await ada.page.getByRole('button', { name: 'Remove Leaf & Sons' }).click();
    await dialog(ada.page).getByRole('button', { name: 'Remove', exact: true }).click();
    await ada.page.getByText('No competitors yet').waitFor();
  });

  test('is not worked out of nothing', async () => {
    await rows('UPDATE orla.brand_voice_assets SET user_id = $2 WHERE user_id = $1', [ada.id, ben.id]);
    await ada.open('strategy');
    await ada.page.getByRole('button', { name: 'Work it out from my material' }).click();
    await ada.page.getByRole('button', { name: 'Start', exact: true }).click();
    await dialog(ada.page).getByRole('alert').getByText('No brand material yet.').waitFor();
    assert.equal((await rows('SELECT 1 FROM orla.jobs WHERE user_id = $1', [ada.id])).length, 2, 'nothing is begun');
  });
});

describe('the end', () => {
  test('of a connection comes after a question, and says what is left to do', async () => {
    await ada.open('cloud-storage');
    const panel = region(ada, 'Google Drive');
    await panel.getByRole('button', { name: 'Disconnect' }).click();
    await dialog(ada.page).getByRole('button', { name: 'Keep it as it is' }).click();
    await panel.getByText('Connected', { exact: true }).waitFor();
    await panel.getByRole('button', { name: 'Disconnect' }).click();
    await dialog(ada.page).getByRole('button', { name: 'Disconnect', exact: true }).click();
    await ada.page.getByText('Google Drive is disconnected.').waitFor();
    await panel.getByText('Not connected').waitFor();
    const [row] = await rows(`SELECT access_token IS NULL AS forgotten FROM orla.user_cloud_storage_tokens WHERE user_id = $1 AND provider = 'google_drive'`, [ada.id]);
    assert.ok(row === undefined || row.forgotten);
  });

  test('of a password, and of the other sessions with it', async () => {
    const phone = await Person.arrive(world, 'Ada');
    phone.email = ada.email;
    await phone.open('sign-in');
    await phone.signIn();
    await phone.page.waitForURL('**/dashboard');
    await ada.open('account');
    await ada.page.getByLabel('Password now').fill('Wrong-Horse-42');
    await ada.page.getByLabel('New password', { exact: true }).fill('Later-Horse-43');
    await ada.page.getByRole('button', { name: 'Change password' }).click();
    await ada.page.getByText('The password now is not right.').waitFor();
    await ada.page.getByLabel('Password now').fill(PASSWORD);
    await ada.page.getByRole('button', { name: 'Change password' }).click();
    await ada.page.getByText('Your password is changed.').waitFor();
    await ada.page.getByText('This one').waitFor();
    await phone.page.goto(`${world.url}/library`);
    await phone.page.waitForURL('**/sign-in*');
    await phone.leave();
  });

  test('of all sessions at once', async () => {
    await ada.page.getByRole('button', { name: 'Sign out everywhere' }).click();
    await dialog(ada.page).getByRole('button', { name: 'Sign out everywhere' }).click();
    await ada.page.getByText('You are signed out everywhere.').waitFor();
    assert.deepEqual(await rows('SELECT 1 FROM orla.sessions WHERE user_id = $1 AND ended_at IS NULL', [ada.id]), []);
    await ada.signIn('Later-Horse-43');
    await ada.page.waitForURL('**/dashboard');
  });

  test('of an account takes everything of it, and nothing of anybody else', async () => {
    const before = await rows('SELECT count(*)::int AS n FROM orla.content_library WHERE user_id = $1', [ben.id]);
    await ada.open('account');
    await ada.page.getByRole('button', { name: 'Delete my account' }).click();
    await ada.page.getByRole('textbox', { name: 'Password', exact: true }).fill('Wrong-Horse-42');
    await ada.page.getByRole('button', { name: 'Delete everything' }).click();
    await ada.page.getByText('That is not your password.').waitFor();
    await ada.page.getByRole('textbox', { name: 'Password', exact: true }).fill('Later-Horse-43');
    await ada.page.getByRole('button', { name: 'Delete everything' }).click();
    await ada.page.getByText('Your account is deleted.').waitFor();
    for (const table of ['users WHERE id', 'content_library WHERE user_id', 'content_calendar WHERE user_id', 'brand_strategy WHERE user_id',
      'brand_voice_assets WHERE user_id', 'user_cloud_storage_tokens WHERE user_id', 'sessions WHERE user_id']) {
      assert.deepEqual(await rows(`SELECT 1 FROM orla.${table} = $1`, [ada.id]), [], table);
    }
    await ada.signIn('Later-Horse-43');
    await ada.page.getByText('That did not match.').waitFor();
    assert.deepEqual(await rows('SELECT count(*)::int AS n FROM orla.content_library WHERE user_id = $1', [ben.id]), before);
    await ben.open('library');
    await ben.page.getByRole('button', { name: 'Spring tune-up' }).waitFor();
  });

  test('finds no complaint in either browser', async () => {
    await ada.hasNoProblems();
    await ben.hasNoProblems();
  });
});
