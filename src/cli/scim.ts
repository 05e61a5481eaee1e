import type { Audit } from '../audit/audit.ts';
import type { Config } from '../config/schema.ts';
import type { Database } from '../directory/database.ts';
import type { Directory } from '../directory/directory.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import { approveDeletions, heldDeletions } from '../scim/store/held.ts';
import { createTokens, type StoredToken } from '../scim/store/tokens.ts';
import type { Io } from './io.ts';
import { tableLines, timeText } from './table.ts';

const OPERATOR = 'operator';
const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

export interface ScimCommandDeps extends Pick<Directory, 'accounts' | 'retries'> {
  readonly database: Database;
  readonly audit: Pick<Audit, 'append'>;
  readonly clock: Clock;
  readonly scim: Config['scim'];
}

interface ScimOptions {
  readonly client?: string;
  readonly expires?: string;
  readonly json?: boolean;
}

/**
 * `latchgate scim token --client NAME`: makes a token and prints it, alone on standard output: it is shown this once, and
 * only its hash is kept. `--expires 90d` or a date. Exit code 0. Throws `usage`, `scim_tokens_full`. With `json`: `id`,
 * `client`, `token`, `expiresAt` (null: never).
 */
export async function scimToken(options: ScimOptions, deps: ScimCommandDeps, io: Io): Promise<number> {
  const client = knownClient(options.client, deps);
  const expiresAt = options.expires === undefined ? undefined : endOf(options.expires, deps.clock.now());
  const { token, stored } = await createTokens(deps.database, deps.clock).make(client, expiresAt);
  await deps.audit.append([{ event: 'scim.token.created', actor: OPERATOR, origin: client, key: stored.id }]);
  if (options.json === true) {
    io.out(JSON.stringify({ id: stored.id, client, token, expiresAt: stored.expiresAt ?? null }));
    return 0;
  }
  io.out(token);
  const end = stored.expiresAt === undefined ? 'does not run out' : `runs out ${timeText(stored.expiresAt)}`;
  io.err(`${stored.id} of ${client}: shown this once; ${end}`);
  return 0;
}

/** `latchgate scim tokens`: the tokens that were made so, oldest first. Exit code 0. With `json`, one object a line. */
export async function scimTokens(options: ScimOptions, deps: ScimCommandDeps, io: Io): Promise<number> {
  const now = deps.clock.now();
  const tokens = await createTokens(deps.database, deps.clock).list(options.client);
  if (options.json === true) {
    for (const token of tokens) io.out(JSON.stringify(tokenJson(token, now)));
    return 0;
  }
  const time = (at: Date | undefined) => (at === undefined ? undefined : timeText(at));
  const rows = tokens.map((token) => [
    token.id,
    token.client,
    isOver(token, now) ? 'over' : 'good',
    timeText(token.createdAt),
    time(token.lastUsedAt),
    time(token.expiresAt) ?? 'never',
  ]);
  for (const line of tableLines(['ID', 'CLIENT', 'STATUS', 'MADE', 'LAST USED', 'RUNS OUT'], rows)) io.out(line);
  return 0;
}

/** `latchgate scim revoke ID`: within a second no instance takes the token any more. Exit code 0. Throws `not_found`. */
export async function scimRevoke(id: string, options: ScimOptions, deps: ScimCommandDeps, io: Io): Promise<number> {
  const { client } = await createTokens(deps.database, deps.clock).revoke(id);
  await deps.audit.append([{ event: 'scim.token.revoked', actor: OPERATOR, origin: client, key: id }]);
  io.out(options.json === true ? JSON.stringify({ id, client }) : `${id} of ${client} is not taken any more`);
  return 0;
}

/** `latchgate scim held`: whose accounts a client would have deleted beyond what the brake allows. Exit code 0. */
export async function scimHeld(options: ScimOptions, deps: ScimCommandDeps, io: Io): Promise<number> {
  const held = await heldDeletions(deps.database);
  if (options.json === true) {
    for (const one of held) io.out(JSON.stringify(one));
    return 0;
  }
  const rows = held.map(({ client, person, at }) => [client, person, timeText(at)]);
  for (const line of tableLines(['CLIENT', 'PERSON', 'SINCE'], rows)) io.out(line);
  return 0;
}

/** `latchgate scim approve --client NAME`: those accounts are deleted; a running `serve` does it. Exit code 0. */
export async function scimApprove(options: ScimOptions, deps: ScimCommandDeps, io: Io): Promise<number> {
  const client = knownClient(options.client, deps);
  const people = await approveDeletions(deps.database, client);
  const now = new Date(deps.clock.now());
  for (const person of people) {
    for (const { target } of await deps.accounts.ofPerson(person)) {
      await deps.retries.put(person, target, 'target_pending', now);
    }
  }
  const entry = { event: 'scim.deletions_approved', actor: OPERATOR, origin: client };
  if (people.length > 0) await deps.audit.append(people.map((person) => ({ ...entry, person })));
  const count = people.length === 1 ? 'one person' : `${people.length} people`;
  io.out(options.json === true ? JSON.stringify({ client, people }) : `the accounts of ${count} are being deleted`);
  return 0;
}

function knownClient(name: string | undefined, { scim }: ScimCommandDeps): string {
  const clients = Object.keys(scim?.clients ?? {});
  if (name !== undefined && clients.includes(name)) return name;
  const known = clients.length === 0 ? 'the config has none' : `the clients are ${clients.join(', ')}`;
  throw new LatchgateError('usage', `--client names no SCIM client: ${known}`);
}

/** `90d`, `12h`, or a date. */
function endOf(text: string, now: number): Date {
  const [, number, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const end = number === undefined ? Date.parse(text) : now + Number(number) * (UNITS_MS[unit] ?? 0);
  if (Number.isNaN(end) || end <= now) {
    throw new LatchgateError('usage', '--expires is how long the token holds (90d, 12h), or a date to come');
  }
  return new Date(end);
}

function isOver({ expiresAt }: StoredToken, now: number): boolean {
  return expiresAt !== undefined && expiresAt.getTime() <= now;
}

function tokenJson(token: StoredToken, now: number): Record<string, unknown> {
  const { id, client, createdAt, lastUsedAt, expiresAt } = token;
  return {
    id,
    client,
    over: isOver(token, now),
    createdAt,
    lastUsedAt: lastUsedAt ?? null,
    expiresAt: expiresAt ?? null,
  };
}
