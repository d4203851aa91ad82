// Real documents, made when they are asked for: DOCX, XLSX, PPTX, PDF, and the
// ones that no importer should swallow.
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { escape } from './answers.mjs';
import { zip, zipBomb } from './zip.mjs';

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const OFFICE = 'http://schemas.openxmlformats.org';
const W = `xmlns:w="${OFFICE}/wordprocessingml/2006/main"`;

// The two parts that every Office file has: what is of which type, and where it begins.
function frame(main, type, more = '') {
  const kinds = 'application/vnd.openxmlformats-officedocument';
  return [
    { name: '[Content_Types].xml', data: `${XML}<Types xmlns="${OFFICE}/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/${main}" ContentType="${kinds}.${type}"/>${more}</Types>` },
    { name: '_rels/.rels', data: `${XML}<Relationships xmlns="${OFFICE}/package/2006/relationships"><Relationship Id="rId1" Type="${OFFICE}/officeDocument/2006/relationships/officeDocument" Target="${main}"/></Relationships>` },
  ];
}

const DOCX_FRAME = () => frame('word/document.xml', 'wordprocessingml.document.main+xml');
const relations = (name, list) => ({ name, data: `${XML}<Relationships xmlns="${OFFICE}/package/2006/relationships">${list.map(([type, target], i) => `<Relationship Id="rId${i + 1}" Type="${OFFICE}/officeDocument/2006/relationships/${type}" Target="${target}"/>`).join('')}</Relationships>` });

export function docx(paragraphs, body = null) {
  const text = paragraphs.map((line) => `<w:p><w:r><w:t xml:space="preserve">${escape(line)}</w:t></w:r></w:p>`).join('');
  return zip([...DOCX_FRAME(), { name: 'word/document.xml', data: body ?? `${XML}<w:document ${W}><w:body>${text}</w:body></w:document>` }]);
}

export function xlsx(rows) {
  const cells = rows.map((row) => `<row>${row.map((cell) => `<c t="inlineStr"><is><t>${escape(cell)}</t></is></c>`).join('')}</row>`).join('');
  const S = `xmlns="${OFFICE}/spreadsheetml/2006/main"`;
  const type = 'application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml';
  return zip([...frame('xl/workbook.xml', 'spreadsheetml.sheet.main+xml', `<Override PartName="/xl/worksheets/sheet1.xml" ContentType="${type}"/>`),
    { name: 'xl/workbook.xml', data: `${XML}<workbook ${S} xmlns:r="${OFFICE}/officeDocument/2006/relationships"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>` },
    relations('xl/_rels/workbook.xml.rels', [['worksheet', 'worksheets/sheet1.xml']]),
    { name: 'xl/worksheets/sheet1.xml', data: `${XML}<worksheet ${S}><sheetData>${cells}</sheetData></worksheet>` }]);
}

export function pptx(slides) {
  const P = `xmlns:p="${OFFICE}/presentationml/2006/main" xmlns:a="${OFFICE}/drawingml/2006/main" xmlns:r="${OFFICE}/officeDocument/2006/relationships"`;
  const type = 'application/vnd.openxmlformats-officedocument.presentationml.slide+xml';
  const slide = (line) => `${XML}<p:sld ${P}><p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/><p:sp><p:nvSpPr><p:cNvPr id="2" name="Text"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/><a:p><a:r><a:t>${escape(line)}</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>`;
  const numbers = slides.map((_, i) => i + 1);
  return zip([...frame('ppt/presentation.xml', 'presentationml.presentation.main+xml', numbers.map((n) => `<Override PartName="/ppt/slides/slide${n}.xml" ContentType="${type}"/>`).join('')),
    { name: 'ppt/presentation.xml', data: `${XML}<p:presentation ${P}><p:sldIdLst>${numbers.map((n) => `<p:sldId id="${255 + n}" r:id="rId${n}"/>`).join('')}</p:sldIdLst></p:presentation>` },
    relations('ppt/_rels/presentation.xml.rels', numbers.map((n) => ['slide', `slides/slide${n}.xml`])),
    ...slides.map((line, i) => ({ name: `ppt/slides/slide${i + 1}.xml`, data: slide(line) }))]);
}

// 1 MB that unpacks to `size`; lying: the headers say 10 kB.
export function docxBomb(size = 300 << 20, lying = false) {
  return zipBomb('word/document.xml', `${XML}<w:document ${W}><w:body><w:p><w:r><w:t>`, '</w:t></w:r></w:p></w:body></w:document>',
    size, DOCX_FRAME(), lying ? 10_000 : undefined);
}

// Entities of entities: 2 kB that an eager parser makes 3 GB of.
export function docxEntities() {
  const levels = [...Array(9).keys()].map((n) => `<!ENTITY e${n + 1} "${`&e${n};`.repeat(10)}">`).join('');
  return docx([], `${XML}<!DOCTYPE d [<!ENTITY e0 "lol">${levels}]><w:document ${W}><w:body><w:p><w:r><w:t>&e9;</w:t></w:r></w:p></w:body></w:document>`);
}

