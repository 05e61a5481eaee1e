import { ERRORS, type ErrorCode, LatchgateError } from '../model/errors.ts';
import type { Identity } from '../model/person.ts';
import type { AccountState } from '../provisioning/provision.ts';
import { BoundedMap } from '../session/cache.ts';
import { ASSERTION_LIFETIME_S, signAssertion } from './assertion.ts';
import { BackendCookieJar } from './backend-cookies.ts';
import type { ProxyDeps, ProxySession, ProxyTarget } from './deps.ts';
import { areGroupsTooLong, identityHeaders } from './identity-headers.ts';
import { headerLines } from './upstream/request-head.ts';

/** Sessions whose headers are kept ready. */
const MAX_SESSIONS = 1_500;
/** People of whom it is known how much they have under way. */
const MAX_SHARES = 10_000;
/** How long an account counts as ready without being asked for again. */
const ACCOUNT_FRESH_MS = 1_000;
/** An account is waited for at least so long. */
const ACCOUNT_TIMEOUT_MS = 30_000;
const SHARED_LIMIT_MS = 5_000;
/** Whatever a backend answers, what signs in there is not made anew more often than this. */
const RENEWED_EVERY_MS = 10_000;

type ReadyAccount = Pick<Extract<AccountState, { status: 'ready' }>, 'id' | 'userName'>;
type PrepareDeps = Pick<ProxyDeps, 'account' | 'signer' | 'clock' | 'log'>;

/** What is added to each request of one session in one target. */
export interface Prepared {
  readonly account: ReadyAccount;
  /** The headers as they go onto the wire: who it is, the assertion, and what signs in to the target. */
  readonly lines: readonly [who: string, assertion: string, signIn: string];
  readonly jar: BackendCookieJar | undefined;
  /** To be called when the backend answers 401 to these headers. */
  readonly refused?: () => void;
}

interface Timed<T> {
  readonly value: T;
  /** Milliseconds since the epoch, as `until`. A clock that was turned back would let it be good for as much longer. */
  readonly from: number;
  /** From then on a new one is got. */
  readonly until: number;
}

interface Whose {
  readonly account: ReadyAccount;
  readonly identity: Identity;
}

/** A part of the headers: made anew when another identity, account or time asks for it, whoever made it last. */
interface Part extends Timed<string> {
  readonly of: Whose;
}

interface Made {
  readonly assertion: Part;
  readonly signIn: Part | undefined;
}

let shared = { signal: new AbortController().signal, until: Number.NEGATIVE_INFINITY };

/** One for all that begins within a few seconds: a timer for each would outlive by far what it is there for. */
function limit(): AbortSignal {
  const now = performance.now();
  if (now >= shared.until) {
    shared = { signal: AbortSignal.timeout(ACCOUNT_TIMEOUT_MS + SHARED_LIMIT_MS), until: now + SHARED_LIMIT_MS };
  }
  return shared.signal;
}

/** What one person has under way at the backends, by all sessions together. */
export interface Share {
  underWay: number;
}

/** One session: what was made for it, by target. */
export class PreparedSession {
  readonly handle: string;
  readonly id: string | undefined;
  readonly share: Share;
  /** Set when the session ended: whatever is still on its way for it goes no further. */
  ended = false;
  /** Mostly one, of a few. */
  readonly #targets: PreparedTarget[] = [];

  constructor({ handle, id }: Pick<ProxySession, 'handle' | 'id'>, share: Share) {
    this.handle = handle;
    this.id = id;
    this.share = share;
  }

  for(target: ProxyTarget, deps: PrepareDeps): PreparedTarget {
    for (const known of this.#targets) if (known.target === target) return known;
    const prepared = new PreparedTarget(target, deps);
    this.#targets.push(prepared);
    return prepared;
  }
}

/** Headers of one session in one target: made once, used until the first of their parts is to be renewed. */
export class PreparedTarget {
  readonly target: ProxyTarget;
  readonly #deps: PrepareDeps;
  #ready: (Timed<Prepared> & { readonly identity: Identity; readonly made: Made }) | undefined;
  #assertion: Part | undefined;
  #signIn: Part | undefined;
  #jar: { readonly account: ReadyAccount; readonly jar: BackendCookieJar } | undefined;
  #building: { readonly identity: Identity; readonly result: Promise<Prepared> } | undefined;
  #hasWarned = false;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(target: ProxyTarget, deps: PrepareDeps) {
    this.target = target;
    this.#deps = deps;
  }

  /** Throws `no_access`, or why the account is not ready. */
  headers(identity: Identity): Prepared | Promise<Prepared> {
    const ready = this.#ready;
    if (ready !== undefined && isGood(ready, this.#deps.clock.now()) && sameIdentity(ready.identity, identity)) {
      return ready.value;
    }
    const building = this.#building;
    if (building !== undefined && sameIdentity(building.identity, identity)) return building.result;
    const result = this.#build(identity).finally(() => {
      if (this.#building?.result === result) this.#building = undefined;
    });
    this.#building = { identity, result };
    return result;
  }

