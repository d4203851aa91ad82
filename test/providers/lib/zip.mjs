// A small writer of ZIP archives, which is what DOCX, XLSX and PPTX are.
import * as zlib from 'node:zlib';

const { deflateRawSync, constants } = zlib;

// Node has its own since version 20.15; the demo takes the one of Debian 12, which is 18.
const crc32 = zlib.crc32 ?? ((bytes) => {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ -1) >>> 0;
});

function header(signature, fields) {
  const bytes = Buffer.alloc(fields.reduce((sum, [size]) => sum + size, 4));
  bytes.writeUInt32LE(signature);
  let at = 4;
  for (const [size, value] of fields) {
    bytes.writeUIntLE(value, at, size);
    at += size;
  }
  return bytes;
}

// files: { name, data } or { name, packed, size, crc } for data that is deflated already.
export function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const file of files) {
    const name = Buffer.from(file.name);
    const data = file.data === undefined ? null : Buffer.from(file.data);
    const packed = file.packed ?? deflateRawSync(data);
    const common = [[2, 20], [2, 0x0800], [2, 8], [2, 0], [2, 0x5a21], [4, file.crc ?? crc32(data)],
      [4, packed.length], [4, file.size ?? data.length], [2, name.length], [2, 0]];
    parts.push(header(0x04034b50, common), name, packed);
    directory.push(header(0x02014b50, [[2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), name);
    offset += 30 + name.length + packed.length;
  }
  const list = Buffer.concat(directory);
  const end = header(0x06054b50, [[2, 0], [2, 0], [2, files.length], [2, files.length], [4, list.length], [4, offset], [2, 0]]);
  return Buffer.concat([...parts, list, end]);
}

// Deflates head, `size` bytes of one letter and tail, without having them all:
// one block is packed and repeated. claimed: the size that the headers say.
export function zipBomb(name, head, tail, size, others = [], claimed = undefined) {
  const block = Buffer.alloc(1 << 20, 'A');
  const flush = (bytes) => deflateRawSync(bytes, { level: 9, finishFlush: constants.Z_FULL_FLUSH });
  const packedBlock = flush(block);
  const packed = [flush(Buffer.from(head))];
  let crc = crc32(head);
  const count = Math.ceil(size / block.length);
  for (let i = 0; i < count; i += 1) {
    packed.push(packedBlock);
    crc = crc32(block, crc);
  }
  packed.push(deflateRawSync(Buffer.from(tail)));
  crc = crc32(tail, crc);
  return zip([...others, { name, packed: Buffer.concat(packed), crc, size: claimed ?? head.length + count * block.length + tail.length }]);
}
