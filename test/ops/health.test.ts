import { LatchgateError } from '../../src/model/errors.ts';
import { createReadiness } from '../../src/ops/health.ts';
import { createMetrics } from '../../src/ops/metrics.ts';
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
});

describe('request ids', () => {
  it('are all different and easy to read out', () => {
    const ids = Array.from({ length: 2_000 }, newRequestId);
    expect(new Set(ids).size).toBe(2_000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{16}$/);
  });
});
