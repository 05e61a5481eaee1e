import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../../src/directory/database.ts';
import { openDatabase } from '../../src/directory/database.ts';
import type { Clock } from '../../src/ops/clock.ts';

/** A clock that goes only when it is told to. */
export class TestClock implements Clock {
  #now = Date.UTC(2026, 0, 2, 3, 4, 5);
  now(): number {
    return this.#now;
  }
  fastForward(ms: number): void {
    this.#now += ms;
  }
}

/** An empty state database of one test, and as many instances on it as the test wants. */
export interface State {
  readonly url: string;
  readonly clock: TestClock;
  /** Opens it as one more instance would. */
  open(): Promise<Database>;
  /** Closes whatever was opened and removes the state. */
  dispose(): Promise<void>;
}

export type StateFactory = () => Promise<State>;

export async function sqliteState(): Promise<State> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-state-'));
  return stateAt(`sqlite:${join(folder, 'state.db')}`, () => rmSync(folder, { recursive: true, force: true }));
}

export function stateAt(url: string, remove: () => void | Promise<void>): State {
  const opened: Database[] = [];
  return {
    url,
    clock: new TestClock(),
    open: async () => {
      const database = await openDatabase(url);
      opened.push(database);
      return database;
    },
    dispose: async () => {
      await Promise.all(opened.map((database) => database.close()));
      await remove();
    },
  };
}
