import { setTimeout as sleep } from 'node:timers/promises';
import type { Leases } from '../directory/directory.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { newRequestId } from '../ops/request-id.ts';
import type { Provisioner } from '../provisioning/provision.ts';
import { BoundedMap } from '../session/cache.ts';
import type { LiveSession } from '../session/cookie.ts';
import { sessionHandle } from '../session/seal.ts';
import type { Session, SessionStore, SessionTokens } from '../session/store.ts';
import type { EndedLogins } from './backchannel-ended.ts';
import { type EndOfSessions, reportEnd, stepLimit } from './context.ts';
import { CheckedLogin, delayAfter, ends } from './live-sessions-login.ts';
import { type Completed, isRefreshable, type LoginProvider } from './provider.ts';

/** How long requests wait for the provider, before they go on with the session as it is. */
const WAIT_MS = 5_000;
/** Longer than a holder is ever stopped for; requests do not wait so long for one that died. */
const LEASE_MS = 10_000;
const NEWER_KEPT = 1_000;
const PUT_OFF_KEPT = 100_000;
/** Between tries to store a refresh token that is the only one by now. */
const KEEP_AGAIN_MS = [200, 800, 3_000];

export interface LiveSessionsOptions {
  readonly store: Pick<SessionStore, 'load' | 'loadWhole' | 'renew' | 'runsOutAt' | 'destroy'>;
  readonly providers: ReadonlyMap<string, LoginProvider>;
  readonly provisioner: Pick<Provisioner, 'assert'>;
  readonly leases: Pick<Leases, 'acquire'>;
  readonly endedLogins: Pick<EndedLogins, 'has'>;
  readonly onEnded?: (end: EndOfSessions) => Promise<void> | void;
  /** `code`: `ok`, or why not. */
  readonly onChecked?: (login: string, outcome: 'renewed' | 'ended' | 'failed', code: string) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Default 5 s. */
  readonly waitMs?: number;
}

/** The session as it is now; `asItIs`: nothing new is known. undefined: it has ended. */
type Answer = Session | 'asItIs' | undefined;

interface Check {
  readonly result: Promise<Answer>;
  /** The same, or `asItIs` when that takes too long. */
  readonly inTime: Promise<Answer>;
}

/**
 * Asks the provider, by the refresh token, whether a session still holds and who the person is by now: every
 * `login.NAME.refresh` while the session is used. One question at a time for a session, over all instances. What the
 * provider says counts at once; a provider that is down or slow ends nothing.
 */
export class LiveSessions {
  readonly #options: LiveSessionsOptions;
  readonly #logins = new Map<string, CheckedLogin>();
  readonly #checks = new Map<string, Check>();
  /** What the store's own memory may not know for a moment yet. */
  readonly #newer = new BoundedMap<Session>(NEWER_KEPT);
  readonly #putOff = new BoundedMap<{ readonly until: number; readonly times: number }>(PUT_OFF_KEPT);
  #isClosed = false;

  constructor(options: LiveSessionsOptions) {
    this.#options = options;
    for (const [name, provider] of options.providers) {
      if (isRefreshable(provider)) this.#logins.set(name, new CheckedLogin(name, provider, options.log));
    }
  }

