import type { Audit, AuditEntry } from '../audit/audit.ts';
import { entitlementKey } from '../model/entitlement.ts';
import type { Clock } from '../ops/clock.ts';
import { SYNC_APPROVED } from './removed-lately.ts';
import type { SyncPlan } from './sync.ts';

/** In the audit, for each thing that somebody loses in another target by what a run remembered of them. */
const CARRIED = 'person.carried';
const DAY_MS = 86_400_000;
/** Entries that are written in one transaction. */
const PAGE = 250;

/** Ahead of what is remembered: a run that dies in between writes it once more, and each counts once. */
export async function recordCarried(
  audit: Pick<Audit, 'append'>,
  { carried = [] }: Pick<SyncPlan, 'carried'>,
  about: { readonly actor: string; readonly origin: string; readonly requestId: string },
): Promise<void> {
  const entries = carried.map(({ op, key, person, target, entitlement, rule }): AuditEntry => {
    const lost = entitlement === undefined ? { op, account: key } : { op, entitlement: entitlementKey(entitlement) };
    return {
      event: CARRIED,
      key,
      after: lost,
      ...(person === undefined ? {} : { person }),
      ...(target === undefined ? {} : { target }),
      ...(rule === undefined ? {} : { rule }),
      ...about,
    };
  });
  for (let from = 0; from < entries.length; from += PAGE) await audit.append(entries.slice(from, from + PAGE));
}

/**
 * Whom runs of this source, whichever sync's, made lose something in other targets within the last 24 hours, without
 * somebody's approval. Throws `state_unavailable`.
 */
export async function carriedLately(
  { audit, clock }: { readonly audit: Pick<Audit, 'list'>; readonly clock: Clock },
  source: string,
): Promise<ReadonlySet<string>> {
  const byRun = new Map<string, Set<string>>();
  const approved = new Set<string>();
  for await (const { event, origin, person, requestId = '' } of audit.list({ since: new Date(clock.now() - DAY_MS) })) {
    if (event === SYNC_APPROVED) approved.add(requestId);
    if (event !== CARRIED || origin !== source || person === undefined) continue;
    byRun.set(requestId, (byRun.get(requestId) ?? new Set()).add(person));
  }
  return new Set([...byRun].flatMap(([run, people]) => (approved.has(run) ? [] : [...people])));
}
