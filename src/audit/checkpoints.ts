import type { Database } from '../directory/database.ts';
import type { Leases, StateValues } from '../directory/directory.ts';
import type { AuditRow } from '../directory/tables-audit.ts';
import type { Clock } from '../ops/clock.ts';
import type { Signer } from '../ops/keys.ts';
import type { Log } from '../ops/log.ts';
import type { Audit } from './audit.ts';
import { beginning, faultOf, lastCheckpoint, type Place, recordsAfter } from './chain.ts';
import { markOf, openCheckpoint, signCheckpoint } from './checkpoint.ts';

const LEASE = 'audit:checkpoint';
const LEASE_MS = 15_000;
const VERIFIED = 'audit:verified';
/** How often the whole chain is walked by itself, and how often once it did not hold. */
const WHOLE_MS = 24 * 3_600_000;
const BROKEN_MS = 10 * 60_000;

export interface CheckpointsDeps {
  readonly database: Database;
  readonly audit: Audit;
  readonly leases: Leases;
  readonly values: StateValues;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly log: Log;
  /** A checkpoint covers at most so many records, and is made at the latest when the first of them is so old. */
  readonly records: number;
  readonly everyMs: number;
}

/** What instances tell each other of the last walk along the chain. */
export interface Verified {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly ok: boolean;
  readonly firstBad?: number;
  readonly why?: string;
}

/** Signs what was appended, once for all instances, and finds early that something signed is not there any more. */
export class Checkpoints {
  readonly #deps: CheckpointsDeps;
  /** The last that this instance has seen: who takes everything out of the database does not take it from here. */
  #seen: Place | undefined;

  constructor(deps: CheckpointsDeps) {
    this.#deps = deps;
  }

