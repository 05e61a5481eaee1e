import type { Directory } from '../directory/directory.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import { type Holder, type WhoHadDeps, whoHad } from '../review/who-had.ts';
import type { Io } from './io.ts';
import { momentOf } from './since.ts';
import { tableLines, timeText } from './table.ts';

export interface AuditWhoHadOptions {
  /** A date, or how long ago; see `momentOf`. */
  readonly at?: string;
  readonly target?: string;
  readonly json?: boolean;
}

/**
 * `latchgate audit who-had ENTITLEMENT --at TIME`: who had it then, by which rule and origin, since when and until when. Exit
 * code 0. Throws `usage`, `not_found`. With `json` one object: `entitlement`, `at`, `from` (the first record that the audit
 * still has), `holders` with `person`, `now` (who that is by now, where the two were linked since), `apart` (who was made of them since: `person`, `subject`, `until`), `name`, `email`, `target`, `entitlement`, `since`, `until`, `because`, `actor`, `seq`, `off`; what is
 * not there is null.
 */
export async function auditWhoHad(
  entitlement: string,
  options: AuditWhoHadOptions,
  deps: WhoHadDeps & { readonly people: Directory['people']; readonly clock: Clock },
  io: Io,
): Promise<number> {
  const { target } = options;
  if (options.at === undefined) throw new LatchgateError('usage', 'audit who-had takes --at TIME');
  if (target !== undefined && !deps.targets.includes(target)) {
    throw new LatchgateError('not_found', 'there is no target of that name');
  }
  const at = momentOf('--at', options.at, deps.clock.now());
  const { holders, from } = await whoHad(deps, { entitlement, at, ...(target === undefined ? {} : { target }) });
  const rows: { readonly holder: Holder; readonly name: string | undefined; readonly email: string | undefined }[] = [];
  for (const holder of holders) {
    const person = await deps.people.get(holder.now);
    rows.push({ holder, name: person?.displayName, email: person?.email });
  }
  if (options.json === true) {
    io.out(JSON.stringify({ entitlement, at, from: from ?? null, holders: rows.map(rowJson) }));
    return 0;
  }
  io.err(`at ${at.toISOString().replace('T', ' ')}`);
  const head = ['NAME', 'PERSON', 'TARGET', 'ENTITLEMENT', 'SINCE', 'UNTIL', 'RULE', 'ORIGIN', 'BY', ''];
  for (const line of tableLines(head, rows.map(rowCells))) io.out(line);
  if (from === undefined || from > at) {
    io.err(
      `the audit says nothing of that time: ${from === undefined ? 'it is empty' : `it begins ${timeText(from)}`}`,
    );
  }
  return 0;
}

type Row = { readonly holder: Holder; readonly name: string | undefined; readonly email: string | undefined };

function rowJson({ holder, name, email }: Row): Record<string, unknown> {
  const { person, now, apart, target, entitlement, since, until, because, actor, seq, isOff } = holder;
  return {
    person,
    now,
    apart,
    name: name ?? null,
    email: email ?? null,
    target,
    entitlement,
    since: since ?? null,
    until: until ?? null,
    because,
    actor: actor ?? null,
    seq: seq ?? null,
    off: isOff,
  };
}

function rowCells({ holder, name }: Row): (string | undefined)[] {
  const { person, now, apart, target, entitlement, since, until, because, actor, isOff } = holder;
  const remarks = [
    ...(now === person ? [] : [`was ${person} then, and was linked to ${now} since`]),
    ...apart.map((other) => `one with ${other.person} (${other.subject}) until ${timeText(other.until)}`),
    ...(isOff ? ['the account was switched off'] : []),
  ];
  return [
    name,
    now,
    target,
    entitlement,
    since === undefined ? 'before the audit' : timeText(since),
    until === undefined ? 'now' : timeText(until),
    because.map(({ rule }) => rule).join(' + '),
    because.map(({ origin }) => origin).join(' + '),
    actor,
    remarks.join('; '),
  ];
}
