/** One page of a list that is asked for by its `startIndex` (RFC 7644 §3.4.2.4). */
export interface ListPage<T> {
  readonly items: readonly T[];
  /** `totalResults`. */
  readonly total: number;
}

export interface WholeList<T> {
  readonly items: readonly T[];
  /** False: the list was another one at each try, or has fewer items than the service counts. Some may be missing. */
  readonly whole: boolean;
}

const ATTEMPTS = 3;

/**
 * Reads a list to its end, which is where the service has no more to give and not where `totalResults` says: some count
 * one page, or stop counting. Each page begins with the last item of the one before; when that is not there, something
 * came or went meanwhile, and the list is read again, three times at most.
 */
export async function readList<T extends { readonly id: string }>(
  page: (startIndex: number) => Promise<ListPage<T>>,
): Promise<WholeList<T>> {
  let last: readonly T[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const { items, whole } = await readOnce(page);
    if (whole) return { items, whole };
    last = items;
  }
  return { items: last, whole: false };
}

async function readOnce<T extends { readonly id: string }>(
  page: (startIndex: number) => Promise<ListPage<T>>,
): Promise<WholeList<T>> {
  const items: T[] = [];
  const seen = new Set<string>();
  let overlap = 0;
  let widest = 0;
  for (;;) {
    const answer = await page(items.length - overlap + 1);
    widest = Math.max(widest, answer.items.length);
    // A service without pages gives the same whole list again.
    const isSame = answer.items.length === items.length && answer.items.every(({ id }, at) => id === items[at]?.id);
    const isJoined = overlap === 0 || answer.items[0]?.id === items.at(-1)?.id;
    if (items.length > overlap && isSame) return { items, whole: answer.total === items.length };
    if (!isJoined) return { items, whole: false };
    const fresh = answer.items.slice(overlap);
    for (const item of fresh) {
      if (seen.has(item.id)) return { items, whole: false };
      seen.add(item.id);
      items.push(item);
    }
    if (fresh.length === 0 && (overlap === 0 || widest > 1)) return { items, whole: items.length >= answer.total };
    // A service that gives one at a time: what lies behind has to be asked for without the joint.
    overlap = fresh.length === 0 ? 0 : 1;
  }
}
