// PostGraphile 5 with docs/graphile.config.mjs, on a free port.
import './node20.mjs';
import { copyFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { DOCS } from './layer.mjs';

process.env.GRAPHILE_ENV ??= 'production';
let copies = 0;

/** The documented file, from where its imports find this suite's packages. */
async function documentedPreset() {
  const copy = new URL(`../graphile.config.${process.pid}.${copies++}.mjs`, import.meta.url);
  copyFileSync(`${DOCS}/graphile.config.mjs`, copy);
  try {
    return (await import(copy.href)).default;
  } finally {
    rmSync(copy);
  }
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
