import type { Person } from '../directory/directory.ts';
import type { Decision } from '../model/desired.ts';
import { ERRORS, type ErrorCode, LatchgateError } from '../model/errors.ts';
import type { Assertion, Identity } from '../model/person.ts';
import type { ReconcileInput } from './job.ts';
import type { AccountState } from './provision.ts';

/** What one reconcile is to bring about. */
export type Goal = ReconcileInput['goal'];

/** Denials that are a decision of the config, as against input that cannot be read. */
export function isPolicy(code: string | undefined): boolean {
  return code === 'denied_by_rule' || code === 'denied_by_default';
}

/** The target is at fault, and not what is wanted of it. */
export const TARGET_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'target_unavailable',
  'target_refused',
  'target_answer_invalid',
  'target_conflict',
  'lease_lost',
  'answer_too_large',
]);

export function isTargetFault(code: ErrorCode): boolean {
  return TARGET_FAULTS.has(code);
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/**
 * What is to become of the account in one target. A rule that denies is heard whoever else could not be; where nothing is
 * given otherwise, what those gave who could not be heard stays.
 */
export function goalFor(decision: Decision, target: string): Goal {
  const desired = decision.accounts.get(target);
  if (desired !== undefined && decision.decision === 'allow') {
    if (desired.active) return { desired };
    return { leaving: { policy: 'disable', reason: 'inactive at the origin', person: true, leaveAlone: [] } };
  }
  const leaveAlone = decision.code === 'denied_by_rule' ? [] : decision.leaveAlone;
  const reason = decision.code ?? 'no rule gives anything here';
  const rules = decision.groupRules === undefined ? {} : { groupRules: decision.groupRules };
  return { leaving: { policy: 'disable', reason, person: false, leaveAlone, ...rules } };
}

/** Whether both want the same of each of these targets: of the account, its profile and what it is given. */
export function wantSame(one: Decision, other: Decision, targets: Iterable<string>): boolean {
  const goal = (decision: Decision, target: string) => JSON.stringify(goalFor(decision, target));
  return one.decision === other.decision && [...targets].every((target) => goal(one, target) === goal(other, target));
}

/** Why a person is to have nothing anywhere, whatever origins give them; undefined: nothing says so. */
export function whyOut(person: Person | undefined): LatchgateError | undefined {
  if (person?.disabled === true) return new LatchgateError('person_disabled', 'this person was disabled');
  if (person?.leftAt !== undefined) return new LatchgateError('person_left', 'this person has left');
  return undefined;
}

export function isOut(code: string): boolean {
  return code === 'person_disabled' || code === 'person_left';
}

export function denial(decision: Decision): LatchgateError {
  const code = decision.code !== undefined && isErrorCode(decision.code) ? decision.code : 'internal';
  return new LatchgateError(code, 'the mapping refuses this login', {
    ...(decision.message === undefined ? {} : { publicMessage: decision.message }),
  });
}

export function refusal(state: AccountState, target: string): LatchgateError | undefined {
  if (state.status === 'ready') return undefined;
  if (state.status === 'none')
    return new LatchgateError('no_access', 'nothing is given in this target', { detail: { target } });
  const code = isErrorCode(state.code) ? state.code : 'internal';
  // A backend that refuses us or talks nonsense is not the person's doing, and may be mended while they wait.
  const shown = isTargetFault(code) && code !== 'lease_lost' ? 'target_unavailable' : code;
  const owner = state.owner === undefined ? {} : { owner: state.owner };
  const accounts = state.accounts === undefined ? {} : { accounts: state.accounts };
  return new LatchgateError(shown, 'the account could not be made ready', {
    detail: { target, reason: code, ...owner, ...accounts },
  });
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function displayName(assertion: Assertion, decision: Decision): string {
  const { attributes } = decision;
  return (
    textOf(attributes['name']) ??
    textOf(attributes['preferred_username']) ??
    textOf(attributes['email']) ??
    assertion.subject
  );
}

/** What people read and search by, from the mapped attributes. */
export function descriptionOf(assertion: Assertion, decision: Decision): { displayName: string; email?: string } {
  const email = textOf(decision.attributes['email']);
  return { displayName: displayName(assertion, decision), ...(email === undefined ? {} : { email }) };
}

export function identityOf(person: Person, assertion: Assertion, decision: Decision): Identity {
  const { attributes } = decision;
  const email = textOf(attributes['email']);
  const preferredUsername = textOf(attributes['preferred_username']);
  return {
    person: person.id,
    origin: assertion.origin,
    issuer: assertion.issuer,
    subject: assertion.subject,
    displayName: displayName(assertion, decision),
    ...(email === undefined ? {} : { email }),
    emailVerified: attributes['email_verified'] === true,
    ...(preferredUsername === undefined ? {} : { preferredUsername }),
    groups: decision.groups,
    attributes,
  };
}
