import type { Directory } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { Decision } from '../model/desired.ts';
import type { Assertion, PersonId } from '../model/person.ts';
import { hear } from './heard.ts';
import { denial, type Goal, goalFor, isPolicy, wantSame } from './outcome.ts';
import { pinText } from './pinned.ts';

export interface SaidDeps {
  readonly directory: Pick<Directory, 'people' | 'pins'>;
  readonly mapping: Mapping;
  /** By name. */
  readonly targets: ReadonlyMap<string, unknown>;
}

/** What the mapping makes of a person by what every origin said last. */
export class Said {
  readonly #deps: SaidDeps;

  constructor(deps: SaidDeps) {
    this.#deps = deps;
  }

  /** With this assertion in place of what its origin said of the subject before. `new`: of nobody yet. */
  async decide(person: PersonId, assertion: Assertion): Promise<Decision> {
    const { directory, mapping } = this.#deps;
    const before = person === 'new' ? [] : await directory.people.assertions(person);
    const same = before.find(
      (one) => one.origin === assertion.origin && one.issuer === assertion.issuer && one.subject === assertion.subject,
    );
    const remembered =
      same?.rememberedGroups === undefined ? assertion : { ...assertion, rememberedGroups: same.rememberedGroups };
    const others = before.filter((one) => one !== same);
    const decision = mapping.map({ person, assertions: [...others, remembered], current: assertion.origin });
    const pins = person === 'new' ? [] : await directory.pins.ofPerson(person);
    if (pins.length === 0) return decision;
    const notes = [...decision.trace.notes, ...pins.map(pinText)];
    return { ...decision, trace: { ...decision.trace, notes } };
  }

  /** Whether no target is to be any different from what was last said. That it is so there is not looked at. */
  async wantsSame(person: PersonId, decision: Decision, origin: string): Promise<boolean> {
    const before = await this.#remapped(person, origin);
    return before !== undefined && wantSame(before, decision, this.#deps.targets.keys());
  }

  async goalNow(person: PersonId, target: string): Promise<Goal | undefined> {
    const heard = hear(this.#deps.mapping, person, await this.#deps.directory.people.assertions(person));
    if (heard === undefined || 'leaving' in heard) return heard;
    const { decision } = heard;
    // Refused by the config of today: what cannot be read changes nothing.
    if (decision.decision === 'deny' && !isPolicy(decision.code)) throw denial(decision);
    return goalFor(decision, target);
  }

  /** What is remembered, decided by the config of today, as this origin says it; undefined: nothing is. */
  async #remapped(person: PersonId, current: string): Promise<Decision | undefined> {
    const assertions = await this.#deps.directory.people.assertions(person);
    if (assertions.length === 0) return undefined;
    return this.#deps.mapping.map({ person, assertions, current });
  }
}
