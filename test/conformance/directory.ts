import { sql } from 'kysely';
import type { DecisionRecord } from '../../src/directory/decisions.ts';
import type { AccountLink, Directory } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import type { Grant } from '../../src/model/entitlement.ts';
import type { Assertion } from '../../src/model/person.ts';
import { describeListings } from './directory-listings.ts';
import { describePins } from './directory-pins.ts';
import { describeRecorded } from './directory-recorded.ts';
import { describeSyncStores } from './directory-syncs.ts';
import type { State, StateFactory } from './state.ts';

const ALICE = { issuer: 'https://id.example', subject: 'alice' };
const BOB = { issuer: 'https://id.example', subject: 'bob' };

/** What every directory must do, whatever holds it. */
export function describeDirectory(name: string, makeState: StateFactory): void {
  describe(`directory on ${name}`, () => {
    let state: State;
    let here: Directory;
    let there: Directory;

    beforeEach(async () => {
      state = await makeState();
      here = createDirectory(await state.open(), state.clock);
      there = createDirectory(await state.open(), state.clock);
    });
    afterEach(() => state.dispose());

    const alice = () => here.people.ensure(ALICE, 'staff', 'Alice');
    const bob = () => here.people.ensure(BOB, 'staff', 'Bob');

    describePeople(() => ({ here, there, state }));
    describeAccounts(() => ({ here, there, state }), alice, bob);
    describeLedger(() => ({ here, there, state }), alice);
    describeLeases(() => ({ here, there, state }));
    describeRest(() => ({ here, there, state }));
    describeSyncStores(() => ({ here, there, state }));
    describeListings(() => ({ here, there, state }));
    describePins(() => ({ here, there }));
    describeRecorded(() => ({ here, state }));
  });
}

type World = () => { readonly here: Directory; readonly there: Directory; readonly state: State };

