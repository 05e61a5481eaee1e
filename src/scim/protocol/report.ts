/** What a request said and was not taken. */
export interface Dropped {
  /** `groups`, `members.display`, or a name that no schema has, cut to 128 characters. */
  readonly path: string;
  readonly why: 'readOnly' | 'unknown' | 'notKept' | 'null' | 'refused';
  /** How often. */
  readonly count: number;
}

const MAX_NAME_CHARACTERS = 128;
const MAX_PATHS = 100;

/** Gathers what is dropped from one request. Further names beyond a hundred are counted under `…`. */
export class Report {
  readonly #dropped = new Map<string, Dropped>();

  add(path: string, why: Dropped['why']): void {
    const full = this.#dropped.size >= MAX_PATHS;
    const name = path.length > MAX_NAME_CHARACTERS ? `${path.slice(0, MAX_NAME_CHARACTERS)}…` : path;
    const key = full && !this.#dropped.has(name) ? '…' : name;
    this.#dropped.set(key, { path: key, why, count: (this.#dropped.get(key)?.count ?? 0) + 1 });
  }

  list(): readonly Dropped[] {
    return [...this.#dropped.values()];
  }
}
