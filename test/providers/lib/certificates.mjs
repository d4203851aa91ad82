// A certificate authority for the tests and what it signed, made with openssl:
//
//   ca.pem               to be trusted
//   cert.pem, key.pem    localhost, 127.0.0.1, 127.0.0.2
//   wrong-host, expired, self-signed, other-ca: NAME.pem and NAME.key
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HERE = 'DNS:localhost,IP:127.0.0.1,IP:127.0.0.2,IP:::1';

export function makeCertificates(folder) {
  if (existsSync(join(folder, 'cert.pem'))) return folder;
  mkdirSync(folder, { recursive: true });
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const key = (file) => openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file);
  const self = (name, file, subject, ...more) => {
    key(file);
    openssl('req', '-x509', '-key', file, '-subj', `/CN=${subject}`, '-days', '3650', '-out', `${name}.pem`, ...more);
  };
  const signed = (name, file, hosts, from, to, by = 'ca') => {
    key(file);
    openssl('req', '-new', '-key', file, '-subj', '/CN=orla test', '-out', 'request.csr');
    writeFileSync(join(folder, 'ca.conf'), `[ca]\ndefault_ca = here\n[here]\nnew_certs_dir = .\ndatabase = list.txt\nrand_serial = yes\ndefault_md = sha256\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n[ext]\nbasicConstraints = CA:FALSE\nsubjectAltName = ${hosts}\n`);
    writeFileSync(join(folder, 'list.txt'), '');
    openssl('ca', '-batch', '-notext', '-config', 'ca.conf', '-extensions', 'ext', '-cert', `${by}.pem`, '-keyfile', `${by}.key`,
      '-startdate', from, '-enddate', to, '-in', 'request.csr', '-out', `${name}.pem`);
  };
  const authority = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign'];
  self('ca', 'ca.key', 'orla test authority', ...authority);
  self('other', 'other.key', 'another authority', ...authority);
  self('self-signed', 'self-signed.key', 'localhost', '-addext', `subjectAltName=${HERE}`);
  signed('cert', 'key.pem', HERE, '20200101000000Z', '20491231235959Z');
  signed('wrong-host', 'wrong-host.key', 'DNS:elsewhere.example', '20200101000000Z', '20491231235959Z');
  signed('expired', 'expired.key', HERE, '20200101000000Z', '20210101000000Z');
  signed('other-ca', 'other-ca.key', HERE, '20200101000000Z', '20491231235959Z', 'other');
  // what openssl leaves: its lists, and copies named by serial number
  for (const file of readdirSync(folder)) {
    if (/^(request\.csr|ca\.conf|list\.txt.*|[0-9A-F]{30,}\.pem)$/.test(file)) rmSync(join(folder, file));
  }
  return folder;
}

// A pair that nobody trusts, without a file.
export function selfSigned() {
  const both = execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost', '-days', '3650',
    '-keyout', '-', '-out', '-'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  return { key: both, cert: both };
}
