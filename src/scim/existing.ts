import type { Directory } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { DesiredAccount } from '../model/desired.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import { sameEmail } from '../provisioning/correlate.ts';
import { isTargetFault } from '../provisioning/outcome.ts';
import type { AccountPlan } from '../provisioning/plan.ts';
import type { ConfiguredTarget } from '../provisioning/runs.ts';
import { claimsOf } from './claims.ts';
import { type ScimClient, subjectOf } from './client.ts';
import type { Attributes } from './store/users.ts';

export interface ExistingDeps {
  readonly directory: Pick<Directory, 'people' | 'accounts'>;
  readonly mapping: Mapping;
  readonly targets: ReadonlyMap<string, ConfiguredTarget>;
  /** What would change in one target. Reads the target, writes nothing. */
  readonly preview: (desired: DesiredAccount, target: ConfiguredTarget) => Promise<AccountPlan>;
  readonly clock: Clock;
}

/**
 * Throws `scim_account_exists` for a new user of whom a target has an account that was there before, unless the policy of
 * the client links it (`trust_email`, `targets.NAME.external_ids`). A target that does not answer says nothing here.
 */
export async function refuseExisting(deps: ExistingDeps, client: ScimClient, attributes: Attributes): Promise<void> {
  if (attributes['active'] === false) return;
  const { directory, mapping, targets, clock } = deps;
  const subject = subjectOf(client, 'new', attributes['externalId']);
  const person = await directory.people.bySubject(subject);
  const claims = claimsOf(attributes, []);
  const assertion = { ...subject, origin: client.name, active: true, claims, at: new Date(clock.now()) };
  const others = person === undefined ? [] : await directory.people.assertions(person.id);
  const id = person?.id ?? 'new';
  const input = { person: id, assertions: [...others, assertion], current: client.name };
  const decision = mapping.map(input);
  if (decision.decision === 'deny') return;
  for (const [name, desired] of decision.accounts) {
    const configured = targets.get(name);
    const isLinked = person !== undefined && (await directory.accounts.get(person.id, name)) !== undefined;
    if (configured !== undefined && !isLinked) await refuseIn(deps, configured, { ...desired, person: id });
  }
}

async function refuseIn(
  { preview }: ExistingDeps,
  configured: ConfiguredTarget,
  desired: DesiredAccount,
): Promise<void> {
  const { target, timeoutMs } = configured;
  try {
    const { changes } = await preview(desired, configured);
    if (!changes.some(({ op, type }) => op === 'create' && type === 'user')) return;
    const { email } = target.adapt(desired).profile;
    if (typeof email !== 'string') return;
    const scope = { kind: 'person', lookup: { userNames: [], email } } as const;
    const { accounts } = await target.read(scope, AbortSignal.timeout(timeoutMs));
    if (accounts.some((account) => sameEmail(account.profile.email, email))) throw exists(target.name, 'email');
  } catch (thrown) {
    const error = toLatchgateError(thrown);
    if (error.code === 'scim_account_exists') throw error;
    if (isTargetFault(error.code) || error.retryable || !CLASHES.has(error.code)) return;
    throw exists(target.name, error.code);
  }
}

/** Whose account it is cannot be told by what was pushed. */
const CLASHES: ReadonlySet<string> = new Set([
  'account_taken',
  'account_ambiguous',
  'account_protected',
  'account_privileged',
  'user_name_taken',
]);

function exists(target: string, reason: string): LatchgateError {
  return new LatchgateError('scim_account_exists', 'a target has an account that fits', { detail: { target, reason } });
}
