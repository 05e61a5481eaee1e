import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { GOODDATA, person } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

let journey: Journey;

beforeAll(async () => {
  journey = await startJourney({
    people: [person('ann')],
    sections: { ...GOODDATA, shutdown: '{ delay: 1s, idle: 4s, drain: 9s }' },
    start: false,
  });
});
afterAll(() => journey.close());

/** The head of an answer on a connection of its own, which the other side closes. */
function headOf(url: string): Promise<string> {
  const { hostname, port, host } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let raw = '';
    socket.on('data', (chunk) => {
      raw += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(raw));
    socket.write(`GET /.latchgate/jwks.json HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  });
}

it('a gateway that stops still serves who comes, for as long as it was told, while readiness says no', async () => {
  const instance = await journey.start();
  const readiness = () => fetch(`${instance.admin}/readyz`);
  expect((await readiness()).status).toBe(200);
  let hasStopped = false;
  const stopped = instance.stop().then(() => {
    hasStopped = true;
  });
  const answer = await readiness();
  expect([answer.status, ((await answer.json()) as { checks: object }).checks]).toEqual([
    503,
    expect.objectContaining({ stopping: expect.anything() }),
  ]);
  const head = await headOf(instance.url);
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(head).toMatch(/^Connection: close\r$/m);
  expect(hasStopped).toBe(false);
  await stopped;
  await expect(headOf(instance.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await until('the end', () => hasStopped);
});

it('a connection that was kept open has one more answer, long after the last ones, and closes with it', async () => {
  const instance = await journey.start();
  const { hostname, port, host } = new URL(instance.url);
  const socket = connect(Number(port), hostname);
  let raw = '';
  socket.on('data', (chunk) => {
    raw += chunk;
  });
  socket.write(`GET /.latchgate/jwks.json HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  while (!raw.includes('"keys"')) await once(socket, 'data');
  expect(raw).not.toMatch(/^Connection: close\r$/m);
  const stopped = instance.stop();
  await sleep(3_000);
  raw = '';
  socket.write(`POST /.latchgate/logout HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n\r\n`);
  await once(socket, 'close');
  expect(raw).toMatch(/^HTTP\/1\.1 403 [\s\S]*^Connection: close\r$/m);
  await stopped;
});
