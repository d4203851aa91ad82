// PgBouncer with docs/pgbouncer.ini, pointed at a test's database.
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DOCS, freePort } from './layer.mjs';

const OS_USER = process.env.ORLA_TEST_OS_USER ?? 'postgres';
const asRoot = process.getuid() === 0;

const PROGRAM = [...process.env.PATH.split(':'), '/usr/sbin'].map((dir) => join(dir, 'pgbouncer')).find(existsSync);

/** { uri, close() }: the database's login through PgBouncer in transaction mode, one server connection. */
export async function startPgBouncer(database) {
  if (PROGRAM === undefined) throw new Error('pgbouncer is not installed');
  const dir = mkdtempSync(join(tmpdir(), 'orla-pgbouncer-'));
  const port = await freePort();
  const target = new URL(database.loginUri);
  const write = (name, text) => writeFileSync(join(dir, name), text, { mode: 0o600 });
  const lines = {
    app: `host=${target.searchParams.get('host')} port=${target.searchParams.get('port')} dbname=${database.name}`,
    listen_port: port, unix_socket_dir: dir, auth_file: join(dir, 'userlist.txt'), default_pool_size: 1,
  };
  let ini = readFileSync(join(DOCS, 'pgbouncer.ini'), 'utf8');
  for (const [name, value] of Object.entries(lines)) ini = ini.replace(new RegExp(`^${name} = .*$`, 'm'), `${name} = ${value}`);
  write('pgbouncer.ini', `${ini}\nlogfile = ${join(dir, 'log')}\npidfile = ${join(dir, 'pid')}\n`);
  write('userlist.txt', `"${target.username}" "${target.password}"\n`);
  if (asRoot) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, OS_USER])));
    for (const name of ['.', 'pgbouncer.ini', 'userlist.txt']) chownSync(join(dir, name), uid, gid);
  }

  const { status, stderr } = spawnSync(PROGRAM,
    ['-q', '-d', ...(asRoot ? ['-u', OS_USER] : []), join(dir, 'pgbouncer.ini')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`pgbouncer: ${stderr}`);
  let pid = 0;
  for (let i = 0; i < 100 && pid === 0; i++) {
    await sleep(50);
    if (existsSync(join(dir, 'pid'))) pid = Number(readFileSync(join(dir, 'pid'), 'utf8'));
  }
  if (pid === 0) throw new Error('pgbouncer did not start');
  return {
    uri: `postgresql://${target.username}:${target.password}@127.0.0.1:${port}/app`,
    async close() {
      process.kill(pid, 'SIGINT');
      for (let i = 0; i < 100 && existsSync(join(dir, 'pid')); i++) await sleep(50);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