function describePeople(world: World): void {
  describe('people', () => {
    it('makes a person once and finds the same one ever after, on every instance', async () => {
      const { here, there } = world();
      const made = await here.people.ensure(ALICE, 'staff', 'Alice Liddell');
      expect(made.id).toMatch(/^p_[0-9A-HJKMNP-TV-Z]{26}$/);
      expect(made).toMatchObject({ displayName: 'Alice Liddell', disabled: false });
      expect(await there.people.ensure(ALICE, 'partners', 'Somebody Else')).toEqual(made);
      expect(await there.people.bySubject(ALICE)).toEqual(made);
      expect(await there.people.get(made.id)).toEqual(made);
      expect(await here.people.subjects(made.id)).toEqual([{ ...ALICE, origin: 'staff' }]);
    });

    it('makes one person out of fifty first logins at once on two instances', async () => {
      const { here, there } = world();
      const people = await Promise.all(
        Array.from({ length: 50 }, (_, at) => (at % 2 ? here : there).people.ensure(ALICE, 'staff', 'Alice')),
      );
      expect(new Set(people.map((person) => person.id)).size).toBe(1);
      expect(await here.people.list(100)).toHaveLength(1);
    });

    it('tells subjects apart by issuer and by every letter', async () => {
      const { here } = world();
      const subjects = [ALICE, { ...ALICE, subject: 'Alice' }, { ...ALICE, issuer: 'https://id.example/' }, BOB];
      const people = await Promise.all(subjects.map((subject) => here.people.ensure(subject, 'staff', 'A')));
      expect(new Set(people.map((person) => person.id)).size).toBe(4);
      expect(await here.people.bySubject({ ...ALICE, subject: 'alice ' })).toBeUndefined();
    });

    it('keeps what each origin last said, and the groups it last sent', async () => {
      const { here, there, state } = world();
      const { id } = await here.people.ensure(ALICE, 'staff', 'Alice');
      const first: Assertion = {
        ...ALICE,
        origin: 'staff',
        active: true,
        claims: { name: 'Alice', nested: { list: [1, null, 'ö\u0000\ud800'] } },
        at: new Date(state.clock.now()),
      };
      await here.people.saveAssertion(id, first, ['bi-admins', 'x']);
      const second = { ...first, active: false, claims: { name: 'Alice L.' } };
      await there.people.saveAssertion(id, second);
      const pushed = { ...first, origin: 'okta', claims: {} };
      await here.people.saveAssertion(id, pushed);
      expect(await here.people.assertions(id)).toEqual([pushed, { ...second, rememberedGroups: ['bi-admins', 'x'] }]);
      await here.people.saveAssertion(id, first, []);
      expect((await here.people.assertions(id))[1]).toEqual({ ...first, rememberedGroups: [] });
    });

    it('forgets groups that nobody has verified when the origin itself speaks', async () => {
      const { here } = world();
      const subject = { issuer: 'https://id', subject: 'fed' };
      const { id } = await here.people.ensure(subject, 'acme', 'Fed');
      const word = { ...subject, origin: 'acme', active: true, claims: {}, at: new Date(1_000) };
      await here.people.saveAssertion(id, { ...word, isUnverified: true }, ['bi-admins']);
      expect(await here.people.assertions(id)).toEqual([
        { ...word, isUnverified: true, rememberedGroups: ['bi-admins'] },
      ]);
      await here.people.saveAssertion(id, word, undefined);
      expect(await here.people.assertions(id)).toEqual([word]);
    });

    it('says of several people at once what was said of each', async () => {
      const { here, there } = world();
      const said = (subject: string) => ({
        origin: 'staff',
        issuer: ALICE.issuer,
        subject,
        active: true,
        claims: { sub: subject },
        at: new Date(2_000),
      });
      const one = await here.people.ensure({ issuer: ALICE.issuer, subject: 'one-of-several' }, 'staff', 'One');
      const two = await here.people.ensure({ issuer: ALICE.issuer, subject: 'two-of-several' }, 'staff', 'Two');
      await here.people.saveAssertion(one.id, said('one-of-several'), ['g']);
      await here.people.saveAssertion(two.id, said('two-of-several'));
      const both = await there.people.assertionsOf([one.id, two.id, 'p_nobody']);
      expect(both).toEqual([
        { ...said('one-of-several'), person: one.id, rememberedGroups: ['g'] },
        { ...said('two-of-several'), person: two.id },
      ]);
      expect(await there.people.assertionsOf([])).toEqual([]);
    });

    it('shows people by what was last said of them', async () => {
      const { here, state } = world();
      const { id } = await here.people.ensure(ALICE, 'staff', 'alice');
      const at = new Date(state.clock.now() + 5);
      const said = { ...ALICE, origin: 'staff', active: true, at };
      await here.people.saveAssertion(id, { ...said, claims: { name: 'Alice', email: 'alice@example.com' } });
      expect(await here.people.get(id)).toMatchObject({
        displayName: 'Alice',
        email: 'alice@example.com',
        lastSeenAt: at,
      });
      await here.people.saveAssertion(id, { ...said, claims: { name: ['no', 'text'] } });
      expect(await here.people.get(id)).toMatchObject({ displayName: 'Alice', email: 'alice@example.com' });
      await here.people.saveAssertion(id, { ...said, claims: { name: 'x' } }, undefined, {
        displayName: 'A\u0000l\nice \ud800',
        email: 'a@example.com',
      });
      expect(await here.people.get(id)).toMatchObject({ displayName: 'A l ice', email: 'a@example.com' });
    });

    it('finds people by id, subject, e-mail, a part of the name and an account', async () => {
      const { here, state } = world();
      const { id } = await here.people.ensure(ALICE, 'staff', 'Alice 100% Élodie');
      await here.people.ensure(BOB, 'staff', 'Bob');
      const at = new Date(state.clock.now());
      await here.people.saveAssertion(
        id,
        { ...ALICE, origin: 'staff', active: true, claims: { email: 'Liddell@Example.com' }, at },
        [],
      );
      await here.accounts.save({ person: id, target: 'superset', userName: 'Wonder', created: true, state: 'ready' });
      for (const text of [id, 'alice', 'liddell@example.com', 'ALICE 1', 'wonder', '100%', 'Élo']) {
        expect([text, (await here.people.search(text, 10)).map((person) => person.id)]).toEqual([text, [id]]);
      }
      for (const text of ['', '  ', '%', 'alic_', 'nobody']) {
        expect([text, (await here.people.search(text, 10)).map((person) => person.id)]).toEqual([
          text,
          text === '%' ? [id] : [],
        ]);
      }
      expect(await here.people.search('b', 10)).toHaveLength(1);
    });

    it('lists people page by page, oldest first', async () => {
      const { here, state } = world();
      const ids: string[] = [];
      for (let at = 0; at < 5; at += 1) {
        state.clock.fastForward(1);
        ids.push((await here.people.ensure({ ...ALICE, subject: `s${at}` }, 'staff', 'S')).id);
      }
      const first = await here.people.list(2);
      const rest = await here.people.list(10, first[1]?.id);
      expect([...first, ...rest].map((person) => person.id)).toEqual(ids);
    });

    it('disables and enables', async () => {
      const { here, there } = world();
      const { id } = await here.people.ensure(ALICE, 'staff', 'Alice');
      await here.people.setDisabled(id, true);
      expect((await there.people.bySubject(ALICE))?.disabled).toBe(true);
      await there.people.setDisabled(id, false);
      expect((await here.people.get(id))?.disabled).toBe(false);
      await expect(here.people.setDisabled('p_nobody', true)).rejects.toMatchObject({ code: 'not_found' });
    });

    it('refuses a subject with NUL instead of taking it for its beginning', async () => {
      const { here } = world();
      await here.people.ensure(ALICE, 'staff', 'Alice');
      await expect(here.people.ensure({ ...ALICE, subject: 'alice\u0000x' }, 'staff', 'Mallory')).rejects.toMatchObject(
        {
          code: 'internal',
        },
      );
    });
  });
}

