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
const MAX_SESSIONS = 10_000;
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
  /** Milliseconds since the epoch; from then on a new one is got. */
  readonly until: number;
}

/** What the headers were made of: made anew when another identity, account or time asks for it. */
interface Made {
  readonly assertion: Timed<string>;
  readonly signIn: Timed<string>;
}

const NO_SIGN_IN: Timed<string> = { value: '', until: Number.POSITIVE_INFINITY };

let shared = { signal: new AbortController().signal, until: Number.NEGATIVE_INFINITY };

/** One for all that begins within a few seconds: a timer for each would outlive by far what it is there for. */
function limit(): AbortSignal {
  const now = performance.now();
  if (now >= shared.until) {
    shared = { signal: AbortSignal.timeout(ACCOUNT_TIMEOUT_MS + SHARED_LIMIT_MS), until: now + SHARED_LIMIT_MS };
  }
  return shared.signal;
}

/** One session: what was made for it, by target. */
export class PreparedSession {
  readonly handle: string;
  readonly id: string | undefined;
  /** Set when the session ended: whatever is still on its way for it goes no further. */
  ended = false;
  /** Mostly one, of a few. */
  readonly #targets: PreparedTarget[] = [];

  constructor({ handle, id }: Pick<ProxySession, 'handle' | 'id'>) {
    this.handle = handle;
    this.id = id;
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
  #account: ReadyAccount | undefined;
  #assertion: Timed<string> | undefined;
  #signIn: Timed<string> | undefined;
  #jar: BackendCookieJar | undefined;
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
    if (ready !== undefined && ready.until > this.#deps.clock.now() && sameIdentity(ready.identity, identity)) {
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
    const known = this.#ready?.identity;
    const isOther = account.id !== this.#account?.id || account.userName !== this.#account.userName;
    if (isOther) this.#jar = undefined;
    if (isOther || known === undefined || !sameIdentity(known, identity)) {
      this.#assertion = undefined;
      this.#signIn = undefined;
    }
    this.#account = account;
    const [assertion, signIn] = await Promise.all([
      this.#assert(account, identity),
      this.#signHeaders(account, identity, signal),
    ]);
    const until = Math.min(this.#deps.clock.now() + ACCOUNT_FRESH_MS, assertion.until, signIn.until);
    const made = { assertion, signIn };
    const before = this.#ready;
    if (before !== undefined && before.made.assertion === assertion && before.made.signIn === signIn) {
      this.#ready = { ...before, until, identity };
      return before.value;
    }
    const { backendSession } = this.target;
    if (backendSession !== undefined) this.#jar ??= new BackendCookieJar(backendSession);
    const who = before?.made.assertion === assertion ? before.value.lines[0] : linesOf(account, identity);
    const refused = this.target.signIn?.renew === undefined ? {} : { refused: () => this.#renew(account) };
    const prepared = { account, lines: [who, assertion.value, signIn.value] as const, jar: this.#jar, ...refused };
    this.#ready = { value: prepared, until, identity, made };
    return prepared;
  }

  /** The next request signs in with something new. */
  #renew({ id }: ReadyAccount): void {
    const now = this.#deps.clock.now();
    if (now - this.#renewedAt < RENEWED_EVERY_MS) return;
    this.#renewedAt = now;
    this.target.signIn?.renew?.({ id });
    this.#signIn = undefined;
    this.#ready = undefined;
  }

  async #assert(account: ReadyAccount, identity: Identity): Promise<Timed<string>> {
    const now = this.#deps.clock.now();
    if (this.#assertion !== undefined && this.#assertion.until > now) return this.#assertion;
    const { userName } = account;
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
    this.#assertion = { value, until: now + (ASSERTION_LIFETIME_S / 2) * 1_000 };
    return this.#assertion;
  }

  async #signHeaders(account: ReadyAccount, identity: Identity, signal: AbortSignal): Promise<Timed<string>> {
    const now = this.#deps.clock.now();
    const { signIn } = this.target;
    if (signIn === undefined) return NO_SIGN_IN;
    if (this.#signIn !== undefined && this.#signIn.until > now) return this.#signIn;
    const { id, userName } = account;
    const made = await signIn.headers({ id, userName, displayName: identity.displayName }, signal);
    const value = headerLines(Object.entries(made.set).flat());
    this.#signIn = { value, until: now + (made.validForSeconds / 2) * 1_000 };
    return this.#signIn;
  }
}

/** The sessions that were seen lately. */
export class PreparedSessions {
  readonly #sessions = new BoundedMap<PreparedSession>(MAX_SESSIONS);
  /** Those that something is being prepared for, which may be forgotten meanwhile and still end. */
  readonly #waiting = new Set<PreparedSession>();

  get(who: ProxySession): PreparedSession {
    const known = this.#sessions.get(who.handle);
    if (known !== undefined) return known;
    const made = new PreparedSession(who);
    this.#sessions.set(who.handle, made);
    return made;
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
