#!/usr/bin/env node
// Starts all counterparts and prints one line of JSON: where they are.
//
//   node test/providers/serve.mjs [--tls FOLDER] [--ports JSON] [--only NAME]…
//
// --tls: a folder with cert.pem and key.pem, made where it has none; each
// address is then there by https too. --ports: fixed ones, as in
// {"google_drive":{"main":4001},"smtp":4025,"control":4000}. Ends on SIGTERM,
// SIGINT and, with --with-parent, when standard input closes.
import { parseArgs } from 'node:util';
import { startProviders } from './index.mjs';

const { values } = parseArgs({ options: { tls: { type: 'string' }, ports: { type: 'string' }, 'with-parent': { type: 'boolean' }, only: { type: 'string', multiple: true } } });
const providers = await startProviders({ tls: values.tls, ports: values.ports ? JSON.parse(values.ports) : {}, ...values.only && { only: values.only } });
console.log(JSON.stringify(providers.description));

const stop = () => providers.stop().then(() => process.exit(0));
process.once('SIGTERM', stop).once('SIGINT', stop);
if (values['with-parent']) process.stdin.on('end', stop).resume();
