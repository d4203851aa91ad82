// All that the pages need: a server with a worker, the HTTP layer, the
// providers' counterparts, and Chromium.
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { startDatabase } from '../../http/lib/database.mjs';
import { freePort, startLayer } from '../../http/lib/layer.mjs';
import { startProviders } from '../../providers/index.mjs';
import { startProxy } from './proxy.mjs';

const CHROMIUM = [process.env.ORLA_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  .find((program) => program && existsSync(program));

/** Where a counterpart is, in the words of orla.configure_provider(). */
function factsOf(provider, { [provider]: { main: { http: at }, content } }, own) {
  // Another site than the pages', as the real ones are: the browser must not take them for one.
  const door = at.replace('127.0.0.1', 'localhost');
  const facts = { hosts: ['127.0.0.1', 'localhost'], ...own };
  if (provider === 'google_drive') {
    return { ...facts, authorize_url: `${door}/o/oauth2/v2/auth`, token_url: `${at}/token`, revoke_url: `${at}/revoke`,
      account_url: `${at}/v1/userinfo`, api_url: `${at}/drive/v3` };
  }
  if (provider === 'onedrive') {
    return { ...facts, authorize_url: `${door}/common/oauth2/v2.0/authorize`, token_url: `${at}/common/oauth2/v2.0/token`,
      account_url: `${at}/v1.0/me`, api_url: `${at}/v1.0`, download_hosts: ['127.0.0.1'] };
  }
  return { ...facts, authorize_url: `${door}/oauth2/authorize`, token_url: `${at}/oauth2/token`, revoke_url: `${at}/2/auth/token/revoke`,
    account_url: `${at}/2/users/get_current_account`, api_url: `${at}/2`, content_url: `${content.http}/2` };
}

async function eventually(what, check) {
  for (let i = 0; i < 600; i++) {
    if (await check()) return;
    await sleep(50);
  }
  throw new Error(`not reached: ${what}`);
}

// What takes longer than all of a file's tests has hung: the file ends then, and
// with it what it started. So it does when it is told to, and when whoever started
// it is gone.
const PATIENCE = 20 * 60000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Calls end(why) where one of these comes first; the answer takes it back. */
function unlessAbandoned(end) {
  const parent = process.ppid;
  const late = setTimeout(() => end(`not over after ${PATIENCE / 60000} minutes`), PATIENCE);
  const alone = setInterval(() => { if (process.ppid !== parent) end('whoever started this is gone'); }, 1000);
  for (const signal of SIGNALS) process.on(signal, end);
  return () => {
    clearTimeout(late);
    clearInterval(alone);
    for (const signal of SIGNALS) process.off(signal, end);
  };
}

/**
 * { url, database, providers, browser, mailTo(), close() }; behind: the nginx of
 * docs/pages.md stands before the layer; remembers: the browser keeps pages for its
 * back button, as it does outside of tests.
 */
export async function startWorld({ settings = {}, headless = true, port: given, behind = false, remembers = false } = {}) {
  if (CHROMIUM === undefined) throw new Error('chromium is not installed; test/bootstrap test installs it, ORLA_CHROMIUM names another');
  const port = given ?? await freePort();
  const front = behind ? await freePort() : port;
  const url = behind ? `https://127.0.0.1:${front}` : `http://127.0.0.1:${front}/rpc`;
  const closing = [];
  // One that cannot be ended must not keep the others from it.
  const close = async () => {
    const problems = [];
    for (const end of closing.splice(0).reverse()) await end().catch((error) => problems.push(error));
    takeBack();
    if (problems.length > 0) throw problems[0];
  };
  const takeBack = unlessAbandoned((why) => {
    console.error(why);
    setTimeout(() => process.exit(1), 30000).unref();
    close().finally(() => process.exit(1));
  });
  try {
    const database = await startDatabase({
      worker: true,
      settings: { 'orla.public_url': url, 'orla.allow_loopback_http': 'on', 'orla.password_memory': '7168', 'orla.sign_in_floor': '0', ...settings },
    });
    closing.push(() => database.close());
    await eventually('a worker', async () => (await database.sql('SELECT ready FROM orla.worker_status'))[0]?.ready);

    const providers = await startProviders({ only: ['google_drive', 'onedrive', 'dropbox'] });
    closing.push(() => providers.stop());
    const where = providers.description;
    for (const provider of ['google_drive', 'onedrive', 'dropbox']) {
      await database.sql('SELECT orla.configure_provider($1, $2, $3, $4)',
        [provider, where.client_id, where.client_secret, factsOf(provider, where, behind ? {} : { redirect_path: `/oauth-callback.${provider}` })]);
    }

    const layer = await startLayer(database, { 'server-port': port });
    closing.push(() => layer.close());
    const proxy = behind ? await startProxy(front, port) : null;
    if (proxy) closing.push(() => proxy.close());
    const browser = await chromium.launch({ executablePath: CHROMIUM, headless, timeout: 180000, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false,
      ignoreDefaultArgs: remembers ? ['--disable-back-forward-cache'] : [], args: ['--no-sandbox', '--disable-dev-shm-usage', '--force-color-profile=srgb'] });
    closing.push(() => browser.close());
    return {
      url, database, providers, browser, layer, proxy, close, eventually,
      /** The newest mail to an address, as an operator reads it. */
      async mailTo(address, template = null) {
        const [row] = await database.sql(`SELECT orla.render_mail(id) AS text FROM orla.outbox
          WHERE to_address = $1 AND ($2::text IS NULL OR template = $2) ORDER BY created_at DESC LIMIT 1`, [address, template]);
        if (!row) throw new Error(`no mail to ${address}`);
        return row.text;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The first address in a mail. */
export const linkIn = (mail) => /https?:\/\/\S+/.exec(mail)[0];

