import type { AccountLink } from '../directory/directory.ts';
import type { ActualAccount } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import { entitlementKey, type GrantedEntitlement } from '../model/entitlement.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import { descriptionOf, isTargetFault, whyOut } from '../provisioning/outcome.ts';
import { planOne } from '../provisioning/plan-one.ts';
import type { Target } from '../targets/target.ts';
import { everybody, type Somebody } from './adoptees.ts';
import { createBreath } from './breath.ts';
import { isStandIn } from './draft.ts';
import { planReads, TargetMemory } from './memory.ts';
import type { SyncDeps, SyncSetup } from './setup.ts';
import { TargetSnapshot } from './snapshot.ts';
import type { AdoptedRow, Adoption, AdoptPlan } from './sync.ts';

/** A target whose accounts are to be adopted, and the syncs that lead there. */
export interface AdoptSetup {
  readonly name: string;
  /** Reads and cannot write. */
  readonly planning: Target;
  readonly missing: SyncSetup['missing'];
  readonly syncs: readonly SyncSetup[];
}

export interface AdoptionOptions extends SyncDeps {
  /** All targets of the config, or the one of that name. Throws `not_found`. */
  readonly openTargets: (target: string | undefined) => Promise<readonly AdoptSetup[]>;
}

type AdoptOptions = Parameters<Adoption['apply']>[1];

interface Adopted extends AdoptedRow {
  readonly who: Somebody;
  readonly account: ActualAccount;
  /** Whose account it was, as far as we knew. */
  readonly known: AccountLink | undefined;
}

export function createAdoption(options: AdoptionOptions): Adoption {
  const planAll = async (target: string | undefined, signal: AbortSignal) => {
    const setups = await options.openTargets(target);
    const plans: (Omit<AdoptPlan, 'targets' | 'rows'> & { readonly rows: readonly Adopted[] })[] = [];
    for (const setup of setups) plans.push(await planTarget(options, setup, signal));
    return {
      targets: setups.map(({ name }) => name),
      rows: plans.flatMap(({ rows }) => rows),
      held: plans.flatMap(({ held }) => held),
      notes: plans.flatMap(({ notes }) => notes),
    };
  };
  return {
    plan: async (target, signal) => shown(await planAll(target, signal)),
    apply: async (target, apply) => {
      const plan = await planAll(target, apply.signal);
      const rows: Adopted[] = [];
      const held = [...plan.held];
      for (const row of plan.rows.filter((one) => apply.only?.(one) !== false)) {
        if (await adopt(options, row, apply)) rows.push(row);
        else held.push({ target: row.target, key: row.key, code: 'target_conflict' });
      }
      return shown({ ...plan, rows, held });
    },
  };
}

function shown(plan: Omit<AdoptPlan, 'rows'> & { readonly rows: readonly Adopted[] }): AdoptPlan {
  return { ...plan, rows: plan.rows.map(({ who: _who, account: _account, known: _known, ...row }) => row) };
}

async function planTarget(options: AdoptionOptions, setup: AdoptSetup, signal: AbortSignal) {
  const { directory, mapping, match, privileged, neverTouch, isManaged } = options;
  const notes: string[] = [];
  const { people, isPart } = await everybody(options, setup, notes, signal);
  const snapshot = new TargetSnapshot(setup.planning, await setup.planning.read({ kind: 'all' }, signal));
  if (!snapshot.complete) notes.push(`${setup.name} did not show every account`);
  // The rest may hold somebody else whom the same account fits.
  const unsure = isPart ? 'source_incomplete' : snapshot.complete ? undefined : 'target_incomplete';
  const memory = await TargetMemory.read(directory, setup.name);
  const reads = planReads(directory, setup.name, memory);
  const context = { directory: reads, match, privileged, neverTouch, isManaged };
  const rows: Adopted[] = [];
  const held: { target: string; key: string; code: string }[] = [];
  const breath = createBreath(signal);
  for (const who of people) {
    await breath();
    const latest = who.assertions.toSorted((a, b) => b.at.getTime() - a.at.getTime())[0];
    if (latest === undefined) continue;
    const decision = mapping.map({ person: who.person, assertions: who.assertions, current: latest.origin });
    const desired = decision.decision === 'allow' ? decision.accounts.get(setup.name) : undefined;
    if (desired === undefined) continue;
    try {
      const input = { person: who.person, target: snapshot, missing: setup.missing, goal: { desired }, signal };
      const { account, link } = await planOne(context, input, memory.of(who.person));
      if (account === undefined) continue;
      const row = rowOf(setup.name, who, { account, link, desired: snapshot.adapt(desired) }, memory);
      if (row === undefined || whyOut(await directory.people.get(who.person)) !== undefined) continue;
      if (unsure === undefined) rows.push(row);
      else held.push({ target: setup.name, key: row.key, code: unsure });
      memory.expect(account.id, who.person);
    } catch (thrown) {
      const { code } = toLatchgateError(thrown);
      if (isTargetFault(code) || code === 'internal' || code === 'state_unavailable') throw thrown;
      // Without an account there is nothing to adopt.
      if (!NO_ACCOUNT.has(code)) held.push({ target: setup.name, key: desired.userNames[0] ?? desired.key, code });
    }
  }
  return { rows, held, notes };
}

