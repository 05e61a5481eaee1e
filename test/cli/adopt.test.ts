import { adopt } from '../../src/cli/adopt.ts';
import type { AdoptedRow, Adoption, AdoptPlan } from '../../src/sync/sync.ts';
import { makeTerminal } from './terminal.ts';

const ROW: AdoptedRow = {
  target: 'gooddata',
  person: 'p_1',
  key: 'ada@example.com',
  accountId: '7',
  link: true,
  grants: [{ kind: 'group', name: 'analysts', rule: 'analysts', origin: 'hr' }],
};

/** Finds this, once: what was adopted is not found again. Writes down what it was asked. */
function adoptionOf(plan: Partial<AdoptPlan>) {
  const asked: unknown[] = [];
  let left: AdoptPlan = { targets: ['gooddata'], rows: [], held: [], notes: [], ...plan };
  const adoption: Adoption = {
    plan: async (target) => {
      asked.push(['plan', target]);
      return left;
    },
    apply: async (target, { actor }) => {
      asked.push(['apply', target, actor]);
      const done = left;
      left = { ...left, rows: [] };
      return done;
    },
  };
  return { adoption, asked };
}

it('shows first what it would adopt, and writes with --apply alone', async () => {
  const held = [{ target: 'gooddata', key: 'root', code: 'account_privileged' }];
  const { adoption, asked } = adoptionOf({
    rows: [ROW, { ...ROW, key: 'bob', link: false }],
    held,
    notes: ['hr lists 2'],
  });
  const terminal = makeTerminal();
  expect(await adopt({ target: 'gooddata' }, { adoption }, terminal)).toBe(10);
  expect(terminal.lines).toEqual([
    'gooddata: 1 account and 2 grants of 2 people would be ours',
    '  "ada@example.com" in gooddata: the account',
    '    + group "analysts"   rule analysts (hr)',
    '  "bob" in gooddata',
    '    + group "analysts"   rule analysts (hr)',
    '  ! "root" in gooddata stays as it is (account_privileged)',
    '  hr lists 2',
    '\nNothing was written; latchgate adopt --apply does',
  ]);
  expect(await adopt({ target: 'gooddata', apply: true }, { adoption }, terminal)).toBe(0);
  expect(await adopt({ target: 'gooddata' }, { adoption }, terminal)).toBe(0);
  expect(terminal.lines.at(-3)).toBe('gooddata: nothing to adopt');
  expect(asked).toEqual([
    ['plan', 'gooddata'],
    ['apply', 'gooddata', 'operator'],
    ['plan', 'gooddata'],
  ]);
});

it('prints one JSON object', async () => {
  const terminal = makeTerminal();
  const { adoption } = adoptionOf({ rows: [ROW] });
  expect(await adopt({ json: true }, { adoption }, terminal)).toBe(10);
  expect(terminal.json()).toEqual([{ targets: ['gooddata'], rows: [ROW], held: [], notes: [], applied: false }]);
});
