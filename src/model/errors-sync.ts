import { type ErrorRow, row } from './error-row.ts';

/** The rows of sources, syncs and their plans in the table of errors. */
export const SYNC_ERRORS = {
  source_unavailable: row(503, true, 'The source of a sync does not answer, or answers with an error of its own.'),
  source_refused: row(502, false, 'The source of a sync refuses our account, our scopes or our query.'),
  source_answer_invalid: row(502, true, 'The source of a sync answered something that cannot be read.'),
  run_stalled: row(
    503,
    true,
    'A run of a sync stood still for longer than its lease lasts: what it read may not be true any more. The next run goes on.',
  ),
  write_refused: row(
    500,
    false,
    'A plan only reads: a call that would have written was not made. A defect, please report it.',
  ),
  plan_invalid: row(400, false, 'The file is no plan that `latchgate plan --out` has written.'),
  plan_unwritable: row(500, false, 'The file of `latchgate plan --out` cannot be written there.'),
  plan_decided: row(409, false, 'Somebody has decided on this plan already, or a later one took its place.'),
  // Why a whole plan waits for a person
  source_empty: row(409, false, 'The source of a sync listed nobody. Nothing was written; see `latchgate plans list`.'),
  source_incomplete: row(409, false, 'The source of a sync did not list everybody, so nobody counts as missing.'),
  source_short: row(
    409,
    false,
    'The source of a sync lacks more of those whom it listed before than `safety.stop_if.removals` allows.',
  ),
  target_incomplete: row(409, false, 'The target of a sync did not show every account.'),
  too_many_removals: row(
    409,
    false,
    'More people than `safety.stop_if.removals` allows would lose something. Look at the plan, then approve or reject it.',
  ),
  too_many_new_users: row(
    409,
    false,
    'More accounts than `safety.stop_if.new_users_per_hour` allows would be made. Look at the plan, then approve or reject it.',
  ),
  sync_late: row(
    503,
    true,
    'A scheduled sync did not run when it was due: no instance is there, or an earlier run takes longer than its schedule.',
  ),
  plan_stale: row(409, false, 'The plan is not true any more: source, target or config have changed. Make a new one.'),
  plan_held: row(409, false, 'The plan waits for a person to approve it: see why with `latchgate plans show ID`.'),
} as const satisfies Record<string, ErrorRow>;
