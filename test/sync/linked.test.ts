import { lines, SyncWorld } from './world.ts';

/** Somebody whom a source listed as a user of their own, and who is another user's further identity since. */
let world: SyncWorld;

beforeEach(async () => {
  world = await new SyncWorld().open({ leaver: { now: 'delete' } });
  world.hr.add('auth0|ann', { groups: ['User'], preferred_username: 'ann' });
  world.hr.add('google|ann', { groups: ['User'], email: 'ann@gmail.test', preferred_username: 'ann-g' });
  world.hr.add('auth0|bob', { groups: ['User'] });
  await world.apply();
  world.hr.people.delete('google|ann');
});
afterEach(() => world.close());

function link(active: boolean, groups: readonly string[]): void {
  const claims = { email: 'auth0|ann@acme.test', name: 'auth0|ann Adams', groups, preferred_username: 'ann' };
  world.hr.people.set('auth0|ann', { active, claims, aliases: ['google|ann', 'google|never-seen'] });
}

it('is gone where nobody has the identity', async () => {
  expect(lines((await world.plan()).changes)).toEqual(['delete google|ann']);
});

it('is not gone, and has what the other has', async () => {
  link(true, ['Admin']);
  const { changes, notes } = await world.plan();
  const taken = (who: string) => [`revoke ${who} group:analysts`, `revoke ${who} role:Alpha`];
  expect(lines(changes).filter((line) => !line.startsWith('update'))).toEqual([
    'grant auth0|ann role:Admin',
    'grant google|ann role:Admin',
    ...taken('auth0|ann'),
    ...taken('google|ann'),
  ]);
  expect(notes.at(-1)).toMatch(/^linked to another user of the source by now.*: 1$/);
});

it('leaves with the other, and with the link', async () => {
  link(false, []);
  expect(lines((await world.plan()).changes)).toEqual(['delete auth0|ann', 'delete google|ann']);
  link(true, ['User']);
  await world.apply();
  world.hr.add('auth0|ann', { groups: ['User'], preferred_username: 'ann' });
  expect(lines((await world.plan()).changes)).toEqual(['delete google|ann']);
});
