const POLL_MS = 500;

/** What other instances have ended since `after`, in order; `undefined` asks only where the list stands now. */
export type ReadEnded = (
  after: number | undefined,
) => Promise<{ readonly position: number; readonly handles: readonly string[] }>;

/** Asks a store that cannot call us for what other instances have ended, twice a second. */
export class EndedPoll {
  readonly #read: ReadEnded;
  readonly #announce: (handle: string) => void;
  #position: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Which round of asking this is; 0 when nobody wants to know. */
  #round = 0;
  #rounds = 0;

  constructor(read: ReadEnded, announce: (handle: string) => void) {
    this.#read = read;
    this.#announce = announce;
  }

  start(): void {
    if (this.#round !== 0) return;
    this.#rounds += 1;
    this.#round = this.#rounds;
    void this.#poll(this.#round);
  }

  stop(): void {
    this.#round = 0;
    this.#position = undefined;
    clearTimeout(this.#timer);
  }

  async #poll(round: number): Promise<void> {
    try {
      const { position, handles } = await this.#read(this.#position);
      if (this.#round !== round) return;
      this.#position = position;
      for (const handle of handles) this.#announce(handle);
    } catch {
      // The position stays: what was missed comes with the next answer.
    }
    if (this.#round !== round) return;
    this.#timer = setTimeout(() => void this.#poll(round), POLL_MS);
    this.#timer.unref();
  }
}
