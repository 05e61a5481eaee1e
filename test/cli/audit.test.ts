import { sql } from 'kysely';
import { auditList, auditVerify } from '../../src/cli/audit.ts';
import { makeTerminal, type Terminal } from './terminal.ts';
import { makeWorld, type World } from './world.ts';

const HOUR_MS = 3_600_000;

let world: World;
let terminal: Terminal;
let alice: string;
let bob: string;

beforeEach(async () => {
  world = await makeWorld();
  ({ alice, bob } = world);
  terminal = makeTerminal();
});
afterEach(() => world.close());

describe('audit list', () => {
  beforeEach(async () => {
    await world.audit.append([
      { event: 'login.allowed', actor: alice, person: alice, origin: 'staff', requestId: 'r1' },
      { event: 'account.created', actor: 'x\u001b[2J', person: bob, target: 'superset', before: null, after: { a: 1 } },
    ]);
    world.clock.fastForward(HOUR_MS);
    await world.audit.append([{ event: 'login.refused', actor: alice, person: alice, code: 'denied_by_rule' }]);
  });

  it('prints a line a record, which no value can disguise', async () => {
    expect(await auditList({}, world, terminal)).toBe(0);
    expect(terminal.lines).toEqual([
      `     1  2026-01-02 03:04:06Z  login.allowed  by ${alice}  person=${alice}  origin=staff  requestId=r1`,
      `     2  2026-01-02 03:04:06Z  account.created  by x\\u{1b}[2J  person=${bob}  target=superset  before=null  after={"a":1}`,
      `     3  2026-01-02 04:04:06Z  login.refused  by ${alice}  person=${alice}  code=denied_by_rule`,
    ]);
  });

  it('prints a JSON object a line, its members in one order', async () => {
    await auditList({ json: true, user: 'Alice' }, world, terminal);
    expect(terminal.lines[0]).toMatch(
      /^\{"seq":1,"at":"2026-01-02T03:04:06\.000Z","event":"login\.allowed","actor":"p_\w+","person":"p_\w+","origin":"staff","requestId":"r1","hash":"[0-9a-f]{64}"\}$/,
    );
    expect(terminal.lines).toHaveLength(2);
  });

  it.each([
    ['30m', [3]],
    ['2h', [1, 2, 3]],
    ['2026-01-02', [1, 2, 3]],
    ['2026-01-02T04:00:00Z', [3]],
    ['2026-01-02T04:00:00+01:00', [1, 2, 3]],
  ])('takes --since %s', async (since, expected) => {
    await auditList({ since, json: true }, world, terminal);
    expect(terminal.json().map((record) => (record as { seq: number }).seq)).toEqual(expected);
  });

  it.each(['yesterday', '1', '-5m', '2026-99-99', '2026', ''])('refuses --since %j', async (since) => {
    await expect(auditList({ since }, world, terminal)).rejects.toMatchObject({ code: 'usage' });
  });

  it('refuses a user whom nobody knows', async () => {
    await expect(auditList({ user: 'nobody' }, world, terminal)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('audit verify', () => {
  beforeEach(() => world.audit.append([1, 2, 3].map((at) => ({ event: 'x', actor: 'y', key: `k${at}` }))));

  it('ends with 0 when the chain holds', async () => {
    expect(await auditVerify(world, terminal)).toBe(0);
    expect(await auditVerify(world, terminal, { json: true })).toBe(0);
    expect(terminal.lines).toEqual([
      '3 records, the chain holds',
      '{"ok":true,"records":3,"firstBad":null,"why":null}',
    ]);
  });

  it('ends with 5 and names the first record that does not hold', async () => {
    await world.database.run((db) => sql`update audit_records set body = replace(body, 'k2', 'k9')`.execute(db));
    expect(await auditVerify(world, terminal)).toBe(5);
    expect(terminal.errors.join()).toMatch(/^audit_broken: record 2 is the first that does not hold/);
    expect(await auditVerify(world, terminal, { json: true })).toBe(5);
    expect(terminal.json()).toMatchObject([{ ok: false, records: 1, firstBad: 2 }]);
  });
});
