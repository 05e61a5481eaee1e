import { configJsonSchema } from '../config/json-schema.ts';
import type { Io } from './io.ts';

/** `latchgate schema`: prints the JSON Schema of the config file. Exit code 0. */
export async function schema(_options: Record<never, never>, io: Io): Promise<number> {
  io.out(JSON.stringify(configJsonSchema(), null, 2));
  return 0;
}
