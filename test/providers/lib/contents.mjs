// What is in a file: bytes in memory, or a size and a pattern, so that a file
// of 200 MB is sent without being held.
import { createHash } from 'node:crypto';

const BLOCK = Buffer.alloc(1 << 16, 'The quick brown fox jumps over the lazy dog; 0123456789.\n');
const MAX_SLOW_HASH = 16 << 20;

export class Content {
  constructor(size) {
    this.size = size;
  }

  static of(bytes) {
    return new Bytes(Buffer.from(bytes));
  }

  static pattern(size) {
    return new Pattern(size, 0);
  }

  whole() {
    return Buffer.concat([...this.pieces()], this.size);
  }

  // md5, sha1, sha256: hex
  hash(kind) {
    this.hashes ??= {};
    if (!this.hashes[kind]) {
      const hash = createHash(kind);
      for (const piece of this.pieces()) hash.update(piece);
      this.hashes[kind] = hash.digest('hex');
    }
    return this.hashes[kind];
  }

  // SHA-256 over the SHA-256 of each 4 MiB, as Dropbox has it.
  blockHash() {
    if (!this.hashes?.blocks) {
      const outer = createHash('sha256');
      for (let at = 0; at < this.size; at += 4 << 20) {
        const inner = createHash('sha256');
        for (const piece of this.part(at, Math.min(this.size, at + (4 << 20))).pieces()) inner.update(piece);
        outer.update(inner.digest());
      }
      (this.hashes ??= {}).blocks = outer.digest('hex');
    }
    return this.hashes.blocks;
  }

  // 160 bits; each byte is xored in 11 bits further on, the length at the end.
  // null for large files, as is seen in practice.
  quickXorHash() {
    if (this.size > MAX_SLOW_HASH) return null;
    const sum = Buffer.alloc(20);
    let bit = 0;
    for (const piece of this.pieces()) {
      for (const byte of piece) {
        const at = bit >> 3;
        const shifted = byte << (bit & 7);
        sum[at] ^= shifted & 0xff;
        sum[at === 19 ? 0 : at + 1] ^= shifted >> 8;
        bit = (bit + 11) % 160;
      }
    }
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(this.size));
    for (let i = 0; i < 8; i += 1) sum[12 + i] ^= length[i];
    return sum.toString('base64');
  }
}

class Bytes extends Content {
  constructor(bytes) {
    super(bytes.length);
    this.bytes = bytes;
  }

  part(from, to) {
    return new Bytes(this.bytes.subarray(from, to));
  }

  * pieces() {
    for (let at = 0; at < this.size; at += BLOCK.length) yield this.bytes.subarray(at, at + BLOCK.length);
  }
}

class Pattern extends Content {
  constructor(size, from) {
    super(size);
    this.from = from;
  }

  part(from, to) {
    return new Pattern(to - from, this.from + from);
  }

  * pieces() {
    const end = this.from + this.size;
    for (let at = this.from; at < end;) {
      const within = at % BLOCK.length;
      const piece = BLOCK.subarray(within, Math.min(BLOCK.length, within + end - at));
      yield piece;
      at += piece.length;
    }
  }
}
