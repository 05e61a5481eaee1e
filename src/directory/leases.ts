import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExpressionBuilder } from 'kysely';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Database } from './database.ts';
import type { Lease, Leases } from './directory.ts';
import type { Tables } from './tables.ts';

const POLL_MS = 40;
const PRUNE_EVERY_MS = 60_000;
/** So far the clocks of two instances may be apart. */
const CLOCKS_DIFFER_MS = 60_000;

/** Leases over the database, and how to give up all that this instance holds. */
export interface HeldLeases extends Leases {
  releaseAll(): Promise<void>;
}

/**
 * Expiry is told by this instance's clock, so the clocks of the instances should agree to well within a `ttlMs`. A lease
 * that ends further ahead than one could by now was taken by a clock that was wrong: it counts as run out. Within
 * one instance callers of the same name come in the order in which they asked.
 */
export function createLeases(database: Database, clock: Clock): HeldLeases {
  const held = new Set<Lease>();
  const queues = new Map<string, Promise<void>>();
  let prunedAt = Number.NEGATIVE_INFINITY;

  return {
    async acquire(name, ttlMs, signal) {
      const turn = takeTurn(queues, name);
      try {
        await orLost(turn.come, signal, name);
        const lease = new RowLease(database, clock, name, ttlMs, (ended) => {
          held.delete(ended);
          turn.over();
        });
        await lease.wait(signal);
        held.add(lease);
        return lease;
      } catch (error) {
        turn.over();
        throw error;
      }
    },
    async acquireFree(names, ttlMs) {
      const lease = new RowLeases(database, clock, names, ttlMs, (ended) => held.delete(ended));
      await lease.take();
      held.add(lease);
      return lease;
    },
    async keep({ name, holder, ttlMs }) {
      if (!(await renewed(database, clock, holder, ttlMs))) throw lost(name);
    },
    async once(purpose, key, expiresAt) {
      const now = clock.now();
      if (now - prunedAt >= PRUNE_EVERY_MS) {
        prunedAt = now;
        await database.run((db) => db.deleteFrom('once_keys').where('expires_at', '<=', now).execute());
      }
      const expires = expiresAt.getTime();
      const written = await database.run((db) =>
        db
          .insertInto('once_keys')
          .values({ purpose, key, expires_at: expires })
          .onConflict((conflict) =>
            conflict
              .columns(['purpose', 'key'])
              .doUpdateSet({ expires_at: expires })
              .where('once_keys.expires_at', '<=', now),
          )
          .executeTakeFirst(),
      );
      return written.numInsertedOrUpdatedRows === 1n;
    },
    seen: (purpose, key) =>
      database.run(async (db) => {
        const row = await db
          .selectFrom('once_keys')
          .select('key')
          .where('purpose', '=', purpose)
          .where('key', '=', key)
          .where('expires_at', '>', clock.now())
          .executeTakeFirst();
        return row !== undefined;
      }),
    async releaseAll() {
      await Promise.all([...held].map((lease) => lease.release()));
    },
  };
}

/**
 * False: it ran out, or is not there. What has run out is not renewed, though nobody may have had it since: whoever
 * held it stood still. In a transaction the row is locked until its end.
 */
async function renewed(database: Database, clock: Clock, holder: string, ttlMs: number): Promise<boolean> {
  const now = clock.now();
  const expires_at = now + ttlMs;
  const written = await database.run((db) =>
    db
      .updateTable('leases')
      .set({ expires_at })
      .where('holder', '=', holder)
      .where('expires_at', '>', now)
      .executeTakeFirst(),
  );
  return written.numUpdatedRows > 0n && clock.now() < expires_at;
}

function isOver(now: number, ttlMs: number) {
  return ({ or, eb }: ExpressionBuilder<Tables, 'leases'>) =>
    or([eb('leases.expires_at', '<=', now), eb('leases.expires_at', '>', now + ttlMs + CLOCKS_DIFFER_MS)]);
}

function newHolder(): string {
  return randomBytes(16).toString('base64url');
}

class RowLease implements Lease {
  readonly name: string;
  readonly holder = newHolder();
  readonly ttlMs: number;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #onEnd: (lease: RowLease) => void;
  #renewal: NodeJS.Timeout | undefined;
  #released: Promise<void> | undefined;

  constructor(database: Database, clock: Clock, name: string, ttlMs: number, onEnd: (lease: RowLease) => void) {
    this.#database = database;
    this.#clock = clock;
    this.name = name;
    this.ttlMs = ttlMs;
    this.#onEnd = onEnd;
  }

