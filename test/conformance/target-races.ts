import { type EntitlementKind, entitlementKey } from '../../src/model/entitlement.ts';
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
  someone,
  type TargetSubject,
  uniqueName,
} from './target-subject.ts';

export function describeRaces(prove: Prove, subject: () => TargetSubject, kind: EntitlementKind): void {
  prove('ends with one account when ten apply the same creation at once', async () => {
    const wanted = await subject().byHand.createEntitlement(kind, uniqueName('race'));
    const person = someone(subject(), { entitlements: granted(subject(), [wanted]) });
    const set = await firstLogin(subject(), person);
    const all = await Promise.all(Array.from({ length: 10 }, () => subject().target.apply(must(set), patience())));
    expect(new Set(all.map(({ account }) => account.id)).size).toBe(1);
    expect(all.filter(({ outcome }) => outcome === 'applied')).toHaveLength(1);
    const accounts = await accountsOf(subject(), person);
    expect(accounts.map(({ id }) => id)).toEqual([all[0]?.account.id]);
    expect(keysOf(must(accounts[0]))).toContain(entitlementKey(wanted));
  });

  prove('ends with each grant once when ten apply the same update at once', async () => {
    const wanted = await subject().byHand.createEntitlement(kind, uniqueName('race'));
    const person = someone(subject());
    await reconcile(subject(), person);
    person.desired = {
      ...person.desired,
      profile: { givenName: 'Augusta' },
      entitlements: granted(subject(), [wanted]),
    };
    const { set } = await plan(subject(), person);
    await Promise.all(Array.from({ length: 10 }, () => subject().target.apply(must(set), patience())));
    const account = await readBack(subject(), person);
    expect(keysOf(account).filter((key) => key === entitlementKey(wanted))).toHaveLength(1);
    expect(account.profile.givenName).toBe('Augusta');
  });

  prove('takes the next name when another account took the first one meanwhile', async () => {
    const person = someone(subject());
    const names = subject().target.adapt({
      ...person.desired,
      userNames: [uniqueName('taken'), uniqueName('free')],
    }).userNames;
    const set = await firstLogin(subject(), person);
    const [first = '', second = ''] = names;
    await subject().byHand.createAccount({
      userName: first,
      externalId: uniqueName('other'),
      givenName: 'Other',
      familyName: 'Person',
      email: `${uniqueName('other')}@example.com`,
    });
    const { account } = await subject().target.apply(
      { ...set, userName: first, desired: { ...set.desired, userNames: names } },
      patience(),
    );
    expect(account.userName).toBe(second);
    expect(account.profile.email).toBe(person.desired.profileIfNew.email);
  });

  prove('says so when the account vanished between read and apply', async () => {
    const wanted = await subject().byHand.createEntitlement(kind, uniqueName('late'));
    for (const change of [{ profile: { givenName: 'Late' } }, { entitlements: granted(subject(), [wanted]) }]) {
      const person = someone(subject());
      const account = must((await reconcile(subject(), person)).account);
      person.desired = { ...person.desired, ...change };
      const { set } = await plan(subject(), person);
      await subject().byHand.deleteAccount(account.id);
      await expect(subject().target.apply(must(set), patience())).rejects.toMatchObject({
        code: 'target_conflict',
      });
      person.link = undefined;
      person.ledger = [];
      expect((await reconcile(subject(), person)).applied?.outcome).toBe('applied');
    }
  });
}