  async #build(identity: Identity): Promise<Prepared> {
    const signal = limit();
    const account = readyAccount(await this.#deps.account(identity.person, this.target.name, signal));
    const whose = { account, identity };
    const [assertion, signIn] = await Promise.all([this.#assert(whose), this.#signHeaders(whose, signal)]);
    const signedInUntil = signIn?.until ?? Number.POSITIVE_INFINITY;
    const from = this.#deps.clock.now();
    const until = Math.min(from + ACCOUNT_FRESH_MS, assertion.until, signedInUntil);
    const made = { assertion, signIn };
    const before = this.#ready;
    if (before !== undefined && before.made.assertion === assertion && before.made.signIn === signIn) {
      this.#ready = { ...before, from, until, identity };
      return before.value;
    }
    const who = before?.made.assertion === assertion ? before.value.lines[0] : linesOf(account, identity);
    const refused = this.target.signIn?.renew === undefined ? {} : { refused: () => this.#renew(account) };
    const lines = [who, assertion.value, signIn?.value ?? ''] as const;
    const prepared = { account, lines, jar: this.#jarOf(account), ...refused };
    this.#ready = { value: prepared, from, until, identity, made };
    return prepared;
  }

  #jarOf(account: ReadyAccount): BackendCookieJar | undefined {
    const { backendSession } = this.target;
    if (backendSession === undefined) return undefined;
    if (this.#jar === undefined || !sameAccount(this.#jar.account, account)) {
      this.#jar = { account, jar: new BackendCookieJar(backendSession) };
    }
    return this.#jar.jar;
  }

  /** The next request signs in with something new. */
  #renew({ id }: ReadyAccount): void {
    const now = this.#deps.clock.now();
    if (Math.abs(now - this.#renewedAt) < RENEWED_EVERY_MS) return;
    this.#renewedAt = now;
    this.target.signIn?.renew?.({ id });
    this.#signIn = undefined;
    this.#ready = undefined;
  }

  async #assert(whose: Whose): Promise<Part> {
    const now = this.#deps.clock.now();
    const known = this.#assertion;
    if (known !== undefined && serves(known, whose, now)) return known;
    const { identity } = whose;
    const { userName } = whose.account;
    const token = await signAssertion(this.#deps.signer, { target: this.target.name, userName, identity });
    if (!this.#hasWarned && areGroupsTooLong(identity.groups)) {
      this.#hasWarned = true;
      const count = identity.groups.length;
      this.#deps.log.warn('a list of groups is too long for a header and is left out', {
        target: this.target.name,
        person: identity.person,
        count,
      });
    }
    const value = headerLines(['X-Latchgate-Assertion', token]);
    const made = { value, from: now, until: now + (ASSERTION_LIFETIME_S / 2) * 1_000, of: whose };
    this.#assertion = made;
    return made;
  }

  async #signHeaders(whose: Whose, signal: AbortSignal): Promise<Part | undefined> {
    const now = this.#deps.clock.now();
    const { signIn } = this.target;
    if (signIn === undefined) return undefined;
    const known = this.#signIn;
    if (known !== undefined && serves(known, whose, now)) return known;
    const { id, userName } = whose.account;
    const { set, validForSeconds } = await signIn.headers(
      { id, userName, displayName: whose.identity.displayName },
      signal,
    );
    const value = headerLines(Object.entries(set).flat());
    const made = { value, from: now, until: now + (validForSeconds / 2) * 1_000, of: whose };
    this.#signIn = made;
    return made;
  }
}

/** The sessions that were seen lately. */
export class PreparedSessions {
  readonly #sessions = new BoundedMap<PreparedSession>(MAX_SESSIONS);
  /** By person. */
  readonly #shares = new BoundedMap<Share>(MAX_SHARES);
  /** Those that something is being prepared for, which may be forgotten meanwhile and still end. */
  readonly #waiting = new Set<PreparedSession>();

  get(who: ProxySession): PreparedSession {
    const known = this.#sessions.get(who.handle);
    if (known !== undefined) return known;
    const made = new PreparedSession(who, this.#shareOf(who.session.identity.person));
    this.#sessions.set(who.handle, made);
    return made;
  }

  #shareOf(person: string): Share {
    const known = this.#shares.get(person);
    if (known !== undefined) return known;
    const share = { underWay: 0 };
    this.#shares.set(person, share);
    return share;
  }

  /** Learns of an end of the session until `work` is over. */
  async watching<T>(session: PreparedSession, work: Promise<T>): Promise<T> {
    this.#waiting.add(session);
    try {
      return await work;
    } finally {
      this.#waiting.delete(session);
    }
  }

  end(handle: string): void {
    const known = this.#sessions.get(handle);
    if (known !== undefined) known.ended = true;
    this.#sessions.delete(handle);
    for (const session of this.#waiting) if (session.handle === handle) session.ended = true;
  }
}

function linesOf({ userName }: ReadyAccount, identity: Identity): string {
  return headerLines(identityHeaders({ ...identity, userName }));
}

function readyAccount(state: AccountState): ReadyAccount {
  // Without what was changed in it, which would be kept for as long as the session is.
  if (state.status === 'ready') return { id: state.id, userName: state.userName };
  if (state.status === 'none') throw new LatchgateError('no_access', 'nothing is given to this person in this target');
  const code = Object.hasOwn(ERRORS, state.code) ? (state.code as ErrorCode) : 'target_pending';
  throw new LatchgateError(code, 'the account in this target is not ready');
}

function serves(part: Part, { account, identity }: Whose, now: number): boolean {
  return isGood(part, now) && sameAccount(part.of.account, account) && sameIdentity(part.of.identity, identity);
}

function isGood({ from, until }: Timed<unknown>, now: number): boolean {
  return from <= now && now < until;
}

function sameAccount(a: ReadyAccount, b: ReadyAccount): boolean {
  return a.id === b.id && a.userName === b.userName;
}

/** Records are read from the store again and again: the same person is often another object. */
function sameIdentity(a: Identity, b: Identity): boolean {
  if (a === b) return true;
  return (
    a.person === b.person &&
    a.email === b.email &&
    a.preferredUsername === b.preferredUsername &&
    a.displayName === b.displayName &&
    a.groups.length === b.groups.length &&
    a.groups.every((group, at) => group === b.groups[at])
  );
}
