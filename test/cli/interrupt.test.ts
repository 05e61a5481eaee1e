import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Applies in a process of its own; `onLine` gets each line of its output. */
async function applying(
  rowMs: number,
  onLine: (line: number, kill: (signal: NodeJS.Signals) => void) => void,
  readMs = 0,
) {
  const hooks = join(import.meta.dirname, '..', 'directory', 'typescript.mjs');
  const program = join(import.meta.dirname, 'interrupted-apply.ts');
  const child = spawn(process.execPath, ['--import', hooks, program, String(rowMs), String(readMs)]);
  let [out, err, lines] = ['', '', 0];
  child.stdout.on('data', (chunk) => {
    out += chunk;
    const now = out.split('\n').length - 1;
    for (; lines < now; lines += 1) onLine(lines + 1, (signal) => void child.kill(signal));
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const [code] = await once(child, 'close');
  const rows = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { code, rows, err };
}

it.each(['SIGINT', 'SIGTERM'] as const)('%s lets what is under way end, and says how to go on', async (signal) => {
  const { code, rows, err } = await applying(50, (line, kill) => {
    if (line === 3) kill(signal);
  });
  const applied = rows.filter(({ outcome }) => outcome === 'applied').length;
  const skipped = rows.filter(({ outcome }) => outcome === 'skipped').length;
  expect(applied).toBeGreaterThanOrEqual(4);
  expect(skipped).toBe(30 - applied);
  expect(rows.at(-1)).toEqual({ result: expect.objectContaining({ outcome: 'stopped', applied, skipped }) });
  expect(err).toBe(
    `stopping: what is under way is finished; once more ends at once\nstopped with ${skipped} people left; latchgate apply hr-to-gooddata goes on there\nrun: stopped\n`,
  );
  expect(code).toBe(1);
});

it('a second SIGINT ends at once', async () => {
  let isSaid = false;
  const { code, rows } = await applying(1_000, (line, kill) => {
    if (line !== 1 || isSaid) return;
    isSaid = true;
    kill('SIGINT');
    setTimeout(() => kill('SIGINT'), 200);
  });
  expect(code).toBe(130);
  expect(rows).toHaveLength(1);
});

it.each(['SIGINT', 'SIGTERM'] as const)('%s while it still reads ends it, and nothing was written', async (signal) => {
  const { code, rows, err } = await applying(
    0,
    (line, kill) => void (line === 1 && setTimeout(kill, 500, signal)),
    60_000,
  );
  expect(rows).toEqual([{ reading: true }]);
  expect(err).toBe(
    'stopping: what is under way is finished; once more ends at once\nstopped; nothing was written\nrun: stopped\n',
  );
  expect(code).toBe(1);
});
