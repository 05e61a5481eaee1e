import type { SharedFailures } from '../ops/failure-limit.ts';
import type { State } from './state.ts';

const WINDOW_MS = 60_000;

/** What all instances and workers on this database count together. */
export function countEverywhere({ directory }: State, purpose: string): SharedFailures {
  return (failed) => directory.counts.add(purpose, failed, WINDOW_MS);
}
