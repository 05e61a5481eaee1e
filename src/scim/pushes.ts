import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Database } from '../directory/database.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Log } from '../ops/log.ts';
import { newRequestId } from '../ops/request-id.ts';
import { isOut } from '../provisioning/outcome.ts';
import type { AccountState } from '../provisioning/provision.ts';
import type { ScimClient } from './client.ts';
import type { Concerned } from './concern.ts';
import { type SettleDeps, type Settled, settle } from './settle.ts';
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
  /** Ids of the users by whom the person is concerned whose account it is. */
  readonly users: readonly string[];
}

export interface Carried {
  /** What does not work now. */
  readonly failures: readonly Failure[];
  /** False: something was not waited for, and may still be under way. */
  readonly isDone: boolean;
}

const UNDER_WAY: Carried = { failures: [], isDone: false };

/** Users that one transaction tells the directory of. On SQLite nothing else is done meanwhile. */
const BATCH = 25;
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
   * Brings into the targets what is stored of these users. Waits for a few of them, for all when the client is to be told
   * what is not in yet, and not longer than `waitMs`; the others, and what fails, go on in the background. `settled`: the
   * directory has been told of them already.
   */
  async carryOut(client: ScimClient, ids: readonly string[], requestId: string, settled?: Settled): Promise<Carried> {
    if (ids.length === 0) return { failures: [], isDone: true };
    const actor = `scim:${client.name}`;
    const work = this.#track(
      settled === undefined
        ? this.#carry(client, ids, requestId)
        : this.#reconcile(settled.concerned, actor, requestId),
    );
    if (ids.length > MOST_AWAITED && client.config.target_down === 'accept') {
      work.catch((thrown: unknown) => this.#report(thrown, client));
      return UNDER_WAY;
    }
    let patience: NodeJS.Timeout | undefined;
    const waited = new Promise<Carried>((resolve) => {
      patience = setTimeout(resolve, this.#deps.waitMs, UNDER_WAY).unref();
    });
    try {
      return await Promise.race([work.then((failures) => ({ failures, isDone: true })), waited]);
    } finally {
      clearTimeout(patience);
      work.catch((thrown: unknown) => this.#report(thrown, client));
    }
  }

  /** Goes on with what somebody stored who did not get any further. For the scheduler. */
  async carryOutDue(): Promise<void> {
    const { database, clients } = this.#deps;
    for (const client of clients.values()) {
      for (let after: string | undefined = ''; after !== undefined && !this.#isClosed; ) {
        const from: string = after;
        const due = await database.run((db) => unsettledUsers(db, client.name, from, DUE_AT_ONCE));
        if (due.length > 0) await this.#track(this.#carryEach(client, due, newRequestId()));
        after = due.length < DUE_AT_ONCE ? undefined : due.at(-1);
      }
    }
  }

  /** Where some cannot be settled together, each is for itself, and only those stay behind that are at fault. */
  async #carryEach(client: ScimClient, ids: readonly string[], requestId: string): Promise<void> {
    for (let from = 0; from < ids.length && !this.#isClosed; from += BATCH) {
      const batch = ids.slice(from, from + BATCH);
      try {
        await this.#carry(client, batch, requestId);
      } catch (thrown) {
        if (toLatchgateError(thrown).code === 'state_unavailable') throw thrown;
        for (const id of batch) {
          await this.#carry(client, [id], requestId).catch((one: unknown) => this.#report(one, client, id));
        }
      }
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
      await nextTurn();
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
    { person, users, isOut: isGone, isDenied, targets }: Concerned,
    actor: string,
    requestId: string,
  ): Promise<readonly Failure[]> {
    const { again, leave, endSessions } = this.#deps;
    if (isGone || isDenied) await endSessions(person);
    const inTarget = isGone ? leave : again;
    const states = await Promise.all(
      targets.map(async (target) => {
        const state = await inTarget(person, target, actor, requestId).catch(failed);
        return failureOf(target, users, state);
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

  #report(thrown: unknown, { name }: ScimClient, user?: string): void {
    const error = toLatchgateError(thrown);
    const which = user === undefined ? {} : { user };
    this.#deps.log.warn('a push goes on later', { client: name, ...which, code: error.code, error });
  }
}

function failed(thrown: unknown): AccountState {
  const { code, retryable } = toLatchgateError(thrown);
  return { status: 'failed', code, retryable, held: [] };
}

function failureOf(target: string, users: readonly string[], state: AccountState): Failure | undefined {
  if (state.status === 'ready')
    return state.degraded === undefined ? undefined : { target, code: state.degraded, users };
  // Somebody was let go meanwhile, which is done by whoever said so.
  return state.status === 'failed' && !isOut(state.code) ? { target, code: state.code, users } : undefined;
}
