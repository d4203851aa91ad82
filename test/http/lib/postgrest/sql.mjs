// The statements of PostgREST 16.2, piece by piece as they were seen in a
// server's log. Tests rely on this being what the real one sends: the shape
// decides which rights are needed, what row security sees and what a failing
// filter undoes.
import { identifier } from './config.mjs';
import { HttpError } from './errors.mjs';

const RESPONSE = `nullif(current_setting('response.headers', true), '') AS response_headers, ` +
  `nullif(current_setting('response.status', true), '') AS response_status`;

/** Collects parameters and hands out their numbers. */
export class Parameters {
  values = [];

  add(value) {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

const literal = (text) => `'${text.replaceAll("'", "''")}'`;
const qualify = (schema, name) => `${identifier(schema)}.${identifier(name)}`;

function fieldSql(source, { name, path }) {
  const column = name === '*' ? `${source}.*` : `${source}.${identifier(name)}`;
  return column + path.map(({ arrow, key }) => arrow + (/^\d+$/.test(key) ? key : literal(key))).join('');
}

function selectItemSql(source, { field, alias, cast }) {
  const value = cast === undefined ? fieldSql(source, field) : `CAST( ${fieldSql(source, field)} AS ${cast} )`;
  const name = alias ?? (field.path.length > 0 ? field.path.at(-1).key : undefined);
  return name === undefined ? value : `${value} AS ${identifier(name)}`;
}

function filterSql(source, filter, parameters) {
  if (filter.of !== undefined) {
    return ` ${filter.not ? 'NOT ' : ''}(${filter.of.map((part) => filterSql(source, part, parameters)).join(filter.all ? ' AND ' : ' OR ')})`;
  }
  const field = fieldSql(source, filter.field);
  const not = filter.not ? 'NOT ' : '';
  if (filter.is !== undefined) return ` ${not}${field} IS ${filter.is}`;
  if (filter.in !== undefined) {
    const array = `{${filter.in.map((item) => `"${item.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
    return ` ${not}${field} = ANY (${parameters.add(array)})`;
  }
  if (filter.text) {
    const config = filter.config === undefined ? '' : `${literal(filter.config)}, `;
    return ` ${not}${field} @@ to_tsquery(${config}${parameters.add(filter.value)})`;
  }
  return ` ${not}${field} ${filter.operator} ${parameters.add(filter.value)}`;
}

function whereSql(conditions) {
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}

function orderSql(source, order) {
  if (order.length === 0) return '';
  return `ORDER BY ${order.map(({ field, direction, nulls }) =>
    fieldSql(source, field) + direction + nulls).join(', ')}`;
}

function limitSql({ limit, offset }, parameters) {
  if (limit === null && offset === null) return '';
  return `LIMIT ${limit === null ? 'ALL' : parameters.add(limit)} OFFSET ${parameters.add(offset ?? '0')}`;
}

/** The one foreign key between two relations, and which way it points. */
function relationshipOf(catalog, parent, embed) {
  const child = catalog.relations.get(embed.relation);
  const matches = (reference) => embed.hint === undefined || reference.name === embed.hint ||
    reference.columns.includes(embed.hint);
  const toOne = parent.references.filter((r) => r.target === embed.relation && matches(r));
  const toMany = (child?.references ?? []).filter((r) => r.target === parent.name && matches(r));
  if (toOne.length + toMany.length === 0) {
    throw new HttpError(400, 'PGRST200', `Could not find a relationship between '${parent.name}' and ` +
      `'${embed.relation}' in the schema cache`);
  }
  if (toOne.length + toMany.length > 1) {
    throw new HttpError(300, 'PGRST201', `Could not embed because more than one relationship was found ` +
      `for '${parent.name}' and '${embed.relation}'`);
  }
  return toOne.length === 1
    ? { child, one: true, pairs: toOne[0].columns.map((name, i) => [name, toOne[0].targets[i]]) }
    : { child, one: false, pairs: toMany[0].targets.map((name, i) => [name, toMany[0].columns[i]]) };
}

/** The select list and the lateral joins of embedded relations. */
function selectAndJoins(catalog, relation, source, select) {
  const items = select ?? [{ field: { name: '*', path: [] } }];
  const list = [];
  const joins = [];
  items.forEach((item, i) => {
    if (item.relation === undefined) {
      list.push(selectItemSql(source, item));
      return;
    }
    const { child, one, pairs } = relationshipOf(catalog, relation, item);
    const from = identifier(`${item.relation}_${i + 1}`);
    const result = identifier(`${source.replaceAll('"', '')}_${item.alias}_${i + 1}`);
    const inner = selectAndJoins(catalog, child, from, item.select);
    const rows = `SELECT ${inner.list.join(', ')} FROM ${qualify(catalog.schema, child.name)} AS ${from} ` +
      `${inner.joins.join(' ')} WHERE ` +
      pairs.map(([mine, theirs]) => `${from}.${identifier(theirs)} = ${source}.${identifier(mine)}`).join(' AND ');
    const kind = item.inner ? 'INNER' : 'LEFT';
    if (one) {
      list.push(`row_to_json(${result}.*)::jsonb AS ${identifier(item.alias)}`);
      joins.push(`${kind} JOIN LATERAL ( ${rows} ) AS ${result} ON TRUE`);
    } else {
      list.push(`COALESCE( ${result}.${result}, '[]') AS ${identifier(item.alias)}`);
      joins.push(`${kind} JOIN LATERAL ( SELECT json_agg(${result})::jsonb AS ${result} FROM (${rows} ) ` +
        `AS ${result} ) AS ${result} ON ${item.inner ? `${result} IS NOT NULL` : 'TRUE'}`);
    }
  });
  return { list: list.join(', ') === '' ? [`${source}.*`] : list, joins };
}

/** GET on a relation. */
export function readSql(catalog, relation, query, { count } = {}) {
  const parameters = new Parameters();
  const source = qualify(catalog.schema, relation.name);
  const { list, joins } = selectAndJoins(catalog, relation, source, query.select);
  const where = whereSql(query.filters.map((filter) => filterSql(source, filter, parameters)));
  const rows = `SELECT ${list.join(', ')} FROM ${source} ${joins.join(' ')} ${where} ` +
    `${orderSql(source, query.order)} ${limitSql(query, parameters)} `;
  const countRows = `SELECT 1 FROM ${source} ${where}`;
  const total = count === 'exact' ? '(SELECT pg_catalog.count(*) FROM pgrst_source_count)' : 'null::bigint';
  const counter = count === 'exact' ? `, pgrst_source_count AS (${countRows})` : '';
  return {
    text: `WITH pgrst_source AS ( ${rows}) ${counter} SELECT ${total} AS total_result_set, ` +
      `pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body, ` +
      `${RESPONSE}, '' AS response_inserted FROM ( SELECT * FROM pgrst_source ) _postgrest_t`,
    values: parameters.values,
    // Prefer: count=planned asks the planner first.
    planned: count === 'planned' || count === 'estimated'
      ? { text: `EXPLAIN (FORMAT JSON) ${countRows}`, values: parameters.values.slice(0, parametersIn(where)) }
      : undefined,
  };
}

const parametersIn = (text) => (text.match(/\$\d+/g) ?? []).length;

const typeOf = (relation, name) => {
  const column = relation.columns.find((each) => each.name === name);
  if (column === undefined) {
    throw new HttpError(400, 'PGRST204',
      `Could not find the '${name}' column of '${relation.name}' in the schema cache`);
  }
  return column.type;
};

/** (SELECT $1 AS json_data) …: the payload as rows of the given columns. */
function bodySql(columns, isArray, limit, parameters, body) {
  // json is said aloud here; PostgREST binds the parameter with that type.
  const payload = `(SELECT ${parameters.add(body)}::json AS json_data) pgrst_payload`;
  const names = columns.map(({ name }) => identifier(name)).join(', ');
  const typed = columns.map(({ name, type }) => `${identifier(name)} ${type}`).join(', ');
  return `FROM ${payload}, LATERAL (SELECT ${names} FROM ` +
    `${isArray ? 'json_to_recordset' : 'json_to_record'}(pgrst_payload.json_data) AS _(${typed}) ${limit}) pgrst_body `;
}

const bodyList = (columns) => columns.map(({ name }) => `"pgrst_body".${identifier(name)}`).join(', ');

function mutationSql(catalog, relation, mutation, query, parameters, prefer, inserted) {
  const name = identifier(relation.name);
  const full = prefer.return === 'representation';
  const { list, joins } = selectAndJoins(catalog, relation, name, query.select);
  const returning = full ? `${qualify(catalog.schema, relation.name)}.*` : '1';
  const body = full ? `coalesce(json_agg(_postgrest_t), '[]')` : `''::text`;
  const rows = full
    ? `(SELECT ${list.join(', ')} FROM "pgrst_source" AS ${name} ${joins.join(' ')} ${orderSql(name, query.order)} )`
    : '(SELECT * FROM pgrst_source)';
  return {
    text: `WITH pgrst_source AS (${mutation} RETURNING ${returning}) SELECT '' AS total_result_set, ` +
      `pg_catalog.count(_postgrest_t) AS page_total, array[]::text[] AS header, ${body} AS body, ` +
      `${RESPONSE}, ${inserted} AS response_inserted FROM ${rows} _postgrest_t`,
    values: parameters.values,
  };
}

const INSERTED = `set_config('pgrst.inserted', (coalesce(nullif(current_setting('pgrst.inserted', true), '')::int, 0)`;

function conflictSql(relation, query, columns, prefer) {
  const keys = query.onConflict ?? relation.primaryKey;
  if (prefer.resolution === undefined || keys.length === 0) return ['', '', `''`];
  const target = `ON CONFLICT(${keys.map(identifier).join(', ')})`;
  if (prefer.resolution === 'ignore-duplicates') return ['', `${target} DO NOTHING`, `''`];
  const set = columns.map(({ name }) => `${identifier(name)} = EXCLUDED.${identifier(name)}`).join(', ');
  return [
    `WHERE ${INSERTED} + 1)::text, true) <> '0' `,
    `${target} DO UPDATE SET ${set} WHERE ${INSERTED} - 1)::text, true) <> '-1'`,
    `nullif(current_setting('pgrst.inserted', true),'')::int`,
  ];
}

/** POST on a relation; lists only the columns of the payload. named: what a PUT's row must be. */
export function insertSql(catalog, relation, query, payload, body, prefer, named = []) {
  const parameters = new Parameters();
  const rows = Array.isArray(payload) ? payload : [payload];
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].sort();
  const columns = names.map((name) => ({ name, type: typeOf(relation, name) }));
  const target = qualify(catalog.schema, relation.name);
  const [guard, conflict, inserted] = conflictSql(relation, query, columns, prefer);
  const insert = columns.length === 0
    ? `INSERT INTO ${target} DEFAULT VALUES`
    : `INSERT INTO ${target}(${names.map(identifier).join(', ')}) SELECT ${bodyList(columns)} ` +
      `${bodySql(columns, Array.isArray(payload), '', parameters, body)}${guard}` +
      `${named.map((filter) => `AND ${filterSql('"pgrst_body"', filter, parameters)} `).join('')}${conflict}`;
  return mutationSql(catalog, relation, insert, query, parameters, prefer, inserted);
}

/** PUT on a relation: one row, named by its whole primary key and nothing else. */
export function putSql(catalog, relation, query, payload, body, prefer) {
  const named = query.filters.map((filter) => filter.field?.name);
  if (query.limit !== null || query.offset !== null) {
    throw new HttpError(400, 'PGRST114', 'limit/offset querystring parameters are not allowed for PUT');
  }
  if (relation.primaryKey.length === 0 || [...named].sort().join() !== [...relation.primaryKey].sort().join() ||
      query.filters.some(({ operator, not }) => operator !== '=' || not)) {
    throw new HttpError(405, 'PGRST105', `Filters must include all and only primary key columns with 'eq' operators`);
  }
  return insertSql(catalog, relation, query, payload, body, { ...prefer, resolution: 'merge-duplicates' }, query.filters);
}

/** PATCH on a relation. */
export function updateSql(catalog, relation, query, payload, body, prefer) {
  const parameters = new Parameters();
  const target = qualify(catalog.schema, relation.name);
  const columns = Object.keys(payload).sort().map((name) => ({ name, type: typeOf(relation, name) }));
  const set = columns.map(({ name }) => `${identifier(name)} = "pgrst_body".${identifier(name)}`).join(', ');
  const from = bodySql(columns, false, '', parameters, body);
  const where = whereSql(query.filters.map((filter) => filterSql(target, filter, parameters)));
  return mutationSql(catalog, relation, `UPDATE ${target} SET ${set} ${from} ${where}`, query, parameters, prefer, `''`);
}

/** DELETE on a relation. */
export function deleteSql(catalog, relation, query, prefer) {
  const parameters = new Parameters();
  const target = qualify(catalog.schema, relation.name);
  const where = whereSql(query.filters.map((filter) => filterSql(target, filter, parameters)));
  return mutationSql(catalog, relation, `DELETE FROM ${target}  ${where}`, query, parameters, prefer, `''`);
}

/** How the arguments reach the function: { from, call } of its FROM clause. */
function argumentsSql(fn, { json, raw, named }, parameters) {
  if (raw !== undefined) {
    const cast = fn.arguments[0].type === 'bytea' ? '' : `::${fn.arguments[0].type}`;
    return { from: '', list: `${parameters.add(raw)}${cast}` };
  }
  const used = fn.arguments.filter(({ name }) => Object.hasOwn(named, name));
  if (used.length === 0) return { from: '', list: '' };
  if (json === undefined) {
    return { from: '', list: used.map(({ name, type }) =>
      `${identifier(name)} := ${parameters.add(named[name])}::${type}`).join(', ') };
  }
  return {
    from: bodySql(used, false, 'LIMIT 1', parameters, json).replace(/^FROM /, '') + ', LATERAL ',
    list: used.map(({ name }) => `${identifier(name)} := pgrst_body.${identifier(name)}`).join(', '),
  };
}

/** A call of a function, with whatever the query string asks of its rows. */
export function callSql(catalog, fn, query, args, { count } = {}) {
  const parameters = new Parameters();
  const { from, list } = argumentsSql(fn, args, parameters);
  const call = `${qualify(catalog.schema, fn.name)}(${list})`;
  const source = fn.returns_rows
    ? `SELECT "pgrst_call".* FROM ${from}${call} pgrst_call`
    : `SELECT pgrst_call.pgrst_scalar FROM ${from}(SELECT ${call} pgrst_scalar) pgrst_call`;
  const name = identifier(fn.returns_rows ? fn.row_name : fn.name);
  const items = (query.select ?? [{ field: { name: '*', path: [] } }]).map((item) => selectItemSql(name, item));
  const where = whereSql(query.filters.map((filter) => filterSql(name, filter, parameters)));
  const value = fn.returns_rows ? '_postgrest_t' : '_postgrest_t.pgrst_scalar';
  const body = fn.media_type !== null
    ? `${identifier(catalog.schema)}.${identifier(fn.media_type)}(${value})`
    : fn.returns_set ? `coalesce(json_agg(${value}), '[]')` : `coalesce(json_agg(${value})->0, 'null')`;
  const total = count === 'exact' ? '(SELECT pg_catalog.count(*) FROM pgrst_source_count)' : 'null::bigint';
  const counter = count === 'exact' ? `, pgrst_source_count AS (SELECT 1 FROM "pgrst_source" AS ${name} ${where})` : '';
  return {
    text: `WITH pgrst_source AS (${source}) ${counter}SELECT ${total} AS total_result_set, ` +
      `${fn.returns_set ? `pg_catalog.count(${value})` : '1'} AS page_total, ${body} AS body, ${RESPONSE}, ` +
      `'' AS response_inserted FROM (SELECT ${items.join(', ')} FROM "pgrst_source" AS ${name} ` +
      `${where} ${orderSql(name, query.order)} ${limitSql(query, parameters)}) _postgrest_t`,
    values: parameters.values,
  };
}