  /** Signs whatever is due, and ends early once `stop` says so. Nothing is signed that does not hold. */
  async look(stop: AbortSignal): Promise<void> {
    const lost = await this.#lostSeen();
    if (lost !== undefined) return this.#broken(lost, 'a record that was signed is not there any more');
    const { unsignedMs, isFull } = await this.#unsigned();
    const isDue = isFull || (unsignedMs !== undefined && unsignedMs >= this.#deps.everyMs);
    if (!isDue && !(await this.#isWholeDue())) return;
    const { leases } = this.#deps;
    const lease = await leases.acquireFree([LEASE], LEASE_MS);
    try {
      if (!lease.names.has(LEASE)) return;
      while (!stop.aborted && (await this.#sign())) await leases.keep(lease);
      if (await this.#isWholeDue()) await this.#verifyWhole(stop);
    } finally {
      await lease.release();
    }
  }

  /** Of all instances; undefined: nobody has looked yet. */
  async verified(): Promise<Verified | undefined> {
    const stored = await this.#deps.values.get(VERIFIED);
    return stored === undefined ? undefined : (JSON.parse(stored) as Verified);
  }

  /** Age of the oldest record that is not signed in milliseconds, and when the last checkpoint was made. */
  async standing(): Promise<{ readonly unsignedMs: number; readonly lastAt?: number }> {
    const { lastAt, unsignedMs = 0 } = await this.#unsigned();
    return { unsignedMs, ...(lastAt === undefined ? {} : { lastAt }) };
  }

  async #unsigned(): Promise<{ readonly unsignedMs?: number; readonly isFull: boolean; readonly lastAt?: number }> {
    const { database, clock, records } = this.#deps;
    const last = await database.run(lastCheckpoint);
    const [first] = await database.run((db) => recordsAfter(db, last?.seq ?? 0, 1));
    const [full] = await database.run((db) => recordsAfter(db, (last?.seq ?? 0) + records - 1, 1));
    return {
      isFull: full !== undefined,
      ...(first === undefined ? {} : { unsignedMs: Math.max(0, clock.now() - first.at) }),
      ...(last === undefined ? {} : { lastAt: last.at }),
    };
  }

  /** The number of what this instance has seen signed, if it is another record now, or none. */
  async #lostSeen(): Promise<number | undefined> {
    const { database, signer } = this.#deps;
    const last = await database.run(lastCheckpoint);
    const seen = this.#seen;
    if (seen !== undefined) {
      const start = await database.run((db) => beginning(db, () => signer.publicKeys()));
      if (start !== 'forged' && start.seq > seen.seq) this.#seen = undefined;
      else {
        const [row] = await database.run((db) => recordsAfter(db, seen.seq - 1, 1));
        const wasRemoved = start !== 'forged' && start.seq === seen.seq && start.hash === seen.hash;
        if (!wasRemoved && row?.hash !== seen.hash) return seen.seq;
        if ((last?.seq ?? 0) < seen.seq) return seen.seq;
      }
    }
    const checkpoint = last === undefined ? undefined : await openCheckpoint(last.token, await signer.publicKeys());
    if (checkpoint !== undefined) this.#seen = checkpoint;
    return undefined;
  }

  /** One checkpoint, if one is due. False: there is nothing more to sign. */
  async #sign(): Promise<boolean> {
    const { database, signer, clock, log, records, everyMs } = this.#deps;
    const from = await this.#lastSigned();
    if (from === undefined) return false;
    const rows = await database.run((db) => recordsAfter(db, from.seq, records));
    const [first] = rows;
    if (first === undefined || (rows.length < records && first.at + everyMs > clock.now())) return false;
    const last = await this.#follow(from, rows);
    if (last === undefined) return false;
    const at = new Date(clock.now());
    const marks = rows.map(({ hash }) => markOf(hash)).join('');
    const token = await signCheckpoint(signer, { after: from.seq, seq: last.seq, hash: last.hash, marks, at });
    const written = await database.run((db) =>
      db
        .insertInto('audit_checkpoints')
        .values({ seq: last.seq, at: at.getTime(), token })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst(),
    );
    if (written.numInsertedOrUpdatedRows !== 1n) return false;
    this.#seen = last;
    // In the log as well, which somebody who writes the database does not write.
    log.info('audit checkpoint', { seq: last.seq, hash: last.hash, key: await signer.currentKid() });
    return true;
  }

  async #lastSigned(): Promise<Place | undefined> {
    const { database, signer } = this.#deps;
    const keys = () => signer.publicKeys();
    const start = await database.run((db) => beginning(db, keys));
    if (start === 'forged') return this.#broken(1, 'what says that old records were removed is not signed by us');
    const last = await database.run(lastCheckpoint);
    if (last === undefined) {
      // It goes on from a checkpoint, which is kept.
      return start.removed === undefined ? start : this.#broken(start.seq + 1, 'the checkpoints are gone');
    }
    const checkpoint = await openCheckpoint(last.token, await keys());
    if (checkpoint?.seq !== last.seq)
      return this.#broken(last.seq, 'the last checkpoint is not signed by a key of ours');
    if (checkpoint.seq === start.seq) return start;
    const [row] = await database.run((db) => recordsAfter(db, checkpoint.seq - 1, 1));
    if (row?.hash === checkpoint.hash) return row;
    return this.#broken(checkpoint.seq, 'the record is not the one that was signed');
  }

  async #follow(from: Place, rows: readonly AuditRow[]): Promise<Place | undefined> {
    let place = from;
    for (const row of rows) {
      const why = faultOf(row, place);
      if (why !== undefined) return this.#broken(place.seq + 1, why);
      place = row;
    }
    return { seq: place.seq, hash: place.hash };
  }

  async #isWholeDue(): Promise<boolean> {
    const before = await this.verified();
    return before === undefined || before.at + (before.ok ? WHOLE_MS : BROKEN_MS) <= this.#deps.clock.now();
  }

  async #verifyWhole(stop: AbortSignal): Promise<void> {
    const { audit, clock } = this.#deps;
    const verdict = await audit.verify({ signal: stop }).catch((thrown: unknown) => {
      if (stop.aborted) return undefined;
      throw thrown;
    });
    // Whoever stops leaves it to the next.
    if (verdict === undefined) return;
    const { firstBad, why } = verdict;
    if (firstBad === undefined) await this.#tell({ at: clock.now(), ok: true });
    else await this.#broken(firstBad, why ?? '');
  }

  async #broken(firstBad: number, why: string): Promise<undefined> {
    const { clock, log } = this.#deps;
    const before = await this.verified();
    if (before?.ok === false && before.firstBad === firstBad && before.at + BROKEN_MS > clock.now()) return undefined;
    log.error('the audit does not hold', { code: 'audit_broken', firstBad, why });
    await this.#tell({ at: clock.now(), ok: false, firstBad, why });
    return undefined;
  }

  async #tell(verified: Verified): Promise<void> {
    const { values } = this.#deps;
    await values.swap(VERIFIED, await values.get(VERIFIED), JSON.stringify(verified));
  }
}
