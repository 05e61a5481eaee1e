import type { AccountLink, Directory } from '../directory/directory.ts';
import type { ActualAccount } from '../model/change.ts';
import { entitlementKey, type Grant } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { HoldsDeletion } from '../provisioning/job.ts';
import { planLeaver, unlessHeld } from '../provisioning/leaver.ts';
import type { ConfiguredTarget } from '../provisioning/runs.ts';
import type { Leaver } from './draft.ts';
import { TargetMemory } from './memory.ts';
import type { PlannedChange } from './sync.ts';

/** An account of somebody who leaves, in another target than the one that is synced. */
export interface AccountElsewhere {
  readonly person: PersonId;
  readonly target: string;
  readonly key: string;
  readonly changes: readonly PlannedChange[];
}

export interface ElsewhereOptions {
  readonly targets: ReadonlyMap<string, ConfiguredTarget>;
  /** The one that is synced. */
  readonly except: string;
  readonly policy: 'disable' | 'delete';
  readonly holdsDeletion?: HoldsDeletion;
  readonly reason: string;
}

/**
 * What is to become of the accounts that people who leave have in other targets, as far as it is remembered: those
 * targets are not read for it. They are when it is done.
 */
export async function planElsewhere(
  directory: Pick<Directory, 'accounts' | 'ledger' | 'pins' | 'retries'>,
  leavers: readonly Leaver[],
  { targets, except, policy: wanted, holdsDeletion, reason }: ElsewhereOptions,
): Promise<readonly AccountElsewhere[]> {
  const people = leavers.map(({ person }) => person);
  const subjects = new Map(leavers.map(({ person, subject }) => [person, subject]));
  const found: AccountElsewhere[] = [];
  if (people.length === 0) return found;
  for (const [name, { target }] of targets) {
    if (name === except) continue;
    const memory = await TargetMemory.read(directory, name, people);
    for (const person of people) {
      const { link, ledger } = memory.of(person);
      if (link === undefined) continue;
      // Written down ahead of the call, and then not done: what follows up says so.
      if (isShut(link, ledger) && (await directory.retries.get(person, name)) === undefined) continue;
      const leaving = { policy: wanted, reason, person: true, leaveAlone: [] };
      const { policy } = await unlessHeld(leaving, person, holdsDeletion);
      const { changes } = planLeaver({
        person,
        target: name,
        actual: remembered(link, ledger),
        link,
        ledger,
        can: target.can,
        policy,
        reason,
      });
      const whose = { person, subject: subjects.get(person) ?? '', target: name };
      found.push({
        person,
        target: name,
        key: link.userName,
        changes: changes.map((change) => ({ ...change, ...whose })),
      });
    }
  }
  return found;
}

/** Switched off by us, or with nothing left that we gave. */
function isShut({ state }: AccountLink, ledger: readonly Grant[]): boolean {
  return state === 'disabled' || (state === 'closed' && ledger.length === 0);
}

/** The account as we remember it; whether it is on, only the target knows. */
function remembered({ accountId, userName }: AccountLink, ledger: readonly Grant[]): ActualAccount {
  const entitlements = new Map(
    ledger.map(({ kind, name, scope, entitlementId, ...grant }) => {
      const entitlement = { kind, name, ...(scope === undefined ? {} : { scope }) };
      const key = entitlementKey({ ...grant, ...entitlement });
      return [key, { ...entitlement, id: entitlementId ?? key }];
    }),
  );
  return {
    id: accountId ?? '',
    userName,
    active: true,
    profile: {},
    entitlements: [...entitlements.values()],
    isProtected: false,
  };
}
