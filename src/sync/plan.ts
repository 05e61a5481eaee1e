import { randomUUID } from 'node:crypto';
import type { Audit } from '../audit/audit.ts';
import type { ChangeSet } from '../model/change.ts';
import { type BrakeInput, brakeFor, losersOf } from './brake.ts';
import { carriedElsewhere } from './carried.ts';
import { carriedLately } from './carried-lately.ts';
import { type Draft, whose } from './draft.ts';
import { type AccountElsewhere, planElsewhere } from './elsewhere.ts';
import { fingerprintOf, summaryOf } from './fingerprint.ts';
import { listsEverybody } from './listing.ts';
import { nobodysNow } from './nobodys.ts';
import { draftSync } from './planning.ts';
import { removedLately } from './removed-lately.ts';
import type { SyncDeps, SyncSetup } from './setup.ts';
import type { PlannedChange, SyncPlan } from './sync.ts';

/** A plan, and all that is needed to carry it out. */
export interface Prepared {
  readonly plan: SyncPlan;
  readonly draft: Draft;
  /** Accounts of nobody, to be switched off. */
  readonly nobodys: readonly ChangeSet[];
  readonly elsewhere: readonly AccountElsewhere[];
}

const HOUR_MS = 3_600_000;

/** Reads, and writes nothing anywhere. Throws `source_*`, `target_*`, `state_unavailable`. */
export async function prepareSync(
  deps: SyncDeps & { readonly unheard: readonly string[] },
  setup: SyncSetup,
  signal: AbortSignal,
): Promise<Prepared> {
  const { directory, clock, targets, leaver, managesAll, holdsDeletion } = deps;
  const draft = await draftSync(deps, setup, signal);
  const { listing, snapshot, held } = draft;
  const elsewhere = await planElsewhere(
    directory,
    draft.out.filter(({ leaves }) => leaves),
    {
      targets,
      except: setup.planning.name,
      policy: leaver.now,
      ...(holdsDeletion === undefined ? {} : { holdsDeletion }),
      reason: `gone from ${setup.origin.name}`,
    },
  );
  const nobodys = managesAll ? await nobodysNow(deps, setup, draft, signal) : [];
  const changes: PlannedChange[] = [
    ...draft.rows.flatMap(({ person, subject, planned }) =>
      planned.plan.changes.map((change) =>
        change.type === 'group' ? change : { ...change, ...whose(person, subject) },
      ),
    ),
    ...nobodys.flatMap((set) => set.changes),
    ...elsewhere.flatMap((account) => account.changes),
  ];
  // Without an account anywhere they lose their login all the same, which nobody should approve unseen.
  const shown = new Set(changes.map(({ person }) => person));
  for (const { person, subject, leaves } of draft.out) {
    if (!leaves || shown.has(person) || draft.known.subjects.get(subject)?.leftAt !== undefined) continue;
    changes.push({
      op: 'disable',
      type: 'user',
      key: subject,
      person,
      subject,
      reason: `gone from ${setup.origin.name}: no login any more`,
    });
  }
  const carried = await carriedElsewhere(deps, setup, draft);
  const brake = brakeFor(await brakeInput(deps, setup, draft, { changes, carried }));
  const [source, target] = [setup.source.name, setup.planning.name];
  const plan: SyncPlan = {
    id: `plan_${randomUUID()}`,
    sync: setup.name,
    source,
    target,
    createdAt: new Date(clock.now()),
    complete: listsEverybody(listing) && snapshot.complete,
    listed: listing.people.length,
    changes,
    ...(carried.length === 0 ? {} : { carried }),
    held,
    ...(brake === undefined ? {} : { brake }),
    summary: summaryOf(changes, held),
    notes: notesOf(draft, deps.unheard),
    fingerprint: fingerprintOf({ source, target, brake, changes, carried, held }),
  };
  return { plan, draft, nobodys, elsewhere };
}

async function brakeInput(
  deps: SyncDeps,
  setup: SyncSetup,
  draft: Draft,
  { changes, carried }: Required<Pick<SyncPlan, 'changes' | 'carried'>>,
): Promise<BrakeInput> {
  const { stopIf, audit, clock } = deps;
  const { listing, before, missing, snapshot, memory } = draft;
  const { complete, why } = listing.end;
  const makes =
    stopIf.newUsersPerHour !== undefined && changes.some(({ op, type }) => op === 'create' && type === 'user');
  const since = new Date(clock.now() - HOUR_MS);
  const removed = losersOf(changes).size === 0 ? new Set<string>() : await removedLately(deps, setup.name);
  return {
    stopIf,
    source: {
      complete,
      listed: listing.people.length,
      ...(why === undefined ? {} : { why }),
      ...(listing.unasked === undefined ? {} : { unasked: listing.unasked }),
    },
    known: { before, missing },
    targetComplete: snapshot.complete,
    changes,
    holders: memory.holders() + [...removed].filter((person) => !memory.holds(person)).length,
    removedLately: removed,
    carried: losersOf(carried),
    carriedLately: carried.length === 0 ? new Set() : await carriedLately(deps, setup.origin.name),
    createdLately: makes ? await createdSince(audit, setup.planning.name, since) : 0,
  };
}

async function createdSince(audit: Audit, target: string, since: Date): Promise<number> {
  let count = 0;
  for await (const record of audit.list({ since })) {
    if (record.event === 'account.created' && record.target === target) count += 1;
  }
  return count;
}

function notesOf({ listing }: Draft, unheard: readonly string[]): readonly string[] {
  const { end, doubled } = listing;
  return [
    ...end.notes,
    ...unheard.map(
      (sync) =>
        `nothing is taken that is not recorded: the sync ${sync} was not applied whole yet, or lists somebody new who cannot be read`,
    ),
    ...(end.complete || end.why === undefined ? [] : [`the listing is not complete: ${end.why}`]),
    ...(end.unreadable === 0 ? [] : [`${end.unreadable} entries of the source name nobody: nobody counts as missing`]),
    ...(doubled.size === 0 ? [] : [`${doubled.size} people are listed more than once: nobody counts as missing`]),
  ];
}
