#!/usr/bin/env node
// Starts all counterparts and prints one line of JSON: where they are.
//
//   node test/providers/serve.mjs [--tls FOLDER] [--ports JSON]
//
// --tls: a folder with cert.pem and key.pem; each address is then there by
// https too. Ends on SIGTERM, SIGINT, and when standard input closes if
// --with-parent is given.
import { parseArgs } from 'node:util';
import { startProviders } from './index.mjs';

const { values } = parseArgs({ options: { tls: { type: 'string' }, ports: { type: 'string' }, 'with-parent': { type: 'boolean' } } });
const providers = await startProviders({ tls: values.tls, ports: values.ports ? JSON.parse(values.ports) : {} });
console.log(JSON.stringify(providers.description));

const stop = () => providers.stop().then(() => process.exit(0));
process.once('SIGTERM', stop).once('SIGINT', stop);
if (values['with-parent']) process.stdin.on('end', stop).resume();
