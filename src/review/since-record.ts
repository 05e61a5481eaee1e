import type { Audit, AuditRecord } from '../audit/audit.ts';
import { type Entitlement, entitlementOf } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import { Links } from './linked.ts';

export const ABOUT_GRANT: ReadonlySet<string> = new Set([
  'grant.given',
  'grant.adopted',
  'grant.taken',
  'grant.pinned',
  'pin.lifted',
]);
export const ABOUT_ACCOUNT: ReadonlySet<string> = new Set(['account.deleted', 'account.released', 'account.disabled']);

/** Throws `not_found`. */
export async function recordAndSince(audit: Pick<Audit, 'list'>, seq: number): Promise<RecordAndSince> {
  let record: AuditRecord | undefined;
  const later: AuditRecord[] = [];
  const links = new Links();
  for await (const one of audit.list({})) {
    links.hear(one);
    if (one.seq === seq) record = one;
    else if (record !== undefined && one.person === record.person) later.push(one);
  }
  if (record === undefined) throw new LatchgateError('not_found', `the audit has no record ${seq}, or not any more`);
  return new RecordAndSince(record, later, links);
}

/** A record that is to be undone, and what has become of what it is about. What refuses throws `undo_stale`. */
export class RecordAndSince {
  readonly record: AuditRecord;
  /** About the same person, oldest first. */
  readonly later: readonly AuditRecord[];
  readonly #links: Links;

  constructor(record: AuditRecord, later: readonly AuditRecord[], links: Links) {
    this.record = record;
    this.later = later;
    this.#links = links;
  }

  /** Who somebody is by now. */
  now(person: PersonId): PersonId {
    return this.#links.now(person);
  }

  /** Throws `undo_impossible`. */
  target(): string {
    const { target } = this.record;
    if (target === undefined) throw new LatchgateError('undo_impossible', 'the record names no target');
    return target;
  }

  /** Throws `undo_impossible`. */
  about(): { readonly target: string; readonly entitlement: Entitlement } {
    const entitlement = entitlementOf(this.record.key ?? '');
    if (entitlement === undefined) throw new LatchgateError('undo_impossible', 'the record names no entitlement');
    return { target: this.target(), entitlement };
  }

  isSameGrant({ target, key }: AuditRecord): boolean {
    return target === this.record.target && key === this.record.key;
  }

  refuseUndone(): void {
    const undone = this.later.find(
      ({ event, before }) => event === 'change.undone' && seqOf(before) === this.record.seq,
    );
    if (undone !== undefined) throw stale(`record ${undone.seq} has undone it already`);
  }

  refuseMovedGrant(): void {
    this.refuseMoved(
      (one) =>
        (ABOUT_GRANT.has(one.event) && this.isSameGrant(one)) ||
        ((one.event === 'account.deleted' || one.event === 'account.released') && one.target === this.record.target),
    );
  }

  refuseMoved(isAbout: (record: AuditRecord) => boolean): void {
    const moved = this.later.find(isAbout);
    if (moved === undefined) return;
    throw stale(`record ${moved.seq} (${moved.event}, ${moved.at.toISOString()}) came after it`);
  }
}

export function stale(why: string): LatchgateError {
  return new LatchgateError('undo_stale', `${why}; nothing was done`);
}

function seqOf(before: unknown): unknown {
  return typeof before === 'object' && before !== null ? (before as { readonly seq?: unknown }).seq : undefined;
}
