import { countedAlone, createMetrics, mergeMetrics } from '../../src/ops/metrics.ts';

const lines = async (text: Promise<{ readonly body: string }>): Promise<string[]> =>
  (await text).body.split('\n').filter((line) => !line.startsWith('#'));

describe('the metrics of several workers', () => {
  it('are added, but for what one of them sees for all', async () => {
    const [first, second] = [createMetrics(), createMetrics()];
    for (const worker of [first, second]) {
      worker.login('staff', 'allow', 'ok');
      worker.loginTook('staff', 0.2);
      worker.scim('okta', 'User', 'ok', 0.02);
      worker.sockets(2);
    }
    // Only the worker that does what goes on beside the requests.
    first.sessions(5);
    first.retriesWaiting(3);
    first.check('login:staff', true);
    first.scimHeld('okta', 4);
    first.syncState('hr', { lastSuccessAt: 1_000, waiting: 1 });
    first.audit({ ok: true, verifiedAt: 2_000, checkpointAt: 3_000, unsignedSeconds: 7 });
    first.auditDelivery('siem', 8, 9);
    const merged = await lines(mergeMetrics(await Promise.all([first.values(), second.values()])));
    expect(merged).toEqual(
      expect.arrayContaining([
        'latchgate_logins_total{login="staff",outcome="allow",code="ok"} 2',
        'latchgate_login_seconds_count{login="staff"} 2',
        'latchgate_login_seconds_bucket{le="0.25",login="staff"} 2',
        'latchgate_scim_request_seconds_count{client="okta"} 2',
        'latchgate_upgraded_sockets 4',
        'latchgate_sessions 5',
        'latchgate_provisioning_retries_waiting 3',
        'latchgate_check_ok{check="login:staff"} 1',
        'latchgate_scim_deletions_held{client="okta"} 4',
        'latchgate_sync_last_success_timestamp_seconds{sync="hr"} 1000',
        'latchgate_sync_plans_waiting{sync="hr"} 1',
        'latchgate_audit_ok 1',
        'latchgate_audit_verified_timestamp_seconds 2000',
        'latchgate_audit_checkpoint_timestamp_seconds 3000',
        'latchgate_audit_unsigned_seconds 7',
        'latchgate_audit_delivery_lag_records{receiver="siem"} 8',
        'latchgate_audit_delivery_lag_seconds{receiver="siem"} 9',
      ]),
    );
  });

  it('say that something is wrong when one of them does', async () => {
    const [first, second] = [createMetrics(), createMetrics()];
    first.audit({ ok: true, unsignedSeconds: 0 });
    second.audit({ ok: false, unsignedSeconds: 0 });
    first.check('state', true);
    second.check('state', false);
    const merged = await lines(mergeMetrics(await Promise.all([first.values(), second.values()])));
    expect(merged).toEqual(expect.arrayContaining(['latchgate_audit_ok 0', 'latchgate_check_ok{check="state"} 0']));
  });
});

it('of the process that serves operators alone what it counted is added, and nothing of how it stands', async () => {
  const [worker, lone] = [createMetrics({ processMetrics: true }), createMetrics({ processMetrics: true })];
  for (const one of [worker, lone]) one.login('staff', 'allow', 'ok');
  worker.check('state', true);
  lone.check('state', false);
  lone.sessions(99);
  const counted = countedAlone(await lone.values());
  const merged = await lines(mergeMetrics([await worker.values(), counted]));
  expect(merged).toEqual(
    expect.arrayContaining([
      'latchgate_logins_total{login="staff",outcome="allow",code="ok"} 2',
      'latchgate_check_ok{check="state"} 1',
      'latchgate_sessions 0',
    ]),
  );
  expect(counted.map(({ name }) => name).filter((name) => /process|nodejs/.test(name))).toEqual([]);
});

it('what nobody has looked at yet is not said to be wrong', async () => {
  const metrics = createMetrics();
  metrics.audit({ unsignedSeconds: 0 });
  const { body } = await metrics.render();
  expect(body).not.toMatch(/^latchgate_(audit_ok|audit_checkpoint|check_ok)/m);
});
