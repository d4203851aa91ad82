// A client that costs little: requests made beforehand, connections kept open.
import { connect } from 'node:net';

/** The bytes of a request. */
export function request(method, path, headers, body = '') {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const length = method === 'GET' ? '' : `content-length: ${Buffer.byteLength(body)}\r\n`;
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines}${length}\r\n${body}`);
}

/** Where the answer ends in what has come, or -1. */
function endOf(data) {
  const head = data.indexOf('\r\n\r\n');
  if (head < 0) return -1;
  const text = data.toString('latin1', 0, head).toLowerCase();
  const length = /\r\ncontent-length: *(\d+)/.exec(text);
  if (length !== null) return head + 4 + Number(length[1]) <= data.length ? head + 4 + Number(length[1]) : -1;
  if (!text.includes('\r\ntransfer-encoding: chunked')) return head + 4;
  return data.subarray(-5).equals(Buffer.from('0\r\n\r\n')) ? data.length : -1;
}

class Connection {
  constructor(port) {
    this.port = port;
    this.open();
  }

  open() {
    this.data = Buffer.alloc(0);
    this.socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (chunk) => this.take(chunk));
    this.socket.on('error', (error) => this.failed?.(error));
    this.socket.on('close', () => this.failed?.(new Error('the layer closed the connection')));
  }

  take(chunk) {
    this.data = this.data.length === 0 ? chunk : Buffer.concat([this.data, chunk]);
    const end = endOf(this.data);
    if (end < 0) return;
    const answer = this.data.subarray(0, end);
    this.data = Buffer.alloc(0);
    this.done(answer);
  }

  ask(bytes) {
    if (this.socket.destroyed) this.open();     // the layer closes those that are not used for a while
    return new Promise((resolve, reject) => {
      this.done = resolve;
      this.failed = reject;
      this.socket.write(bytes);
    });
  }
}

/** So many connections to one layer. */
export class Clients {
  constructor(url, many) {
    this.all = Array.from({ length: many }, () => new Connection(new URL(url).port));
  }

  /** Seconds that the requests take; each must be answered with one of 2xx. */
  async run(requests) {
    let next = 0;
    const began = process.hrtime.bigint();
    await Promise.all(this.all.map(async (connection) => {
      while (next < requests.length) {
        const answer = await connection.ask(requests[next++]);
        if (answer[9] !== 0x32) throw new Error(answer.toString());
      }
    }));
    return Number(process.hrtime.bigint() - began) / 1e9;
  }

  close() {
    for (const connection of this.all) {
      connection.failed = undefined;
      connection.socket.destroy();
    }
  }
}
