// What tests say to the emulators, over HTTP, JSON in and out. Each call names
// its provider: google_drive, onedrive, dropbox, oidc, smtp.
//
//   POST /control/knobs      {provider, …knobs, faults: […]}     the knobs as they are then
//   POST /control/faults     {provider, …one fault}              added to the others
//   POST /control/accounts   {provider, email, name?, kind?, files?}
//   POST /control/files      {provider, account, files}          more files
//   POST /control/clients    {provider, client_id, client_secret, redirect_uris?, project?, audience?}
//   POST /control/approve    {provider?, authorization_url, account, deny?, untick?} -> {redirect_to, code, state, …}
//   POST /control/mint       {provider, account, scopes?, count?} -> tokens, as if the account had consented
//   POST /control/revoke     {provider, what: access|refresh|grant, account?, grant?}
//   POST /control/clock      {provider, advance}                 seconds that pass at the provider
//   POST /control/release    {provider, endpoint?}               held requests go on
//   GET  /control/wait?provider=&endpoint=&requests=|held=|idle=1&timeout_ms=
//   GET  /control/counts?provider=&brief=1     GET /control/log?provider=     GET /control/files?provider=&account=
//   GET  /control/mails?provider=smtp&to=
//   POST /control/reset      {provider?}                         as after the start; all, without provider
import { createServer } from 'node:http';
import { Account, pathOf } from './accounts.mjs';
import { approve } from './browser.mjs';
import { expand } from './samples.mjs';

class Wrong extends Error {}

export class Control {
  constructor(emulators) {
    this.emulators = emulators;
  }

  async listen(port = 0) {
    this.server = createServer((req, res) => this.serve(req, res));
    await new Promise((resolve, reject) => { this.server.once('error', reject).listen(port, '127.0.0.1', resolve); });
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  close() {
    return new Promise((done) => {
      this.server.close(done);
      this.server.closeAllConnections();
    });
  }

  async serve(req, res) {
    let status = 200;
    let answer;
    try {
      const url = new URL(req.url, this.url);
      const chunks = [];
      for await (const chunk of req) chunks.push(chunk);
      const body = chunks.length ? JSON.parse(Buffer.concat(chunks)) : {};
      const name = /^\/control\/(\w+)$/.exec(url.pathname)?.[1];
      answer = await this.call(req.method, name, { ...Object.fromEntries(url.searchParams), ...body });
    } catch (problem) {
      status = 400;
      answer = { error: problem.message };
    }
    res.writeHead(status, { 'content-type': 'application/json' });
    res.end(`${JSON.stringify(answer)}\n`);
  }

  // The same without HTTP.
  async call(method, name, given) {
    const { provider, ...rest } = given;
    if (provider === undefined && ['reset', 'counts', 'approve'].includes(name)) return EVERYWHERE[name](this.emulators, rest);
    const emulator = Object.hasOwn(this.emulators, provider ?? '') ? this.emulators[provider] : null;
    if (!emulator) throw new Wrong(`no provider ${provider}; there are: ${Object.keys(this.emulators).join(' ')}`);
    const own = emulator.control?.[`${method} ${name}`];
    if (own) return own(rest);
    const work = Object.hasOwn(CALLS, `${method} ${name}`) ? CALLS[`${method} ${name}`] : null;
    if (!work) throw new Wrong(`no such call: ${method} ${name}; there are: ${Object.keys(CALLS).join(', ')}`);
    return work(emulator, rest);
  }
}

const account = (emulator, email) => {
  const found = emulator.accounts.get(email);
  if (!found) throw new Wrong(`no account ${email}; there are: ${[...emulator.accounts.keys()].join(' ')}`);
  return found;
};

const describe = (node) => ({
  id: node.id, name: node.name, type: node.type, drive: node.drive.name, drive_id: node.drive.id, path: pathOf(node),
  size: node.content?.size ?? null, parent: node.parent?.id ?? null, trashed: node.trashed, shared: node.shared,
});

function mint(emulator, { account: email, scopes = emulator.dialect.allScopes, count = 1, client_id = emulator.clients.keys().next().value }) {
  const { project } = emulator.clients.get(client_id);
  const made = [];
  for (let i = 0; i < count; i += 1) {
    const grant = emulator.tokens.newGrant({ account: account(emulator, email), client_id, project, scopes });
    made.push({ grant: grant.id, ...emulator.dialect.answer(emulator, grant, true) });
  }
  return { tokens: made };
}

const CALLS = {
  'POST knobs': (emulator, knobs) => emulator.settings.set(knobs),
  'GET knobs': (emulator) => emulator.settings.show(),
  'POST faults': (emulator, fault) => {
    emulator.settings.add(fault);
    return emulator.settings.show();
  },
  'POST accounts': (emulator, given) => {
    if (!given.email) throw new Wrong('an account has an email');
    const made = new Account(given, emulator.dialect.rules);
    emulator.accounts.set(made.email, made);
    for (const grant of emulator.tokens.grants) if (grant.account.email === made.email) grant.account = made;
    return { id: made.id, email: made.email, files: made.all().length };
  },
  'POST files': (emulator, given) => expand(given.files, emulator.dialect.rules).map((file) => describe(account(emulator, given.account).add(file))),
  'GET files': (emulator, given) => account(emulator, given.account).all().map(describe),
  'POST clients': (emulator, given) => emulator.addClient(given),
  'POST approve': (emulator, given) => approve([emulator], given),
  'POST mint': (emulator, given) => mint(emulator, given),
  'POST revoke': (emulator, { what = 'grant', account: email, grant: id }) => {
    if (!['access', 'refresh', 'grant'].includes(what)) throw new Wrong('what is access, refresh or grant');
    const hit = (grant) => (email === undefined || grant.account.email === email) && (id === undefined || grant.id === id);
    return { revoked: emulator.tokens.revoke(what, hit) };
  },
  'POST clock': (emulator, { advance }) => {
    emulator.advance += Number(advance) * 1000;
    return { now: new Date(emulator.now()).toISOString() };
  },
  'POST release': (emulator, { endpoint }) => ({ released: emulator.counts.release(endpoint) }),
  'GET wait': async (emulator, { endpoint, requests, held, idle, timeout_ms = 10_000 }) => {
    const { counts } = emulator;
    const reached = await counts.until(() => (requests === undefined || (counts.requests[endpoint] ?? 0) >= Number(requests)) &&
      (held === undefined || (counts.held[endpoint] ?? 0) >= Number(held)) &&
      (idle === undefined || (counts.in_flight[endpoint] ?? 0) === 0), Number(timeout_ms));
    if (!reached) throw new Wrong(`not reached: ${JSON.stringify(counts.show())}`);
    return counts.show();
  },
  'GET counts': (emulator, { brief }) => emulator.show({ brief: Boolean(brief) }),
  'GET log': (emulator) => emulator.counts.log,
  'POST reset': (emulator) => {
    emulator.reset();
    return { reset: [emulator.name] };
  },
};

const EVERYWHERE = {
  reset: async (emulators) => {
    for (const emulator of Object.values(emulators)) await emulator.reset();
    return { reset: Object.keys(emulators) };
  },
  counts: (emulators) => Object.fromEntries(Object.entries(emulators).map(([name, emulator]) => [name, emulator.show({ brief: true })])),
  approve: (emulators, given) => approve(Object.values(emulators), given),
};
