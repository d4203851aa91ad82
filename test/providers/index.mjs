// All counterparts in one process, for tests that import them; serve.mjs is the
// same for everybody else.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificates } from './lib/certificates.mjs';
import { Control } from './lib/control.mjs';
import { Emulator } from './lib/emulator.mjs';
import { dropbox } from './dropbox.mjs';
import { google } from './google.mjs';
import { oidc } from './oidc.mjs';
import { onedrive } from './onedrive.mjs';
import { MailServer } from './smtp.mjs';

const DIALECTS = [google, onedrive, dropbox, oidc];

// tls: a folder with cert.pem and key.pem; they are made where it has none.
// ports: { google_drive: { main: 4001 }, …, smtp: 4025, control: 4000 }
export async function startProviders({ tls, ports = {} } = {}) {
  const pair = tls && makeCertificates(tls) && { cert: readFileSync(join(tls, 'cert.pem')), key: readFileSync(join(tls, 'key.pem')) };
  const emulators = {};
  for (const dialect of DIALECTS) emulators[dialect.name] = await new Emulator(dialect).listen({ tls: pair, ports: ports[dialect.name] });
  const smtp = await new MailServer({ tls: pair }).listen(ports.smtp);
  const control = await new Control({ ...emulators, smtp }).listen(ports.control);
  const { client_id, client_secret } = emulators.google_drive.clients.values().next().value;
  const urls = Object.fromEntries(Object.entries(emulators).map(([name, emulator]) => [name, emulator.hosts]));
  return {
    emulators: { ...emulators, smtp },
    control,
    description: { control: `${control.url}/control`, client_id, client_secret, ...urls, smtp: { url: smtp.url, user: smtp.knobs.user, password: smtp.knobs.password } },
    call: (method, name, given = {}) => control.call(method, name, given),
    async stop() {
      await control.close();
      await Promise.all([...Object.values(emulators), smtp].map((one) => one.close()));
    },
  };
}
