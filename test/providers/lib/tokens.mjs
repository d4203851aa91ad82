// Codes, access tokens, refresh tokens. A grant is what a user consented to
// once: a connection, as a client would say. Tokens are kept as digests, so
// that thousands of 16 KiB ones cost nothing.
import { createHash, randomBytes } from 'node:crypto';

const digest = (token) => createHash('sha256').update(token).digest('hex').slice(0, 32);

// A token of exactly this many bytes that begins so and ends at random.
export function invent(prefix, bytes, marks = '') {
  const wanted = Math.max(bytes - prefix.length, 24);
  let body = randomBytes(Math.ceil(wanted * 0.75)).toString('base64url').slice(0, wanted);
  if (marks) body = `${body.slice(0, 4)}${marks}${body.slice(4 + marks.length)}`;
  return prefix + body;
}

export class Tokens {
  constructor(emulator) {
    this.emulator = emulator;
    this.reset();
  }

  reset() {
    this.codes = new Map();
    this.accessTokens = new Map();
    this.refreshTokens = new Map();
    this.grants = [];
    this.owned = new Map();
    this.unknown = { refreshes: 0 };
  }

  newGrant(fields) {
    const grant = {
      id: `g${this.grants.length + 1}`, revoked: false, arrived: 0, refreshes: 0, refused: 0, api_calls: 0, api_refused: 0, created: this.emulator.now(), ...fields,
    };
    this.grants.push(grant);
    return grant;
  }

  newCode(fields, prefix) {
    const code = invent(prefix, 70);
    this.codes.set(digest(code), { ...fields, created: this.emulator.now(), used: false });
    return code;
  }

  // The record, or a word that says why not. Whoever redeems uses it up.
  takeCode(code) {
    const found = this.codes.get(digest(code ?? ''));
    if (!found) return 'unknown';
    if (found.used) return 'used';
    if (this.emulator.now() - found.created > this.emulator.knobs.code_lifetime * 1000) return 'expired';
    found.used = true;
    return found;
  }

  newAccess(grant, prefix) {
    const { knobs } = this.emulator;
    const token = invent(prefix, knobs.access_token_bytes);
    const seconds = knobs.lifetime ?? knobs.expires_in ?? 3600;
    this.accessTokens.set(digest(token), { grant, revoked: false, expires: this.emulator.now() + seconds * 1000 });
    return token;
  }

  newRefresh(grant, prefix, marks) {
    const token = invent(prefix, this.emulator.knobs.refresh_token_bytes, marks);
    const now = this.emulator.now();
    const record = { grant, dead: null, created: now, last_used: now, replaced: null, arrived: 0, uses: 0, refused: 0 };
    this.refreshTokens.set(digest(token), record);
    const owner = `${grant.account.email} ${grant.client_id}`;
    if (!this.owned.has(owner)) this.owned.set(owner, []);
    this.owned.get(owner).push(record);
    return token;
  }

  access(token) {
    return this.accessTokens.get(digest(token));
  }

  // Why an access token does not work: unknown, revoked, expired; or null.
  accessProblem(token) {
    const found = this.access(token);
    if (!found) return 'unknown';
    if (found.revoked || found.grant.revoked) return 'revoked';
    return found.expires <= this.emulator.now() ? 'expired' : null;
  }

  refresh(token) {
    return this.refreshTokens.get(digest(token));
  }

  // Counts a request with this refresh token, and says whose it is.
  arrived(token) {
    const found = this.refresh(token);
    if (!found) return undefined;
    found.arrived += 1;
    found.grant.arrived += 1;
    return found.grant;
  }

  // Uses a refresh token: { grant, rotate } or { refused: unknown | revoked |
  // expired | idle | reused }. rotate: the answer carries a new one.
  use(token, client_id) {
    const { knobs } = this.emulator;
    const now = this.emulator.now();
    const found = this.refresh(token);
    if (!found) {
      this.unknown.refreshes += 1;
      return { refused: 'unknown' };
    }
    found.uses += 1;
    const refused = this.reasonAgainst(found, client_id, now);
    if (refused) {
      found.refused += 1;
      found.grant.refused += 1;
      return { refused, grant: found.grant };
    }
    found.last_used = now;
    found.grant.refreshes += 1;
    if (knobs.rotation !== 'none' && found.replaced === null) found.replaced = now;
    if (knobs.rotation === 'strict') found.dead = 'used';
    return { grant: found.grant, rotate: knobs.rotation !== 'none' };
  }

  reasonAgainst(found, client_id, now) {
    const { knobs } = this.emulator;
    if (found.grant.revoked) return 'revoked';
    if (found.grant.client_id !== client_id) return 'foreign';
    const late = knobs.rotation === 'grace' && found.replaced !== null && now - found.replaced > knobs.grace_seconds * 1000;
    if (found.dead === 'used' || late) {
      // somebody has a copy: nobody keeps anything
      found.grant.revoked = true;
      return 'reused';
    }
    if (found.dead) return 'revoked';
    if (knobs.refresh_lifetime !== null && now - found.created > knobs.refresh_lifetime * 1000) return 'expired';
    if (knobs.idle_lifetime !== null && now - found.last_used > knobs.idle_lifetime * 1000) return 'idle';
    return null;
  }

  // More live ones of one person for one client than the limit: the oldest are
  // dead, without a word.
  pushOut({ account, client_id }, limit) {
    const owner = `${account.email} ${client_id}`;
    if ((this.owned.get(owner)?.length ?? 0) <= limit) return;
    const live = this.owned.get(owner).filter(({ dead, grant }) => !dead && !grant.revoked);
    for (const found of live.splice(0, Math.max(0, live.length - limit))) found.dead = 'pushed out';
    this.owned.set(owner, live);
  }

  // what: access (the tokens, before their time), refresh, or grant.
  revoke(what, test) {
    const all = what === 'grant' ? this.grants : [...(what === 'access' ? this.accessTokens : this.refreshTokens).values()];
    let count = 0;
    for (const item of all) {
      if (!test(item.grant ?? item)) continue;
      if (what === 'refresh') item.dead ??= 'revoked';
      else item.revoked = true;
      count += 1;
    }
    return count;
  }

  show(brief) {
    const refreshes = this.grants.reduce((sum, grant) => sum + grant.refreshes, 0);
    if (brief) return { refreshes, unknown_refresh_tokens: this.unknown.refreshes };
    const refresh_tokens = {};
    for (const [key, { grant, dead, arrived, uses, refused }] of this.refreshTokens) refresh_tokens[key] = { grant: grant.id, dead, arrived, uses, refused };
    return {
      grants: this.grants.map(({ account, ...grant }) => ({ ...grant, account: account.email })),
      refreshes,
      unknown_refresh_tokens: this.unknown.refreshes,
      refresh_tokens,
    };
  }
}
