import type { Handovers } from '../directory/directory.ts';
import { safeReturnTo } from '../login/return-to.ts';
import type { Clock } from '../ops/clock.ts';
import { sha256 } from '../ops/hash.ts';
import { randomText } from '../ops/random.ts';
import { openSealed, seal } from '../ops/seal.ts';
import { cookieValues } from '../session/cookie.ts';
import { consoleCookie } from './sessions.ts';

/** Under `public_url`: where a browser asks for its handle. */
export const ENTRANCE = '/.latchgate/console';

const SECRET_BYTES = 32;
const SECRET_SHAPE = /^[\w-]{43}$/;
/** How long a login at the provider may take. */
const BINDING_SECONDS = 600;
/** From one redirect to the next. */
const HANDLE_LIFE_MS = 60_000;

export interface ConsoleLoginsOptions {
  readonly adminUrl: string;
  readonly publicUrl: string;
  readonly handovers: Handovers;
  readonly clock: Clock;
}

/** What waits under a handle. */
interface Handover {
  readonly gatewayId: string;
  readonly challenge: string;
  readonly returnTo: string;
}

/**
 * How a login at `public_url` gets to `admin_url`, which is another site with cookies of its own. The page sets a random
 * cookie and sends the browser off with its hash; `public_url`, once it knows who is there, sends it back with a handle;
 * and the handle counts once, for a minute, and only together with that cookie. Nothing is remembered of logins that have
 * only begun.
 */
export interface ConsoleLogins {
  /** At `admin_url`. `cookie` is a Set-Cookie line; one that is there is used again, so that parallel tabs share it. */
  begin(cookieHeader: string | undefined, returnTo: string): { readonly location: string; readonly cookie: string };
  /** At `public_url`, for a session there: the address to send the browser back to. undefined: not one of our challenges. */
  handOver(gatewayId: string, query: URLSearchParams): Promise<string | undefined>;
  /** At `admin_url`. undefined: used, too late, or begun in another browser. */
  finish(
    handle: string | undefined,
    cookieHeader: string | undefined,
  ): Promise<{ readonly gatewayId: string; readonly returnTo: string } | undefined>;
}

export function createConsoleLogins(options: ConsoleLoginsOptions): ConsoleLogins {
  const { adminUrl, publicUrl, handovers, clock } = options;
  const { name, attributes } = consoleCookie(adminUrl, 'latchgate-console-login');
  const bindingOf = (header: string | undefined): string | undefined => {
    const [value, ...more] = cookieValues(header, name);
    return value !== undefined && more.length === 0 && SECRET_SHAPE.test(value) ? value : undefined;
  };
  const safePath = (path: string | null): string => safeReturnTo(path, { publicUrl: adminUrl, origins: [] });
  return {
    begin: (header, returnTo) => {
      const binding = bindingOf(header) ?? randomText(SECRET_BYTES);
      const query = new URLSearchParams({ challenge: challengeOf(binding), rd: safePath(returnTo) });
      const cookie = `${name}=${binding}; Max-Age=${BINDING_SECONDS}; ${attributes}`;
      return { location: `${new URL(publicUrl).origin}${ENTRANCE}?${query}`, cookie };
    },
    handOver: async (gatewayId, query) => {
      const challenge = query.get('challenge') ?? '';
      if (!SECRET_SHAPE.test(challenge)) return undefined;
      const handle = randomText(SECRET_BYTES);
      const key = keyOf(handle);
      const left: Handover = { gatewayId, challenge, returnTo: safePath(query.get('rd')) };
      const expiresAt = new Date(clock.now() + HANDLE_LIFE_MS);
      await handovers.leave(key, seal(JSON.stringify(left), purposeOf(key), [handle]), expiresAt);
      return `${new URL(adminUrl).origin}/login/finish?${new URLSearchParams({ handle })}`;
    },
    finish: async (handle, header) => {
      if (handle === undefined || !SECRET_SHAPE.test(handle)) return undefined;
      const key = keyOf(handle);
      const sealed = await handovers.take(key);
      const opened = sealed === undefined ? undefined : openSealed(sealed, purposeOf(key), [handle]);
      const left = opened && (JSON.parse(opened.text) as Handover);
      const binding = bindingOf(header);
      return left !== undefined && binding !== undefined && challengeOf(binding) === left.challenge ? left : undefined;
    },
  };
}

function challengeOf(binding: string): string {
  return sha256(`latchgate console login ${binding}`);
}

function keyOf(handle: string): string {
  return sha256(`latchgate console handle ${handle}`);
}

function purposeOf(key: string): string {
  return `console login ${key}`;
}
