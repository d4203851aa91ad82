// A database with orla for one test file: in the cluster that PGHOST names,
// else in a cluster of its own that ends with the file. So does one that changes
// what databases of a cluster share: alone.
//
// A cluster of its own needs initdb, and another user than root to run as.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const asRoot = process.getuid() === 0;
const OS_USER = process.env.ORLA_TEST_OS_USER ?? 'postgres';

function bindir() {
  const config = process.env.PG_CONFIG ?? 'pg_config';
  return execFileSync(config, ['--bindir'], { encoding: 'utf8' }).trim();
}

/** Runs a server program as somebody else than root. */
function run(program, args) {
  const [command, rest] = asRoot ? ['runuser', ['-u', OS_USER, '--', program, ...args]] : [program, args];
  const { status, stderr, error } = spawnSync(command, rest, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`${program} ${args[0]}: ${error?.message ?? stderr}`);
}

/** { host, port, user, stop() } of a fresh cluster in a scratch folder. */
function startCluster(options = '') {
  const dir = mkdtempSync(join(tmpdir(), 'orla-http-'));
  if (asRoot) execFileSync('chown', [OS_USER, dir]);
  const data = join(dir, 'data');
  const bin = bindir();
  run(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-N', '--no-instructions']);
  const stop = () => {
    if (existsSync(join(data, 'postmaster.pid'))) run(join(bin, 'pg_ctl'), ['stop', '-D', data, '-m', 'immediate', '-w']);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    run(join(bin, 'pg_ctl'), ['start', '-D', data, '-w', '-l', join(dir, 'log'), '-o',
      `-c listen_addresses= -c unix_socket_directories=${dir} -c fsync=off -c max_worker_processes=32 ${options}`]);
  } catch (error) {
    stop();
    throw error;
  }
  return { host: dir, port: '5432', user: 'postgres', stop };
}

function uri({ host, port }, user, password, database) {
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password ?? '')}`;
  return `postgresql://${login}@localhost/${encodeURIComponent(database)}` +
    `?host=${encodeURIComponent(host)}&port=${port}`;
}

async function connect(connectionString) {
  const client = new pg.Client({ connectionString });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Waits until nobody is connected any more: a layer that has ended its connections need not have been heard yet. */
async function leftAlone(client, database) {
  for (let i = 0; i < 100; i++) {
    const { rows } = await client.query('SELECT FROM pg_stat_activity WHERE datname = $1 LIMIT 1', [database]);
    if (rows.length === 0) return;
    await sleep(20);
  }
}

/**
 * { name, loginUri, admin, sql(text, values), connectAs(), close() }
 *
 * `admin` is a superuser's connection, `loginUri` what an HTTP layer gets: a
 * login that was allowed in by orla.allow_http_login() and nothing else. worker:
 * a cluster of its own in which orla is preloaded and serves this database.
 */
export async function startDatabase({ settings = {}, harden = true, alone = false, worker = false } = {}) {
  const name = `orla_http_${randomBytes(6).toString('hex')}`;
  const own = alone || worker || process.env.PGHOST === undefined;
  // The worker may be there before the database has settings of its own.
  const ofWorker = Object.entries(settings).map(([setting, value]) => `-c ${setting}=${value}`).join(' ');
  const cluster = own ? startCluster(worker ? `-c shared_preload_libraries=orla -c orla.databases=${name} ${ofWorker}` : '')
    : { host: process.env.PGHOST, port: process.env.PGPORT ?? '5432', user: process.env.PGUSER ?? 'postgres', stop() {} };
  const password = process.env.PGPASSWORD;
  const login = `${name}_web`;
  const secret = randomBytes(18).toString('base64url');

  const maintenance = await connect(uri(cluster, cluster.user, password, 'postgres'));
  await maintenance.query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
  for (const [setting, value] of Object.entries(settings)) {
    await maintenance.query(`ALTER DATABASE ${name} SET ${setting} = '${value}'`);
  }
  const setUp = await connect(uri(cluster, cluster.user, password, name));
  await setUp.query('CREATE EXTENSION orla CASCADE');
  if (harden) await setUp.query('SELECT orla.harden()');
  await setUp.query(`CREATE ROLE ${login} LOGIN NOINHERIT PASSWORD '${secret}'`);
  await setUp.query(`SELECT orla.allow_http_login('${login}')`);
  await setUp.end();

  // After harden(): what it set for the database holds from here on.
  const admin = await connect(uri(cluster, cluster.user, password, name));
  return {
    name, login, admin,
    loginUri: uri(cluster, login, secret, name),
    sql: async (text, values) => (await admin.query(text, values)).rows,
    connectAs: (user, pass) => connect(uri(cluster, user, pass, name)),
    connectAdmin: () => connect(uri(cluster, cluster.user, password, name)),
    connectLogin: () => connect(uri(cluster, login, secret, name)),
    async close() {
      await admin.end();
      await leftAlone(maintenance, name);
      await maintenance.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await maintenance.query(`DROP ROLE ${login}`);
      await maintenance.end();
      cluster.stop();
    },
  };
}
