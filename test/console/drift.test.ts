import type { ConsoleDeps, ConsoleDrifts } from '../../src/console/deps.ts';
import { driftPage, driftResult, repairDrift } from '../../src/console/drift.ts';
import type { Visit } from '../../src/console/visit.ts';
import { driftRow } from '../../src/drift/drift.ts';
import { LatchgateError } from '../../src/model/errors.ts';

const ROW = driftRow({ kind: 'account_unknown', target: 'hub', account: 'mallory', seen: 'it belongs to nobody' });

function visitWith(drifts: Partial<ConsoleDrifts>): Visit {
  const never = async () => {
    throw new Error('nobody asks for that');
  };
  const log = { info: () => undefined, warn: () => undefined };
  const all: ConsoleDrifts = {
    targets: ['hub'],
    isShadow: false,
    seen: never,
    review: never,
    adopt: never,
    repair: never,
    ...drifts,
  };
  return {
    deps: { drifts: all, log } as unknown as ConsoleDeps,
    operator: { person: 'p_1', displayName: 'Olga', role: 'operator', formToken: 'token' } as Visit['operator'],
    requestId: '0123456789abcdef',
    query: new URLSearchParams(),
    part: () => '',
  };
}

const review = async () => ({
  at: new Date(0),
  targets: [{ target: 'hub', complete: true, accounts: 2, ours: 1, accepted: 0 }],
  rows: [ROW],
  notes: [],
});

it('says plainly why the brake holds a repair, and by which command it goes on', async () => {
  const brake = { code: 'too_many_removals', message: '4 of 5 people would lose something' } as const;
  const visit = visitWith({ repair: async () => ({ rows: [], brake }) });
  const page = await repairDrift(visit, new URLSearchParams({ target: 'hub', key: ROW.key }));
  if ('next' in page) throw new Error('it says that it was done');
  expect(page.status).toBe(409);
  for (const part of ['4 of 5 people', 'too_many_removals', `latchgate drift repair ${ROW.key} --approve`]) {
    expect(page.body.text).toContain(part);
  }
});

it('has buttons for what can be done, and none in shadow mode', async () => {
  const form = new URLSearchParams();
  const live = (await driftResult(visitWith({ review }), form)).body.text;
  expect([live.includes('/drift/adopt'), live.includes('/drift/repair')]).toEqual([true, false]);
  const shadow = (await driftResult(visitWith({ review, isShadow: true }), form)).body.text;
  expect(shadow).toContain(ROW.key);
  expect(shadow).not.toContain('/drift/adopt');
  expect((await driftPage(visitWith({ isShadow: true }))).body.text).toContain('In shadow mode nothing is written');
});

it('refuses in shadow mode what a form asks for all the same', async () => {
  const repair = async () => {
    throw new LatchgateError('shadow_mode', 'nothing is written');
  };
  const page = await repairDrift(visitWith({ repair }), new URLSearchParams({ target: 'hub', key: ROW.key }));
  expect('next' in page ? page : page.body.text).toContain('shadow_mode');
});
