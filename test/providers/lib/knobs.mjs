// What a test can turn: knobs say how a provider behaves, faults say what goes
// wrong with single requests. Both are checked, so that a misspelled one fails
// the test that set it and not some later assertion.

// The knobs that every provider has. Providers add to them.
export const COMMON = {
  rotation: 'none',            // none | keep | strict | grace: what becomes of a refresh token that was used
  grace_seconds: 10,           // with rotation 'grace': how long the old one works beside the new one
  access_token_bytes: 220,
  refresh_token_bytes: 100,
  expires_in: 3600,            // null: the answer has no such field
  lifetime: null,              // seconds an access token really works; null: as expires_in says, 3600 without it
  refresh_lifetime: null,      // seconds a refresh token works from its issue; null: no end
  idle_lifetime: null,         // seconds a refresh token works unused
  code_lifetime: 600,
  omit: [],                    // fields left out of the token answer
  token_type: null,            // another word than the provider's
  iss: null,                   // sent with the code, when not null
  clock_offset: 0,             // seconds that the Date header is wrong by
  compress: 'no',              // no | asked (if the client accepts gzip) | always
  chunked: false,              // JSON answers without Content-Length
  page_limit: null,            // pages never longer than this, whatever was asked
  range: 'honour',             // honour | ignore: a Range header gets 200 and everything
  download_url_seconds: 300,
};

const CHOICES = {
  rotation: ['none', 'keep', 'strict', 'grace'],
  starttls: ['offered', 'required', 'none'],
  auth: ['offered', 'required', 'none'],
  compress: ['no', 'asked', 'always'],
  range: ['honour', 'ignore'],
};

const FAULT = {
  endpoint: '*',               // name, list of names, or * for all
  account: null,               // only requests with a token of this account
  times: null,                 // how often; null: always
  skip: 0,                     // let so many pass first
  when: null,                  // before | after the work was done (a token rotated)
  delay_ms: 0,
  hold: false,                 // until POST /control/release
  close: false,                // no answer: the connection ends
  status: null,
  body: null,                  // html | empty | truncated | short | latin1 | huge | an object | a text
  headers: {},
  bytes: 10 << 20,             // of body 'huge'
  retry_after: null,           // seconds, or {"date": seconds}
  throttle: null,              // true, or a word of the provider: it is answered in its own form
  retry_after_body: null,      // Dropbox: seconds that the body says
  compress: null,
  chunked: null,
  trickle_ms: 0,               // the body comes in ten pieces, this far apart
};

// These change the true answer, so the work has to be done first.
const CHANGES = ['truncated', 'short', 'latin1', 'huge'];

export class BadKnob extends Error {}

export class Knobs {
  constructor(defaults, common = COMMON) {
    this.defaults = { ...common, ...defaults };
    this.reset();
  }

  reset() {
    this.values = structuredClone(this.defaults);
    this.faults = [];
  }

  // null brings a default back where the default is not null and null has no meaning.
  set(changes) {
    for (const [name, value] of Object.entries(changes)) {
      if (name === 'faults') continue;
      if (!(name in this.defaults)) throw new BadKnob(`no knob ${name}; there are: ${Object.keys(this.defaults).join(' ')} faults`);
      if (CHOICES[name] && !CHOICES[name].includes(value)) throw new BadKnob(`${name} is one of ${CHOICES[name].join(', ')}`);
      const now = this.defaults[name];
      if (now !== null && value !== null && (typeof now !== typeof value || Array.isArray(now) !== Array.isArray(value))) {
        throw new BadKnob(`${name} is like ${JSON.stringify(now)}`);
      }
    }
    const { faults, ...values } = changes;
    const made = faults === undefined ? null : [].concat(faults ?? []).map(checkFault);
    Object.assign(this.values, values);
    if (made) this.faults = made;
    return this.show();
  }

  add(fault) {
    this.faults.push(checkFault(fault));
  }

  show() {
    return { ...this.values, faults: this.faults };
  }

  // The faults for this request, used up by it: { before, after }.
  take(endpoint, account) {
    const found = {};
    for (const fault of this.faults) {
      const names = [].concat(fault.endpoint);
      if (found[fault.when] || fault.times === 0 || !(names.includes('*') || names.includes(endpoint))) continue;
      if (fault.account !== null && fault.account !== account) continue;
      if (fault.skip > 0) {
        fault.skip -= 1;
        continue;
      }
      if (fault.times !== null) fault.times -= 1;
      found[fault.when] = { ...fault };
    }
    return found;
  }
}

function checkFault(given) {
  for (const name of Object.keys(given)) {
    if (!(name in FAULT)) throw new BadKnob(`no field ${name} in a fault; there are: ${Object.keys(FAULT).join(' ')}`);
  }
  const fault = { ...FAULT, ...given };
  fault.when ??= CHANGES.includes(fault.body) || fault.compress || fault.chunked || fault.trickle_ms ? 'after' : 'before';
  if (!['before', 'after'].includes(fault.when)) throw new BadKnob('when is before or after');
  if (CHANGES.includes(fault.body) && fault.when === 'before') throw new BadKnob(`a ${fault.body} answer comes after the work`);
  return fault;
}

// Whether the fault puts another answer in the place of the true one.
export const replaces = (fault) => fault.status !== null || fault.throttle !== null ||
  (fault.body !== null && !CHANGES.includes(fault.body));