  async wait(signal: AbortSignal): Promise<void> {
    for (;;) {
      if (signal.aborted) throw lost(this.name);
      if (await this.#take()) break;
      await sleep(POLL_MS * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
    }
    this.#renewal = setInterval(() => void this.#renew(), Math.max(1, Math.floor(this.ttlMs / 3)));
    this.#renewal.unref();
  }

  release(): Promise<void> {
    this.#released ??= this.#giveBack();
    return this.#released;
  }

  async #take(): Promise<boolean> {
    const now = this.#clock.now();
    const row = { holder: this.holder, expires_at: now + this.ttlMs };
    const written = await this.#database.run((db) =>
      db
        .insertInto('leases')
        .values({ name: this.name, ...row })
        .onConflict((conflict) => conflict.column('name').doUpdateSet(row).where(isOver(now, this.ttlMs)))
        .executeTakeFirst(),
    );
    return written.numInsertedOrUpdatedRows === 1n;
  }

  async #renew(): Promise<void> {
    // The next renewal tries again; when none comes through, the lease passes on.
    await renewed(this.#database, this.#clock, this.holder, this.ttlMs).catch(() => undefined);
  }

  async #giveBack(): Promise<void> {
    clearInterval(this.#renewal);
    try {
      await this.#database.run((db) =>
        db.deleteFrom('leases').where('name', '=', this.name).where('holder', '=', this.holder).execute(),
      );
    } finally {
      this.#onEnd(this);
    }
  }
}

/** Leases of several names that were free at the same time. */
class RowLeases implements Lease {
  readonly name: string;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly holder = newHolder();
  readonly ttlMs: number;
  readonly #wanted: readonly string[];
  readonly #onEnd: (lease: Lease) => void;
  names: ReadonlySet<string> = new Set();
  #renewal: NodeJS.Timeout | undefined;
  #released: Promise<void> | undefined;

  constructor(
    database: Database,
    clock: Clock,
    wanted: readonly string[],
    ttlMs: number,
    onEnd: (lease: Lease) => void,
  ) {
    this.#database = database;
    this.#clock = clock;
    // One order for everybody, so that two who want the same ones do not wait for each other.
    this.#wanted = [...new Set(wanted)].sort();
    this.name = this.#wanted[0] ?? '';
    this.ttlMs = ttlMs;
    this.#onEnd = onEnd;
  }

  async take(): Promise<void> {
    this.names = await this.#database.transaction(async (trx) => {
      const now = this.#clock.now();
      const row = { holder: this.holder, expires_at: now + this.ttlMs };
      const taken = new Set<string>();
      for (const name of this.#wanted) {
        const written = await trx
          .insertInto('leases')
          .values({ name, ...row })
          .onConflict((conflict) => conflict.column('name').doUpdateSet(row).where(isOver(now, this.ttlMs)))
          .executeTakeFirst();
        if (written.numInsertedOrUpdatedRows === 1n) taken.add(name);
      }
      return taken;
    });
    this.#renewal = setInterval(() => void this.#renew(), Math.max(1, Math.floor(this.ttlMs / 3)));
    this.#renewal.unref();
  }

  release(): Promise<void> {
    this.#released ??= this.#giveBack();
    return this.#released;
  }

  async #renew(): Promise<void> {
    await renewed(this.#database, this.#clock, this.holder, this.ttlMs).catch(() => undefined);
  }

  async #giveBack(): Promise<void> {
    clearInterval(this.#renewal);
    try {
      await this.#database.run((db) => db.deleteFrom('leases').where('holder', '=', this.holder).execute());
    } finally {
      this.#onEnd(this);
    }
  }
}

interface Turn {
  /** Ends when everybody before has finished. */
  readonly come: Promise<void>;
  over(): void;
}

function takeTurn(queues: Map<string, Promise<void>>, name: string): Turn {
  const come = queues.get(name) ?? Promise.resolve();
  let over = () => {};
  const finished = new Promise<void>((resolve) => {
    over = resolve;
  });
  const last = come.then(() => finished);
  queues.set(name, last);
  void last.then(() => {
    if (queues.get(name) === last) queues.delete(name);
  });
  return { come, over };
}

async function orLost(turn: Promise<void>, signal: AbortSignal, name: string): Promise<void> {
  if (signal.aborted) throw lost(name);
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(lost(name));
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([turn, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function lost(name: string): LatchgateError {
  return new LatchgateError('lease_lost', 'another instance works on the same thing for too long', {
    detail: { lease: name },
  });
}
