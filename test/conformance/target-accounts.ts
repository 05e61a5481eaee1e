import { entitlementKey } from '../../src/model/entitlement.ts';
import {
  accountsOf,
  granted,
  keysOf,
  must,
  type Prove,
  patience,
  plan,
  readBack,
  reconcile,
  someone,
  type TargetSubject,
  uniqueName,
} from './target-subject.ts';

export function describeAccounts(prove: Prove, subject: () => TargetSubject): void {
  prove('creates an account and reads it back', async () => {
    const person = someone(subject());
    const { applied } = await reconcile(subject(), person);
    expect(applied?.outcome).toBe('applied');
    const account = await readBack(subject(), person);
    const { can } = subject().target;
    for (const field of can.profile) expect(account.profile[field]).toBe(person.desired.profileIfNew[field]);
    expect(account).toMatchObject({ active: true, isProtected: false, id: applied?.account.id });
    const wanted = subject()
      .target.adapt(person.desired)
      .entitlements.map((entitlement) => entitlementKey(entitlement));
    expect(keysOf(account)).toEqual([...wanted].sort());
  });

  prove('plans nothing the second time', async () => {
    const person = someone(subject());
    await reconcile(subject(), person);
    expect((await plan(subject(), person)).changes).toEqual([]);
    // Neither does a gateway that forgot the account: it finds it again.
    expect((await plan(subject(), { ...person, link: undefined })).changes).toEqual([]);
  });

  prove('adapts once and for all', async () => {
    const names = ['Sales EU', 'team:eu', 'plain', 'UPPER', '/a/b', 'ünï'];
    const kind = subject().target.can.kinds[0] ?? 'group';
    const entitlements = granted(
      subject(),
      names.map((name) => ({ kind, name })),
    );
    const { desired } = someone(subject(), { entitlements, key: `auth0|${uniqueName('Adapt Me')}` });
    const once = subject().target.adapt(desired);
    expect(subject().target.adapt(once)).toEqual(once);
    expect(new Set(once.entitlements.map((entitlement) => entitlementKey(entitlement))).size).toBe(entitlements.length);
    expect(once.userNames.length).toBeGreaterThan(0);
  });

  prove('updates one field and leaves the others', async () => {
    const person = someone(subject());
    await reconcile(subject(), person);
    const before = await readBack(subject(), person);
    person.desired = { ...person.desired, profile: { familyName: 'Byron' } };
    const { plan: planned } = await reconcile(subject(), person);
    expect(planned.changes).toEqual([
      expect.objectContaining({ op: 'update', fields: [{ field: 'familyName', before: 'Lovelace', after: 'Byron' }] }),
    ]);
    const after = await readBack(subject(), person);
    expect(after).toEqual({ ...before, profile: { ...before.profile, familyName: 'Byron' } });
  });

  prove('clears what may be cleared and keeps what is required', async () => {
    const person = someone(subject());
    await reconcile(subject(), person);
    const { can } = subject().target;
    for (const field of can.profile) {
      person.desired = { ...person.desired, profile: { [field]: null } };
      await reconcile(subject(), person);
      const isRequired = (can.requiredProfile as readonly string[]).includes(field);
      const value = (await readBack(subject(), person)).profile[field] ?? null;
      expect([field, value]).toEqual([field, isRequired ? person.desired.profileIfNew[field] : null]);
      expect((await plan(subject(), person)).changes).toEqual([]);
    }
  });

  prove('disables an account and enables it again', async () => {
    const person = someone(subject());
    const account = must((await reconcile(subject(), person)).account);
    const { target } = subject();
    expect(target.can.disable).toBe(true);
    const turn = {
      desired: target.adapt(person.desired),
      profile: {},
      userName: account.userName,
      add: [],
      drop: [],
      create: [],
      changes: [],
    };
    await target.apply({ ...turn, actual: account, active: false }, patience());
    const off = await readBack(subject(), person);
    expect(off).toEqual({ ...account, active: false });
    await target.apply({ ...turn, actual: off, active: true }, patience());
    expect(await readBack(subject(), person)).toEqual(account);
  });

  prove('deletes an account, and deleting it again is fine', async () => {
    const person = someone(subject());
    const account = must((await reconcile(subject(), person)).account);
    const { target } = subject();
    expect(target.can.delete).toBe(true);
    const removal = {
      desired: target.adapt(person.desired),
      actual: account,
      profile: {},
      userName: account.userName,
      remove: true,
      add: [],
      drop: [],
      create: [],
      changes: [],
    };
    expect((await target.apply(removal, patience())).outcome).toBe('applied');
    expect(await accountsOf(subject(), person)).toEqual([]);
    expect((await target.apply(removal, patience())).outcome).toBe('already');
  });

  prove('knows its own account and protects it', async () => {
    const { target } = subject();
    const { account: own } = await target.probe(patience());
    const { accounts } = await target.read({ kind: 'all' }, patience());
    const mine = accounts.filter(({ id, userName }) => id === own || userName === own);
    expect(mine.map(({ isProtected }) => isProtected)).toEqual([true]);
  });
}

export function describeListing(prove: Prove, subject: () => TargetSubject, listed: number): void {
  prove('lists every account, page after page', async () => {
    const made: string[] = [];
    for (let at = 0; at < listed; at += 1) {
      const userName = uniqueName('listed');
      const account = { userName, givenName: 'Listed', familyName: String(at), email: `${userName}@example.com` };
      made.push((await subject().byHand.createAccount(account)).id);
    }
    const { complete, accounts } = await subject().target.read({ kind: 'all' }, patience());
    expect(complete).toBe(true);
    const ids = accounts.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(made.filter((id) => !ids.includes(id))).toEqual([]);
  });
}
