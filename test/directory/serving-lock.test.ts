import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/directory/database.ts';
import { lockForServing } from '../../src/directory/serving-lock.ts';

const inUse = expect.objectContaining({ code: 'state_in_use' });

describe('the lock of a gateway that serves', () => {
  let folder = '';
  let url = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'latchgate-lock-'));
    url = `sqlite:${join(folder, 'data', 'latchgate.db')}`;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is given once, and again after it was given back', () => {
    const release = lockForServing(url);
    expect(() => lockForServing(url)).toThrow(inUse);
    release();
    lockForServing(url)();
  });

  it('leaves the database itself open to everybody, and its folder to its owner alone', async () => {
    const release = lockForServing(url);
    const database = await openDatabase(url);
    await database.probe();
    await database.close();
    release();
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(join(folder, 'data'))) {
      expect([file, statSync(join(folder, 'data', file)).mode & 0o077]).toEqual([file, 0]);
    }
  });

  it('is another one for another file, and none for PostgreSQL and for a database in memory', () => {
    const releases = [lockForServing(url), lockForServing(`${url}-2`)];
    for (const none of ['sqlite::memory:', 'postgres://localhost/latchgate']) {
      releases.push(lockForServing(none), lockForServing(none));
    }
    for (const release of releases) release();
  });

  it('ends with a process that is killed, at once', async () => {
    const holder = await holdElsewhere(url);
    expect(() => lockForServing(url)).toThrow(inUse);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    lockForServing(url)();
  });

  it('that cannot be taken is a state that is not available', () => {
    expect(() => lockForServing('sqlite:/dev/null/latchgate.db')).toThrow(
      expect.objectContaining({ code: 'state_unavailable' }),
    );
  });
});

/** Another process with the lock. */
async function holdElsewhere(url: string) {
  const here = import.meta.dirname;
  const source = `const { lockForServing } = await import(${JSON.stringify(join(here, '../../src/directory/serving-lock.ts'))});
    lockForServing(${JSON.stringify(url)}); console.log('held'); setInterval(() => {}, 1000);`;
  const args = ['--import', join(here, 'typescript.mjs'), '--input-type=module', '--eval', source];
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('it ended'))),
  ]);
  return child;
}
