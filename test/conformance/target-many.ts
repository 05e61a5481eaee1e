import type { Applied, ChangeSet } from '../../src/model/change.ts';
import { type ActualEntitlement, type EntitlementKind, entitlementKey } from '../../src/model/entitlement.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import type { Target } from '../../src/targets/target.ts';
import {
  accountsOf,
  firstLogin,
  granted,
  keysOf,
  must,
  type Prove,
  patience,
  plan,
  readBack,
  reconcile,
  reconcileMany,
  type Someone,
  someone,
  type TargetSubject,
  uniqueName,
} from './target-subject.ts';

/** Titles for targets without `applyMany`, to be skipped with a reason. */
export function manyTitles(kinds: readonly EntitlementKind[]): readonly string[] {
  return kinds.flatMap((kind) => Object.values(titles(kind)));
}

const titles = (kind: EntitlementKind) => ({
  each: `writes a ${kind} of several accounts at once, each with an outcome of its own`,
  spoiled: `does not let a set that fails spoil the others that are about the same ${kind}`,
  twice: `ends in the same state when the same sets about a ${kind} are written twice`,
  byHand: `keeps a ${kind} that is given by hand before several accounts are written`,
  own: `writes a ${kind} of several accounts and never to our own among them`,
  stalled: `writes no ${kind} and removes nobody once the caller is found to have stood still`,
  lost: `says of each set about a ${kind} that it failed when the backend does, and goes on afterwards`,
});

