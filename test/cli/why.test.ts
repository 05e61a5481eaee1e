import { why } from '../../src/cli/why.ts';
import { makeTerminal, type Terminal } from './terminal.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
let terminal: Terminal;
let alice: string;

beforeEach(async () => {
  world = await makeWorld();
  ({ alice } = world);
  terminal = makeTerminal();
});
afterEach(() => world.close());

describe('why', () => {
  beforeEach(() =>
    world.decisions.save({
      requestId: 'r1',
      at: new Date(world.clock.now()),
      origin: 'staff',
      person: alice,
      outcome: 'deny',
      code: 'denied_by_rule',
      message: 'Your access is suspended.',
      trace: {
        origins: [
          {
            origin: 'staff',
            attributes: [],
            groups: [{ value: '/bi-suspended', name: 'bi-suspended', kept: true, by: 'groups.allow[0]' }],
          },
        ],
        rules: [
          { name: 'suspended', origin: 'staff', matched: true, because: ['groups: fits'], gave: [], refused: [] },
        ],
        notes: ['familyName: taken from name'],
      },
      held: [
        {
          op: 'grant',
          type: 'user',
          key: 'alice',
          entitlement: { kind: 'role', name: 'Beta\u0007' },
          reason: 'no such role',
          code: 'role_missing',
          target: 'superset',
        },
      ],
      detail: { route: '/', tries: 2 },
    }),
  );

  it('prints the decision and its whole trace', async () => {
    expect(await why(' r1 ', world, terminal)).toBe(0);
    const printed = terminal.lines.join('\n');
    for (const part of [
      'Request          r1',
      'Outcome          deny (denied_by_rule)',
      'The person read  Your access is suspended.',
      `Person           ${alice}`,
      'tries            2',
      'superset: grant user alice role Beta\\u{7}: no such role (role_missing)',
      '"/bi-suspended" -> "bi-suspended"   groups.allow[0]',
      'suspended',
      'groups: fits',
      'familyName: taken from name',
    ]) {
      expect(printed).toContain(part);
    }
    expect(printed).not.toContain('\u001b');
  });

  it('colours for a person at a terminal who has not said no', async () => {
    const [colored, plain] = [makeTerminal({}, true), makeTerminal({ NO_COLOR: '1' }, true)];
    await why('r1', world, colored);
    await why('r1', world, plain);
    expect(colored.lines.join()).toContain('\u001b[');
    expect(plain.lines.join()).not.toContain('\u001b[');
  });

  it.each([
    [
      'account_ambiguous',
      { target: 'superset', accounts: '3, 7' },
      'in superset, find out which of the accounts 3, 7 is theirs',
    ],
    ['account_privileged', { target: 'superset', accounts: '3' }, 'in superset, see whether the account 3 is theirs'],
    ['account_taken', { target: 'superset', owner: 'p_1' }, 'latchgate users release p_1'],
    [
      'account_taken',
      { target: 'superset', owner: 'p_1', accounts: '3' },
      'latchgate users release p_1, once they are out\n  while p_1 is in: one of the two needs another address, or latchgate users disable p_1 comes first',
    ],
  ])('says what to do about %s', async (code, detail, line) => {
    const at = new Date(world.clock.now());
    await world.decisions.save({ requestId: 'r9', at, person: alice, outcome: 'deny', code, detail });
    await why('r9', world, terminal);
    const printed = terminal.lines.join('\n');
    expect(printed).toMatch(/^What to do$/m);
    expect(printed).toContain(line);
  });

  it('prints the record as JSON', async () => {
    await why('r1', world, terminal, { json: true });
    expect(terminal.json()).toMatchObject([
      { requestId: 'r1', code: 'denied_by_rule', trace: { notes: ['familyName: taken from name'] } },
    ]);
  });

  it('ends with 1 for an id that nobody knows', async () => {
    expect(await why('r2', world, terminal)).toBe(1);
    expect(terminal.errors.join()).toMatch(/^not_found: /);
    expect(terminal.lines).toEqual([]);
  });
});
