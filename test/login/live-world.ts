import { type Database, openDatabase } from '../../src/directory/database.ts';
import type { Directory } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { EndedLogins } from '../../src/login/backchannel-ended.ts';
import type { EndOfSessions } from '../../src/login/context.ts';
import { LiveSessions } from '../../src/login/live-sessions.ts';
import type { Completed, LoginProvider, Refreshable, RefreshInput } from '../../src/login/provider.ts';
import type { Assertion } from '../../src/model/person.ts';
import type { AssertOptions, Provisioned } from '../../src/provisioning/provision.ts';
import type { LiveSession } from '../../src/session/cookie.ts';
import { createEmbeddedSessions } from '../../src/session/embedded.ts';
import { newSessionId, sessionHandle } from '../../src/session/seal.ts';
import type { PrunedSessions, Session, SessionStore } from '../../src/session/store.ts';
import { exampleSession } from '../conformance/session-store.ts';
import { sqliteState } from '../conformance/state.ts';

export const EVERY_MS = 300_000;
export const IDLE_MS = 3_600_000;

type Refresh = (input: RefreshInput, signal: AbortSignal) => Promise<Completed>;

/** A provider that answers as the test says. */
export class AskedProvider implements LoginProvider, Refreshable {
  readonly name = 'staff';
  readonly label = 'Staff';
  readonly type = 'oidc';
  readonly emailDomains = [];
  readonly refreshEveryMs: number;
  readonly asked: RefreshInput[] = [];
  readonly revoked: string[] = [];
  answer: Refresh = async (input) => this.completed(input);

  constructor(refreshEveryMs = EVERY_MS) {
    this.refreshEveryMs = refreshEveryMs;
  }

  /** What an honest one says: a new refresh token, given before all else. */
  async completed(
    input: RefreshInput,
    more: Partial<Completed> = {},
    claims: Assertion['claims'] = {},
  ): Promise<Completed> {
    const refreshToken = `${input.refreshToken}+`;
    await input.keep?.(refreshToken);
    const { issuer, subject } = input;
    return {
      assertion: { origin: this.name, issuer, subject, active: true, claims, at: new Date() },
      tokens: { idToken: 'new-id-token', refreshToken },
      ...more,
    };
  }

  refresh(input: RefreshInput, signal: AbortSignal): Promise<Completed> {
    this.asked.push(input);
    return this.answer(input, signal);
  }

  async revoke(refreshToken: string): Promise<void> {
    this.revoked.push(refreshToken);
  }

  begin = async (): Promise<never> => Promise.reject(new Error('nobody logs in here'));
  logoutJourney = async () => undefined;
  probe = async () => {};
}

/** One instance: live sessions over a store and a directory of its own on the shared database. */
export interface Instance {
  readonly live: LiveSessions;
  readonly store: PrunedSessions;
  readonly directory: Directory;
}

/** Sessions that are checked, on as many instances as the test wants. */
export class LiveWorld {
  readonly provider: AskedProvider;
  readonly ended: EndOfSessions[] = [];
  readonly checked: string[] = [];
  readonly logged: string[] = [];
  readonly asserted: { readonly assertion: Assertion; readonly options: AssertOptions }[] = [];
  /** Groups of whoever is asserted; or what is thrown. */
  provision: (assertion: Assertion) => { readonly groups?: readonly string[]; readonly person?: string } = () => ({});
  /** Around calls of the stores; may throw or wait. */
  onCall: (call: string) => Promise<void> | void = () => {};
  state!: Awaited<ReturnType<typeof sqliteState>>;
  readonly #instances: Instance[] = [];

  constructor(provider = new AskedProvider()) {
    this.provider = provider;
  }

  async open(): Promise<this> {
    this.state = await sqliteState();
    return this;
  }

  now(): number {
    return this.state.clock.now();
  }

  async instance(
    options: { readonly waitMs?: number; readonly providers?: ReadonlyMap<string, LoginProvider> } = {},
  ): Promise<Instance> {
    const database: Database = await openDatabase(this.state.url);
    const { clock } = this.state;
    const directory = createDirectory(database, clock);
    const store = createEmbeddedSessions(database, { clock });
    const write = (level: string) => (message: string, fields?: object) =>
      void this.logged.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
    const log = { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') };
    const { leases, logouts } = directory;
    const live = new LiveSessions({
      store: this.#watched(store),
      providers: options.providers ?? new Map([['staff', this.provider as LoginProvider]]),
      provisioner: { assert: (assertion, asked) => this.#assert(assertion, asked) },
      leases,
      endedLogins: new EndedLogins({ sessions: store, leases, logouts, clock }),
      onEnded: (end) => void this.ended.push(end),
      onChecked: (login, outcome, code) => void this.checked.push(`${login} ${outcome} ${code}`),
      clock,
      log,
      ...options,
    });
    const instance = { live, store, directory };
    this.#instances.push(instance);
    return instance;
  }

  /** A session whose check is due now, as a request finds it. */
  async due(
    { store }: Instance,
    more: Partial<Session> = {},
    tokens = { idToken: 'id', refreshToken: 'r' },
  ): Promise<LiveSession> {
    const id = newSessionId();
    const session = exampleSession(this.now(), { checkAt: this.now(), ...more });
    await store.save(id, session, IDLE_MS, tokens);
    return { id, handle: sessionHandle(id), session };
  }

  async close(): Promise<void> {
    for (const { live, store, directory } of this.#instances) {
      await live.close();
      await store.close();
      await directory.close();
    }
    await this.state.dispose();
  }

  async #assert(assertion: Assertion, options: AssertOptions): Promise<Provisioned> {
    this.asserted.push({ assertion, options });
    const { groups = ['bi-admins', 'ö'], person = 'p_alice' } = this.provision(assertion);
    const identity = { ...exampleSession(0).identity, groups, person };
    return { identity, decision: { decision: 'allow' } } as unknown as Provisioned;
  }

  #watched(store: SessionStore): SessionStore {
    return new Proxy(store, {
      get: (inner, name) => {
        const member: unknown = Reflect.get(inner, name, inner);
        if (typeof member !== 'function') return member;
        return async (...args: unknown[]) => {
          await this.onCall(String(name));
          return Reflect.apply(member, inner, args);
        };
      },
    });
  }
}
