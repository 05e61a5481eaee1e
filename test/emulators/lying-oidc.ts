import { createHash, createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type JWK } from 'jose';

export type Endpoint = 'discovery' | 'authorize' | 'token' | 'jwks' | 'userinfo' | 'par';

/** What the provider gets wrong. Nothing set: it is an honest one. */
export interface Lies {
  /** Changes the discovery document. */
  readonly discovery?: (document: Record<string, unknown>) => unknown;
  /** Changes the parameters of the redirect back. */
  readonly callback?: (parameters: URLSearchParams) => void;
  /** Changes the ID token's header, claims, or the way it is signed. */
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>> | ((claims: Record<string, unknown>) => Record<string, unknown>);
  readonly signature?: 'none' | 'stripped' | 'wrong-key' | 'tampered' | 'hmac-with-public-key' | 'embedded-key';
  /** The whole ID token. */
  readonly idToken?: unknown;
  /** Changes the token answer. */
  readonly tokenAnswer?: (answer: Record<string, unknown>) => unknown;
  readonly userinfo?: Readonly<Record<string, unknown>>;
  /** Takes an endpoint over. */
  readonly answer?: Partial<Record<Endpoint, (req: IncomingMessage, res: ServerResponse) => void>>;
}

export interface LyingProvider {
  readonly issuer: string;
  /** Lies from now on. */
  lie(lies: Lies): void;
  /** Signs with a new key and publishes only that one. */
  rotate(options?: { readonly publish?: boolean }): Promise<void>;
  /** How often each endpoint was asked. */
  readonly asked: Readonly<Record<Endpoint, number>>;
  /** Body of the last token request. */
  lastTokenRequest(): URLSearchParams;
  lastTokenHeaders(): IncomingMessage['headers'];
  /** A token as an honest provider would sign it, with these claims on top. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>;
  close(): Promise<void>;
}

export interface LyingProviderOptions {
  readonly clientId: string;
  readonly subject?: string;
  /** Default true: no userinfo endpoint is not even named. */
  readonly withUserinfo?: boolean;
}

interface Key {
  readonly privateKey: KeyObject;
  readonly jwk: JWK & { readonly kid: string };
}

interface Code {
  readonly nonce: string;
  readonly redirectUri: string;
  readonly challenge: string;
}

