import type { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import { remedies } from '../provisioning/remedies.ts';
import { isStandIn } from './draft.ts';

/** Why somebody is held, for whoever reads the plan: of an account that is another's, with what can be done about it. */
export function whyHeld(error: LatchgateError, who: PersonId, subject: string): string {
  const said = error.detail['owner'];
  const owner = typeof said === 'string' ? said : undefined;
  if (error.code !== 'account_taken' || (owner !== undefined && isStandIn(owner))) return error.message;
  if (owner === undefined) return [error.message, ...remedies(owner, who, false)].join('; ');
  const name = isStandIn(who) ? wordOf(subject) : who;
  const isOut = error.detail['account'] === undefined;
  const why = isOut ? `the address is that of ${owner}, who is out` : `the account that fits is linked to ${owner}`;
  return [why, ...remedies(owner, name, isOut)].join('; ');
}

function wordOf(subject: string): string {
  return /^[\w@.+-]+$/.test(subject) ? subject : `'${subject.replaceAll("'", String.raw`'\''`)}'`;
}
