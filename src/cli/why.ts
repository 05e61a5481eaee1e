import type { DecisionRecord, Decisions } from '../directory/decisions.ts';
import { renderTrace } from '../mapping/render.ts';
import { whatToDo } from '../provisioning/remedies.ts';
import type { Io } from './io.ts';
import { printable, timeText } from './table.ts';

const EXIT_UNKNOWN = 1;

/**
 * `latchgate why ID`: the whole trace behind a request id on a page or in a log. Exit code 0, or 1 when nothing is known
 * by that id. With `json`, the record as it was kept.
 */
export async function why(
  id: string,
  deps: { readonly decisions: Decisions },
  io: Io,
  options: { readonly json?: boolean } = {},
): Promise<number> {
  const record = await deps.decisions.get(id.trim());
  if (record === undefined) {
    io.err(`not_found: nothing is known of the request ${printable(id)} (decisions are kept for a while only)`);
    return EXIT_UNKNOWN;
  }
  if (options.json === true) io.out(JSON.stringify(record));
  else for (const line of lines(record, io.isTTY && io.env['NO_COLOR'] === undefined)) io.out(line);
  return 0;
}

function lines(record: DecisionRecord, color: boolean): string[] {
  const facts: [string, string | undefined][] = [
    ['Request', record.requestId],
    ['At', timeText(record.at)],
    ['Outcome', record.code === undefined ? record.outcome : `${record.outcome} (${record.code})`],
    ['The person read', record.message],
    ['Person', record.person],
    ['Origin', record.origin],
    ...Object.entries(record.detail ?? {}).map(([name, value]): [string, string] => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const head = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [`${printable(name).padEnd(width)}  ${printable(value)}`],
  );
  const held = (record.held ?? []).map((change) => {
    const about = change.entitlement === undefined ? '' : ` ${change.entitlement.kind} ${change.entitlement.name}`;
    return `  ${printable(`${change.target}: ${change.op} ${change.type} ${change.key}${about}: ${change.reason} (${change.code})`)}`;
  });
  return [
    ...head,
    ...todo(record),
    ...(held.length === 0 ? [] : ['', 'Held', ...held]),
    ...(record.trace === undefined ? [] : ['', ...renderTrace(record.trace, { color }).trimEnd().split('\n')]),
  ];
}

function todo(record: DecisionRecord): readonly string[] {
  const lines = whatToDo(record);
  return lines.length === 0 ? [] : ['', 'What to do', ...lines.map((line) => `  ${printable(line)}`)];
}
