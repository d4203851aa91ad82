// People at a provider and their files. One model for all providers; how a
// file looks in an answer is the provider's.
import { createHash } from 'node:crypto';
import { Content } from './contents.mjs';
import { SAMPLES, expand } from './samples.mjs';

const TYPES = {
  txt: 'text/plain', md: 'text/markdown', csv: 'text/csv', html: 'text/html', pdf: 'application/pdf', bin: 'application/octet-stream',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
};

const FIELDS = ['path', 'folder', 'name', 'text', 'base64', 'sample', 'bytes', 'native', 'mime', 'modified', 'trashed', 'shared', 'drive',
  'shortcut_to', 'package', 'abuse', 'resource_key', 'picked', 'locked', 'id'];

export const own = 'own';

export class Account {
  // rules: { newId(account, node), allowed(name), duplicates, insensitive }
  constructor({ email, name = email.split('@')[0], kind = 'personal', id = null, email_verified = true, mail = email, suspended = false, files = ['sample'] }, rules) {
    Object.assign(this, { email, name, kind, rules, email_verified, mail, suspended });
    this.number = createHash('sha256').update(email).digest();
    this.id = id ?? rules.accountId(this);
    this.nodes = new Map();
    this.drives = new Map();
    this.made = 0;
    this.drive(own);
    for (const description of expand(files, rules)) this.add(description);
  }

  // Bytes that are the same for the same account and number in each run.
  token(label) {
    return createHash('sha512').update(`${this.email}/${label}`).digest();
  }

  drive(name) {
    if (!this.drives.has(name)) {
      const drive = { name, account: this, shared: name !== own };
      drive.id = this.rules.driveId(this, drive);
      drive.root = this.node({ name: name === own ? '' : name, type: 'folder', drive, parent: null, modified: '2026-01-01T00:00:00.000Z' });
      this.drives.set(name, drive);
    }
    return this.drives.get(name);
  }

  node(fields) {
    this.made += 1;
    const node = { account: this, children: fields.type === 'folder' ? [] : null, trashed: false, shared: false, number: this.made, ...fields };
    node.id ??= this.rules.newId(this, node);
    this.nodes.set(node.id, node);
    node.parent?.children.push(node);
    return node;
  }

  add(given) {
    for (const field of Object.keys(given)) {
      if (!FIELDS.includes(field)) throw new Error(`no field ${field} in a file; there are: ${FIELDS.join(' ')}`);
    }
    const isFolder = given.path?.endsWith('/') ?? false;
    const steps = (given.path ?? given.folder ?? '').split('/').filter(Boolean);
    const name = given.name ?? steps.pop();
    const drive = this.drive(given.drive ?? own);
    let parent = drive.root;
    for (const step of steps) parent = this.child(parent, step) ?? this.node({ name: step, type: 'folder', drive, parent, modified: '2026-01-02T03:04:05.006Z' });
    const there = this.child(parent, name);
    if (there && isFolder) return there;
    if (there && !this.rules.duplicates) throw new Error(`${name} is there already`);
    const { trashed = false, shared = false, abuse, resource_key, picked, locked, id } = given;
    return this.node({
      name, drive, parent: shared ? null : parent, shared, trashed, abuse, resource_key, picked, locked, ...id && { id },
      modified: given.modified ?? new Date(Date.UTC(2026, 1, 3, 10, 11, 12, 345) + this.made * 1000).toISOString(),
      ...this.kind_(given, name, isFolder),
    });
  }

  kind_(given, name, isFolder) {
    if (isFolder) return { type: 'folder' };
    if (given.package) return { type: 'package' };
    if (given.shortcut_to) return { type: 'shortcut', target: this.at(given.shortcut_to) };
    const mime = given.mime ?? TYPES[/\.([^.]*)$/.exec(name)?.[1].toLowerCase()] ?? 'application/octet-stream';
    if (given.native) return { type: 'native', native: given.native, text: given.text ?? '' };
    if (given.bytes !== undefined) return { type: 'file', mime, content: Content.pattern(given.bytes) };
    let content;
    // made when first looked at
    const make = () => (content ??= Content.of(given.sample ? SAMPLES[given.sample]() : given.base64 ? Buffer.from(given.base64, 'base64') : given.text ?? ''));
    if (given.sample && !SAMPLES[given.sample]) throw new Error(`no sample ${given.sample}; there are: ${Object.keys(SAMPLES).join(' ')}`);
    return Object.defineProperty({ type: 'file', mime }, 'content', { get: make, enumerable: true });
  }

  // What somebody has uploaded: a new file, or new bytes in one that is there.
  upload(parent, name, bytes, { mime, there = null } = {}) {
    const content = Content.of(bytes);
    const modified = new Date(Date.UTC(2026, 2, 1) + this.made * 1000).toISOString();
    if (there) return Object.assign(there, { content, modified, version: (there.version ?? 1) + 1, ...mime && { mime } });
    return this.node({ name, drive: parent.drive, parent, type: 'file', picked: true, content, modified,
      mime: mime ?? TYPES[/\.([^.]*)$/.exec(name)?.[1].toLowerCase()] ?? 'application/octet-stream' });
  }

  // A name that is free, in the place of one that is not.
  freeName(parent, name) {
    const [, stem, extension] = /^(.*?)(\.[^.]*)?$/s.exec(name);
    let free = name;
    for (let n = 1; this.child(parent, free); n += 1) free = `${stem} (${n})${extension ?? ''}`;
    return free;
  }

  child(parent, name) {
    const same = this.rules.insensitive ? (a) => a.toLowerCase() === name.toLowerCase() : (a) => a === name;
    return parent.children?.find((node) => same(node.name) && !node.trashed);
  }

  at(path, drive = own, root = this.drive(drive).root) {
    let node = root;
    for (const step of path.split('/').filter(Boolean)) {
      node = node && this.child(node, step);
    }
    return node ?? null;
  }

  all() {
    return [...this.nodes.values()].filter((node) => node !== node.drive.root);
  }
}

export function pathOf(node) {
  return node.parent ? `${pathOf(node.parent)}/${node.name}` : node.shared ? `/${node.name}` : '';
}

export const inside = (node, folder) => node === folder || (node.parent !== null && inside(node.parent, folder));
