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
 * `latchgate users show U`: the person, the subjects, the accounts in the targets, what was granted by which rule
 * because of which origin since when, what was pinned by whom, and when each origin last spoke. Never claims. Exit code 0. Throws `not_found`,
 * `usage`. With `json`, one object: the members of the list, and `subjects`, `accounts`, `grants`, `pins`, `assertions`.
 */
export async function usersShow(who: string, options: JsonOption, deps: UsersDeps, io: Io): Promise<number> {
  const person = await onePerson(deps, who, { partial: true });
  const [subjects, accounts, grants, pins, said] = await Promise.all([
    deps.people.subjects(person.id),
    deps.accounts.ofPerson(person.id),
    deps.ledger.ofPerson(person.id),
    deps.pins.ofPerson(person.id),
    deps.people.assertions(person.id),
  ]);
  if (options.json === true) {
    const assertions = said.map(({ origin, issuer, subject, active, at }) => ({ origin, issuer, subject, active, at }));
    const own = <T extends { person: string }>({ person: _, ...rest }: T) => rest;
    io.out(
      JSON.stringify({
        ...personJson(person),
        subjects,
        accounts: accounts.map(own),
        grants: grants.map(own),
        pins: pins.map(own),
        assertions,
      }),
    );
    return 0;
  }
  io.out(`${printable(person.displayName)}  ${person.id}  ${standing(person)}`);
  if (person.email !== undefined) io.out(printable(person.email));
  section(
    io,
    'Subjects',
    ['ISSUER', 'SUBJECT', 'ORIGIN'],
    subjects.map(({ issuer, subject, origin }) => [issuer, subject, origin]),
  );
  section(
    io,
    'Accounts',
    ['TARGET', 'USER NAME', 'ID', 'STATE', 'OURS', 'SINCE'],
    accounts.map((account) => [
      account.target,
      account.userName,
      account.accountId,
      account.state,
      account.created ? 'created' : 'linked',
      timeText(account.updatedAt),
    ]),
  );
  section(
    io,
    'Grants',
    ['TARGET', 'KIND', 'NAME', 'SCOPE', 'RULE', 'ORIGIN', 'SINCE', ''],
    grants.map((grant) => [
      grant.target,
      grant.kind,
      grant.name,
      grant.scope,
      grant.rule,
      grant.origin,
      timeText(grant.since),
      grant.confirmed ? '' : 'not confirmed yet',
    ]),
  );
  if (pins.length > 0) {
    section(
      io,
      'Pinned',
      ['TARGET', 'KIND', 'NAME', 'SCOPE', 'EFFECT', 'BY', 'SINCE', 'REASON'],
      pins.map((pin) => [pin.target, pin.kind, pin.name, pin.scope, pin.effect, pin.by, timeText(pin.at), pin.reason]),
    );
  }
  section(
    io,
    'Last said',
    ['ORIGIN', 'SUBJECT', 'ACTIVE', 'AT'],
    said.map(({ origin, subject, active, at }) => [origin, subject, active ? 'yes' : 'no', timeText(at)]),
  );
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
    if (status === 'failed') io.err(`${target}: not done yet (${code}); it is tried again in the background`);
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

function personJson(person: Person): Record<string, unknown> {
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

function standing({ disabled, leftAt }: Person): string {
  if (disabled) return 'disabled';
  return leftAt === undefined ? 'active' : 'left';
}

function section(io: Io, title: string, head: readonly string[], rows: readonly (string | undefined)[][]): void {
  io.out('');
  io.out(title);
  if (rows.length === 0) io.out('  none');
  else for (const line of tableLines(head, rows)) io.out(`  ${line}`);
}
