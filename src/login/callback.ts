import type { Request, Response } from 'express';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import { annotate, inSpan } from '../ops/tracing.ts';
import type { Provisioned } from '../provisioning/provision.ts';
import { appendCookie } from '../session/cookie.ts';
import type { Session } from '../session/store.ts';
import { requestIdOf, sendFailure, sendJourney, sendRedirect } from './answer.ts';
import {
  choiceAddress,
  type LoginOutcome,
  type LoginRoutesOptions,
  loginAddress,
  ownAddress,
  PREFIX,
  providerNamed,
  reportEnd,
  single,
  startLogin,
  stepLimit,
} from './context.ts';
import { rememberLogin } from './last-login.ts';
import type { LogoutHint } from './logout-hint.ts';
import { answersByRedirect, type Completed, isRefreshable, type LoginProvider } from './provider.ts';
import type { OpenedState } from './state.ts';

/** Logins in a row that came back without their state, until we stop trying. */
const MOST_RESTARTS = 3;
/** Said once of each, not at every login. */
const withoutRefreshToken = new WeakSet<LoginProvider>();

/** `GET /.latchgate/callback/NAME`: the browser comes back from the provider. */
export async function finishLogin(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  name: string,
): Promise<void> {
  const provider = providerNamed(name, options);
  if (!answersByRedirect(provider)) throw new LatchgateError('login_unknown', 'this login has no redirect URI');
  const callback = ownAddress(req, options, `/callback/${provider.name}`);
  const state = single(callback.searchParams, 'state');
  const opened = state === undefined ? undefined : options.states.open(state, req.headers.cookie);
  if (state === undefined || opened === undefined || opened.transaction.provider !== provider.name) {
    return withoutState(options, req, res, provider);
  }
  const { transaction } = opened;
  const complete = () => provider.complete({ callback, state, transaction }, stepLimit());
  return conclude(options, req, res, provider, { opened, complete });
}

/** What a browser came back with. */
export interface Returned {
  /** The state that it brought; undefined: the login began at the provider, which may be. */
  readonly opened?: OpenedState;
  /** Where to go afterwards when there is no state to say so; checked. */
  readonly returnTo?: string;
  complete(): Promise<Completed>;
}

/** The rest of a login, whatever way the answer of the provider came: provisions, begins the session, goes to the page. */
export function conclude(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  provider: LoginProvider,
  returned: Returned,
): Promise<void> {
  const facts = { 'latchgate.login': provider.name };
  return inSpan('login', facts, () => concludeNow(options, req, res, provider, returned));
}

async function concludeNow(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  provider: LoginProvider,
  { opened, returnTo: asked = '/', complete }: Returned,
): Promise<void> {
  const returnTo = opened?.transaction.returnTo ?? asked;
  if (opened?.live === false && isStuck(req, opened)) countStranger(options, req);
  const startedAt = performance.now();
  let isRecorded = false;
  let completed: Completed | undefined;
  try {
    if (opened !== undefined && (!opened.live || !(await opened.use()))) {
      return await resume(options, req, res, provider, opened);
    }
    completed = await complete();
    isRecorded = true;
    const provisioned = await provision(options, req, res, completed, returnTo);
    if (provisioned.decision.decision === 'deny') return await passBy(options, req, res, provider, returnTo);
    await options.sessions.begin(req, toSession(options, provider, completed, provisioned), completed.tokens);
    isRecorded = false;
    if (await endIfOver(options, req, res, provider, completed, provisioned)) {
      return await again(options, req, res, provider, { returnTo, restarts: opened?.restarts ?? 0 });
    }
    options.log.info('login', {
      requestId: requestIdOf(res),
      login: provider.name,
      person: provisioned.identity.person,
    });
    await report(options, {
      requestId: requestIdOf(res),
      login: provider.name,
      code: 'ok',
      seconds: (performance.now() - startedAt) / 1_000,
      beforeProvisioning: false,
    });
    if (options.providers.size > 1) appendCookie(res, rememberLogin(options.publicUrl, provider.name));
    sendRedirect(res, 302, returnTo);
  } catch (thrown) {
    const hint = completed?.tokens;
    await refuse(options, req, res, toLatchgateError(thrown), { provider, returnTo, isRecorded, hint });
  }
}

