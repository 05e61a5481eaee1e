import type { Config } from '../config/schema.ts';
import { EndedLogins } from '../login/backchannel-ended.ts';
import type { EndOfSessions, LoginRoutesOptions } from '../login/context.ts';
import { LiveSessions } from '../login/live-sessions.ts';
import { watchLiveSessions } from '../login/live-sessions-watch.ts';
import { createLogoutHints } from '../login/logout-hint.ts';
import { isRefreshable } from '../login/provider.ts';
import type { LiveSession, SessionCookies } from '../session/cookie.ts';
import type { Session } from '../session/store.ts';
import type { Engines } from './engine.ts';
import type { ConfiguredLogin } from './providers.ts';
import type { State } from './state.ts';

type EndsOptions = Pick<
  LoginRoutesOptions,
  'logoutHints' | 'endedLogins' | 'people' | 'onEnded' | 'onLogoutToken' | 'current'
>;

/** Sessions as they go on and end, for the proxy and for the gateway's own pages. */
export interface ComposedSessions {
  /** The session of a Cookie header, checked with its provider when that is due. Throws `session_store_unavailable`. */
  read(cookie: string | undefined): LiveSession | undefined | Promise<LiveSession | undefined>;
  readonly pages: EndsOptions;
  /** Looks after sessions that have something open, whose ids these are, too. `seen` is told who it is by now. */
  watch(ids: () => Iterable<string>, seen: (handle: string, session: Session) => void): void;
  close(): Promise<void>;
}

export function composeSessions(
  config: Config,
  { state, metrics, engine }: Engines,
  providers: ReadonlyMap<string, ConfiguredLogin>,
  cookies: SessionCookies,
): ComposedSessions {
  const { directory, sessions, clock, log } = state;
  const { leases, logouts, people } = directory;
  const takesTokens = Object.values(config.login).some((login) => login.type === 'oidc' && login.bearer !== undefined);
  const longestLifeMs = takesTokens ? config.session.absolute : 0;
  const endedLogins = new EndedLogins({ sessions, leases, logouts, longestLifeMs, clock });
  const onEnded = (end: EndOfSessions) => auditEnd(state, end);
  const live = new LiveSessions({
    store: sessions,
    providers,
    provisioner: engine,
    leases,
    endedLogins,
    onEnded,
    onChecked: metrics.sessionCheck,
    clock,
    log,
  });
  const everyMs = Math.min(
    ...[...providers.values()].map((one) => (isRefreshable(one) && one.refreshEveryMs) || Number.POSITIVE_INFINITY),
  );
  let stop: (() => Promise<void>) | undefined;
  return {
    read: (cookie) => {
      const found = cookies.sessionFromCookie(cookie);
      if (found instanceof Promise) return found.then((one) => one && live.current(one));
      return found && live.current(found);
    },
    pages: {
      logoutHints: createLogoutHints(config.session.secrets, clock),
      endedLogins,
      people,
      current: (session) => live.current(session),
      onEnded,
      onLogoutToken: metrics.backchannelLogout,
    },
    watch: (ids, seen) => {
      stop = watchLiveSessions({ live, ids, seen, everyMs, clock, log });
    },
    close: async () => {
      await stop?.();
      await live.close();
    },
  };
}

/** One record for all that ended by one word; none when there was nothing to end. */
async function auditEnd({ audit, directory }: State, end: EndOfSessions): Promise<void> {
  const { requestId, login, code, sessions, subject } = end;
  if (sessions === 0) return;
  const person = subject && (await directory.people.bySubject(subject))?.id;
  await audit.append([
    {
      event: 'session.ended',
      actor: `login:${login}`,
      origin: login,
      ...(person === undefined ? {} : { person }),
      code,
      after: { sessions },
      requestId,
    },
  ]);
}
