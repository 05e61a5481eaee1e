import type { Leases, People } from '../directory/directory.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Assertion } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import { createFailureLimit, type FailureLimit, type SharedFailures } from '../ops/failure-limit.ts';
import { sha256 } from '../ops/hash.ts';
import type { Log } from '../ops/log.ts';
import type { Provisioner } from '../provisioning/provision.ts';
import { BoundedMap } from '../session/cache.ts';
import { sessionHandle } from '../session/seal.ts';
import type { Session, SessionStore } from '../session/store.ts';
import type { EndedLogins } from './backchannel-ended.ts';
import type { AccessToken, TakesAccessTokens } from './provider.ts';

const PURPOSE = 'bearer token';
/** Tokens that are remembered, good and bad. */
const REMEMBERED = 20_000;
/** For one whole step, the target that is waited for included. */
const STEP_LIMIT_MS = 60_000;
/** A refusal that another config or another answer of the provider could change is repeated for so long without asking. */
const REFUSED_MS = 10_000;
/** A client that gets a token for each request makes a session of each: nobody needs so many. */
const BEGUN_A_MINUTE = 300;
/** After `exp`, as far as clocks are allowed to differ. */
const TOLERANCE_MS = 30_000;

export interface BearerOptions {
  readonly logins: readonly TakesAccessTokens[];
  readonly store: SessionStore;
  readonly leases: Pick<Leases, 'once' | 'seen'>;
  readonly people: Pick<People, 'get' | 'bySubject' | 'assertions'>;
  readonly endedLogins: Pick<EndedLogins, 'has'>;
  readonly provisioner: Pick<Provisioner, 'assert'>;
  /** Longest life of a session, and the age at which a token begins none, in milliseconds. */
  readonly absoluteMs: number;
  /** Told how each token fared that was looked at: `ok`, or the reason code. */
  readonly onOutcome?: (login: string, code: string) => void;
  /** Counts with the other instances what tokens a client brings for the first time. Default: there are none. */
  readonly sharedBegun?: SharedFailures;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

/** An access token of one of our providers, by its own word: nothing is verified yet. */
export interface BearerToken {
  readonly id: string;
  /** Under which the end of its session is announced. */
  readonly handle: string;
  readonly text: string;
  readonly login: TakesAccessTokens;
}

export interface BearerSession {
  /** Opens its record: what is open for it ends with it, though no request comes. */
  readonly id: string;
  readonly handle: string;
  readonly session: Session;
}

/** Where a token is brought. */
interface BearerPlace {
  /** Waited for when the session begins; absent: nothing in particular. */
  readonly target?: string;
  readonly requestId: string;
}

interface Good {
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

interface Bad {
  readonly error: LatchgateError;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/**
 * API clients (RFC 6750 §2.1): each access token is a session of its own in the store, so that every end of sessions is
 * one of it too, on every instance. Its id is a hash of the token.
 */
export class BearerLogins {
  readonly #options: BearerOptions;
  readonly #good = new BoundedMap<Good>(REMEMBERED);
  readonly #bad = new BoundedMap<Bad>(REMEMBERED);
  readonly #beginning = new Map<string, Promise<BearerSession>>();
  readonly #begun: FailureLimit;

  constructor(options: BearerOptions) {
    this.#options = options;
    this.#begun = createFailureLimit({ perMinute: BEGUN_A_MINUTE, clock: options.clock, shared: options.sharedBegun });
  }

  /** Undefined: no bearer token, or one of somebody else, which is none of our business. */
  tokenIn(authorization: string): BearerToken | undefined {
    const text = /^bearer +([\w.~+/-]+=*) *$/i.exec(authorization)?.[1];
    const iss = text === undefined ? undefined : issuerOf(text);
    if (text === undefined || iss === undefined) return undefined;
    const { logins } = this.#options;
    const ofIssuer = logins.filter(({ issuer }) => isSame(issuer, iss.issuer));
    const login = ofIssuer.find(({ audiences }) => audiences.some((one) => iss.audiences.includes(one))) ?? ofIssuer[0];
    if (login === undefined) return undefined;
    const id = sha256(`latchgate ${PURPOSE} ${text}`);
    return { id, handle: sessionHandle(id), text, login };
  }

