#!/usr/bin/env node
import { keepHeapSmall } from './ops/heap.ts';

// Whoever runs one command and is gone is quicker as V8 would have it.
if (process.argv[2] === 'serve') keepHeapSmall();
const { run } = await import('./cli/program.ts');

process.exitCode = await run(process.argv.slice(2), {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  env: process.env,
  isTTY: process.stdout.isTTY === true,
  ...(process.stderr.isTTY
    ? { status: { write: (text: string) => void process.stderr.write(text), columns: process.stderr.columns } }
    : {}),
});
