import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { exportJWK, type JWK } from 'jose';

export type Members = Readonly<Record<string, unknown>>;

/** The algorithms that a lying provider can sign with. */
export type Algorithm = 'ES256' | 'ES384' | 'RS256' | 'PS256' | 'EdDSA';

/** How a signature is wrong. Each leaves header and claims as they are, but for what it needs. */
export type SignatureLie =
  | 'none'
  | 'stripped'
  | 'empty-parts'
  | 'wrong-key'
  | 'wrong-key-without-kid'
  | 'tampered'
  | 'tampered-header'
  | 'truncated'
  | 'bit-flipped'
  | 'padded'
  | 'zeros'
  | 'der-encoded'
  | 'doubled'
  | 'hmac-with-public-key'
  | 'hmac-with-public-pem'
  | 'hmac-with-empty-key'
  | 'embedded-key'
  | 'embedded-chain'
  | 'key-by-address';

/** What is wrong with a token. Nothing set: it is an honest one. */
export interface TokenLies {
  readonly header?: Members;
  readonly claims?: Members | ((claims: Record<string, unknown>) => Members);
  readonly signature?: SignatureLie;
}

export interface SigningKey {
  readonly alg: Algorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: JWK & { readonly kid: string };
}

export async function newSigningKey(kid: string, alg: Algorithm = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = keyPair(alg);
  return { alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Signs what it is told, also what a library would refuse to sign. */
export async function writeToken(key: SigningKey, claims: Members, lies: TokenLies = {}, typ = 'JWT'): Promise<string> {
  const told = typeof lies.claims === 'function' ? lies.claims({ ...claims }) : { ...claims, ...lies.claims };
  const header: Members = withoutUndefined({ alg: key.alg, kid: key.jwk.kid, typ, ...lies.header });
  const all = withoutUndefined(told);
  return lies.signature === undefined
    ? signed(header, all, key)
    : await wronglySigned(lies.signature, header, all, key);
}

/** The left half of a hash, as at_hash and c_hash have it (OIDC Core §3.1.3.6). */
export function halfHash(text: string, alg: Algorithm): string {
  const bits = /(256|384|512)$/.exec(alg)?.[1] ?? '512';
  const digest = createHash(`sha${bits}`).update(text).digest();
  return digest.subarray(0, digest.length / 2).toString('base64url');
}

async function wronglySigned(lie: SignatureLie, header: Members, claims: Members, key: SigningKey): Promise<string> {
  const start = `${encode(header)}.${encode(claims)}`;
  const honest = signatureOf(start, key);
  const put = (signature: Buffer | string) =>
    `${start}.${typeof signature === 'string' ? signature : base64url(signature)}`;
  const { kid: _kid, ...nameless } = header;
  switch (lie) {
    case 'none':
      return `${encode({ ...header, alg: 'none' })}.${encode(claims)}.`;
    case 'stripped':
      return put('');
    case 'empty-parts':
      return `${encode(header)}..${base64url(honest)}`;
    case 'wrong-key':
      return signed(header, claims, await newSigningKey(key.jwk.kid, key.alg));
    case 'wrong-key-without-kid':
      return signed(nameless, claims, await newSigningKey(key.jwk.kid, key.alg));
    case 'tampered':
      return `${encode(header)}.${encode({ ...claims, sub: 'admin' })}.${base64url(honest)}`;
    case 'tampered-header':
      return `${encode({ ...header, x: 1 })}.${encode(claims)}.${base64url(honest)}`;
    case 'truncated':
      return put(honest.subarray(0, honest.length - 1));
    case 'bit-flipped':
      return put(Buffer.from(honest.map((byte, at) => (at === 5 ? byte ^ 1 : byte))));
    case 'padded':
      return put(Buffer.concat([honest, Buffer.alloc(2)]));
    case 'zeros':
      return put(Buffer.alloc(honest.length));
    case 'der-encoded':
      return put(sign(hashOf(key.alg), Buffer.from(start), key.privateKey));
    case 'doubled':
      return `${put(honest)}.${base64url(honest)}`;
    case 'hmac-with-public-key':
      return hmac(header, claims, JSON.stringify(key.jwk));
    case 'hmac-with-public-pem':
      return hmac(header, claims, key.publicKey.export({ type: 'spki', format: 'pem' }).toString());
    case 'hmac-with-empty-key':
      return hmac(header, claims, '');
    case 'embedded-key': {
      const own = await newSigningKey('own', key.alg);
      return signed({ ...nameless, jwk: own.jwk }, claims, own);
    }
    case 'embedded-chain': {
      const own = await newSigningKey('own', key.alg);
      const chain = [own.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')];
      return signed({ ...nameless, x5c: chain, x5t: 'AAAA' }, claims, own);
    }
    case 'key-by-address': {
      const own = await newSigningKey('own', key.alg);
      return signed({ ...header, jku: 'http://127.0.0.1:1/jwks', x5u: 'http://127.0.0.1:1/x' }, claims, own);
    }
  }
}

function signed(header: Members, claims: Members, key: SigningKey): string {
  const start = `${encode(header)}.${encode(claims)}`;
  return `${start}.${base64url(signatureOf(start, key))}`;
}

function signatureOf(text: string, { alg, privateKey: key }: SigningKey): Buffer {
  const bytes = Buffer.from(text);
  if (alg.startsWith('ES')) return sign(hashOf(alg), bytes, { key, dsaEncoding: 'ieee-p1363' });
  if (alg === 'PS256') return sign('sha256', bytes, { key, padding: 6, saltLength: 32 });
  return sign(hashOf(alg), bytes, key);
}

function hmac(header: Members, claims: Members, secret: string): string {
  const start = `${encode({ ...header, alg: 'HS256' })}.${encode(claims)}`;
  return `${start}.${createHmac('sha256', secret).update(start).digest('base64url')}`;
}

function hashOf(alg: Algorithm): string | null {
  return alg === 'EdDSA' ? null : `sha${alg.slice(2)}`;
}

function keyPair(alg: Algorithm): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519');
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (alg === 'ES384') return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  return generateKeyPairSync('rsa', { modulusLength: 2_048 });
}

function withoutUndefined(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function encode(value: object): string {
  return base64url(Buffer.from(JSON.stringify(value)));
}

function base64url(bytes: Buffer): string {
  return bytes.toString('base64url');
}
