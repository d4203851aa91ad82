// Generation jobs against a model that takes two seconds, on this machine.
import { setTimeout as sleep } from 'node:timers/promises';
import { startModels } from '../models/index.mjs';
import { ofProcess } from './load_cpu.mjs';
import { people } from './load_http.mjs';

const TENANTS = 50;
const JOBS = 1000;
const PIECES = 10;

/** How many jobs each has: as many, or one has half of all. */
const QUEUES = {
  equal: () => Array.from({ length: TENANTS }, () => JOBS / TENANTS),
  unequal: () => Array.from({ length: TENANTS }, (_, i) => i === 0 ? JOBS / 2
    : Math.floor(JOBS / 2 / (TENANTS - 1)) + (i <= JOBS / 2 % (TENANTS - 1) ? 1 : 0)),
};

/** Requests that the model has, times seconds: from the first until the last has come. */
class Busy {
  constructor(plan) {
    this.area = 0;
    this.requests = 0;
    let was = { at: 0, in_flight: 0 };
    plan.watchers.add(() => {
      const at = performance.now() / 1000;
      if (this.requests === 0) this.first = at;
      else this.area += was.in_flight * (at - was.at);
      if (plan.requests > this.requests) {
        this.requests = plan.requests;
        this.last = at;
        this.upToLast = this.area;
      }
      was = { at, in_flight: plan.in_flight };
    });
  }
}

async function set(admin, settings) {
  for (const [name, value] of Object.entries(settings)) await admin.query(`ALTER SYSTEM SET ${name} = '${value}'`);
  await admin.query('SELECT pg_reload_conf()');
  for (const [name, value] of Object.entries(settings)) {
    while ((await admin.query('SELECT current_setting($1) AS v', [name])).rows[0].v !== String(value)) await sleep(20);
  }
}

/** While the worker is held up, so that it finds all of them at once. */
async function enqueue(admin, accounts, queues, worker) {
  process.kill(worker, 'SIGSTOP');
  try {
    for (const [i, { id }] of accounts.entries()) {
      await admin.query('BEGIN');
      await admin.query(`SELECT set_config('orla.tenant', $1, true)`, [id]);
      await admin.query('SET LOCAL ROLE orla_gateway');
      await admin.query(`SELECT orla_api.generate_content('social', jsonb_build_object('keyword', 'tea ' || i)) FROM generate_series(1, $1) AS i`, [queues[i]]);
      await admin.query('COMMIT');
    }
  } finally {
    process.kill(worker, 'SIGCONT');
  }
}

/** Jobs that each had done when the first of them had no more. */
const SHARES = `
  WITH first AS (SELECT min(m.last) AS ended FROM (SELECT max(finished_at) AS last FROM orla.jobs GROUP BY user_id) AS m)
  SELECT count(*) FILTER (WHERE j.finished_at <= f.ended)::int AS done FROM orla.jobs AS j, first AS f GROUP BY j.user_id`;

async function measureQueue(admin, models, accounts, [slots, kind]) {
  await admin.query('TRUNCATE orla.jobs');
  await admin.query('VACUUM ANALYZE');
  await set(admin, { 'orla.max_jobs': slots, 'orla.max_jobs_per_tenant': kind === 'equal' ? Math.max(2, Math.ceil(2 * slots / TENANTS)) : slots,
                     'orla.max_queued_jobs': JOBS });
  await models.call('POST', 'reset');
  await models.call('POST', 'otherwise', { pieces: PIECES, piece_ms: 2000 / PIECES });
  const { rows: [{ pid }] } = await admin.query('SELECT pid FROM orla.worker_status');
  const busy = new Busy(models.plan);
  const before = ofProcess(pid);
  await enqueue(admin, accounts, QUEUES[kind](), Number(pid));
  for (;;) {
    const { rows: [{ left, bad }] } = await admin.query(
      `SELECT count(*) FILTER (WHERE status IN ('queued', 'running'))::int AS left, min(error) AS bad FROM orla.jobs`);
    if (bad !== null) throw new Error(`a job did not succeed: ${bad}`);
    if (left === 0) break;
    await sleep(200);
  }
  const shares = (await admin.query(SHARES)).rows.map((row) => row.done);
  const { rows: [{ seconds, written }] } = await admin.query(
    `SELECT extract(epoch FROM max(finished_at) - min(started_at))::float AS seconds,
            (SELECT count(*)::int FROM orla.content_library) AS written FROM orla.jobs`);
  models.plan.watchers.clear();
  if (busy.requests !== JOBS || written % JOBS !== 0) throw new Error(`${busy.requests} requests, ${written} results`);
  return { slots, kind, seconds, worker: (ofProcess(pid) - before) / JOBS, shares,
           busy: busy.upToLast / (slots * (busy.last - busy.first)) };
}

/** [{slots, kind, busy, shares, seconds, worker}] */
export async function measureJobs({ admin, sizes, say }) {
  const models = await startModels();
  const figures = [];
  try {
    const { anthropic, key } = models.description;
    await admin.query(`SELECT orla.configure_model('default', 'anthropic', $1, 'a model', $2)`, [anthropic, key]);
    await admin.query('TRUNCATE orla.content_library CASCADE');
    const accounts = await people(admin, TENANTS);
    for (const queue of sizes.jobs) {
      figures.push(await measureQueue(admin, models, accounts, queue));
      say(`  ${JOBS} jobs, ${queue[0]} at once, ${queue[1]} queues`);
    }
  } finally {
    await models.stop();
  }
  return figures;
}
