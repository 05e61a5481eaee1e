import type { Directory } from '../directory/directory.ts';
import type { ActualAccount, Change, ChangeSet } from '../model/change.ts';
import { nobody } from '../provisioning/leaver.ts';
import type { Draft } from './draft.ts';
import { listsEverybody } from './listing.ts';
import type { SyncSetup } from './setup.ts';
import { isOfPerson } from './unheard-sources.ts';
import { type UnplacedDeps, unplacedAmong } from './unplaced.ts';

/**
 * Under `safety.manage: all` the accounts that belong to nobody, to be switched off, or emptied where there is no switch.
 * Only when everything was read and everybody who was listed could be placed: an account that nobody has may be that of
 * somebody who could not.
 */
function nobodysAccounts(
  { listing, snapshot, memory, held }: Pick<Draft, 'listing' | 'snapshot' | 'memory' | 'held'>,
  neverTouch: (account: ActualAccount) => boolean,
  announced: ReadonlySet<string>,
): readonly ChangeSet[] {
  if (!listsEverybody(listing) || !snapshot.complete || listing.people.length === 0) return [];
  if (held.some(isOfPerson)) return [];
  const isNobodys = (account: ActualAccount): boolean =>
    memory.owner(account.id) === undefined &&
    !marksOf(account).some((mark) => announced.has(mark)) &&
    !account.isProtected &&
    !neverTouch(account);
  return snapshot.accounts.filter(isNobodys).flatMap((account) => setFor(account, snapshot.can.disable) ?? []);
}

/** The same, after a look at those that were written a moment ago where the target's list lags behind. */
export async function nobodysNow(
  deps: UnplacedDeps & { readonly neverTouch: (account: ActualAccount) => boolean },
  { origin }: Pick<SyncSetup, 'origin'>,
  draft: Pick<Draft, 'listing' | 'snapshot' | 'memory' | 'held' | 'lately'>,
  signal: AbortSignal,
): Promise<readonly ChangeSet[]> {
  const { neverTouch } = deps;
  const announced = new Set(await marksOfAnnounced(deps.directory, draft));
  if (nobodysAccounts(draft, neverTouch, announced).length === 0) return [];
  for (const mark of await unplacedAmong(deps, origin.name, draft)) announced.add(mark);
  const listed = nobodysAccounts(draft, neverTouch, announced);
  const lagging = listed.filter(({ userName }) => draft.lately.names.has(userName));
  if (lagging.length === 0) return listed;
  await draft.snapshot.refresh(
    lagging.flatMap(({ actual }) => actual?.id ?? []),
    signal,
  );
  return nobodysAccounts(draft, neverTouch, announced);
}

/**
 * By what an account may be known that was about to be made for somebody when an instance died: its name may be another
 * than the one that was announced, when that was taken.
 */
async function marksOfAnnounced(
  { people }: Pick<Directory, 'people'>,
  { memory }: Pick<Draft, 'memory'>,
): Promise<ReadonlySet<string>> {
  const marks = new Set<string>();
  for (const { person, userName } of memory.announced()) {
    const [who, subjects] = await Promise.all([people.get(person), people.subjects(person)]);
    const ids = subjects.flatMap(({ subject, origin }) => [subject, `${origin}|${subject}`]);
    for (const mark of [userName, who?.email ?? userName, ...ids]) marks.add(mark.toLowerCase());
  }
  return marks;
}

function marksOf({ userName, externalId, profile }: ActualAccount): readonly string[] {
  return [userName, externalId, profile.email].flatMap((mark) => (mark ? mark.toLowerCase() : []));
}

function setFor(actual: ActualAccount, hasSwitch: boolean): ChangeSet | undefined {
  // Whoever has it left alone means all of it.
  if (actual.never === 'disable') return undefined;
  const { userName: key } = actual;
  const reason = 'the account belongs to nobody (safety.manage: all)';
  const changes: readonly Change[] = hasSwitch
    ? actual.active
      ? [{ op: 'disable', type: 'user', key, reason }]
      : []
    : actual.entitlements.map((entitlement) => ({ op: 'revoke', type: 'user', key, entitlement, reason }));
  if (changes.length === 0) return undefined;
  return {
    desired: nobody('', '', actual),
    actual,
    profile: {},
    userName: key,
    ...(hasSwitch ? { active: false } : {}),
    add: [],
    drop: hasSwitch ? [] : actual.entitlements,
    create: [],
    changes,
  };
}
