import type { Audit } from '../audit/audit.ts';
import { LatchgateError } from '../model/errors.ts';
import type { SessionSelector, SessionStore } from '../session/store.ts';
import type { Io } from './io.ts';
import { onePerson, type WhoDeps } from './one-person.ts';
import { tableLines, timeText } from './table.ts';

export interface SessionsDeps extends WhoDeps {
  readonly sessions: SessionStore;
  readonly audit: Audit;
}

/**
 * `latchgate sessions list`: who is there now. Exit code 0. The id is a hash: of use for `sessions end --id`, of none as
 * a cookie. With `json`, one object a line: `id`, `person`, `displayName` (null when not known), `origin`, `createdAt`,
 * `lastSeenAt`, `endsAt`.
 */
export async function sessionsList(options: { readonly json?: boolean }, deps: SessionsDeps, io: Io): Promise<number> {
  const sessions = await deps.sessions.list();
  const names = new Map<string, string>();
  for (const person of new Set(sessions.map((session) => session.person))) {
    const known = await deps.people.get(person);
    if (known !== undefined) names.set(person, known.displayName);
  }
  if (options.json === true) {
    for (const { handle, person, origin, createdAt, lastSeenAt, endsAt } of sessions) {
      const times = { createdAt: new Date(createdAt), lastSeenAt: new Date(lastSeenAt), endsAt: new Date(endsAt) };
      io.out(JSON.stringify({ id: handle, person, displayName: names.get(person) ?? null, origin, ...times }));
    }
    return 0;
  }
  const rows = sessions.map((session) => [
    session.handle,
    session.person,
    names.get(session.person),
    session.origin,
    timeText(session.createdAt),
    timeText(session.lastSeenAt),
    timeText(session.endsAt),
  ]);
  for (const line of tableLines(['ID', 'PERSON', 'NAME', 'ORIGIN', 'SINCE', 'LAST SEEN', 'ENDS'], rows)) io.out(line);
  return 0;
}

export interface SessionsEndOptions {
  readonly user?: string;
  readonly id?: string;
  readonly all?: boolean;
  /** `{"ended":n}`. */
  readonly json?: boolean;
}

/** `latchgate sessions end`: on every instance. Exit code 0. Throws `usage` unless exactly one of the three is given. */
export async function sessionsEnd(options: SessionsEndOptions, deps: SessionsDeps, io: Io): Promise<number> {
  const selector = await selectorOf(options, deps);
  const ended = await deps.sessions.destroyFor(selector);
  await deps.audit.append([
    {
      event: 'sessions.ended',
      actor: 'operator',
      ...('person' in selector ? { person: selector.person } : {}),
      after: { ended },
    },
  ]);
  if (options.json === true) io.out(JSON.stringify({ ended }));
  else io.out(`${ended} ${ended === 1 ? 'session' : 'sessions'} ended`);
  return 0;
}

async function selectorOf(options: SessionsEndOptions, deps: SessionsDeps): Promise<SessionSelector> {
  const given = [options.user, options.id, options.all === true ? true : undefined].filter((one) => one !== undefined);
  if (given.length !== 1) throw new LatchgateError('usage', 'sessions end takes one of --user, --id and --all');
  if (options.user !== undefined) return { person: (await onePerson(deps, options.user, { partial: false })).id };
  return options.id !== undefined ? { handle: options.id } : { all: true };
}
