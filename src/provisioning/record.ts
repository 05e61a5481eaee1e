import type { AuditEntry } from '../audit/audit.ts';
import type { AccountLink } from '../directory/directory.ts';
import type { ActualAccount, Applied, Change } from '../model/change.ts';
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
  /** As it is now. */
  readonly account: ActualAccount | undefined;
  readonly link: AccountLink | undefined;
  readonly ledger: readonly Grant[];
  /** Rows of an account that is not there any more. */
  readonly stale: readonly Grant[];
  readonly applied: Applied | undefined;
  /** The account was to be deleted, and could only be switched off. */
  readonly isLeft: boolean;
}

/**
 * What the audit keeps of one reconcile: every change, every held change, and what an earlier run left unrecorded.
 * `recovered`: found done by an earlier run that ended before it could say so. `already`: the target had it when we came
 * to write. `gone`: ours no longer, because it was not there any more.
 */
export function auditEntries(recorded: Recorded): AuditEntry[] {
  const { input, plan, applied, isLeft } = recorded;
  const base = { actor: input.actor, person: input.person, target: input.target.name, requestId: input.requestId };
  const mark = applied?.outcome === 'already' ? { already: true } : {};
  const done = plan.changes.map((change): AuditEntry => {
    const isSwitchedOff = isLeft && change.op === 'delete';
    const entry = changeEntry(isSwitchedOff ? { ...change, op: 'disable' } : change, recorded.account, mark);
    return { ...entry, ...givenName(change, recorded.ledger), ...base };
  });
  const held = plan.held.map(
    (change): AuditEntry => ({ ...changeEntry(change), ...base, event: 'change.held', code: change.code }),
  );
  return [
    ...recovered(recorded).map((entry) => ({ ...entry, ...base })),
    ...done,
    ...gone(recorded).map((entry) => ({ ...entry, ...base })),
    ...reasons(recorded).map((entry) => ({ ...entry, ...base })),
    ...held,
  ];
}

type Fact = Omit<AuditEntry, 'actor'>;

function recovered({ plan, account, link, ledger }: Recorded): Fact[] {
  const created = plan.changes.some((change) => change.op === 'create' && change.type === 'user');
  const facts: Fact[] = [];
  if (link?.state === 'intended' && !created && account !== undefined) {
    facts.push({ event: 'account.created', key: account.userName, after: { recovered: true } });
  }
  const confirmed = new Set(plan.confirms.map(({ key }) => key));
  for (const grant of ledger) {
    const key = entitlementKey(grant);
    if (grant.confirmed || !confirmed.has(key)) continue;
    facts.push({ event: 'grant.given', key, rule: grant.rule, origin: grant.origin, after: { recovered: true } });
  }
  return facts;
}

/** Rows that go although nothing is taken from the account now: taken by hand, or by a run that could not record it. */
function gone({ plan, account, ledger, stale }: Recorded): Fact[] {
  const taken = new Set(plan.takes.map(({ key, origin }) => `${origin} ${key}`));
  const isTaken = (grant: Grant): boolean => taken.has(`${grant.origin} ${entitlementKey(grant)}`);
  const known = [...(account?.entitlements ?? []), ...(plan.set?.drop ?? [])];
  const there = new Set(known.flatMap((entitlement) => [entitlement.id, entitlementKey(entitlement)]));
  const rows = plan.set?.remove === true ? [] : ledger.filter((grant) => grant.confirmed && isTaken(grant));
  const lost = rows.filter((grant) => {
    const key = entitlementKey(grant);
    return !there.has(key) && !there.has(grant.entitlementId ?? key);
  });
  return [...lost, ...stale.filter(({ confirmed }) => confirmed)].map((grant) => ({
    event: 'grant.taken',
    key: entitlementKey(grant),
    rule: grant.rule,
    origin: grant.origin,
    after: { gone: true },
  }));
}

/**
 * Further rules and origins by which somebody has what they have: an entitlement that two give is given once, and goes
 * with the last of them.
 */
function reasons({ plan, ledger, account }: Recorded): Fact[] {
  const shown = new Set(
    plan.changes.flatMap(({ op, entitlement, origin }) =>
      op === 'grant' && entitlement !== undefined ? [`${origin} ${entitlementKey(entitlement)}`] : [],
    ),
  );
  const added = plan.gives.filter((grant) => !shown.has(`${grant.origin} ${entitlementKey(grant)}`));
  const taken = new Set(plan.takes.map(({ key, origin }) => `${origin} ${key}`));
  const isTaken = (grant: Grant): boolean => taken.has(`${grant.origin} ${entitlementKey(grant)}`);
  const staying = new Set(ledger.filter((grant) => !isTaken(grant)).map((grant) => entitlementKey(grant)));
  for (const grant of plan.gives) staying.add(entitlementKey(grant));
  const withdrawn = account === undefined ? [] : ledger.filter(isTaken);
  const gone = withdrawn.filter((grant) => grant.confirmed && staying.has(entitlementKey(grant)));
  const fact = (event: string, grant: Pick<Grant, 'rule' | 'origin' | 'kind' | 'name' | 'scope'>): Fact => ({
    event,
    key: entitlementKey(grant),
    rule: grant.rule,
    origin: grant.origin,
  });
  return [
    ...added.map((grant) => fact('grant.reason_added', grant)),
    ...gone.map((grant) => fact('grant.reason_gone', grant)),
  ];
}

/** What is taken is named as it was when we gave it, whatever it is called in the target by now. */
function givenName({ op, entitlement }: Change, ledger: readonly Grant[]): Partial<AuditEntry> {
  if (op !== 'revoke' || entitlement?.id === undefined) return {};
  const grant = ledger.find(({ entitlementId, kind }) => entitlementId === entitlement.id && kind === entitlement.kind);
  if (grant === undefined || entitlementKey(grant) === entitlementKey(entitlement)) return {};
  return { key: entitlementKey(grant), after: { named: entitlement.name } };
}

const EVENTS: Readonly<Record<Change['op'], string>> = {
  create: 'account.created',
  update: 'account.updated',
  disable: 'account.disabled',
  delete: 'account.deleted',
  grant: 'grant.given',
  revoke: 'grant.taken',
};

function changeEntry(
  change: Change,
  account?: ActualAccount,
  mark: Readonly<Record<string, unknown>> = {},
): AuditEntry & { readonly event: string } {
  const before = Object.fromEntries((change.fields ?? []).map(({ field, before: value }) => [field, value]));
  const after = {
    ...Object.fromEntries((change.fields ?? []).map(({ field, after: value }) => [field, value])),
    ...mark,
  };
  const isAccount = change.type === 'user' && change.entitlement === undefined;
  return {
    actor: '',
    event: change.type === 'group' ? 'group.created' : EVENTS[change.op],
    // The target may have had to take the next user name.
    key:
      change.entitlement === undefined
        ? (isAccount && account?.userName) || change.key
        : entitlementKey(change.entitlement),
    ...(Object.keys(before).length === 0 ? {} : { before }),
    ...(Object.keys(after).length === 0 ? {} : { after }),
    ...(change.rule === undefined ? {} : { rule: change.rule }),
    ...(change.origin === undefined ? {} : { origin: change.origin }),
  };
}