export function describeMany(prove: Prove, subject: () => TargetSubject, kind: EntitlementKind): void {
  const title = titles(kind);
  const make = (what: string) => subject().byHand.createEntitlement(kind, uniqueName(what));
  const applyMany = (sets: readonly ChangeSet[]) => {
    const target: Target = subject().target;
    return must(target.applyMany?.(sets, patience()));
  };
  const wish = (person: Someone, wanted: readonly ActualEntitlement[]) => {
    person.desired = { ...person.desired, entitlements: granted(subject(), wanted) };
  };
  /** People who have these already. */
  const settled = async (count: number, has: readonly ActualEntitlement[]) => {
    const people = Array.from({ length: count }, () => someone(subject(), { entitlements: granted(subject(), has) }));
    for (const person of people) await reconcile(subject(), person);
    return people;
  };
  const setOf = async (person: Someone) => must((await plan(subject(), person)).set);
  const keys = async (person: Someone) => keysOf(await readBack(subject(), person));

  prove(title.each, async () => {
    const [old, next, other] = [await make('old'), await make('next'), await make('other')];
    const people = await settled(5, [old]);
    const [moves, gains, loses, renamed, same] = people as [Someone, Someone, Someone, Someone, Someone];
    wish(moves, [next]);
    wish(gains, [old, next, other]);
    wish(loses, []);
    wish(renamed, [next]);
    renamed.desired = { ...renamed.desired, profile: { familyName: 'Byron' } };
    const fresh = someone(subject(), { entitlements: granted(subject(), [next]) });
    const steps = await reconcileMany(subject(), [moves, gains, loses, renamed, same, fresh]);
    expect(steps.map((step) => step?.outcome)).toEqual([
      'applied',
      'applied',
      'applied',
      'applied',
      undefined,
      'applied',
    ]);
    const expected: readonly (readonly [Someone, readonly ActualEntitlement[]])[] = [
      [moves, [next]],
      [gains, [old, next, other]],
      [loses, []],
      [renamed, [next]],
      [same, [old]],
      [fresh, [next]],
    ];
    for (const [at, [person, wanted]] of expected.entries()) {
      const account = await readBack(subject(), person);
      const base = subject().base ?? [];
      expect(keysOf(account)).toEqual([...base, ...wanted].map((one) => entitlementKey(one)).sort());
      expect(steps[at] === undefined ? undefined : keysOf(steps[at].account)).toEqual(
        steps[at] === undefined ? undefined : keysOf(account),
      );
      expect((await plan(subject(), person)).changes).toEqual([]);
    }
    expect((await readBack(subject(), renamed)).profile.familyName).toBe('Byron');
  });

  prove(title.spoiled, async () => {
    const wanted = await make('shared');
    const people = await settled(7, []);
    for (const person of people) wish(person, [wanted]);
    const sets = await Promise.all(people.map(setOf));
    const lost = must(people[3]);
    await subject().byHand.deleteAccount(must(lost.link?.accountId));
    const results = await applyMany(sets);
    expect(results.map((result) => (result instanceof LatchgateError ? result.code : result.outcome))).toEqual([
      'applied',
      'applied',
      'applied',
      'target_conflict',
      'applied',
      'applied',
      'applied',
    ]);
    for (const person of people.filter((one) => one !== lost)) {
      expect(await keys(person)).toContain(entitlementKey(wanted));
    }
    expect(await accountsOf(subject(), lost)).toEqual([]);
  });

  prove(title.twice, async () => {
    const [old, next] = [await make('old'), await make('next')];
    const people = await settled(3, [old]);
    for (const person of people) wish(person, [next]);
    const sets = [
      ...(await Promise.all(people.map(setOf))),
      await firstLogin(subject(), someone(subject(), { entitlements: granted(subject(), [next]) })),
    ];
    const idsOf = (all: readonly (Applied | LatchgateError)[]) =>
      all.map((result) => (result instanceof LatchgateError ? result.code : result.account.id));
    const first = await applyMany(sets);
    const before = await Promise.all(people.map((person) => readBack(subject(), person)));
    const second = await applyMany(sets);
    expect(idsOf(second)).toEqual(idsOf(first));
    expect(await Promise.all(people.map((person) => readBack(subject(), person)))).toEqual(before);
  });

  prove(title.byHand, async () => {
    const [ours, manual] = [await make('ours'), await make('manual')];
    const people = await settled(3, []);
    for (const person of people) wish(person, [ours]);
    const sets = await Promise.all(people.map(setOf));
    for (const person of people) await subject().byHand.give(must(person.link?.accountId), manual);
    await applyMany(sets);
    for (const person of people) {
      expect(await keys(person)).toEqual(expect.arrayContaining([entitlementKey(ours), entitlementKey(manual)]));
    }
  });

  prove(title.own, async () => {
    const wanted = await make('tempting');
    const { target } = subject();
    const { account: own } = await target.probe(patience());
    const { accounts } = await target.read({ kind: 'all' }, patience());
    const actual = must(accounts.find(({ id, userName }) => id === own || userName === own));
    const [person] = (await settled(1, [])) as [Someone];
    wish(person, [wanted]);
    const set = await setOf(person);
    const results = await applyMany([{ ...set, actual, userName: actual.userName }, set]);
    expect(results[0]).toMatchObject({ code: 'account_protected' });
    expect(results[1]).toMatchObject({ outcome: 'applied' });
    const after = (await target.read({ kind: 'all' }, patience())).accounts.find(({ id }) => id === actual.id);
    expect(after).toEqual(actual);
  });

  prove(title.stalled, async () => {
    const [old, next] = [await make('old'), await make('next')];
    const people = await settled(3, [old]);
    for (const person of people) wish(person, [next]);
    const sets = await Promise.all(people.map(setOf));
    const leaver = must(people[2]);
    const { desired } = must(sets[2]);
    const nothing = { profile: {}, add: [], drop: [], create: [], changes: [] };
    const read = await readBack(subject(), leaver);
    const removal = { ...nothing, desired, actual: read, userName: read.userName, remove: true };
    const before = await Promise.all(people.map((person) => readBack(subject(), person)));
    const lost = new LatchgateError('lease_lost', 'the caller stood still');
    const target: Target = subject().target;
    const goneBefore = await must(
      target.applyMany?.([...sets.slice(0, 2), removal], patience(), () => Promise.reject(lost)),
    );
    expect(goneBefore).toEqual([lost, lost, lost]);
    // The second time it is asked is between the look at the account and its end.
    let asked = 0;
    const onceMore = async () => {
      asked += 1;
      if (asked > 1) throw lost;
    };
    await expect(target.apply(removal, patience(), onceMore)).rejects.toBe(lost);
    expect(await Promise.all(people.map((person) => readBack(subject(), person)))).toEqual(before);
    expect(await applyMany([...sets.slice(0, 2), removal])).not.toContainEqual(lost);
    expect(await accountsOf(subject(), leaver)).toEqual([]);
  });

  prove(title.lost, async () => {
    const wanted = await make('wanted');
    const people = await settled(3, []);
    for (const person of people) wish(person, [wanted]);
    const sets = await Promise.all(people.map(setOf));
    const faults = must(subject().faults);
    await faults.set('failing');
    try {
      expect(await applyMany(sets)).toEqual(sets.map(() => expect.objectContaining({ code: 'target_unavailable' })));
    } finally {
      await faults.clear();
    }
    expect((await applyMany(sets)).map((result) => result instanceof LatchgateError)).toEqual([false, false, false]);
    for (const person of people) expect(await keys(person)).toContain(entitlementKey(wanted));
  });
}
