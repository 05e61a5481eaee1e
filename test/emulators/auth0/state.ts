import { createHash } from 'node:crypto';
import { type Log, record } from './logs.ts';

export type IdKind = 'user' | 'role' | 'job' | 'connection' | 'organization' | 'event' | 'ticket' | 'log';

export interface Identity {
  readonly connection: string;
  readonly user_id: string;
  readonly provider: string;
  readonly isSocial: boolean;
  readonly profileData?: Readonly<Record<string, unknown>>;
}

/** A user as the service answers it; members that were never set are absent. Dates are ISO 8601 with milliseconds. */
export interface User {
  readonly user_id: string;
  readonly identities: readonly Identity[];
  readonly created_at: string;
  readonly updated_at: string;
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly name?: string;
  readonly picture?: string;
  readonly blocked?: boolean;
  readonly [more: string]: unknown;
}

export interface Role {
  readonly id: string;
  name: string;
  description?: string;
  /** User id → when the role was assigned, milliseconds since the epoch. */
  readonly members: Map<string, number>;
}

export interface Connection {
  readonly id: string;
  readonly name: string;
  /** `auth0` is a database connection: only there users are created and have passwords. */
  readonly strategy: string;
  readonly requiresUsername: boolean;
}

export interface Organization {
  readonly id: string;
  readonly name: string;
  readonly more: Readonly<Record<string, unknown>>;
  /** User id → ids of the roles held in this organization. */
  readonly members: Map<string, string[]>;
}

export interface Job {
  readonly id: string;
  readonly body: Record<string, unknown>;
  /** Milliseconds since the epoch. */
  readonly doneAt: number;
  readonly errors: readonly unknown[];
  /** NDJSON of an export. */
  readonly file?: string;
}

