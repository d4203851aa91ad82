// Google's partial answers: fields=nextPageToken,files(id,name,owners/emailAddress)
// A parser for the list, and the selection.

export class BadFields extends Error {}

export function parseFields(text) {
  let at = 0;
  const list = () => {
    const found = {};
    for (;;) {
      const name = /^[\w*@.-]+/.exec(text.slice(at))?.[0];
      if (!name) throw new BadFields(text);
      at += name.length;
      let inner = null;
      if (text[at] === '/') {
        at += 1;
        inner = one();
      } else if (text[at] === '(') {
        at += 1;
        inner = list();
        if (text[at] !== ')') throw new BadFields(text);
        at += 1;
      }
      found[name] = inner;
      if (text[at] !== ',') return found;
      at += 1;
    }
  };
  const one = () => {
    const name = /^[\w*@.-]+/.exec(text.slice(at))?.[0];
    if (!name) throw new BadFields(text);
    at += name.length;
    if (text[at] !== '/') return { [name]: null };
    at += 1;
    return { [name]: one() };
  };
  const parsed = list();
  if (at !== text.length) throw new BadFields(text);
  return parsed;
}

export function select(value, fields) {
  if (fields === null || value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => select(item, fields));
  const all = '*' in fields;
  return Object.fromEntries(Object.entries(value).filter(([name]) => all || name in fields)
    .map(([name, item]) => [name, select(item, name in fields ? fields[name] : fields['*'])]));
}
