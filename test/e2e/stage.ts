import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Everything that one journey runs on, and that ends with it, the last first. */
export class Stage {
  /** Goes at the end, with all that is in it. */
  readonly folder = mkdtempSync(join(tmpdir(), 'latchgate-journey-'));
  readonly #ends: (() => Promise<void>)[] = [];

  /** Waits for what is starting, and remembers how it ends. */
  async add<T>(starting: Promise<T>, end: (started: T) => Promise<void>): Promise<T> {
    const started = await starting;
    this.#ends.push(() => end(started));
    return started;
  }

  write(name: string, text: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  async end(): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Asks again and again until `look` gives something else than undefined or false. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > deadline) throw new Error(`after ${timeoutMs / 1_000} s still not: ${what}`);
    await sleep(50);
  }
}
