import type { Directory } from '../directory/directory.ts';
import type { DriftReport, SeenDrift } from '../drift/drift.ts';

const SEEN = 'drift seen';

type Stored = Readonly<Record<string, { readonly at: number; readonly count: number; readonly privileged: number }>>;

/** What was found when targets were last compared, by whomever, in the order of their names. */
export async function seenDrift({ values }: Pick<Directory, 'values'>): Promise<readonly SeenDrift[]> {
  const stored = parsed(await values.get(SEEN));
  return Object.entries(stored)
    .map(([target, { at, ...counts }]) => ({ target, at: new Date(at), ...counts }))
    .sort((one, other) => (one.target < other.target ? -1 : 1));
}

/** Takes the place of what was known of these targets. Of two at the same moment one counts. */
export async function rememberDrift({ values }: Pick<Directory, 'values'>, report: DriftReport): Promise<void> {
  const before = await values.get(SEEN);
  const found = report.targets.map(({ target }) => {
    const rows = report.rows.filter((row) => row.target === target);
    const privileged = rows.filter((row) => row.privileged === true).length;
    return [target, { at: report.at.getTime(), count: rows.length, privileged }] as const;
  });
  await values.swap(SEEN, before, JSON.stringify({ ...parsed(before), ...Object.fromEntries(found) }));
}

function parsed(text: string | undefined): Stored {
  return text === undefined ? {} : (JSON.parse(text) as Stored);
}
