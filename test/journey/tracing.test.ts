import { appendFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startTracing } from '../../src/ops/tracing.ts';
import { GOODDATA, person } from './company.ts';
import { type Instance, type Journey, startJourney, until } from './harness.ts';
import { SCIM_TOKEN, scimOf } from './scim-client.ts';

// A gateway whose environment asks for traces, and a receiver of OTLP/HTTP (JSON) that takes them.
interface Value {
  readonly stringValue?: string;
  readonly intValue?: number | string;
}
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly links?: readonly { readonly spanId: string }[];
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Value }[];
  readonly status: { readonly code?: number };
}
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { readonly key: string; readonly value: Value }[] };
    readonly scopeSpans: readonly { readonly scope: { readonly name: string }; readonly spans: readonly Span[] }[];
  }[];
}

const VARIABLES = {
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  OTEL_SERVICE_NAME: 'gateway-of-a-test',
  OTEL_BSP_SCHEDULE_DELAY: '50',
};
const [INTERNAL, SERVER, CLIENT] = [1, 2, 3];
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

const exports: Export[] = [];
const asked: { readonly path: string; readonly type: string }[] = [];
const receiver = createServer(async (req, res) => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  asked.push({ path: req.url ?? '', type: req.headers['content-type'] ?? '' });
  exports.push(JSON.parse(Buffer.concat(chunks).toString()) as Export);
  res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
});

let journey: Journey;
let instance: Instance;
let stop: () => Promise<void>;

beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  Object.assign(process.env, VARIABLES, { OTEL_EXPORTER_OTLP_ENDPOINT });
  stop = await startTracing(process.env, { info() {}, warn() {} });
  journey = await startJourney({
    people: [person('ann', { groups: ['team-a'] })],
    sections: {
      ...GOODDATA,
      log: '{ level: debug, access: true }',
      scim: JSON.stringify({ clients: { okta: { tokens: [SCIM_TOKEN] } } }),
      sources: '{ hr: { type: file, path: people.csv } }',
      sync: '{ hr-to-gooddata: { from: hr, to: gooddata, every: 1h, jitter: 0s, do: apply } }',
    },
    start: false,
  });
  writeFileSync(join(journey.folder, 'people.csv'), 'email,name,role\nbob@acme.test,Bob Smith,team-b\n');
  instance = await journey.start();
});
afterAll(async () => {
  await journey.close();
  await stop();
  receiver.closeAllConnections();
  receiver.close();
  for (const name of [...Object.keys(VARIABLES), 'OTEL_EXPORTER_OTLP_ENDPOINT']) delete process.env[name];
});

const spans = (): Span[] =>
  exports.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((one) => one.spans)),
  );
const facts = ({ attributes }: Span) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]));
const spanOf = (what: string, fits: (span: Span) => boolean) => until(what, () => spans().find(fits), 20_000);

it('a login is a trace: the request, the login, what it did in each target, and each call of it', async () => {
  expect((await journey.logIn('ann')).status).toBe(200);
  const login = await spanOf('the login', ({ name }) => name === 'login');
  const ofTrace = () => spans().filter(({ traceId }) => traceId === login.traceId);
  const provision = await spanOf('provision', ({ name, traceId }) => name === 'provision' && traceId === login.traceId);
  const request = await spanOf('the request', ({ spanId }) => spanId === login.parentSpanId);
  const calls = ofTrace().filter(({ parentSpanId }) => parentSpanId === provision.spanId);
  expect(facts(login)).toEqual({ 'latchgate.login': 'acme', 'latchgate.code': 'ok' });
  expect(facts(provision)).toMatchObject({ 'latchgate.target': 'gooddata', 'latchgate.outcome': 'ready' });
  expect(facts(request)).toMatchObject({
    'http.request.method': 'GET',
    'http.response.status_code': 302,
    'latchgate.request_id': expect.any(String),
  });
  expect([login.kind, provision.kind, request.kind]).toEqual([INTERNAL, INTERNAL, SERVER]);
  expect(calls.length).toBeGreaterThan(1);
  for (const call of calls) {
    expect(call.kind).toBe(CLIENT);
    expect(facts(call)).toMatchObject({
      'server.address': '127.0.0.1',
      'http.response.status_code': expect.any(Number),
    });
  }
  // The code was exchanged within the login.
  expect(ofTrace().some(({ kind, parentSpanId }) => kind === CLIENT && parentSpanId === login.spanId)).toBe(true);
  for (const { startTimeUnixNano, endTimeUnixNano, traceId, spanId } of ofTrace()) {
    expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano));
    expect([traceId, spanId]).toEqual([
      expect.stringMatching(/^[0-9a-f]{32}$/),
      expect.stringMatching(/^[0-9a-f]{16}$/),
    ]);
  }
  // Every line of that request names both.
  const requestId = facts(request)['latchgate.request_id'];
  const lines = journey.log.map((line) => JSON.parse(line) as Record<string, unknown>);
  const own = lines.filter((line) => line['requestId'] === requestId);
  expect(own.map(({ message }) => message)).toContain('login');
  for (const line of own) expect(line['traceId']).toBe(login.traceId);
  // Calls of other services are lines of `debug` alone; theirs is the trace.
  const without = lines.filter((line) => line['traceId'] === login.traceId && line['requestId'] === undefined);
  expect(new Set(without.map(({ level, message }) => `${level} ${message}`))).toEqual(new Set(['debug outgoing call']));
}, 60_000);

