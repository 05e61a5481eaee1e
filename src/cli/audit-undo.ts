import { LatchgateError } from '../model/errors.ts';
import { newRequestId } from '../ops/request-id.ts';
import { undo } from '../review/undo.ts';
import type { UndoDeps } from '../review/undo-step.ts';
import type { Io } from './io.ts';
import { printable } from './table.ts';

const OPERATOR = 'operator';
const EXIT_PENDING = 1;

/**
 * `latchgate audit undo SEQ`: the opposite of one record, or what has moved since. Exit code 0; 1 when the target could not be
 * reached, and it is tried again in the background. Throws `not_found`, `usage`, `undo_stale`, `undo_impossible`. With `json`:
 * `seq`, `event`, `did`, `pending` (a code or null), `requestId`, `dryRun`.
 */
export async function auditUndo(
  change: string,
  options: { readonly dryRun?: boolean; readonly json?: boolean },
  deps: UndoDeps,
  io: Io,
): Promise<number> {
  if (!/^[1-9]\d{0,14}$/.test(change)) {
    throw new LatchgateError('usage', 'audit undo takes the number of a record (latchgate audit list)');
  }
  const requestId = newRequestId();
  const dryRun = options.dryRun === true;
  const { record, did, pending } = await undo(deps, Number(change), { actor: OPERATOR, requestId, dryRun });
  if (options.json === true) {
    const { seq, event } = record;
    io.out(JSON.stringify({ seq, event, did, pending: pending ?? null, requestId, dryRun }));
  } else {
    io.out(`${dryRun ? 'would be done: ' : ''}${printable(did)}`);
    if (pending !== undefined) io.err(`not done yet (${pending}); it is tried again in the background`);
  }
  return pending === undefined ? 0 : EXIT_PENDING;
}
