import type { Directory, Person } from '../directory/directory.ts';
import { newRequestId } from '../ops/request-id.ts';
import type { Provisioner } from '../provisioning/provision.ts';
import type { SessionStore } from '../session/store.ts';
import type { Io } from './io.ts';
import { onePerson } from './one-person.ts';
import { printable, tableLines, timeText } from './table.ts';

const PAGE = 500;
const OPERATOR = 'operator';

export type UsersDeps = Pick<Directory, 'people' | 'accounts' | 'ledger' | 'pins'>;

export interface UsersChangeDeps extends UsersDeps {
  readonly provisioner: Pick<Provisioner, 'disable' | 'enable'>;
  readonly sessions: SessionStore;
}

interface JsonOption {
  readonly json?: boolean;
}

/**
 * `latchgate users list`: everybody, oldest first. Exit code 0. With `json`, one object a line: `id`, `displayName`,
 * `email`, `disabled`, `createdAt`, `lastSeenAt`; what is not known is null.
 */
export async function usersList(options: JsonOption, deps: Pick<UsersDeps, 'people'>, io: Io): Promise<number> {
  const rows: (string | undefined)[][] = [];
  for (let after: string | undefined; ; ) {
    const page = await deps.people.list(PAGE, after);
    for (const person of page) {
      if (options.json === true) io.out(JSON.stringify(personJson(person)));
      else {
        const seen = person.lastSeenAt === undefined ? undefined : timeText(person.lastSeenAt);
        rows.push([person.id, person.displayName, person.email, standing(person), seen]);
      }
    }
    after = page.at(-1)?.id;
    if (page.length < PAGE) break;
  }
  if (options.json !== true) {
    for (const line of tableLines(['ID', 'NAME', 'E-MAIL', 'STATUS', 'LAST SEEN'], rows)) io.out(line);
  }
  return 0;
}

/**
 * `latchgate users disable U`: the leaver path, at once: no new login, sessions ended on every instance, accounts
 * switched off in every target. A target that cannot be reached is named, and tried again in the background. The text
 * must name one person exactly. Exit code 0. Throws `not_found`, `usage`. With `json`: `id`, `disabled`, and `targets`
 * with `target`, `status` (ready, none, failed) and `code` (null unless failed).
 */
export async function usersDisable(who: string, options: JsonOption, deps: UsersChangeDeps, io: Io): Promise<number> {
  const person = await onePerson(deps, who, { partial: false });
  const states = await deps.provisioner.disable(person.id, {
    actor: OPERATOR,
    requestId: newRequestId(),
    signal: new AbortController().signal,
  });
  // Whoever was in the middle of a login when it began is out now too.
  await deps.sessions.destroyFor({ person: person.id });
  const targets = [...states].map(([target, state]) => ({
    target,
    status: state.status,
    code: state.status === 'failed' ? state.code : null,
  }));
  if (options.json === true) {
    io.out(JSON.stringify({ id: person.id, disabled: true, targets }));
    return 0;
  }
  io.out(`${printable(person.displayName)} (${person.id}) is disabled, and has no session any more`);
  for (const { target, status, code } of targets) {
    if (code === 'shadow_mode') io.err(`${target}: not done: shadow mode writes nothing; it is done once that is over`);
    else if (status === 'failed') io.err(`${target}: not done yet (${code}); it is tried again in the background`);
    else io.out(`${target}: done`);
  }
  return 0;
}

/** `latchgate users enable U`: may log in again; the next login gives what the rules give. Exit code 0. */
export async function usersEnable(who: string, options: JsonOption, deps: UsersChangeDeps, io: Io): Promise<number> {
  const person = await onePerson(deps, who, { partial: false });
  await deps.provisioner.enable(person.id, { actor: OPERATOR, requestId: newRequestId() });
  if (options.json === true) io.out(JSON.stringify({ id: person.id, disabled: false }));
  else io.out(`${printable(person.displayName)} (${person.id}) may log in again`);
  return 0;
}

/** Members of a person that `--json` has, null where nothing is known. */
export function personJson(person: Person): Record<string, unknown> {
  return {
    id: person.id,
    displayName: person.displayName,
    email: person.email ?? null,
    disabled: person.disabled,
    leftAt: person.leftAt ?? null,
    createdAt: person.createdAt,
    lastSeenAt: person.lastSeenAt ?? null,
  };
}

/** `active`, `disabled` or `left`. */
export function standing({ disabled, leftAt }: Person): string {
  if (disabled) return 'disabled';
  return leftAt === undefined ? 'active' : 'left';
}
