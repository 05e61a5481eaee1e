import type { Database } from '../directory/database.ts';
import type { Directory, Person } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { Decision, DesiredAccount } from '../model/desired.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Assertion } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import { sameEmail } from '../provisioning/correlate.ts';
import { refuseFormer } from '../provisioning/former.ts';
import { type JoiningDeps, personByEmail } from '../provisioning/joining.ts';
import { isTargetFault } from '../provisioning/outcome.ts';
import type { AccountPlan } from '../provisioning/plan.ts';
import type { ConfiguredTarget } from '../provisioning/runs.ts';
import { claimsOf } from './claims.ts';
import { type ScimClient, subjectOf } from './client.ts';
import { personBefore } from './former.ts';
import { groupsOf } from './store/members.ts';
import type { Attributes } from './store/users.ts';

export interface ExistingDeps extends Pick<JoiningDeps, 'join' | 'privileged'> {
  readonly database: Database;
  readonly directory: Pick<Directory, 'people' | 'accounts' | 'ledger'>;
  readonly mapping: Mapping;
  readonly targets: ReadonlyMap<string, ConfiguredTarget>;
  /** What would change in one target. Reads the target, writes nothing. */
  readonly preview: (desired: DesiredAccount, target: ConfiguredTarget) => Promise<AccountPlan>;
  readonly clock: Clock;
  /** How long a push waits for the targets, in milliseconds. */
  readonly waitMs: number;
}

/** A user as a request makes or changes it. */
export interface Coming {
  readonly id: string;
  readonly attributes: Attributes;
  readonly isNew: boolean;
}

/** What a client will have said of somebody, and what the mapping makes of it while nobody else speaks of them. */
export interface Foreseen {
  readonly assertion: Assertion;
  readonly decision: Decision;
}

/** So long a target that has kept a push waiting in vain is not asked again: a Bulk request would wait for it each time. */
const NOT_ASKED_MS = 30_000;

/**
 * Throws `scim_account_exists` for a user who comes to a target that has an account which was there before, unless the
 * policy of the client links it (`trust_email`, `targets.NAME.external_ids`). All targets are asked at once. One that does
 * not answer in time says nothing here. Returns what is foreseen of somebody whom nobody knows.
 */
export class Existing {
  readonly #deps: ExistingDeps;
  readonly #notAskedUntil = new Map<string, number>();

  constructor(deps: ExistingDeps) {
    this.#deps = deps;
  }

  async refuse(client: ScimClient, coming: Coming): Promise<Foreseen | undefined> {
    if (coming.attributes['active'] === false) return undefined;
    const { directory, targets } = this.#deps;
    const { person, assertion, decision } = await decide(this.#deps, client, coming);
    const foreseen = person === undefined ? { assertion, decision } : undefined;
    if (decision.decision === 'deny') return foreseen;
    if (person === undefined) await refuseGone(directory, decision, assertion.issuer);
    await Promise.all(
      [...decision.accounts].map(async ([name, desired]) => {
        const configured = targets.get(name);
        const isLinked = person !== undefined && (await directory.accounts.get(person.id, name)) !== undefined;
        if (configured === undefined || isLinked) return;
        await this.#refuseIn(configured, { ...desired, person: person?.id ?? 'new' });
      }),
    );
    return foreseen;
  }

  async #refuseIn(configured: ConfiguredTarget, desired: DesiredAccount): Promise<void> {
    const { preview, waitMs, clock } = this.#deps;
    const { target } = configured;
    if ((this.#notAskedUntil.get(target.name) ?? 0) > clock.now()) return;
    const timeoutMs = Math.min(configured.timeoutMs, waitMs);
    const until = performance.now() + timeoutMs;
    const leftMs = (): number => Math.max(0, Math.ceil(until - performance.now()));
    try {
      const { changes } = await preview(desired, { ...configured, timeoutMs });
      if (!changes.some(({ op, type }) => op === 'create' && type === 'user')) return;
      const { email } = target.adapt(desired).profile;
      if (typeof email !== 'string') return;
      const scope = { kind: 'person', lookup: { userNames: [], email } } as const;
      const { accounts } = await target.read(scope, AbortSignal.timeout(leftMs()));
      if (accounts.some((account) => sameEmail(account.profile.email, email))) throw exists(target.name, 'email');
    } catch (thrown) {
      const error = toLatchgateError(thrown);
      if (error.code === 'scim_account_exists') throw error;
      if (leftMs() === 0) this.#notAskedUntil.set(target.name, clock.now() + NOT_ASKED_MS);
      if (isTargetFault(error.code) || error.retryable || !CLASHES.has(error.code)) return;
      throw exists(target.name, error.code);
    }
  }
}

/** What the mapping would make of the user. */
async function decide(
  deps: ExistingDeps,
  client: ScimClient,
  { attributes, id, isNew }: Coming,
): Promise<Foreseen & { readonly person: Person | undefined }> {
  const { database, directory, mapping, clock } = deps;
  const { people } = directory;
  const { externalId } = attributes;
  const subject = subjectOf(client, id, externalId);
  const known = await people.bySubject(subject);
  const former = known ?? (await database.run((db) => personBefore({ db, people }, client, externalId)));
  const groups = isNew ? undefined : await database.run((db) => groupsOf(db, client.name, [id]));
  const claims = claimsOf(attributes, groups?.get(id) ?? []);
  const assertion = { ...subject, origin: client.name, active: true, claims, at: new Date(clock.now()) };
  const person = former ?? (await personByEmail(deps, assertion));
  const before = person === undefined ? [] : await people.assertions(person.id);
  const others = before.filter((one) => one.origin !== client.name || one.subject !== subject.subject);
  const input = { person: person?.id ?? 'new', assertions: [...others, assertion], current: client.name };
  return { person, assertion, decision: mapping.map(input) };
}

/** Somebody whom another door has let go does not come back by this one. */
async function refuseGone(directory: ExistingDeps['directory'], { attributes }: Decision, door: string): Promise<void> {
  const { email } = attributes;
  if (typeof email !== 'string') return;
  try {
    await refuseFormer(directory, 'new', email, { door });
  } catch (thrown) {
    const { code, detail } = toLatchgateError(thrown);
    if (code !== 'account_taken') throw thrown;
    throw new LatchgateError('scim_account_exists', 'somebody who is out has the address', { detail });
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