function describeAccounts(
  world: World,
  alice: () => Promise<{ id: string }>,
  bob: () => Promise<{ id: string }>,
): void {
  describe('accounts', () => {
    const link = (person: string, more: Partial<AccountLink> = {}) =>
      ({ person, target: 'superset', userName: 'alice', created: true, state: 'ready', ...more }) as const;

    it('remembers the account of a person in each target, and whose an account is', async () => {
      const { here, there, state } = world();
      const { id } = await alice();
      await here.accounts.save(link(id, { state: 'intended' }));
      const updatedAt = new Date(state.clock.now());
      expect(await there.accounts.get(id, 'superset')).toEqual(link(id, { state: 'intended' }));
      await here.accounts.save(link(id, { accountId: '7' }));
      await here.accounts.save(link(id, { target: 'gooddata', accountId: '7', created: false }));
      expect(await there.accounts.ofPerson(id)).toEqual([
        { ...link(id, { target: 'gooddata', accountId: '7', created: false }), updatedAt },
        { ...link(id, { accountId: '7' }), updatedAt },
      ]);
      expect(await there.accounts.owner('superset', '7')).toBe(id);
      expect(await there.accounts.owner('superset', '8')).toBeUndefined();
      expect(await there.accounts.count('superset')).toBe(1);
      await here.accounts.remove(id, 'superset');
      expect(await there.accounts.get(id, 'superset')).toBeUndefined();
      expect(await there.accounts.owner('superset', '7')).toBeUndefined();
    });

    it("never gives one person's account to another, disabled or not", async () => {
      const { here, there } = world();
      const [a, b] = [await alice(), await bob()];
      await here.accounts.save(link(a.id, { accountId: '7', state: 'disabled' }));
      await expect(there.accounts.save(link(b.id, { accountId: '7' }))).rejects.toMatchObject({
        code: 'account_taken',
      });
      expect(await there.accounts.get(b.id, 'superset')).toBeUndefined();
      await here.accounts.save(link(b.id, { state: 'intended' }));
      await expect(here.accounts.save(link(b.id, { accountId: '7' }))).rejects.toMatchObject({ code: 'account_taken' });
      expect(await here.accounts.owner('superset', '7')).toBe(a.id);
    });

    it('lets any number of accounts be under way without an id', async () => {
      const { here } = world();
      const [a, b] = [await alice(), await bob()];
      await here.accounts.save(link(a.id, { state: 'intended' }));
      await here.accounts.save(link(b.id, { state: 'intended' }));
      expect(await here.accounts.count('superset')).toBe(2);
    });

    it('gives an account that twenty people claim at once to one of them', async () => {
      const { here, there } = world();
      const people = await Promise.all(
        Array.from({ length: 20 }, (_, at) => here.people.ensure({ ...ALICE, subject: `s${at}` }, 'staff', 'S')),
      );
      const claims = await Promise.allSettled(
        people.map(({ id }, at) => (at % 2 ? here : there).accounts.save(link(id, { accountId: 'one' }))),
      );
      const refused = claims.filter((claim) => claim.status === 'rejected');
      expect(refused).toHaveLength(19);
      for (const { reason } of refused) expect(reason).toMatchObject({ code: 'account_taken' });
    });
  });
}

