// A mail server for the tests: the real protocol by smtp-server, a mailbox that
// tests read, and the ways in which delivery fails.
//
//   GET  /control/mails?provider=smtp&to=     what was accepted
//   POST /control/knobs {provider: "smtp", …}
import { createServer } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { selfSigned } from './lib/certificates.mjs';
import { Counts } from './lib/counts.mjs';
import { Knobs } from './lib/knobs.mjs';

const KNOBS = {
  up: true,                    // false: nobody listens
  mute: false,                 // connections are taken, and nothing is ever said
  starttls: 'offered',         // offered | required | none
  auth: 'offered',             // offered | required | none
  user: 'orla',
  password: 'mail~secret/+=',
  refuse: {},                  // { "bad@x.example": 550 } or { …: {code, message, times} }
  refuse_data: null,           // a code for every mail, after its text
  busy: null,                  // a code instead of the greeting, like 421
  delay_ms: 0,                 // before a mail is accepted
  lose: 0,                     // so many mails are accepted, but the connection ends before the answer
  max_bytes: 10 << 20,
};

const problem = (responseCode, message) => Object.assign(new Error(message), { responseCode });

export class MailServer {
  // tls: { cert, key }, or none: then the certificate is one that nobody trusts.
  constructor({ tls } = {}) {
    this.name = 'smtp';
    this.tls = tls ?? selfSigned();
    this.settings = new Knobs(KNOBS, {});
    this.counts = new Counts();
    this.sockets = new Set();
    this.port = 0;
    this.mails = [];
    this.control = {
      'POST knobs': async (given) => {
        const shown = this.settings.set(given);
        await this.apply();
        return shown;
      },
      'GET mails': ({ to }) => this.mails.filter((mail) => to === undefined || mail.to.includes(to)),
      'POST reset': async () => {
        await this.reset();
        return { reset: ['smtp'] };
      },
    };
  }

  get knobs() {
    return this.settings.values;
  }

  async listen(port = 0) {
    this.port = port;
    await this.apply();
    return this;
  }

  get url() {
    return `smtp://127.0.0.1:${this.port}`;
  }

  async reset() {
    this.settings.reset();
    this.counts.reset();
    this.mails = [];
    await this.apply();
  }

  show() {
    return { ...this.counts.show(), mails: this.mails.length };
  }

  // Listens as the knobs say, on the same port as before.
  async apply() {
    await this.shut();
    if (!this.knobs.up) return;
    this.server = this.knobs.mute ? createServer() : this.make();
    const listener = this.server.server ?? this.server;
    listener.on('connection', (socket) => {
      this.counts.connections += 1;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket)).on('error', () => {});
    });
    await new Promise((resolve, reject) => { listener.once('error', reject).listen(this.port, '127.0.0.1', resolve); });
    this.port = listener.address().port;
  }

  async shut() {
    const { server } = this;
    if (!server) return;
    this.server = null;
    const closed = new Promise((done) => { (server.server ?? server).close(done); });
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  close() {
    return this.shut();
  }

  make() {
    const { knobs } = this;
    const server = new SMTPServer({
      ...this.tls, name: 'mail.emulator.example', banner: 'for tests', size: knobs.max_bytes, authOptional: true, disableReverseLookup: true,
      hideSTARTTLS: knobs.starttls === 'none', disabledCommands: [...knobs.starttls === 'none' ? ['STARTTLS'] : [], ...knobs.auth === 'none' ? ['AUTH'] : []],
      authMethods: ['PLAIN', 'LOGIN'],
      onConnect: (session, done) => done(knobs.busy === null ? null : problem(knobs.busy, 'Too busy')),
      onAuth: (auth, session, done) => this.counted('auth', done, () => {
        if (auth.username !== knobs.user || auth.password !== knobs.password) throw problem(535, 'Authentication failed');
        return { user: auth.username };
      }),
      onMailFrom: (address, session, done) => this.counted('mail', done, () => {
        if (knobs.starttls === 'required' && !session.secure) throw problem(530, 'Must issue a STARTTLS command first');
        if (knobs.auth === 'required' && !session.user) throw problem(530, 'Authentication required');
      }),
      onRcptTo: ({ address }, session, done) => this.counted('rcpt', done, () => this.recipient(address)),
      onData: (stream, session, done) => this.data(stream, session, done),
    });
    server.on('error', () => {});
    return server;
  }

  counted(endpoint, done, work) {
    const entry = { endpoint, at: Date.now() };
    const inFlight = this.counts.begin(entry);
    try {
      const result = work();
      this.counts.end(entry, 250, inFlight);
      done(null, result);
    } catch (refusal) {
      this.counts.end(entry, refusal.responseCode, inFlight);
      done(refusal);
    }
  }

  recipient(address) {
    const rule = this.knobs.refuse[address];
    if (rule === undefined) return;
    if (typeof rule === 'number') throw problem(rule, `${address}: no such mailbox here`);
    if (rule.times === 0) return;
    if (rule.times !== undefined) rule.times -= 1;
    throw problem(rule.code, rule.message ?? `${address}: not now`);
  }

  async data(stream, session, done) {
    const entry = { endpoint: 'data', at: Date.now() };
    const inFlight = this.counts.begin(entry);
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const { knobs } = this;
    let code = stream.sizeExceeded ? 552 : knobs.refuse_data;
    if (knobs.delay_ms) await new Promise((next) => { setTimeout(next, knobs.delay_ms); });
    if (code === null) this.mails.push(readMail(Buffer.concat(chunks), session));
    if (code === null && knobs.lose > 0) {
      knobs.lose -= 1;
      code = undefined;
      for (const socket of this.sockets) if (socket.remotePort === session.remotePort) socket.destroy();
    }
    this.counts.end(entry, code === null ? 250 : code, inFlight);
    if (code !== undefined) done(code === null ? null : problem(code, 'Not accepted'), 'Queued');
  }
}

// The mail as sent, and its parts: headers unfolded, the text decoded.
function readMail(raw, { envelope, secure, user }) {
  const whole = raw.toString();
  const cut = whole.indexOf('\r\n\r\n');
  const headers = {};
  for (const line of whole.slice(0, cut).replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const body = whole.slice(cut + 4);
  const encoding = headers['content-transfer-encoding']?.toLowerCase();
  let text = body;
  if (encoding === 'base64') text = Buffer.from(body, 'base64').toString();
  if (encoding === 'quoted-printable') text = quoted(body.replace(/=\r\n/g, ''), /=([0-9A-F]{2})/gi);
  const subject = (headers.subject ?? '').replace(/\?=\s+=\?/g, '?==?').replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (all, kind, value) =>
    (kind.toLowerCase() === 'b' ? Buffer.from(value, 'base64').toString() : quoted(value.replaceAll('_', ' '), /=([0-9A-F]{2})/gi)));
  return { from: envelope.mailFrom.address, to: envelope.rcptTo.map(({ address }) => address), headers, subject, text, raw: whole, secure: Boolean(secure), user: user ?? null, at: new Date().toISOString() };
}

const quoted = (value, pattern) => Buffer.from(value.replace(/[^\x00-\x7f]/g, (c) => Buffer.from(c).toString('latin1')).replace(pattern, (all, hex) => String.fromCharCode(parseInt(hex, 16))), 'latin1').toString();