  /** The session to go on with, at once when the provider has not to be asked. undefined: it has ended. */
  current(live: LiveSession): LiveSession | undefined | Promise<LiveSession | undefined> {
    const { checkAt } = live.session;
    if (checkAt === undefined || this.#options.clock.now() < checkAt) return live;
    const { session, check } = this.#due(live);
    if (check === undefined) return session === live.session ? live : { ...live, session };
    return check.inTime.then((answer) => this.#answered(live, answer));
  }

  /**
   * For a session that no request came for: asks if it is time, and ends it with all that is open for it when its time
   * has run out. Says when to look again, in milliseconds since the epoch. `seen` is told who it is by now.
   */
  async look(id: string, seen?: (handle: string, session: Session) => void): Promise<number> {
    const { store, clock } = this.#options;
    const [runsOut, session] = await Promise.all([store.runsOutAt(id), store.load(id)]);
    if (runsOut === undefined || runsOut <= clock.now()) {
      await store.destroy(id);
      return Number.POSITIVE_INFINITY;
    }
    if (session !== undefined) seen?.(sessionHandle(id), session);
    if (session?.checkAt === undefined) return runsOut;
    if (clock.now() < session.checkAt) return Math.min(runsOut, session.checkAt);
    const due = this.#due({ id, handle: sessionHandle(id), session });
    return Math.min(runsOut, due.session.checkAt ?? session.checkAt);
  }

  /** No new questions; waits for those under way: their answers may be the only ones. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled([...this.#checks.values()].map(({ result }) => result));
  }

  /** Without a check: the session as it is known here goes on. */
  #due(live: LiveSession): { readonly session: Session; readonly check?: Check } {
    const { handle, session } = live;
    const now = this.#options.clock.now();
    const newer = this.#newer.get(handle);
    if (newer?.checkAt !== undefined && now < newer.checkAt) return { session: newer };
    const login = this.#logins.get(session.identity.origin);
    const underWay = this.#checks.get(handle);
    if (underWay !== undefined) return login?.isTroubled === true ? { session } : { session, check: underWay };
    if (login === undefined) return { session, check: this.#remember(handle, this.#endOf(live, 'login_unknown')) };
    const isLater = now < (this.#putOff.get(handle)?.until ?? 0);
    if (login.everyMs === undefined || isLater || this.#isClosed || !login.mayAsk()) return { session };
    const check = this.#remember(handle, this.#ask(live, login, login.everyMs), login);
    return login.isTroubled ? { session } : { session, check };
  }

  #remember(handle: string, asking: Promise<Answer>, login?: CheckedLogin): Check {
    const result = asking.finally(() => this.#checks.delete(handle));
    const { waitMs = WAIT_MS } = this.#options;
    const slow = (): Answer => {
      login?.slow();
      return 'asItIs';
    };
    const timer = new AbortController();
    const late = sleep(waitMs, undefined, { signal: timer.signal, ref: false }).then(slow, () => result);
    const inTime = Promise.race([result, late]);
    result.finally(() => timer.abort()).catch(() => undefined);
    const check = { result, inTime };
    this.#checks.set(handle, check);
    return check;
  }

  /** Never rejects: whoever cannot be asked about lives on. */
  async #ask(live: LiveSession, login: CheckedLogin, everyMs: number): Promise<Answer> {
    const { leases } = this.#options;
    const requestId = newRequestId();
    const signal = stepLimit();
    try {
      return await login.one(signal, async () => {
        if (this.#isClosed) return 'asItIs';
        const lease = await leases.acquire(`refresh:${live.handle}`, LEASE_MS, signal);
        try {
          return await this.#renew(live, login, { everyMs, requestId, signal });
        } finally {
          // One that cannot be given back ends by itself.
          await lease.release().catch(() => undefined);
        }
      });
    } catch (thrown) {
      const error = toLatchgateError(thrown);
      if (ends(error)) return this.#endOf(live, error.code, requestId);
      this.#failed(live, login, error, requestId);
      return 'asItIs';
    }
  }

  async #renew(
    live: LiveSession,
    login: CheckedLogin,
    {
      everyMs,
      requestId,
      signal,
    }: { readonly everyMs: number; readonly requestId: string; readonly signal: AbortSignal },
  ): Promise<Answer> {
    const { store, provisioner, endedLogins, clock, onChecked } = this.#options;
    const whole = await store.loadWhole(live.id);
    if (whole === undefined) return undefined;
    const { session, tokens } = whole;
    const { refreshToken, idToken } = tokens;
    // Another instance was first.
    if (session.checkAt === undefined || clock.now() < session.checkAt) return this.#renewed(live, session);
    const { issuer, subject, person } = session.identity;
    if (refreshToken === undefined) {
      const { checkAt: _, ...unchecked } = session;
      return (await store.renew(live.id, unchecked)) ? unchecked : undefined;
    }
    const completed = await login.provider.refresh(
      {
        issuer,
        subject,
        refreshToken,
        ...(idToken === undefined ? {} : { idToken }),
        keep: (next) =>
          next === refreshToken ? Promise.resolve() : this.#keep(live, session, { ...tokens, refreshToken: next }),
      },
      signal,
    );
    login.answered();
    const { identity } = await provisioner.assert(completed.assertion, { occasion: 'refresh', requestId, signal });
    if (identity.person !== person) {
      throw new LatchgateError('token_invalid', 'the refreshed token is of another person', {
        detail: { check: 'person' },
      });
    }
    const { providerSession = session.providerSession, issuedAt } = completed;
    const sid = providerSession === undefined ? {} : { providerSession };
    const renewed: Session = { ...session, identity, ...sid, checkAt: clock.now() + everyMs };
    if (!(await store.renew(live.id, renewed, completed.tokens))) return this.#giveBack(login, completed);
    if (await endedLogins.has({ issuer, subject, providerSession, issuedAt })) {
      throw new LatchgateError('login_ended', 'the provider has ended this login');
    }
    this.#putOff.delete(live.handle);
    onChecked?.(login.name, 'renewed', 'ok');
    return this.#renewed(live, renewed);
  }

  #renewed(live: LiveSession, session: Session): Session {
    this.#newer.set(live.handle, session);
    return session;
  }

  /** The former token may be void by now. Rather late than never: without this one the next question is the last. */
  async #keep(live: LiveSession, session: Session, tokens: SessionTokens): Promise<void> {
    const { store, log } = this.#options;
    for (const pauseMs of [...KEEP_AGAIN_MS, undefined]) {
      try {
        await store.renew(live.id, session, tokens);
        return;
      } catch (thrown) {
        const { code } = toLatchgateError(thrown);
        if (pauseMs === undefined) return log.error('a new refresh token could not be stored', { code });
        await sleep(pauseMs);
      }
    }
  }

  /** The session ended while the provider was asked: nobody will use what it gave. */
  #giveBack({ name, provider }: CheckedLogin, { tokens }: Completed): undefined {
    if (tokens.refreshToken === undefined) return;
    provider.revoke(tokens.refreshToken, stepLimit()).catch((thrown: unknown) => {
      const { code } = toLatchgateError(thrown);
      this.#options.log.warn('a refresh token could not be revoked', { login: name, code });
    });
  }

