import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Algorithm,
  halfHash,
  type Members,
  newSigningKey,
  type SigningKey,
  type TokenLies,
  writeToken,
} from './lying-tokens.ts';

export type Endpoint = 'discovery' | 'authorize' | 'token' | 'jwks' | 'userinfo' | 'par' | 'endsession';

/** What the provider gets wrong, in any message. Nothing set: it is an honest one. */
export interface Lies extends TokenLies {
  /** Changes the discovery document. */
  readonly discovery?: (document: Record<string, unknown>) => unknown;
  /** Changes the published key set. */
  readonly jwks?: (set: { keys: unknown[] }) => unknown;
  /** Changes the parameters of the redirect back. */
  readonly callback?: (parameters: URLSearchParams) => void;
  /** The whole ID token. */
  readonly idToken?: unknown;
  /** Changes the answer to a code, or to a refresh token. */
  readonly tokenAnswer?: (answer: Record<string, unknown>, grant: string) => unknown;
  readonly userinfo?: Members;
  /** Takes an endpoint over. */
  readonly answer?: Partial<Record<Endpoint, (req: IncomingMessage, res: ServerResponse) => void>>;
}

export interface LyingProvider {
  readonly issuer: string;
  /** Lies from now on. */
  lie(lies: Lies): void;
  /** Signs with a new key and publishes only that one. */
  rotate(options?: { readonly publish?: boolean; readonly alg?: Algorithm }): Promise<void>;
  /** How often each endpoint was asked. */
  readonly asked: Readonly<Record<Endpoint, number>>;
  /** Body of the last token request. */
  lastTokenRequest(): URLSearchParams;
  lastTokenHeaders(): IncomingMessage['headers'];
  /** Parameters of the last request to the end of session. */
  lastEndSession(): URLSearchParams;
  /** The key that signs now. */
  key(): SigningKey;
  /** An ID token as an honest provider would sign it, with these claims on top. */
  sign(claims: Members): Promise<string>;
  /** A logout token (OpenID Connect Back-Channel Logout 1.0 §2.4) of the subject; `undefined` in a lie takes a member away. */
  logoutToken(lies?: TokenLies): Promise<string>;
  close(): Promise<void>;
}

export interface LyingProviderOptions {
  readonly clientId: string;
  readonly subject?: string;
  /** Default true; false: no userinfo endpoint is even named. */
  readonly withUserinfo?: boolean;
  /** Default false: no end of session is named. */
  readonly withEndSession?: boolean;
  /** Default ES256. */
  readonly alg?: Algorithm;
}

interface Code {
  readonly nonce: string;
  readonly redirectUri: string;
  readonly challenge: string;
}

/** An OpenID provider that logs everybody in at once and can misbehave in any message. */
export async function startLyingProvider(options: LyingProviderOptions): Promise<LyingProvider> {
  const { clientId, subject = 'alice', alg: firstAlg = 'ES256' } = options;
  const asked = { discovery: 0, authorize: 0, token: 0, jwks: 0, userinfo: 0, par: 0, endsession: 0 };
  const codes = new Map<string, Code>();
  const pushed = new Map<string, URLSearchParams>();
  let lies: Lies = {};
  let key = await newSigningKey('k1', firstAlg);
  let published: unknown[] = [key.jwk];
  let tokenRequest = new URLSearchParams();
  let tokenHeaders: IncomingMessage['headers'] = {};
  let endSession = new URLSearchParams();
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
        ...(options.withEndSession === true ? { end_session_endpoint: `${issuer}/endsession` } : {}),
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [key.alg, 'none', 'HS256'],
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
      const asking = queryOf(req);
      const query = pushed.get(asking.get('request_uri') ?? '') ?? asking;
      const code = randomBytes(16).toString('hex');
      const redirectUri = query.get('redirect_uri') ?? '';
      codes.set(code, { nonce: query.get('nonce') ?? '', redirectUri, challenge: query.get('code_challenge') ?? '' });
      const back = new URL(redirectUri);
      back.search = new URLSearchParams({ code, state: query.get('state') ?? '', iss: issuer }).toString();
      lies.callback?.(back.searchParams);
      res.writeHead(302, { location: back.href }).end();
    },
    token: async (req, res) => {
      tokenRequest = new URLSearchParams(await textOf(req));
      tokenHeaders = req.headers;
      const grant = tokenRequest.get('grant_type') ?? '';
      const code = codes.get(tokenRequest.get('code') ?? '');
      codes.delete(tokenRequest.get('code') ?? '');
      const challenge = createHash('sha256')
        .update(tokenRequest.get('code_verifier') ?? '')
        .digest('base64url');
      if (grant !== 'refresh_token' && (code === undefined || code.challenge !== challenge)) {
        return sendJson(res, { error: 'invalid_grant' }, 400);
      }
      const accessToken = randomBytes(16).toString('hex');
      const of = { accessToken, ...(code === undefined ? {} : { nonce: code.nonce }) };
      const answer = {
        access_token: accessToken,
        token_type: 'Bearer',
        expires_in: 300,
        refresh_token: randomBytes(16).toString('hex'),
        id_token: 'idToken' in lies ? lies.idToken : await writeToken(key, honestClaims(of), lies),
      };
      sendJson(res, lies.tokenAnswer === undefined ? answer : lies.tokenAnswer(answer, grant));
    },
    jwks: (_req, res) => {
      const set = { keys: [...published] };
      sendJson(res, lies.jwks === undefined ? set : lies.jwks(set));
    },
    userinfo: (_req, res) => sendJson(res, { sub: subject, ...lies.userinfo }),
    endsession: (req, res) => {
      endSession = queryOf(req);
      res.writeHead(302, { location: endSession.get('post_logout_redirect_uri') ?? issuer }).end();
    },
  };

  const honestClaims = (of: { readonly nonce?: string; readonly accessToken?: string } = {}): Members => {
    const iat = Math.floor(Date.now() / 1_000);
    return {
      ...{ iss: issuer, aud: clientId, sub: subject, iat, exp: iat + 300, nonce: of.nonce },
      ...(of.accessToken === undefined ? {} : { at_hash: halfHash(of.accessToken, key.alg) }),
    };
  };
  const logoutClaims = (): Members => {
    const iat = Math.floor(Date.now() / 1_000);
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
    return {
      iss: issuer,
      aud: clientId,
      sub: subject,
      iat,
      exp: iat + 120,
      jti: randomBytes(16).toString('hex'),
      events,
    };
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
    rotate: async ({ publish = true, alg = key.alg } = {}) => {
      generation += 1;
      key = await newSigningKey(`k${generation}`, alg);
      if (publish) published = [key.jwk];
    },
    lastTokenRequest: () => tokenRequest,
    lastTokenHeaders: () => tokenHeaders,
    lastEndSession: () => endSession,
    key: () => key,
    sign: (claims) => writeToken(key, { ...honestClaims(), ...claims }),
    logoutToken: (wrong) => writeToken(key, logoutClaims(), wrong, 'logout+jwt'),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function queryOf(req: IncomingMessage): URLSearchParams {
  return new URL(req.url ?? '/', 'http://127.0.0.1').searchParams;
}

function sendJson(res: ServerResponse, body: unknown, status = 200): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function textOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return text;
}
