import type { Io } from '../../src/cli/io.ts';

/** A terminal that remembers what was written to it. */
export interface Terminal extends Io {
  readonly lines: string[];
  readonly errors: string[];
  /** Standard output, each line parsed as JSON. */
  json(): unknown[];
}

export function makeTerminal(env: NodeJS.ProcessEnv = {}, isTTY = false): Terminal {
  const lines: string[] = [];
  const errors: string[] = [];
  return {
    lines,
    errors,
    out: (line) => void lines.push(line),
    err: (line) => void errors.push(line),
    env,
    isTTY,
    json: () => lines.map((line) => JSON.parse(line) as unknown),
  };
}
