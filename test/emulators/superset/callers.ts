import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { createLocalJWKSet, errors, type JSONWebKeySet, jwtVerify, SignJWT } from 'jose';
import { type Call, jsonBody, Refusal, type Reply, refuse } from './exchange.ts';
import { roleNames, SERVICE_ROLE, type State, type UserRow } from './state.ts';

export interface AssertionOptions {
  /** `public_url` of the gateway. */
  readonly issuer: string;
  /** Name of the target in its config. */
  readonly audience: string;
  /** Public keys of the gateway; asked on each request. */
  readonly jwks: () => Promise<{ readonly keys: readonly object[] }>;
}

const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const TOKEN_LIFETIME_S = 900;
const TOLERANCE_S = 5;

/** Who is who: assertions, Superset's own cookie, and tokens of its API. */
export class Callers {
  private readonly secret = randomBytes(32);
  private readonly now: () => number;
  private readonly assertion: AssertionOptions | undefined;

  /** Without `assertion` it is Superset's remote-user login: the cookie of `/login/` says who somebody is. */
  constructor(now: () => number, assertion: AssertionOptions | undefined) {
    this.now = now;
    this.assertion = assertion;
  }

  /** The active account that a request is signed in to. */
  async signedIn(state: State, headers: IncomingHttpHeaders): Promise<UserRow | undefined> {
    const user =
      this.assertion === undefined
        ? state.users.get(Number(this.readCookie(headers.cookie ?? '')['_user_id']))
        : await this.asserted(this.assertion, state, headers['x-latchgate-assertion']);
    return user?.active === true ? user : undefined;
  }

  private async asserted(options: AssertionOptions, state: State, header: unknown): Promise<UserRow | undefined> {
    if (typeof header !== 'string' || !COMPACT_JWS.test(header)) return undefined;
    try {
      const { payload } = await jwtVerify(header, createLocalJWKSet((await options.jwks()) as JSONWebKeySet), {
        algorithms: ['ES256'],
        issuer: options.issuer,
        requiredClaims: ['exp', 'iat', 'iss', 'aud', 'sub'],
        clockTolerance: TOLERANCE_S,
        currentDate: new Date(this.now()),
      });
      if (payload.aud !== options.audience) return undefined;
      return [...state.users.values()].find(({ username }) => username === payload.sub);
    } catch {
      return undefined;
    }
  }

  /** `session=…` as Flask writes it: its content can be read by anybody, and is signed. */
  cookieFor(user: UserRow | undefined): string {
    const content = user === undefined ? { _flashes: ['Invalid login.'] } : { _fresh: true, _user_id: String(user.id) };
    const payload = `${Buffer.from(JSON.stringify(content)).toString('base64url')}.${this.now().toString(36)}`;
    return `session=${payload}.${this.signature(payload)}; HttpOnly; Path=/; SameSite=Lax`;
  }

  private readCookie(header: string): Record<string, unknown> {
    const value = /(?:^|;\s*)session=([^;]*)/.exec(header)?.[1] ?? '';
    const at = value.lastIndexOf('.');
    const expected = Buffer.from(this.signature(value.slice(0, at)));
    const given = Buffer.from(value.slice(at + 1));
    if (at < 0 || given.length !== expected.length || !timingSafeEqual(given, expected)) return {};
    return JSON.parse(Buffer.from(value.split('.')[0] ?? '', 'base64url').toString('utf8')) as Record<string, unknown>;
  }

  private signature(text: string): string {
    return createHmac('sha256', this.secret).update(text).digest('base64url');
  }

  /** POST /api/v1/security/login */
  async logIn(call: Call): Promise<Reply> {
    const { username, password, provider } = jsonBody(call);
    if (provider === undefined) throw refuse(500, 'Fatal error');
    if (provider !== 'db') throw refuse(400, { provider: ['Alternative authentication provider is not allowed'] });
    const user = [...call.state.users.values()].find((one) => one.username === username && one.password === password);
    if (user?.active !== true || password === '') throw refuse(401, 'Not authorized');
    const seconds = Math.floor(this.now() / 1_000);
    const token = await new SignJWT({ type: 'access', fresh: true })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setSubject(String(user.id))
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + TOKEN_LIFETIME_S)
      .sign(this.secret);
    return { status: 200, json: { access_token: token } };
  }

  /** Who calls the API: who is signed in, else whose token it is. @throws Refusal 401, 422 */
  async apiUser(call: Call): Promise<UserRow> {
    if (call.user !== undefined) return call.user;
    const [scheme, token] = (call.headers.authorization ?? '').split(' ');
    if (scheme !== 'Bearer' || token === undefined) throw new Refusal(401, { msg: 'Missing Authorization Header' });
    if (token.split('.').length !== 3) throw new Refusal(422, { msg: 'Not enough segments' });
    try {
      const { payload } = await jwtVerify(token, this.secret, { currentDate: new Date(this.now()) });
      const user = call.state.users.get(Number(payload.sub));
      if (user?.active === true) return user;
    } catch (error) {
      if (!(error instanceof errors.JWTExpired)) throw new Refusal(422, { msg: 'Signature verification failed' });
    }
    throw new Refusal(401, { msg: 'Token has expired' });
  }
}

/** @throws Refusal 403 */
export function authorize(state: State, user: UserRow, permission: string): void {
  if (!permissionsOf(state, user)(permission)) throw refuse(403, 'Forbidden');
}

/** What a user may do in the security API. */
export function permissionsOf(state: State, user: UserRow): (permission: string) => boolean {
  const names = roleNames(state, user);
  if (names.includes('Admin')) return () => true;
  return (permission) => names.includes(SERVICE_ROLE) && state.servicePermissions.has(permission);
}
