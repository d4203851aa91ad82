// What the exposed schema offers, read from the system catalogue once and
// again after NOTIFY pgrst, 'reload schema'.
//
// A view has the keys of the table under it as far as it shows their columns
// under their own names. PostgREST follows the view's query tree; for views
// that select plain columns of one table this comes to the same.

const RELATIONS = `
  SELECT c.oid::int, c.relname AS name,
         json_agg(json_build_object('name', a.attname,
                                    'type', format_type(a.atttypid, a.atttypmod))
                  ORDER BY a.attnum) AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
   WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
     AND a.attnum > 0 AND NOT a.attisdropped
   GROUP BY c.oid, c.relname`;

const BASES = `
  SELECT DISTINCT r.ev_class::int AS view, d.refobjid::int AS base
    FROM pg_rewrite r
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
   WHERE r.ev_class = ANY ($1::oid[]) AND d.refobjid <> r.ev_class`;

const KEYS = `
  SELECT c.conname AS name, c.contype AS type, c.conrelid::int AS base, c.confrelid::int AS target,
         (SELECT json_agg(a.attname ORDER BY k.i)
            FROM unnest(c.conkey) WITH ORDINALITY k (n, i)
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n) AS columns,
         (SELECT json_agg(a.attname ORDER BY k.i)
            FROM unnest(c.confkey) WITH ORDINALITY k (n, i)
            JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n) AS targets
    FROM pg_constraint c
   WHERE c.contype IN ('p', 'f') AND c.conrelid = ANY ($1::oid[])`;

const FUNCTIONS = `
  SELECT p.proname AS name, p.provolatile AS volatility, p.proretset AS returns_set,
         t.typtype = 'c' OR t.typname = 'record' AS returns_rows,
         t.typname AS row_name, t.typname = 'void' AS returns_void, p.pronargdefaults AS defaults,
         CASE WHEN t.typtype = 'd' AND t.typname LIKE '%/%' THEN t.typname END AS media_type,
         t.typbasetype = 'bytea'::regtype AS returns_bytes,
         (SELECT coalesce(json_agg(json_build_object(
                   'name', coalesce(p.proargnames[i], ''),
                   'type', format_type(a.type, NULL)) ORDER BY i), '[]')
            FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY a (type, i)
           WHERE coalesce(p.proargmodes[i], 'i') IN ('i', 'b', 'v')) AS arguments
    FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype
   WHERE p.pronamespace = to_regnamespace($1) AND p.prokind = 'f'
     AND t.typname NOT IN ('trigger', 'event_trigger')`;

const UNNAMED = ['bytea', 'json', 'jsonb', 'text', 'xml'];

function shows(relation, columns) {
  return columns.every((name) => relation.columns.some((column) => column.name === name));
}

function addKeys(relations, bases, keys) {
  const over = (base) => relations.filter((relation) => relation.bases.includes(base));
  for (const relation of relations) {
    relation.bases = [relation.oid, ...bases.filter((b) => b.view === relation.oid).map((b) => b.base)];
    relation.primaryKey = [];
    relation.references = [];
  }
  for (const key of keys) {
    for (const relation of over(key.base)) {
      if (!shows(relation, key.columns)) continue;
      if (key.type === 'p') relation.primaryKey = key.columns;
      else {
        for (const target of over(key.target)) {
          if (shows(target, key.targets)) {
            relation.references.push({
              name: key.name, target: target.name, columns: key.columns, targets: key.targets,
            });
          }
        }
      }
    }
  }
}

function isCallable(fn) {
  const unnamed = fn.arguments.filter((argument) => argument.name === '');
  return unnamed.length === 0 ||
    (fn.arguments.length === 1 && UNNAMED.includes(fn.arguments[0].type));
}

/** { schema, relations: Map, functions: Map of overloads } */
export async function readCatalog(client, schema) {
  const relations = (await client.query(RELATIONS, [schema])).rows;
  const bases = (await client.query(BASES, [relations.map((r) => r.oid)])).rows;
  const tables = [...new Set([...relations.map((r) => r.oid), ...bases.map((b) => b.base)])];
  addKeys(relations, bases, (await client.query(KEYS, [tables])).rows);

  const functions = new Map();
  for (const fn of (await client.query(FUNCTIONS, [schema])).rows.filter(isCallable)) {
    functions.set(fn.name, [...(functions.get(fn.name) ?? []), fn]);
  }
  return { schema, relations: new Map(relations.map((r) => [r.name, r])), functions };
}
