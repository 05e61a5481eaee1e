import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, importJWK, type JWK, type JWTHeaderParameters, SignJWT } from 'jose';
import type { Configuration, JWKS, KoaContextWithOIDC, Provider as OidcProvider } from 'oidc-provider';
import { brokenToken, type TokenFault } from './faults.ts';
import { loginPage, messagePage, submittingPage } from './pages.ts';

/** Somebody who can be clicked on the login page. */
export interface EmulatedPerson {
  readonly sub: string;
  /** What stands on the button. Default: the `name` claim. */
  readonly label?: string;
  /** A second line on the button. */
  readonly note?: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface EmulatedClient {
  readonly id: string;
  readonly secret?: string;
  /** Where its public keys are read: it then authenticates by private_key_jwt. */
  readonly jwksUri?: string;
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris?: readonly string[];
  readonly backchannelLogoutUri?: string;
  /** RFC 9126 §6: plain authorization requests are refused. */
  readonly requirePushedRequests?: boolean;
}

export interface OidcEmulatorOptions {
  readonly people: readonly EmulatedPerson[];
  readonly clients: readonly EmulatedClient[];
  /** Default: a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Claims that may be sent beside those that people have at the start. */
  readonly claimNames?: readonly string[];
  /** Seconds. Default 300. */
  readonly accessTokenTtl?: number;
  /** Seconds. Default 3,600. */
  readonly idTokenTtl?: number;
  /** What stands above the buttons. */
  readonly title?: string;
  /** False: claims stay out of the ID token, only userinfo has them. Default true. */
  readonly claimsInIdToken?: boolean;
  /** Requires pushed requests of every client, and says so in its metadata. */
  readonly requirePushedRequests?: boolean;
}

export interface OidcEmulator {
  readonly issuer: string;
  /** Refresh tokens that were brought, whatever became of it. */
  readonly refreshes: number;
  /** Subjects whose refresh token was given back. */
  readonly revoked: readonly string[];
  /** The `sid` of this person's latest session with the first client. */
  sessionOf(sub: string): string | undefined;
  /** From now on; without one everything is as it should be. */
  breakTokens(fault?: TokenFault): void;
  /** A JWT by the provider's own key. */
  sign(claims: Readonly<Record<string, unknown>>, header?: Partial<JWTHeaderParameters>): Promise<string>;
  /** Replaces the claims of one person, from the next token on; or brings a new person in. */
  setClaims(sub: string, claims: Readonly<Record<string, unknown>>): void;
  claimsOf(sub: string): Readonly<Record<string, unknown>> | undefined;
  /** Secrets of its clients that hold from now on, each of them. */
  setSecrets(...secrets: readonly string[]): void;
  /** No further login and no refresh of this person. */
  remove(sub: string): void;
  /** Nobody listens at its address, until `resume`. What it knows stays. */
  suspend(): Promise<void>;
  /** It takes connections and answers nothing, until `resume`. */
  hang(): void;
  resume(): Promise<void>;
  close(): Promise<void>;
}

/** A real OpenID provider (oidc-provider, in memory) where people log in by a click. For tests and the demo only. */
export async function startOidcProvider(options: OidcEmulatorOptions): Promise<OidcEmulator> {
  const people = new Map(options.people.map((person) => [person.sub, person]));
  let answer: (req: IncomingMessage, res: ServerResponse) => void = (_req, res) => void res.writeHead(503).end();
  const unanswered = new Set<ServerResponse>();
  let isHanging = false;
  const server = createServer((req, res) => (isHanging ? unanswered.add(res) : answer(req, res)));
  const host = options.host ?? '127.0.0.1';
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen(options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  const issuer = `http://${host}:${port}`;
  const jwks = await newKeys();
  const provider = await withoutNoise(async () => {
    const { Provider } = await import('oidc-provider');
    return new Provider(issuer, configurationFor(options, people, jwks));
  });
  const oidc = provider.callback();
  const [key] = jwks.keys as [JWK];
  let fault: TokenFault | undefined;
  let refreshes = 0;
  const revoked: string[] = [];
  const sids = new Map<string, string>();
  provider.on('session.saved', (session) => {
    const sid = session.sidFor(options.clients[0]?.id ?? '');
    if (session.accountId !== undefined && sid !== undefined) sids.set(session.accountId, sid);
  });
  provider.on('refresh_token.destroyed', ({ accountId }) => revoked.push(String(accountId)));
  provider.on('grant.success', countRefresh).on('grant.error', countRefresh);
  function countRefresh(ctx: KoaContextWithOIDC): void {
    if (ctx.oidc.params?.['grant_type'] === 'refresh_token') refreshes += 1;
  }
  let secrets: readonly string[] | undefined;
  const client = provider.Client.prototype as unknown as { compareClientSecret(secret: string): boolean };
  const { compareClientSecret } = client;
  client.compareClientSecret = function (secret) {
    return secrets === undefined ? compareClientSecret.call(this, secret) : secrets.includes(secret);
  };
  const serve = (req: IncomingMessage, res: ServerResponse) =>
    fault !== undefined && req.url === '/token' ? brokenToken(fault, req, res, oidc) : oidc(req, res);
  answer = (req, res) => {
    const handled =
      req.url?.startsWith('/interaction/') === true ? interact(provider, options, people, req, res) : serve(req, res);
    Promise.resolve(handled).catch(() => {
      if (!res.headersSent) res.writeHead(400, { 'content-type': 'text/html' });
      res.end(messagePage('This login is over', 'Go back to the application and start again.'));
    });
  };
  return {
    issuer,
    get refreshes() {
      return refreshes;
    },
    revoked,
    sessionOf: (sub) => sids.get(sub),
    breakTokens: (next) => {
      fault = next;
    },
    sign: async (claims, header) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: key.kid as string, ...header })
        .sign(await importJWK(key, 'RS256')),
    setClaims: (sub, claims) => people.set(sub, { ...people.get(sub), sub, claims }),
    claimsOf: (sub) => people.get(sub)?.claims,
    setSecrets: (...next) => {
      secrets = next;
    },
    remove: (sub) => people.delete(sub),
    suspend: close,
    hang: () => {
      isHanging = true;
    },
    resume: async () => {
      isHanging = false;
      for (const res of unanswered) res.destroy();
      unanswered.clear();
      if (!server.listening) await listen(port);
    },
    close,
  };
}