it('a stranger gets a trace of our own, whatever it says, and theirs is a link of it', async () => {
  const [strange, parent] = ['1af7651916cd43dd8448eb211c80319d', 'c7ad6b7169203332'];
  const browser = journey.browser();
  await browser.logIn(`${journey.url}/`, 'ann');
  const before = journey.gooddata.requests.length;
  // Not sampled, says the stranger: that is not theirs to say.
  const headers = { traceparent: `00-${strange}-${parent}-00`, tracestate: 'vendor=1' };
  expect((await browser.visit(`${journey.url}/strange`, { headers })).status).toBeLessThan(500);
  const request = await spanOf('the request', ({ links }) => links?.some(({ spanId }) => spanId === parent) === true);
  expect(request.kind).toBe(SERVER);
  expect(request.parentSpanId ?? '').toBe('');
  expect(spans().map(({ traceId }) => traceId)).not.toContain(strange);
  const there = journey.gooddata.requests.slice(before).map(({ traceparent }) => traceparent);
  expect(there).toContain(`00-${request.traceId}-${request.spanId}-01`);
}, 60_000);

it('goes on from the trace of a trusted proxy, and the backend goes on from ours', async () => {
  await instance.stop();
  appendFileSync(journey.configFile, 'trusted_proxies: [127.0.0.1]\n');
  await journey.start();
  const browser = journey.browser();
  await browser.logIn(`${journey.url}/`, 'ann');
  const before = journey.gooddata.requests.length;
  const headers = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=1' };
  expect((await browser.visit(`${journey.url}/traced`, { headers })).status).toBeLessThan(500);
  const request = await spanOf('the request', ({ traceId, kind }) => traceId === TRACE && kind === SERVER);
  expect(request.parentSpanId).toBe(PARENT);
  expect(facts(request)['latchgate.target']).toBe('gooddata');
  const there = journey.gooddata.requests.slice(before).map(({ traceparent }) => traceparent);
  expect(there).toContain(`00-${TRACE}-${request.spanId}-01`);
}, 60_000);

it('SCIM and syncs are traced as well', async () => {
  expect((await scimOf(journey).call('GET', '/Users')).status).toBe(200);
  const scim = await spanOf('SCIM', ({ name }) => name === 'scim');
  expect(facts(scim)).toEqual({ 'latchgate.client': 'okta' });
  const sync = await spanOf('the sync', ({ name }) => name === 'sync');
  expect(facts(sync)).toMatchObject({ 'latchgate.sync': 'hr-to-gooddata', 'latchgate.outcome': expect.any(String) });
  expect(sync.parentSpanId ?? '').toBe('');
}, 60_000);

it('is sent as OTLP/HTTP has it, under the name of the environment, without anything of a person', () => {
  expect(new Set(asked.map(({ path }) => path))).toEqual(new Set(['/v1/traces']));
  expect(asked.every(({ type }) => type.startsWith('application/json'))).toBe(true);
  const names = exports.flatMap(({ resourceSpans }) => resourceSpans.map(({ resource }) => resource.attributes));
  for (const attributes of names) {
    expect(attributes).toContainEqual({ key: 'service.name', value: { stringValue: 'gateway-of-a-test' } });
  }
  expect(JSON.stringify(exports)).not.toMatch(/ann@|acme\.test|bob|Smith|team-|code=|state=|eyJ/i);
});
