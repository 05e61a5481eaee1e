import type { Directory } from '../directory/directory.ts';
import type { Review } from '../directory/reviews.ts';
import { type Entitlement, entitlementKey } from '../model/entitlement.ts';
import { type ErrorCode, LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import { type Cells, checkOf, type FilledLine, readFilled } from './review-csv.ts';
import { reasonsOf } from './review-rows.ts';

/** A grant that is to go, and what it was when somebody decided so. */
export interface Revocation extends Entitlement {
  readonly line: number;
  readonly person: PersonId;
  readonly personName: string;
  readonly rule: string;
  readonly origin: string;
  /** ISO 8601. */
  readonly since: string;
  /** What the reviewer wrote. */
  readonly reason?: string;
}

/** What was decided in a review. */
export interface ReviewDecisions {
  readonly review: Review;
  readonly keep: number;
  readonly undecided: number;
  /** Rows of the review that the file does not have. */
  readonly missing: number;
  readonly revoke: readonly Revocation[];
}

type LoadDeps = Pick<Directory, 'reviews' | 'ledger'>;

interface Fault {
  readonly line: number;
  readonly code: ErrorCode;
  readonly message: string;
}

const MOST_FAULTS = 20;
const MOST_REASON_CHARACTERS = 256;
const KIND: Readonly<Record<string, Entitlement['kind']>> = { group: 'group', role: 'role', permission: 'permission' };

/**
 * Reads a review that was filled in. All or nothing: whatever is wrong with any line is said with its number, as the
 * message of `review_invalid`, `review_foreign`, `review_changed` or `review_stale`.
 */
export async function loadReview(deps: LoadDeps, text: string): Promise<ReviewDecisions> {
  const lines = readFilled(text);
  const id = lines[0]?.cells.review;
  if (id === undefined) throw new LatchgateError('review_invalid', 'the file has no line but its header');
  const review = await deps.reviews.get(id);
  if (review === undefined) throw new LatchgateError('review_foreign', 'line 2: this review is not known here');
  const faults = faultsOf(review, lines);
  refuse(faults);
  const revoke = lines.filter(({ cells }) => decisionOf(cells) === 'revoke').map(revocationOf);
  refuse(await staleAmong(deps, review.target, revoke));
  const keep = lines.filter(({ cells }) => decisionOf(cells) === 'keep').length;
  const undecided = lines.length - keep - revoke.length;
  return { review, keep, undecided, missing: review.rows - lines.length, revoke };
}

/** Revocations of grants that are others by now. */
export async function staleAmong(
  { ledger }: Pick<Directory, 'ledger'>,
  target: string,
  revoke: readonly Revocation[],
): Promise<readonly Fault[]> {
  const faults: Fault[] = [];
  for (const row of revoke) {
    const grants = (await ledger.ofPerson(row.person)).filter(
      (grant) => grant.target === target && entitlementKey(grant) === entitlementKey(row),
    );
    if (grants.length === 0) {
      faults.push({ line: row.line, code: 'review_stale', message: 'the grant is not there any more' });
      continue;
    }
    const { rule, origin, since } = reasonsOf(grants);
    if (rule !== row.rule || origin !== row.origin || since.toISOString() !== row.since) {
      faults.push({ line: row.line, code: 'review_stale', message: 'the grant was given anew, or by something else' });
    }
  }
  return faults;
}

export function refuse(faults: readonly Fault[]): void {
  const [first] = faults;
  if (first === undefined) return;
  const said = faults.slice(0, MOST_FAULTS).map(({ line, message }) => `line ${line}: ${message}`);
  const more = faults.length > MOST_FAULTS ? [`and ${faults.length - MOST_FAULTS} more`] : [];
  throw new LatchgateError(first.code, [...said, ...more].join('; '));
}

function faultsOf(review: Review, lines: readonly FilledLine[]): readonly Fault[] {
  const seen = new Map<string, FilledLine>();
  return lines.flatMap((line) => {
    const fault = faultOf(review, line, seen);
    return fault === undefined ? [] : [{ line: line.line, ...fault }];
  });
}

function faultOf(review: Review, one: FilledLine, seen: Map<string, FilledLine>): Omit<Fault, 'line'> | undefined {
  const { cells } = one;
  if (cells.review !== review.id) return { code: 'review_foreign', message: 'a row of another review' };
  if (cells.check !== checkOf(review.seal, cells) || KIND[cells.kind] === undefined) {
    return { code: 'review_changed', message: 'not what was written there: only decision and reason are filled in' };
  }
  const key = [cells.person, cells.kind, cells.entitlement, cells.scope].join('\u0000');
  const before = seen.get(key);
  seen.set(key, one);
  if (before !== undefined) {
    const differs = decisionOf(before.cells) !== decisionOf(cells);
    return {
      code: 'review_invalid',
      message: `the same as line ${before.line}${differs ? ', with another decision' : ''}`,
    };
  }
  if (decisionOf(cells) === undefined) {
    return { code: 'review_invalid', message: 'decision is neither keep nor revoke nor empty' };
  }
  return undefined;
}

function decisionOf({ decision }: Cells): 'keep' | 'revoke' | '' | undefined {
  const word = decision.trim().toLowerCase();
  return word === 'keep' || word === 'revoke' || word === '' ? word : undefined;
}

function revocationOf({ line, cells }: FilledLine): Revocation {
  const reason = cells.reason
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, MOST_REASON_CHARACTERS);
  return {
    line,
    person: cells.person,
    personName: cells.name,
    kind: KIND[cells.kind] ?? 'group',
    name: cells.entitlement,
    ...(cells.scope === '' ? {} : { scope: cells.scope }),
    rule: cells.rule,
    origin: cells.origin,
    since: cells.since,
    ...(reason === '' ? {} : { reason }),
  };
}
