// Requests per second with the fence and without, through the same layer; and
// without the statement before each request, which the fence needs.
import { fileURLToPath } from 'node:url';
import { startProgram } from '../http/lib/layer.mjs';
import { Clients, request } from './load_client.mjs';
import { ofCluster, ofProcess } from './load_cpu.mjs';

const PROGRAM = process.env.POSTGREST ?? fileURLToPath(new URL('../http/gateway.mjs', import.meta.url));
const PASSWORD = 'Correct-Horse-42';
const ROWS_EACH = 50;
const CONNECTIONS = 8;
const COLUMNS = 'id,title,status,tags,created_at';

// ---- what is asked ------------------------------------------------------------

const json = { 'content-type': 'application/json', prefer: 'return=representation' };
const bearer = (who) => ({ authorization: `Bearer ${who.token}` });
const post = { title: 'A new post', content_type: 'blog', content: 'some words of a new post. '.repeat(8), tags: ['tea'] };

/** Kind: requests of one account, with the fence and without any. */
const KINDS = {
  read: {
    fenced: (who) => request('GET', `/content_library?select=${COLUMNS}&order=created_at.desc&limit=20`, bearer(who)),
    unfenced: (who) => request('GET', `/content_library?select=${COLUMNS}&user_id=eq.${who.id}&order=created_at.desc&limit=20`, bearer(who)),
  },
  write: {
    fenced: (who) => request('POST', `/content_library?select=${COLUMNS}`, { ...bearer(who), ...json }, JSON.stringify(post)),
    unfenced: (who) => request('POST', `/content_library?select=${COLUMNS}`, { ...bearer(who), ...json }, JSON.stringify({ ...post, user_id: who.id })),
  },
  'sign-in': {
    fenced: (who) => request('POST', '/rpc/login', { 'content-type': 'application/json' }, JSON.stringify({ email: who.email, password: PASSWORD })),
    unfenced: (who) => request('POST', '/rpc/login', { 'content-type': 'application/json' }, JSON.stringify({ email: who.email, password: PASSWORD })),
  },
  // So short that what the machine does besides shows most.
  page: {
    turns: 3,
    fenced: () => request('GET', '/rpc/sign-in', { accept: 'text/html' }),
    unfenced: () => request('GET', '/rpc/sign_in', { accept: 'text/html' }),
  },
};

// ---- measuring ----------------------------------------------------------------

let seed = 42;
/** The same row of numbers in every run. */
function random(below) {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor(seed / 2 ** 32 * below);
}

function shuffled(list) {
  const left = [...list];
  return list.map(() => left.splice(random(left.length), 1)[0]);
}

export async function people(admin, tenants) {
  const { rows: [{ n }] } = await admin.query('SELECT count(*)::int AS n FROM orla.users');
  if (n < tenants) await admin.query('SELECT bench.accounts($1, $2, $3)', [n + 1, tenants, PASSWORD]);
  const { rows } = await admin.query(
    `SELECT u.id, u.email, orla.open_session(u.id, '{}') #>> '{answer,access_token}' AS token
       FROM orla.users AS u, generate_series(1, $1) AS i WHERE u.id = bench.tenant(i::int)`, [tenants]);
  return rows;
}

/** One block: so many requests of the same accounts; per request, in seconds. */
async function block(side, requests, chosen, postmaster) {
  const list = chosen.map((i) => requests[i]);
  const before = [ofCluster(postmaster), ofProcess(side.pid)];
  const seconds = await side.clients.run(list);
  return {
    seconds: seconds / list.length,
    database: (ofCluster(postmaster) - before[0]) / list.length,
    layer: (ofProcess(side.pid) - before[1]) / list.length,
  };
}

async function measureKind(sides, kind, accounts, sizes, postmaster) {
  const make = KINDS[kind];
  const requests = Object.fromEntries(Object.keys(sides).map((name) => [name, accounts.map(make[name] ?? make.unfenced)]));
  const choose = (n) => Array.from({ length: n }, () => random(accounts.length));
  // Known statements, warm caches; and how many requests a block has.
  let n = CONNECTIONS * 2;
  for (let turn = 0; turn < 3; turn++) {
    let slowest = 0;
    for (const name of Object.keys(sides)) {
      slowest = Math.max(slowest, (await block(sides[name], requests[name], choose(n), postmaster)).seconds);
    }
    n = Math.max(CONNECTIONS * 2, Math.round(sizes.block / slowest));
  }
  const blocks = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
  // In random order, then in the reverse of it: what becomes slower or faster by the hour favours nobody.
  let order = [];
  for (let pair = 0; pair < sizes.pairs * (KINDS[kind].turns ?? 1); pair++) {
    const chosen = choose(n);
    order = pair % 2 === 0 ? shuffled(Object.keys(sides)) : order.toReversed();
    for (const name of order) {
      blocks[name].push(await block(sides[name], requests[name], chosen, postmaster));
    }
  }
  return blocks;
}

/** [{kind, tenants, blocks: {fenced: […], unfenced: […], bare: […]}}] */
export async function measureHttp({ admin, uri, postmaster, sizes, say }) {
  const database = { loginUri: uri('bench_web') };
  const { rows: [{ jwks }] } = await admin.query('SELECT orla_api.jwks()::text AS jwks');
  const without = { 'db-schemas': 'unfenced', 'db-pre-config': '', 'db-config': 'false', 'jwt-secret': jwks, 'jwt-aud': 'orla' };
  const layers = {
    fenced: await startProgram(PROGRAM, database),
    unfenced: await startProgram(PROGRAM, database, { ...without, 'db-pre-request': 'bench.pre_request' }),
    bare: await startProgram(PROGRAM, database, { ...without, 'db-pre-request': '' }),
  };
  const sides = Object.fromEntries(Object.entries(layers).map(([name, layer]) =>
    [name, { pid: layer.pid, clients: new Clients(layer.url, CONNECTIONS) }]));
  const figures = [];
  try {
    for (const tenants of sizes.tenants) {
      const accounts = await people(admin, tenants);
      await admin.query('SELECT bench.library($1, $2)', [tenants, ROWS_EACH]);
      await admin.query('VACUUM ANALYZE');
      await admin.query('CHECKPOINT');
      // Connections last for hours: each has seen each token.
      for (const name of Object.keys(sides)) {
        const each = accounts.map(KINDS.read[name] ?? KINDS.read.unfenced);
        await sides[name].clients.run(Array.from({ length: CONNECTIONS }, () => each).flat());
      }
      for (const kind of Object.keys(KINDS)) {
        figures.push({ kind, tenants, blocks: await measureKind(sides, kind, accounts, sizes, postmaster) });
        say(`  ${kind}, ${tenants} tenants`);
      }
    }
  } finally {
    for (const { clients } of Object.values(sides)) clients.close();
    for (const layer of Object.values(layers)) await layer.close();
  }
  return figures;
}
