import { request } from 'undici';
import { type Child, startChild, waitUntil } from './services/child.ts';
import { projectRoot } from './services/project.ts';

const START_LIMIT_MS = 120_000;

describe('npm run demo', () => {
  let demo: Child;
  let address = '';

  beforeAll(async () => {
    demo = startChild('demo', ['npm', 'run', 'demo'], { cwd: projectRoot(), group: true, env: { CI: 'true' } });
    await waitUntil(demo, START_LIMIT_MS, () => {
      address = /^\s+(http:\/\/127\.0\.0\.1:\d+)\s*$/.exec(demo.log.find(isAddress) ?? '')?.[1] ?? '';
      return address !== '';
    });
  }, START_LIMIT_MS + 10_000);

  afterAll(() => demo.stop());

  it('prints one address to open, and says what to try', () => {
    expect(demo.log.filter(isAddress)).toHaveLength(1);
    const text = demo.log.join('\n');
    for (const step of [/first login/i, /changed group/i, /refused person/i]) expect(text).toMatch(step);
  });

  it('leads a browser from there to the people of its identity provider', async () => {
    const page = await browse(address);
    for (const name of ['Alice', 'Carol', 'Erin']) expect(page).toContain(name);
  });

  it('ends with everything that it started when it is interrupted', async () => {
    demo.kill('SIGINT');
    await demo.exited;
    await expect(fetch(address)).rejects.toThrow();
  });
});

describe('npm run demo:sync', () => {
  const start = () => startChild('demo', ['npm', 'run', 'demo:sync'], { cwd: projectRoot(), group: true });

  it(
    'shows plans, what is held, who approves it and that nothing is left to do, and ends',
    async () => {
      const demo = start();
      expect(await demo.exited).toEqual({ code: 0, signal: null });
      const text = demo.log.join('\n');
      for (const shown of [
        'users-to-auth0: 7 create, 5 grant',
        'HELD: 3 of 7 people whom the source listed before are missing or blocked there',
        /plan_\S+ +users-to-auth0 .* held +source_short/,
        /latchgate plans approve plan_/,
        'users-to-auth0: nothing to change',
        'auth0-to-gooddata: nothing to change',
      ]) {
        expect(text).toMatch(shown);
      }
      expect([...text.matchAll(/exit code (\d+)/g)].map(([, code]) => code)).toEqual([
        '0',
        '0',
        '0',
        '11',
        '0',
        '0',
        '0',
        '0',
        '0',
      ]);
    },
    START_LIMIT_MS,
  );

  it(
    'ends at once when it is interrupted',
    async () => {
      const demo = start();
      await waitUntil(demo, START_LIMIT_MS, () => demo.log.some((line) => line.includes('latchgate plan')));
      demo.kill('SIGINT');
      await demo.exited;
      expect(demo.log.join('\n')).not.toMatch(/Error/);
    },
    START_LIMIT_MS,
  );
});

function isAddress(line: string): boolean {
  return /^\s+http:\/\/127\.0\.0\.1:\d+\s*$/.test(line);
}

/** Follows redirects as a browser does, with its cookies. */
async function browse(from: string): Promise<string> {
  const cookies = new Map<string, string>();
  let url = new URL(from);
  for (let hop = 0; hop < 10; hop += 1) {
    const cookie = [...cookies.values()].join('; ');
    // Not `fetch`: it says of itself that it is a script, and is answered as one.
    const answer = await request(url, { headers: { accept: 'text/html', ...(cookie && { cookie }) } });
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) {
      const pair = line.split(';', 1)[0] ?? '';
      cookies.set(pair.split('=', 1)[0] ?? '', pair);
    }
    const text = await answer.body.text();
    const { location } = answer.headers;
    if (typeof location !== 'string') return text;
    url = new URL(location, url);
  }
  throw new Error('the redirects do not end');
}
