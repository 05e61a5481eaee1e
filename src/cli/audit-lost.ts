import type { Audit } from '../audit/audit.ts';
import type { Database } from '../directory/database.ts';
import type { Directory } from '../directory/directory.ts';
import { entitlementKey } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import { type KeptRecord, type Lost, lostRecords, whatWasLost } from '../review/lost.ts';
import { createTokens } from '../scim/store/tokens.ts';
import { readTextFile } from './files.ts';
import type { Io } from './io.ts';
import { printable } from './table.ts';

export interface AuditLostDeps {
  readonly audit: Pick<Audit, 'list'>;
  readonly directory: Pick<Directory, 'people' | 'pins'>;
  readonly database: Database;
  readonly clock: Clock;
}

/**
 * `latchgate audit lost FILE`: for a database that was restored: what FILE, the audit as `audit export` wrote it or a receiver of
 * `audit.deliver` got it (a record or CloudEvents a line), says was decided since and is not so here. Writes nothing: prints the
 * commands that decide it again, and as comments what is left to do by hand. Exit code 0. Throws `not_found`, `usage`. With
 * `json`: `lost` (records), `commands` (each a list of arguments of latchgate) and `byHand`.
 */
export async function auditLost(
  file: string,
  options: { readonly json?: boolean },
  deps: AuditLostDeps,
  io: Io,
): Promise<number> {
  const lost = whatWasLost(await lostRecords(keptRecords(file), deps.audit.list({})));
  const commands: (readonly string[])[] = lost.records === 0 ? [] : [['sessions', 'end', '--all']];
  const byHand: string[] = [];
  await addPeople(lost, deps, commands, byHand);
  await addTokens(lost, deps, commands);
  await addPins(lost, deps, commands, byHand);
  for (const client of lost.newTokens)
    byHand.push(`${client}: its new token is gone: latchgate scim token, and give it to it`);
  for (const client of lost.pushed) byHand.push(`${client}: let it push everybody and every group once more`);
  for (const person of lost.linked) byHand.push(`${person}: was linked or unlinked: see its records, and do it again`);
  if (options.json === true) {
    io.out(JSON.stringify({ lost: lost.records, commands, byHand }));
    return 0;
  }
  for (const command of commands) io.out(['latchgate', ...command].map(shellWord).join(' '));
  for (const text of byHand) io.out(`# ${printable(text)}`);
  io.err(lost.records === 1 ? '1 record of it is not here' : `${lost.records} records of it are not here`);
  return 0;
}

async function addPeople(
  { out }: Lost,
  { directory }: AuditLostDeps,
  commands: (readonly string[])[],
  byHand: string[],
): Promise<void> {
  for (const [id, isOut] of out) {
    const person = await directory.people.get(id);
    if (person === undefined) {
      if (isOut) byHand.push(`${id}: is out, and not known here: disable them when they come, or where they log in`);
    } else if (isOut && !person.disabled && person.leftAt === undefined) commands.push(['users', 'disable', id]);
    else if (!isOut && person.disabled) commands.push(['users', 'enable', id]);
  }
}

async function addTokens(
  { revoked }: Lost,
  { database, clock }: AuditLostDeps,
  commands: (readonly string[])[],
): Promise<void> {
  const tokens = new Set((await createTokens(database, clock).list()).map(({ id }) => id));
  for (const id of revoked) if (tokens.has(id)) commands.push(['scim', 'revoke', id]);
}

async function addPins(
  { pins }: Lost,
  { directory }: AuditLostDeps,
  commands: (readonly string[])[],
  byHand: string[],
): Promise<void> {
  for (const { event, person = '', target = '', key = '', after } of pins) {
    const effect = (after as { readonly effect?: unknown } | undefined)?.effect;
    let there: string | undefined;
    for await (const page of directory.pins.ofTarget(target, [person])) {
      there = page.find((pin) => entitlementKey(pin) === key)?.effect ?? there;
    }
    if (event === 'pin.lifted') {
      const grant = ['--user', person, '--target', target, '--entitlement', key];
      if (there !== undefined) commands.push(['pins', 'lift', ...grant]);
    } else if (there !== effect) {
      const again = effect === 'withheld' ? `revoke it by latchgate review --target ${target}` : 'see its record';
      byHand.push(`${person}: ${key} of ${target} was pinned as ${String(effect)}: ${again}`);
    }
  }
}

function keptRecords(file: string): readonly KeptRecord[] {
  const records = readTextFile(file)
    .split('\n')
    .flatMap((line, index) => (line.trim() === '' ? [] : recordsOf(line, index + 1)));
  // An export that failed says nothing, and not that nothing was lost.
  if (records.length === 0) throw new LatchgateError('usage', `${file} has no record of an audit in it`);
  return records;
}

function recordsOf(line: string, number: number): readonly KeptRecord[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw new LatchgateError('usage', `line ${number} is not JSON: it takes what audit export writes`);
  }
  return (Array.isArray(parsed) ? parsed : [parsed]).map((one) => {
    const record = isObject(one) && isObject(one['data']) ? one['data'] : one;
    if (!isKept(record)) throw new LatchgateError('usage', `line ${number} is no record of an audit`);
    return record;
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isKept(value: unknown): value is KeptRecord {
  if (!isObject(value)) return false;
  const { seq, hash, event } = value;
  const isText = (name: string): boolean => value[name] === undefined || typeof value[name] === 'string';
  const texts = ['person', 'target', 'origin', 'key'].every(isText);
  return Number.isSafeInteger(seq) && typeof hash === 'string' && typeof event === 'string' && texts;
}

/** For a POSIX shell: what is in a file must not become a command. */
function shellWord(text: string): string {
  const shown = printable(text);
  return /^[\w@%+=:,./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
}
