import { setImmediate as letOthers } from 'node:timers/promises';
import type { Database } from '../directory/database.ts';
import { AUDIT_HEAD_ID, type AuditHeadRow, type AuditRow } from '../directory/tables-audit.ts';
import type { Verdict } from './audit.ts';
import { type Beginning, beginning, checkpointsAfter, faultOf, type Place, recordsAfter } from './chain.ts';
import { type Checkpoint, contradicts, openCheckpoint, type PublicKey } from './checkpoint.ts';

const PAGE = 500;
const CHECKPOINTS = 20;
/** Old records may be removed while we walk: then we begin anew. */
const ATTEMPTS = 5;

/** Whose word counts beside the chain itself. */
export interface Witnesses {
  /** Public keys of those who sign. */
  readonly keys: () => Promise<readonly PublicKey[]>;
  /** Checkpoints that were kept elsewhere, already opened. */
  readonly kept: readonly Checkpoint[];
  /** Ends the walk: it throws the reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Walks the whole chain, and holds it against everything that was signed of it. */
export async function verifyChain(database: Database, witnesses: Witnesses): Promise<Verdict> {
  for (let attempt = 1; ; attempt += 1) {
    const start = await database.run((db) => beginning(db, witnesses.keys));
    const verdict = await new Walk(database, witnesses, start).run();
    if (verdict.firstBad === undefined || attempt === ATTEMPTS) return verdict;
    const now = await database.run((db) => beginning(db, witnesses.keys));
    if (start === 'forged' || now === 'forged' || now.seq === start.seq) return verdict;
  }
}

/** One walk while others may append. */
class Walk {
  readonly #database: Database;
  readonly #keys: Witnesses['keys'];
  readonly #kept: readonly Checkpoint[];
  readonly #signal: AbortSignal | undefined;
  readonly #beginning: Beginning;
  #records = 0;
  #at: Place = { seq: 0, hash: '' };
  /** Checkpoints that cover what comes. */
  #ahead: Checkpoint[] = [];
  /** Nothing is signed of the rest of this page. */
  #isUnsigned = false;
  /** Up to where checkpoints were read. */
  #signed: { readonly seq: number; readonly at?: Date } = { seq: 0 };

  constructor(database: Database, { keys, kept, signal }: Witnesses, start: Beginning) {
    this.#database = database;
    this.#keys = keys;
    this.#kept = kept;
    this.#signal = signal;
    this.#beginning = start;
  }

  async run(): Promise<Verdict> {
    const start = this.#beginning;
    if (start === 'forged')
      return this.#bad(1, 'that old records were removed because of their age is not signed by a key of ours');
    this.#at = start;
    this.#signed = { seq: start.seq, ...(start.removed === undefined ? {} : { at: start.removed.at }) };
    if (this.#kept.some(({ seq, hash }) => seq === start.seq && hash !== start.hash))
      return this.#bad(
        start.seq + 1,
        'what was removed before it was something else than the checkpoint kept elsewhere says',
      );
    for (;;) {
      // Read before the page: whatever this head counts must then be there.
      const head = await this.#database.run((db) =>
        db.selectFrom('audit_head').selectAll().where('id', '=', AUDIT_HEAD_ID).executeTakeFirst(),
      );
      const rows = await this.#database.run((db) => recordsAfter(db, this.#at.seq, PAGE));
      this.#isUnsigned = false;
      for (const row of rows) {
        const why = faultOf(row, this.#at) ?? (await this.#contradiction(row));
        if (why !== undefined) return this.#bad(this.#at.seq + 1, why);
        this.#records += 1;
        this.#at = row;
      }
      if (rows.length === 0) return this.#atEnd(head);
      await letOthers();
      this.#signal?.throwIfAborted();
    }
  }

  async #contradiction(row: AuditRow): Promise<string | undefined> {
    const fault = await this.#readAhead(row.seq);
    if (fault !== undefined) return fault;
    const [signed] = this.#ahead;
    if (signed !== undefined && contradicts(signed, row.seq, row.hash))
      return `the record is not the one that was signed ${signed.at.toISOString()}`;
    const kept = this.#kept.find((one) => contradicts(one, row.seq, row.hash));
    if (kept !== undefined)
      return `the record is not the one of the checkpoint kept elsewhere, of ${kept.at.toISOString()}`;
    return undefined;
  }

  /** Makes the first of `#ahead` the one that covers this record, if any does. */
  async #readAhead(seq: number): Promise<string | undefined> {
    while ((this.#ahead[0]?.seq ?? seq) < seq) this.#ahead.shift();
    if (this.#ahead.length > 0 || this.#isUnsigned) return undefined;
    const from = this.#signed.seq;
    const rows = await this.#database.run((db) => checkpointsAfter(db, from, CHECKPOINTS));
    this.#isUnsigned = rows.length === 0;
    const keys = rows.length === 0 ? [] : await this.#keys();
    for (const row of rows) {
      const checkpoint = await openCheckpoint(row.token, keys);
      // What stands before it may still be read; the fault is found where its own records begin.
      if (this.#ahead.length > 0 && (checkpoint?.seq !== row.seq || checkpoint.after !== this.#signed.seq)) break;
      if (checkpoint?.seq !== row.seq) return `the checkpoint at ${row.seq} is not signed by a key of ours`;
      if (checkpoint.after !== this.#signed.seq)
        return `the checkpoint of the records up to ${checkpoint.after} is missing`;
      this.#ahead.push(checkpoint);
      this.#signed = checkpoint;
    }
    return undefined;
  }

  /** Nothing came after the last record, and `head` was read before we looked. */
  async #atEnd(head: AuditHeadRow | undefined): Promise<Verdict> {
    const { seq, hash } = this.#at;
    if (head === undefined) return this.#bad(seq + 1, 'the head of the chain is gone');
    if (head.seq > seq) return this.#bad(seq + 1, `the end is cut off: the chain counts ${head.seq} records`);
    if (head.seq < seq) return this.#bad(head.seq + 1, `records were put in: the chain counts ${head.seq}`);
    if (head.hash !== hash) return this.#bad(seq, 'the head of the chain holds another hash');
    this.#isUnsigned = false;
    const fault = await this.#readAhead(seq + 1);
    if (fault !== undefined) return this.#bad(seq + 1, fault);
    // One that was made since we read the last page covers records that we have not seen.
    const beyond = [...this.#ahead, ...this.#kept].findLast((signed) => signed.seq > seq);
    if (beyond !== undefined && (await this.#isCut(seq)))
      return this.#bad(
        seq + 1,
        `the end is cut off: a checkpoint of ${beyond.at.toISOString()} counts ${beyond.seq} records`,
      );
    return this.#held();
  }

  async #isCut(seq: number): Promise<boolean> {
    return (await this.#database.run((db) => recordsAfter(db, seq, 1))).length === 0;
  }

  #held(): Verdict {
    const { removed } = this.#beginning as Exclude<Beginning, 'forged'>;
    const { seq, at } = this.#signed;
    return {
      records: this.#records,
      ...(removed === undefined ? {} : { from: removed.seq + 1, removedAt: removed.at }),
      ...(at === undefined ? {} : { signed: { seq, at } }),
    };
  }

  #bad(firstBad: number, why: string): Verdict {
    return { records: this.#records, firstBad, why };
  }
}
