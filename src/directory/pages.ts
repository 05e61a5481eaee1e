import type { PersonId } from '../model/person.ts';

/** Rows of one page. */
export const PAGE = 2_000;
/** People whose rows are asked for at once: below the number of parameters that any SQLite takes. */
const PEOPLE = 500;

/**
 * Page by page what `read` finds after the last row of the page before: of everybody, or of these people only. The page
 * that is not full is the last.
 */
export async function* byPeople<Row>(
  people: readonly PersonId[] | undefined,
  read: (after: Row | undefined, people: readonly PersonId[] | undefined) => Promise<readonly Row[]>,
): AsyncGenerator<readonly Row[], void> {
  const parts: (readonly PersonId[] | undefined)[] = [];
  if (people === undefined) parts.push(undefined);
  else for (let from = 0; from < people.length; from += PEOPLE) parts.push(people.slice(from, from + PEOPLE));
  for (const part of parts) {
    for (let after: Row | undefined; ; ) {
      const rows = await read(after, part);
      yield rows;
      after = rows.at(-1);
      if (rows.length < PAGE) break;
    }
  }
}
