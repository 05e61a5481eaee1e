import type { Audit, AuditRecord } from '../../src/audit/audit.ts';
import { createAudit } from '../../src/audit/log.ts';
import { type Database, inOneTransaction, openDatabase } from '../../src/directory/database.ts';
import type { Directory, RecordClaims } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { claimsSchema } from '../../src/login/schema.ts';
import { compileMapping } from '../../src/mapping/mapping.ts';
import { compileNamable } from '../../src/mapping/namable.ts';
import { aliasIssuer, sourceIssuer } from '../../src/model/origin.ts';
import type { Clock } from '../../src/ops/clock.ts';
import { Engine } from '../../src/provisioning/engine.ts';
import type { LeaverPolicy } from '../../src/provisioning/leaver.ts';
import { isDeletionHeld } from '../../src/scim/store/held.ts';
import type { StopIf } from '../../src/sync/brake.ts';
import { applySync } from '../../src/sync/runs.ts';
import type { SyncDeps } from '../../src/sync/setup.ts';
import type { AppliedRow, ApplyOptions, ApplyResult, SyncPlan, Syncs } from '../../src/sync/sync.ts';
import { createSyncs } from '../../src/sync/syncs.ts';
import type { Target } from '../../src/targets/target.ts';
import { configOf } from '../mapping/config-of.ts';
import { MemoryTarget } from '../provisioning/memory-target.ts';
import { MemorySource } from './memory-source.ts';

export interface SyncWorldOptions {
  readonly database?: string;
  readonly record?: RecordClaims;
  readonly manage?: 'ours' | 'mapped' | 'all';
  readonly stopIf?: StopIf;
  readonly leaver?: LeaverPolicy;
  readonly rules?: unknown;
  readonly byDefault?: unknown;
  readonly owner?: string;
  /** Sources that list the people of the login `staff`. */
  readonly joined?: readonly ('hr' | 'crm')[];
  /** The sync of each source knows that the other one leads into the same target. */
  readonly shared?: boolean;
  readonly groupsAbsent?: 'keep' | 'empty';
  /** In place of `bi`. */
  readonly target?: Target;
  /** Default: stands still between runs. */
  readonly clock?: Clock;
  /** Of accounts and of syncs. */
  readonly leaseMs?: number;
}

const RULES = {
  admins: { when: { groups: 'Admin' }, grant: { bi: { roles: ['Admin'] } } },
  users: { when: { groups: 'User' }, grant: { bi: { roles: ['Alpha'], groups: ['analysts'] } } },
  teams: { when: { groups: 'team-*' }, grant: { bi: { groups: ['${match}'] } } },
  side: { when: { groups: 'Side' }, grant: { side: { groups: ['side'] } } },
  suspended: { when: { groups: 'suspended' }, deny: 'You are suspended.' },
};

const MISSING = { users: 'create', groups: 'create', roles: 'refuse' } as const;
export const ISSUER = 'https://id.acme.test';

/** Sources `hr` and `crm`, targets `bi` and `side`, one directory, and the syncs `hr` and `crm`, both to `bi`; `hr-side` leads from `hr` to `side`. */
export class SyncWorld {
  readonly hr = new MemorySource('hr');
  readonly crm = new MemorySource('crm');
  readonly bi: MemoryTarget;
  readonly side = new MemoryTarget('side', { requiredProfile: [] });
  readonly ended: string[] = [];
  readonly rows: AppliedRow[] = [];
  /** What the target for plans is; reads only. */
  now = Date.parse('2026-01-01T00:00:00Z');
  /** Called around every call of the directory, the audit and the session store; may throw. */
  onCall: (call: string) => void = () => {};
  /** As what is planned with sees it. */
  planning: (target: Target) => Target = readOnly;
  database!: Database;
  directory!: Directory;
  audit!: Audit;
  engine!: Engine;
  deps!: SyncDeps;
  syncs!: Syncs;
  #options: SyncWorldOptions = {};

  constructor(can: ConstructorParameters<typeof MemoryTarget>[1] = {}) {
    this.bi = new MemoryTarget('bi', can);
  }

