/** One step of a feed. `id` is where to go on after it: kept, and handed to `changes` when it is asked again. */
export type FeedStep =
  /** Somebody in the source was made, changed or deleted. Who, and how, a listing says. */
  | { readonly kind: 'changed'; readonly id: string }
  /** Nothing that matters; the place to go on from moved. */
  | { readonly kind: 'moved'; readonly id: string }
  /** Changes may have been missed: a whole run is due. What was kept as `id` is of no use any more. */
  | { readonly kind: 'missed' };

/** A source that tells when something changes, so that a sync need not wait for its schedule. */
export interface ChangeFeed {
  /**
   * Steps as they come, until the signal ends it; then it returns. Begins after `lastId`, or now. Connects again by
   * itself for as long as it takes; throws LatchgateError (`source_refused`) only for what does not pass by waiting.
   */
  changes(signal: AbortSignal, lastId?: string): AsyncIterable<FeedStep>;
  /** Gives connections back. */
  close(): Promise<void>;
}
