// All counterparts in one process, for tests that import them; serve.mjs is the
// same for everybody else.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Control } from './lib/control.mjs';
import { Emulator } from './lib/emulator.mjs';
import { dropbox } from './dropbox.mjs';
import { google } from './google.mjs';
import { onedrive } from './onedrive.mjs';

const DIALECTS = [google, onedrive, dropbox];

// tls: a folder with cert.pem and key.pem; ports: { google_drive: { main: 4001 }, …, control: 4000 }
export async function startProviders({ tls, ports = {} } = {}) {
  const pair = tls && { cert: readFileSync(join(tls, 'cert.pem')), key: readFileSync(join(tls, 'key.pem')) };
  const emulators = {};
  for (const dialect of DIALECTS) emulators[dialect.name] = await new Emulator(dialect).listen({ tls: pair, ports: ports[dialect.name] });
  const control = await new Control(emulators).listen(ports.control);
  const urls = Object.fromEntries(Object.entries(emulators).map(([name, emulator]) => [name, emulator.hosts]));
  return {
    emulators,
    control,
    description: { control: `${control.url}/control`, ...urls },
    call: (method, name, given = {}) => control.call(method, name, given),
    async stop() {
      await control.close();
      await Promise.all(Object.values(emulators).map((emulator) => emulator.close()));
    },
  };
}