  /** The live session of a token that was verified here, when nobody has to be asked. */
  peek({ id, handle }: BearerToken): BearerSession | undefined {
    const good = this.#good.get(id);
    if (good === undefined || good.expiresAt <= this.#options.clock.now()) return undefined;
    const session = this.#options.store.peek?.(handle, this.#options.absoluteMs);
    return session === undefined ? undefined : { id, handle, session };
  }

  /**
   * The session of a token, begun when it is seen for the first time. Throws
   * `invalid_token`, `insufficient_scope`, `too_many_requests`, whatever refuses a login, `provider_unavailable`.
   */
  async session(token: BearerToken, at: BearerPlace): Promise<BearerSession> {
    const { clock } = this.#options;
    const bad = this.#bad.get(token.id);
    if (bad !== undefined && bad.until > clock.now()) throw bad.error;
    const good = this.#good.get(token.id);
    if (good !== undefined && good.expiresAt > clock.now()) {
      const live = await this.#live(token);
      if (live !== undefined) return live;
    }
    const underWay = this.#beginning.get(token.id);
    if (underWay !== undefined) return underWay;
    const beginning = this.#begin(token, at).finally(() => this.#beginning.delete(token.id));
    this.#beginning.set(token.id, beginning);
    return beginning;
  }

  async #begin(token: BearerToken, at: BearerPlace): Promise<BearerSession> {
    const { clock, onOutcome } = this.#options;
    let accessToken: AccessToken | undefined;
    try {
      const signal = AbortSignal.timeout(STEP_LIMIT_MS);
      accessToken = await token.login.verifyAccess(token.text, signal).catch(asInvalid);
      const session = (await this.#known(token, accessToken)) ?? (await this.#new(token, accessToken, at, signal));
      this.#good.set(token.id, { expiresAt: accessToken.expiresAt });
      onOutcome?.(token.login.name, 'ok');
      return session;
    } catch (thrown) {
      const error = toLatchgateError(thrown);
      onOutcome?.(token.login.name, error.code);
      // What was ended stays so; a key that is not published yet may be in a moment.
      const isForGood = error.code === 'invalid_token' && accessToken !== undefined;
      const until = isForGood ? (accessToken?.expiresAt ?? 0) + TOLERANCE_MS : clock.now() + REFUSED_MS;
      if (!error.retryable && error.status < 500) this.#bad.set(token.id, { error, until });
      throw error;
    }
  }

  /** Begun before, here or elsewhere. Throws `invalid_token` when it has ended. */
  async #known(token: BearerToken, { expiresAt }: AccessToken): Promise<BearerSession | undefined> {
    const { leases } = this.#options;
    const live = await this.#live(token);
    if (live === undefined) {
      if (await leases.seen(PURPOSE, token.handle)) throw ended(token);
      return undefined;
    }
    // For whoever stored it and could not say so any more.
    await leases.once(PURPOSE, token.handle, new Date(expiresAt + TOLERANCE_MS));
    return live;
  }

  async #new(
    token: BearerToken,
    accessToken: AccessToken,
    { target, requestId }: BearerPlace,
    signal: AbortSignal,
  ): Promise<BearerSession> {
    const { store, leases, provisioner, clock, absoluteMs, log } = this.#options;
    const { providerSession, expiresAt, issuedAt } = accessToken;
    // Logouts are remembered for as long: an older token could be of before one that is forgotten.
    const endsAt = Math.min(expiresAt, issuedAt + absoluteMs);
    if (endsAt <= clock.now()) throw ended(token);
    this.#checkRate(accessToken);
    const assertion = await this.#assertion(token.login.name, accessToken);
    const { identity, decision } = await provisioner.assert(assertion, {
      ...(target === undefined ? {} : { target }),
      requestId,
      signal,
    });
    if (decision.decision !== 'allow') throw new LatchgateError('no_access', 'the mapping denied the token');
    const now = clock.now();
    const session: Session = {
      identity,
      ...(providerSession === undefined ? {} : { providerSession }),
      createdAt: now,
      endsAt,
    };
    if (session.endsAt <= now) throw ended(token);
    await store.save(token.id, session, session.endsAt - now);
    try {
      // In this order: an end that comes in between is found below, by what the store says.
      await leases.once(PURPOSE, token.handle, new Date(expiresAt + TOLERANCE_MS));
      await this.#checkNotOver(accessToken, identity.person);
    } catch (thrown) {
      await store.destroy(token.id);
      throw thrown;
    }
    const live = await this.#live(token);
    if (live === undefined) throw ended(token);
    log.info('API client', { requestId, login: token.login.name, person: identity.person });
    return live;
  }