async function newKeys(): Promise<JWKS> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { keys: [{ ...jwk, alg: 'RS256', use: 'sig', kid: 'emulator-1' }] } as JWKS;
}

function configurationFor(
  options: OidcEmulatorOptions,
  people: ReadonlyMap<string, EmulatedPerson>,
  jwks: JWKS,
): Configuration {
  const names = new Set(['sub', ...(options.claimNames ?? [])]);
  for (const { claims } of options.people) for (const name of Object.keys(claims)) names.add(name);
  const { accessTokenTtl = 300, idTokenTtl = 3_600 } = options;
  const day = 86_400;
  return {
    clients: options.clients.map(clientMetadata),
    claims: { openid: [...names] },
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    // Otherwise claims of a scope are in userinfo only.
    conformIdTokenClaims: options.claimsInIdToken === false,
    cookies: { keys: ['an emulator keeps no secrets'] },
    jwks,
    pkce: { required: () => true },
    ttl: {
      AccessToken: accessTokenTtl,
      AuthorizationCode: 60,
      IdToken: idTokenTtl,
      RefreshToken: day,
      Session: day,
      Grant: day,
      Interaction: 3_600,
    },
    rotateRefreshToken: true,
    // It takes offline_access out of requests without prompt=consent; other providers do not.
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => {
      if (!people.has(sub)) return undefined;
      return { accountId: sub, claims: () => ({ ...people.get(sub)?.claims, sub }) };
    },
    loadExistingGrant: async (ctx) => {
      const { client, session, params, provider } = ctx.oidc;
      const grant = new provider.Grant({
        clientId: client?.clientId as string,
        accountId: session?.accountId as string,
      });
      grant.addOIDCScope(String(params?.['scope'] ?? 'openid'));
      await grant.save();
      return grant;
    },
    renderError: (ctx, { error }) => {
      ctx.type = 'html';
      ctx.body = messagePage('The identity provider refuses', error);
    },
    // Its own guard refuses calls to loopback, which is where everything is here.
    fetch: (url: URL | string, init: RequestInit = {}) => {
      const { method, headers, body } = init;
      return fetch(url, {
        method,
        headers,
        body,
        redirect: 'manual',
        signal: AbortSignal.timeout(3_000),
      } as RequestInit);
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      pushedAuthorizationRequests: {
        enabled: true,
        requirePushedAuthorizationRequests: options.requirePushedRequests === true,
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = submittingPage(
            'Logging out',
            form.replace('</form>', '<input type="hidden" name="logout" value="yes"></form>'),
          );
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = messagePage('Logged out', 'You are logged out of the identity provider.');
        },
      },
    },
  } as Configuration;
}

function clientMetadata(client: EmulatedClient) {
  return {
    client_id: client.id,
    ...(client.secret === undefined ? {} : { client_secret: client.secret }),
    ...(client.jwksUri === undefined
      ? {}
      : ({ jwks_uri: client.jwksUri, token_endpoint_auth_method: 'private_key_jwt' } as const)),
    redirect_uris: [...client.redirectUris],
    post_logout_redirect_uris: [...(client.postLogoutRedirectUris ?? [])],
    ...(client.backchannelLogoutUri === undefined
      ? {}
      : { backchannel_logout_uri: client.backchannelLogoutUri, backchannel_logout_session_required: true }),
    require_pushed_authorization_requests: client.requirePushedRequests === true,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  } as const;
}

/** `GET` shows who is there; `POST` with `sub` logs that person in, with `cancel` nobody. */
async function interact(
  provider: OidcProvider,
  options: OidcEmulatorOptions,
  people: ReadonlyMap<string, EmulatedPerson>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  if (req.method === 'GET') {
    await provider.interactionDetails(req, res);
    res.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    res.end(loginPage(options.title ?? 'Identity provider', [...people.values()]));
    return;
  }
  const form = new URLSearchParams(await textOf(req));
  const sub = form.get('sub');
  const result =
    sub === null
      ? { error: 'access_denied', error_description: 'nobody wanted to log in' }
      : { login: { accountId: sub } };
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false });
}

async function textOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req) {
    text += String(chunk);
    if (text.length > 10_000) throw new RangeError('a form that long is none of ours');
  }
  return text;
}

/** oidc-provider tells an operator on the console what an emulator need not know. */
async function withoutNoise<T>(work: () => Promise<T>): Promise<T> {
  const { info, warn } = console;
  const quiet =
    (write: typeof console.info) =>
    (text: unknown, ...more: unknown[]) => {
      if (!String(text).includes('oidc-provider ')) write(text, ...more);
    };
  console.info = quiet(info);
  console.warn = quiet(warn);
  try {
    return await work();
  } finally {
    console.info = info;
    console.warn = warn;
  }
}
