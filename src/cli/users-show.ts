import type { Audit, AuditRecord } from '../audit/audit.ts';
import type { DecisionRecord } from '../directory/decisions.ts';
import type { Directory, Person, RememberedAssertion, Retry } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { AttributeValue, Decision } from '../model/desired.ts';
import { whatToDo } from '../provisioning/remedies.ts';
import type { Io } from './io.ts';
import { onePerson } from './one-person.ts';
import { printable, tableLines, timeText } from './table.ts';
import { personJson, standing } from './users.ts';

/** Of what was decided about the person, the last. */
const RECENT = 10;
const DECISIONS: ReadonlySet<string> = new Set(['login.allowed', 'login.refused', 'session.refused']);

export interface UsersShowDeps
  extends Pick<Directory, 'people' | 'accounts' | 'ledger' | 'pins' | 'retries' | 'decisions'> {
  readonly audit: Pick<Audit, 'list'>;
  readonly mapping: Mapping;
  /** Names of all targets, and of all origins, of the config. */
  readonly targets: readonly string[];
  readonly origins: ReadonlySet<string>;
}

interface ShownAttribute {
  readonly name: string;
  readonly value: AttributeValue;
  readonly origin: string;
}

/** Everything that is known of one person. */
interface Story {
  readonly person: Person;
  readonly subjects: Awaited<ReturnType<Directory['people']['subjects']>>;
  readonly accounts: Awaited<ReturnType<Directory['accounts']['ofPerson']>>;
  readonly grants: Awaited<ReturnType<Directory['ledger']['ofPerson']>>;
  readonly pins: Awaited<ReturnType<Directory['pins']['ofPerson']>>;
  readonly said: readonly RememberedAssertion[];
  readonly attributes: readonly ShownAttribute[];
  readonly waiting: readonly Retry[];
  readonly recent: readonly AuditRecord[];
  /** The last login or refusal that is still kept. */
  readonly last: DecisionRecord | undefined;
}

/**
 * `latchgate users show U`: the whole story of one person. Who they are and who owns them; each attribute, and which
 * origin gave it; the subjects by which doors know them; the accounts; what was granted by which rule because of which
 * origin since when; what was pinned by whom; when each origin last spoke; what is held or waits, with what to do about it; and what was decided last, with
 * the request ids for `why`. Of claims only those that are attributes. Exit code 0. Throws `not_found`, `usage`. With
 * `json`, one object: the members of the list, and `owner`, `attributes`, `subjects`, `accounts`, `grants`, `pins`, `assertions`,
 * `waiting`, `held`, `recent`.
 */
export async function usersShow(
  who: string,
  options: { readonly json?: boolean },
  deps: UsersShowDeps,
  io: Io,
): Promise<number> {
  const story = await storyOf(await onePerson(deps, who, { partial: true }), deps);
  if (options.json === true) io.out(JSON.stringify(storyJson(story)));
  else for (const line of storyLines(story)) io.out(line);
  return 0;
}

async function storyOf(person: Person, deps: UsersShowDeps): Promise<Story> {
  const [subjects, accounts, grants, pins, said, waiting, recent] = await Promise.all([
    deps.people.subjects(person.id),
    deps.accounts.ofPerson(person.id),
    deps.ledger.ofPerson(person.id),
    deps.pins.ofPerson(person.id),
    deps.people.assertions(person.id),
    Promise.all(deps.targets.map((target) => deps.retries.get(person.id, target))),
    recentOf(person, deps),
  ]);
  const decided = recent.findLast(({ event, requestId }) => DECISIONS.has(event) && requestId !== undefined);
  return {
    person,
    subjects,
    accounts,
    grants,
    pins,
    said,
    attributes: attributesOf(person, said, deps),
    waiting: waiting.filter((one) => one !== undefined),
    recent,
    last: decided?.requestId === undefined ? undefined : await deps.decisions.get(decided.requestId),
  };
}

/** Oldest first. */
async function recentOf({ id }: Person, { audit }: Pick<UsersShowDeps, 'audit'>): Promise<readonly AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of audit.list({ person: id })) {
    if (!/^(login|session|person|account)\.|^change\.held$/.test(record.event)) continue;
    records.push(record);
    if (records.length > RECENT) records.shift();
  }
  return records;
}

