import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The folder that holds package.json. Found by walking up, because the starters run from `test/services` and, compiled
 * for the demo, from `build/test/services`.
 */
export function projectRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${import.meta.dirname}`);
    folder = parent;
  }
  return folder;
}

/** Where downloads and prepared databases of one service are kept: `$LATCHGATE_CACHE/NAME`, else `.cache/NAME` of the project. */
export function cacheFolder(name: string): string {
  return join(process.env['LATCHGATE_CACHE'] || join(projectRoot(), '.cache'), name);
}
