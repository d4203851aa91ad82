// From an HTTP request to what is to be run: decided before the database is
// asked, from the catalogue alone.
import { HttpError } from './errors.mjs';
import { parseAccept, parsePrefer, parseQuery, withRange } from './parse.mjs';
import { callSql, deleteSql, insertSql, putSql, readSql, updateSql } from './sql.mjs';

const READING = ['GET', 'HEAD'];

function parseJson(body) {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new HttpError(400, 'PGRST102', 'Empty or invalid json');
  }
}

function relationOf(catalog, name) {
  const relation = catalog.relations.get(name);
  if (relation === undefined) {
    throw new HttpError(404, 'PGRST205', `Could not find the table '${catalog.schema}.${name}' in the schema cache`);
  }
  return relation;
}

function planRelation(catalog, name, { method, search, body, contentType, headers }, prefer) {
  const relation = relationOf(catalog, name);
  const query = withRange(parseQuery(search), method === 'GET' ? headers.range : undefined);
  if (READING.includes(method)) return { ...readSql(catalog, relation, query, prefer), writes: false, offset: Number(query.offset ?? 0) };
  if (method === 'DELETE') return { ...deleteSql(catalog, relation, query, prefer), writes: true };
  if (!['POST', 'PATCH', 'PUT'].includes(method)) {
    throw new HttpError(405, 'PGRST117', `Unsupported HTTP method: ${method}`);
  }
  if (!/^application\/json\b/.test(contentType || 'application/json')) {
    throw new HttpError(400, 'PGRST102', `Content-Type not acceptable: ${contentType}`);
  }
  const make = { POST: insertSql, PATCH: updateSql, PUT: putSql }[method];
  return { ...make(catalog, relation, query, parseJson(body), body.toString('utf8'), prefer), writes: true };
}

function missing(catalog, name, given) {
  const list = given.length === 0 ? ' without parameters' : `(${given.join(', ')})`;
  return new HttpError(404, 'PGRST202',
    `Could not find the function ${catalog.schema}.${name}${list} in the schema cache`);
}

/** The overload that takes exactly these arguments, others having defaults. */
function chooseByNames(overloads, given) {
  const fits = (fn) => {
    const names = fn.arguments.map((argument) => argument.name);
    const required = names.slice(0, names.length - fn.defaults);
    return given.every((name) => name !== '' && names.includes(name)) && required.every((name) => given.includes(name));
  };
  return overloads.find(fits);
}

const unnamed = (overloads, types) => overloads.find((fn) =>
  fn.arguments.length === 1 && fn.arguments[0].name === '' && types.includes(fn.arguments[0].type));

function callByPost(catalog, name, overloads, { body, contentType }) {
  const type = (contentType || 'application/json').split(';')[0].trim();
  if (type === 'application/octet-stream') {
    const fn = unnamed(overloads, ['bytea']);
    if (fn === undefined) throw missing(catalog, name, []);
    return [fn, { raw: body }];
  }
  if (type === 'text/plain') {
    const fn = unnamed(overloads, ['text']);
    if (fn === undefined) throw missing(catalog, name, []);
    return [fn, { raw: body.toString('utf8') }];
  }
  if (type !== 'application/json') {
    throw new HttpError(400, 'PGRST102', `Content-Type not acceptable: ${contentType}`);
  }
  const text = body.length === 0 ? '{}' : body.toString('utf8');
  const named = parseJson(Buffer.from(text));
  const given = Object.keys(named ?? {});
  const fn = chooseByNames(overloads, given);
  if (fn !== undefined) return [fn, { json: text, named }];
  const single = unnamed(overloads, ['json', 'jsonb']);
  if (single === undefined) throw missing(catalog, name, given);
  return [single, { raw: text }];
}

function callByGet(catalog, name, overloads, search) {
  const names = [...new Set(overloads.flatMap((fn) => fn.arguments.map((argument) => argument.name)))];
  const { arguments: named } = parseQuery(search, { argumentNames: names });
  const fn = chooseByNames(overloads, Object.keys(named));
  if (fn === undefined) throw missing(catalog, name, Object.keys(named));
  return [fn, { named }];
}

const IN_JSON = ['application/json', 'application/vnd.pgrst.object+json', 'application/vnd.pgrst.array+json', 'application/*', '*/*'];

/** The media type that the function's own domain serves, null where JSON is what was asked for. */
function mediaTypeOf(fn, accept) {
  const wanted = parseAccept(accept);
  for (const type of wanted) {
    if (fn.media_type !== null && (fn.media_type === '*/*' || fn.media_type === type)) return fn.media_type;
    if (IN_JSON.includes(type)) return null;
  }
  throw new HttpError(406, 'PGRST107', `None of these media types are available: ${wanted.join(', ')}`);
}

function planCall(catalog, name, request, prefer) {
  const overloads = catalog.functions.get(name);
  if (overloads === undefined) throw missing(catalog, name, []);
  if (!READING.includes(request.method) && request.method !== 'POST') {
    throw new HttpError(405, 'PGRST101', `Cannot use the ${request.method} method on RPC`);
  }
  const post = request.method === 'POST';
  const [fn, args] = post
    ? callByPost(catalog, name, overloads, request)
    : callByGet(catalog, name, overloads, request.search);
  const query = parseQuery(request.search,
    post ? {} : { argumentNames: fn.arguments.map((argument) => argument.name) });
  const mediaType = mediaTypeOf(fn, request.headers.accept);
  return {
    ...callSql(catalog, { ...fn, media_type: mediaType }, query, args, prefer),
    writes: post && fn.volatility === 'v', isVoid: fn.returns_void, mediaType, isBytes: fn.returns_bytes,
  };
}

/** { text, values, writes, … }: the main query and the access mode of its transaction. */
export function planRequest(catalog, request) {
  const prefer = parsePrefer(request.headers.prefer);
  const parts = request.path.split('/').slice(1).map(decodeURIComponent);
  let plan;
  if (parts.length === 2 && parts[0] === 'rpc') plan = planCall(catalog, parts[1], request, prefer);
  else if (parts.length === 1 && parts[0] !== '') plan = planRelation(catalog, parts[0], request, prefer);
  else throw new HttpError(404, 'PGRST125', 'Invalid path specified in request URL');
  return { ...plan, prefer, isCall: parts[0] === 'rpc' };
}