const NO_ACCOUNT: ReadonlySet<string> = new Set([
  'account_missing',
  'profile_incomplete',
  'entitlement_missing',
  'user_name_missing',
]);

interface Fitting {
  readonly account: ActualAccount;
  readonly link: AccountLink | undefined;
  readonly desired: DesiredAccount;
}

/** Undefined when the ledger has all of it. */
function rowOf(
  target: string,
  who: Somebody,
  { account, link, desired }: Fitting,
  memory: TargetMemory,
): Adopted | undefined {
  const isLinked = link?.accountId === account.id && link.state !== 'intended';
  const ledger = isLinked ? memory.of(who.person).ledger : [];
  const rowKey = (row: GrantedEntitlement): string => `${row.origin} ${entitlementKey(row)}`;
  const written = new Set(ledger.filter(({ confirmed }) => confirmed).map(rowKey));
  const there = new Set(account.entitlements.map((entitlement) => entitlementKey(entitlement)));
  const grants = desired.entitlements.filter((row) => there.has(entitlementKey(row)) && !written.has(rowKey(row)));
  if (isLinked && grants.length === 0) return undefined;
  return {
    target,
    person: who.person,
    key: account.userName,
    accountId: account.id,
    link: !isLinked,
    grants,
    who,
    account,
    known: link,
  };
}

/**
 * Writes down that the account and what it has are ours. The target is not written to. False: something else was written
 * down of the person since it was planned, by a login or a sync.
 */
async function adopt(options: AdoptionOptions, row: Adopted, { actor, requestId }: AdoptOptions): Promise<boolean> {
  const { target, key: userName, accountId, link, grants, account, who, known } = row;
  return options.together(async ({ directory, audit }) => {
    let person = who.person;
    for (const { assertion, owner } of who.listed) {
      const groups = options.mapping.sentGroups(assertion);
      const decision = options.mapping.map({ person, assertions: [assertion], current: assertion.origin });
      const description = descriptionOf(assertion, decision);
      const [saved] = await directory.listings.save([
        {
          ...(isStandIn(person) ? {} : { person }),
          assertion,
          ...(groups === undefined ? {} : { groups }),
          description,
          owner,
        },
      ]);
      person = saved?.id ?? person;
    }
    if (isStandIn(person)) throw new LatchgateError('internal', 'nobody was written down for an account');
    if (whyOut(await directory.people.get(person)) !== undefined) return false;
    const before = await directory.accounts.get(person, target);
    if (JSON.stringify(before) !== JSON.stringify(known)) return false;
    if (link) {
      // Nobody can say who made it, unless it was announced: then it is never deleted.
      const created = before?.state === 'intended' && before.userName === userName && before.created;
      await directory.accounts.save({ person, target, accountId, userName, created, state: 'ready' });
    }
    await directory.ledger.intend(grants.map(({ label: _label, ...grant }) => ({ ...grant, person, target })));
    const ids = new Map(account.entitlements.map((entitlement) => [entitlementKey(entitlement), entitlement.id]));
    const given = grants.map((grant) => {
      const key = entitlementKey(grant);
      const entitlementId = ids.get(key);
      return entitlementId === undefined ? { key } : { key, entitlementId };
    });
    await directory.ledger.confirm(person, target, given);
    const base = { actor, person, target, requestId };
    await audit.append([
      ...(link ? [{ event: 'account.adopted', key: userName, ...base }] : []),
      ...grants.map((grant) => {
        return { event: 'grant.adopted', key: entitlementKey(grant), rule: grant.rule, origin: grant.origin, ...base };
      }),
    ]);
    return true;
  });
}
