import { type ErrorRow, row } from './error-row.ts';

/** The rows of access reviews and of undoing in the table of errors. */
export const REVIEW_ERRORS = {
  review_invalid: row(
    400,
    false,
    'The file is no filled-in review: a line is malformed, stands twice, or has a decision that is neither keep nor revoke. Nothing was done.',
  ),
  review_foreign: row(
    400,
    false,
    'A line of the file is of another review, or the review is not known here. Nothing was done.',
  ),
  review_changed: row(
    400,
    false,
    'A line of the file says something else than `latchgate review` wrote there: only `decision` and `reason` are to be filled in. Nothing was done.',
  ),
  review_stale: row(
    409,
    false,
    'A grant that is to be revoked is not there any more, or was given anew since. Make a new review. Nothing was done.',
  ),
  undo_stale: row(
    409,
    false,
    'Something has changed since what is to be undone, so that nothing was done. The message says what.',
  ),
  undo_impossible: row(400, false, 'A record of that kind cannot be undone.'),
} as const satisfies Record<string, ErrorRow>;
