import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { person } from '../journey/company.ts';
import { type Journey, startJourney, until } from '../journey/harness.ts';
import { type Child, startChild, waitUntil } from '../services/child.ts';
import { projectRoot } from '../services/project.ts';

const LIMIT_MS = 60_000;
const CROWD = 10_000;
/** Not more at once than wait to be accepted: the system would put the others off for seconds. */
const AT_ONCE = 250;
/** Longer than the gateway waits for a head. */
const HEADS_MS = 40_000;

let journey: Journey;
let gateway: Child;
const sockets: Socket[] = [];

beforeAll(async () => {
  journey = await startJourney({ people: [person('ann')], start: false });
  const main = join(projectRoot(), 'dist', 'main.js');
  gateway = startChild('gateway', [process.execPath, main, 'serve', '--config', journey.configFile], {
    env: journey.env,
  });
  await waitUntil(gateway, LIMIT_MS, () => gateway.log.some((line) => line.includes('"message":"ready"')));
}, LIMIT_MS);

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await gateway.stop();
  await journey.close();
}, LIMIT_MS);

const openFiles = () => readdirSync(`/proc/${gateway.pid}/fd`).length;

/** Each sends what its kind does, and then nothing any more. */
async function come(count: number, kinds: readonly string[]): Promise<void> {
  const { port, hostname } = new URL(journey.url);
  for (let come = 0; come < count; come += AT_ONCE) {
    const batch = Array.from({ length: AT_ONCE }, (_, at) => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.resume();
      socket.once('connect', () => socket.write(kinds[at % kinds.length] ?? ''));
      return socket;
    });
    sockets.push(...batch);
    await until('the connections', () => batch.every(({ connecting }) => !connecting) || undefined, LIMIT_MS);
  }
}

it(
  'serves people beside ten thousand idle connections, and has none of them left',
  async () => {
    const browser = journey.browser();
    expect((await browser.logIn(`${journey.url}/`, 'ann')).status).toBe(200);
    const before = openFiles();
    const { host } = new URL(journey.url);
    await come(CROWD, [
      `GET /.latchgate/jwks.json HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 10\r\n\r\nabc`,
    ]);
    await until('all of them', () => openFiles() >= CROWD || undefined, LIMIT_MS);
    for (let visit = 0; visit < 20; visit += 1) expect((await browser.visit(`${journey.url}/`)).status).toBe(200);
    expect((await journey.logIn('ann')).status).toBe(200);
    // Whoever says nothing, or half a head, is shown out; the others may stay for as long as connections are kept.
    await come(2 * AT_ONCE, ['', 'GET / HTTP/1.1\r\nHo']);
    const silent = sockets.slice(-2 * AT_ONCE);
    await until('an end for the silent', () => silent.every(({ destroyed }) => destroyed) || undefined, HEADS_MS);
    for (const socket of sockets) socket.destroy();
    await until('none of them', () => openFiles() <= before + 20 || undefined, LIMIT_MS);
    expect((await browser.visit(`${journey.url}/`)).status).toBe(200);
    expect(gateway.log.filter((line) => /"level":"error"/.test(line))).toEqual([]);
  },
  4 * LIMIT_MS,
);
