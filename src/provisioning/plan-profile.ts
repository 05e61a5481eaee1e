import type { ActualAccount, FieldChange, HeldChange } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import type { Profile } from '../model/person.ts';
import type { Capabilities } from '../targets/target.ts';
import { sameEmail } from './correlate.ts';

interface ProfileInput {
  readonly desired: DesiredAccount;
  readonly actual: ActualAccount | undefined;
  readonly others: readonly ActualAccount[];
  readonly can: Capabilities;
  /** Whether an address that another account has waits although the target would take it. Default: no. */
  readonly sharesNoEmail?: boolean;
}

/** What of a profile is to be written, and what has to wait because another account has it. */
export interface PlannedProfile {
  readonly write: Profile;
  readonly fields: readonly FieldChange[];
  readonly held: readonly HeldChange[];
}

/** Only what differs. Absent stays as it is; empty clears, except what the target demands. */
export function planProfile({ desired, actual, others, can, sharesNoEmail = false }: ProfileInput): PlannedProfile {
  const write: Record<string, string | null> = {};
  const fields: FieldChange[] = [];
  const held: HeldChange[] = [];
  for (const field of can.profile) {
    const required = (can.requiredProfile as readonly string[]).includes(field);
    const said = desired.profile[field];
    // Sent empty is not missing: where it can be empty, what stood in for it would be cleared by the next login.
    const isEmpty = said === null && !required;
    const after = actual === undefined && !isEmpty ? desired.profileIfNew[field] : said;
    if (after === undefined) continue;
    const before = actual?.profile[field] ?? null;
    if (after === before || ((after === null || after === '') && (required || before === null || before === '')))
      continue;
    const change = { field, before, after };
    const isOnlyOnes = field === 'email' && (can.uniqueEmail || sharesNoEmail);
    const clash = isOnlyOnes && others.some((other) => sameEmail(other.profile.email, after));
    if (clash && actual !== undefined) {
      held.push({
        op: 'update',
        type: 'user',
        key: actual.userName,
        fields: [change],
        code: 'account_taken',
        reason: 'another account has this e-mail',
      });
      continue;
    }
    write[field] = after;
    fields.push(change);
  }
  return { write, fields, held };
}
