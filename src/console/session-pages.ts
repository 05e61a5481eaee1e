import { html, type Markup } from '../login/html.ts';
import { LatchgateError } from '../model/errors.ts';
import type { SessionInfo } from '../session/store.ts';
import { namesOf } from './names.ts';
import type { Page } from './page.ts';
import { actionForm, personLink, said, table, timeOf } from './parts.ts';
import type { Operator } from './sessions.ts';
import type { Done, Visit } from './visit.ts';

const MOST = 200;
const HANDLE_SHAPE = /^[\w-]{43}$/;

/** `/sessions`: who is there now, whoever was seen last first. */
export async function sessionsPage({ deps, operator }: Visit): Promise<Page> {
  const all = [...(await deps.gatewaySessions.list())].sort((one, other) => other.lastSeenAt - one.lastSeenAt);
  const shown = all.slice(0, MOST);
  const names = await namesOf(
    deps.directory.people,
    shown.map(({ person }) => person),
  );
  const rows = sessionRows(operator, shown, '/sessions').map((row, at) => {
    const { person = '' } = shown[at] ?? {};
    return [personLink(person, names.get(person)), ...row];
  });
  const more =
    all.length > MOST
      ? html`<p class="soft">The ${String(MOST)} that were used last, of ${String(all.length)}; a person's page has all of theirs.</p>`
      : undefined;
  const head = ['Person', ...sessionHead(operator)];
  const body = html`<section class="card">${table('Sessions', head, rows, 'Nobody is logged in.')}${more}</section>`;
  const lead = html`${String(all.length)} ${all.length === 1 ? 'session' : 'sessions'} at the gateway, on all instances.`;
  return { section: 'sessions', title: 'Sessions', lead, body };
}

/** Of the rows below. A viewer has nothing to do with them. */
export function sessionHead({ role }: Operator): string[] {
  return ['Since', 'Login', 'Last seen', 'Ends', ...(role === 'operator' ? ['Action'] : [])];
}

/** `next`: the page to come back to. */
export function sessionRows(operator: Operator, sessions: readonly SessionInfo[], next: string): Markup[][] {
  return sessions.map(({ handle, person, origin, createdAt, lastSeenAt, endsAt }) => [
    timeOf(createdAt),
    said(origin),
    timeOf(lastSeenAt),
    timeOf(endsAt),
    ...(operator.role === 'operator' ? [endForm(operator, { handle, person, next })] : []),
  ]);
}

function endForm(operator: Operator, fields: Readonly<Record<string, string>>): Markup {
  return actionForm(operator, { action: '/sessions/end', label: 'End', style: 'danger small', fields });
}

export async function endSession({ deps, operator, requestId }: Visit, form: URLSearchParams): Promise<Done> {
  const handle = form.get('handle') ?? '';
  if (!HANDLE_SHAPE.test(handle)) throw new LatchgateError('not_found', 'no session of that name');
  const person = form.get('person') ?? '';
  const own = await deps.gatewaySessions.list(person);
  if (!own.some((session) => session.handle === handle && session.person === person)) {
    throw new LatchgateError('not_found', 'the session has ended already');
  }
  const ended = await deps.gatewaySessions.destroyFor({ handle });
  await deps.audit.append([{ event: 'sessions.ended', actor: operator.person, person, after: { ended }, requestId }]);
  const isOfPerson = form.get('next') === `/people/${encodeURIComponent(person)}`;
  return { next: isOfPerson ? `/people/${encodeURIComponent(person)}` : '/sessions', note: 'session-ended' };
}