export interface StreamEvent {
  readonly offset: string;
  readonly at: number;
  readonly type: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Token {
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface Search {
  /** The list of users shows a write only this long after it. 0: at once. */
  lagMs: number;
  /** Ids of users whom lists count and do not show: an index that does not answer whole. */
  readonly lost: Set<string>;
  readonly rows: Map<string, User>;
  readonly pending: { readonly at: number; readonly id: string; readonly user: User | undefined }[];
  version: number;
}

export interface State {
  readonly users: Map<string, User>;
  readonly roles: Map<string, Role>;
  readonly connections: Map<string, Connection>;
  readonly organizations: Map<string, Organization>;
  readonly jobs: Map<string, Job>;
  readonly tokens: Map<string, Token>;
  readonly search: Search;
  readonly events: StreamEvent[];
  readonly logs: Log[];
  /** Mails that the tenant would have sent. */
  readonly mails: { readonly kind: 'verify_email'; readonly userId: string }[];
  readonly tickets: { readonly ticket: string; readonly userId: string; readonly body: unknown }[];
  /** Passwords as they were set last, by user id. */
  readonly passwords: Map<string, string>;
  /** `connection\nemail` → user id. */
  readonly addresses: Map<string, string>;
}

export interface SeedUser {
  /** With the provider's prefix: `auth0|alice`. Default: made from the clock of ids. */
  readonly user_id?: string;
  readonly email?: string;
  /** Default: the first connection. */
  readonly connection?: string;
  /** Names of roles. */
  readonly roles?: readonly string[];
  /** Identities that were linked to this user, after the one it was made with. */
  readonly linked?: readonly Identity[];
  readonly created_at?: string;
  readonly [more: string]: unknown;
}

export interface Seed {
  /** Default: the database connection `Username-Password-Authentication`, without user names. */
  readonly connections?: readonly (Pick<Connection, 'name'> & Partial<Connection>)[];
  readonly roles?: readonly { readonly id?: string; readonly name: string; readonly description?: string }[];
  readonly users?: readonly SeedUser[];
}

export interface World {
  readonly newId: (kind: IdKind) => string;
  readonly now: number;
}

const DATABASE = { name: 'Username-Password-Authentication' };

export function initialState(seed: Seed, world: World): State {
  const state: State = {
    users: new Map(),
    roles: new Map(),
    connections: new Map(),
    organizations: new Map(),
    jobs: new Map(),
    tokens: new Map(),
    search: { lagMs: 0, lost: new Set(), rows: new Map(), pending: [], version: 0 },
    events: [],
    logs: [],
    mails: [],
    tickets: [],
    passwords: new Map(),
    addresses: new Map(),
  };
  for (const connection of seed.connections ?? [DATABASE]) {
    const full = { id: world.newId('connection'), strategy: 'auth0', requiresUsername: false, ...connection };
    state.connections.set(full.name, full);
  }
  for (const role of seed.roles ?? []) {
    const id = role.id ?? world.newId('role');
    state.roles.set(id, { ...role, id, members: new Map() });
  }
  for (const user of seed.users ?? []) plantUser(state, user, world);
  state.events.length = 0;
  state.logs.length = 0;
  return state;
}

/** Puts a user into the tenant without asking for a password, of any connection. */
export function plantUser(state: State, seed: SeedUser, world: World): User {
  const { user_id, connection: named, roles = [], linked = [], created_at, ...profile } = seed;
  const connection = state.connections.get(named ?? [...state.connections.keys()][0] ?? '');
  if (!connection) throw new Error(`no connection '${named}'`);
  const at = created_at ?? new Date(world.now).toISOString();
  const id = user_id ?? `${connection.strategy}|${world.newId('user')}`;
  const user = newUser(connection, id, profile, at, linked);
  storeUser(state, user, world, 'created');
  for (const name of roles) {
    const role = [...state.roles.values()].find((one) => one.name === name);
    if (!role) throw new Error(`no role '${name}'`);
    role.members.set(id, Date.parse(at));
  }
  return user;
}

const SOCIAL = new Set(['google-oauth2', 'facebook', 'github', 'twitter', 'linkedin', 'windowslive', 'apple']);

/** A user with what the service works out by itself: name, nickname, picture, identity. */
export function newUser(
  connection: Connection,
  userId: string,
  profile: Readonly<Record<string, unknown>>,
  at: string,
  linked: readonly Identity[] = [],
  avatars = 's.gravatar.com',
): User {
  const email = typeof profile['email'] === 'string' ? profile['email'] : undefined;
  const [provider = '', ...rest] = userId.split('|');
  const identity = {
    connection: connection.name,
    user_id: rest.join('|'),
    provider,
    isSocial: SOCIAL.has(connection.strategy),
  };
  return {
    ...(email === undefined
      ? {}
      : { name: email, nickname: email.split('@')[0] ?? '', picture: gravatar(email, avatars), email_verified: false }),
    ...profile,
    created_at: at,
    updated_at: at,
    identities: [identity, ...linked],
    user_id: userId,
  };
}

function gravatar(email: string, host: string): string {
  const hash = createHash('md5').update(email).digest('hex');
  const fallback = encodeURIComponent(`https://cdn.auth0.com/avatars/${email.slice(0, 2).toLowerCase()}.png`);
  return `https://${host}/avatar/${hash}?s=480&r=pg&d=${fallback}`;
}

export function addressKey(connection: string, email: string): string {
  return `${connection}\n${email.toLowerCase()}`;
}

/** Stores a user whole, tells the search index (after its lag) and the event stream. */
export function storeUser(state: State, user: User, world: World, what: 'created' | 'updated'): void {
  forgetAddresses(state, user.user_id);
  state.users.set(user.user_id, user);
  for (const { connection } of user.identities) {
    if (user.email !== undefined) state.addresses.set(addressKey(connection, user.email), user.user_id);
  }
  toIndex(state, world.now, user.user_id, user);
  pushEvent(state, world, `user.${what}`, user);
}

export function removeUser(state: State, id: string, world: World): void {
  const user = state.users.get(id);
  if (!user) return;
  forgetAddresses(state, id);
  state.users.delete(id);
  state.passwords.delete(id);
  for (const role of state.roles.values()) role.members.delete(id);
  for (const organization of state.organizations.values()) organization.members.delete(id);
  toIndex(state, world.now, id, undefined);
  pushEvent(state, world, 'user.deleted', user);
}

function forgetAddresses(state: State, id: string): void {
  const before = state.users.get(id);
  if (before?.email === undefined) return;
  for (const { connection } of before.identities) {
    const key = addressKey(connection, before.email);
    if (state.addresses.get(key) === id) state.addresses.delete(key);
  }
}

function toIndex(state: State, now: number, id: string, user: User | undefined): void {
  state.search.pending.push({ at: now + state.search.lagMs, id, user });
  if (state.search.lagMs === 0) settleSearch(state, now);
}

/** Lets the list of users show what was written up to its lag ago. */
export function settleSearch(state: State, now: number): void {
  const { pending, rows } = state.search;
  while (pending[0] !== undefined && pending[0].at <= now) {
    const { id, user } = pending.shift() as (typeof pending)[number];
    if (user) rows.set(id, user);
    else rows.delete(id);
    state.search.version += 1;
  }
}

function pushEvent(state: State, world: World, type: string, object: Readonly<Record<string, unknown>>): void {
  const number = (state.events.at(-1) ? Number(fromOffset(state.events.at(-1)?.offset ?? '')) : 0) + 1;
  const body = { id: world.newId('event'), type, time: new Date(world.now).toISOString(), data: { object } };
  state.events.push({ offset: toOffset(number), at: world.now, type, body });
  record(state.logs, world, type, String(object['user_id']));
}

/** Offsets of the event stream count up, wrapped so that nobody reads them. */
function toOffset(number: number): string {
  return Buffer.from(`${number}\n`).toString('base64');
}

export function fromOffset(offset: string): number {
  const text = Buffer.from(offset, 'base64').toString('latin1');
  return /^\d{1,15}\n$/.test(text) ? Number(text) : Number.NaN;
}
