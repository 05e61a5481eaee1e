import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { LatchgateError } from '../../src/model/errors.ts';
import { type AdminOptions, createAdminApp } from '../../src/ops/admin.ts';
import { createReadiness, mergeReadiness } from '../../src/ops/health.ts';
import { createMetrics, mergeMetrics } from '../../src/ops/metrics.ts';
import { newRequestId } from '../../src/ops/request-id.ts';

describe('readiness', () => {
  it('names each dependency with its reason', async () => {
    const check = createReadiness({
      probes: {
        state: async () => {},
        superset: async () => {
          throw new LatchgateError('target_unavailable', 'no connection');
        },
        slow: () => new Promise(() => {}),
      },
      timeoutMs: 20,
    });
    expect(await check()).toEqual({
      ready: false,
      checks: {
        state: { ok: true },
        superset: { ok: false, code: 'target_unavailable', reason: 'no connection' },
        slow: { ok: false, code: 'timeout', reason: 'no answer within 20 ms' },
      },
    });
  });

  it('asks once for callers at the same time, and again after two seconds', async () => {
    let asked = 0;
    const clock = { at: 0, now: () => clock.at };
    const probe = async () => {
      asked += 1;
    };
    const check = createReadiness({ probes: { probe }, clock });
    await Promise.all([check(), check(), check()]);
    expect(asked).toBe(1);
    clock.at = 2_000;
    expect((await check()).ready).toBe(true);
    expect(asked).toBe(2);
  });

  it('ends when the gateway is stopping, though every dependency answers', async () => {
    const closing = new AbortController();
    const check = createReadiness({ probes: { state: async () => {} }, closing: closing.signal });
    expect(await check()).toEqual({ ready: true, checks: { state: { ok: true } } });
    closing.abort();
    expect(await check()).toMatchObject({ ready: false, checks: { state: { ok: true }, stopping: { ok: false } } });
  });

  it('names what goes wrong beside the requests, and is not lost by it', async () => {
    const late = { ok: false, code: 'sync_late', reason: 'due 2 h ago' };
    const check = createReadiness({
      probes: { state: async () => {} },
      advisories: { 'sync:hr': async () => late, 'sync:crm': async () => ({ ok: true, reason: 'applied 3 min ago' }) },
    });
    const readiness = await check();
    expect(readiness).toEqual({
      ready: true,
      checks: {
        state: { ok: true },
        'sync:hr': { ...late, advisory: true },
        'sync:crm': { ok: true, reason: 'applied 3 min ago', advisory: true },
      },
    });
    expect(mergeReadiness([['1', readiness]])).toMatchObject({ ready: true, checks: { 'sync:hr': { ok: false } } });
  });

  it('of several workers is that of the worst, and says which worker it is', () => {
    const good = { ready: true, checks: { state: { ok: true }, superset: { ok: true } } };
    const bad = { ready: false, checks: { state: { ok: true }, superset: { ok: false, code: 'x', reason: 'no' } } };
    const workers = { ok: true };
    expect(
      mergeReadiness([
        ['1', good],
        ['2', good],
      ]),
    ).toEqual({ ready: true, checks: { ...good.checks, workers } });
    const superset = { ok: false, code: 'x', reason: 'worker 2: no' };
    for (const order of [
      [1, 2, 3],
      [2, 1, 3],
    ]) {
      const all = order.map((at) => [String(at), at === 2 ? bad : good] as const);
      expect(mergeReadiness(all)).toEqual({ ready: false, checks: { state: { ok: true }, superset, workers } });
    }
    expect(
      mergeReadiness([
        ['1', good],
        ['2', undefined],
      ]),
    ).toMatchObject({ ready: false, checks: { workers: { ok: false, reason: 'no answer of worker 2' } } });
  });
});

describe('the admin listener', () => {
  async function admin(options: Partial<AdminOptions>, work: (url: string) => Promise<void>): Promise<void> {
    const readiness = async () => ({ ready: false, checks: { state: { ok: true }, target: { ok: false } } });
    const app = createAdminApp({ readiness, metrics: createMetrics().render, ...options });
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.closeAllConnections();
    server.close();
  }
  const status = async (url: string) => (await fetch(url)).status;

  it('tells of one dependency alone, and 404 of one that there is not', async () => {
    await admin({}, async (url) => {
      expect(await status(`${url}/readyz`)).toBe(503);
      expect(await status(`${url}/readyz/state`)).toBe(200);
      expect(await status(`${url}/readyz/target`)).toBe(503);
      expect(await status(`${url}/readyz/constructor`)).toBe(404);
    });
  });

  it('says that nothing is ready while it stops', async () => {
    const readiness = async () => ({ ready: false, checks: { state: { ok: true }, stopping: { ok: false } } });
    await admin({ readiness }, async (url) => {
      expect(await status(`${url}/readyz/state`)).toBe(503);
      expect(await status(`${url}/healthz`)).toBe(200);
    });
  });

  it('says that the process is not well when its workers do not answer', async () => {
    await admin({ isAlive: async () => false }, async (url) => expect(await status(`${url}/healthz`)).toBe(503));
  });
});

describe('metrics', () => {
  it('are named latchgate_*, in a registry of their own', async () => {
    const metrics = createMetrics();
    createMetrics();
    metrics.login('staff', 'deny', 'denied_by_rule');
    metrics.provisioning('superset', 'ready', 0.2);
    metrics.proxied('superset', 304, 0.01);
    const { body } = await metrics.render();
    expect(body).toContain('latchgate_logins_total{login="staff",outcome="deny",code="denied_by_rule"} 1');
    expect(body).toContain('latchgate_proxy_requests_total{target="superset",status="3xx"} 1');
    expect(body).toContain('latchgate_provisioning_seconds_sum{target="superset"} 0.2');
    for (const line of body.split('\n').filter((text) => text !== '' && !text.startsWith('#'))) {
      expect(line).toMatch(/^latchgate_/);
    }
  });

  it('of several workers are sums, but for what each of them sees whole', async () => {
    const workers = [createMetrics({ processMetrics: true }), createMetrics({ processMetrics: true })];
    workers.forEach((metrics, at) => {
      metrics.proxied('superset', 200, 0.01);
      metrics.sockets(2);
      metrics.sessions(at === 0 ? 7 : 0);
      metrics.retriesWaiting(at === 0 ? 3 : 0);
    });
    const values = await Promise.all(workers.map((metrics) => metrics.values()));
    const { body, contentType } = await mergeMetrics(JSON.parse(JSON.stringify(values)));
    expect(contentType).toMatch(/^text\/plain/);
    expect(body).toContain('latchgate_proxy_requests_total{target="superset",status="2xx"} 2\n');
    expect(body).toContain('latchgate_proxy_request_seconds_count{target="superset"} 2\n');
    expect(body).toContain('latchgate_upgraded_sockets 4\n');
    expect(body).toContain('latchgate_sessions 7\n');
    expect(body).toContain('latchgate_provisioning_retries_waiting 3\n');
    expect(body).toContain('latchgate_process_resident_memory_bytes ');
  });
});

describe('request ids', () => {
  it('are all different and easy to read out', () => {
    const ids = Array.from({ length: 2_000 }, newRequestId);
    expect(new Set(ids).size).toBe(2_000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{16}$/);
  });
});
