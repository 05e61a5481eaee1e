import type { Engine } from '../../src/provisioning/engine.ts';
import { World } from './world.ts';

const ISSUER = 'https://id.acme.test';

let world: World;
let other: Engine;
beforeEach(async () => {
  world = await new World().open();
  other = world.another();
});
afterEach(async () => {
  await other.close();
  await world.close();
});

function said(groups: readonly string[], active = true) {
  const claims = { sub: 'alice', email: 'alice@acme.test', preferred_username: 'alice', name: 'Alice', groups };
  return { origin: 'staff', issuer: ISSUER, subject: 'alice', active, claims, at: new Date(world.now++) };
}

/** A run of another instance that has asked for what is to be, and waits for the account. */
async function begunElsewhere(person: string): Promise<{ readonly go: () => Promise<unknown> }> {
  const lease = await world.directory.leases.acquire(`account:bi:${person}`, 60_000, AbortSignal.timeout(5_000));
  const begun = other.again(person, 'bi', 'scim:okta', 'older');
  const asked = world.bi.calls.length;
  while (world.bi.calls.length === asked) await new Promise((resolve) => setImmediate(resolve));
  return {
    go: async () => {
      await lease.release();
      return begun;
    },
  };
}

describe('a run that began before something newer was said', () => {
  it('gives nothing that was taken meanwhile', async () => {
    await world.login('alice', { groups: ['User'] });
    const person = await world.idOf('alice');
    await world.directory.people.saveAssertion(person, said(['User', 'Admin']), ['User', 'Admin']);
    const older = await begunElsewhere(person);
    await world.directory.people.saveAssertion(person, said(['User']), ['User']);
    await older.go();
    expect(world.bi.given('alice')).toEqual(['group:analysts', 'role:Alpha']);
  });

  it('switches an account off whose person left meanwhile', async () => {
    await world.login('alice', { groups: ['User'] });
    const person = await world.idOf('alice');
    await world.directory.people.saveAssertion(person, said(['User', 'Admin']), ['User', 'Admin']);
    const older = await begunElsewhere(person);
    await world.directory.people.setDisabled(person, true);
    expect(await older.go()).toEqual({ status: 'none' });
    expect([...world.bi.accounts.values()].map(({ active }) => active)).toEqual([false]);
  });

  it('is not joined by whoever wants again what it no longer does', async () => {
    await world.login('alice', { groups: ['User'] });
    const person = await world.idOf('alice');
    await world.directory.people.saveAssertion(person, said(['User', 'Admin']), ['User', 'Admin']);
    const older = await begunElsewhere(person);
    await world.directory.people.saveAssertion(person, said(['User']), ['User']);
    let proceed = () => {};
    world.bi.hook = () => new Promise<void>((resolve) => (proceed = resolve));
    const reads = world.bi.calls.length;
    const done = older.go();
    while (world.bi.calls.length === reads) await new Promise((resolve) => setImmediate(resolve));
    // It has asked by now, and heard that the role goes; it comes back before the run is done.
    await world.directory.people.saveAssertion(person, said(['User', 'Admin']), ['User', 'Admin']);
    const newer = other.again(person, 'bi', 'scim:okta', 'newer');
    world.bi.hook = () => {};
    proceed();
    await Promise.all([done, newer]);
    expect(world.bi.given('alice')).toEqual(['group:analysts', 'role:Admin', 'role:Alpha']);
  });
});
