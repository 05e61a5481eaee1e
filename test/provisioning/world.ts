import type { Audit, AuditEntry } from '../../src/audit/audit.ts';
import { openDatabase } from '../../src/directory/database.ts';
import type { Directory } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { claimsSchema } from '../../src/login/schema.ts';
import { compileMapping, type Mapping } from '../../src/mapping/mapping.ts';
import { defaultSchema, groupsSchema, identitySchema, rulesSchema } from '../../src/mapping/schema.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import type { Assertion } from '../../src/model/person.ts';
import { Engine } from '../../src/provisioning/engine.ts';
import { MemoryTarget } from './memory-target.ts';

const RULES = {
  admins: { when: { groups: 'Admin' }, grant: { bi: { roles: ['Admin'] } } },
  users: { when: { groups: 'User' }, grant: { bi: { roles: ['Alpha'], groups: ['analysts'] } } },
  side: { when: { groups: 'User' }, grant: { side: { groups: ['side'] } } },
  suspended: { when: { groups: 'suspended' }, deny: 'You are suspended.' },
};

export interface WorldOptions {
  readonly groupsAbsent?: 'keep' | 'empty';
  readonly rules?: Readonly<Record<string, unknown>>;
  /** What everybody gets for whom no rule gives anything. */
  readonly byDefault?: Readonly<Record<string, unknown>>;
  /** Names of logins; all speak for one issuer, so that one subject may come by any of them. */
  readonly origins?: readonly string[];
  readonly maxGroups?: number;
  readonly leaver?: 'disable' | 'delete';
  readonly require?: readonly string[];
  /** Which claims are read for what, of all logins. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** `trust_email` of all logins. */
  readonly trustsEmail?: boolean;
}

const ISSUER = 'https://id.acme.test';

export function mappingOf(options: WorldOptions): Mapping {
  const origin = {
    claims: claimsSchema.parse(options.claims ?? {}),
    groups_absent: options.groupsAbsent ?? 'empty',
    trust_email: options.trustsEmail ?? false,
    email_domains: ['acme.test'],
  };
  return compileMapping({
    origins: Object.fromEntries((options.origins ?? ['staff']).map((name) => [name, origin])),
    identity: identitySchema.parse(options.require === undefined ? {} : { require: options.require }),
    groups: groupsSchema.parse(options.maxGroups === undefined ? {} : { max: options.maxGroups }),
    rules: rulesSchema.parse(options.rules ?? RULES),
    default: defaultSchema.parse(options.byDefault ?? { grant: { bi: { roles: ['Gamma'] } } }),
    targets: { bi: { type: 'superset' }, side: { type: 'gooddata' } },
    privileged: [],
  });
}

/** Engines over one directory in memory and two targets: `bi` as Superset is, `side` without its demands. */
export class World {
  readonly bi: MemoryTarget;
  readonly side: MemoryTarget;
  readonly audit: AuditEntry[] = [];
  readonly ended: string[] = [];
  now = Date.parse('2026-01-01T00:00:00Z');
  directory!: Directory;
  engine!: Engine;
  /** Called around every call of the directory, the audit and the targets' own hooks; may throw. */
  onCall: (call: string, when: 'before' | 'after') => void = () => {};

  constructor(side: ConstructorParameters<typeof MemoryTarget>[1] = {}) {
    this.bi = new MemoryTarget('bi', { creates: ['group'], needsEntitlement: true });
    this.side = new MemoryTarget('side', side);
  }

  async open(options: WorldOptions = {}): Promise<this> {
    const directory = createDirectory(await openDatabase('sqlite::memory:'), { now: () => this.now });
    this.directory = this.#watched(directory, '');
    for (const name of ['Admin', 'Alpha', 'Gamma']) this.bi.addEntitlement({ kind: 'role', name });
    this.engine = this.another(options);
    return this;
  }

  async close(): Promise<void> {
    this.onCall = () => {};
    await this.engine.close();
    await this.directory.close();
  }

