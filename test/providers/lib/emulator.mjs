// One provider: its listeners, its endpoints, and around each request what all
// of them need: counting, faults, tokens.
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { Answer, replacement, send, spoiled } from './answers.mjs';
import { Counts } from './counts.mjs';
import { Knobs, replaces } from './knobs.mjs';
import { Tokens } from './tokens.mjs';

const MAX_BODY = 16 << 20;
// tokens of 16 KiB come in headers
const maxHeaderSize = 64 << 10;

export class Emulator {
  // dialect: see google.mjs. hosts: names of its listeners, 'main' first.
  constructor(dialect) {
    this.dialect = dialect;
    this.name = dialect.name;
    this.settings = new Knobs(dialect.knobs);
    this.counts = new Counts();
    this.tokens = new Tokens(this);
    this.hosts = {};
    this.servers = [];
    this.reset();
  }

  get knobs() {
    return this.settings.values;
  }

  // Everything is as after the start; the ports stay.
  reset() {
    this.settings.reset();
    this.counts.release();
    this.counts.reset();
    this.tokens.reset();
    this.advance = 0;
    this.accounts = new Map();
    this.clients = new Map();
    this.state = {};
    this.addClient({});
  }

  // Time as the provider's expiries see it, and as its Date header tells it.
  now() {
    return Date.now() + this.advance;
  }

  serverTime() {
    return this.now() + this.knobs.clock_offset * 1000;
  }

  // redirect_uris null: any, but the code can be redeemed only with the one it
  // was asked for. The secret has what a form must escape.
  addClient({ client_id = 'orla-test-client', client_secret = 'orla~test+secret/&=%41', redirect_uris = null, project = 'orla-test', audience = 'all', auth_method, deleted }) {
    const client = { client_id, client_secret, redirect_uris, project, audience, auth_method, deleted };
    this.clients.set(client_id, client);
    return client;
  }

  throttle(fault, endpoint) {
    return this.dialect.throttle(fault, endpoint, this);
  }

  problem(status, endpoint) {
    return this.dialect.problem(status, endpoint, this);
  }

  // Listens on loopback, http always, https with { key, cert }.
  async listen({ tls, ports = {} } = {}) {
    await this.dialect.start?.(this);
    for (const [host, { address = '127.0.0.1' }] of Object.entries(this.dialect.hosts)) {
      this.hosts[host] = { http: await this.open(createServer({ maxHeaderSize }), host, address, 'http', ports[host] ?? 0) };
      if (tls) this.hosts[host].https = await this.open(createTlsServer({ ...tls, maxHeaderSize }), host, address, 'https', 0);
    }
    return this;
  }

  async open(server, host, address, scheme, port) {
    server.keepAliveTimeout = 60_000;
    server.on('connection', () => { this.counts.connections += 1; });
    server.on('request', (req, res) => this.serve(host, scheme, req, res).catch((problem) => {
      console.error(problem);
      res.destroy();
    }));
    await new Promise((resolve, reject) => { server.once('error', reject).listen(port, address, resolve); });
    this.servers.push(server);
    return `${scheme}://${address}:${server.address().port}`;
  }

  async close() {
    this.counts.release();
    await Promise.all(this.servers.map((server) => new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    })));
    this.servers = [];
    await this.dialect.stop?.(this);
  }

  async serve(host, scheme, req, res) {
    const ctx = await this.context(host, scheme, req);
    const route = this.dialect.route(ctx) ?? { endpoint: 'unknown', run: () => this.problem(404, 'unknown') };
    const grant = this.grantOf(ctx, route.endpoint);
    const entry = {
      endpoint: route.endpoint, host, method: req.method, path: ctx.rawPath, query: ctx.rawQuery, at: Date.now(),
      authorization: /^(\w+) /.exec(req.headers.authorization ?? '')?.[1].toLowerCase() ?? null,
      account: grant?.account.email ?? null, grant: grant?.id ?? null,
      user_agent: req.headers['user-agent'] ?? null, range: req.headers.range ?? null,
    };
    ctx.entry = entry;
    const inFlight = this.counts.begin(entry);
    const { before, after } = this.settings.take(route.endpoint, entry.account);
    let status = null;
    try {
      const answer = await this.answer(ctx, route, before, after);
      if (answer === null) return void req.socket.destroy();
      status = answer.status;
      await send(this, req, res, answer, { ...before, ...after });
    } finally {
      this.counts.end(entry, status, inFlight);
    }
  }

  // Whose request it is, whatever becomes of it. A refresh is counted here, for
  // a fault may answer before the token endpoint sees it.
  grantOf(ctx, endpoint) {
    if (ctx.bearer) return this.tokens.access(ctx.bearer)?.grant;
    const token = endpoint === 'token' ? ctx.form().get('refresh_token') : null;
    return token === null ? undefined : this.tokens.arrived(token);
  }

  // null: the connection ends without one.
  async answer(ctx, route, before, after) {
    if (before) {
      await this.dawdle(before, route);
      if (before.close) return null;
      if (replaces(before)) return replacement(before, this, route.endpoint);
    }
    let answer;
    try {
      answer = await route.run(ctx);
    } catch (thrown) {
      if (!(thrown instanceof Answer)) console.error(thrown);
      answer = thrown instanceof Answer ? thrown : this.problem(500, route.endpoint);
    }
    if (!after) return answer;
    await this.dawdle(after, route);
    if (after.close) return null;
    return replaces(after) ? replacement(after, this, route.endpoint) : spoiled(after, answer);
  }

  async dawdle(fault, { endpoint }) {
    if (fault.delay_ms) await new Promise((next) => { setTimeout(next, fault.delay_ms); });
    if (fault.hold) await this.counts.hold(endpoint);
  }

  async context(host, scheme, req) {
    const chunks = [];
    let size = 0;
    for await (const chunk of req) {
      size += chunk.length;
      if (size <= MAX_BODY) chunks.push(chunk);
    }
    const cut = req.url.indexOf('?');
    const rawPath = cut < 0 ? req.url : req.url.slice(0, cut);
    const rawQuery = cut < 0 ? '' : req.url.slice(cut + 1);
    const body = Buffer.concat(chunks);
    return {
      emulator: this, host, scheme, method: req.method, headers: req.headers, rawPath, rawQuery, body,
      query: new URLSearchParams(rawQuery),
      form: () => new URLSearchParams(/^application\/x-www-form-urlencoded/.test(req.headers['content-type'] ?? '') ? body.toString() : ''),
      bearer: /^Bearer (.+)$/i.exec(req.headers.authorization ?? '')?.[1] ?? null,
      origin: (name) => this.hosts[name][scheme],
    };
  }

  // What tests read.
  show({ brief = false } = {}) {
    return { ...this.counts.show(), ...this.tokens.show(brief) };
  }
}
