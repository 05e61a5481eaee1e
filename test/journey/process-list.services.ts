import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, startChild, waitUntil } from '../services/child.ts';
import { projectRoot } from '../services/project.ts';
import { BOTH, CLIENT_SECRET, person } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

const LIMIT_MS = 60_000;
const SESSION_SECRET = 'a session secret that only this test knows';

let journey: Journey;
let gateway: Child;

beforeAll(async () => {
  const sections = { ...BOTH, workers: '2', session: `{ secrets: ["${SESSION_SECRET}"] }` };
  journey = await startJourney({ people: [person('ann')], sections, start: false });
  const main = join(projectRoot(), 'dist', 'main.js');
  const command = [process.execPath, main, 'serve', '--config', journey.configFile];
  gateway = startChild('gateway', command, { env: journey.env });
  await waitUntil(gateway, LIMIT_MS, () => gateway.log.some((line) => line.includes('"message":"ready"')));
}, LIMIT_MS);

afterAll(async () => {
  await gateway.stop();
  await journey.close();
}, LIMIT_MS);

/** Command lines of a process and of everything that it started, as anybody on the machine can read them. */
function commandLines(root: number): string[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const parents = new Map(all.map((pid) => [Number(pid), Number(field(pid, 'status', /^PPid:\s+(\d+)$/m))]));
  const isOurs = (pid: number): boolean => pid === root || (pid > 1 && isOurs(parents.get(pid) ?? 0));
  return [...parents.keys()].filter(isOurs).map((pid) => field(String(pid), 'cmdline', /^.*$/s));
}

/** Empty for a process that has ended meanwhile. */
function field(pid: string, file: string, pattern: RegExp): string {
  try {
    const match = pattern.exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'));
    return match?.[1] ?? match?.[0] ?? '';
  } catch {
    return '';
  }
}

it(
  'shows no secret in the list of processes, and none in what workers write, once people have logged in',
  async () => {
    const browser = journey.browser();
    expect((await browser.logIn(`${journey.url}/`, 'ann')).status).toBe(200);
    const lines = await until('the workers', () => {
      const found = commandLines(gateway.pid);
      return found.length >= 3 ? found : undefined;
    });
    const cookie = browser.cookie(journey.url, 'latchgate') ?? '';
    expect(cookie).not.toBe('');
    const secrets = [CLIENT_SECRET, SESSION_SECRET, journey.gooddata.token, cookie, decodeURIComponent(cookie)];
    expect(lines.every((line) => line.includes(process.execPath))).toBe(true);
    for (const secret of secrets) {
      expect(lines.join('\n')).not.toContain(secret);
      expect(gateway.log.join('\n')).not.toContain(secret);
    }
    expect(gateway.log.join('\n')).not.toMatch(/ann@acme\.test|eyJ[\w-]{10,}\./);
  },
  LIMIT_MS,
);
