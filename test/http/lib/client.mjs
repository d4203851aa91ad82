// A small HTTP client: every header as the test says it, nothing added.
import { request as httpRequest } from 'node:http';

const agents = { agent: false };

/** { status, reason, headers, text, body } */
function send(url, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, ...agents }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        let parsed;
        try {
          parsed = text === '' ? undefined : JSON.parse(text);
        } catch {
          parsed = undefined;
        }
        resolve({ status: response.statusCode, reason: response.statusMessage, headers: response.headers, text, body: parsed });
      });
    });
    request.once('error', reject);
    request.end(body);
  });
}

export class Client {
  constructor(url, { token, cookie, headers = {} } = {}) {
    this.url = url;
    this.token = token;
    this.cookie = cookie;
    this.headers = headers;
  }

  /** The same layer as somebody else. */
  as(who) {
    return new Client(this.url, { headers: this.headers, ...who });
  }

  request(method, path, { json, body, headers = {}, prefer } = {}) {
    const all = {
      ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
      ...(this.cookie === undefined ? {} : { cookie: this.cookie }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...(prefer === undefined ? {} : { prefer }),
      ...this.headers, ...headers,
    };
    const payload = json === undefined ? body : JSON.stringify(json);
    if (payload !== undefined) all['content-length'] = Buffer.byteLength(payload);
    return send(this.url + path, { method, headers: all, body: payload });
  }

  get(path, options) { return this.request('GET', path, options); }
  post(path, json, options) { return this.request('POST', path, { json, ...options }); }
  patch(path, json, options) { return this.request('PATCH', path, { json, ...options }); }
  delete(path, options) { return this.request('DELETE', path, options); }
  rpc(name, args = {}, options) { return this.post(`/rpc/${name}`, args, options); }
}
