import type { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import { isStandIn } from './draft.ts';
import type { TargetMemory } from './memory.ts';

/** Why somebody is held, for whoever reads the plan: of an account that is another's, with what can be done about it. */
export function whyHeld(error: LatchgateError, who: PersonId, subject: string, memory: TargetMemory): string {
  const owner = error.code === 'account_taken' ? memory.owner(String(error.detail['account'] ?? '')) : undefined;
  if (owner === undefined || isStandIn(owner)) return error.message;
  const name = isStandIn(who) ? wordOf(subject) : who;
  return [
    `the account that fits is linked to ${owner}`,
    `if both are one human under another key: latchgate users link ${owner} ${name}`,
    `if the address has passed on to another human: latchgate users release ${owner}`,
  ].join('; ');
}

function wordOf(subject: string): string {
  return /^[\w@.+-]+$/.test(subject) ? subject : `'${subject.replaceAll("'", String.raw`'\''`)}'`;
}
