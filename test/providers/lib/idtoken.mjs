// Signed identity tokens, and the key that verifies them.
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

let pair;
const keys = () => (pair ??= generateKeyPairSync('rsa', { modulusLength: 2048 }));
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function idToken(claims, access_token) {
  const at_hash = createHash('sha256').update(access_token).digest().subarray(0, 16).toString('base64url');
  const body = `${part({ alg: 'RS256', kid: 'emulator-1', typ: 'JWT' })}.${part({ ...claims, at_hash })}`;
  return `${body}.${sign('sha256', Buffer.from(body), keys().privateKey).toString('base64url')}`;
}

export const jwks = () => ({ keys: [{ ...keys().publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'emulator-1' }] });
