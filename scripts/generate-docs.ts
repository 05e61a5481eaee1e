import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { GENERATED_PAGES } from '../src/config/docs.ts';

/*
 * `npm run docs`: writes the pages of docs/ that are made from the source. With `--check`, writes nothing and fails when
 * one of them is out of date. Runs in the project's folder, as npm scripts do.
 */

const isCheck = process.argv.includes('--check');
const stale: string[] = [];
for (const [file, make] of Object.entries(GENERATED_PAGES)) {
  const page = make();
  if (page === current(file)) continue;
  stale.push(file);
  if (isCheck) continue;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, page);
}
if (stale.length > 0)
  console.log(isCheck ? `out of date: ${stale.join(', ')} (npm run docs)` : `wrote ${stale.join(', ')}`);
if (isCheck && stale.length > 0) process.exitCode = 1;

function current(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
