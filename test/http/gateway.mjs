#!/usr/bin/env node
// Runs the test gateway by itself: node gateway.mjs [postgrest.conf]
// A stand-in for PostgREST on a machine that has none; not for production.
import { readSettings } from './lib/postgrest/config.mjs';
import { startGateway } from './lib/postgrest/server.mjs';

const gateway = await startGateway(readSettings(process.argv[2]), (line) => console.error(line));
console.log(`listening on ${gateway.url}`);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => gateway.close());
process.on('SIGUSR2', () => gateway.connections.reloadConfig());