// An entity that reads a file of the machine.
export function docxForeignEntity(file = '/etc/passwd') {
  return docx([], `${XML}<!DOCTYPE d [<!ENTITY x SYSTEM "file://${file}">]><w:document ${W}><w:body><w:p><w:r><w:t>before &x; after</w:t></w:r></w:p></w:body></w:document>`);
}

// The letters of PDF's standard encoding for Western languages.
const WINDOWS = { '€': 0x80, '–': 0x96, '—': 0x97, '‘': 0x91, '’': 0x92, '“': 0x93, '”': 0x94 };
const western = (line) => Buffer.from([...line].map((c) => WINDOWS[c] ?? (c.charCodeAt(0) < 256 ? c.charCodeAt(0) : 0x3f)));
const literal = (line) => Buffer.concat([Buffer.from('('), Buffer.from(western(line).toString('latin1').replace(/[\\()]/g, '\\$&'), 'latin1'), Buffer.from(')')]);

const LINES_OF_PAGE = 50;

// A PDF with the lines as text; with a password, encrypted.
export function pdf(lines, { password = null, loop = false } = {}) {
  const pages = [];
  for (let at = 0; at < Math.max(1, lines.length); at += LINES_OF_PAGE) pages.push(lines.slice(at, at + LINES_OF_PAGE));
  const id = createHash('md5').update(lines.join('\n')).digest();
  const lock = password === null ? null : new Lock(password, id);
  const kids = pages.map((_, i) => `${4 + 2 * i} 0 R`).join(' ');
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Kids [${loop ? '2 0 R' : kids}] /Count ${loop ? 1000000 : pages.length} >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
  ];
  for (const page of pages) {
    objects.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${objects.length + 2} 0 R >>`);
    const shown = page.flatMap((line) => [literal(line), Buffer.from(" '\n")]);
    const packed = deflateSync(Buffer.concat([Buffer.from('BT /F1 11 Tf 14 TL 56 786 Td\n'), ...shown, Buffer.from('ET')]));
    const bytes = lock ? lock.encrypt(objects.length + 1, packed) : packed;
    objects.push([Buffer.from(`<< /Filter /FlateDecode /Length ${bytes.length} >>\nstream\n`), bytes, Buffer.from('\nendstream')]);
  }
  if (lock) objects.push(lock.dictionary());
  return assemble(objects, `/ID [<${id.toString('hex')}> <${id.toString('hex')}>]${lock ? ` /Encrypt ${objects.length} 0 R` : ''}`);
}

function assemble(objects, trailer) {
  const parts = [Buffer.from('%PDF-1.4\n%\xe2\xe3\xcf\xd3\n', 'latin1')];
  const offsets = [];
  let at = parts[0].length;
  objects.forEach((object, i) => {
    offsets.push(at);
    for (const part of [Buffer.from(`${i + 1} 0 obj\n`), ...[].concat(object).map((p) => Buffer.from(p)), Buffer.from('\nendobj\n')]) {
      parts.push(part);
      at += part.length;
    }
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  parts.push(Buffer.from(`xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${trailer} >>\nstartxref\n${at}\n%%EOF\n`));
  return Buffer.concat(parts);
}

// PDF's first encryption: 40 bits. Weak, but every reader asks for the password.
class Lock {
  constructor(password, id) {
    const PAD = Buffer.from('28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a', 'hex');
    const padded = Buffer.concat([Buffer.from(password, 'latin1'), PAD]).subarray(0, 32);
    const rights = Buffer.from([0xfc, 0xff, 0xff, 0xff]);
    this.owner = rc4(md5(padded).subarray(0, 5), padded);
    this.key = md5(padded, this.owner, rights, id).subarray(0, 5);
    this.user = rc4(this.key, PAD);
  }

  encrypt(number, bytes) {
    const extra = Buffer.from([number & 255, number >> 8, 0, 0, 0]);
    return rc4(md5(this.key, extra).subarray(0, 10), bytes);
  }

  dictionary() {
    return `<< /Filter /Standard /V 1 /R 2 /P -4 /O <${this.owner.toString('hex')}> /U <${this.user.toString('hex')}> >>`;
  }
}

const md5 = (...parts) => createHash('md5').update(Buffer.concat(parts)).digest();

function rc4(key, data) {
  const s = [...Array(256).keys()];
  for (let i = 0, j = 0; i < 256; i += 1) {
    j = (j + s[i] + key[i % key.length]) & 255;
    [s[i], s[j]] = [s[j], s[i]];
  }
  let i = 0;
  let j = 0;
  return Buffer.from(data.map((byte) => {
    i = (i + 1) & 255;
    j = (j + s[i]) & 255;
    [s[i], s[j]] = [s[j], s[i]];
    return byte ^ s[(s[i] + s[j]) & 255];
  }));
}
