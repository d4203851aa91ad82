// What a client sees of an error: PostgREST's body and its table of statuses.

/** An error of the layer itself, not of the database. */
export class HttpError extends Error {
  constructor(status, code, message, { details = null, hint = null, headers = {} } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
    this.hint = hint;
    this.headers = headers;
  }
}

const BY_STATE = {
  '23503': 409, '23505': 409, '25006': 405, '42883': 404, '42P01': 404, '42P17': 500,
  'P0001': 400, '53400': 500,
};

const BY_CLASS = {
  '08': 503, '09': 500, '0L': 403, '0P': 403, '25': 500, '28': 403, '2D': 500, '38': 500,
  '39': 500, '3B': 500, '40': 500, '53': 503, '54': 500, '55': 500, '57': 500, '58': 500,
  F0: 500, HV: 500, P0: 500, XX: 500,
};

/** The HTTP status of a SQLSTATE; PTnnn carries its own. */
export function statusOf(sqlstate, anonymous) {
  if (sqlstate === '42501') return anonymous ? 401 : 403;
  const own = /^PT(\d{3})$/.exec(sqlstate);
  if (own !== null) return Number(own[1]);
  return BY_STATE[sqlstate] ?? BY_CLASS[sqlstate.slice(0, 2)] ?? 400;
}

/** { status, reason, headers, body } of anything that was thrown. */
export function describe(error, anonymous) {
  if (error instanceof HttpError) {
    return {
      status: error.status,
      headers: error.headers,
      body: { code: error.code, details: error.details, hint: error.hint, message: error.message },
    };
  }
  if (error?.code === undefined || error.severity === undefined) {
    return {
      status: 503, headers: {},
      body: { code: 'PGRST000', details: error?.message ?? null, hint: null, message: 'Database connection error. Retrying the connection.' },
    };
  }
  if (error.code === 'PGRST') return describeRaised(error);
  const status = statusOf(error.code, anonymous);
  return {
    status,
    reason: error.code.startsWith('PT') ? error.message.replace(/[^\x20-\x7e]/g, ' ') : undefined,
    headers: status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {},
    body: { code: error.code, details: error.detail ?? null, hint: error.hint ?? null, message: error.message },
  };
}

// RAISE SQLSTATE 'PGRST': the message is the body, the detail status and headers.
function describeRaised(error) {
  const body = JSON.parse(error.message);
  const { status, headers } = JSON.parse(error.detail);
  return {
    status, headers,
    body: { code: body.code, details: body.details ?? null, hint: body.hint ?? null, message: body.message },
  };
}