/** Nothing to go by: not sealed by us, or for another provider. Whoever has a session is where they wanted to be. */
export async function withoutState(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  provider: LoginProvider,
): Promise<void> {
  if (req.session.record !== undefined) return sendRedirect(res, 302, '/');
  countStranger(options, req);
  const error = new LatchgateError('login_state_invalid', 'the state is not one of ours', {
    detail: { provider: provider.name, check: 'seal' },
  });
  return refuse(options, req, res, error, { provider, returnTo: '/', isRecorded: false });
}

/** Where it is refused anyway, and nowhere else: whoever comes from the same address with a state of theirs gets on. */
export function countStranger({ refused }: LoginRoutesOptions, req: Request): void {
  const error = refused.callbacks.count(req);
  if (error !== undefined) throw error;
}

function isStuck(req: Request, { restarts }: OpenedState): boolean {
  return restarts >= MOST_RESTARTS && req.session.record === undefined;
}

/** The state ran out, was used, or began in another browser: no reason to trouble anybody who is logged in. */
async function resume(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  provider: LoginProvider,
  opened: OpenedState,
): Promise<void> {
  const { transaction, restarts } = opened;
  if (req.session.record !== undefined) return sendRedirect(res, 302, transaction.returnTo);
  if (isStuck(req, opened)) {
    throw new LatchgateError('login_loop', 'logins keep coming back without their state', { detail: { restarts } });
  }
  return again(options, req, res, provider, { returnTo: transaction.returnTo, restarts });
}

async function again(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  provider: LoginProvider,
  { returnTo, restarts }: { readonly returnTo: string; readonly restarts: number },
): Promise<void> {
  if (restarts >= MOST_RESTARTS) throw new LatchgateError('login_ended', 'the provider ends each login as it begins');
  const more = { provider, returnTo, restarts: restarts + 1, requestId: requestIdOf(res) };
  const { journey, cookie } = await startLogin(options, req.headers.cookie, more);
  res.append('Set-Cookie', cookie);
  sendJourney(res, 302, journey);
}

/**
 * The session is stored by now: an end that comes later finds it. One that came while the login was being finished did
 * not, and is made up for: `users disable` (throws `person_disabled`), the source that owns the person (`person_left`), or
 * the provider (true).
 */
async function endIfOver(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  provider: LoginProvider,
  { assertion, providerSession, issuedAt }: Completed,
  { identity }: Provisioned,
): Promise<boolean> {
  const { issuer, subject } = assertion;
  const isOver = async (): Promise<'person_disabled' | 'person_left' | 'login_ended' | undefined> => {
    const who = await options.people.get(identity.person);
    if (who?.disabled === true) return 'person_disabled';
    if (who?.leftAt !== undefined) return 'person_left';
    const isEnded = await options.endedLogins.has({ issuer, subject, providerSession, issuedAt });
    return isEnded ? 'login_ended' : undefined;
  };
  const code = await isOver().catch(async (thrown: unknown) => {
    // Nobody can say: then it must not live.
    await options.sessions.end(req, res);
    throw thrown;
  });
  if (code === undefined) return false;
  await options.sessions.end(req, res);
  const requestId = requestIdOf(res);
  await reportEnd(options, { requestId, login: provider.name, code, sessions: 1, subject: { issuer, subject } });
  if (code !== 'login_ended') throw new LatchgateError(code, 'this person is out since the login began');
  return true;
}

