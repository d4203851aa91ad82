// Bearer tokens, verified before the database is touched, with public keys.
import { createPublicKey, createSecretKey, createHmac, timingSafeEqual, verify } from 'node:crypto';
import { HttpError } from './errors.mjs';

const LEEWAY_S = 30;

function refused(code, message, details = null) {
  return new HttpError(401, code, message, {
    details,
    headers: { 'WWW-Authenticate': `Bearer error="invalid_token", error_description="${message}"` },
  });
}

/** Keys of a JWK set, one JWK, or a plain shared secret. */
export function loadKeys(secret) {
  if (secret === '') return [];
  let parsed;
  try {
    parsed = JSON.parse(secret);
  } catch {
    return [{ kty: 'oct', key: createSecretKey(Buffer.from(secret)) }];
  }
  return (parsed.keys ?? [parsed]).map((jwk) => ({
    kty: jwk.kty,
    alg: jwk.alg,
    key: jwk.kty === 'oct'
      ? createSecretKey(Buffer.from(jwk.k, 'base64url'))
      : createPublicKey({ key: jwk, format: 'jwk' }),
  }));
}

function signedBy({ kty, key, alg: only }, alg, data, signature) {
  if (only !== undefined && only !== alg) return false;
  if (alg === 'HS256' && kty === 'oct') {
    const mac = createHmac('sha256', key).update(data).digest();
    return mac.length === signature.length && timingSafeEqual(mac, signature);
  }
  if (alg === 'ES256' && kty === 'EC') {
    return verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature);
  }
  if (alg === 'RS256' && kty === 'RSA') return verify('sha256', data, key, signature);
  if (alg === 'EdDSA' && kty === 'OKP') return verify(null, data, key, signature);
  return false;
}

function decodePart(part) {
  try {
    const value = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return value !== null && typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function checkClaims(claims, audience, now) {
  const isTime = (name) => claims[name] === undefined || typeof claims[name] === 'number';
  for (const name of ['exp', 'nbf', 'iat']) {
    if (!isTime(name)) throw refused('PGRST303', `The JWT '${name}' claim must be a number`);
  }
  if (claims.exp < now - LEEWAY_S) throw refused('PGRST303', 'JWT expired');
  if (claims.nbf > now + LEEWAY_S) throw refused('PGRST303', 'JWT not yet valid');
  if (claims.iat > now + LEEWAY_S) throw refused('PGRST303', 'JWT issued at future');
  // A token without aud passes here: that is PostgREST's way, and one reason
  // why the database looks at every token again.
  if (audience !== '' && claims.aud !== undefined && ![claims.aud].flat().includes(audience)) {
    throw refused('PGRST303', 'JWT not in audience');
  }
}

/** The claims of a good token; throws what PostgREST answers to a bad one. */
export function verifyToken(token, keys, audience, now = Math.floor(Date.now() / 1000)) {
  const parts = token.split('.');
  if (token === '') throw refused('PGRST301', 'Empty JWT is sent in Authorization header');
  if (parts.length !== 3) {
    throw refused('PGRST301', `Expected 3 parts in JWT; got ${parts.length}`);
  }
  if (keys.length === 0) {
    throw new HttpError(500, 'PGRST300', 'Server lacks JWT secret');
  }
  const header = decodePart(parts[0]);
  const claims = decodePart(parts[1]);
  const signature = Buffer.from(parts[2], 'base64url');
  const data = Buffer.from(`${parts[0]}.${parts[1]}`);
  if (header === null || !keys.some((key) => signedBy(key, header.alg, data, signature))) {
    throw refused('PGRST301', 'No suitable key or wrong key type',
      'None of the keys was able to decode the JWT');
  }
  if (claims === null) throw refused('PGRST301', 'JWT claims could not be parsed');
  checkClaims(claims, audience, now);
  return claims;
}

/** Who a request is before the database has had a word: role, claims, and whether it had a token. */
export function identify(authorization, { keys, audience, anonRole }) {
  const bearer = /^bearer(?: +(.*))?$/i.exec(authorization ?? '');
  if (bearer === null) {
    if (anonRole === '') {
      throw new HttpError(401, 'PGRST302', 'Anonymous access is disabled',
        { headers: { 'WWW-Authenticate': 'Bearer' } });
    }
    return { role: anonRole, claims: { role: anonRole }, anonymous: true };
  }
  const claims = verifyToken((bearer[1] ?? '').trim(), keys, audience);
  const role = typeof claims.role === 'string' ? claims.role : anonRole;
  return { role, claims: { ...claims, role }, anonymous: role === anonRole };
}
