import type { ChangeSet } from '../../model/change.ts';
import type { ActualEntitlement, Entitlement } from '../../model/entitlement.ts';
import { LatchgateError, toLatchgateError } from '../../model/errors.ts';
import type { Move, Moved } from './members.ts';
import { inParallel } from './parallel.ts';
import type { WriteParts } from './parts.ts';
import { conflict } from './refusals.ts';

/** Groups that one user comes into and goes out of. */
export interface Giving {
  readonly userId: string;
  readonly add: readonly ActualEntitlement[];
  readonly drop: readonly ActualEntitlement[];
}

/** Users in one call: an answer in good time, and little to do again when one of them is refused. */
const MEMBERS_AT_ONCE = 100;

/** The groups that the sets give, by name; one that is missing is made where it may be, or is a failure. */
export async function resolveGroups(
  parts: WriteParts,
  sets: readonly ChangeSet[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ActualEntitlement | LatchgateError>> {
  const wanted = new Map<string, Entitlement>();
  for (const { add, remove } of sets) {
    if (remove !== true) for (const group of add) if (group.kind === 'group') wanted.set(group.name, group);
  }
  const planned = new Set(sets.flatMap(({ create }) => create.map(({ name }) => name)));
  const resolved = new Map<string, ActualEntitlement | LatchgateError>();
  if (wanted.size === 0) return resolved;
  try {
    for (const group of await parts.groups.find([...wanted.values()], signal)) resolved.set(group.name, group);
  } catch (thrown) {
    for (const name of wanted.keys()) resolved.set(name, toLatchgateError(thrown));
  }
  const missing = [...wanted.values()].filter(({ name }) => !resolved.has(name));
  await inParallel(missing, async (group) => {
    const mayMake = planned.has(group.name) || parts.missingGroups === 'create';
    const made = mayMake ? parts.groups.create(group, signal).catch(toLatchgateError) : groupMissing();
    resolved.set(group.name, await made);
  });
  return resolved;
}

/**
 * Group by group, with everybody concerned in one call. Answers in the order of the givings: the groups that the user
 * came into, which may have been made again meanwhile, or why not.
 */
export async function giveAndTake(
  parts: WriteParts,
  givings: readonly Giving[],
  signal: AbortSignal,
): Promise<readonly (readonly ActualEntitlement[] | LatchgateError)[]> {
  const failures = new Map<Giving, LatchgateError>();
  const given = new Map<Giving, ActualEntitlement[]>(givings.map((giving) => [giving, []]));
  // Out first: whoever changes sides has too little for a moment, never too much.
  for (const side of ['drop', 'add'] as const) {
    await inParallel([...byGroup(givings, side)], async ([group, concerned]) => {
      for (const some of chunksOf(concerned.filter((giving) => !failures.has(giving)))) {
        try {
          const into = await move(parts, { group, side, givings: some, failures }, signal);
          for (const giving of some) if (side === 'add') given.get(giving)?.push(into);
        } catch (thrown) {
          for (const giving of some) failures.set(giving, toLatchgateError(thrown));
        }
      }
    });
  }
  return givings.map((giving) => failures.get(giving) ?? given.get(giving) ?? []);
}

interface Turn {
  readonly group: ActualEntitlement;
  readonly side: 'add' | 'drop';
  readonly givings: readonly Giving[];
  readonly failures: Map<Giving, LatchgateError>;
}

/** Answers with the group as it is then. Whoever is refused alone is put among the failures. */
async function move(parts: WriteParts, turn: Turn, signal: AbortSignal): Promise<ActualEntitlement> {
  const { group, side, givings } = turn;
  const moved = await change(parts, turn, signal);
  if (moved === 'done' || (moved === 'gone' && side === 'drop')) return group;
  if (moved === 'gone') {
    if (parts.missingGroups === 'refuse') throw groupMissing();
    const again = await parts.groups.create(group, signal);
    if ((await change(parts, { ...turn, group: again }, signal)) === 'done') return again;
    throw conflict('a group or an account is gone since a moment ago');
  }
  if (givings.length === 1) {
    await refuse(parts, turn, signal);
    return group;
  }
  const middle = Math.ceil(givings.length / 2);
  await move(parts, { ...turn, givings: givings.slice(0, middle) }, signal);
  return move(parts, { ...turn, givings: givings.slice(middle) }, signal);
}

async function change(
  { members, stillOurs }: WriteParts,
  { group, side, givings }: Turn,
  signal: AbortSignal,
): Promise<Moved> {
  const ids = [...new Set(givings.map(({ userId }) => userId))];
  const none: Move = { add: [], drop: [] };
  await stillOurs?.();
  return members.change(group.id, { ...none, [side]: ids }, signal);
}

async function refuse({ accounts }: WriteParts, { givings, failures }: Turn, signal: AbortSignal): Promise<void> {
  for (const giving of givings) {
    const isThere = (await accounts.user(giving.userId, signal)) !== undefined;
    failures.set(
      giving,
      isThere
        ? new LatchgateError('target_refused', 'the SCIM service does not change the members of a group')
        : conflict('the account is gone'),
    );
  }
}

function byGroup(givings: readonly Giving[], side: 'add' | 'drop'): ReadonlyMap<ActualEntitlement, readonly Giving[]> {
  const byId = new Map<string, { readonly group: ActualEntitlement; readonly givings: Giving[] }>();
  for (const giving of givings) {
    for (const group of giving[side]) {
      const known = byId.get(group.id);
      if (known === undefined) byId.set(group.id, { group, givings: [giving] });
      else known.givings.push(giving);
    }
  }
  return new Map([...byId.values()].map(({ group, givings: concerned }) => [group, concerned]));
}

function chunksOf(givings: readonly Giving[]): readonly (readonly Giving[])[] {
  const chunks: (readonly Giving[])[] = [];
  for (let at = 0; at < givings.length; at += MEMBERS_AT_ONCE) chunks.push(givings.slice(at, at + MEMBERS_AT_ONCE));
  return chunks;
}

function groupMissing(): LatchgateError {
  return new LatchgateError('group_missing', 'a group vanished while it was being given');
}
