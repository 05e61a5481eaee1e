import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ConsoleSessionRows } from '../directory/console-sessions.ts';
import type { People } from '../directory/directory.ts';
import type { Clock } from '../ops/clock.ts';
import { sha256 } from '../ops/hash.ts';
import { randomText } from '../ops/random.ts';
import { openSealed, seal } from '../ops/seal.ts';
import { cookieValues, idleLimit, type LiveSession } from '../session/cookie.ts';
import type { SessionConfig } from '../session/schema.ts';
import { sessionHandle } from '../session/seal.ts';
import type { SessionStore } from '../session/store.ts';
import type { Role, RoleOf } from './roles.ts';
import type { OperatorsConfig } from './schema.ts';

const ID_BYTES = 32;
const ID_SHAPE = /^[\w-]{43}$/;
/** A use is written when so much of the idle limit has gone by. */
const TOUCH_PART = 10;

export interface ConsoleSessionsOptions {
  readonly adminUrl: string;
  readonly config: Pick<OperatorsConfig, 'idle' | 'absolute'>;
  readonly rows: ConsoleSessionRows;
  readonly roleOf: RoleOf;
  /** Sessions at `public_url`, and the one to go on with, checked with its provider when that is due. */
  readonly gateway: {
    readonly store: Pick<SessionStore, 'load' | 'touch'>;
    readonly config: Pick<SessionConfig, 'idle'>;
    current(live: LiveSession): LiveSession | undefined | Promise<LiveSession | undefined>;
  };
  readonly people: Pick<People, 'get'>;
  readonly clock: Clock;
}

/** Who is at the page, as it is true now. */
export interface Operator {
  readonly person: string;
  readonly displayName: string;
  readonly role: Role;
  /** Stands in every form of this session, and of no other. */
  readonly formToken: string;
}

/** `none`: no session. `ended`: it has just been found to be over. `refused`: nobody gives them a role any more. */
export type Found = Operator | 'none' | 'ended' | 'refused';

/**
 * Sessions of the operators' page. Each hangs on the session at `public_url` that it came from: it ends with it, and
 * says at each request anew who that is by now. The store has a hash of the cookie, and what only the cookie opens.
 */
export interface ConsoleSessions {
  /** Returns the Set-Cookie line. `gatewayId`: the secret id of the session at `public_url`. */
  begin(gatewayId: string): Promise<string>;
  find(cookieHeader: string | undefined): Promise<Found>;
  /** Returns the Set-Cookie line that takes the cookie away. */
  end(cookieHeader: string | undefined): Promise<string>;
}

interface Sealed {
  readonly gatewayId: string;
}

export function createConsoleSessions(options: ConsoleSessionsOptions): ConsoleSessions {
  const { adminUrl, config, rows, clock } = options;
  const { name, attributes } = consoleCookie(adminUrl, 'latchgate-console');
  const idOf = (header: string | undefined): string | undefined => {
    const [value, ...more] = cookieValues(header, name);
    return value !== undefined && more.length === 0 && ID_SHAPE.test(value) ? value : undefined;
  };
  const load = async (id: string): Promise<Sealed | undefined> => {
    const handle = handleOf(id);
    const row = await rows.get(handle);
    const now = clock.now();
    if (row === undefined || row.idle_until <= now || row.ends_at <= now) return undefined;
    const opened = openSealed(row.sealed, purposeOf(handle, row.ends_at), [id]);
    if (opened === undefined) return undefined;
    const idleUntil = Math.min(now + config.idle, row.ends_at);
    if (idleUntil - row.idle_until >= config.idle / TOUCH_PART) await rows.touch(handle, idleUntil);
    return JSON.parse(opened.text) as Sealed;
  };
  return {
    begin: async (gatewayId) => {
      const id = randomText(ID_BYTES);
      const handle = handleOf(id);
      const now = clock.now();
      const endsAt = now + config.absolute;
      const sealed = seal(JSON.stringify({ gatewayId } satisfies Sealed), purposeOf(handle, endsAt), [id]);
      await rows.add({ handle, sealed, idle_until: Math.min(now + config.idle, endsAt), ends_at: endsAt }, now);
      return `${name}=${id}; ${attributes}`;
    },
    find: async (header) => {
      const id = idOf(header);
      if (id === undefined) return 'none';
      const sealed = await load(id);
      const found = sealed === undefined ? 'ended' : await whoIs(options, id, sealed.gatewayId);
      if (typeof found === 'string') await rows.remove(handleOf(id));
      return found;
    },
    end: async (header) => {
      const id = idOf(header);
      if (id !== undefined) await rows.remove(handleOf(id));
      return `${name}=; Max-Age=0; ${attributes}`;
    },
  };
}

async function whoIs(
  { gateway, people, roleOf, clock }: ConsoleSessionsOptions,
  id: string,
  gatewayId: string,
): Promise<Found> {
  const session = await gateway.store.load(gatewayId);
  const now = clock.now();
  if (session === undefined || session.endsAt <= now) return 'ended';
  const live = await gateway.current({ id: gatewayId, handle: sessionHandle(gatewayId), session });
  if (live === undefined) return 'ended';
  const { identity } = live.session;
  const person = await people.get(identity.person);
  if (person === undefined || person.disabled || person.leftAt !== undefined) return 'ended';
  const role = roleOf(identity);
  if (role === undefined) return 'refused';
  await gateway.store.touch(gatewayId, idleLimit(live.session, gateway.config, now));
  const { displayName } = identity;
  return { person: identity.person, displayName, role, formToken: formTokenOf(id) };
}

/** Name and attributes of a cookie of the page: of this host alone, and for no other site's posts. */
export function consoleCookie(adminUrl: string, bare: string): { readonly name: string; readonly attributes: string } {
  const secure = new URL(adminUrl).protocol === 'https:';
  return {
    name: secure ? `__Host-${bare}` : bare,
    attributes: `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`,
  };
}

export function isFormToken({ formToken }: Operator, given: string | undefined): boolean {
  const [own, other] = [Buffer.from(formToken), Buffer.from(given ?? '')];
  return own.length === other.length && timingSafeEqual(own, other);
}

function formTokenOf(id: string): string {
  return createHmac('sha256', id).update('latchgate console form').digest('base64url');
}

function handleOf(id: string): string {
  return sha256(`latchgate console session ${id}`);
}

/** With the end: nobody who writes the database puts it off. */
function purposeOf(handle: string, endsAt: number): string {
  return `console session ${handle} until ${endsAt}`;
}
