// PostGraphile 5 with docs/graphile.config.mjs, on a free port.
import './node20.mjs';
import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DOCS, freePort } from './layer.mjs';

process.env.GRAPHILE_ENV ??= 'production';
let copies = 0;

/** A copy of the documented file where its imports find this suite's packages. */
function copyPreset() {
  const copy = new URL(`../graphile.config.${process.pid}.${copies++}.mjs`, import.meta.url);
  copyFileSync(`${DOCS}/graphile.config.mjs`, copy);
  return copy;
}

async function documentedPreset() {
  const copy = copyPreset();
  try {
    return (await import(copy.href)).default;
  } finally {
    rmSync(copy);
  }
}

/** PostGraphile's own command, with the flag that the documentation gives the file to; { url, close() } */
export async function startPostGraphileByCommand(uri) {
  const [, flag] = /npx postgraphile (-\w) graphile\.config\.mjs/.exec(readFileSync(`${DOCS}/howto-postgraphile.md`, 'utf8'));
  const copy = copyPreset();
  const port = await freePort();
  const here = (name) => fileURLToPath(new URL(name, import.meta.url));
  const process_ = spawn(process.execPath, ['--import', here('node20.mjs'), here('../node_modules/postgraphile/dist/cli-run.js'),
    flag, fileURLToPath(copy), '--port', String(port)],
  { env: { ...process.env, DATABASE_URL: uri }, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => process_.once('exit', resolve));
  let log = '';
  process_.stderr.on('data', (chunk) => { log += chunk; });
  const url = `http://127.0.0.1:${port}`;
  async function close() {
    process_.kill();
    await ended;
    rmSync(copy);
  }
  for (let i = 0; i < 300 && process_.exitCode === null; i++) {
    if (await fetch(`${url}/graphql`).then(() => true, () => false)) return { url, close };
    await sleep(50);
  }
  await close();
  throw new Error(`PostGraphile did not start: ${log}`);
}

/** { url, close() } */
export async function startPostGraphile(uri) {
  process.env.DATABASE_URL = uri;
  const preset = await documentedPreset();
  const { postgraphile } = await import('postgraphile');
  const { grafserv } = await import('postgraphile/grafserv/node');
  const instance = postgraphile(preset);
  const server = createServer();
  await instance.createServ(grafserv).addTo(server);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await instance.release();
      // Its connections are ours to end, before the database is dropped under them.
      for (const service of instance.getResolvedPreset().pgServices) await service.release();
    },
  };
}
