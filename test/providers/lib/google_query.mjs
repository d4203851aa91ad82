// The language of Drive's parameter q, parsed as what it is: text that was not
// escaped changes what is found, or is refused.
//
//   name contains 'x' and (mimeType = 'y' or not trashed = true) and 'id' in parents

export class BadQuery extends Error {}

const OPERATORS = {
  name: ['contains', '=', '!='], fullText: ['contains'], mimeType: ['contains', '=', '!='], trashed: ['=', '!='],
  starred: ['=', '!='], sharedWithMe: ['=', '!='], modifiedTime: ['<=', '<', '=', '!=', '>', '>='], viewedByMeTime: ['<=', '<', '=', '!=', '>', '>='],
  createdTime: ['<=', '<', '=', '!=', '>', '>='],
};

function tokens(text) {
  const found = [];
  const pattern = /\s+|'((?:[^'\\]|\\['\\])*)'|([A-Za-z][\w]*)|(<=|>=|!=|[=<>()])/y;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (!match) throw new BadQuery(text);
    if (match[1] !== undefined) found.push({ literal: match[1].replace(/\\(['\\])/g, '$1') });
    else if (match[2]) found.push({ word: match[2] });
    else if (match[3]) found.push({ word: match[3] });
  }
  return found;
}

// A function that says whether a file matches. file: { name, words, mimeType,
// trashed, sharedWithMe, modifiedTime, parents }; rootId: what 'root' stands for.
export function parseQuery(text, rootId) {
  const list = tokens(text);
  let at = 0;
  const peek = () => list[at]?.word;
  const next = () => list[at++] ?? {};
  const expect = (word) => { if (next().word !== word) throw new BadQuery(text); };

  const either = () => {
    let left = both();
    while (peek() === 'or') {
      at += 1;
      const [a, b] = [left, both()];
      left = (file) => a(file) || b(file);
    }
    return left;
  };
  const both = () => {
    let left = term();
    while (peek() === 'and') {
      at += 1;
      const [a, b] = [left, term()];
      left = (file) => a(file) && b(file);
    }
    return left;
  };
  const term = () => {
    if (peek() === 'not') {
      at += 1;
      const inner = term();
      return (file) => !inner(file);
    }
    if (peek() === '(') {
      at += 1;
      const inner = either();
      expect(')');
      return inner;
    }
    const first = next();
    if (first.literal !== undefined) return membership(first.literal);
    return comparison(first.word);
  };
  const membership = (value) => {
    expect('in');
    const where = next().word;
    if (where === 'parents') return (file) => file.parents.includes(value === 'root' ? rootId : value);
    if (['owners', 'writers', 'readers'].includes(where)) return (file) => file.owner === value;
    throw new BadQuery(text);
  };
  const comparison = (field) => {
    const allowed = Object.hasOwn(OPERATORS, field ?? '') ? OPERATORS[field] : null;
    if (!allowed) throw new BadQuery(text);
    // a bare sharedWithMe or trashed stands for "= true"
    if (['sharedWithMe', 'trashed', 'starred'].includes(field) && [undefined, 'and', 'or', ')'].includes(peek())) return (file) => Boolean(file[field]);
    const operator = next().word;
    const value = next();
    if (!allowed.includes(operator)) throw new BadQuery(text);
    if (['trashed', 'starred', 'sharedWithMe'].includes(field)) {
      if (!['true', 'false'].includes(value.word)) throw new BadQuery(text);
      return (file) => (Boolean(file[field]) === (value.word === 'true')) === (operator === '=');
    }
    if (value.literal === undefined) throw new BadQuery(text);
    return compare(field, operator, value.literal);
  };
  const test = either();
  if (at !== list.length) throw new BadQuery(text);
  return test;
}

function compare(field, operator, value) {
  const low = value.toLowerCase();
  if (field === 'fullText') return (file) => file.words().toLowerCase().includes(low);
  if (field === 'name' && operator === 'contains') {
    // the beginning of a word
    return (file) => {
      const name = file.name.toLowerCase();
      for (let i = name.indexOf(low); i >= 0; i = name.indexOf(low, i + 1)) if (i === 0 || !/[\p{L}\p{N}]/u.test(name[i - 1])) return true;
      return false;
    };
  }
  if (operator === 'contains') return (file) => file[field].startsWith(value);
  if (operator === '=') return (file) => file[field] === value;
  if (operator === '!=') return (file) => file[field] !== value;
  const time = Date.parse(/Z|[+-]\d\d:\d\d$/.test(value) ? value : `${value}Z`);
  if (Number.isNaN(time)) throw new BadQuery(value);
  const test = { '<': (a) => a < time, '<=': (a) => a <= time, '>': (a) => a > time, '>=': (a) => a >= time }[operator];
  return (file) => test(Date.parse(file[field]));
}
