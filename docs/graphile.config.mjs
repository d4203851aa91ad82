// PostGraphile 5 over orla. Start it with: npx postgraphile -c graphile.config.mjs
// docs/howto-postgraphile.md says why each part is here. It holds no secret:
// DATABASE_URL names the login that orla.allow_http_login() was called for, and
// who a request is from is proven by the database, from the caller's own token.
import { GraphQLError, getOperationAST } from 'graphql';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { makePgService } from 'postgraphile/adaptors/pg';
import { isSafeError } from 'postgraphile/grafast';
import { withPgClientFromPgService } from 'postgraphile/@dataplan/pg';
import { makeIntrospectionQuery, parseIntrospectionResults } from 'postgraphile/graphile-build-pg/pg-introspection';
import { jsonPgSmartTags } from 'postgraphile/utils';

/** The token of "Authorization: Bearer …"; undefined without one. */
function bearerToken(headers) {
  const match = /^bearer(?: +(.*))?$/i.exec(headers.authorization ?? '');
  return match === null ? undefined : (match[1] ?? '').trim();
}

/**
 * The settings of every transaction that this request causes, each of them
 * set with set_config(…, true), so over when the transaction ends.
 */
function settingsOf({ headers }, { document, operationName }) {
  const token = bearerToken(headers);
  const { authorization: _, cookie: __, ...rest } = headers;
  const settings = {
    role: token === undefined ? 'orla_anon' : 'orla_user',
    // What sign-in looks at: the client's address from your proxy, the browser.
    'request.headers': JSON.stringify(rest),
    'request.cookies': '{}',
  };
  // The proof. An empty token is a bad one; '' would say that there is none.
  if (token !== undefined) settings['orla.tenant'] = token === '' ? '-' : token;
  // A GraphQL query cannot write, whatever the functions that it calls try.
  if (getOperationAST(document, operationName)?.operation === 'query') {
    settings.transaction_read_only = 'on';
  }
  return settings;
}

// Errors of the caller's, by SQLSTATE; all others are the server's own affair.
const STATUS = {
  25006: 405, 28000: 403, 42501: 403, 23503: 409, 23505: 409,
  PT401: 401, PT403: 403, PT404: 404, PT409: 409, PT413: 413, PT429: 429, PT502: 502, PT503: 503,
};

function statusOf(cause, anonymous) {
  const state = cause.code ?? '';
  // What nobody may, somebody may: whoever has no token is told to sign in.
  if (state === '42501' && anonymous) return 401;
  // A row that is not there, or not the caller's: no SQLSTATE, the layer says so.
  if (state === '' && /^No values were (updated|deleted) /.test(cause.message)) return 404;
  return STATUS[state] ?? (isSafeError(cause) || /^2[23]/.test(state) ? 400 : 500);
}

/** What a client sees: a message and a status, no detail, no hint, no SQL, none of its values. */
function maskError(error) {
  const { originalError: cause, nodes, path, extensions: { anonymous } } = error;
  const say = (message, extensions) => new GraphQLError(message, { nodes, path, extensions });
  // Not executed at all: malformed, or not of this schema.
  if (path === undefined) return say(error.message.replace(/ got invalid value .*?; /s, ' got an invalid value; '), { status: 400 });
  const status = cause == null ? 500 : statusOf(cause, anonymous === true);
  const code = cause?.code === undefined ? {} : { code: cause.code };
  if (status === 404 && code.code !== 'PT404') return say('there is no such row', { status });
  if (status !== 500) return say(cause.message, { ...code, status });
  console.error(`internal error at ${path.join('.')}: ${code.code ?? ''} ${(cause ?? error).message}`);
  return say('internal error', { ...code, status });
}

// maskError sees the error alone; this tells it who asked.
const whoAsked = {
  name: 'OrlaWhoAskedPlugin',
  version: '1.0.0',
  grafast: {
    middleware: {
      async execute(next, { args }) {
        const result = await next();
        if (args.contextValue.pgSettings.role === 'orla_anon') {
          for (const error of result.errors ?? []) error.extensions.anonymous = true;
        }
        return result;
      },
    },
  },
};

const COOKIES = ['sign_in', 'verify_and_sign_in', 'refresh_session', 'sign_out'];

/** The catalogue as PostGraphile reads it, orla's objects not marked as an extension's. */
async function catalogue(service) {
  const { rows: [{ introspection }] } = await withPgClientFromPgService(service, null,
    (client) => client.query({ text: makeIntrospectionQuery() }));
  const raw = JSON.parse(introspection);
  const orla = raw.extensions.find(({ extname }) => extname === 'orla');
  if (orla === undefined) throw new Error('the database has no extension orla');
  // Pages are for browsers, and so is a session in cookies.
  const page = raw.types.find(({ typname }) => typname === 'text/html');
  raw.procs = raw.procs.filter(({ proname, prorettype }) => prorettype !== page?._id && !proname.includes('.') && !COOKIES.includes(proname));
  raw.depends = raw.depends.filter(({ deptype, refobjid }) => deptype !== 'e' || refobjid !== orla._id);
  return parseIntrospectionResults(JSON.stringify(raw));
}

// PostGraphile leaves out whatever came with an extension, and here that is the
// API. So what it read is replaced, in place, before anything is made of it.
const extension = {
  name: 'OrlaExtensionPlugin',
  version: '1.0.0',
  gather: {
    hooks: {
      async pgIntrospection_introspection({ resolvedPreset }, { introspection, serviceName }) {
        const service = resolvedPreset.pgServices.find(({ name }) => name === serviceName);
        for (const [name, value] of Object.entries(await catalogue(service))) {
          if (!Array.isArray(value)) introspection[name] = value;
          else {
            introspection[name].length = 0;
            for (const entity of value) introspection[name].push(entity);
          }
        }
      },
    },
  },
};

// Views have no keys of their own. Within a tenant the id is one: user_id is
// in every key and every request has one tenant, so nobody has to say it.
const COLUMNS = {
  user_id: { tags: { behavior: ['-*'] } },
  id: { tags: { hasDefault: true } },
};
const keyed = (foreignKey) => ({
  tags: { primaryKey: 'id', ...(foreignKey === undefined ? {} : { foreignKey }) },
  attribute: COLUMNS,
});
const tags = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      'orla_api.brand_strategy': keyed(),
      'orla_api.brand_voice_assets': keyed(),
      'orla_api.competitors': keyed(),
      'orla_api.competitor_analyses': keyed('(competitor_id) references orla_api.competitors (id)'),
      'orla_api.content_library': keyed(),
      'orla_api.content_calendar': keyed('(content_id) references orla_api.content_library (id)'),
      'orla_api.published_posts': keyed('(content_id) references orla_api.content_library (id)'),
    },
    // PostgREST's name for bytes of any media type is none in GraphQL.
    type: { 'orla_api.*/*': { tags: { name: 'AnyBytes' } } },
  },
});

export default {
  extends: [PostGraphileAmberPreset],
  plugins: [extension, tags, whoAsked],
  pgServices: [makePgService({ connectionString: process.env.DATABASE_URL, schemas: ['orla_api'], pubsub: false })],
  gather: { installWatchFixtures: false },
  schema: { dontSwallowErrors: true },
  grafast: {
    explain: false,
    context: ({ node }, args) => ({ pgSettings: settingsOf(node.req, args) }),
  },
  grafserv: {
    host: '127.0.0.1', port: 5678,
    graphqlOverGET: false, graphiql: false, watch: false,
    maskError,
  },
};
