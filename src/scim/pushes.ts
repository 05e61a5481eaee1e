import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../directory/database.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Log } from '../ops/log.ts';
import { newRequestId } from '../ops/request-id.ts';
import { isErrorCode, isOut, isTargetFault } from '../provisioning/outcome.ts';
import type { AccountState } from '../provisioning/provision.ts';
import type { ScimClient } from './client.ts';
import { type Concerned, type SettleDeps, type Settled, settle } from './settle.ts';
import { unsettledUsers } from './store/users.ts';

type InTarget = (person: PersonId, target: string, actor: string, requestId: string) => Promise<AccountState>;

export interface PushesDeps extends SettleDeps {
  readonly database: Database;
  readonly clients: ReadonlyMap<string, ScimClient>;
  /** Brings somebody to what everybody who speaks of them says by now, in one target. */
  readonly again: InTarget;
  /** The same of somebody who is out. */
  readonly leave: InTarget;
  /** Ends every session of a person on every instance, sockets included. */
  readonly endSessions: (person: PersonId) => Promise<void>;
  /** How long a push waits for the targets, in milliseconds. */
  readonly waitMs: number;
  readonly log: Pick<Log, 'warn'>;
}

/** A target that does not do now what was pushed. It is tried again in the background. */
export interface Failure {
  readonly target: string;
  readonly code: string;
}

/** Users that one transaction tells the directory of. */
const BATCH = 100;
/** People whose accounts are looked at side by side. */
const AT_ONCE = 16;
/** For more people than this nobody waits. */
const MOST_AWAITED = 50;
const DUE_AT_ONCE = 1_000;

/** Carries what was pushed on into the directory, and from there into the targets. */
export class Pushes {
  /** What telling the directory takes. */
  readonly deps: SettleDeps;
  readonly #deps: PushesDeps;
  readonly #running = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(deps: PushesDeps) {
    this.deps = deps;
    this.#deps = deps;
  }

  /**
   * Brings into the targets what is stored of these users. Waits for a few of them, and not longer than `waitMs`; the
   * others, and what fails, go on in the background. Answers with what does not work now. `settled`: the directory has
   * been told of them already.
   */
  async carryOut(
    client: ScimClient,
    ids: readonly string[],
    requestId: string,
    settled?: Settled,
  ): Promise<readonly Failure[]> {
    if (ids.length === 0) return [];
    const actor = `scim:${client.name}`;
    const work = this.#track(
      settled === undefined
        ? this.#carry(client, ids, requestId)
        : this.#reconcile(settled.concerned, actor, requestId),
    );
    if (ids.length > MOST_AWAITED) {
      work.catch((thrown: unknown) => this.#report(thrown, client));
      return [];
    }
    const patience = new AbortController();
    const waited = sleep(this.#deps.waitMs, [], { signal: patience.signal, ref: false }).catch(() => []);
    try {
      return await Promise.race([work, waited]);
    } finally {
      patience.abort();
      work.catch((thrown: unknown) => this.#report(thrown, client));
    }
  }

  /** Goes on with what somebody stored who did not get any further. For the scheduler. */
  async carryOutDue(): Promise<void> {
    const { database, clients } = this.#deps;
    const due = await database.run((db) => unsettledUsers(db, [...clients.keys()], DUE_AT_ONCE));
    for (const client of clients.values()) {
      if (this.#isClosed) return;
      const ids = due.filter((row) => row.client === client.name).map(({ id }) => id);
      if (ids.length > 0) await this.#track(this.#carry(client, ids, newRequestId()));
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled([...this.#running]);
  }

  async #carry(client: ScimClient, ids: readonly string[], requestId: string): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    for (let from = 0; from < ids.length; from += BATCH) {
      // What is stored waits for the scheduler, or for the next start.
      if (this.#isClosed && from > 0) break;
      const { concerned } = await settle(this.#deps, client, ids.slice(from, from + BATCH), requestId);
      failures.push(...(await this.#reconcile(concerned, `scim:${client.name}`, requestId)));
    }
    return failures;
  }

  async #reconcile(people: readonly Concerned[], actor: string, requestId: string): Promise<readonly Failure[]> {
    const waiting = [...people];
    const failures: Failure[] = [];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        failures.push(...(await this.#person(next, actor, requestId)));
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, people.length) }, work));
    return failures;
  }

  /** In this order: no new login, which the directory sees to by now; sessions and sockets; then the accounts. */
  async #person(
    { person, isOut: isGone, isDenied, targets }: Concerned,
    actor: string,
    requestId: string,
  ): Promise<readonly Failure[]> {
    const { again, leave, endSessions } = this.#deps;
    if (isGone || isDenied) await endSessions(person);
    const inTarget = isGone ? leave : again;
    const states = await Promise.all(
      targets.map(async (target) => {
        const state = await inTarget(person, target, actor, requestId).catch(failed);
        return failureOf(target, state);
      }),
    );
    // Whoever was in the middle of a login when it began is out now too.
    if (isGone || isDenied) await endSessions(person);
    return states.filter((failure) => failure !== undefined);
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const forget = (): void => void this.#running.delete(work);
    work.then(forget, forget);
    return work;
  }

  #report(thrown: unknown, { name }: ScimClient): void {
    const error = toLatchgateError(thrown);
    this.#deps.log.warn('a push goes on later', { client: name, code: error.code, error });
  }
}

function failed(thrown: unknown): AccountState {
  const { code, retryable } = toLatchgateError(thrown);
  return { status: 'failed', code, retryable, held: [] };
}

function failureOf(target: string, state: AccountState): Failure | undefined {
  if (state.status === 'ready') return state.degraded === undefined ? undefined : { target, code: state.degraded };
  // Somebody was let go meanwhile, which is done by whoever said so.
  return state.status === 'failed' && !isOut(state.code) ? { target, code: state.code } : undefined;
}

/** What the client is told to try again for; undefined: nothing that trying again could help. */
export function downOf(failures: readonly Failure[]): LatchgateError | undefined {
  const down = failures.find(({ code }) => isErrorCode(code) && isTargetFault(code));
  if (down === undefined) return undefined;
  const { target, code: reason } = down;
  return new LatchgateError('target_unavailable', 'what was pushed is kept, and is not in every target yet', {
    detail: { target, reason },
    retryAfterSeconds: 10,
  });
}
