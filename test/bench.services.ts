import { join } from 'node:path';
import { run } from './services/child.ts';
import { projectRoot } from './services/project.ts';

const PARTS = ['1 KiB: CPU per request', '64 KiB: p99', 'login redirect: CPU', 'logins per second', 'CPU per login'];

const SMALL = ['--rounds', '1', '--seconds', '1', '--live', '100', '--sockets', '50', '--people', '1000'];

describe('the benchmark', () => {
  it('logs in everywhere, has every request answered, and prints its table of ratios', async () => {
    const options = { cwd: projectRoot(), timeoutMs: 120_000 };
    await run('build of the benchmark', ['npm', 'run', '--silent', 'build:tools'], options);
    const bench = join(projectRoot(), 'build', 'bench', 'run.js');
    const output = await run('benchmark', [process.execPath, bench, ...SMALL], options);

    const lines = output.split('\n');
    for (const part of PARTS) {
      const row = lines.find((line) => line.startsWith(part));
      expect(row).toMatch(/ {2}\(\d+\.\d+\.\.\d+\.\d+\)( |$)/);
    }
    const verdict = (most: string) => `at most ${most}: (met|not met)`;
    const wanted = [
      ['1 KiB: CPU per request', `nginx ${verdict('4.00')}, Apache ${verdict('0.33')}`],
      ['1 KiB: p99', `Apache ${verdict('0.50')}`],
      ['64 KiB: CPU per request', `Apache ${verdict('0.50')}`],
      ['64 KiB: p99', `Apache ${verdict('0.50')}`],
      ['login redirect: CPU', `Apache ${verdict('0.40')}`],
      ['process \\d+ with them', verdict('110 MB')],
      ['event loop late', verdict('50 ms')],
    ];
    for (const [what, words] of wanted) expect(output).toMatch(new RegExp(`^${what}.*${words}$`, 'm'));
    expect(output).toMatch(/idle memory .*: \d+ MB/);
    expect(output).toMatch(/start to ready, existing store: \d+\.\d\d s/);
    expect(output).toMatch(/100 live sessions: \d+ MB before, \d+ MB after/);
    expect(output).toMatch(/50 idle WebSockets: -?\d+\.\d KiB each/);
    expect(output).toMatch(/event loop .*: longest \d+ ms, p99 \d+ ms/);
    expect(output).toMatch(/^plan of 1000 people, \d+ changes: CPU \d+\.\d\d s/m);
    expect(output).toMatch(/^calls to read 1000 Auth0 users with five roles: \d+, .*: (met|not met)$/m);
    expect(output).toMatch(
      /^100 changes among 1000 people in GoodData: \d+ calls \(51 that write, fewest 51, .*\); at most 62: met$/m,
    );
    expect(output).toMatch(new RegExp(`^SCIM userName eq among 1000 users: CPU .*; ${verdict('5.00 ms')}$`, 'm'));
    expect(output).toMatch(new RegExp(`^SCIM 100 members in one PATCH: CPU .*; ${verdict('1000.0 ms')}; `, 'm'));
    expect(output).toMatch(new RegExp(`^SCIM create, .* scimmy-routers.*; ${verdict('1.50')} `, 'm'));
    expect(output).toMatch(new RegExp(`^SCIM memory .*: \\d+ MB; ${verdict('250 MB')}$`, 'm'));
    expect(output).toContain('Metrics on, access log off');
  }, 250_000);
});
