import type { Lookup } from '../../src/targets/target.ts';
import {
  lookupOf,
  type Prove,
  patience,
  plan,
  readBack,
  reconcile,
  someone,
  type TargetSubject,
  uniqueName,
} from './target-subject.ts';

/** Texts that a careless filter would take for another person's key, or for everybody's. */
function variants(key: string): readonly string[] {
  return [
    '*',
    `${key.slice(0, -1)}*`,
    `${key}*`,
    `*${key}`,
    '%',
    `${key.slice(0, -1)}_`,
    `${key.slice(0, -1)}%`,
    `${key} `,
    ` ${key}`,
    `${key}\u0000`,
    `${key}\t`,
    `${key}\u200b`,
    `x' or '1'=='1`,
    `x',id=='${key}`,
    `x',authenticationId=='${key}`,
    `x',email=='${key}`,
    `x\\',id=='${key}`,
    `"${key}"`,
    `'${key}'`,
    `x" or "1"=="1`,
    `\\`,
    `\\'`,
    `'`,
    `''`,
    '"',
    `${key}\\`,
    `\\${key}`,
    `x');id=in=('${key}`,
    `x&filter=id=='${key}'`,
    `x%27,id==%27${key}`,
    `x#${key}`,
    `../${key}`,
    `${key}/..`,
    `${key}?x=1`,
    `x))(eq:'${key}'`,
    `!(${key})`,
    `x,value:'${key}'`,
    `(col:username,opr:sw,value:'')`,
  ];
}

export function describeHostileInput(prove: Prove, subject: () => TargetSubject): void {
  const found = async (lookup: Lookup, id: string) => {
    const { accounts } = await subject().target.read({ kind: 'person', lookup }, patience());
    return accounts.some((account) => account.id === id);
  };

  prove('finds nobody else by a hostile external id, user name or e-mail', async () => {
    const victim = someone(subject());
    await reconcile(subject(), victim);
    const id = victim.link?.accountId ?? '';
    const { externalId, userNames } = subject().target.adapt(victim.desired);
    const email = victim.desired.profile.email ?? '';
    expect(await found({ ...lookupOf(victim) }, id)).toBe(true);
    for (const text of variants(externalId)) {
      expect([text, await found({ externalId: text, userNames: [] }, id)]).toEqual([text, false]);
    }
    for (const text of variants(userNames[0] ?? '')) {
      expect([text, await found({ userNames: [text] }, id)]).toEqual([text, false]);
    }
    for (const text of variants(email)) {
      expect([text, await found({ userNames: [], email: text }, id)]).toEqual([text, false]);
    }
    for (const text of ['', '.', '..', `${id}/`, `../users/${id}`, `${id}%00`, '*']) {
      expect([text, await found({ accountId: text, userNames: [] }, id)]).toEqual([text, false]);
    }
  });

  prove('gives people with hostile keys accounts of their own, and finds them again', async () => {
    const seen = new Set<string>();
    const key = uniqueName('key');
    for (const text of [
      '*',
      `${key}*`,
      `x' or '1'=='1`,
      `${key}\\`,
      `"${key}"`,
      `a|${key}`,
      `ünï ${key}`,
      key,
      key.toUpperCase(),
    ]) {
      const own = `${text}${key}`;
      const person = someone(subject(), { key: own, externalId: own, userNames: [own] });
      await reconcile(subject(), person);
      expect(seen).not.toContain(person.link?.accountId);
      seen.add(person.link?.accountId ?? '');
      expect((await plan(subject(), person)).changes).toEqual([]);
    }
  });

  prove('takes hostile names as they are', async () => {
    for (const name of [`O'Brien "x" \\ <b>&amp;`, '{{7*7}} #{x}', 'Ünïcødé 日本 😀', '-- ; drop', '%00%0d%0a']) {
      const profile = { givenName: name, familyName: name, email: `${uniqueName("o'brien+x")}@example.com` };
      const person = someone(subject(), { profile, profileIfNew: profile });
      await reconcile(subject(), person);
      const account = await readBack(subject(), person);
      expect(account.profile).toMatchObject({ givenName: name, familyName: name, email: profile.email });
      expect((await plan(subject(), person)).changes).toEqual([]);
    }
  });
}