  async open(options: SyncWorldOptions = {}): Promise<this> {
    const clock = options.clock ?? { now: () => this.now };
    this.database = await openDatabase(options.database ?? 'sqlite::memory:');
    this.directory = this.#watched(createDirectory(this.database, clock, recording(options)), '');
    this.audit = this.#watched(createAudit(this.database, clock), 'audit.');
    for (const name of ['Admin', 'Alpha', 'Gamma']) this.bi.addEntitlement({ kind: 'role', name });
    this.configure(options);
    return this;
  }

  /** The same directory and targets under another config. */
  configure(options: SyncWorldOptions): void {
    this.#options = options;
    const clock = options.clock ?? { now: () => this.now };
    const config = mappingConfig(options);
    const mapping = compileMapping(config);
    const targets = new Map([
      ['bi', { target: options.target ?? (this.bi as Target), missing: MISSING, timeoutMs: 5_000 }],
      ['side', { target: this.side as Target, missing: MISSING, timeoutMs: 5_000 }],
    ]);
    const manage = options.manage ?? 'ours';
    const context = {
      directory: this.directory,
      audit: this.audit,
      clock,
      match: ['link', 'external_id', 'verified_email'] as const,
      privileged: [],
      neverTouch: ({ userName }: { userName: string }) => userName.split('@')[0] === 'root',
      isManaged: manage === 'mapped' ? compileNamable(config) : () => manage === 'all',
      leaseMs: options.leaseMs ?? 4_000,
      holdsDeletion: (person: string) => isDeletionHeld(this.database, person),
      targets,
      leaver: options.leaver ?? { now: 'disable' as const },
      mapping,
      endSessions: async (person: string) => void this.ended.push(person),
    };
    this.engine = new Engine({
      ...context,
      ...(options.stopIf === undefined ? {} : { removals: options.stopIf.removals }),
      aliases: new Set((options.joined ?? []).map(() => 'staff')),
      log: { warn: () => {}, error: () => {} },
      metrics: { provisioning: () => {}, change: () => {} },
    });
    this.deps = {
      ...context,
      together: (work) =>
        inOneTransaction(this.database, (within) =>
          work({
            directory: this.#watched(createDirectory(within, clock, recording(options)), 'together.'),
            audit: this.#watched(createAudit(within, clock), 'together.audit.'),
          }),
        ),
      origins: new Set(Object.keys(config.origins)),
      stopIf: options.stopIf ?? { removals: { percent: 100 } },
      managesAll: manage === 'all',
      again: (person, target, actor, requestId) => this.engine.again(person, target, actor, requestId),
      leave: (person, target, actor, requestId) => this.engine.leave(person, target, actor, requestId),
    };
    const lease = options.leaseMs === undefined ? {} : { syncLeaseMs: options.leaseMs };
    this.syncs = createSyncs({ ...this.deps, ...lease, open: async (name) => this.#setup(name) });
  }

  adoptSetup() {
    const setup = this.#setup('hr');
    return { name: 'bi', planning: setup.planning, missing: setup.missing, syncs: [setup] };
  }

  #setup(sync: string) {
    const isSide = sync === 'hr-side';
    const name = isSide ? 'hr' : sync;
    const source = name === 'hr' ? this.hr : this.crm;
    const { owner: owning } = this.#options;
    const target = isSide ? this.side : (this.#options.target ?? this.bi);
    const login = this.#isJoined(name) ? { login: 'staff' } : {};
    return {
      name: sync,
      source,
      origin: {
        name: source.name,
        issuer: this.#isJoined(name) ? aliasIssuer('staff') : sourceIssuer(name),
        ownerOf: (owner: string | undefined) => (owning === name ? name : (owner ?? name)),
      },
      ...login,
      ...(this.#options.shared === true ? { besides: [name === 'hr' ? 'crm' : 'hr'] } : {}),
      planning: this.planning(target),
      target,
      missing: MISSING,
      timeoutMs: 5_000,
    };
  }

  #isJoined(name: string): boolean {
    return this.#options.joined?.some((one) => one === name) ?? false;
  }

  async close(): Promise<void> {
    this.onCall = () => {};
    await this.engine.close();
    await this.directory.close();
  }

  plan(sync = 'hr'): Promise<SyncPlan> {
    return this.syncs.plan(sync, AbortSignal.timeout(30_000));
  }

  async apply(sync = 'hr', options: Partial<ApplyOptions> = {}): Promise<ApplyResult> {
    this.now += 1_000;
    return this.syncs.apply(sync, {
      actor: 'operator',
      requestId: `r${this.now}`,
      approve: false,
      stop: AbortSignal.timeout(60_000),
      onRow: (row) => this.rows.push(row),
      ...options,
    });
  }

  /** As a command or the schedule runs it, with its place in the history. */
  run(sync = 'hr', { approve = false } = {}) {
    this.now += 60_000;
    const options = { actor: 'scheduler', requestId: `r${this.now}`, approve, stop: AbortSignal.timeout(30_000) };
    return applySync(sync, options, { ...this.directory, clock: { now: () => this.now }, syncs: this.syncs });
  }

  login(who: string, claims: Record<string, unknown>, target = 'bi') {
    const assertion = {
      origin: 'staff',
      issuer: ISSUER,
      subject: who,
      active: true,
      at: new Date(this.now++),
      claims: { sub: who, email: `${who}@acme.test`, email_verified: true, preferred_username: who, ...claims },
    };
    return this.engine.assert(assertion, { target, requestId: `l${this.now}`, signal: AbortSignal.timeout(10_000) });
  }

  async personOf(subject: string, source = 'hr') {
    const issuer = this.#isJoined(source) ? aliasIssuer('staff') : sourceIssuer(source);
    return this.directory.people.bySubject({ issuer, subject });
  }

  async events(): Promise<AuditRecord[]> {
    const records: AuditRecord[] = [];
    for await (const record of this.audit.list({})) records.push(record);
    return records;
  }

  /** user name → entitlements; switched off in brackets. */
  accounts(target: MemoryTarget = this.bi): Record<string, string> {
    const rows = [...target.accounts.values()].map(({ userName, active }) => {
      const given = target.given(userName).join(' ');
      return [userName, active ? given : `(${given})`] as const;
    });
    return Object.fromEntries(rows.sort());
  }

  /** The same object, whose calls `onCall` hears of. */
  #watched<T extends object>(subject: T, path: string): T {
    return new Proxy(subject, {
      get: (inner, name, receiver) => {
        const member: unknown = Reflect.get(inner, name, receiver);
        if (typeof name === 'symbol') return member;
        if (typeof member === 'object' && member !== null) return this.#watched(member, `${path}${name}.`);
        if (typeof member !== 'function' || name === 'close' || name === 'release') return member;
        return (...args: unknown[]) => {
          this.onCall(`${path}${name}`);
          return Reflect.apply(member, inner, args) as unknown;
        };
      },
    });
  }
}

/** `create user ann`, `grant ann role:Alpha`: the rows of a plan as one reads them. */
export function lines(
  rows: readonly { op: string; type: string; key: string; entitlement?: object; target?: string; code?: string }[],
) {
  return rows
    .map(({ op, type, key, entitlement, target, code }) => {
      const { kind, name } = (entitlement ?? {}) as { kind?: string; name?: string };
      const what = type === 'group' ? `group ${key}` : `${key}${kind === undefined ? '' : ` ${kind}:${name}`}`;
      return `${op} ${what}${target === undefined ? '' : ` in ${target}`}${code === undefined ? '' : `: ${code}`}`;
    })
    .sort();
}

function mappingConfig(options: SyncWorldOptions) {
  const login = { groups_absent: 'keep' as const, email_domains: ['acme.test'] };
  const source = {
    claims: claimsSchema.parse({ external_id: 'sub', preferred_username: ['user_name', 'sub'] }),
    groups_absent: options.groupsAbsent ?? ('empty' as const),
    trust_email: true,
    trusts_all_emails: true,
  };
  return configOf({
    origins: {
      staff: login,
      hr: { ...source, ...(options.joined?.includes('hr') === true ? { speaks_for: 'staff' } : {}) },
      crm: { ...source, ...(options.joined?.includes('crm') === true ? { speaks_for: 'staff' } : {}) },
    },
    rules: options.rules ?? RULES,
    default: options.byDefault ?? {},
    targets: { bi: { type: 'superset' }, side: { type: 'superset' } },
  });
}

function recording({ record }: SyncWorldOptions) {
  return record === undefined ? {} : { claims: record };
}

function readOnly(target: Target): Target {
  return new Proxy(target, {
    get: (inner, name) => {
      if (name === 'apply' || name === 'applyMany') throw new Error('a plan writes nothing');
      const member: unknown = Reflect.get(inner, name, inner);
      return typeof member === 'function' ? member.bind(inner) : member;
    },
  });
}
