import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, startChild } from '../services/child.ts';

/** Starts `instance.ts` on this state. */
export function startInstance(what: 'open' | 'write-forever' | 'write-some' | 'hold-lease', url: string): Child {
  const here = import.meta.dirname;
  const loader = join(here, 'typescript.mjs');
  return startChild(what, [process.execPath, '--import', loader, join(here, 'instance.ts'), what, url]);
}

/** Waits for a line; throws with what there is when the process ends without it. */
export async function untilLine(child: Child, line: string | RegExp): Promise<void> {
  const fits = (one: string) => (typeof line === 'string' ? one === line : line.test(one));
  while (!child.log.some(fits)) {
    if (!child.running()) {
      await sleep(50);
      if (child.log.some(fits)) return;
      throw new Error(`${child.name} ended without ${line}:\n${child.log.join('\n')}`);
    }
    await sleep(20);
  }
}
