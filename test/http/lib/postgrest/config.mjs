// Settings in PostgREST's order of precedence: file, environment, database.
//
// The file is docs/postgrest.conf itself, so that what the documentation
// tells people to write down is what the tests run with.
import { readFileSync } from 'node:fs';

const DEFAULTS = {
  'db-uri': 'postgresql://',
  'db-schemas': 'public',
  'db-extra-search-path': 'public',
  'db-anon-role': '',
  'db-pre-request': '',
  'db-pre-config': '',
  'db-config': 'true',
  'db-pool': '10',
  'db-pool-acquisition-timeout': '10',
  'db-prepared-statements': 'true',
  'db-channel': 'pgrst',
  'db-channel-enabled': 'true',
  'db-max-rows': '',
  'db-plan-enabled': 'false',
  'db-tx-end': 'commit',
  'jwt-secret': '',
  'jwt-aud': '',
  'jwt-role-claim-key': '.role',
  'server-host': '127.0.0.1',
  'server-port': '3000',
};

// What the database may set, under the name pgrst.<name with underscores>.
const IN_DATABASE = [
  'db-schemas', 'db-extra-search-path', 'db-anon-role', 'db-pre-request', 'db-max-rows',
  'db-plan-enabled', 'db-prepared-statements', 'jwt-secret', 'jwt-aud', 'jwt-role-claim-key',
];

const inDatabaseName = (name) => `pgrst.${name.replaceAll('-', '_')}`;

/** name = value lines of a configuration file; "…" quotes, # comments, $(NAME) from the environment. */
export function parseFile(text, env = process.env) {
  const settings = {};
  for (const line of text.split('\n')) {
    const match = /^\s*([a-z][a-z0-9.-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^#\s]+))\s*(?:#.*)?$/.exec(line);
    if (match === null) {
      if (line.trim() !== '' && !line.trim().startsWith('#')) throw new Error(`not a setting: ${line}`);
      continue;
    }
    const raw = match[2] !== undefined ? match[2].replace(/\\(.)/g, '$1') : match[3];
    settings[match[1]] = raw.replace(/\$\((\w+)\)/g, (_, name) => env[name] ?? '');
  }
  return settings;
}

/** The file's settings with PGRST_* of the environment over them. */
export function readSettings(file, env = process.env) {
  const settings = { ...DEFAULTS, ...(file ? parseFile(readFileSync(file, 'utf8'), env) : {}) };
  for (const name of Object.keys(settings)) {
    const value = env[`PGRST_${name.replaceAll('-', '_').toUpperCase()}`];
    if (value !== undefined) settings[name] = value;
  }
  return settings;
}

/**
 * The database's settings over the given ones: a READ ONLY transaction of its
 * own, as the login, that calls db-pre-config and looks at what it left.
 */
export async function readDatabaseSettings(client, settings) {
  if (settings['db-config'] !== 'true') return { ...settings };
  const preConfig = settings['db-pre-config'];
  const fromFunction = preConfig === '' ? '' : `
    UNION
    SELECT NULL AS database, x AS k, current_setting(x, true) AS v
      FROM unnest($1::text[]) x JOIN ${qualified(preConfig)}() _ ON TRUE`;
  const merged = { ...settings };

  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY');
  try {
    const { rows } = await client.query(`
      WITH role_setting AS (
        SELECT setdatabase AS database, unnest(setconfig) AS setting
          FROM pg_catalog.pg_db_role_setting
         WHERE setrole = CURRENT_USER::regrole::oid
           AND setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database
                                    WHERE datname = CURRENT_CATALOG))
      ), kv_settings AS (
        SELECT database,
               substr(setting, 1, strpos(setting, '=') - 1) AS k,
               substr(setting, strpos(setting, '=') + 1) AS v
          FROM role_setting ${fromFunction}
      )
      SELECT DISTINCT ON (k) k, v FROM kv_settings
       WHERE k = ANY ($1::text[]) AND v IS NOT NULL
       ORDER BY k, database DESC NULLS LAST`,
      [IN_DATABASE.map(inDatabaseName)]);
    for (const { k, v } of rows) {
      const name = IN_DATABASE.find((each) => inDatabaseName(each) === k);
      if (v !== '') merged[name] = v;
    }
  } finally {
    await client.query('COMMIT');
  }
  return merged;
}

export function identifier(name) {
  return `"${name.replaceAll('"', '""')}"`;
}

/** schema.name, each part quoted. */
export function qualified(name) {
  return name.split('.').map(identifier).join('.');
}
