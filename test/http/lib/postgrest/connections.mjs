// The layer's connections: a pool that resets nothing between requests, as
// PostgREST's does, and one connection that listens.
import { createRequire } from 'node:module';
import { readDatabaseSettings } from './config.mjs';
import { readCatalog } from './catalog.mjs';
import { loadKeys } from './token.mjs';

// npm's, or Debian's by NODE_PATH, which import does not look at.
const pg = createRequire(import.meta.url)('pg');

const ROLE_SETTINGS = `
  WITH role_setting AS (
    SELECT r.rolname, unnest(r.rolconfig) AS setting
      FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
     WHERE m.member = current_user::regrole::oid
  ), kv AS (
    SELECT rolname, substr(setting, 1, strpos(setting, '=') - 1) AS key,
           lower(substr(setting, strpos(setting, '=') + 1)) AS value
      FROM role_setting
  )
  SELECT kv.rolname AS role, json_object_agg(kv.key, kv.value) AS settings
    FROM kv JOIN pg_settings ps ON ps.name = kv.key
   WHERE ps.context = 'user' OR has_parameter_privilege(current_user::regrole::oid, ps.name, 'set')
   GROUP BY kv.rolname`;

// Values stay as the server wrote them: what is JSON is passed on, not parsed.
const AS_TEXT = { getTypeParser: () => (value) => value };

/** Everything that is sent in a transaction, in order, under its statement names 0, 1, 2… */
export class Session {
  constructor(client, prepared) {
    this.client = client;
    this.prepared = prepared;
    client.orlaStatements ??= new Map();
  }

  run(text, values = []) {
    if (!this.prepared) return this.client.query({ text, values, types: AS_TEXT, queryMode: 'extended' });
    const names = this.client.orlaStatements;
    if (!names.has(text)) names.set(text, String(names.size));
    return this.client.query({ name: names.get(text), text, values, types: AS_TEXT });
  }

  /** The one statement that PostgREST sends by the simple protocol. */
  runSimple(text) {
    return this.client.query(text);
  }
}

export class Connections {
  constructor(settings, log = () => {}) {
    this.fileSettings = settings;
    this.log = log;
    this.reloads = { config: 0, schema: 0 };
    this.pool = new pg.Pool({
      connectionString: settings['db-uri'],
      application_name: 'PostgREST 16.2',
      max: Number(settings['db-pool']),
      connectionTimeoutMillis: Number(settings['db-pool-acquisition-timeout']) * 1000,
      idleTimeoutMillis: 30000,
    });
    this.pool.on('connect', (client) => {
      client.query(`SET client_encoding = 'UTF8';SET client_min_messages TO WARNING;`).catch(() => {});
    });
    this.pool.on('error', (error) => this.log(`connection lost: ${error.message}`));
  }

  async start() {
    await this.reloadConfig();
    await this.reloadSchema();
    if (this.fileSettings['db-channel-enabled'] === 'true') await this.listen();
  }

  async stop() {
    await this.listener?.end();
    await this.pool.end();
  }

  /** Runs fn(session) on a pooled connection; a broken one is not given back. */
  async with(fn) {
    const client = await this.pool.connect();
    let broken = false;
    try {
      return await fn(new Session(client, this.settings['db-prepared-statements'] === 'true'));
    } catch (error) {
      broken = error.severity === 'FATAL' || error.code === undefined && !('status' in error);
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async withClient(fn) {
    const client = await this.pool.connect();
    try {
      return await fn(client);
    } finally {
      client.release();
    }
  }

  async reloadConfig() {
    this.settings = await this.withClient((client) => readDatabaseSettings(client, this.fileSettings));
    this.keys = loadKeys(this.settings['jwt-secret']);
    this.reloads.config++;
  }

  async reloadSchema() {
    await this.withClient(async (client) => {
      this.catalog = await readCatalog(client, this.settings['db-schemas']);
      const { rows } = await client.query(ROLE_SETTINGS);
      this.roleSettings = new Map(rows.map(({ role, settings }) => [role, settings]));
    });
    this.reloads.schema++;
  }

  async listen() {
    this.listener = new pg.Client({ connectionString: this.fileSettings['db-uri'] });
    this.listener.on('error', (error) => this.log(`listener lost: ${error.message}`));
    this.listener.on('notification', ({ payload }) => {
      const reload = payload === 'reload config' ? this.reloadConfig() : this.reloadSchema();
      reload.catch((error) => this.log(`reload failed: ${error.message}`));
    });
    await this.listener.connect();
    await this.listener.query(`LISTEN "${this.fileSettings['db-channel']}"`);
  }
}