  /** Here at once, even when the store could not be told. */
  async #endOf(live: LiveSession, code: string, requestId = newRequestId()): Promise<undefined> {
    const { store, log, onChecked } = this.#options;
    const { origin: login, person, issuer, subject } = live.session.identity;
    log.info('a session ended with its login', { requestId, login, person, code });
    onChecked?.(login, 'ended', code);
    try {
      await store.destroy(live.id);
    } catch (thrown) {
      log.error('the end of a session could not be stored', { requestId, login, error: toLatchgateError(thrown) });
    }
    await reportEnd(this.#options, { requestId, login, code, sessions: 1, subject: { issuer, subject } });
  }

  #failed(live: LiveSession, login: CheckedLogin, error: LatchgateError, requestId: string): void {
    const { clock, onChecked } = this.#options;
    const times = (this.#putOff.get(live.handle)?.times ?? 0) + 1;
    this.#putOff.set(live.handle, { until: clock.now() + delayAfter(times), times });
    login.failed(error, requestId);
    onChecked?.(login.name, 'failed', error.code);
  }

  /** Whoever waited has to look once more whether the session is there: it may have ended meanwhile. */
  async #answered(live: LiveSession, answer: Answer): Promise<LiveSession | undefined> {
    const session = answer === 'asItIs' ? await this.#options.store.load(live.id) : answer;
    return session && { ...live, session };
  }
}
