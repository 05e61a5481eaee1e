import type { Person, RememberedAssertion } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { IsPrivileged } from '../mapping/privileged.ts';
import type { ActualAccount } from '../model/change.ts';
import type { Decision } from '../model/desired.ts';
import { toLatchgateError } from '../model/errors.ts';
import { type LeaverPolicy, personLeaves } from '../provisioning/leaver.ts';
import { type Goal, goalFor, isPolicy, whyOut } from '../provisioning/outcome.ts';
import type { Missing } from '../provisioning/plan.ts';
import { planOne } from '../provisioning/plan-one.ts';
import { hearDoors, type Unread } from './doors.ts';
import { afterwards, type KnownTarget, StandIn, type Standing } from './stand-in.ts';

export interface SideTarget {
  readonly known: KnownTarget;
  readonly missing: Missing;
  /** The same text for the same settings: two configs that agree need not be tried. */
  readonly fingerprint: string;
}

/** One of the two configs that are compared. */
export interface Side {
  readonly mapping: Mapping;
  readonly targets: ReadonlyMap<string, SideTarget>;
  readonly leaver: LeaverPolicy;
  readonly neverTouch: (account: ActualAccount) => boolean;
  readonly isPrivileged: IsPrivileged;
  /** Where what this origin says is carried to by itself: a source only to where it is synced. */
  reaches(origin: string, target: string): boolean;
}

/** What one config makes of a person. */
export interface Verdict {
  readonly decision?: Decision;
  /** Why the person is not let in anywhere. */
  readonly out?: { readonly code: string; readonly message?: string; readonly rule?: string };
  /** Origins whose word cannot be read, where another's can. */
  readonly unread?: readonly Unread[];
  /** Undefined: nothing changes there, for nobody who counts speaks, or what is said cannot be read. */
  goal(target: string): Goal | undefined;
}

/** How a person stands in one target after everything was done there. */
export interface Outcome {
  readonly standing: Standing;
  readonly isOpen: boolean;
  /** Why it could not be done; the account stays as it is, and the person is not let in there. */
  readonly refused?: string;
}

export function verdictOf(
  side: Side,
  person: Person,
  assertions: readonly RememberedAssertion[],
  now: number,
): Verdict {
  const out = whyOut(person);
  if (out !== undefined) {
    const goal = { leaving: personLeaves(side.leaver, person, now) };
    return { out: { code: out.code }, goal: () => goal };
  }
  const { heard, unread } = hearDoors(side.mapping, person.id, assertions);
  if (heard === undefined) return { out: { code: 'login_unknown' }, goal: () => undefined };
  if ('leaving' in heard) return { out: { code: 'no_access' }, goal: () => heard };
  const { decision } = heard;
  const speaking = assertions.filter(({ active, origin }) => active && side.mapping.knows(origin));
  const goal = (target: string) =>
    speaking.some(({ origin }) => side.reaches(origin, target)) ? goalFor(decision, target) : undefined;
  if (decision.decision === 'allow') return { decision, unread, goal };
  const isUnreadable = !isPolicy(decision.code);
  return { decision, out: denialOf(decision), goal: isUnreadable ? () => undefined : goal };
}

function denialOf({ code = 'internal', message, trace }: Decision): NonNullable<Verdict['out']> {
  const rule = code === 'denied_by_rule' ? trace.rules.find(({ denies }) => denies !== undefined)?.name : undefined;
  return { code, ...(message === undefined ? {} : { message }), ...(rule === undefined ? {} : { rule }) };
}

/** Does what a reconcile does, on what is remembered of the account. */
export async function settle(
  side: Side,
  { known, missing }: SideTarget,
  person: Person,
  standing: Standing,
  goal: Goal | undefined,
): Promise<Outcome> {
  if (goal === undefined) return { standing, isOpen: isOpen(standing) };
  const { link, ledger, pins } = standing;
  const input = {
    person: person.id,
    target: new StandIn(known, standing),
    missing,
    goal,
    signal: new AbortController().signal,
  };
  const context = {
    directory: {
      accounts: { get: async () => link, owner: async () => person.id, ofPerson: async () => [] },
      people: { get: async () => person, subjects: async () => [], byEmail: async () => [] },
    },
    // The account is the one that is linked; by what else it could be found is not known here.
    match: ['link'] as const,
    privileged: [],
    neverTouch: side.neverTouch,
    isManaged: () => false,
  };
  try {
    const planned = await planOne(context, input, { link, ledger, pins });
    const after = afterwards(standing, planned, person.id, known.name);
    return { standing: after, isOpen: isOpen(after) };
  } catch (thrown) {
    return { standing, isOpen: false, refused: toLatchgateError(thrown).code };
  }
}

function isOpen({ account, link }: Standing): boolean {
  return account?.active === true && link?.state === 'ready';
}
