import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from '../../src/cli/check.ts';
import type { Io } from '../../src/cli/io.ts';
import { schema } from '../../src/cli/schema.ts';
import { configText } from '../config/fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'latchgate-check-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function terminal(env: NodeJS.ProcessEnv = {}): Io & { readonly stdout: string[]; readonly stderr: string[] } {
  const stdout: string[] = [];
  const stderr: string[] = [];
  return {
    stdout,
    stderr,
    env,
    isTTY: false,
    out: (line) => void stdout.push(line),
    err: (line) => void stderr.push(line),
  };
}

describe('latchgate check', () => {
  it('says in one line what is there', async () => {
    const io = terminal();
    const config = file('good.yaml', configText());
    expect(await check({ config }, io)).toBe(0);
    expect(io.stdout).toEqual([`${config}: ok: 1 login, 1 rule, 1 target, 1 route`]);
    expect(io.stderr).toEqual([]);
  });

  it('prints warnings and still says yes', async () => {
    const io = terminal();
    expect(await check({ config: file('warned.yaml', configText({ rules: '' })) }, io)).toBe(0);
    expect(io.stderr).toHaveLength(1);
    expect(io.stderr[0]).toMatch(/^warning: .*warned\.yaml:6:\d+: route_without_grant: /);
  });

  it('prints every complaint in the order of the file, and ends with 2', async () => {
    const io = terminal();
    const config = file('bad.yaml', configText({ public_url: 'public_url: "${UNSET}"', routes: 'routs: []' }));
    expect(await check({ config }, io)).toBe(2);
    expect(io.stdout).toEqual([]);
    expect(io.stderr).toEqual([
      `${config}:2:13: env_missing: the environment variable UNSET is not set (set it, or write \${UNSET:-default})`,
      `${config}:7:1: unknown_key: there is no key \`routs\` at the top of the file (did you mean routes?)`,
      '2 complaints: the gateway would not start with this file',
    ]);
  });

  it('takes the environment from its caller', async () => {
    const config = file('env.yaml', configText({ public_url: 'public_url: "${URL}"' }));
    expect(await check({ config }, terminal({ URL: 'https://bi.example.com' }))).toBe(0);
  });

  it('ends with 2 when the file is not there', async () => {
    const io = terminal();
    expect(await check({ config: join(folder, 'none.yaml') }, io)).toBe(2);
    expect(io.stderr[0]).toContain('file_unreadable');
  });

  it('prints one JSON object with --json', async () => {
    const io = terminal();
    const config = file('json.yaml', configText({ version: 'version: 3' }));
    expect(await check({ config, json: true }, io)).toBe(2);
    expect(io.stdout).toHaveLength(1);
    expect(JSON.parse(io.stdout[0] ?? '')).toEqual({
      ok: false,
      complaints: [
        {
          file: config,
          line: 1,
          column: 10,
          path: ['version'],
          code: 'not_an_option',
          message: '`version` must be 1, the only version of this language',
        },
      ],
      warnings: [],
    });
  });
});

describe('latchgate schema', () => {
  it('prints a JSON Schema', async () => {
    const io = terminal();
    expect(await schema({}, io)).toBe(0);
    expect(JSON.parse(io.stdout.join('\n'))).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
    });
  });
});
