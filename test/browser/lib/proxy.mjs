// nginx with the block of docs/pages.md, as it is there but for the port of
// PostgREST; around it what the block leaves to its reader: a server with TLS.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DOCS } from '../../http/lib/layer.mjs';
import { selfSigned } from '../../providers/lib/certificates.mjs';

const NGINX = [process.env.ORLA_NGINX, '/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find((program) => program && existsSync(program));
const OS_USER = process.env.ORLA_TEST_OS_USER ?? 'postgres';

export function documentedBlock(port) {
  const [, block] = /```nginx\n(.*?)```/s.exec(readFileSync(`${DOCS}/pages.md`, 'utf8')) ?? [];
  if (!block?.includes('127.0.0.1:3000')) throw new Error('docs/pages.md has no nginx block with 127.0.0.1:3000');
  return block.replaceAll('127.0.0.1:3000', `127.0.0.1:${port}`);
}

/** { log(), close() }: listens on a port of 127.0.0.1, before what listens on another. */
export async function startProxy(front, port) {
  if (NGINX === undefined) throw new Error('nginx is not installed; test/bootstrap test installs it, ORLA_NGINX names another');
  const dir = mkdtempSync(join(tmpdir(), 'orla-nginx-'));
  const { cert, key } = selfSigned();
  writeFileSync(join(dir, 'both.pem'), `${cert}${key}`);
  writeFileSync(join(dir, 'nginx.conf'), `daemon off;
pid ${dir}/pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 256; }
http {
    access_log ${dir}/access.log;
    client_body_temp_path ${dir}/body;
    proxy_temp_path ${dir}/proxy;
    fastcgi_temp_path ${dir}/fastcgi;
    uwsgi_temp_path ${dir}/uwsgi;
    scgi_temp_path ${dir}/scgi;
    server {
        listen 127.0.0.1:${front} ssl;
        ssl_certificate ${dir}/both.pem;
        ssl_certificate_key ${dir}/both.pem;
${documentedBlock(port)}
    }
}
`);
  // not as root: it needs no right that others have not
  const who = {};
  if (process.getuid() === 0) {
    for (const kind of ['u', 'g']) who[`${kind}id`] = Number(execFileSync('id', [`-${kind}`, OS_USER], { encoding: 'utf8' }));
    execFileSync('chown', ['-R', OS_USER, dir]);
  }
  chmodSync(dir, 0o700);
  const nginx = spawn(NGINX, ['-e', 'stderr', '-p', dir, '-c', join(dir, 'nginx.conf')], { ...who, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  nginx.stderr.on('data', (chunk) => { said += chunk; });
  const ended = new Promise((resolve) => {
    nginx.once('exit', resolve);
    nginx.once('error', (error) => { said += error.message; resolve(); });
  });
  const end = () => nginx.kill('SIGTERM');
  process.once('exit', end);
  const close = async () => {
    end();
    process.off('exit', end);
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  for (let i = 0; i < 600; i++) {
    if (existsSync(join(dir, 'pid')) && readFileSync(join(dir, 'pid'), 'utf8') !== '') {
      return { log: () => `${readFileSync(join(dir, 'access.log'), 'utf8')}${said}`, close };
    }
    if (nginx.exitCode !== null || nginx.pid === undefined) break;
    await sleep(50);
  }
  await close();
  throw new Error(`nginx did not start: ${said}`);
}
