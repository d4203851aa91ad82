// The query string and the Prefer header, as far as the tests use them.
import { HttpError } from './errors.mjs';

function badQuery(text, details) {
  return new HttpError(400, 'PGRST100', `"failed to parse ${text}"`, { details });
}

/** Splits at commas that are neither in parentheses nor in double quotes. */
export function splitList(text) {
  const parts = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (c === '(') depth++;
    else if (c === ')') depth--;
    else if (c === ',' && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, text.slice(start)].map((part) => part.trim()).filter((part) => part !== '');
}

/** name or name->key->>key: { name, path: [{ arrow, key }] } */
export function parseField(text) {
  const match = /^([^->\s]+(?:\s[^->]+)*)((?:->>?[^->]+)*)$/.exec(text);
  if (match === null) throw badQuery(`field (${text})`, 'unexpected input');
  const path = [...match[2].matchAll(/(->>?)([^->]+)/g)].map(([, arrow, key]) => ({ arrow, key }));
  return { name: match[1], path };
}

/** alias:field::cast, or alias:relation!hint!inner(…) */
function parseSelectItem(text) {
  const embed = /^(?:([^:()]+):)?([^:()!]+)((?:![^!()]+)*)\((.*)\)$/s.exec(text);
  if (embed !== null) {
    const marks = embed[3].split('!').filter((mark) => mark !== '');
    return {
      relation: embed[2], alias: embed[1] ?? embed[2], inner: marks.includes('inner'),
      hint: marks.find((mark) => mark !== 'inner' && mark !== 'left'),
      select: parseSelect(embed[4]),
    };
  }
  const [, alias, field, cast] = /^(?:([^:]+):(?!:))?(.+?)(?:::([\w\s]+))?$/.exec(text) ?? [];
  if (field === undefined) throw badQuery(`select parameter (${text})`, 'unexpected input');
  return { field: parseField(field), alias, cast };
}

export function parseSelect(text) {
  return splitList(text).map(parseSelectItem);
}

const OPERATORS = {
  eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=', like: 'LIKE', ilike: 'ILIKE',
  match: '~', imatch: '~*', cs: '@>', cd: '<@',
};
const IS = { null: 'NULL', not_null: 'NOT NULL', true: 'TRUE', false: 'FALSE', unknown: 'UNKNOWN' };

/** column=[not.]operator.value */
export function parseFilter(column, text) {
  const match = /^(not\.)?([a-z]+)(?:\((\w+)\))?\.(.*)$/s.exec(text);
  const [, not, operator, config, raw] = match ?? [];
  const filter = { field: parseField(column), not: not !== undefined, config };
  if (operator === 'is' && IS[raw] !== undefined) return { ...filter, is: IS[raw] };
  if (operator === 'in' && /^\(.*\)$/s.test(raw)) {
    const items = splitList(raw.slice(1, -1)).map((item) => item.replace(/^"(.*)"$/s, '$1'));
    return { ...filter, in: items };
  }
  if (operator === 'fts') return { ...filter, operator: '@@', value: raw, text: true };
  if (OPERATORS[operator] !== undefined) {
    const wildcards = operator === 'like' || operator === 'ilike';
    return { ...filter, operator: OPERATORS[operator], value: wildcards ? raw.replaceAll('*', '%') : raw };
  }
  throw badQuery(`filter (${text})`, 'unexpected input');
}

const LOGIC = /^(not\.)?(and|or)$/;

/** (a.eq.1,or(b.is.null,not.and(…))): what of it is to hold, all of it or any. */
function parseLogic(name, text) {
  const [, not, kind] = LOGIC.exec(name);
  const list = /^\((.*)\)$/s.exec(text);
  if (list === null || list[1].trim() === '') throw badQuery(`logic tree (${text})`, 'unexpected input');
  const of = splitList(list[1]).map((part) => {
    const [, inner, rest] = /^((?:not\.)?(?:and|or))(\(.*\))$/s.exec(part) ?? [];
    if (inner !== undefined) return parseLogic(inner, rest);
    const [, column, filter] = /^([^.]+)\.(.*)$/s.exec(part) ?? [];
    if (column === undefined) throw badQuery(`logic tree (${text})`, 'unexpected input');
    // here, and not in a parameter of its own, a value may be in quotes
    return parseFilter(column, filter.replace(/^((?:not\.)?[a-z]+\.)"(.*)"$/s, (_, operator, value) => operator + value.replace(/\\(.)/g, '$1')));
  });
  return { all: kind === 'and', not: not !== undefined, of };
}

