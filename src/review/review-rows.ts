import type { Directory, Person } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import { type DatedGrant, type Entitlement, entitlementKey } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import { hear } from '../provisioning/heard.ts';

/** One entitlement that we gave one person, for somebody to decide on. */
export interface ReviewRow extends Entitlement {
  readonly person: Person;
  readonly userName?: string;
  readonly target: string;
  /** By which rules, because of which origins: several where several give it. */
  readonly rule: string;
  readonly origin: string;
  /** What of the claims fitted, as it is now. */
  readonly because: string;
  /** The earliest. */
  readonly since: Date;
}

export interface ReviewRowsDeps {
  readonly directory: Pick<Directory, 'people' | 'accounts' | 'ledger'>;
  readonly mapping: Mapping;
}

/** Every grant of a target, or those of one entitlement (`role:Admin`, or its name alone), person by person. */
export async function* reviewRows(
  { directory, mapping }: ReviewRowsDeps,
  target: string,
  entitlement?: string,
): AsyncGenerator<ReviewRow, void> {
  for await (const { person: id, grants } of byPerson(directory.ledger.dated(target))) {
    const asked = grants.filter((grant) => entitlement === undefined || isAsked(grant, entitlement));
    const person = asked.length === 0 ? undefined : await directory.people.get(id);
    if (person === undefined) continue;
    const account = await directory.accounts.get(id, target);
    const fits = becauseOf(mapping, id, await directory.people.assertions(id));
    for (const same of together(asked)) {
      const [first] = same;
      if (first === undefined) continue;
      const { kind, name, scope } = first;
      yield {
        person,
        ...(account === undefined ? {} : { userName: account.userName }),
        target,
        kind,
        name,
        ...(scope === undefined ? {} : { scope }),
        ...reasonsOf(same),
        because: [...new Set(same.map(fits))].join('; '),
      };
    }
  }
}

/** What of the ledger a review goes by: whether it is still the same is asked again before anything is done. */
export function reasonsOf(grants: readonly DatedGrant[]): Pick<ReviewRow, 'rule' | 'origin' | 'since'> {
  return {
    rule: [...new Set(grants.map(({ rule }) => rule))].join(' + '),
    origin: [...new Set(grants.map(({ origin }) => origin))].join(' + '),
    since: new Date(Math.min(...grants.map(({ since }) => since.getTime()))),
  };
}

export function isAsked(grant: Entitlement, text: string): boolean {
  const key = entitlementKey(grant);
  return key === text || key === `${grant.kind}:${text}` || grant.name === text;
}

function becauseOf(
  mapping: Mapping,
  person: PersonId,
  assertions: Parameters<typeof hear>[2],
): (grant: DatedGrant) => string {
  const heard = hear(mapping, person, assertions);
  const decision = heard !== undefined && 'decision' in heard ? heard.decision : undefined;
  if (decision?.code === 'claim_not_recorded')
    return () => 'not known: the claims of this person are not recorded any more';
  const rules = decision?.trace.rules ?? [];
  return ({ rule, origin }) => {
    const trace = rules.find((one) => one.name === rule && one.origin === origin && one.matched);
    return trace === undefined ? 'this rule does not give it now' : trace.because.join('; ');
  };
}

function together(grants: readonly DatedGrant[]): readonly (readonly DatedGrant[])[] {
  const byKey = new Map<string, DatedGrant[]>();
  for (const grant of grants) byKey.set(entitlementKey(grant), [...(byKey.get(entitlementKey(grant)) ?? []), grant]);
  return [...byKey.values()];
}

/** Rows of one person stand one after the other, over the end of a page too. */
async function* byPerson(
  pages: AsyncIterable<readonly DatedGrant[]>,
): AsyncGenerator<{ readonly person: PersonId; readonly grants: readonly DatedGrant[] }, void> {
  let person: PersonId | undefined;
  let grants: DatedGrant[] = [];
  for await (const page of pages) {
    for (const grant of page) {
      if (person !== undefined && grant.person !== person) {
        yield { person, grants };
        grants = [];
      }
      person = grant.person;
      grants.push(grant);
    }
  }
  if (person !== undefined) yield { person, grants };
}