function attributesOf(
  { id }: Person,
  said: readonly RememberedAssertion[],
  { mapping, origins }: Pick<UsersShowDeps, 'mapping' | 'origins'>,
): readonly ShownAttribute[] {
  const known = said.filter(({ origin }) => origins.has(origin));
  const speaking = known.filter(({ active }) => active);
  const [latest] = (speaking.length > 0 ? speaking : known).toSorted((a, b) => b.at.getTime() - a.at.getTime());
  if (latest === undefined) return [];
  const decision: Decision = mapping.map({ person: id, assertions: known, current: latest.origin });
  const givers = new Map(decision.trace.authority?.map(({ name, origin }) => [name, origin]));
  return Object.entries(decision.attributes)
    .map(([name, value]) => ({ name, value, origin: givers.get(name) ?? latest.origin }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

function storyJson(story: Story): Record<string, unknown> {
  const own = <T extends { person: string }>({ person: _, ...rest }: T) => rest;
  const { person, subjects, accounts, grants, pins, said, attributes, waiting, recent, last } = story;
  return {
    ...personJson(person),
    owner: person.owner ?? null,
    attributes,
    subjects,
    accounts: accounts.map(own),
    grants: grants.map(own),
    pins: pins.map(own),
    assertions: said.map(({ origin, issuer, subject, active, at }) => ({ origin, issuer, subject, active, at })),
    waiting: waiting.map(own),
    held: last?.held ?? [],
    recent: recent.map(({ at, event, actor, origin, target, key, code, requestId }) => {
      return { at, event, actor, origin, target, key, code, requestId };
    }),
  };
}

function storyLines(story: Story): readonly string[] {
  const { person, subjects, accounts, grants, pins, said, attributes } = story;
  return [
    ...headLines(person),
    ...section(
      'Attributes',
      ['NAME', 'VALUE', 'FROM'],
      attributes.map(({ name, value, origin }) => [name, valueText(value), origin]),
    ),
    ...section(
      'Subjects',
      ['ISSUER', 'SUBJECT', 'ORIGIN'],
      subjects.map(({ issuer, subject, origin }) => [issuer, subject, origin]),
    ),
    ...section(
      'Accounts',
      ['TARGET', 'USER NAME', 'ID', 'STATE', 'OURS', 'SINCE'],
      accounts.map(({ target, userName, accountId, state, created, updatedAt }) => {
        return [target, userName, accountId, state, created ? 'created' : 'linked', timeText(updatedAt)];
      }),
    ),
    ...section(
      'Grants',
      ['TARGET', 'KIND', 'NAME', 'SCOPE', 'RULE', 'ORIGIN', 'SINCE', ''],
      grants.map(({ target, kind, name, scope, rule, origin, since, confirmed }) => {
        return [target, kind, name, scope, rule, origin, timeText(since), confirmed ? '' : 'not confirmed yet'];
      }),
    ),
    ...(pins.length === 0 ? [] : pinLines(pins)),
    ...section(
      'Last said',
      ['ORIGIN', 'SUBJECT', 'ACTIVE', 'AT'],
      said.map(({ origin, subject, active, at }) => [origin, subject, active ? 'yes' : 'no', timeText(at)]),
    ),
    ...heldLines(story),
    ...recentLines(story),
  ];
}

function headLines(person: Person): readonly string[] {
  const { owner, leftAt, disabledAt } = person;
  return [
    `${printable(person.displayName)}  ${person.id}  ${standing(person)}`,
    ...(person.email === undefined ? [] : [printable(person.email)]),
    ...(owner === undefined ? [] : [`owned by ${printable(owner)}: gone there is gone everywhere`]),
    ...(leftAt === undefined
      ? []
      : [`left at ${timeText(leftAt)}, by the word of ${printable(owner ?? '?')}: no door lets them in`]),
    ...(disabledAt === undefined
      ? []
      : [`disabled at ${timeText(disabledAt)}: latchgate users enable ${person.id} lets them in again`]),
  ];
}

function pinLines(pins: Story['pins']): readonly string[] {
  return section(
    'Pinned',
    ['TARGET', 'KIND', 'NAME', 'SCOPE', 'EFFECT', 'BY', 'SINCE', 'REASON'],
    pins.map((pin) => [pin.target, pin.kind, pin.name, pin.scope, pin.effect, pin.by, timeText(pin.at), pin.reason]),
  );
}

function heldLines({ person, waiting, last }: Story): readonly string[] {
  const tried = waiting.map(
    ({ target, code, attempts, dueAt }) =>
      `${target}: not done (${code}), attempt ${attempts + 1} at ${timeText(dueAt)}`,
  );
  const held = (last?.held ?? []).map(({ target, op, type, key, entitlement, reason, code }) => {
    const about = entitlement === undefined ? '' : ` ${entitlement.kind} ${entitlement.name}`;
    return `${target}: held: ${op} ${type} ${key}${about}: ${reason} (${code})`;
  });
  const refused =
    last?.outcome === 'allow' || last?.code === undefined ? [] : [`the last login: refused (${last.code})`];
  const todo = last === undefined ? [] : whatToDo({ ...last, person: person.id });
  const lines = [...tried, ...held, ...refused, ...todo];
  return ['', 'Held or waiting', ...(lines.length === 0 ? ['none'] : lines).map((line) => `  ${printable(line)}`)];
}

function recentLines({ recent }: Story): readonly string[] {
  const rows = recent.map(({ at, event, origin, actor, target, key, code, requestId }) => {
    return [timeText(at), event, origin ?? actor, target ?? key, code, requestId];
  });
  const lines = section('Recently', ['AT', 'WHAT', 'BY', 'ABOUT', 'CODE', 'REQUEST'], rows);
  return rows.length === 0
    ? lines
    : [...lines, '  latchgate why REQUEST says why; latchgate audit list --user has all of it'];
}

function valueText(value: AttributeValue): string {
  if (value === null) return '(empty)';
  return typeof value === 'object' ? value.join(', ') : String(value);
}

function section(title: string, head: readonly string[], rows: readonly (readonly (string | undefined)[])[]): string[] {
  return ['', title, ...(rows.length === 0 ? ['none'] : tableLines(head, rows)).map((line) => `  ${line}`)];
}
