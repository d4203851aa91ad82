// A model server for tests: the Messages API and chat completions, on one port
// of this machine, each as faithful as a client can tell, and what the test says
// on another. serve.mjs is the same as a program.
//
//   POST /control/answers  {answers: […]}     the next ones, see lib/plan.mjs
//   POST /control/otherwise {…an answer}      when none of these is left
//   POST /control/keys     {keys: […]}        the API keys that are good
//   POST /control/limit    {max_bytes}        the largest request
//   POST /control/release                     held answers go on
//   GET  /control/wait?requests=|held=|idle=1&timeout_ms=
//   GET  /control/counts   GET /control/log   POST /control/reset
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { compose } from './lib/composer.mjs';
import { completions, messages, usageOf } from './lib/dialects.mjs';
import { Plan } from './lib/plan.mjs';

const listen = (serve) => new Promise((resolve, reject) => {
  const server = createServer(serve);
  server.once('error', reject).listen(0, '127.0.0.1', () => resolve(server));
});
const address = (server) => `http://127.0.0.1:${server.address().port}`;

async function read(req, most = Infinity) {
  const chunks = [];
  let size = 0;
  for await (const part of req) {
    size += part.length;
    if (size <= most) chunks.push(part);
  }
  return size > most ? null : Buffer.concat(chunks).toString();
}

// Of code points, so that no letter is torn.
function cutUp(text, n) {
  const letters = [...text];
  const size = Math.max(1, Math.ceil(letters.length / n));
  const pieces = [];
  for (let i = 0; i < letters.length; i += size) pieces.push(letters.slice(i, i + size).join(''));
  return pieces.length ? pieces : [''];
}

const sendJson = (res, status, body, headers = {}) => {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify(body));
};

async function stream(plan, dialect, res, body, answer, text, usage) {
  const write = (events) => events.forEach((event) => res.write(dialect.line(event)));
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', ...dialect.headers });
  write(dialect.head(body, answer, usage));
  let n = 0;
  for (const piece of cutUp(text, answer.pieces ?? 20)) {
    if (res.destroyed) return;
    if (answer.hold_after === n) await plan.hold();
    if (answer.error_after === n) {
      write(dialect.broken(answer));
      return res.end();
    }
    if (answer.cut_after === n) return res.destroy();
    write(dialect.piece(body, answer, piece));
    if (answer.malformed && n === 1) res.write(dialect.line(['content_block_delta', '{"type": "content_block_delta", "delta": {"te']));
    if (answer.piece_ms) await pause(answer.piece_ms);
    n += 1;
  }
  write(dialect.foot(body, answer, usage));
  res.end();
}

async function answerTo(plan, dialect, req, res, raw) {
  const key = dialect.key(req.headers);
  const fail = (status, said = {}, headers = {}) => sendJson(res, status, dialect.error(status, { key, ...said }), { ...dialect.headers, ...headers });
  let body;
  if (!plan.keys.includes(key)) return fail(401);
  if (raw === null) return fail(413);
  try {
    body = JSON.parse(raw);
  } catch {
    return fail(400);
  }
  const problem = dialect.problem(body, req.headers);
  if (problem) return fail(400, { message: problem });
  const prompt = dialect.prompt(body);
  const answer = { ...plan.next(prompt) };
  plan.log.at(-1).prompt = prompt;
  plan.began.push(Date.now());
  if (answer.delay_ms) await pause(answer.delay_ms);
  if (answer.html) {
    res.writeHead(answer.status ?? 200, { 'content-type': 'text/html' });
    return res.end(answer.html);
  }
  if (answer.status) return fail(answer.status, answer, answer.retry_after === undefined ? {} : { 'retry-after': String(answer.retry_after) });
  const text = dialect.said(answer, answer.refusal ?? answer.text ?? (answer.object ? JSON.stringify(answer.object) : compose(prompt)));
  const usage = usageOf(answer, prompt, text);
  if (answer.whole || !body.stream) return sendJson(res, 200, dialect.whole(body, answer, text, usage), dialect.headers);
  return stream(plan, dialect, res, body, answer, text, usage);
}

export async function startModels() {
  const plan = new Plan();
  const dialects = [messages, completions];
  const model = await listen(async (req, res) => {
    const dialect = dialects.find(({ path }) => path === req.url);
    const raw = await read(req, plan.max_bytes).catch(() => null);
    if (!dialect || req.method !== 'POST') return sendJson(res, 404, messages.error(404));
    plan.begin({ path: req.url, headers: req.headers, body: raw });
    res.on('close', () => {
      if (!res.writableFinished) plan.torn += 1;
      plan.end();
    });
    return answerTo(plan, dialect, req, res, raw).catch(() => res.destroy());
  });
  const calls = {
    'POST answers': ({ answers }) => { plan.answers.push(...answers); return plan.show(); },
    'POST otherwise': (answer) => { plan.otherwise = answer; return plan.show(); },
    'POST keys': ({ keys }) => { plan.keys = keys; return { keys }; },
    'POST limit': ({ max_bytes }) => { plan.max_bytes = max_bytes; return { max_bytes }; },
    'POST release': () => ({ released: plan.release() }),
    'POST reset': () => { plan.reset(); return plan.show(); },
    'GET counts': () => plan.show(),
    'GET log': () => plan.log,
    'GET wait': async ({ requests, held, idle, timeout_ms = 20000 }) => {
      const reached = await plan.until(() => (requests === undefined || plan.requests >= Number(requests)) &&
        (held === undefined || plan.gates.length >= Number(held)) && (idle === undefined || plan.in_flight === 0), Number(timeout_ms));
      if (!reached) throw new Error(`not reached: ${JSON.stringify(plan.show())}`);
      return plan.show();
    },
  };
  const call = async (method, name, given = {}) => {
    if (!Object.hasOwn(calls, `${method} ${name}`)) throw new Error(`no such call: ${method} ${name}; there are: ${Object.keys(calls).join(', ')}`);
    return calls[`${method} ${name}`](given);
  };
  const control = await listen(async (req, res) => {
    try {
      const url = new URL(req.url, 'http://127.0.0.1');
      const raw = await read(req);
      const name = /^\/control\/(\w+)$/.exec(url.pathname)?.[1];
      sendJson(res, 200, await call(req.method, name, { ...Object.fromEntries(url.searchParams), ...raw ? JSON.parse(raw) : {} }));
    } catch (problem) {
      sendJson(res, 400, { error: problem.message });
    }
  });
  return {
    plan,
    call,
    description: { control: `${address(control)}/control`, anthropic: address(model), openai: `${address(model)}/v1`, key: plan.keys[0] },
    async stop() {
      for (const server of [model, control]) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}
