import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sourceIssuer } from '../src/model/origin.ts';
import { SyncWorld } from '../test/sync/world.ts';

/** What planning a sync takes, of whose people `changes` differ from what the target has. */
export interface PlanFigures {
  readonly people: number;
  readonly changes: number;
  /** CPU of the process for one plan, user and system. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Resident memory at its highest until the end of the plan, source and target in memory included. */
  readonly peakMegabytes: number;
}

const PAGE = 500;
const MEGABYTE = 1024 * 1024;

/**
 * Plans `people` on an embedded state database against a target in memory, all of whom are there with a role and a group
 * each, but for `changes` of them who have another group by now. Run it in a process of its own: memory is the process's.
 */
export async function measurePlan(people: number, changes: number): Promise<PlanFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-bench-'));
  const world = await new SyncWorld().open({ database: `sqlite:${join(folder, 'state.db')}` });
  try {
    await fill(world, people, changes);
    let peak = 0;
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss());
    }, 50);
    const cpu = process.cpuUsage();
    const started = performance.now();
    const plan = await world.syncs.plan('hr', AbortSignal.timeout(600_000));
    const wallSeconds = (performance.now() - started) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    clearInterval(watch);
    peak = Math.max(peak, process.memoryUsage.rss());
    const cpuSeconds = (user + system) / 1_000_000;
    return { people, changes: plan.changes.length, cpuSeconds, wallSeconds, peakMegabytes: peak / MEGABYTE };
  } finally {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fill(world: SyncWorld, people: number, changes: number): Promise<void> {
  const { bi, hr, directory } = world;
  const role = { kind: 'role' as const, name: 'Alpha' };
  const group = { kind: 'group' as const, name: 'analysts' };
  const groupId = bi.addEntitlement(group).id;
  const roleId = [...bi.entitlements.values()].find(({ name }) => name === role.name)?.id ?? '';
  for (let from = 0; from < people; from += PAGE) {
    const subjects = Array.from({ length: Math.min(PAGE, people - from) }, (_, at) => `auth0|${from + at}`);
    for (const [at, subject] of subjects.entries()) {
      const extra = from + at < changes ? ['team-new'] : [];
      hr.add(subject, { groups: ['User', ...extra], email: `${subject}@acme.test`, department: `dept ${at % 40}` });
    }
    const saved = await directory.listings.save(
      subjects.map((subject) => ({
        assertion: {
          origin: 'hr',
          issuer: sourceIssuer('hr'),
          subject,
          active: true,
          claims: { groups: ['User'], email: `${subject}@acme.test` },
          at: new Date(world.now),
        },
        groups: ['User'],
        description: { displayName: subject, email: `${subject}@acme.test` },
        owner: 'hr',
      })),
    );
    await world.deps.together(async ({ directory: stores }) => {
      for (const [at, { id }] of saved.entries()) {
        const subject = subjects[at] ?? '';
        const profile = { email: `${subject}@acme.test`, givenName: subject, familyName: 'Adams' };
        const made = bi.addAccount({ userName: subject, externalId: `hr|${subject}`, profile });
        made.entitlements.add(roleId).add(groupId);
        const link = { person: id, target: 'bi', accountId: made.id, userName: subject };
        await stores.accounts.save({ ...link, created: true, state: 'ready' });
        const row = { person: id, target: 'bi', rule: 'users', origin: 'hr' };
        await stores.ledger.intend([
          { ...row, ...role },
          { ...row, ...group },
        ]);
        const given = [
          { key: 'role:Alpha', entitlementId: roleId },
          { key: 'group:analysts', entitlementId: groupId },
        ];
        await stores.ledger.confirm(id, 'bi', given);
      }
    });
  }
}
