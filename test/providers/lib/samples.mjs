// Sets of files by name, for accounts that tests create.
import { docx, docxBomb, docxEntities, docxForeignEntity, pdf, pptx, xlsx } from './documents.mjs';

export const BRAND = [
  'Brand voice of Lovelace Analytical',
  'We write plainly. We say what the engine does before we say that it is beautiful.',
  'Words we use: engine, pattern, proof. Words we avoid: disrupt, magic, synergy.',
  'Prices are named in full: 5 € a month, no asterisk.',
];

const HTML = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>About us</title><style>p { color: red }</style></head>
<body><script>alert('not text')</script><h1>About us</h1>${BRAND.map((line) => `<p>${line}</p>`).join('\n')}<!-- not text either --></body></html>\n`;
const CSV = 'name,slogan,year\n"Babbage & Sons","Engines, ""difference"" made",1822\nJacquard,Patterns in cards,1804\n';
const MARKDOWN = `# Brand voice\n\n${BRAND.slice(1).map((line) => `- ${line}`).join('\n')}\n\n[our site](https://lovelace.example/)\n`;

// What `sample: NAME` in a file's description stands for.
export const SAMPLES = {
  text: () => `${BRAND.join('\n')}\n`,
  markdown: () => MARKDOWN,
  csv: () => CSV,
  html: () => HTML,
  docx: () => docx(BRAND),
  xlsx: () => xlsx([['name', 'slogan'], ['Jacquard', 'Patterns in cards']]),
  pptx: () => pptx(BRAND),
  pdf: () => pdf(BRAND),
  pdf_long: () => pdf([...Array(2000).keys()].map((n) => `Line ${n + 1} of a long report`)),
  pdf_password: () => pdf(BRAND, { password: 'open sesame' }),
  pdf_loop: () => pdf(BRAND, { loop: true }),
  pdf_broken: () => pdf(BRAND).subarray(0, 700),
  docx_bomb: () => docxBomb(),
  docx_lying: () => docxBomb(300 << 20, true),
  docx_entities: () => docxEntities(),
  docx_foreign_entity: () => docxForeignEntity(),
  docx_broken: () => docx(BRAND).subarray(0, 500),
  latin1: () => Buffer.from('Stra\xdfe, caf\xe9, \xa3 5\n', 'latin1'),
  utf16: () => Buffer.from(`\ufeff${BRAND.join('\r\n')}`, 'utf16le'),
  binary: () => Buffer.from([...Array(1024).keys()].map((n) => (n * 7) & 255)),
};

const LONG = `${'n'.repeat(251)}.txt`;

// Names that break what is not quoted. Providers forbid some: each leaves those out.
const NAMES = [
  "O'Brien's \"draft\".txt", 'back\\slash.txt', 'hash#1.txt', '100% sure.txt', '%41%2e%2e%2f.txt', 'plus+and space.txt', 'a&b=c;d.txt', 'q?.txt',
  '🦊 räksmörgås.md', 'e\u0301 decomposed.txt', '\u202Etxt.exe', 'dot.', '-rf.txt', '$(id).txt', "'; DROP TABLE orla.users; --.txt", '<script>alert(1)<∕script>.txt',
  LONG, '../../etc/passwd', 'line\r\nSet-Cookie: a=b.txt', '=1+2.csv', 'Report.txt', 'report.txt', 'twice.txt', 'twice.txt',
];

function namesFor({ allowed, duplicates, insensitive }) {
  const key = insensitive ? (name) => name.toLowerCase() : (name) => name;
  const possible = NAMES.filter(allowed);
  return duplicates ? possible : [...new Map(possible.map((name) => [key(name), name])).values()];
}

const SETS = {
  sample: () => [
    { path: '/Brand/brand voice.docx', sample: 'docx' },
    { path: '/Brand/brand voice.md', sample: 'markdown' },
    { path: '/Brand/guide.pdf', sample: 'pdf' },
    { path: '/Brand/about.html', sample: 'html' },
    { path: '/Brand/competitors.csv', sample: 'csv' },
    { path: '/Brand/notes.txt', sample: 'text' },
    { path: '/Invoices/report.pdf', sample: 'pdf' },
    { path: '/Invoices/2026/January/', modified: '2026-01-31T12:00:00.000Z' },
    { path: '/Native/Voice', native: 'document', text: `${BRAND.join('\n')}\n` },
    { path: '/Native/Numbers', native: 'spreadsheet', text: CSV },
    { path: '/Native/Pitch', native: 'presentation', text: BRAND.join('\n') },
    { path: '/old.txt', text: 'thrown away\n', trashed: true },
    { path: '/empty.txt', text: '' },
    { path: '/shared plan.txt', text: 'A plan that Grace shares\n', shared: true },
    { path: '/Campaigns/spring.txt', text: 'Spring campaign\n', drive: 'Marketing' },
  ],
  names: (rules) => namesFor(rules).map((name) => ({ folder: '/Names', name, text: `in ${name}\n` })),
  hostile: () => ['pdf_long', 'pdf_password', 'pdf_loop', 'pdf_broken', 'docx_bomb', 'docx_lying', 'docx_entities', 'docx_foreign_entity', 'docx_broken']
    .map((sample) => ({ path: `/Hostile/${sample}.${sample.slice(0, sample.indexOf('_'))}`, sample }))
    .concat(['latin1', 'utf16'].map((sample) => ({ path: `/Hostile/${sample}.txt`, sample })), { path: '/Hostile/binary.txt', sample: 'binary' }),
  many: (rules, count) => [...Array(Number(count)).keys()].map((n) => ({ path: `/Many/file ${String(n + 1).padStart(5, '0')}.txt`, text: `${n + 1}\n` })),
  big: (rules, bytes) => [{ path: '/big.bin', bytes: Number(bytes) }],
};

// 'sample', 'names', 'hostile', 'many:250', 'big:200000000', or a description.
export function expand(files, rules) {
  return files.flatMap((item) => {
    if (typeof item !== 'string') return [item];
    const [name, argument] = item.split(':');
    if (!SETS[name]) throw new Error(`no set of files called ${name}; there are: ${Object.keys(SETS).join(' ')}`);
    return SETS[name](rules, argument);
  });
}
