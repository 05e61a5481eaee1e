import type { Directory, Person } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import { aliasIssuer } from '../model/origin.ts';
import type { Assertion, PersonId, SubjectKey } from '../model/person.ts';

export interface AliasesDeps {
  readonly directory: Pick<Directory, 'people'>;
  readonly mapping: Pick<Mapping, 'externalId'>;
  /** Logins whose people a source lists, by their `external_id`. */
  readonly aliases: ReadonlySet<string>;
}

/** People of a login by the ids under which a source lists them. */
export class Aliases {
  readonly #deps: AliasesDeps;

  constructor(deps: AliasesDeps) {
    this.#deps = deps;
  }

  /** The id by which a source lists the people of this login; undefined when none does. */
  #aliasOf(assertion: Assertion): SubjectKey | undefined {
    if (!this.#deps.aliases.has(assertion.origin)) return undefined;
    const subject = this.#deps.mapping.externalId(assertion);
    return subject === undefined ? undefined : { issuer: aliasIssuer(assertion.origin), subject };
  }

  /** Somebody whom a source has listed before they ever logged in. */
  async personOf(assertion: Assertion): Promise<Person | undefined> {
    const alias = this.#aliasOf(assertion);
    const person = alias === undefined ? undefined : await this.#deps.directory.people.bySubject(alias);
    if (person === undefined) return undefined;
    const subjects = await this.#deps.directory.people.subjects(person.id);
    // An id that moved on to somebody else: the account at the provider decides who logs in, not the id.
    return subjects.some(({ origin, issuer }) => origin === assertion.origin && issuer === assertion.issuer)
      ? undefined
      : person;
  }

  /** Nobody becomes somebody else by what nobody has verified. */
  async addTo(person: PersonId, assertion: Assertion): Promise<void> {
    if (assertion.isUnverified === true) return;
    const alias = this.#aliasOf(assertion);
    if (alias === undefined) return;
    const { people } = this.#deps.directory;
    for (const subject of [assertion, alias]) {
      if ((await people.bySubject(subject)) === undefined) await people.addSubject(person, subject, assertion.origin);
    }
  }
}