function describeLedger(world: World, alice: () => Promise<{ id: string }>): void {
  describe('ledger', () => {
    const grant = (person: string, more: Partial<Grant> = {}) => ({
      person,
      target: 'superset',
      kind: 'role' as const,
      name: 'Alpha',
      rule: 'analysts',
      origin: 'staff',
      ...more,
    });

    it('writes a grant ahead, then marks it as given with the id of the target', async () => {
      const { here, there, state } = world();
      const { id } = await alice();
      const since = new Date(state.clock.now());
      const permission = grant(id, { kind: 'permission', name: 'VIEW', scope: 'sales' });
      await here.ledger.intend([grant(id), permission]);
      expect(await there.ledger.count('superset', 'permission')).toBe(1);
      expect(await there.ledger.count('superset', 'group')).toBe(0);
      expect(await there.ledger.ofAccount(id, 'superset')).toEqual([
        { ...permission, confirmed: false },
        { ...grant(id), confirmed: false },
      ]);
      await here.ledger.confirm(id, 'superset', [
        { key: 'role:Alpha', entitlementId: '42' },
        { key: 'permission:VIEW@sales' },
        { key: 'role:Nobody' },
      ]);
      state.clock.fastForward(1_000);
      await here.ledger.intend([grant(id, { rule: 'other' })]);
      expect(await there.ledger.ofPerson(id)).toEqual([
        { ...permission, confirmed: true, since },
        { ...grant(id), entitlementId: '42', confirmed: true, since },
      ]);
      await here.ledger.confirm(id, 'superset', [{ key: 'role:Alpha' }]);
      expect((await here.ledger.ofPerson(id))[1]?.entitlementId).toBe('42');
    });

    it('keeps the grants of two origins apart', async () => {
      const { here, there } = world();
      const { id } = await alice();
      await here.ledger.intend([grant(id), grant(id, { origin: 'okta' }), grant(id, { name: 'Beta' })]);
      await here.ledger.withdraw(id, 'superset', [{ key: 'role:Alpha', origin: 'staff' }]);
      expect((await there.ledger.ofAccount(id, 'superset')).map((row) => `${row.name} ${row.origin}`)).toEqual([
        'Alpha okta',
        'Beta staff',
      ]);
      await here.ledger.intend([grant(id)]);
      await here.ledger.withdraw(id, 'superset', [{ key: 'role:Alpha' }, { key: 'role:Nobody' }]);
      expect((await there.ledger.ofPerson(id)).map((row) => row.name)).toEqual(['Beta']);
      await here.ledger.withdraw(id, 'gooddata', [{ key: 'role:Beta' }]);
      expect(await there.ledger.count('superset')).toBe(1);
      expect(await there.ledger.count('gooddata')).toBe(0);
    });

    it('takes the same rows in opposite orders from two instances at once', async () => {
      const { here, there } = world();
      const { id } = await alice();
      const grants = Array.from({ length: 20 }, (_, at) => grant(id, { name: `R${at}` }));
      const keys = grants.map(({ name }) => ({ key: `role:${name}` }));
      await Promise.all(
        Array.from({ length: 10 }, (_, at) =>
          at % 2 ? here.ledger.intend(grants) : there.ledger.intend(grants.toReversed()),
        ),
      );
      expect(await here.ledger.count('superset')).toBe(20);
      await Promise.all([
        here.ledger.confirm(id, 'superset', keys),
        there.ledger.confirm(id, 'superset', keys.toReversed()),
      ]);
      expect((await here.ledger.ofPerson(id)).every((row) => row.confirmed)).toBe(true);
    });

    it('takes nothing for nothing', async () => {
      const { here } = world();
      await here.ledger.intend([]);
      await here.ledger.confirm('p_nobody', 'superset', []);
      await here.ledger.withdraw('p_nobody', 'superset', []);
      expect(await here.ledger.count('superset')).toBe(0);
    });
  });
}

