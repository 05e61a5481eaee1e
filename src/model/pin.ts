import type { Entitlement } from './entitlement.ts';
import type { PersonId } from './person.ts';

/** What an operator has decided about one entitlement of one person: it counts whatever the rules say, until it is lifted. */
export interface Pin extends Entitlement {
  readonly person: PersonId;
  readonly target: string;
  /** `withheld`: not given, and taken if it is ours. `kept`: given for as long as the person has an account there. */
  readonly effect: 'withheld' | 'kept';
  /** What decided: `review rv_…`, `undo 1234`. */
  readonly by: string;
  /** What the operator wrote. */
  readonly reason?: string;
  readonly at: Date;
}
