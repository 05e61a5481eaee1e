import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type JWK } from 'jose';

type Members = Readonly<Record<string, unknown>>;

/** The part of a provider that access tokens need: discovery, keys, and somebody who signs. */
export interface TokenIssuer {
  readonly issuer: string;
  /** How often the keys were read. */
  readonly keysRead: () => number;
  /** An access token as providers make them, with these members on top; undefined takes one away. */
  token(claims?: Members, header?: Members, how?: Signature): string;
  /** Signs by another key from now on. */
  rotate(options?: { readonly publish?: boolean }): Promise<void>;
  /** True: nothing is answered any more. */
  down(isDown: boolean): void;
  close(): Promise<void>;
}

export type Signature = 'wrong-key' | 'none' | 'stripped' | 'hmac-with-public-key' | 'embedded-key' | 'tampered';

export interface TokenIssuerOptions {
  /** Default `latchgate-api`. */
  readonly audience?: string;
  readonly now?: () => number;
}

export async function startTokenIssuer(options: TokenIssuerOptions = {}): Promise<TokenIssuer> {
  const { audience = 'latchgate-api', now = Date.now } = options;
  let key: KeyObject;
  let jwk: JWK & { kid: string };
  let published: JWK[] = [];
  let generation = 0;
  let keysRead = 0;
  let isDown = false;
  const rotate = async ({ publish = true } = {}) => {
    generation += 1;
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    key = pair.privateKey;
    jwk = { ...(await exportJWK(pair.publicKey)), kid: `k${generation}`, alg: 'ES256', use: 'sig' };
    if (publish) published = [jwk];
  };
  await rotate();
  const server = createServer((req, res) => {
    if (isDown) return void res.destroy();
    res.setHeader('content-type', 'application/json');
    if (req.url === '/jwks') {
      keysRead += 1;
      return void res.end(JSON.stringify({ keys: published }));
    }
    const endpoints = {
      authorization_endpoint: `${issuer}/a`,
      token_endpoint: `${issuer}/t`,
      jwks_uri: `${issuer}/jwks`,
    };
    const supported = {
      id_token_signing_alg_values_supported: ['ES256', 'none', 'HS256'],
      response_types_supported: ['code'],
    };
    res.end(JSON.stringify({ issuer, ...endpoints, ...supported }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    issuer,
    keysRead: () => keysRead,
    rotate,
    down: (down) => {
      isDown = down;
    },
    token: (claims = {}, header = {}, how) => {
      const at = Math.floor(now() / 1_000);
      const usual = { iss: issuer, aud: audience, sub: 'robot', iat: at, exp: at + 300, jti: `j${Math.random()}` };
      const said = given({ ...usual, client_id: 'robot-client', scope: 'bi.read bi.write', ...claims });
      const head = given({ alg: 'ES256', kid: jwk.kid, typ: 'at+jwt', ...header });
      return signed(head, said, key, jwk, how);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function given(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** By hand: a library would refuse to sign some of what has to be refused. */
function signed(header: Members, claims: Members, key: KeyObject, jwk: JWK, how: Signature | undefined): string {
  const es256 = (start: string, by: KeyObject) =>
    `${start}.${sign('sha256', Buffer.from(start), { key: by, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  const start = `${encode(header)}.${encode(claims)}`;
  const other = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  switch (how) {
    case 'wrong-key':
      return es256(start, other());
    case 'none':
      return `${encode({ ...header, alg: 'none' })}.${encode(claims)}.`;
    case 'stripped':
      return `${start}.`;
    case 'hmac-with-public-key': {
      const hmac = `${encode({ ...header, alg: 'HS256' })}.${encode(claims)}`;
      return `${hmac}.${createHmac('sha256', JSON.stringify(jwk)).update(hmac).digest('base64url')}`;
    }
    case 'embedded-key': {
      const own = other();
      const embedded = createPublicKey(own).export({ format: 'jwk' });
      return es256(`${encode({ ...header, kid: undefined, jwk: embedded })}.${encode(claims)}`, own);
    }
    case 'tampered': {
      const [head, , signature] = es256(start, key).split('.');
      return `${head}.${encode({ ...claims, sub: 'admin' })}.${signature}`;
    }
    default:
      return es256(start, key);
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
