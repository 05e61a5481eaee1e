import { createOutcomeRecorder } from '../../src/compose/outcomes.ts';
import type { DecisionRecord } from '../../src/directory/decisions.ts';
import type { LoginOutcome } from '../../src/login/context.ts';

function start() {
  const saved: DecisionRecord[] = [];
  const counted: string[] = [];
  const clock = { at: 1_800_000_000_000, now: () => clock.at };
  const record = createOutcomeRecorder({
    decisions: { save: async (decision) => void saved.push(decision) },
    metrics: { login: (login, outcome, code) => void counted.push(`${login} ${outcome} ${code}`), loginTook: () => {} },
    clock,
  });
  return { saved, counted, clock, record };
}

const failed = (requestId: string): LoginOutcome => ({
  requestId,
  login: 'staff',
  code: 'login_state_invalid',
  beforeProvisioning: true,
  detail: { check: 'seal' },
});

describe('logins that ended', () => {
  it('before anybody was identified are kept for `why`', async () => {
    const { saved, counted, record } = start();
    await record(failed('r1'));
    await record({ requestId: 'r2', login: 'staff', code: 'ok', beforeProvisioning: false });
    expect(saved).toEqual([
      expect.objectContaining({ requestId: 'r1', code: 'login_state_invalid', detail: { check: 'seal' } }),
    ]);
    await record({ requestId: 'r3', login: 'staff', code: 'target_unavailable', beforeProvisioning: false });
    expect(counted).toEqual(['staff deny login_state_invalid', 'staff allow ok', 'staff error target_unavailable']);
  });

  it('do not let strangers fill the database, and are kept again afterwards', async () => {
    const { saved, counted, clock, record } = start();
    for (let at = 0; at < 5_000; at += 1) await record(failed(`flood-${at}`));
    expect(saved).toHaveLength(100);
    expect(counted).toHaveLength(5_000);
    clock.at += 60_000;
    for (let at = 0; at < 50; at += 1) await record(failed(`later-${at}`));
    expect(saved).toHaveLength(110);
    clock.at -= 3_600_000;
    await record(failed('the clock was turned back'));
    expect(saved).toHaveLength(110);
    clock.at += 86_400_000;
    for (let at = 0; at < 500; at += 1) await record(failed(`next-day-${at}`));
    expect(saved).toHaveLength(210);
  });
});