/** An OpenID provider that logs everybody in at once and can misbehave in any message. */
export async function startLyingProvider(options: LyingProviderOptions): Promise<LyingProvider> {
  const { clientId, subject = 'alice' } = options;
  const asked = { discovery: 0, authorize: 0, token: 0, jwks: 0, userinfo: 0, par: 0 };
  const codes = new Map<string, Code>();
  const pushed = new Map<string, URLSearchParams>();
  let lies: Lies = {};
  let key = await newKey('k1');
  let published = [key.jwk];
  let tokenRequest = new URLSearchParams();
  let tokenHeaders: IncomingMessage['headers'] = {};
  let issuer = '';

  const endpoints: Record<Endpoint, (req: IncomingMessage, res: ServerResponse) => Promise<void> | void> = {
    discovery: (_req, res) => {
      const document = {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        pushed_authorization_request_endpoint: `${issuer}/par`,
        ...(options.withUserinfo === false ? {} : { userinfo_endpoint: `${issuer}/userinfo` }),
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256', 'none', 'HS256'],
        code_challenge_methods_supported: ['S256'],
        authorization_response_iss_parameter_supported: true,
      };
      sendJson(res, lies.discovery === undefined ? document : lies.discovery(document));
    },
    par: async (req, res) => {
      const uri = `urn:ietf:params:oauth:request_uri:${randomBytes(8).toString('hex')}`;
      pushed.set(uri, new URLSearchParams(await textOf(req)));
      sendJson(res, { request_uri: uri, expires_in: 60 }, 201);
    },
    authorize: (req, res) => {
      const asking = new URL(req.url ?? '/', issuer).searchParams;
      const query = pushed.get(asking.get('request_uri') ?? '') ?? asking;
      const code = randomBytes(16).toString('hex');
      const redirectUri = query.get('redirect_uri') ?? '';
      codes.set(code, { nonce: query.get('nonce') ?? '', redirectUri, challenge: query.get('code_challenge') ?? '' });
      const back = new URL(redirectUri);
      back.search = new URLSearchParams({ code, state: query.get('state') ?? '', iss: issuer }).toString();
      const parameters = back.searchParams;
      lies.callback?.(parameters);
      res.writeHead(302, { location: back.href }).end();
    },
    token: async (req, res) => {
      tokenRequest = new URLSearchParams(await textOf(req));
      tokenHeaders = req.headers;
      const isRefresh = tokenRequest.get('grant_type') === 'refresh_token';
      const code = codes.get(tokenRequest.get('code') ?? '');
      codes.delete(tokenRequest.get('code') ?? '');
      const challenge = createHash('sha256')
        .update(tokenRequest.get('code_verifier') ?? '')
        .digest('base64url');
      if (!isRefresh && (code === undefined || code.challenge !== challenge)) {
        return sendJson(res, { error: 'invalid_grant' }, 400);
      }
      const accessToken = randomBytes(16).toString('hex');
      const honest = honestClaims(issuer, clientId, subject, code?.nonce, accessToken);
      const answer = {
        access_token: accessToken,
        token_type: 'Bearer',
        expires_in: 300,
        refresh_token: randomBytes(16).toString('hex'),
        id_token: 'idToken' in lies ? lies.idToken : await idToken(key, lies, lied(lies, honest)),
      };
      sendJson(res, lies.tokenAnswer === undefined ? answer : lies.tokenAnswer(answer));
    },
    jwks: (_req, res) => sendJson(res, { keys: published }),
    userinfo: (_req, res) => sendJson(res, { sub: subject, ...lies.userinfo }),
  };

  const server = createServer((req, res) => {
    const path = new URL(req.url ?? '/', 'http://127.0.0.1').pathname;
    const name = path === '/.well-known/openid-configuration' ? 'discovery' : (path.slice(1) as Endpoint);
    if (!Object.hasOwn(endpoints, name)) return void res.writeHead(404).end();
    asked[name] += 1;
    const answer = lies.answer?.[name] ?? endpoints[name];
    Promise.resolve(answer(req, res)).catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let generation = 1;

  return {
    issuer,
    asked,
    lie: (next) => {
      lies = next;
    },
    rotate: async ({ publish = true } = {}) => {
      generation += 1;
      key = await newKey(`k${generation}`);
      if (publish) published = [key.jwk];
    },
    lastTokenRequest: () => tokenRequest,
    lastTokenHeaders: () => tokenHeaders,
    sign: (claims) => idToken(key, {}, { ...honestClaims(issuer, clientId, subject), ...claims }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function newKey(kid: string): Promise<Key> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
}

function honestClaims(issuer: string, clientId: string, subject: string, nonce?: string, accessToken?: string) {
  const now = Math.floor(Date.now() / 1_000);
  const digest = createHash('sha256')
    .update(accessToken ?? '')
    .digest();
  return {
    iss: issuer,
    aud: clientId,
    sub: subject,
    iat: now,
    exp: now + 300,
    ...(nonce === undefined ? {} : { nonce }),
    ...(accessToken === undefined ? {} : { at_hash: digest.subarray(0, 16).toString('base64url') }),
  };
}

function lied({ claims }: Lies, honest: Record<string, unknown>): Record<string, unknown> {
  return typeof claims === 'function' ? claims(honest) : { ...honest, ...claims };
}

async function idToken(key: Key, lies: Lies, claims: Record<string, unknown>): Promise<string> {
  const header = { alg: 'ES256', kid: key.jwk.kid, typ: 'JWT', ...lies.header };
  switch (lies.signature) {
    case 'none':
      return `${encode({ ...header, alg: 'none' })}.${encode(claims)}.`;
    case 'stripped':
      return `${encode(header)}.${encode(claims)}.`;
    case 'hmac-with-public-key': {
      const start = `${encode({ ...header, alg: 'HS256' })}.${encode(claims)}`;
      return `${start}.${createHmac('sha256', JSON.stringify(key.jwk)).update(start).digest('base64url')}`;
    }
    case 'embedded-key': {
      const own = await newKey('own');
      const { kid: _kid, ...rest } = header;
      return signed({ ...rest, jwk: own.jwk }, claims, own.privateKey);
    }
    case 'wrong-key':
      return signed(header, claims, (await newKey(key.jwk.kid)).privateKey);
    case 'tampered': {
      const [start, , signature] = signed(header, claims, key.privateKey).split('.');
      return `${start}.${encode({ ...claims, sub: 'admin' })}.${signature}`;
    }
    default:
      return signed(header, claims, key.privateKey);
  }
}

/** ES256 by hand: a library would refuse to sign some of what has to be refused. */
function signed(header: object, claims: object, key: KeyObject): string {
  const start = `${encode(header)}.${encode(claims)}`;
  return `${start}.${sign('sha256', Buffer.from(start), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function sendJson(res: ServerResponse, body: unknown, status = 200): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function textOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return text;
}
