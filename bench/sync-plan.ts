import type { ActualAccount } from '../src/model/change.ts';
import { LatchgateError } from '../src/model/errors.ts';
import { sourceIssuer } from '../src/model/origin.ts';
import type { ListedPerson, ListingEnd, Source } from '../src/sources/source.ts';
import { createSyncs } from '../src/sync/syncs.ts';
import type { Target } from '../src/targets/target.ts';
import { SyncWorld } from '../test/sync/world.ts';

/** What planning a sync takes, of whose people `changes` differ from what the target has. */
export interface PlanFigures {
  readonly people: number;
  readonly changes: number;
  /** CPU of the process for one plan, user and system. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Resident memory of the process at its highest, from its start. */
  readonly peakMegabytes: number;
}

const PAGE = 500;
const KILOBYTES = 1024;
const ROLE = { kind: 'role' as const, name: 'Alpha', id: 'r1' };
const GROUP = { kind: 'group' as const, name: 'analysts', id: 'g1' };

/** As many people as a sync writes down in a millisecond at most: their ids sort by the time that they were made. */
const A_MILLISECOND = 2;

/** Fills a state database with people who were synced: each has an account, a role and a group. */
export async function fillState(database: string, people: number): Promise<void> {
  const started = Date.parse('2026-01-01T00:00:00Z');
  let looks = 0;
  const clock = { now: () => started + Math.floor(looks++ / A_MILLISECOND) };
  const world = await new SyncWorld().open({ database, clock });
  for (let from = 0; from < people; from += PAGE) await fillPage(world, from, Math.min(from + PAGE, people));
  await world.close();
}

/**
 * Plans these people on that database, all of whom are in the target with what they were given, but for `changes` of
 * them, who have another group by now. In a process of its own: memory is the process's.
 */
export async function measurePlan(database: string, people: number, changes: number): Promise<PlanFigures> {
  const world = await new SyncWorld().open({ database });
  const target = generatedTarget(people);
  const origin = { name: 'hr', issuer: sourceIssuer('hr'), ownerOf: () => 'hr' };
  const missing = { users: 'create', groups: 'create', roles: 'refuse' } as const;
  const setup = { name: 'hr', origin, planning: target, target, missing, timeoutMs: 5_000 };
  const syncs = createSyncs({
    ...world.deps,
    open: async () => ({ ...setup, source: generatedSource(people, changes) }),
  });
  try {
    const cpu = process.cpuUsage();
    const started = performance.now();
    const plan = await syncs.plan('hr', AbortSignal.timeout(600_000));
    const wallSeconds = (performance.now() - started) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    return {
      people,
      changes: plan.changes.length,
      cpuSeconds: (user + system) / 1_000_000,
      wallSeconds,
      peakMegabytes: process.resourceUsage().maxRSS / KILOBYTES,
    };
  } finally {
    await world.close();
  }
}

const subjectOf = (at: number): string => `auth0|${String(at).padStart(9, '0')}`;
const emailOf = (at: number): string => `person.${at}@acme.test`;

/** People as they are read off a wire: each a text of their own. */
function generatedSource(people: number, changes: number): Source {
  return {
    name: 'hr',
    type: 'generated',
    async *list(): AsyncGenerator<ListedPerson, ListingEnd, undefined> {
      for (let at = 0; at < people; at += 1) {
        const groups = at < changes ? ['User', 'team-new'] : ['User'];
        const claims = { email: emailOf(at), given_name: `Given ${at}`, family_name: `Family ${at}`, groups };
        yield { subject: subjectOf(at), active: true, claims };
      }
      return { complete: true, unreadable: 0, notes: [] };
    },
    probe: async () => {},
    close: async () => {},
  };
}

function generatedTarget(people: number): Target {
  const refuse = async (): Promise<never> => {
    throw new LatchgateError('write_refused', 'a plan writes nothing');
  };
  const accountAt = (at: number): ActualAccount => ({
    id: `a${at}`,
    userName: emailOf(at),
    externalId: `hr|${subjectOf(at)}`,
    active: true,
    profile: { email: emailOf(at), givenName: `Given ${at}`, familyName: `Family ${at}` },
    entitlements: [ROLE, GROUP],
    isProtected: false,
  });
  return {
    name: 'bi',
    type: 'generated',
    can: {
      kinds: ['group', 'role'],
      creates: ['group'],
      disable: true,
      delete: true,
      needsEntitlement: false,
      uniqueEmail: true,
      requiredProfile: ['email'],
      profile: ['givenName', 'familyName', 'email'],
    },
    adapt: (desired) => desired,
    read: async () => ({ complete: true, accounts: Array.from({ length: people }, (_, at) => accountAt(at)) }),
    find: async () => [],
    apply: refuse,
    probe: async () => ({ account: 'generated' }),
  };
}

async function fillPage({ directory, deps, now }: SyncWorld, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, at) => from + at);
  const saved = await directory.listings.save(
    numbers.map((at) => ({
      assertion: {
        origin: 'hr',
        issuer: sourceIssuer('hr'),
        subject: subjectOf(at),
        active: true,
        claims: { email: emailOf(at), given_name: `Given ${at}`, family_name: `Family ${at}`, groups: ['User'] },
        at: new Date(now),
      },
      groups: ['User'],
      description: { displayName: `Given ${at} Family ${at}`, email: emailOf(at) },
      owner: 'hr',
    })),
  );
  await deps.together(async ({ directory: { accounts, ledger } }) => {
    for (const [index, { id }] of saved.entries()) {
      const at = from + index;
      const link = { person: id, target: 'bi', accountId: `a${at}`, userName: emailOf(at) };
      await accounts.save({ ...link, created: true, state: 'ready' });
      const row = { person: id, target: 'bi', rule: 'users', origin: 'hr' };
      await ledger.intend([
        { ...row, kind: ROLE.kind, name: ROLE.name },
        { ...row, kind: GROUP.kind, name: GROUP.name },
      ]);
      await ledger.confirm(id, 'bi', [
        { key: 'role:Alpha', entitlementId: ROLE.id },
        { key: 'group:analysts', entitlementId: GROUP.id },
      ]);
    }
  });
}
