/** One page of a list that is asked for by its offset. */
export interface Page<T> {
  readonly items: readonly T[];
  /** How many the service says there are in all; undefined when it does not say. */
  readonly total?: number;
}

export interface PagedList<T> {
  /** Asks for items from `offset` (from 0) on, at most `limit` of them. */
  readonly page: (offset: number, limit: number) => Promise<Page<T>>;
  readonly idOf: (item: T) => string;
  /** At least 2. */
  readonly limit: number;
}

export interface WholeList<T> {
  readonly items: readonly T[];
  /** False: the list was another one at each try, or the service gave other than it counted. Some may be missing. */
  readonly whole: boolean;
}

const ATTEMPTS = 3;

/**
 * Reads a list that is paged by offsets, where whatever comes or goes meanwhile moves the rest: somebody would be left
 * out. Each page begins with the last item of the one before; when that is not there, an item comes twice or the total
 * has changed, the list is read again, three times at most.
 */
export async function readPages<T>(list: PagedList<T>): Promise<WholeList<T>> {
  let last: readonly T[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const { items, whole } = await readOnce(list);
    if (whole) return { items, whole };
    last = items;
  }
  return { items: last, whole: false };
}

async function readOnce<T>({ page, idOf, limit }: PagedList<T>): Promise<WholeList<T>> {
  const items: T[] = [];
  const seen = new Set<string>();
  let total: number | undefined;
  let overlap = 0;
  for (;;) {
    const answer = await page(items.length - overlap, limit);
    if (items.length > 0 && answer.total !== total) return { items, whole: false };
    total = answer.total;
    const before = items.at(-1);
    const joint = overlap === 0 ? undefined : answer.items[0];
    if (overlap === 1 && (before === undefined || joint === undefined || idOf(joint) !== idOf(before))) {
      return { items, whole: false };
    }
    const fresh = answer.items.slice(overlap);
    for (const item of fresh) {
      if (seen.has(idOf(item))) return { items, whole: false };
      seen.add(idOf(item));
      items.push(item);
    }
    if (total === undefined ? answer.items.length < limit : items.length >= total) {
      return { items, whole: total === undefined || items.length === total };
    }
    // A service that gives one at a time: what lies behind has to be asked for without the joint.
    if (fresh.length === 0 && overlap === 0) return { items, whole: false };
    overlap = fresh.length === 0 || items.length === 0 ? 0 : 1;
  }
}
