import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { person } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

// The audit beside a gateway that runs: signed, delivered, measured.
const events: { readonly data: { readonly event: string; readonly seq: number } }[] = [];
let status = 503;
const hook = createServer(async (req, res) => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  if (status === 200) events.push(...(JSON.parse(Buffer.concat(chunks).toString()) as typeof events));
  res.writeHead(status).end();
});
let journey: Journey;

beforeAll(async () => {
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}`;
  const deliver = { hook: { type: 'webhook', url, secrets: ['a secret that is long enough for a hook'] } };
  journey = await startJourney({
    people: [person('ann', { groups: ['team-a'] })],
    sections: { audit: JSON.stringify({ checkpoint: { every: '0s' }, deliver }) },
  });
});
afterAll(async () => {
  await journey.close();
  hook.closeAllConnections();
  hook.close();
});

const metric = async (name: string): Promise<number | undefined> => {
  const text = await (await fetch(`${journey.admin()}/metrics`)).text();
  const [, value] = new RegExp(`^latchgate_${name}(?:\\{.*\\})? (.*)$`, 'm').exec(text) ?? [];
  return value === undefined ? undefined : Number(value);
};

it('delivers what happened at a login, for which nobody waited while the receiver was down', async () => {
  expect((await journey.logIn('ann')).status).toBe(200);
  expect(events).toEqual([]);
  expect(await metric('audit_delivery_lag_records')).toBeGreaterThan(0);
  status = 200;
  await until('the login', () => events.some(({ data }) => data.event === 'login.allowed') || undefined, 30_000);
  expect(events.map(({ data }) => data.seq)).toEqual(events.map((_, at) => at + 1));
  await until('nothing left', async () => (await metric('audit_delivery_lag_records')) === 0 || undefined);
}, 60_000);

it('signs it, and says so', async () => {
  await until('a checkpoint', async () => (await metric('audit_checkpoint_timestamp_seconds')) || undefined, 30_000);
  expect(await metric('audit_ok')).toBe(1);
  const { code, out } = await journey.cli('audit', 'verify', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ ok: true, signedUpTo: expect.any(Number) });
  expect((await journey.cli('audit', 'checkpoint')).out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  expect((await journey.cli('audit', 'export')).out.split('\n')).toHaveLength(JSON.parse(out).records);
  expect(journey.log.join('\n')).not.toContain('long enough for a hook');
}, 60_000);
