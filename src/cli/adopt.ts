import { quote, show } from '../mapping/visible.ts';
import { newRequestId } from '../ops/request-id.ts';
import { amount, peopleText } from '../sync/render-words.ts';
import type { AdoptedRow, Adoption, AdoptPlan } from '../sync/sync.ts';
import { EXIT_INTERRUPTED, interruptible } from './interrupt.ts';
import type { Io } from './io.ts';

const EXIT_CHANGES = 10;

export interface AdoptOptions {
  /** Default: every target. */
  readonly target?: string;
  /** Writes what was shown. */
  readonly apply?: boolean;
  readonly json?: boolean;
}

/**
 * `latchgate adopt`: which accounts are whose, and which of their entitlements the rules give: what the ledger lacks.
 * Writes to our own state alone, and only with `--apply`. Exit code 0; 10 when there is something to adopt and `--apply`
 * was not given. With `json` one object: `targets`, `rows`, `held`, `notes`, `applied`. Throws `not_found`, `source_*`,
 * `target_*`.
 */
export async function adopt(
  options: AdoptOptions,
  { adoption }: { readonly adoption: Adoption },
  io: Io,
): Promise<number> {
  const isApplied = options.apply === true;
  const interruption = interruptible(() => io.err('stopping; once more ends at once'));
  try {
    const signal = interruption.stop;
    const plan = isApplied
      ? await adoption.apply(options.target, { actor: 'operator', requestId: newRequestId(), signal })
      : await adoption.plan(options.target, signal);
    if (options.json === true) io.out(JSON.stringify({ ...plan, applied: isApplied }));
    else print(plan, isApplied, io);
    return isApplied || plan.rows.length === 0 ? 0 : EXIT_CHANGES;
  } catch (thrown) {
    if (!interruption.stop.aborted) throw thrown;
    io.err('stopped; latchgate adopt goes on where this ended');
    return EXIT_INTERRUPTED;
  } finally {
    interruption.release();
  }
}

function print({ targets, rows, held, notes }: AdoptPlan, isApplied: boolean, io: Io): void {
  const grants = rows.reduce((sum, row) => sum + row.grants.length, 0);
  const links = rows.filter(({ link }) => link).length;
  const what = `${counted(links, 'account')} and ${counted(grants, 'grant')} of ${peopleText(rows.length)}`;
  io.out(
    `${targets.join(', ')}: ${rows.length === 0 ? 'nothing to adopt' : `${what} ${isApplied ? 'are ours now' : 'would be ours'}`}`,
  );
  for (const row of rows) for (const line of rowLines(row)) io.out(line);
  for (const { target, key, code } of held) io.out(`  ! ${quote(key)} in ${target} stays as it is (${code})`);
  for (const note of notes) io.out(`  ${show(note)}`);
  if (!isApplied && rows.length > 0) io.out('\nNothing was written; latchgate adopt --apply does');
}

function counted(number: number, noun: string): string {
  return `${amount(number)} ${noun}${number === 1 ? '' : 's'}`;
}

function rowLines({ target, key, link, grants }: AdoptedRow): readonly string[] {
  return [
    `  ${quote(key)} in ${target}${link ? ': the account' : ''}`,
    ...grants.map(({ kind, name, scope, rule, origin }) => {
      const on = scope === undefined ? '' : ` on ${quote(scope)}`;
      return `    + ${kind} ${quote(name)}${on}   rule ${show(rule)} (${show(origin)})`;
    }),
  ];
}
