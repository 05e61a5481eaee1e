import { type ErrorRow, row } from './error-row.ts';

/** The rows of the operators' page in the table of errors. */
export const CONSOLE_ERRORS = {
  operator_only: row(
    403,
    false,
    'This person is neither viewer nor operator: no condition of `operators` fits them, or none does any more.',
  ),
  operator_viewer: row(403, false, 'A viewer of the operators’ page looks, and changes nothing.'),
  operator_login_invalid: row(
    400,
    false,
    'A login at the operators’ page began in another browser, was used before, or took longer than a minute to come back.',
  ),
  operator_form_stale: row(
    403,
    false,
    'A form of the operators’ page is not of this session. Open the page again, and send it once more.',
  ),
} as const satisfies Record<string, ErrorRow>;
