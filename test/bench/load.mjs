// Measures load in the cluster that PGHOST names, and prints the figures as JSON.
//
//   load.mjs SIZES      as JSON: see test/bench/load
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { measureHttp } from './load_http.mjs';
import { measureJobs } from './load_jobs.mjs';

const pg = createRequire(new URL('../http/', import.meta.url))('pg');
const { PGHOST, PGPORT, PGUSER, ORLA_BENCH_CLUSTER } = process.env;
const uri = (user) => `postgresql://${user}@localhost/bench?host=${encodeURIComponent(PGHOST)}&port=${PGPORT}`;
const say = (text) => console.error(text);

const sizes = JSON.parse(process.argv[2]);
const admin = new pg.Client({ connectionString: uri(PGUSER), options: '-c client_min_messages=warning' });
await admin.connect();
while (!(await admin.query('SELECT ready FROM orla.worker_status')).rows[0].ready) await sleep(50);
const postmaster = Number(readFileSync(`${ORLA_BENCH_CLUSTER}/data/postmaster.pid`, 'utf8').split('\n')[0]);

say('measuring load');
const requests = await measureHttp({ admin, uri, postmaster, sizes, say });
const jobs = await measureJobs({ admin, sizes, say });
await admin.end();
console.log(JSON.stringify({ layer: process.env.POSTGREST === undefined ? 'gateway' : 'PostgREST', requests, jobs }));
