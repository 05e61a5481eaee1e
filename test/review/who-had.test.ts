import type { AuditEntry, AuditRecord } from '../../src/audit/audit.ts';
import { whoHad } from '../../src/review/who-had.ts';
import { World } from '../provisioning/world.ts';

let world: World;
afterEach(() => world.close());

const day = (number: number) => new Date(Date.UTC(2026, 0, number));

/** The audit that the engine has written so far, each record at the day that it was written. */
const stamped: AuditRecord[] = [];
beforeEach(async () => {
  stamped.length = 0;
  world = await new World().open({ origins: ['staff', 'partner'] });
});

async function on(number: number, work: () => Promise<unknown>): Promise<void> {
  world.now = day(number).getTime();
  await work();
  await world.settled();
  for (const entry of world.audit.slice(stamped.length)) {
    stamped.push({ ...(entry as AuditEntry), seq: stamped.length + 1, at: day(number), hash: '' });
  }
}

async function had(entitlement: string, at: number, records: readonly AuditRecord[] = stamped) {
  const { holders } = await whoHad(
    {
      audit: {
        list: async function* () {
          yield* records;
        },
      },
      directory: world.directory,
      targets: ['bi', 'side'],
    },
    { entitlement, at: day(at) },
  );
  return holders.map(({ person, since, until, because, isOff }) => ({
    who: names.get(person) ?? person,
    since: since?.getUTCDate(),
    until: until?.getUTCDate(),
    because: because.map(({ rule, origin }) => `${rule} ${origin}`),
    ...(isOff ? { isOff } : {}),
  }));
}

const names = new Map<string, string>();
async function logIn(who: string, groups: readonly string[], origin = 'staff'): Promise<void> {
  await world.login(who, { groups }, 'bi', origin).catch(() => undefined);
  names.set(await world.idOf(who), who);
}

it('is who was given it by then and from whom it was not taken yet', async () => {
  await on(1, () => logIn('ann', ['User']));
  await on(2, () => logIn('ben', ['User']));
  await on(3, () => logIn('ann', []));
  await on(5, () => logIn('ann', ['User']));
  const ben = { who: 'ben', since: 2, until: undefined, because: ['users staff'] };
  expect(await had('Alpha', 1)).toEqual([{ who: 'ann', since: 1, until: 3, because: ['users staff'] }]);
  expect(await had('role:Alpha', 2)).toEqual([{ who: 'ann', since: 1, until: 3, because: ['users staff'] }, ben]);
  expect(await had('Alpha', 3)).toEqual([ben]);
  expect(await had('Alpha', 5)).toEqual([ben, { who: 'ann', since: 5, until: undefined, because: ['users staff'] }]);
  expect(await had('Gamma', 4)).toEqual([{ who: 'ann', since: 3, until: 5, because: ['default staff'] }]);
  expect(await had('Admin', 4)).toEqual([]);
});

it('is by which rules and origins at that time, when several give it', async () => {
  await on(1, () => logIn('ann', ['User']));
  await on(2, () => logIn('ann', ['User'], 'partner'));
  await on(4, () => logIn('ann', [], 'staff'));
  await on(6, () => logIn('ann', [], 'partner'));
  const about = { who: 'ann', since: 1, until: 6 };
  expect(await had('Alpha', 1)).toEqual([{ ...about, because: ['users staff'] }]);
  expect(await had('Alpha', 3)).toEqual([{ ...about, because: ['users staff', 'users partner'] }]);
  expect(await had('Alpha', 5)).toEqual([{ ...about, because: ['users partner'] }]);
  expect(await had('Alpha', 6)).toEqual([]);
});

it('says whose account was switched off, and forgets those of deleted ones', async () => {
  await on(1, () => logIn('ann', ['User']));
  await on(2, async () => world.disable(await world.idOf('ann')));
  await on(4, async () => {
    await world.enable(await world.idOf('ann'));
    await logIn('ann', ['User']);
  });
  const about = { who: 'ann', since: 1, because: ['users staff'], until: undefined };
  expect(await had('Alpha', 1)).toEqual([about]);
  expect(await had('Alpha', 3)).toEqual([{ ...about, isOff: true }]);
  expect(await had('Alpha', 4)).toEqual([about]);
  world.restart({ leaver: 'delete', origins: ['staff', 'partner'] });
  await on(6, async () => world.disable(await world.idOf('ann')));
  expect(await had('Alpha', 5)).toEqual([{ ...about, until: 6 }]);
  expect(await had('Alpha', 7)).toEqual([]);
});

it('knows what was given before the first record: by what took it, or by the ledger', async () => {
  await on(1, () => logIn('ann', ['User']));
  await on(1, () => logIn('ben', ['User']));
  await on(3, () => logIn('ann', []));
  const kept = stamped.filter(({ at }) => at >= day(3));
  expect(await had('Alpha', 2, kept)).toEqual([
    { who: 'ann', since: undefined, until: 3, because: ['users staff'] },
    { who: 'ben', since: 1, until: undefined, because: ['users staff'] },
  ]);
});

it('knows what is called otherwise in the target by the name that it was given by', async () => {
  await on(1, () => logIn('ann', ['User']));
  for (const [id, role] of world.bi.entitlements) {
    if (role.name === 'Alpha') world.bi.entitlements.set(id, { ...role, name: 'Analyst' });
  }
  world.bi.addEntitlement({ kind: 'role', name: 'Alpha' });
  await on(3, () => logIn('ann', []));
  expect(await had('Alpha', 2)).toEqual([{ who: 'ann', since: 1, until: 3, because: ['users staff'] }]);
  expect(await had('Alpha', 4)).toEqual([]);
});
