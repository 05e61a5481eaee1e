import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request } from 'express';
import type { JWK } from 'jose';
import type { People } from '../directory/directory.ts';
import { type ErrorCode, LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { SubjectKey } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { Provisioner } from '../provisioning/provision.ts';
import type { LiveSession } from '../session/cookie.ts';
import type { ExpressSessions } from '../session/express.ts';
import type { SessionConfig } from '../session/schema.ts';
import { requestIdOf, sendFailure } from './answer.ts';
import type { EndedLogins } from './backchannel-ended.ts';
import type { BreakGlass } from './break-glass.ts';
import type { LoginAnswers } from './login-answers.ts';
import type { LogoutHints } from './logout-hint.ts';
import type { Journey, LoginProvider } from './provider.ts';
import { safeReturnTo } from './return-to.ts';
import type { LoginStates } from './state.ts';

export const PREFIX = '/.latchgate';
/** For one whole step of a login, the target that is waited for included. */
const STEP_LIMIT_MS = 60_000;

/** How a login ended, for metrics and for `why ID`. */
export interface LoginOutcome {
  readonly requestId: string;
  readonly login: string;
  /** `ok`, or the reason code. */
  readonly code: string;
  /** From the provider's answer to the session. */
  readonly seconds?: number;
  /** False: provisioning has recorded the decision itself. */
  readonly beforeProvisioning: boolean;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Sessions that ended without anybody asking for it here: for the audit. */
export interface EndOfSessions {
  readonly requestId: string;
  readonly login: string;
  /** `backchannel_logout`, or the reason code. */
  readonly code: string;
  /** How many. */
  readonly sessions: number;
  /** Whose, as far as that is known. */
  readonly subject?: SubjectKey;
}

/** Requests of one kind that are refused, by the address that they come from. */
export interface RefusedRequests {
  /** Throws `too_many_requests` when there were too many of its address, before any work is done for it. */
  check(req: IncomingMessage): void;
  /** Counts one more. `too_many_requests`, to refuse it with: there were too many of its address before. */
  count(req: IncomingMessage): LatchgateError | undefined;
}

export interface LoginRoutesOptions {
  readonly publicUrl: string;
  /** Further origins to which people may be sent back: hosts of `routes`. */
  readonly origins: readonly string[];
  /** Which of our origins a request came under; default: always that of `publicUrl`. */
  readonly originAsked?: (req: IncomingMessage) => string;
  readonly providers: ReadonlyMap<string, LoginProvider>;
  readonly states: LoginStates;
  readonly sessions: ExpressSessions;
  readonly sessionConfig: Pick<SessionConfig, 'absolute'>;
  readonly provisioner: Pick<Provisioner, 'assert'>;
  /** The target behind an address to return to: the one that a login waits for. */
  readonly targetOf: (returnTo: string) => string | undefined;
  /** The provider that the route behind such an address names; default: none does. */
  readonly loginOf?: (returnTo: string) => string | undefined;
  /** Public keys of assertions, tokens and private_key_jwt. */
  readonly publicKeys: () => Promise<readonly JWK[]>;
  /** Cookies that backends set in the browser and that end with the session. */
  readonly backendCookies?: readonly string[];
  /** Told after each login that ended, well or not; what it throws is logged and changes nothing. */
  readonly onOutcome?: (outcome: LoginOutcome) => Promise<void> | void;
  readonly logoutHints: LogoutHints;
  /** Absent: no provider answers by post. */
  readonly answers?: LoginAnswers;
  /** Absent: there are no emergency links. */
  readonly breakGlass?: Pick<BreakGlass, 'use'>;
  readonly endedLogins: EndedLogins;
  /** Callbacks with a state that is not this browser's, and logout tokens that do not hold: neither stands in the other's way. */
  readonly refused: { readonly callbacks: RefusedRequests; readonly logoutTokens: RefusedRequests };
  /** The session to go on with, checked with its provider when that is due; undefined: it has ended. */
  readonly current: (live: LiveSession) => LiveSession | undefined | Promise<LiveSession | undefined>;
  readonly people: Pick<People, 'get'>;
  /** Told when sessions ended; what it throws is logged and changes nothing. */
  readonly onEnded?: (end: EndOfSessions) => Promise<void> | void;
  /** Told of each logout token: `ok`, or why it was not taken. */
  readonly onLogoutToken?: (login: string, code: ErrorCode | 'ok') => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The query alone comes from the request; origin and path are ours. */
export function ownAddress(req: Request, { publicUrl }: LoginRoutesOptions, path: string): URL {
  const address = new URL(`${publicUrl}${PREFIX}${path}`);
  const at = req.originalUrl.indexOf('?');
  if (at !== -1) address.search = req.originalUrl.slice(at);
  return address;
}

/** A query parameter that is there exactly once. */
export function single(parameters: URLSearchParams, name: string): string | undefined {
  const [value, ...more] = parameters.getAll(name);
  return more.length > 0 ? undefined : value;
}

/** The origin that this request came under, one of ours. */
export function originAsked(req: IncomingMessage, { publicUrl, originAsked: asked }: LoginRoutesOptions): string {
  return asked?.(req) ?? mainOrigin(publicUrl);
}

let main = { publicUrl: '', origin: '' };

/** The origin of `publicUrl`, which a process has one of. */
export function mainOrigin(publicUrl: string): string {
  if (main.publicUrl !== publicUrl) main = { publicUrl, origin: new URL(publicUrl).origin };
  return main.origin;
}

/** Where `rd` says: a path on the host that was asked, or an address on another one of ours. */
export function returnToOf(req: IncomingMessage, parameters: URLSearchParams, options: LoginRoutesOptions): string {
  const { publicUrl, origins } = options;
  return safeReturnTo(single(parameters, 'rd'), {
    publicUrl: originAsked(req, options),
    origins: [publicUrl, ...origins],
  });
}

export function loginAddress(returnTo: string, login?: string): string {
  const query = new URLSearchParams({ rd: returnTo, ...(login === undefined ? {} : { login }) });
  return `${PREFIX}/login?${query}`;
}

/** Where people choose, whatever they chose before; undefined: there is one provider alone. */
export function choiceAddress(returnTo: string, { providers }: LoginRoutesOptions): string | undefined {
  return providers.size < 2 ? undefined : `${PREFIX}/login?${new URLSearchParams({ rd: returnTo, choose: '1' })}`;
}

export function providerNamed(name: string, { providers }: LoginRoutesOptions): LoginProvider {
  const provider = providers.get(name);
  if (provider === undefined) throw new LatchgateError('login_unknown', 'no login provider of that name');
  return provider;
}

/** Answers a request that failed in a way that nobody foresaw at its place. */
export function sendThrown(
  { log }: LoginRoutesOptions,
  req: IncomingMessage,
  res: ServerResponse,
  thrown: unknown,
): void {
  const error = toLatchgateError(thrown);
  if (error.status >= 500) log.error('request failed', { requestId: requestIdOf(res), code: error.code, error });
  // A session that could not be touched after the answer was written: the answer stands.
  if (res.headersSent) return;
  const canRetry = error.retryable || error.code === 'login_required';
  sendFailure(req, res, error, canRetry ? { retryAddress: loginAddress('/') } : {});
}

export async function reportEnd(
  { onEnded, log }: Pick<LoginRoutesOptions, 'onEnded' | 'log'>,
  end: EndOfSessions,
): Promise<void> {
  try {
    await onEnded?.(end);
  } catch (thrown) {
    const { requestId } = end;
    log.warn('the end of a session could not be recorded', { requestId, error: toLatchgateError(thrown) });
  }
}

export function stepLimit(): AbortSignal {
  return AbortSignal.timeout(STEP_LIMIT_MS);
}

/** What sends a browser to the provider. */
export interface LoginStart {
  /** To the provider, with a state that only this browser can bring back. */
  readonly journey: Journey;
  /** Set-Cookie line that binds the browser to it. */
  readonly cookie: string;
}

/** At once, when nobody has to be asked. */
export function startLogin(
  { states, log }: LoginRoutesOptions,
  cookieHeader: string | undefined,
  input: {
    readonly provider: LoginProvider;
    readonly returnTo: string;
    readonly restarts: number;
    readonly loginHint?: string | undefined;
    readonly requestId: string;
  },
): LoginStart | Promise<LoginStart> {
  const { provider, returnTo, restarts, loginHint, requestId } = input;
  const { state, transaction, cookie } = states.start({ provider: provider.name, returnTo, restarts, cookieHeader });
  log.debug('login started', { requestId, login: provider.name, restarts });
  const journey = provider.begin({ state, transaction, loginHint });
  return journey instanceof Promise ? journey.then((found) => ({ journey: found, cookie })) : { journey, cookie };
}
