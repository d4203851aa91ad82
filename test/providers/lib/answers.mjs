// How an answer goes out: as JSON, text or bytes, compressed or not, in one
// piece or many; and in all the ways in which answers come out wrong.
import { gzipSync } from 'node:zlib';
import { Readable } from 'node:stream';
import { Content } from './contents.mjs';

// Handlers return answers or throw them.
export class Answer extends Error {
  constructor(status, body = '', headers = {}) {
    super(`answer ${status}`);
    this.status = status;
    this.body = body;
    this.headers = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  }
}

export const json = (status, body, headers = {}) => new Answer(status, body, { 'content-type': 'application/json; charset=utf-8', ...headers });
export const text = (status, body, headers = {}) => new Answer(status, body, { 'content-type': 'text/plain; charset=utf-8', ...headers });
export const html = (status, title, body = '', headers = {}) => new Answer(status,
  `<!DOCTYPE html>\n<html lang="en"><head><title>${title}</title></head><body><h1>${title}</h1>\n${body}</body></html>\n`,
  { 'content-type': 'text/html; charset=utf-8', ...headers });

export const escape = (value) => String(value).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const bytesOf = (body) => {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
};

// The part of a content that was asked for: 200, 206 or 416.
export function contentAnswer(content, range, headers, honour) {
  const asked = honour && /^bytes=(\d*)-(\d*)$/.exec(range ?? '');
  if (!asked || (asked[1] === '' && asked[2] === '')) return new Answer(200, content, { 'accept-ranges': 'bytes', ...headers });
  const first = asked[1] === '' ? Math.max(0, content.size - Number(asked[2])) : Number(asked[1]);
  const last = asked[1] === '' || asked[2] === '' ? content.size - 1 : Math.min(Number(asked[2]), content.size - 1);
  if (first > last) return new Answer(416, '', { 'content-range': `bytes */${content.size}` });
  return new Answer(206, content.part(first, last + 1),
    { 'accept-ranges': 'bytes', 'content-range': `bytes ${first}-${last}/${content.size}`, ...headers });
}

// The answer that a fault puts in the place of the true one.
export function replacement(fault, emulator, endpoint) {
  const answer = wording(fault, emulator, endpoint);
  const { retry_after } = fault;
  if (retry_after !== null && typeof retry_after === 'object') {
    answer.headers['retry-after'] = new Date(emulator.serverTime() + retry_after.date * 1000).toUTCString();
  } else if (retry_after !== null) {
    answer.headers['retry-after'] = String(retry_after);
  }
  Object.assign(answer.headers, fault.headers);
  return answer;
}

function wording(fault, emulator, endpoint) {
  if (fault.throttle !== null) return emulator.throttle(fault, endpoint);
  if (fault.body === 'html') return html(fault.status ?? 502, `Error ${fault.status ?? 502}`, '<p>That is an error. Please try again in 30 seconds.</p>');
  if (fault.body === 'empty') return new Answer(fault.status ?? 200, '', {});
  if (typeof fault.body === 'string') return text(fault.status ?? 200, fault.body);
  if (fault.body !== null) return json(fault.status ?? 200, fault.body);
  return Object.assign(emulator.problem(fault.status, endpoint), { status: fault.status });
}

// What a fault does to a true answer.
export function spoiled(fault, answer) {
  Object.assign(answer.headers, fault.headers);
  if (fault.body === null) return answer;
  const whole = !(answer.body instanceof Content) ? bytesOf(answer.body) : answer.body.part(0, Math.min(answer.body.size, 1 << 20)).whole();
  if (fault.body === 'truncated') answer.body = whole.subarray(0, Math.ceil(whole.length / 2));
  if (fault.body === 'short') answer.missing = Math.floor(whole.length / 2) || 1;
  if (fault.body === 'latin1') answer.body = notUtf8(whole);
  if (fault.body === 'huge') answer.body = padded(whole, fault.bytes);
  return answer;
}

// After the first letter of the first string that is a value, or at the end.
function notUtf8(whole) {
  const at = /:\s*"/.exec(whole.toString('latin1'));
  const cut = at ? at.index + at[0].length : whole.length;
  return Buffer.concat([whole.subarray(0, cut), Buffer.from([0xe9, 0xff, 0xc3]), whole.subarray(cut)]);
}

// Still JSON, if it was an object.
function padded(whole, bytes) {
  if (whole[0] !== 0x7b) return Buffer.concat([whole, Buffer.alloc(Math.max(0, bytes - whole.length), 'x')]);
  const head = Buffer.from('{"padding":"');
  const tail = Buffer.from('",');
  const pad = Buffer.alloc(Math.max(0, bytes - whole.length - head.length - tail.length + 1), 'x');
  return Buffer.concat([head, pad, tail, whole.subarray(1)]);
}

// Sends it. Resolves when all is written or the client is gone.
export async function send(emulator, req, res, answer, fault = {}) {
  const { knobs } = emulator;
  const compress = fault.compress ?? knobs.compress;
  const chunked = fault.chunked ?? knobs.chunked;
  const headers = { ...answer.headers, date: new Date(emulator.serverTime()).toUTCString() };
  let body = answer.body;
  const stream = body instanceof Content;
  if (!stream) body = bytesOf(body);
  if (!stream && compress !== 'no' && (compress === 'always' || /\bgzip\b/.test(req.headers['accept-encoding'] ?? ''))) {
    body = gzipSync(body);
    headers['content-encoding'] = 'gzip';
  }
  const length = stream ? body.size : body.length;
  res.sendDate = false;
  if (!(chunked && !stream) && answer.status !== 204 && answer.status !== 304) headers['content-length'] = length;
  res.writeHead(answer.status, headers);
  if (req.method === 'HEAD') return void res.end();
  if (answer.missing) {
    res.write(body.subarray(0, length - answer.missing), () => res.socket?.end());
    return;
  }
  const pieces = stream ? Readable.from(body.pieces()) : cut(body, fault.trickle_ms ? 10 : chunked ? 3 : 1);
  for await (const piece of pieces) {
    if (res.destroyed) return;
    if (!res.write(piece)) await drained(res);
    if (fault.trickle_ms) await new Promise((next) => { setTimeout(next, fault.trickle_ms); });
  }
  res.end();
}

function drained(res) {
  return new Promise((resolve) => {
    const done = () => { res.off('drain', done).off('close', done); resolve(); };
    res.on('drain', done).on('close', done);
  });
}

function cut(body, count) {
  const size = Math.max(1, Math.ceil(body.length / count));
  const pieces = [];
  for (let at = 0; at < body.length; at += size) pieces.push(body.subarray(at, at + size));
  return pieces;
}
