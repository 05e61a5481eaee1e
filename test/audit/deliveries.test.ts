import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { AuditEntry } from '../../src/audit/audit.ts';
import { deliver, deliveredUpTo, deliveryStanding } from '../../src/audit/deliveries.ts';
import { createAudit } from '../../src/audit/log.ts';
import type { Receiver } from '../../src/audit/receiver.ts';
import { auditSchema } from '../../src/audit/schema.ts';
import { createSyslogReceiver } from '../../src/audit/syslog.ts';
import { createWebhookReceiver } from '../../src/audit/webhook.ts';
import { createLeases } from '../../src/directory/leases.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import { createHttpClient } from '../../src/ops/http.ts';
import { type State, sqliteState } from '../conformance/state.ts';
import { type Certificates, makeCertificates } from '../services/tls.ts';

const SECRETS = ['the first secret of the hook, long enough', `whsec_${Buffer.alloc(32, 7).toString('base64')}`];
/** RFC 5424 §6, with the one element that we send. */
const MESSAGE =
  /^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([\x21-\x7e]{1,255}) latchgate (\d+) ([\x21-\x7e]{1,32}) \[meta sequenceId="(\d+)"\] (.*)$/s;

let state: State;
let closers: (() => unknown)[];
const never = new AbortController().signal;

beforeEach(async () => {
  state = await sqliteState();
  closers = [];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  await state.dispose();
});

async function instance() {
  const database = await state.open();
  const warnings: unknown[] = [];
  const log = { error() {}, warn: (_: string, fields: unknown) => void warnings.push(fields), info() {}, debug() {} };
  const shortened: string[] = [];
  const metrics = { auditShortened: (receiver: string) => void shortened.push(receiver) };
  const leases = createLeases(database, state.clock);
  return { database, leases, clock: state.clock, log, warnings, metrics, shortened };
}

async function write(count: number, more: Partial<AuditEntry> = {}): Promise<void> {
  const database = await state.open();
  const entries = Array.from({ length: count }, (_, at): AuditEntry => {
    return { event: 'grant.given', actor: 'p_alice', person: 'p_alice', key: `k${at + 1}`, ...more };
  });
  await createAudit(database, state.clock).append(entries);
}

const settings = (deliver: Record<string, unknown>) => {
  const [[name, config] = []] = Object.entries(auditSchema.parse({ deliver: { there: deliver } }).deliver);
  if (name === undefined || config === undefined) throw new Error('no delivery');
  return config;
};
const syslog = (more: Record<string, unknown>): Receiver => {
  const config = settings({ type: 'syslog', timeout: '2s', ...more });
  if (config.type !== 'syslog') throw new Error('no syslog');
  return createSyslogReceiver('there', config);
};
const webhook = (url: string, more: Record<string, unknown> = {}): Receiver => {
  const config = settings({ type: 'webhook', url, secrets: SECRETS, timeout: '2s', ...more });
  if (config.type !== 'webhook') throw new Error('no webhook');
  const http = createHttpClient({});
  closers.push(() => http.close());
  return createWebhookReceiver('there', config, { http, clock: state.clock, publicUrl: 'https://bi.example.com' });
};

async function port(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

/** Reads to the end and closes, as syslog daemons do. Messages are taken apart by octet counting alone. */
function reader(messages: string[]): (socket: Socket) => void {
  return (socket) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('end', () => {
      let rest = Buffer.concat(chunks);
      while (rest.length > 0) {
        const space = rest.indexOf(' ');
        const length = Number(rest.subarray(0, space).toString());
        messages.push(rest.subarray(space + 1, space + 1 + length).toString('ascii'));
        rest = rest.subarray(space + 1 + length);
      }
    });
  };
}

const numbers = (messages: readonly string[]) => messages.map((message) => Number(MESSAGE.exec(message)?.[6]));