function describeLeases(world: World): void {
  describe('leases', () => {
    const never = () => new AbortController().signal;
    const soon = () => AbortSignal.timeout(300);

    it('lets one at a time in, on one instance and on two', async () => {
      const { here, there } = world();
      let inside = 0;
      let most = 0;
      await Promise.all(
        Array.from({ length: 12 }, async (_, at) => {
          const lease = await (at % 2 ? here : there).leases.acquire('alice', 60_000, never());
          inside += 1;
          most = Math.max(most, inside);
          await new Promise((resolve) => setTimeout(resolve, 2));
          inside -= 1;
          await lease.release();
        }),
      );
      expect(most).toBe(1);
    });

    it('lets the next one in when the lease was taken by a clock that was far ahead', async () => {
      const { here, there, state } = world();
      state.clock.fastForward(1_000 * 86_400_000);
      await here.leases.acquire('alice', 60_000, never());
      await here.leases.acquireFree(['bob'], 60_000);
      state.clock.fastForward(-1_000 * 86_400_000);
      await (await there.leases.acquire('alice', 60_000, soon())).release();
      const free = await there.leases.acquireFree(['bob'], 60_000);
      expect([...free.names]).toEqual(['bob']);
      await free.release();
    });

    it('gives up waiting with lease_lost when the signal ends, and lets the next one in', async () => {
      const { here, there } = world();
      const lease = await here.leases.acquire('alice', 60_000, never());
      await expect(there.leases.acquire('alice', 60_000, soon())).rejects.toMatchObject({ code: 'lease_lost' });
      await expect(here.leases.acquire('alice', 60_000, soon())).rejects.toMatchObject({ code: 'lease_lost' });
      await expect(here.leases.acquire('alice', 60_000, AbortSignal.abort())).rejects.toMatchObject({
        code: 'lease_lost',
      });
      const other = await here.leases.acquire('bob', 60_000, never());
      await other.release();
      await lease.release();
      await (await there.leases.acquire('alice', 60_000, never())).release();
      await (await here.leases.acquire('alice', 60_000, never())).release();
    });

    it('passes on what a holder left behind, and that holder cannot give it back for the new one', async () => {
      const { here, there, state } = world();
      const left = await here.leases.acquire('alice', 60_000, never());
      state.clock.fastForward(60_000);
      const taken = await there.leases.acquire('alice', 60_000, never());
      await left.release();
      await expect(here.leases.acquire('alice', 60_000, soon())).rejects.toMatchObject({ code: 'lease_lost' });
      await taken.release();
    });

    it('is renewed while it is held', async () => {
      const { here, there, state } = world();
      const lease = await here.leases.acquire('alice', 300, never());
      for (let at = 0; at < 6; at += 1) {
        state.clock.fastForward(200);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
      await expect(there.leases.acquire('alice', 300, AbortSignal.timeout(60))).rejects.toMatchObject({
        code: 'lease_lost',
      });
      await lease.release();
    });

    it('tells a holder that stood still that it is lost, had by another since or by nobody, and renews it no more', async () => {
      const { here, there, state } = world();
      const lease = await here.leases.acquire('alice', 600, never());
      state.clock.fastForward(599);
      await here.leases.keep(lease);
      state.clock.fastForward(599);
      await there.leases.keep(lease);
      state.clock.fastForward(600);
      await expect(here.leases.keep(lease)).rejects.toMatchObject({ code: 'lease_lost' });
      await new Promise((resolve) => setTimeout(resolve, 250));
      await expect(here.leases.keep(lease)).rejects.toMatchObject({ code: 'lease_lost' });
      const taken = await there.leases.acquire('alice', 60_000, soon());
      await expect(here.leases.keep(lease)).rejects.toMatchObject({ code: 'lease_lost' });
      await there.leases.keep(taken);
      await lease.release();
      await taken.release();
      await expect(there.leases.keep(taken)).rejects.toMatchObject({ code: 'lease_lost' });
    });

    it('gives up what is held when the directory closes', async () => {
      const { here, there } = world();
      await here.leases.acquire('alice', 60_000, never());
      await here.close();
      await (await there.leases.acquire('alice', 60_000, never())).release();
    });

    it('says once to one caller only', async () => {
      const { here, there, state } = world();
      const until = new Date(state.clock.now() + 10_000);
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, at) => (at % 2 ? here : there).leases.once('jti', 'a', until)),
      );
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect(await here.leases.once('state', 'a', until)).toBe(true);
      expect(await here.leases.once('jti', 'b', until)).toBe(true);
      expect([await there.leases.seen('jti', 'a'), await there.leases.seen('state', 'b')]).toEqual([true, false]);
      state.clock.fastForward(9_999);
      expect(await there.leases.once('jti', 'a', until)).toBe(false);
      state.clock.fastForward(100_000);
      expect(await there.leases.seen('jti', 'a')).toBe(false);
      expect(await there.leases.once('jti', 'a', new Date(state.clock.now() + 1_000))).toBe(true);
    });
  });
}

