/** Something of a session that is under way and can be cut off: a request, a stream, a tunnel. */
export interface Ongoing {
  cutOff(): void;
}

/** What is under way, by session handle, so that a session that ends takes all of it along. */
export class LiveWork {
  readonly #bySession = new Map<string, Set<Ongoing>>();

  add(handle: string, work: Ongoing): void {
    const set = this.#bySession.get(handle);
    if (set === undefined) this.#bySession.set(handle, new Set([work]));
    else set.add(work);
  }

  remove(handle: string, work: Ongoing): void {
    const set = this.#bySession.get(handle);
    if (set?.delete(work) === true && set.size === 0) this.#bySession.delete(handle);
  }

  end(handle: string): void {
    const set = this.#bySession.get(handle);
    this.#bySession.delete(handle);
    for (const work of set ?? []) work.cutOff();
  }

  handles(): Iterable<string> {
    return this.#bySession.keys();
  }

  endAll(): void {
    for (const handle of [...this.#bySession.keys()]) this.end(handle);
  }
}
