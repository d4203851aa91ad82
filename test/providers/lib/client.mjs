// A plain client for the tests of this folder: requests as they are, bodies as
// bytes, connections that may fail.
import { createHash, randomBytes } from 'node:crypto';
import { request as plain } from 'node:http';
import { request as secure } from 'node:https';

export function ask(url, { method = 'GET', headers = {}, bearer, form, json, body, ca, agent } = {}) {
  const sent = form ? String(new URLSearchParams(form)) : json !== undefined ? JSON.stringify(json) : body;
  const all = { ...headers };
  if (bearer) all.authorization = `Bearer ${bearer}`;
  if (form) all['content-type'] ??= 'application/x-www-form-urlencoded';
  if (json !== undefined) all['content-type'] ??= 'application/json';
  if (sent !== undefined) all['content-length'] = Buffer.byteLength(sent);
  return new Promise((resolve, reject) => {
    const req = (url.startsWith('https') ? secure : plain)(url, { method: sent === undefined ? method : method === 'GET' ? 'POST' : method, headers: all, ca, agent });
    req.on('error', reject).on('response', (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk)).on('error', reject).on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: res.statusCode, headers: res.headers, bytes, text: bytes.toString(), get json() { return JSON.parse(bytes); } });
      });
    });
    req.end(sent);
  });
}

export const SECRET = { client_id: 'orla-test-client', client_secret: 'orla~test+secret/&=%41' };
export const CALLBACK = 'http://127.0.0.1:1/callback';

export function pkce() {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

export function address(base, params) {
  const url = new URL(base);
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  return url.href;
}
