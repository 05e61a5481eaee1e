import type { Audit, AuditRecord } from '../audit/audit.ts';
import type { Clock } from '../ops/clock.ts';
import type { Io } from './io.ts';
import { onePerson, type WhoDeps } from './one-person.ts';
import { timeOf } from './since.ts';
import { printable, timeText } from './table.ts';

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
