/** Something of a session that is under way and can be cut off: a request, a stream, a tunnel. */
export interface Ongoing {
  /** Whose it is. */
  readonly session?: { readonly id?: string | undefined } | undefined;
  cutOff(): void;
}

/** What is under way, by session handle, so that a session that ends takes all of it along. */
export class LiveWork {
  /** Mostly one thing at a time: a set of its own for it would be made and dropped with each request. */
  readonly #bySession = new Map<string, Ongoing | Set<Ongoing>>();

  add(handle: string, work: Ongoing): void {
    const known = this.#bySession.get(handle);
    if (known === undefined) this.#bySession.set(handle, work);
    else if (known instanceof Set) known.add(work);
    else this.#bySession.set(handle, new Set([known, work]));
  }

  remove(handle: string, work: Ongoing): void {
    const known = this.#bySession.get(handle);
    if (known === work) this.#bySession.delete(handle);
    else if (known instanceof Set && known.delete(work) && known.size === 0) this.#bySession.delete(handle);
  }

  end(handle: string): void {
    const known = this.#bySession.get(handle);
    this.#bySession.delete(handle);
    if (known instanceof Set) for (const work of known) work.cutOff();
    else known?.cutOff();
  }

  handles(): Iterable<string> {
    return this.#bySession.keys();
  }

  /** Of each session once, where it is known. */
  *ids(): Iterable<string> {
    for (const known of this.#bySession.values()) {
      const [work] = known instanceof Set ? known : [known];
      if (work?.session?.id !== undefined) yield work.session.id;
    }
  }

  endAll(): void {
    for (const handle of [...this.#bySession.keys()]) this.end(handle);
  }
}
