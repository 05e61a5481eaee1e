import type { Config } from '../config/schema.ts';
import { EndedLogins } from '../login/backchannel-ended.ts';
import type { EndOfSessions, LoginRoutesOptions } from '../login/context.ts';
import { createLogoutHints } from '../login/logout-hint.ts';
import type { State } from './state.ts';

/** What the gateway's pages need to end sessions that others say are over. */
export function composeEnds(
  config: Config,
  state: State,
): Pick<LoginRoutesOptions, 'logoutHints' | 'endedLogins' | 'people' | 'onEnded'> {
  const { directory, sessions, clock } = state;
  const { leases, logouts, people } = directory;
  return {
    logoutHints: createLogoutHints(config.session.secrets, clock),
    endedLogins: new EndedLogins({ sessions, leases, logouts, clock }),
    people,
    onEnded: (end) => auditEnd(state, end),
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