describe('to syslog', () => {
  it('by TCP: each record once, in order, as RFC 5424 writes it', async () => {
    const messages: string[] = [];
    const at = await port(createTcpServer(reader(messages)));
    await write(5);
    await write(1, { event: 'login.refused', code: 'denied_by_rule', after: 'Ö]"\n\u2028' });
    await deliver(syslog({ url: `tcp://127.0.0.1:${at}`, batch: 2 }), await instance(), never);
    expect(numbers(messages)).toEqual([1, 2, 3, 4, 5, 6]);
    const [first = '', last = ''] = [messages[0], messages[5]].map((message) => message ?? '');
    expect(MESSAGE.exec(first)?.slice(1, 3)).toEqual(['110', '2026-01-02T03:04:05.000Z']);
    expect(MESSAGE.exec(last)?.slice(1, 6)).toEqual(expect.arrayContaining(['109', 'login.refused']));
    expect(last).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(MESSAGE.exec(last)?.[7] ?? '')).toEqual({
      seq: 6,
      at: '2026-01-02T03:04:05.000Z',
      event: 'login.refused',
      actor: 'p_alice',
      person: 'p_alice',
      key: 'k1',
      code: 'denied_by_rule',
      after: 'Ö]"\n\u2028',
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('by UDP: one datagram a record', async () => {
    const socket = createSocket('udp4');
    const messages: string[] = [];
    socket.on('message', (message) => void messages.push(message.toString('ascii')));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    closers.push(() => socket.close());
    await write(3);
    const { port: at } = socket.address();
    await deliver(syslog({ url: `udp://127.0.0.1:${at}`, facility: 4 }), await instance(), never);
    while (messages.length < 3) await once(socket, 'message');
    expect(numbers(messages)).toEqual([1, 2, 3]);
    expect(messages[0]).toMatch(/^<38>1 /);
  });

  it('by UDP without what no datagram holds, which is said; those around it come once', async () => {
    const socket = createSocket('udp4');
    const messages: string[] = [];
    socket.on('message', (message) => void messages.push(message.toString('ascii')));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    closers.push(() => socket.close());
    await write(2);
    await write(1, { after: 'x'.repeat(70_000) });
    await write(2);
    const here = await instance();
    await deliver(syslog({ url: `udp://127.0.0.1:${socket.address().port}` }), here, never);
    while (messages.length < 5) await once(socket, 'message');
    expect(numbers(messages)).toEqual([1, 2, 3, 4, 5]);
    expect(JSON.parse(MESSAGE.exec(messages[2] ?? '')?.[7] ?? '')).toMatchObject({ seq: 3, omitted: ['after'] });
    expect(here.shortened).toEqual(['there']);
  });

  describe('by TLS', () => {
    let certificates: Certificates;
    beforeAll(async () => {
      certificates = await makeCertificates();
    });
    afterAll(() => certificates.remove());

    it('only to whom the authority has certified', async () => {
      const messages: string[] = [];
      const tls = {
        key: readFileSync(certificates.keyFile),
        cert: readFileSync(certificates.certificateFile),
      };
      const server = createTlsServer(tls, reader(messages));
      server.on('tlsClientError', () => {});
      const url = `tls://127.0.0.1:${await port(server)}`;
      await write(2);
      const here = await instance();
      await deliver(syslog({ url }), here, never);
      expect(messages).toEqual([]);
      expect(here.warnings).toEqual([expect.objectContaining({ code: 'audit_undelivered', attempts: 1 })]);
      state.clock.fastForward(10_000);
      await deliver(syslog({ url, ca: certificates.ca }), here, never);
      expect(numbers(messages)).toEqual([1, 2]);
    });
  });

  it('counts nothing as delivered to somebody who breaks off', async () => {
    const messages: string[] = [];
    let isRude = true;
    const read = reader(messages);
    const at = await port(createTcpServer((socket) => (isRude ? socket.resetAndDestroy() : read(socket))));
    await write(3);
    const here = await instance();
    const receiver = syslog({ url: `tcp://127.0.0.1:${at}` });
    await deliver(receiver, here, never);
    expect(await deliveredUpTo([receiver], here.database)).toBe(0);
    isRude = false;
    state.clock.fastForward(10_000);
    await deliver(receiver, here, never);
    expect(numbers(messages)).toEqual([1, 2, 3]);
  });

  it('waits no longer than its timeout for somebody who never closes', async () => {
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      socket.resume();
      socket.on('error', () => {});
      closers.push(() => socket.destroy());
    });
    const at = await port(server);
    await write(1);
    const here = await instance();
    await deliver(syslog({ url: `tcp://127.0.0.1:${at}`, timeout: '1s' }), here, never);
    expect(here.warnings).toEqual([expect.objectContaining({ code: 'audit_undelivered' })]);
  });
});

describe('to a webhook', () => {
  interface Request {
    readonly headers: IncomingHttpHeaders;
    readonly body: string;
  }

  async function hook(
    answer: (body: string) => number,
  ): Promise<{ readonly url: string; readonly requests: Request[] }> {
    const requests: Request[] = [];
    const server = createHttpServer(async (req, res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk);
      const body = Buffer.concat(chunks).toString();
      requests.push({ headers: req.headers, body });
      res.writeHead(answer(body)).end();
    });
    closers.push(() => server.closeAllConnections());
    return { url: `http://127.0.0.1:${await port(server)}/hook`, requests };
  }

  const ids = (requests: readonly Request[]) =>
    requests.flatMap(({ body }) => (JSON.parse(body) as { id: string }[]).map(({ id }) => Number(id.split('-')[0])));

  it('as a batch of CloudEvents, signed by each secret', async () => {
    const { url, requests } = await hook(() => 204);
    await write(3);
    await deliver(webhook(url, { batch: 2 }), await instance(), never);
    expect(ids(requests)).toEqual([1, 2, 3]);
    const [{ headers, body } = { headers: {}, body: '' }] = requests;
    expect(headers['content-type']).toBe('application/cloudevents-batch+json; charset=utf-8');
    expect(JSON.parse(body)[0]).toEqual({
      specversion: '1.0',
      id: expect.stringMatching(/^1-[0-9a-f]{16}$/),
      source: 'https://bi.example.com',
      type: 'latchgate.audit.grant.given',
      subject: 'p_alice',
      time: '2026-01-02T03:04:05.000Z',
      datacontenttype: 'application/json',
      data: expect.objectContaining({ seq: 1, event: 'grant.given', hash: expect.stringMatching(/^[0-9a-f]{64}$/) }),
    });
    // What Standard Webhooks says a receiver does.
    const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    const by = (key: Buffer) => `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
    const signatures = String(headers['webhook-signature']).split(' ');
    expect(signatures).toEqual([by(Buffer.from(SECRETS[0] ?? '')), by(Buffer.alloc(32, 7))]);
  });

  it('again after a refusal, later each time, by whichever instance comes; nothing is lost', async () => {
    let status = 500;
    const { url, requests } = await hook(() => status);
    await write(2);
    const [here, there] = [await instance(), await instance()];
    const receiver = webhook(url);
    await deliver(receiver, here, never);
    // Not yet: all instances wait.
    await deliver(receiver, there, never);
    expect(requests).toHaveLength(1);
    await write(1);
    state.clock.fastForward(1_000);
    await deliver(receiver, there, never);
    expect(requests).toHaveLength(2);
    expect(await deliveryStanding(receiver, here)).toEqual({ behind: 3, behindMs: 1_000 });
    status = 200;
    state.clock.fastForward(2_000);
    await deliver(receiver, here, never);
    expect(ids(requests.slice(2))).toEqual([1, 2, 3]);
    expect(await deliveryStanding(receiver, there)).toEqual({ behind: 0, behindMs: 0 });
    expect(there.warnings).toEqual([expect.objectContaining({ receiver: 'there', attempts: 2 })]);
  });

  /** As a receiver with a limit of its own, or a proxy before it. */
  const smallHook = async (bytes: () => number) => {
    const taken: { id: string; data: Record<string, unknown> }[] = [];
    let asked = 0;
    const { url } = await hook((body) => {
      asked += 1;
      if (body.length > bytes()) return 413;
      taken.push(...JSON.parse(body));
      return 200;
    });
    return { url, taken, seqs: () => taken.map(({ data }) => data['seq']), asked: () => asked };
  };
  const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

  it('in smaller batches to a receiver that takes less at once: each record once, in order', async () => {
    const { url, seqs, asked } = await smallHook(() => 3_000);
    await write(60);
    const here = await instance();
    await deliver(webhook(url, { batch: 50 }), here, never);
    expect(seqs()).toEqual(upTo(60));
    expect(asked()).toBeLessThan(30);
    expect([here.warnings, here.shortened]).toEqual([[], []]);
  });

  it('without what makes a record too large by itself, which is said by its number; those after it follow whole', async () => {
    const { url, taken, seqs } = await smallHook(() => 3_000);
    await write(3);
    await write(1, { target: 'bi', before: ['x'.repeat(9_000)], after: 'y' });
    await write(1, { key: 'z'.repeat(4_000), after: 'y' });
    await write(20);
    const here = await instance();
    await deliver(webhook(url), here, never);
    expect(seqs()).toEqual(upTo(25));
    const same = { event: 'grant.given', actor: 'p_alice', person: 'p_alice', at: '2026-01-02T03:04:05.000Z' };
    const hash = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(taken.map(({ data }) => data).slice(3, 5)).toEqual([
      { ...same, seq: 4, target: 'bi', key: 'k1', omitted: ['before', 'after'], hash },
      { ...same, seq: 5, omitted: ['after', 'key'], hash },
    ]);
    expect(taken.filter(({ data }) => 'omitted' in data)).toHaveLength(2);
    expect(taken[3]?.id).toBe(`4-${String(taken[3]?.data['hash']).slice(0, 16)}`);
    expect(here.warnings).toEqual([
      { receiver: 'there', seq: 4, omitted: 'before after' },
      { receiver: 'there', seq: 5, omitted: 'after key' },
    ]);
    expect(here.shortened).toEqual(['there', 'there']);
    expect(await deliveryStanding(webhook(url), here)).toEqual({ behind: 0, behindMs: 0 });
  });

  it('to a receiver for which nothing is small enough, nothing is taken for delivered', async () => {
    let bytes = 0;
    const { url, taken, seqs } = await smallHook(() => bytes);
    await write(4, { after: 'y' });
    const here = await instance();
    const receiver = webhook(url);
    await deliver(receiver, here, never);
    expect(await deliveredUpTo([receiver], here.database)).toBe(0);
    expect(here.warnings).toEqual([expect.objectContaining({ code: 'audit_undelivered', attempts: 1 })]);
    bytes = 10_000;
    state.clock.fastForward(1_000);
    await deliver(receiver, here, never);
    expect(seqs()).toEqual([1, 2, 3, 4]);
    expect(taken.some(({ data }) => 'omitted' in data)).toBe(false);
    expect(here.shortened).toEqual([]);
  });

  it('from now on, where the config says so', async () => {
    const { url, requests } = await hook(() => 200);
    await write(4);
    const here = await instance();
    await deliver(webhook(url, { from: 'now' }), here, never);
    await write(1);
    await deliver(webhook(url, { from: 'now' }), here, never);
    expect(ids(requests)).toEqual([5]);
  });
});

describe('with several instances', () => {
  /** Takes what it is given, when it is let. */
  function slow(): Receiver & { readonly taken: number[]; readonly asked: Promise<void>; let(): void } {
    let go = () => {};
    const may = new Promise<void>((resolve) => {
      go = resolve;
    });
    let ask = () => {};
    const asked = new Promise<void>((resolve) => {
      ask = resolve;
    });
    const taken: number[] = [];
    return {
      name: 'there',
      batch: 10,
      from: 'start',
      taken,
      asked,
      let: go,
      send: async (records) => {
        ask();
        await may;
        taken.push(...records.map(({ record }) => record.seq));
      },
    };
  }

  it('one of them delivers, and what is appended meanwhile waits for nobody', async () => {
    await write(25);
    const receiver = slow();
    const first = deliver(receiver, await instance(), never);
    await receiver.asked;
    await deliver(receiver, await instance(), never);
    await write(5);
    expect(receiver.taken).toEqual([]);
    receiver.let();
    await first;
    expect(receiver.taken).toEqual(Array.from({ length: 30 }, (_, at) => at + 1));
  });

  it('one that dies with a batch under way leaves it to another, who sends it again', async () => {
    await write(3);
    const dying = slow();
    const here = await instance();
    const died = deliver(dying, here, never).catch((thrown: unknown) => thrown);
    await dying.asked;
    await here.database.close();
    dying.let();
    expect(await died).toBeInstanceOf(LatchgateError);
    // Its lease runs out.
    state.clock.fastForward(60_000);
    const heir = slow();
    heir.let();
    await deliver(heir, await instance(), never);
    expect([dying.taken, heir.taken]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it('one that stops leaves the rest as it is, without a wait for the next', async () => {
    await write(1);
    const stop = new AbortController();
    const receiver: Receiver = {
      name: 'there',
      batch: 10,
      from: 'start',
      send: async () => {
        stop.abort();
        throw new LatchgateError('audit_undelivered', 'given up');
      },
    };
    const here = await instance();
    await deliver(receiver, here, stop.signal);
    expect(here.warnings).toEqual([]);
    const heir = slow();
    heir.let();
    await deliver(heir, here, never);
    expect(heir.taken).toEqual([1]);
  });
});
