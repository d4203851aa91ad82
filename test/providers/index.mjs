// All counterparts in one process, or some, for tests that import them;
// serve.mjs is the same for everybody else.
//
//   const providers = await startProviders({ only: ['dropbox', 'smtp'] });
//   providers.description.dropbox.main.http, …
//   await providers.call('POST', 'accounts', { provider: 'dropbox', email: 'ada@x.example' });   as lib/control.mjs says
//   await providers.stop();
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificates } from './lib/certificates.mjs';
import { Control } from './lib/control.mjs';
import { Emulator } from './lib/emulator.mjs';

// Loaded when wanted: the OpenID provider takes a while.
const DIALECTS = {
  google_drive: async () => (await import('./google.mjs')).google,
  onedrive: async () => (await import('./onedrive.mjs')).onedrive,
  dropbox: async () => (await import('./dropbox.mjs')).dropbox,
  oidc: async () => (await import('./oidc.mjs')).oidc,
};
const ALL = [...Object.keys(DIALECTS), 'smtp'];

// tls: a folder with cert.pem and key.pem; they are made where it has none.
// ports: { google_drive: { main: 4001 }, …, smtp: 4025, control: 4000 }
export async function startProviders({ tls, ports = {}, only = ALL } = {}) {
  const pair = tls && makeCertificates(tls) && { cert: readFileSync(join(tls, 'cert.pem')), key: readFileSync(join(tls, 'key.pem')) };
  const emulators = {};
  const where = {};
  for (const name of only) {
    if (!ALL.includes(name)) throw new Error(`no provider ${name}; there are: ${ALL.join(' ')}`);
    if (name === 'smtp') continue;
    const emulator = await new Emulator(await DIALECTS[name]()).listen({ tls: pair, ports: ports[name] });
    emulators[name] = emulator;
    where[name] = emulator.hosts;
    const { client_id, client_secret } = emulator.clients.values().next().value;
    Object.assign(where, { client_id, client_secret });
  }
  if (only.includes('smtp')) {
    const { MailServer } = await import('./smtp.mjs');
    const server = await new MailServer({ tls: pair }).listen(ports.smtp);
    emulators.smtp = server;
    where.smtp = { url: server.url, user: server.knobs.user, password: server.knobs.password };
  }
  const control = await new Control(emulators).listen(ports.control);
  return {
    emulators,
    description: { control: `${control.url}/control`, ...where },
    call: (method, name, given = {}) => control.call(method, name, given),
    async stop() {
      await control.close();
      await Promise.all(Object.values(emulators).map((one) => one.close()));
    },
  };
}
