import { checkpointsAfter, lastCheckpoint } from '../audit/chain.ts';
import type { Database } from '../directory/database.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Io } from './io.ts';

const PAGE = 20;

/**
 * `latchgate audit checkpoint`: the last checkpoint, or each with `--all`, as a line of text (a compact JWS). Kept where
 * nobody who writes the database can reach it, it proves for `audit verify --checkpoint` what the records were. Exit
 * code 0. Throws `not_found` when nothing was signed yet.
 */
export async function auditCheckpoint(
  options: { readonly all?: boolean },
  { database }: { readonly database: Database },
  io: Io,
): Promise<number> {
  const last = await database.run(lastCheckpoint);
  if (last === undefined) {
    throw new LatchgateError('not_found', 'nothing of the audit is signed yet: serve signs it, see audit.checkpoint');
  }
  if (options.all !== true) {
    io.out(last.token);
    return 0;
  }
  for (let after = 0; ; ) {
    const page = await database.run((db) => checkpointsAfter(db, after, PAGE));
    for (const { token, seq } of page) {
      io.out(token);
      after = seq;
    }
    if (page.length < PAGE) return 0;
  }
}
