// An HTTP server that speaks PostgREST 16.2's transactions to the database.
//
// It stands in where no PostgREST binary is at hand (POSTGREST=/path names
// one), and knows of PostgREST's features what the tests need. It holds no
// secret: public keys and a login that may become orla_anon and orla_user.
import { createServer } from 'node:http';
import { identifier, qualified } from './config.mjs';
import { Connections } from './connections.mjs';
import { describe, HttpError } from './errors.mjs';
import { parseCookies } from './parse.mjs';
import { planRequest } from './plan.mjs';
import { identify } from './token.mjs';

const MAX_BODY = 64 * 1024 * 1024;

async function readBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY) throw new HttpError(413, 'PGRST102', 'Payload too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Headers as request.headers has them: of a repeated one the last, no Cookie. */
function handedHeaders(rawHeaders) {
  const headers = {};
  for (let i = 0; i < rawHeaders.length; i += 2) headers[rawHeaders[i].toLowerCase()] = rawHeaders[i + 1];
  const { cookie: _, ...rest } = headers;
  return rest;
}

async function readRequest(message) {
  const [path, search = ''] = message.url.split('?');
  return {
    method: message.method,
    path,
    search,
    headers: handedHeaders(message.rawHeaders),
    cookies: parseCookies(message.headers.cookie),
    contentType: message.headers['content-type'] ?? '',
    body: await readBody(message),
  };
}

/** The one statement that hands the request over. */
async function handOver(session, { settings, roleSettings }, who, request) {
  const schemas = [settings['db-schemas'], settings['db-extra-search-path']]
    .flatMap((list) => list.split(',')).map((name) => name.trim()).filter((name) => name !== '');
  const pairs = Object.entries(roleSettings.get(who.role) ?? {});
  const values = [schemas.map(identifier).join(', '), ...pairs.flat(), who.role, JSON.stringify(who.claims),
    request.method, request.path, JSON.stringify(request.headers), JSON.stringify(request.cookies)];
  let n = 1;
  const calls = [`set_config('search_path', $${n++}, true)`,
    ...pairs.map(() => `set_config($${n++}, $${n++}, true)`),
    ...['role', 'request.jwt.claims', 'request.method', 'request.path', 'request.headers', 'request.cookies']
      .map((name) => `set_config('${name}', $${n++}, true)`)];
  await session.run(`select ${calls.join(', ')}`, values);
}

async function planRows(session, { text, values }) {
  const { rows } = await session.run(text, values);
  return JSON.parse(rows[0]['QUERY PLAN'])[0].Plan['Plan Rows'] ?? null;
}

/** One request, one transaction: five round trips, six with count=planned. */
async function transact(session, connections, who, request, plan) {
  const { settings } = connections;
  const undo = plan.prefer.tx === 'rollback' && settings['db-tx-end'] === 'commit-allow-override';
  await session.run(`BEGIN ISOLATION LEVEL READ COMMITTED READ ${plan.writes ? 'WRITE' : 'ONLY'}`);
  try {
    await handOver(session, connections, who, request);
    if (settings['db-pre-request'] !== '') await session.run(`select ${qualified(settings['db-pre-request'])}()`);
    const { rows: [row] } = await session.run(plan.text, plan.values);
    const planned = plan.planned === undefined ? null : await planRows(session, plan.planned);
    const answer = makeAnswer(request, plan, row, planned);
    if (undo) await session.runSimple('SET CONSTRAINTS ALL IMMEDIATE');
    await session.run(undo ? 'ABORT' : 'COMMIT');
    if (undo) answer.applied.push('tx=rollback');
    return answer;
  } catch (error) {
    await session.run('ABORT').catch(() => {});
    throw error;
  }
}

function statusOfAnswer(request, plan, row) {
  if (plan.isVoid) return 204;
  if (plan.isCall || request.method === 'GET' || request.method === 'HEAD') return 200;
  const full = plan.prefer.return === 'representation';
  if (request.method === 'POST') return row.response_inserted === '0' ? 200 : 201;
  if (request.method === 'PUT' && full) return row.response_inserted === '0' ? 200 : 201;
  return full ? 200 : 204;
}

/** 206 for a part of what there is, where it was counted; 416 beyond its end. */
function statusOfRange(plan, first, page, total) {
  if (total === null || total === '') return 200;
  if (first > Number(total)) {
    throw new HttpError(416, 'PGRST103', 'Requested range not satisfiable',
      { details: `An offset of ${first} was requested, but there are only ${total} rows.`, headers: { 'Content-Range': `*/${total}` } });
  }
  return page < Number(total) ? 206 : 200;
}

function responseHeaders(text) {
  const list = text === null ? [] : JSON.parse(text);
  if (!Array.isArray(list) || list.some((item) => Object.keys(item).length !== 1)) {
    throw new HttpError(500, 'PGRST111', 'response.headers guc must be a JSON array composed of objects with a single key and a string value');
  }
  return list.flatMap(Object.entries);
}

const SINGULAR = 'application/vnd.pgrst.object+json';

/** The body with one row taken out of its array, where that was asked for. */
function singular(row) {
  const rows = Number(row.page_total);
  if (rows !== 1) {
    throw new HttpError(406, 'PGRST116', 'Cannot coerce the result to a single JSON object',
      { details: `The result contains ${rows} rows` });
  }
  const parsed = JSON.parse(row.body);
  return JSON.stringify(Array.isArray(parsed) ? parsed[0] : parsed);
}

function makeAnswer(request, plan, row, planned) {
  const asked = request.headers.accept ?? '*/*';
  const bytes = (plan.mediaType ?? null) !== null && plan.isBytes;
  const text = bytes ? Buffer.from(row.body.replace(/^\\x/, ''), 'hex') : row.body;
  const isObject = asked.includes(SINGULAR);
  const total = row.total_result_set ?? planned;
  const page = Number(row.page_total);
  const first = plan.offset ?? 0;
  if (request.method === 'PUT' && page !== 1) {
    throw new HttpError(400, 'PGRST115', 'Payload values do not match URL in primary key column(s)');
  }
  const reads = !plan.isCall && ['GET', 'HEAD'].includes(request.method);
  const status = row.response_status !== null ? Number(row.response_status)
    : reads ? statusOfRange(plan, first, page, total) : statusOfAnswer(request, plan, row);
  const ranged = page > 0 && (plan.isCall || !['POST', 'PUT', 'DELETE'].includes(request.method));
  const headers = [['Content-Range', `${ranged ? `${first}-${first + page - 1}` : '*'}/${total === null || total === '' ? '*' : total}`],
    ['Vary', 'Accept, Prefer, Range']];
  if (text !== '' && status !== 204) {
    headers.push(['Content-Type', plan.mediaType ?? `${isObject ? SINGULAR : 'application/json'}; charset=utf-8`]);
  }
  const applied = Object.entries(plan.prefer).filter(([name]) => name !== 'tx')
    .map(([name, value]) => `${name}=${value}`);
  const given = responseHeaders(row.response_headers);
  const kept = headers.filter(([name]) => !given.some(([other]) => other.toLowerCase() === name.toLowerCase()));
  return { status, headers: [...kept, ...given], applied, body: status === 204 ? '' : isObject ? singular(row) : text };
}

function send(response, request, answer) {
  const byName = new Map();
  for (const [name, value] of answer.headers) byName.set(name, [...(byName.get(name) ?? []), value]);
  for (const [name, values] of byName) response.setHeader(name, values.length === 1 ? values[0] : values);
  if (answer.applied?.length > 0) response.setHeader('Preference-Applied', answer.applied.join(', '));
  response.statusCode = answer.status;
  response.end(request.method === 'HEAD' ? '' : answer.body);
}

function sendError(response, error, anonymous) {
  const { status, reason, headers, body } = describe(error, anonymous);
  response.writeHead(status, reason, {
    ...headers, 'Content-Type': 'application/json; charset=utf-8', 'Proxy-Status': `PostgREST; error=${body.code}`,
  });
  response.end(JSON.stringify(body));
}

async function serve(connections, message, response) {
  let who = { anonymous: true };
  try {
    const request = await readRequest(message);
    who = identify(message.headers.authorization, {
      keys: connections.keys, audience: connections.settings['jwt-aud'], anonRole: connections.settings['db-anon-role'],
    });
    const plan = planRequest(connections.catalog, request);
    const answer = await connections.with((session) => transact(session, connections, who, request, plan));
    send(response, message, answer);
  } catch (error) {
    sendError(response, error, who.anonymous);
  }
}

/** Starts a gateway; { url, connections, close() }. */
export async function startGateway(settings, log) {
  const connections = new Connections(settings, log);
  await connections.start();
  const server = createServer((message, response) => {
    serve(connections, message, response).catch((error) => {
      log?.(error.stack);
      response.destroy();
    });
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(Number(settings['server-port']), settings['server-host'], resolve);
  });
  return {
    url: `http://${settings['server-host']}:${server.address().port}`,
    connections,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await connections.stop();
    },
  };
}