  /** What came while the session was being made, and did not find it. */
  async #checkNotOver({ issuer, subject, providerSession, issuedAt }: AccessToken, person: string): Promise<void> {
    const { people, endedLogins } = this.#options;
    const who = await people.get(person);
    if (who?.disabled === true) throw new LatchgateError('person_disabled', 'this person was disabled meanwhile');
    if (who?.leftAt !== undefined) throw new LatchgateError('person_left', 'this person has left meanwhile');
    if (await endedLogins.has({ issuer, subject, providerSession, issuedAt })) {
      throw new LatchgateError('invalid_token', 'the provider has ended the login of this token', {
        detail: { check: 'logout' },
      });
    }
  }

  /** What an access token leaves out was said at the last login: it is about the client's request, not about the person. */
  async #assertion(origin: string, { issuer, subject, claims }: AccessToken): Promise<Assertion> {
    const { people, clock } = this.#options;
    const known = await people.bySubject({ issuer, subject });
    const before = known === undefined ? [] : await people.assertions(known.id);
    const last = before.find((one) => one.origin === origin && one.issuer === issuer && one.subject === subject);
    const all = { ...last?.claims, ...claims };
    return { origin, issuer, subject, active: true, claims: all, at: new Date(clock.now()) };
  }

  #checkRate({ issuer, subject }: AccessToken): void {
    const who = JSON.stringify([issuer, subject]);
    const retryAfterSeconds = this.#begun.wait(who);
    if (retryAfterSeconds > 0) {
      const message = 'one client brings new tokens all the time: a token is good until it expires';
      throw new LatchgateError('too_many_requests', message, { retryAfterSeconds });
    }
    this.#begun.failed(who);
  }

  async #live({ id, handle }: BearerToken): Promise<BearerSession | undefined> {
    const { store, clock } = this.#options;
    const session = await store.load(id);
    const leftMs = (session?.endsAt ?? 0) - clock.now();
    if (session === undefined || leftMs <= 0) return undefined;
    await store.touch(id, leftMs);
    return { id, handle, session };
  }
}

/** The issuer and the audiences that a JWT claims to have; undefined for what is none. */
function issuerOf(text: string): { readonly issuer: string; readonly audiences: readonly unknown[] } | undefined {
  const [, payload, signature, ...more] = text.split('.');
  if (payload === undefined || signature === undefined || more.length > 0) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims !== 'object' || claims === null || !('iss' in claims)) return undefined;
    if (typeof claims.iss !== 'string') return undefined;
    return { issuer: claims.iss, audiences: 'aud' in claims ? [claims.aud].flat() : [] };
  } catch {
    return undefined;
  }
}

/** As discovery compares them: a slash at the end makes no other issuer. */
function isSame(configured: string, said: string): boolean {
  return configured === said || (URL.canParse(said) && new URL(said).href === new URL(configured).href);
}

function ended({ login }: BearerToken): LatchgateError {
  return new LatchgateError('invalid_token', 'the session of this token has ended', {
    detail: { provider: login.name, check: 'ended' },
  });
}

/** RFC 6750 §3.1: whatever is wrong with the token has one name. */
function asInvalid(thrown: unknown): never {
  const error = toLatchgateError(thrown);
  if (error.code !== 'token_invalid' && error.code !== 'token_key_unknown' && error.code !== 'subject_invalid') {
    throw error;
  }
  throw new LatchgateError('invalid_token', error.message, { detail: error.detail });
}