  /** A further engine over the same directory and targets: another instance. */
  another(options: WorldOptions = {}): Engine {
    const missing = { users: 'create', groups: 'create', roles: 'refuse' } as const;
    const audit: Audit = {
      append: async (entries) => {
        this.onCall('audit', 'before');
        this.audit.push(...entries);
        this.onCall('audit', 'after');
      },
      list: async function* () {},
      verify: async () => ({ records: 0 }),
    };
    return new Engine({
      directory: this.directory,
      audit,
      mapping: mappingOf(options),
      match: ['link', 'external_id', 'verified_email'],
      privileged: ['bi:role:Admin'],
      neverTouch: (account) => account.userName === 'root',
      leaseMs: 5_000,
      targets: new Map([
        ['bi', { target: this.bi, missing, timeoutMs: 2_000 }],
        ['side', { target: this.side, missing, timeoutMs: 2_000 }],
      ]),
      leaver: { now: options.leaver ?? 'disable' },
      isManaged: () => false,
      aliases: new Set(),
      clock: { now: () => this.now },
      log: { warn: () => {}, error: () => {} },
      metrics: { provisioning: () => {}, change: () => {} },
      endSessions: async (person) => {
        this.onCall('endSessions', 'before');
        this.ended.push(person);
      },
    });
  }

  restart(options: WorldOptions = {}): void {
    this.engine = this.another(options);
  }

  async login(who: string, claims: Record<string, unknown>, target = 'bi', origin = 'staff') {
    const limits = { requestId: `r${this.now + 1}`, signal: AbortSignal.timeout(10_000) };
    return this.engine.assert(this.#assertion(who, claims, origin), { target, ...limits });
  }

  /** What the provider says of a session that goes on. */
  async refresh(who: string, claims: Record<string, unknown>) {
    const limits = { requestId: `r${this.now + 1}`, signal: AbortSignal.timeout(10_000) };
    return this.engine.assert(this.#assertion(who, claims, 'staff'), { occasion: 'refresh', ...limits });
  }

  #assertion(who: string, claims: Record<string, unknown>, origin: string): Assertion {
    return {
      origin,
      issuer: ISSUER,
      subject: who,
      active: true,
      at: new Date(this.now++),
      claims: {
        sub: who,
        email: `${who}@acme.test`,
        email_verified: true,
        preferred_username: who,
        name: `${who} Adams`,
        ...claims,
      },
    };
  }

  async refused(who: string, claims: Record<string, unknown>, target = 'bi', origin = 'staff'): Promise<string> {
    const error = await this.login(who, claims, target, origin).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    return error instanceof LatchgateError ? error.code : 'no error';
  }

  /** Waits for what goes on in the background; the engine can be used on. */
  async settled(): Promise<void> {
    await this.engine.close();
  }

  async idOf(who: string): Promise<string> {
    return (await this.directory.people.bySubject({ issuer: ISSUER, subject: who }))?.id ?? '';
  }

  disable(person: string) {
    return this.engine.disable(person, { actor: 'operator', requestId: 'r', signal: AbortSignal.timeout(5_000) });
  }

  enable(person: string): Promise<void> {
    return this.engine.enable(person, { actor: 'operator', requestId: 'r' });
  }

  account(person: string, target: string) {
    return this.engine.account(person, target, AbortSignal.timeout(5_000));
  }

  events(): string[] {
    return this.audit.map(({ event, key }) => (key === undefined ? event : `${event} ${key}`));
  }

  /** The same object, whose calls `onCall` hears of. */
  #watched<T extends object>(subject: T, path: string): T {
    return new Proxy(subject, {
      get: (inner, name, receiver) => {
        const member: unknown = Reflect.get(inner, name, receiver);
        if (typeof name === 'symbol' || path.startsWith('leases')) return member;
        if (typeof member === 'object' && member !== null) return this.#watched(member, `${path}${name}.`);
        if (typeof member !== 'function' || name === 'close') return member;
        if (name === 'ofTarget' || name === 'dated') {
          return (...args: unknown[]): unknown => {
            this.onCall(`${path}${name}`, 'before');
            return Reflect.apply(member, inner, args);
          };
        }
        return async (...args: unknown[]) => {
          this.onCall(`${path}${name}`, 'before');
          const result: unknown = await Reflect.apply(member, inner, args);
          this.onCall(`${path}${name}`, 'after');
          return result;
        };
      },
    });
  }
}
