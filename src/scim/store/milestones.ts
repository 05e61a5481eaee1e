/** A user of whom it is known how many of the same client come before, in the order of the ids. */
export interface Milestone {
  readonly offset: number;
  readonly id: string;
}

/** Resources between two milestones: fewer are counted anew sooner than they are worth remembering. */
const APART = 1_000;

/**
 * Where pages began, so that a page far from the first need not be counted off from there. Known until a user comes or
 * goes, whoever of several instances was told so: `changes` is what the database says of that, read before the page.
 */
export class Milestones {
  #changes: number | undefined;
  #known: (Milestone | undefined)[] = [];

  /** The nearest at `offset` or before. */
  before(changes: number, offset: number): Milestone | undefined {
    if (changes !== this.#changes) return undefined;
    for (let at = Math.min(Math.floor(offset / APART), this.#known.length - 1); at >= 0; at -= 1) {
      const known = this.#known[at];
      if (known !== undefined && known.offset <= offset) return known;
    }
    return undefined;
  }

  learn(changes: number, found: Milestone): void {
    if (changes !== this.#changes) {
      this.#changes = changes;
      this.#known = [];
    }
    const at = Math.floor(found.offset / APART);
    // The first of its thousand: it serves all that follow.
    if (found.offset <= (this.#known[at]?.offset ?? found.offset)) this.#known[at] = found;
  }
}
