import { setTimeout as sleep } from 'node:timers/promises';
import type { ReadRows, SqlRequest } from '../../../src/sources/sql/rows.ts';
import { BATCH_ROWS } from '../../../src/sources/sql/rows.ts';
import type { Relay } from './relay.ts';

export const MANY_ROWS = 200_000;

export interface Streamed {
  readonly rows: number;
  readonly largestBatch: number;
  /** Bytes that the database had sent when nobody had taken more than the first batch for a while. */
  readonly whilePaused: number;
  readonly inAll: number;
}

/** Reads all rows, and stands still after the first of them until the database has nothing more to say by itself. */
export async function streamed(read: ReadRows, request: SqlRequest, relay: Relay): Promise<Streamed> {
  let rows = 0;
  let largestBatch = 0;
  let whilePaused = 0;
  for await (const batch of read(request)) {
    rows += batch.rows.length;
    largestBatch = Math.max(largestBatch, batch.rows.length);
    if (rows === BATCH_ROWS) whilePaused = await standstill(relay);
  }
  return { rows, largestBatch, whilePaused, inAll: relay.received() };
}

async function standstill(relay: Relay): Promise<number> {
  let before = -1;
  let now = relay.received();
  while (now > before) {
    before = now;
    await sleep(300);
    now = relay.received();
  }
  return now;
}
