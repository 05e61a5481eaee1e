import type { AuditEntry } from '../audit/audit.ts';
import type { ActualAccount, Change } from '../model/change.ts';
import { entitlementKey, type Grant } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { AccountPlan } from './plan.ts';

interface Recorded {
  readonly input: {
    readonly person: PersonId;
    readonly target: { readonly name: string };
    readonly actor: string;
    readonly requestId: string;
  };
  readonly plan: AccountPlan;
  readonly account: ActualAccount | undefined;
  /** The account was announced by an earlier run that ended before it could record it. */
  readonly recoveredAccount: boolean;
  readonly ledger: readonly Grant[];
}

/** What the audit keeps of one reconcile: every change, every held change, and what an earlier run left unrecorded. */
export function auditEntries({ input, plan, account, recoveredAccount, ledger }: Recorded): AuditEntry[] {
  const base = { actor: input.actor, person: input.person, target: input.target.name, requestId: input.requestId };
  const entries = plan.changes.map((change): AuditEntry => ({ ...changeEntry(change), ...base }));
  const created = plan.changes.some((change) => change.op === 'create' && change.type === 'user');
  if (recoveredAccount && !created && account !== undefined) {
    entries.unshift({ ...base, event: 'account.created', key: account.userName, after: { recovered: true } });
  }
  for (const grant of ledger) {
    const key = entitlementKey(grant);
    const confirmed = plan.confirms.some((row) => row.key === key);
    if (!grant.confirmed && confirmed) {
      entries.push({
        ...base,
        event: 'grant.given',
        key,
        rule: grant.rule,
        origin: grant.origin,
        after: { recovered: true },
      });
    }
  }
  for (const change of plan.held) {
    entries.push({ ...changeEntry(change), ...base, event: 'change.held', code: change.code });
  }
  return entries;
}

const EVENTS: Readonly<Record<Change['op'], string>> = {
  create: 'account.created',
  update: 'account.updated',
  disable: 'account.disabled',
  delete: 'account.deleted',
  grant: 'grant.given',
  revoke: 'grant.taken',
};

function changeEntry(change: Change): AuditEntry & { readonly event: string } {
  const before = Object.fromEntries((change.fields ?? []).map(({ field, before: value }) => [field, value]));
  const after = Object.fromEntries((change.fields ?? []).map(({ field, after: value }) => [field, value]));
  const fields = change.fields === undefined || change.fields.length === 0 ? {} : { before, after };
  return {
    actor: '',
    event: change.type === 'group' ? 'group.created' : EVENTS[change.op],
    key: change.entitlement === undefined ? change.key : entitlementKey(change.entitlement),
    ...fields,
    ...(change.rule === undefined ? {} : { rule: change.rule }),
    ...(change.origin === undefined ? {} : { origin: change.origin }),
  };
}
