#!/usr/bin/env node
// Starts the model server and prints one line of JSON: where it is. Ends on
// SIGTERM, SIGINT and, with --with-parent, when standard input closes.
import { startModels } from './index.mjs';

const models = await startModels();
console.log(JSON.stringify(models.description));

const stop = () => models.stop().then(() => process.exit(0));
process.once('SIGTERM', stop).once('SIGINT', stop);
if (process.argv.includes('--with-parent')) process.stdin.on('end', stop).resume();
