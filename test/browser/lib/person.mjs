// Somebody with a browser of their own.
import assert from 'node:assert/strict';
import { linkIn } from './world.mjs';

export const PASSWORD = 'Correct-Horse-42';
let count = 0;

export class Person {
  /** A context of its own: cookies, storage and cache of nobody else. */
  static async arrive(world, name, options = {}) {
    const context = await world.browser.newContext({
      viewport: { width: 1280, height: 900 }, locale: 'en-GB', timezoneId: 'Europe/Berlin', reducedMotion: 'reduce',
      ignoreHTTPSErrors: world.url.startsWith('https:'), ...options,
    });
    const person = new Person();
    Object.assign(person, { world, name, context, email: `${name.toLowerCase()}.${++count}@example.org`, problems: [] });
    await context.exposeBinding('orlaReports', (_, what) => { person.problems.push(what); });
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => window.orlaReports(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
    person.page = await person.tab();
    return person;
  }

  async tab() {
    const page = await this.context.newPage();
    page.setDefaultTimeout(30000);
    page.on('pageerror', (error) => this.problems.push(`error: ${error.message}`));
    page.on('console', (message) => {
      // what the server refuses is shown by the pages, and noted by the browser
      const own = message.location().url.startsWith(this.world.url.replace(/rpc$/, ''));
      if (message.type() === 'error' && own && !/Failed to load resource/.test(message.text())) this.problems.push(`console: ${message.text()}`);
    });
    return page;
  }

  /** Opens a page of ours, and waits until it has what it shows. */
  async open(name, page = this.page) {
    await page.goto('about:blank');
    await page.goto(`${this.world.url}/${name}`);
    await page.locator('html[data-ready]').waitFor({ state: 'attached' });
  }

  async register(page = this.page) {
    await this.open('sign-up', page);
    await page.getByLabel('Name').fill(`${this.name} Example`);
    await page.getByLabel('E-mail').fill(this.email);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('heading', { name: 'Look into your mailbox' }).waitFor();
  }

  async verify(password = PASSWORD, page = this.page) {
    await page.goto(linkIn(await this.world.mailTo(this.email, 'verify_email')));
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Confirm and sign in' }).click();
  }

  /** From nothing to the dashboard. */
  async join() {
    await this.register();
    await this.verify();
    await this.page.waitForURL('**/dashboard');
    await this.page.getByRole('heading', { level: 1, name: this.name }).waitFor();
    [{ id: this.id }] = await this.world.database.sql('SELECT id FROM orla.users WHERE email = $1', [this.email]);
    return this;
  }

  async signIn(password = PASSWORD, page = this.page) {
    await page.getByLabel('E-mail').fill(this.email);
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  /** Begins to connect; the browser is at the provider then. */
  async connect(label) {
    await this.open('cloud-storage');
    await this.page.getByRole('region', { name: label }).getByRole('button', { name: /^Connect/ }).click();
    await this.page.waitForURL((address) => address.hostname === 'localhost');
  }

  async hasNoProblems() {
    assert.deepEqual(this.problems, [], `${this.name}'s browser complains of nothing`);
  }

  leave() {
    return this.context.close();
  }
}
