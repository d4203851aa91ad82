// The HTTP layer under test: PostgREST where POSTGREST names the binary, the
// gateway otherwise; both with docs/postgrest.conf.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { readSettings } from './postgrest/config.mjs';
import { startGateway } from './postgrest/server.mjs';

// The suite may run in a copy; ORLA_DOCS then names the folder.
export const DOCS = process.env.ORLA_DOCS ?? fileURLToPath(new URL('../../../docs', import.meta.url));
export const CONF = `${DOCS}/postgrest.conf`;
export const IS_POSTGREST = process.env.POSTGREST !== undefined;

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Everything but the URI and the port is the documented file's, or said by the test. */
const environment = (database, settings, port) => ({
  PGRST_DB_URI: database.loginUri, PGRST_SERVER_HOST: '127.0.0.1', PGRST_SERVER_PORT: String(port),
  ...Object.fromEntries(Object.entries(settings).map(([name, value]) =>
    [`PGRST_${name.replaceAll('-', '_').toUpperCase()}`, value])),
});

/** The same as a process of its own; program is PostgREST or what takes its arguments. */
export async function startProgram(program, database, settings = {}) {
  const port = await freePort();
  const process_ = spawn(program, [CONF], {
    env: { ...process.env, ...environment(database, settings, port) }, stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  const ended = new Promise((resolve) => {
    process_.once('exit', resolve);
    process_.once('error', (error) => { log += error.message; resolve(); });
  });
  process_.stderr.on('data', (chunk) => { log += chunk; });
  const url = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 100; i++) {
    if (process_.exitCode !== null || process_.pid === undefined) throw new Error(`PostgREST ended: ${log}`);
    const up = await fetch(`${url}/rpc/jwks`).then((response) => response.status < 500, () => false);
    if (up) return { url, pid: process_.pid, log: () => log, reload: () => process_.kill('SIGUSR2'), async close() { process_.kill(); await ended; } };
    await sleep(100);
  }
  process_.kill();
  throw new Error(`PostgREST did not start: ${log}`);
}

/** Starts the layer over a database; { url, reload(), close() }. */
export async function startLayer(database, settings = {}) {
  if (IS_POSTGREST) return startProgram(process.env.POSTGREST, database, settings);
  const gateway = await startGateway(readSettings(CONF, environment(database, settings, 0)));
  return { ...gateway, reload: () => gateway.connections.reloadConfig() };
}
