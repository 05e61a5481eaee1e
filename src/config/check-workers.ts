import type { Checked } from './declared.ts';
import type { Config } from './schema.ts';

/** Several workers are several processes: what they share has to be somewhere. */
export function checkWorkers({ workers, state }: Partial<Config>): Checked {
  const isAlone = workers === undefined || workers === 1;
  if (isAlone || state?.database !== 'sqlite::memory:') return { complaints: [], warnings: [] };
  const message = '`workers` cannot share a database that is in memory: each of them would know other people';
  const hint = 'write a file, such as sqlite:./data/latchgate.db';
  return { complaints: [{ path: ['workers'], code: 'state_not_shared', message, hint }], warnings: [] };
}
