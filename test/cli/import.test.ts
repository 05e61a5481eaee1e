import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/cli/program.ts';
import { FOLDER } from '../import/examples.ts';

const folder = mkdtempSync(join(tmpdir(), 'latchgate-import-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function latchgate(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const io = {
    out: (line: string) => void out.push(line),
    err: (line: string) => void err.push(line),
    env: {},
    isTTY: false,
  };
  return { code: await run(args, io), out: out.join('\n'), err: err.join('\n') };
}

describe('latchgate import', () => {
  const file = join(FOLDER, 'oauth2-proxy.cfg');
  const made = readFileSync(`${file}.made.yaml`, 'utf8').trimEnd();

  it('prints what it makes', async () => {
    expect(await latchgate('import', 'oauth2-proxy', file)).toEqual({ code: 0, out: made, err: '' });
  });

  it('writes it where nothing is yet', async () => {
    const out = join(folder, 'latchgate.yaml');
    expect((await latchgate('import', 'oauth2-proxy', file, '--out', out)).code).toBe(0);
    expect(readFileSync(out, 'utf8').trimEnd()).toBe(made);
    writeFileSync(out, 'worked on since');
    expect((await latchgate('import', 'oauth2-proxy', file, '--out', out)).err).toMatch(/^usage: .* is there already/);
    expect(readFileSync(out, 'utf8')).toBe('worked on since');
  });

  it('says the same as JSON', async () => {
    const { out } = await latchgate('import', 'oauth2-proxy', file, '--json');
    const said = JSON.parse(out) as { config: string; todo: unknown[]; options: unknown[] };
    expect(said.config.trimEnd()).toBe(made);
    expect(said.options).toContainEqual({ line: 21, name: 'cookie_expire', fate: 'carried', text: 'session.absolute' });
    expect(said.todo).toContainEqual({ line: 24, text: expect.stringMatching(/^cookie_domains: /) });
  });

  it.each([
    ['a program that it does not know', 'traefik', file, /unknown command/],
    ['a prototype', 'constructor', file, /unknown command/],
    ['a file that is not there', 'grafana', join(folder, 'none'), /cannot be read/],
    ['a folder', 'grafana', folder, /cannot be read/],
  ])('%s is a mistake of the command line', async (_, program, path, message) => {
    const { code, err } = await latchgate('import', program, path);
    expect({ code, err }).toEqual({ code: 64, err: expect.stringMatching(message) });
  });

  it('so is a file that is too long, no text, or of another kind', async () => {
    const path = join(folder, 'odd');
    writeFileSync(path, 'x'.repeat(1_048_577));
    expect((await latchgate('import', 'grafana', path)).err).toContain('longer than 1 MiB');
    writeFileSync(path, Buffer.from([0xff, 0xfe]));
    expect((await latchgate('import', 'grafana', path)).err).toContain('not UTF-8');
    writeFileSync(path, 'neither = [ this');
    expect((await latchgate('import', 'oauth2-proxy', path)).err).toContain('neither a configuration of oauth2-proxy');
  });
});
