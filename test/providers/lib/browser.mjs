// Plays the user's browser: opens authorization_url, consents as somebody, and
// stops where it would be sent back to the client.
import { request } from 'node:http';

// path at the http listener of the emulator, whatever the scheme was: the
// browser's trust in certificates is not what is tested.
function open(origin, method, path, body = '') {
  return new Promise((resolve, reject) => {
    const req = request(`${origin}${path}`, { method, headers: body ? { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) } : {} });
    req.on('error', reject).on('response', async (res) => {
      const chunks = [];
      for await (const chunk of res) chunks.push(chunk);
      resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString() });
    });
    req.end(body);
  });
}

export async function approve(emulators, { authorization_url, account, deny = false, untick = [] }) {
  const url = new URL(authorization_url);
  const emulator = emulators.find(({ hosts }) => Object.values(hosts?.main ?? {}).includes(url.origin));
  if (!emulator) throw new Error(`${url.origin} is no provider here`);
  if (emulator.approve) return emulator.approve(url, account, { deny });
  const origin = emulator.hosts.main.http;
  const path = `${url.pathname}${url.search}`;
  let answer = await open(origin, 'GET', path);
  if (answer.status === 200) {
    const form = new URLSearchParams(deny ? { decision: 'deny' } : { account });
    for (const scope of [].concat(untick)) form.append('untick', scope);
    answer = await open(origin, 'POST', path, String(form));
  }
  return landed(answer);
}

// Where the browser ended: at the client, or at a page of the provider.
export function landed(answer) {
  if (answer.status < 300 || answer.status > 399) return { page: answer.body, status: answer.status };
  const redirect_to = answer.headers.location;
  const target = new URL(redirect_to);
  return { redirect_to, ...Object.fromEntries(target.searchParams), ...Object.fromEntries(new URLSearchParams(target.hash.slice(1))) };
}