function parseOrder(text) {
  return splitList(text).map((item) => {
    const [, field, direction, nulls] =
      /^(.+?)(?:\.(asc|desc))?(?:\.(nullsfirst|nullslast))?$/.exec(item);
    return {
      field: parseField(field),
      direction: direction === undefined ? '' : ` ${direction.toUpperCase()}`,
      nulls: { nullsfirst: ' NULLS FIRST', nullslast: ' NULLS LAST' }[nulls] ?? '',
    };
  });
}

function parseCount(name, text) {
  if (!/^\d+$/.test(text)) throw badQuery(`${name} parameter (${text})`, 'unexpected input');
  return text;
}

/**
 * What the query string asks for. Without a relation (a GET on a function)
 * every parameter that is not reserved and has no operator is an argument.
 */
export function parseQuery(search, { argumentNames = [] } = {}) {
  const query = { select: null, filters: [], order: [], limit: null, offset: null,
                  onConflict: null, arguments: {} };
  for (const [name, value] of new URLSearchParams(search)) {
    if (name === 'select') query.select = parseSelect(value);
    else if (name === 'order') query.order = parseOrder(value);
    else if (name === 'limit' || name === 'offset') query[name] = parseCount(name, value);
    else if (name === 'on_conflict') query.onConflict = splitList(value);
    else if (argumentNames.includes(name)) query.arguments[name] = value;
    else if (LOGIC.test(name)) query.filters.push(parseLogic(name, value));
    else if (name.includes('.')) throw badQuery(`filter (${name})`, 'filters on embedded rows are not spoken here');
    else query.filters.push(parseFilter(name, value));
  }
  return query;
}

/** Range: first-last, counted from 0: { limit, offset } within those of the query string. */
export function withRange(query, header) {
  const match = /^(?:items=)?(\d+)-(\d*)$/.exec(header ?? '');
  if (match === null) return query;
  const [first, last] = [Number(match[1]), match[2] === '' ? Infinity : Number(match[2])];
  if (last < first) {
    throw new HttpError(416, 'PGRST103', 'Requested range not satisfiable',
      { details: 'The lower boundary must be lower than or equal to the upper boundary in the Range header.' });
  }
  const offset = Math.max(first, Number(query.offset ?? 0));
  const end = Math.min(last + 1, query.limit === null ? Infinity : Number(query.offset ?? 0) + Number(query.limit));
  return { ...query, offset: String(offset), limit: end === Infinity ? null : String(Math.max(0, end - offset)) };
}

const PREFERENCES = {
  return: ['representation', 'minimal', 'headers-only'],
  resolution: ['merge-duplicates', 'ignore-duplicates'],
  count: ['exact', 'planned', 'estimated'],
  tx: ['commit', 'rollback'],
  missing: ['default', 'null'],
};

/** { return: 'minimal', … } of the Prefer header; what is not known is ignored. */
export function parsePrefer(header) {
  const prefer = {};
  for (const item of (header ?? '').split(',')) {
    const [name, value] = item.trim().split('=');
    if (PREFERENCES[name]?.includes(value)) prefer[name] ??= value;
  }
  return prefer;
}

/** The Cookie header as an object; the last of a name wins, quotes are taken off. */
export function parseCookies(header) {
  const cookies = {};
  for (const pair of (header ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0) cookies[pair.slice(0, at).trim()] = pair.slice(at + 1).trim().replace(/^"(.*)"$/, '$1');
  }
  return cookies;
}

/** The Accept header as media types, the most wanted first. */
export function parseAccept(header) {
  const types = (header ?? '*/*').split(',').map((item) => {
    const [type, ...parameters] = item.split(';').map((part) => part.trim());
    const quality = parameters.map((parameter) => /^q=([0-9.]+)$/i.exec(parameter)).find((match) => match !== null);
    return { type: type.toLowerCase(), quality: quality === undefined ? 1 : Number(quality[1]) };
  });
  return types.filter(({ type }) => type !== '').sort((a, b) => b.quality - a.quality).map(({ type }) => type);
}
