// Uploads that come in pieces: what has arrived, and what a Content-Range says.
import { randomUUID } from 'node:crypto';

export class Sessions {
  // weeks: how long one lives, in seconds of the emulator
  constructor(emulator, life) {
    Object.assign(this, { emulator, life, all: new Map() });
  }

  static of(emulator, life) {
    return (emulator.state.uploads ??= new Sessions(emulator, life));
  }

  open(facts) {
    const session = { id: randomUUID().replaceAll('-', ''), pieces: [], size: 0, until: this.emulator.now() + this.life * 1000, ...facts };
    this.all.set(session.id, session);
    return session;
  }

  // undefined for what is not there, or no longer
  get(id) {
    const session = this.all.get(id);
    return session && session.until > this.emulator.now() ? session : undefined;
  }

  close(session) {
    this.all.delete(session.id);
    return Buffer.concat(session.pieces, session.size);
  }
}

export function take(session, bytes) {
  session.pieces.push(bytes);
  session.size += bytes.length;
}

// { first, last, total }, the first two null where the range is a question,
// total null where it is not known; null for what is no range.
export function contentRange(text) {
  const match = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(text ?? '');
  if (!match) return null;
  const number = (digits) => (digits === undefined || digits === '*' ? null : Number(digits));
  return { first: number(match[1]), last: number(match[2]), total: number(match[3]) };
}
