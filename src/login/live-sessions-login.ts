import { type ErrorCode, LatchgateError } from '../model/errors.ts';
import type { Log } from '../ops/log.ts';
import { createSemaphore } from '../ops/semaphore.ts';
import type { LoginProvider, Refreshable } from './provider.ts';

/** Questions to one provider at once: fewer than its client has connections, so that logins find some free. */
const AT_ONCE = 16;
/** Under way and waiting. */
const MOST = 1_000;
/** While it does not answer: enough to notice that it does again. */
const MOST_IN_TROUBLE = 2;
const FIRST_DELAY_MS = 30_000;
const LAST_DELAY_MS = 300_000;

/** What a check may fail with that says nothing about the session: our client or the provider's set-up is at fault. */
const FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'provider_misconfigured',
  'provider_metadata_invalid',
  'answer_too_large',
]);

/** What the provider is to be given time for. */
const TROUBLES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([...FAULTS, 'provider_unavailable', 'token_key_unknown']);

/** Whether a session is over because of this. What may be another time is not. */
export function ends({ code, retryable }: LatchgateError): boolean {
  return !retryable && !FAULTS.has(code);
}

/** Until a check that failed so often is tried again: 30 s, 1 min, … 5 min, less a little, so that not all come at once. */
export function delayAfter(times: number): number {
  const longest = Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** (times - 1));
  return longest * (0.8 + Math.random() * 0.2);
}

/** A provider that is asked about sessions, and how it does. */
export class CheckedLogin {
  readonly name: string;
  readonly provider: LoginProvider & Refreshable;
  readonly everyMs: number | undefined;
  readonly #log: Log;
  readonly #places = createSemaphore(AT_ONCE);
  #underWay = 0;
  /** It does not answer, or takes long: nobody waits for it then. */
  #isTroubled = false;
  /** What went wrong since it last answered: each thing is said once. */
  readonly #said = new Set<string>();

  constructor(name: string, provider: LoginProvider & Refreshable, log: Log) {
    this.name = name;
    this.provider = provider;
    this.everyMs = provider.refreshEveryMs;
    this.#log = log;
  }

  get isTroubled(): boolean {
    return this.#isTroubled;
  }

  mayAsk(): boolean {
    return this.#underWay < (this.isTroubled ? MOST_IN_TROUBLE : MOST);
  }

  /** One question, when there is a place. */
  async one<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
    this.#underWay += 1;
    try {
      const release = await this.#places.acquire(signal).catch(() => {
        throw new LatchgateError('provider_unavailable', 'too many sessions are asked about at once');
      });
      try {
        return await ask();
      } finally {
        release();
      }
    } finally {
      this.#underWay -= 1;
    }
  }

  answered(): void {
    if (this.#isTroubled) this.#log.info('the provider answers again', { login: this.name });
    this.#isTroubled = false;
    this.#said.clear();
  }

  slow(): void {
    this.#isTroubled = true;
    this.#say('slow', {});
  }

  failed(error: LatchgateError, requestId: string): void {
    const { code } = error;
    if (TROUBLES.has(code)) this.#isTroubled = true;
    this.#say(code, { requestId, code, error });
  }

  #say(what: string, fields: Readonly<Record<string, unknown>>): void {
    if (this.#said.has(what)) return;
    this.#said.add(what);
    this.#log.warn('sessions cannot be checked with the provider; they go on', { login: this.name, ...fields });
  }
}
