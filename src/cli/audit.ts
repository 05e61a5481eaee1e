import type { Audit, AuditRecord } from '../audit/audit.ts';
import type { Clock } from '../ops/clock.ts';
import type { Io } from './io.ts';
import { onePerson, type WhoDeps } from './one-person.ts';
import { timeOf } from './since.ts';
import { printable, timeText } from './table.ts';

const EXIT_BROKEN = 5;

export interface AuditListOptions {
  readonly user?: string;
  /** A date (`2026-01-31`, `2026-01-31T08:00:00Z`) or how long ago (`30d`, `12h`). */
  readonly since?: string;
  /** One JSON object a line: the members of the record, `at` in ISO 8601, `hash` last; what is absent is left out. */
  readonly json?: boolean;
}

/**
 * `latchgate audit list`: records, oldest first. Exit code 0. Throws `not_found` or `usage` for a user that is not one
 * person, `usage` for a time that cannot be read.
 */
export async function auditList(
  options: AuditListOptions,
  deps: WhoDeps & { readonly audit: Audit; readonly clock: Clock },
  io: Io,
): Promise<number> {
  const since = options.since === undefined ? undefined : timeOf('--since', options.since, deps.clock.now());
  const person = options.user === undefined ? undefined : await onePerson(deps, options.user, { partial: true });
  const query = {
    ...(person === undefined ? {} : { person: person.id }),
    ...(since === undefined ? {} : { since }),
  };
  for await (const record of deps.audit.list(query)) {
    io.out(options.json === true ? jsonLine(record) : textLine(record));
  }
  return 0;
}

/**
 * `latchgate audit verify`: walks the whole chain. Exit code 0, or 5 and the first record that does not hold. With
 * `json`: `{"ok","records","firstBad","why"}`, the last two null when it holds.
 */
export async function auditVerify(
  deps: { readonly audit: Audit },
  io: Io,
  options: { readonly json?: boolean } = {},
): Promise<number> {
  const { records, firstBad, why } = await deps.audit.verify();
  const ok = firstBad === undefined;
  if (options.json === true) {
    io.out(JSON.stringify({ ok, records, firstBad: firstBad ?? null, why: why ?? null }));
  } else if (ok) {
    io.out(`${records} ${records === 1 ? 'record' : 'records'}, the chain holds`);
  } else {
    io.err(
      `audit_broken: record ${firstBad} is the first that does not hold: ${why} (${records} before it hold; compare with a copy kept elsewhere)`,
    );
  }
  return ok ? 0 : EXIT_BROKEN;
}

function jsonLine(record: AuditRecord): string {
  const { seq, at, event, actor, person, target, origin, rule, key, before, after, dropped, code, requestId, hash } =
    record;
  return JSON.stringify({
    seq,
    at: at.toISOString(),
    event,
    actor,
    person,
    target,
    origin,
    rule,
    key,
    before,
    after,
    dropped,
    code,
    requestId,
    hash,
  });
}

function textLine(record: AuditRecord): string {
  const facts = (['person', 'target', 'key', 'origin', 'rule', 'code', 'requestId'] as const).flatMap((name) =>
    record[name] === undefined ? [] : [`${name}=${printable(record[name])}`],
  );
  const values = (['before', 'after', 'dropped'] as const).flatMap((name) =>
    record[name] === undefined ? [] : [`${name}=${printable(JSON.stringify(record[name]))}`],
  );
  return [
    String(record.seq).padStart(6),
    timeText(record.at),
    printable(record.event),
    `by ${printable(record.actor)}`,
    ...facts,
    ...values,
  ].join('  ');
}
