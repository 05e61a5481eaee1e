import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../services/project.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command of the built program, as an operator does beside a running gateway. */
export function latchgate(configFile: string, ...args: readonly string[]): Promise<Ran> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const line = [join(projectRoot(), 'dist', 'main.js'), ...args, '--config', configFile];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, line, { env, timeout: 60_000 }, (error, out, err) => {
      if (error !== null && typeof error.code !== 'number') reject(error);
      else resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}
