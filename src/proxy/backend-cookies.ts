import { setCookieName, setCookiePair } from './cookies.ts';

/** How a target keeps its own session: a hook for those that sign people in by a cookie of theirs (header sign-in). */
export interface BackendSession {
  /** Names of the cookies that stay on our side: never taken from a browser, never given to one. */
  readonly cookieNames: readonly string[];
  /**
   * Signs the account in and gives the cookie pairs (`session=…`) to send from now on. Called once for a session,
   * whatever the number of requests, and again after `expired`. Absent: the cookies are only kept as they come.
   */
  open?(account: { readonly id: string; readonly userName: string }, signal: AbortSignal): Promise<readonly string[]>;
  /** Whether this answer says that the backend does not know its session any more (a redirect to its login). */
  expired?(status: number, location: string | undefined): boolean;
}

const OPEN_TIMEOUT_MS = 30_000;

/** The backend's cookies of one gateway session in one target. Dropped with the session. */
export class BackendCookieJar {
  readonly #backend: BackendSession;
  readonly #names: ReadonlySet<string>;
  readonly #cookies = new Map<string, string>();
  #opening: Promise<void> | undefined;
  #isOpen = false;

  constructor(backend: BackendSession) {
    this.#backend = backend;
    this.#names = new Set(backend.cookieNames.map((name) => name.toLowerCase()));
  }

  /** The pairs to send, as a Cookie header's value; undefined when there are none. */
  async header(account: { readonly id: string; readonly userName: string }): Promise<string | undefined> {
    if (!this.#isOpen && this.#backend.open !== undefined) {
      this.#opening ??= this.#open(account).finally(() => {
        this.#opening = undefined;
      });
      await this.#opening;
    }
    return this.current();
  }

  /** What there is, without signing in. */
  current(): string | undefined {
    return this.#cookies.size === 0 ? undefined : [...this.#cookies.values()].join('; ');
  }

  get isReady(): boolean {
    return this.#isOpen || this.#backend.open === undefined;
  }

  /** Takes a Set-Cookie line of the backend; one with another name is not ours to keep. */
  keep(line: string): void {
    const name = setCookieName(line);
    if (!this.#names.has(name)) return;
    const isGone =
      /;\s*max-age\s*=\s*(?:0|-\d+)\s*(?:;|$)/i.test(line) || /;\s*expires\s*=\s*thu, 01[ -]jan[ -]1970/i.test(line);
    if (isGone) this.#cookies.delete(name);
    else this.#cookies.set(name, setCookiePair(line));
  }

  /** Looks whether the backend has forgotten its session: then the next request signs in anew. */
  answered(status: number, location: string | undefined): void {
    if (this.#backend.expired?.(status, location) !== true) return;
    this.#cookies.clear();
    this.#isOpen = false;
  }

  async #open(account: { readonly id: string; readonly userName: string }): Promise<void> {
    // Not the signal of one request: others of the session wait for the same sign-in.
    const signal = AbortSignal.timeout(OPEN_TIMEOUT_MS);
    for (const pair of (await this.#backend.open?.(account, signal)) ?? []) this.keep(pair);
    this.#isOpen = true;
  }
}
