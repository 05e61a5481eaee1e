import { randomBytes } from 'node:crypto';
import type { Directory } from '../directory/directory.ts';
import type { Review } from '../directory/reviews.ts';
import type { Mapping } from '../mapping/mapping.ts';
import { show } from '../mapping/visible.ts';
import { entitlementKey } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import { writePrivateFile } from '../ops/private-file.ts';
import { newRequestId } from '../ops/request-id.ts';
import { type ApplyReviewDeps, applyReview, type RevokedRow } from '../review/apply-review.ts';
import { loadReview } from '../review/load.ts';
import { headerLine, reviewLine } from '../review/review-csv.ts';
import { isReviewPlan, parseReviewPlan, reviewPlanText } from '../review/review-plan.ts';
import { reviewRows } from '../review/review-rows.ts';
import { readTextFile } from './files.ts';
import type { Io } from './io.ts';
import { EXIT_HELD } from './plan.ts';

const OPERATOR = 'operator';
const EXIT_FAILED = 1;
const SEAL_BYTES = 32;
const ID_BYTES = 8;

export interface ReviewOptions {
  readonly target?: string;
  /** `role:Admin`, or the name alone. */
  readonly entitlement?: string;
  /** With `target`: the CSV file. With `load`: the plan. */
  readonly out?: string;
  /** A file that was filled in. */
  readonly load?: string;
  readonly json?: boolean;
}

export interface ReviewDeps {
  readonly directory: Directory;
  readonly mapping: Mapping;
  readonly clock: Clock;
  /** Names of the config. */
  readonly targets: readonly string[];
}

/**
 * `latchgate review --target T --out FILE`: every grant with its reason, for somebody to decide on. `latchgate review --load
 * FILE [--out PLAN]`: what was decided, as a plan. Changes nothing anywhere. Exit code 0. Throws `usage`, `not_found`,
 * `review_invalid`, `review_foreign`, `review_changed`, `review_stale`, `plan_unwritable`.
 */
export async function review(options: ReviewOptions, deps: ReviewDeps, io: Io): Promise<number> {
  if (options.load !== undefined) return load({ ...options, load: options.load }, deps, io);
  const { target, out } = options;
  if (target === undefined || out === undefined) {
    throw new LatchgateError('usage', 'review takes --target NAME and --out FILE, or --load FILE');
  }
  if (!deps.targets.includes(target)) throw new LatchgateError('not_found', `there is no target ${show(target)}`);
  return make({ ...options, target, out }, deps, io);
}

async function make(
  { target, entitlement, out, json }: ReviewOptions & { readonly target: string; readonly out: string },
  deps: ReviewDeps,
  io: Io,
): Promise<number> {
  const { directory, clock } = deps;
  const review: Review = {
    id: `rv_${randomBytes(ID_BYTES).toString('hex')}`,
    target,
    ...(entitlement === undefined ? {} : { entitlement }),
    at: new Date(clock.now()),
    rows: 0,
    seal: randomBytes(SEAL_BYTES).toString('base64url'),
  };
  const people = new Set<string>();
  let rows = 0;
  const lines = async function* (): AsyncGenerator<string, void> {
    yield headerLine();
    for await (const row of reviewRows(deps, target, entitlement)) {
      rows += 1;
      people.add(row.person.id);
      yield reviewLine(review, row);
    }
    if (rows === 0) throw new LatchgateError('not_found', `nothing of that kind was granted in ${show(target)}`);
    // Before the file is there: one that nobody knows would be of no use.
    await directory.reviews.save({ ...review, rows });
  };
  await writePrivateFile(out, lines());
  if (json === true) io.out(JSON.stringify({ review: review.id, target, rows, people: people.size, out }));
  else {
    io.out(`${review.id}: ${rows} grants of ${people.size} people in ${target} are in ${out}`);
    io.out('What was given by hand in the target is not in it, nor what other targets have.');
    io.out(`Fill in keep or revoke under decision, then: latchgate review --load ${out} --out plan.json`);
  }
  return 0;
}

async function load(
  { load: file, out, json }: ReviewOptions & { readonly load: string },
  { directory }: ReviewDeps,
  io: Io,
): Promise<number> {
  const decisions = await loadReview(directory, readTextFile(file));
  if (out !== undefined) await writePrivateFile(out, [reviewPlanText(decisions)]);
  const { review, keep, undecided, missing, revoke } = decisions;
  if (json === true) {
    const { id, target } = review;
    io.out(JSON.stringify({ review: id, target, keep, undecided, missing, revoke, out: out ?? null }));
    return 0;
  }
  io.out(`${review.id}: ${revoke.length} to revoke, ${keep} to keep, ${undecided} without a decision`);
  if (missing > 0) io.out(`${missing} rows of the review are not in the file: they stay as they are`);
  for (const row of revoke) {
    const why = row.reason === undefined ? '' : `: ${show(row.reason)}`;
    io.out(`  - ${show(row.personName)} (${row.person})  ${show(entitlementKey(row))}${why}`);
  }
  if (out !== undefined) io.out(`Written to ${out}: latchgate apply --plan ${out}`);
  return 0;
}

/**
 * `latchgate apply --plan PLAN` of a review: takes what is revoked and pins it. Exit code 0; 1 when something is pinned and
 * could not be taken yet; 11 when the brake holds it. Throws `plan_invalid`, `review_foreign`, `review_stale`. With `json`
 * a line for each grant, and `{"result":…}` last.
 */
export async function applyReviewPlan(
  text: string,
  options: { readonly approve?: boolean; readonly json?: boolean },
  deps: ApplyReviewDeps,
  io: Io,
): Promise<number> {
  const decisions = await parseReviewPlan(text, deps.directory.reviews);
  const requestId = newRequestId();
  const { review, revoke } = decisions;
  const applied = await applyReview(deps, decisions, {
    approve: options.approve === true,
    actor: OPERATOR,
    requestId,
    onRow: (row) => io.out(options.json === true ? JSON.stringify(rowJson(row)) : rowText(row)),
  });
  if ('held' in applied) {
    const { code, message } = applied.held;
    io.err(`plan_held: nothing was written: ${message} (latchgate apply --plan FILE --approve)`);
    if (options.json === true) io.out(JSON.stringify({ result: { outcome: 'held', review: review.id, code } }));
    return EXIT_HELD;
  }
  const taken = applied.rows.filter(({ outcome }) => outcome === 'taken').length;
  const pinned = revoke.length - taken;
  if (options.json === true) {
    io.out(JSON.stringify({ result: { outcome: 'applied', review: review.id, taken, pinned, requestId } }));
  } else io.out(`${review.id}: ${taken} taken${pinned === 0 ? '' : `, ${pinned} pinned and not taken yet`}`);
  return pinned === 0 ? 0 : EXIT_FAILED;
}

function rowJson({ revocation, outcome, code }: RevokedRow): Record<string, unknown> {
  const { person, kind, name, scope, reason, line } = revocation;
  return { person, kind, name, scope: scope ?? null, reason: reason ?? null, line, outcome, code: code ?? null };
}

function rowText({ revocation, outcome, code }: RevokedRow): string {
  const what = `${show(revocation.personName)} (${revocation.person})  ${show(entitlementKey(revocation))}`;
  return outcome === 'taken'
    ? `taken: ${what}`
    : `pinned, still there (${code ?? 'the account is out of use'}): ${what}`;
}

/** The text of a file that is a plan of a review; undefined: it is something else, or not there. */
export function reviewPlanIn(file: string): string | undefined {
  try {
    const text = readTextFile(file);
    return isReviewPlan(text) ? text : undefined;
  } catch {
    return undefined;
  }
}