/** In shadow mode alone: on to the backend, whose say it is who gets in, and without a session that would outlast the mode. */
async function passBy(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  provider: LoginProvider,
  returnTo: string,
): Promise<void> {
  await options.sessions.end(req, res);
  options.log.info('shadow mode: this login would be refused', { requestId: requestIdOf(res), login: provider.name });
  sendRedirect(res, 302, returnTo);
}

async function provision(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  { assertion }: Completed,
  returnTo: string,
): Promise<Provisioned> {
  const target = options.targetOf(returnTo);
  const awaited = target === undefined ? {} : { target };
  try {
    const context = { ...awaited, requestId: requestIdOf(res), signal: stepLimit() };
    const provisioned = await options.provisioner.assert(assertion, context);
    // What was not thrown is of shadow mode; our own pages ask for a session, and there is none for whoever is denied.
    if (provisioned.decision.decision === 'allow' || target !== undefined) return provisioned;
    throw new LatchgateError('no_access', 'the mapping denied the login');
  } catch (thrown) {
    const error = toLatchgateError(thrown);
    // Refused for good: neither this person's earlier session nor another one's stays behind in the browser.
    if (!error.retryable) await options.sessions.end(req, res);
    throw error;
  }
}

function toSession(
  { clock, sessionConfig, log }: LoginRoutesOptions,
  provider: LoginProvider,
  completed: Completed,
  { identity }: Provisioned,
): Session {
  const now = clock.now();
  const { providerSession, endsAt = Number.POSITIVE_INFINITY, tokens } = completed;
  const refreshEveryMs = isRefreshable(provider) ? provider.refreshEveryMs : undefined;
  const canRefresh = refreshEveryMs !== undefined && tokens.refreshToken !== undefined;
  const couldHave = refreshEveryMs !== undefined && tokens.idToken !== undefined;
  if (couldHave && !canRefresh && !withoutRefreshToken.has(provider)) {
    withoutRefreshToken.add(provider);
    log.warn('the provider gives no refresh token: its sessions are not checked', { login: provider.name });
  }
  return {
    identity,
    ...(providerSession === undefined ? {} : { providerSession }),
    createdAt: now,
    endsAt: Math.min(now + sessionConfig.absolute, endsAt),
    ...(canRefresh ? { checkAt: now + refreshEveryMs } : {}),
  };
}

export async function refuse(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  error: LatchgateError,
  at: {
    readonly provider: LoginProvider;
    readonly returnTo: string;
    /** Provisioning has written down how it ended. */
    readonly isRecorded: boolean;
    readonly hint?: LogoutHint | undefined;
  },
): Promise<void> {
  const { provider, returnTo, isRecorded, hint } = at;
  const requestId = requestIdOf(res);
  const level = error.status >= 500 ? 'error' : 'warn';
  options.log[level]('login refused', { requestId, login: provider.name, code: error.code, error });
  await report(options, {
    requestId,
    login: provider.name,
    code: error.code,
    beforeProvisioning: !isRecorded,
    detail: error.detail,
  });
  const isRefusal = error.status === 403 || error.status === 409;
  const isKnown = hint?.idToken !== undefined || hint?.nameId !== undefined;
  const chooseAddress = choiceAddress(returnTo, options);
  sendFailure(req, res, error, {
    retryAddress: loginAddress(returnTo, provider.name),
    ...(chooseAddress === undefined ? {} : { chooseAddress }),
    ...(isRefusal && isKnown ? { switchHint: options.logoutHints.seal(provider.name, hint) } : {}),
    ...(isRefusal ? { switchAddress: `${PREFIX}/logout?${new URLSearchParams({ login: provider.name })}` } : {}),
  });
}

async function report(options: LoginRoutesOptions, outcome: LoginOutcome): Promise<void> {
  annotate('latchgate.code', outcome.code);
  try {
    await options.onOutcome?.(outcome);
  } catch (thrown) {
    options.log.warn('the outcome of a login could not be recorded', {
      requestId: outcome.requestId,
      error: toLatchgateError(thrown),
    });
  }
}
