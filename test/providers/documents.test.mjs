// The files are what they say: real ones can be read, hostile ones are hostile.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { inflateRawSync, inflateSync } from 'node:zlib';
import { Account } from './lib/accounts.mjs';
import { Content } from './lib/contents.mjs';
import { BRAND, SAMPLES } from './lib/samples.mjs';
import { dropbox } from './dropbox.mjs';
import { google } from './google.mjs';
import { onedrive } from './onedrive.mjs';

// What the directory at the end of an archive lists: { name: { size, packed } }
function unzip(bytes) {
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  let at = bytes.readUInt32LE(end + 16);
  const found = {};
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left -= 1) {
    const [packed, size, length] = [bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 24), bytes.readUInt16LE(at + 28)];
    const start = bytes.readUInt32LE(at + 42);
    const data = start + 30 + bytes.readUInt16LE(start + 26) + bytes.readUInt16LE(start + 28);
    found[bytes.toString('utf8', at + 46, at + 46 + length)] = { size, packed: bytes.subarray(data, data + packed) };
    at += 46 + length;
  }
  return found;
}

const streams = (pdf) => [...pdf.toString('latin1').matchAll(/\/Length (\d+) >>\nstream\n/g)].map((match) => {
  const start = match.index + match[0].length;
  return pdf.subarray(start, start + Number(match[1]));
});

test('DOCX, XLSX and PPTX have the text in the part where it belongs', () => {
  for (const [sample, part] of [['docx', 'word/document.xml'], ['pptx', 'ppt/slides/slide2.xml'], ['xlsx', 'xl/worksheets/sheet1.xml']]) {
    const parts = unzip(SAMPLES[sample]());
    assert.ok(parts['[Content_Types].xml'] && parts['_rels/.rels']);
    const xml = inflateRawSync(parts[part].packed).toString();
    assert.equal(Buffer.byteLength(xml), parts[part].size);
    assert.match(xml, sample === 'xlsx' ? /Patterns in cards/ : /We write plainly/);
  }
});

test('a PDF has its text, one with a password hides it', () => {
  assert.ok(inflateSync(streams(SAMPLES.pdf())[0]).toString('latin1').includes(`(${BRAND[0]})`));
  assert.equal(streams(SAMPLES.pdf_long()).length, 40);
  const locked = SAMPLES.pdf_password();
  assert.match(locked.toString('latin1'), /\/Encrypt/);
  assert.throws(() => inflateSync(streams(locked)[0]));
  assert.match(SAMPLES.pdf_loop().toString('latin1'), /\/Kids \[2 0 R\]/);
});

test('the bombs are small and unpack to 300 MB, and one lies about it', () => {
  for (const [sample, told] of [['docx_bomb', 300 << 20], ['docx_lying', 9_000]]) {
    const bytes = SAMPLES[sample]();
    const { size, packed } = unzip(bytes)['word/document.xml'];
    assert.ok(bytes.length < 500_000);
    assert.ok(size >= told && size < told + 2_000);
    assert.equal(inflateRawSync(packed).length >> 20, 300);
  }
  assert.match(inflateRawSync(unzip(SAMPLES.docx_entities())['word/document.xml'].packed).toString(), /&e8;&e8;/);
});

test('hashes are those of the providers', () => {
  assert.equal(Content.of('').blockHash(), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.equal(Content.of(Buffer.from('J')).quickXorHash(), 'SgAAAAAAAAAAAAAAAQAAAAAAAAA=');
  assert.equal(Content.of(Buffer.from([0xb5, 0xb4])).quickXorHash(), 'taAFAAAAAAAAAAAAAgAAAAAAAAA=');
  assert.equal(Content.pattern(200_000).part(65_536, 65_546).whole().toString(), Content.pattern(10).whole().toString());
  assert.equal(Content.pattern(9 << 20).blockHash(), Content.of(Content.pattern(9 << 20).whole()).blockHash());
});

test('ids are those of the provider and the same in each run; names as each provider has them', () => {
  const made = (dialect, kind) => new Account({ email: 'ada@x.example', kind, files: ['sample', 'names', 'hostile', 'many:3', 'big:100'] }, dialect.rules);
  for (const [dialect, kind, pattern] of [[google, 'personal', /^[01][\w-]{16,32}$/], [onedrive, 'personal', /^[0-9A-F]{16}!\d+$/], [onedrive, 'work', /^01[A-Z2-7]{32}$/], [dropbox, 'personal', /^id:[\w-]{22}$/]]) {
    const one = made(dialect, kind);
    const ids = [...one.nodes.keys()];
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id, pattern);
    assert.deepEqual([...made(dialect, kind).nodes.keys()], ids);
    const names = one.at('/Names').children.map(({ name }) => name);
    assert.equal(names.includes('Report.txt') && names.includes('report.txt'), dialect === google, 'case');
    assert.equal(names.filter((name) => name === 'twice.txt').length, dialect === google ? 2 : 1);
    assert.equal(names.includes('back\\slash.txt'), dialect !== onedrive);
    assert.ok(names.includes('hash#1.txt') && names.includes('100% sure.txt') && names.some((name) => Buffer.byteLength(name) === 255));
  }
});
