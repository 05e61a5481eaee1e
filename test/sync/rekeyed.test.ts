import { usersLink, usersRelease } from '../../src/cli/users-link.ts';
import type { SessionStore } from '../../src/session/store.ts';
import { applySync } from '../../src/sync/runs.ts';
import { makeTerminal } from '../cli/terminal.ts';
import { lines, SyncWorld, type SyncWorldOptions } from './world.ts';

/** Somebody who comes back under another key: deleted at the source and made again, with the same address. */
let world: SyncWorld;
const ended: unknown[] = [];

async function start(options: SyncWorldOptions = {}) {
  world = await new SyncWorld().open(options);
  world.hr.add('ann', { groups: ['User'] });
  world.hr.add('bob', { groups: ['User'] });
  await world.apply();
  world.hr.people.delete('ann');
  world.hr.add('ann-2', { groups: ['User'], email: 'ann@acme.test' });
}
afterEach(() => world.close());

const commandDeps = () => ({
  ...world.directory,
  audit: world.audit,
  clock: { now: () => world.now },
  sessions: { destroyFor: async (whose: unknown) => ended.push(whose) } as unknown as SessionStore,
});
const idOf = async (subject: string) => (await world.personOf(subject))?.id ?? '';

it('is held, and the plan and the run say what to do about it', async () => {
  await start();
  const plan = await world.plan();
  expect(lines(plan.changes)).toEqual(['disable ann']);
  expect(lines(plan.held)).toEqual(['create ann-2: account_taken']);
  const ann = await idOf('ann');
  expect(plan.held[0]?.reason).toContain(`latchgate users link ${ann} ann-2;`);
  expect(plan.held[0]?.reason).toContain(`latchgate users release ${ann}`);
  const options = { actor: 'operator', requestId: 'r', approve: false, stop: AbortSignal.timeout(30_000) };
  await applySync('hr', options, { ...commandDeps(), syncs: world.syncs });
  const [run] = await world.directory.syncRuns.recent('hr', 1);
  expect(run).toMatchObject({ outcome: 'applied', code: 'account_taken', counts: { held: 1 } });
  expect((await world.plan()).held[0]?.reason).toContain(`latchgate users link ${ann} ${await idOf('ann-2')};`);
});

it('has the account again, with all that it had, when the two are linked', async () => {
  await start();
  await world.apply();
  expect(world.accounts()).toMatchObject({ ann: '(group:analysts role:Alpha)' });
  const [ann, again] = [await idOf('ann'), await idOf('ann-2')];
  expect(await usersLink('ann', 'ann-2', {}, commandDeps(), makeTerminal())).toBe(0);
  expect(ended).toContainEqual({ person: again });
  expect(await idOf('ann-2')).toBe(ann);
  expect(await world.directory.people.get(again)).toBeUndefined();
  expect(await world.apply()).toMatchObject({ outcome: 'applied', applied: 1 });
  expect(world.accounts()).toEqual({ ann: 'group:analysts role:Alpha', bob: 'group:analysts role:Alpha' });
  expect(await world.plan()).toMatchObject({ changes: [], held: [] });
  expect((await world.events()).filter(({ event }) => event === 'person.linked')).toMatchObject([
    { person: ann, before: { person: again } },
  ]);
  // A leaver is one whatever they are called by.
  world.hr.people.delete('ann-2');
  await world.apply();
  expect(world.accounts()).toMatchObject({ ann: '(group:analysts role:Alpha)' });
});

it('has it again by the scheduler alone', async () => {
  await start();
  await world.apply();
  await usersLink('ann', 'ann-2', {}, commandDeps(), makeTerminal());
  await world.engine.retryDue(10);
  expect(world.accounts()).toMatchObject({ ann: 'group:analysts role:Alpha' });
});

it('is another human when the account is let go of, which nobody switches on but who did so by hand', async () => {
  await start();
  await world.apply();
  const terminal = makeTerminal();
  expect(await usersRelease('ann', {}, commandDeps(), terminal)).toBe(0);
  expect(terminal.lines.at(-1)).toBe('bi: ann; it is switched off, and nobody but you switches it on there');
  expect(lines((await world.plan()).held)).toEqual(['create ann-2: account_disabled']);
  for (const account of world.bi.accounts.values()) account.active = true;
  await world.apply();
  expect(await world.directory.accounts.get(await idOf('ann-2'), 'bi')).toMatchObject({
    userName: 'ann',
    created: false,
  });
  expect(await world.plan()).toMatchObject({ changes: [], held: [] });
});

it('is neither linked nor let go of where that would take an account from somebody who has it', async () => {
  await start();
  await world.apply();
  await expect(usersLink('ann', 'bob', {}, commandDeps(), makeTerminal())).rejects.toMatchObject({ code: 'usage' });
  await expect(usersLink('bob', 'bob', {}, commandDeps(), makeTerminal())).rejects.toMatchObject({ code: 'usage' });
  await expect(usersRelease('bob', {}, commandDeps(), makeTerminal())).rejects.toMatchObject({ code: 'usage' });
  expect(world.accounts()).toMatchObject({ bob: 'group:analysts role:Alpha' });
});