function describeRest(world: World): void {
  it('remembers what a provider last said of a login, for as long as it was asked to', async () => {
    const { here, there, state } = world();
    const at = (seconds: number) => new Date(state.clock.now() + seconds * 1_000);
    await here.logouts.save('alice', at(0), at(60));
    expect(await there.logouts.latest('alice')).toEqual(at(0));
    expect(await there.logouts.latest('bob')).toBeUndefined();
    await there.logouts.save('alice', at(5), at(60));
    await here.logouts.save('alice', at(2), at(600));
    expect(await here.logouts.latest('alice')).toEqual(at(5));
    await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? here : there).logouts.save('bob', at(n), at(60))));
    expect(await here.logouts.latest('bob')).toEqual(at(19));
    state.clock.fastForward(60_000);
    expect(await here.logouts.latest('alice')).toBeUndefined();
    await here.logouts.save('carol', at(0), at(60));
    const { rows } = await (await state.open()).run((db) => sql`select key from provider_logouts`.execute(db));
    expect(rows).toEqual([{ key: 'carol' }]);
  });

  it('hands a text over to one caller alone, at whatever instance, until it expires', async () => {
    const { here, there, state } = world();
    const soon = new Date(state.clock.now() + 60_000);
    await here.handovers.leave('one', 'sealed', soon);
    const taken = await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 ? here : there).handovers.take('one')));
    expect(taken.filter((text) => text !== undefined)).toEqual(['sealed']);
    await here.handovers.leave('two', 'late', soon);
    state.clock.fastForward(60_000);
    expect(await there.handovers.take('two')).toBeUndefined();
    expect(await here.handovers.take('nothing')).toBeUndefined();
  });

  it('counts what happens at every instance, each purpose by itself, and begins anew after the window', async () => {
    const { here, there, state } = world();
    const add = (place: typeof here, purpose: string, times: Record<string, number>) =>
      place.counts.add(purpose, new Map(Object.entries(times)), 60_000);
    expect(await here.counts.add('failures', new Map(), 60_000)).toEqual(new Map());
    expect(await add(here, 'failures', { a: 3, b: 1 })).toEqual(new Map(Object.entries({ a: 3, b: 1 })));
    state.clock.fastForward(30_000);
    expect(await add(there, 'failures', { c: 1, a: 4 })).toEqual(new Map(Object.entries({ a: 7, c: 1 })));
    expect(await add(there, 'tokens', { a: 1 })).toEqual(new Map([['a', 1]]));
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        add(n % 2 ? here : there, 'failures', n % 3 ? { d: 1, e: 1 } : { e: 1, d: 1 }),
      ),
    );
    expect(await add(here, 'failures', { d: 1, e: 1 })).toEqual(new Map(Object.entries({ d: 21, e: 21 })));
    state.clock.fastForward(30_000);
    expect(await add(here, 'failures', { a: 2 })).toEqual(new Map([['a', 2]]));
    state.clock.fastForward(60_000);
    await add(there, 'failures', { f: 1 });
    await add(here, 'failures', { f: 1 });
    const { rows } = await (await state.open()).run((db) => sql`select key from counts`.execute(db));
    expect(rows).toEqual([{ key: 'f' }]);
  });

  it('keeps a retry until it is done, and counts the attempts', async () => {
    const { here, there, state } = world();
    const now = state.clock.now();
    await here.retries.put('p_a', 'superset', 'target_unavailable', new Date(now + 1_000));
    await there.retries.put('p_a', 'superset', 'target_refused', new Date(now + 2_000));
    await here.retries.put('p_b', 'superset', 'target_unavailable', new Date(now + 1_500));
    expect(await here.retries.due(new Date(now + 1_999), 10)).toMatchObject([{ person: 'p_b', attempts: 1 }]);
    expect(await here.retries.due(new Date(now + 2_000), 1)).toHaveLength(1);
    const retry = {
      person: 'p_a',
      target: 'superset',
      attempts: 2,
      dueAt: new Date(now + 2_000),
      code: 'target_refused',
    };
    expect((await there.retries.due(new Date(now + 2_000), 10))[1]).toEqual(retry);
    expect(await there.retries.get('p_a', 'superset')).toEqual(retry);
    await there.retries.done('p_a', 'superset');
    expect(await here.retries.get('p_a', 'superset')).toBeUndefined();
    expect(await here.retries.count()).toBe(1);
  });

  it('gives a decision back as it was saved', async () => {
    const { here, there, state } = world();
    const record: DecisionRecord = {
      requestId: 'r1',
      at: new Date(state.clock.now()),
      origin: 'staff',
      person: 'p_a',
      outcome: 'held',
      code: 'role_missing',
      trace: { origins: [], rules: [], notes: ['familyName: taken from name'] },
      held: [{ op: 'grant', type: 'user', key: 'alice', reason: 'x', code: 'role_missing', target: 'superset' }],
      detail: { route: '/', nested: { n: 1 } },
    };
    await here.decisions.save(record);
    expect(await there.decisions.get('r1')).toEqual(record);
    await here.decisions.save({ requestId: 'r1', at: record.at, outcome: 'allow' });
    expect(await there.decisions.get('r1')).toEqual({ requestId: 'r1', at: record.at, outcome: 'allow' });
    expect(await there.decisions.get('r2')).toBeUndefined();
    expect(await here.decisions.prune(record.at)).toBe(0);
    expect(await here.decisions.prune(new Date(record.at.getTime() + 1))).toBe(1);
    expect(await there.decisions.get('r1')).toBeUndefined();
  });

  it('swaps a shared value only for the one who knows it', async () => {
    const { here, there } = world();
    expect(await here.values.get('keys')).toBeUndefined();
    const first = await Promise.all(
      Array.from({ length: 20 }, (_, at) => (at % 2 ? here : there).values.swap('keys', undefined, `v${at}`)),
    );
    expect(first.filter(Boolean)).toHaveLength(1);
    const value = `v${first.indexOf(true)}`;
    expect(await there.values.get('keys')).toBe(value);
    expect(await there.values.swap('keys', 'wrong', 'x')).toBe(false);
    expect(await there.values.swap('other', 'wrong', 'x')).toBe(false);
    expect(await there.values.swap('keys', value, 'x')).toBe(true);
    expect(await here.values.get('keys')).toBe('x');
  });

  it('answers a probe until it is closed, then says state_unavailable', async () => {
    const { here } = world();
    await here.probe();
    await here.close();
    await here.close();
    await expect(here.probe()).rejects.toMatchObject({ code: 'state_unavailable', retryable: true });
    await expect(here.people.get('p_a')).rejects.toMatchObject({ code: 'state_unavailable' });
  });
}
