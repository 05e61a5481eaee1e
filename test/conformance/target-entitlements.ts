import { type Entitlement, type EntitlementKind, entitlementKey } from '../../src/model/entitlement.ts';
import {
  firstLogin,
  granted,
  keysOf,
  must,
  type Prove,
  patience,
  plan,
  readBack,
  reconcile,
  type Someone,
  someone,
  type TargetSubject,
  uniqueName,
} from './target-subject.ts';

export function describeEntitlements(prove: Prove, subject: () => TargetSubject, kind: EntitlementKind): void {
  const wish = (person: Someone, wanted: readonly Entitlement[]) => {
    person.desired = { ...person.desired, entitlements: granted(subject(), wanted) };
  };

  prove(`grants and revokes a ${kind}, and leaves what was given by hand`, async () => {
    const { byHand } = subject();
    const [first, second, manual] = [
      await byHand.createEntitlement(kind, uniqueName('first')),
      await byHand.createEntitlement(kind, uniqueName('second')),
      await byHand.createEntitlement(kind, uniqueName('manual')),
    ];
    const person = someone(subject(), { entitlements: granted(subject(), [first, second]) });
    const account = must((await reconcile(subject(), person)).account);
    expect(keysOf(account)).toEqual(expect.arrayContaining([entitlementKey(first), entitlementKey(second)]));

    await byHand.give(account.id, manual);
    wish(person, [second]);
    await reconcile(subject(), person);
    const keys = keysOf(await readBack(subject(), person));
    expect(keys).toEqual(expect.arrayContaining([entitlementKey(second), entitlementKey(manual)]));
    expect(keys).not.toContain(entitlementKey(first));
    expect((await plan(subject(), person)).changes).toEqual([]);
  });

  prove(`keeps a ${kind} that is given by hand between read and apply`, async () => {
    const { byHand, target } = subject();
    const [ours, manual] = [
      await byHand.createEntitlement(kind, uniqueName('ours')),
      await byHand.createEntitlement(kind, uniqueName('manual')),
    ];
    const person = someone(subject());
    const account = must((await reconcile(subject(), person)).account);
    wish(person, [ours]);
    const { set } = await plan(subject(), person);
    await byHand.give(account.id, manual);
    await target.apply(must(set), patience());
    const keys = keysOf(await readBack(subject(), person));
    expect(keys).toEqual(expect.arrayContaining([entitlementKey(ours), entitlementKey(manual)]));
  });

  prove(`takes back a ${kind} that was renamed by hand`, async () => {
    const { byHand } = subject();
    const entitlement = await byHand.createEntitlement(kind, uniqueName('old'));
    const person = someone(subject(), { entitlements: granted(subject(), [entitlement]) });
    await reconcile(subject(), person);
    await byHand.renameEntitlement(entitlement, uniqueName('new'));
    expect((await plan(subject(), person)).changes).toEqual([]);
    wish(person, []);
    await reconcile(subject(), person);
    const left = (await readBack(subject(), person)).entitlements;
    expect(left.filter(({ id, kind: other }) => other === kind && id === entitlement.id)).toEqual([]);
  });

  prove(`finds the ${kind}s that are there and no others`, async () => {
    const there = await subject().byHand.createEntitlement(kind, uniqueName('there'));
    const like = (text: string) => [text, uniqueName('absent'), text.toUpperCase(), `${text}*`];
    const { name, scope } = there;
    const all =
      scope === undefined ? like(name).map((one) => ({ name: one })) : like(scope).map((one) => ({ name, scope: one }));
    const wanted = someone(subject(), {
      entitlements: all.map((one) => ({ kind, ...one, rule: 'r', origin: 'o' })),
    });
    const { entitlements } = subject().target.adapt(wanted.desired);
    const found = await subject().target.find(entitlements, patience());
    expect(found.map(({ id }) => id)).toEqual([there.id]);
  });

  prove(`makes a missing ${kind} under any name`, async () => {
    const { can } = subject().target;
    expect(can.creates).toContain(kind);
    const names = ['Sales EU', 'team:eu', `O'Neil "x"`, 'back\\slash', 'a,b;c==d', 'ünï 日本', '/top/sub', '*'];
    const wanted = names.map((name) => ({ kind, name: `${name} ${uniqueName('g')}` }));
    const person = someone(subject(), { entitlements: granted(subject(), wanted) });
    const { plan: planned } = await reconcile(subject(), person);
    expect(planned.set?.create).toHaveLength(names.length);
    const account = await readBack(subject(), person);
    expect(account.entitlements).toHaveLength(names.length + (subject().base?.length ?? 0));
    expect(account.entitlements.map(({ label, name }) => label ?? name)).toEqual(
      expect.arrayContaining(wanted.map(({ name }) => name)),
    );
    expect((await plan(subject(), person)).changes).toEqual([]);
  });

  prove(`makes a missing ${kind} once when ten people need it at once`, async () => {
    const { target } = subject();
    expect(target.can.creates).toContain(kind);
    const wanted = { kind, name: uniqueName('Everybody needs') };
    const people = Array.from({ length: 10 }, () => someone(subject(), { entitlements: granted(subject(), [wanted]) }));
    const sets = await Promise.all(people.map((person) => firstLogin(subject(), person)));
    const all = await Promise.all(sets.map((set) => target.apply(set, patience())));
    const given = all
      .flatMap(({ account }) => account.entitlements)
      .filter(({ label, name }) => (label ?? name) === wanted.name);
    expect(given).toHaveLength(10);
    expect(new Set(given.map(({ id }) => id)).size).toBe(1);
  });

  prove(`makes a ${kind} again that vanished before it could be given`, async () => {
    const { byHand, target } = subject();
    expect(target.can.creates).toContain(kind);
    const entitlement = await byHand.createEntitlement(kind, uniqueName('vanishing'));
    for (const isNew of [true, false]) {
      const person = someone(subject());
      if (!isNew) await reconcile(subject(), person);
      wish(person, [entitlement]);
      const { set } = await plan(subject(), person);
      expect(set?.create).toEqual([]);
      await byHand.deleteEntitlement(entitlement);
      const { account } = await target.apply(must(set), patience());
      expect(account.entitlements.map(({ label, name }) => label ?? name)).toContain(
        entitlement.label ?? entitlement.name,
      );
    }
  });

  prove(`does not give a ${kind} that vanished, and the next plan says so`, async () => {
    const { byHand, target } = subject();
    expect(target.can.creates).not.toContain(kind);
    const entitlement = await byHand.createEntitlement(kind, uniqueName('vanishing'));
    const person = someone(subject());
    await reconcile(subject(), person);
    wish(person, [entitlement]);
    const { set } = await plan(subject(), person);
    await byHand.deleteEntitlement(entitlement);
    await expect(target.apply(must(set), patience())).rejects.toMatchObject({
      code: expect.stringMatching(/^(target_conflict|role_missing|group_missing|permission_missing)$/),
    });
    expect((await plan(subject(), person)).held).toEqual([expect.objectContaining({ code: `${kind}_missing` })]);
  });
}
