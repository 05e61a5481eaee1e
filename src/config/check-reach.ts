import type { Pattern } from '../mapping/patterns.ts';
import { type Finding, type Path, showPath } from './complaint.ts';
import { type ConditionLine, canMeet, linesOf, tryPattern } from './conditions.ts';
import { type Checked, type Declared, originNames } from './declared.ts';
import type { Config } from './schema.ts';

type Rules = Config['rules'];
type Groups = Config['groups'];

/** Rules and routes that nobody can ever fit, and rules that are in each other's way. */
export function checkReach(config: Partial<Config>, declared: Declared): Checked {
  const complaints: Finding[] = [];
  const warnings: Finding[] = [];
  const blocks: [Path, Config['rules'][string]['when']][] = [
    ...Object.entries(config.rules ?? {}).map(([name, rule]): [Path, typeof rule.when] => [
      ['rules', name, 'when'],
      rule.when,
    ]),
    ...(config.routes ?? []).map((route, index): [Path, typeof route.when] => [['routes', index, 'when'], route.when]),
  ];
  for (const [path, when] of blocks) {
    const lines = linesOf(when, path);
    complaints.push(...attributeOfOtherLogin(lines, declared));
    if (config.groups === undefined) continue;
    for (const line of lines.filter((one) => one.attribute === 'groups')) {
      const { dead, all } = deadGroups(line, config.groups);
      (all && !line.negated ? complaints : warnings).push(...dead);
    }
  }
  if (config.groups !== undefined) complaints.push(...deadRenames(config.groups));
  const twins = sameCondition(config.rules ?? {});
  return {
    complaints: [...complaints, ...denied(config.rules ?? {}), ...twins.complaints],
    warnings: [...warnings, ...twins.warnings],
  };
}

/** Values of a `groups` line that `groups` never lets in; `all` says that the whole line is dead. */
function deadGroups(line: ConditionLine, groups: Groups): { readonly dead: readonly Finding[]; readonly all: boolean } {
  const dead = line.values.flatMap((value, index): Finding[] => {
    const pattern = tryPattern(value);
    const why = pattern === undefined ? undefined : whyDead(pattern, groups);
    if (why === undefined) return [];
    return [
      {
        path: [...line.path, index],
        code: 'unreachable',
        message: `${showPath(line.path)} never holds: ${why.message}`,
        hint: why.hint,
      },
    ];
  });
  return { dead, all: dead.length === line.values.length };
}

function whyDead(pattern: Pattern, groups: Groups): { readonly message: string; readonly hint: string } | undefined {
  const allow = groups.allow.flatMap((line) => tryPattern(line) ?? []);
  if (allow.length < groups.allow.length) return undefined;
  if (!allow.some((line) => canMeet(line, pattern))) {
    return { message: 'no line of `groups.allow` lets such a group in', hint: 'add it to groups.allow' };
  }
  if (pattern.kind !== 'exact') return undefined;
  const isResult = Object.values(groups.rename).includes(pattern.text);
  const renamed = Object.hasOwn(groups.rename, pattern.text) ? groups.rename[pattern.text] : undefined;
  if (renamed !== undefined && !isResult)
    return { message: '`groups.rename` gives this group another name first', hint: 'write the new name' };
  if (groups.strip !== '' && pattern.text.startsWith(groups.strip) && !isResult) {
    return { message: '`groups.strip` has dropped the beginning by then', hint: 'write the group without it' };
  }
  return undefined;
}

function deadRenames(groups: Groups): readonly Finding[] {
  const allow = groups.allow.flatMap((line) => tryPattern(line) ?? []);
  if (allow.length < groups.allow.length) return [];
  return Object.entries(groups.rename).flatMap(([from, to]): Finding[] => {
    const path = ['groups', 'rename', from];
    if (allow.some((line) => line.match(to) !== undefined)) return [];
    return [
      {
        path,
        code: 'unreachable',
        message: 'no line of `groups.allow` lets the new name in',
        hint: 'groups.allow sees names after strip and rename: add the new name there',
      },
    ];
  });
}

/** `origin` says from which login or source people come; what that one does not define nobody of it has. */
function attributeOfOtherLogin(lines: readonly ConditionLine[], declared: Declared): readonly Finding[] {
  const top = lines.filter((line) => !line.negated);
  const origins = top.find((line) => line.attribute === 'origin');
  if (origins === undefined) return [];
  const possible = [...originNames(declared)].filter((login) =>
    origins.patterns.some((pattern) => pattern.match(login) !== undefined),
  );
  const somewhere = new Set([...declared.attributes.values()].flatMap((names) => [...names]));
  return top.flatMap((line): Finding[] => {
    if (line.attribute === 'origin' || possible.length === 0 || !somewhere.has(line.attribute)) return [];
    if (possible.some((login) => declared.attributes.get(login)?.has(line.attribute))) return [];
    const message = `${showPath(line.path)} never holds: ${possible.map((name) => `\`${placeOf(name, declared)}\``).join(' and ')} does not define the attribute ${line.attribute}`;
    return [
      {
        path: line.path,
        at: 'key',
        code: 'unreachable',
        message,
        hint: `name its claim in ${placeOf(possible[0] ?? '', declared)}.claims`,
      },
    ];
  });
}

function placeOf(origin: string, declared: Declared): string {
  if (declared.logins.has(origin)) return `login.${origin}`;
  return declared.sources.has(origin) ? `sources.${origin}` : `scim.clients.${origin}`;
}

/** Whoever fits the grant also fits the denial: every line of the denial is there, with no fewer values. */
function denied(rules: Rules): readonly Finding[] {
  const entries = Object.entries(rules);
  return entries.flatMap(([name, rule]): Finding[] => {
    if (rule.grant === undefined) return [];
    const by = entries.find(([, other]) => other.deny !== undefined && isWithin(rule.when, other.when));
    if (by === undefined || canonical(rule.when) === canonical(by[1].when)) return [];
    const message = `\`rules.${name}\` never gives anything: whoever it fits is denied by \`rules.${by[0]}\``;
    return [
      {
        path: ['rules', name],
        at: 'key',
        code: 'unreachable',
        message,
        hint: 'deny beats every grant; narrow the one or take out the other',
      },
    ];
  });
}

function isWithin(inner: Rules[string]['when'], outer: Rules[string]['when']): boolean {
  return Object.entries(outer ?? {}).every(([attribute, values]) => {
    const narrower = inner?.[attribute];
    if (values === undefined) return true;
    if (Array.isArray(values) && Array.isArray(narrower)) return narrower.every((value) => values.includes(value));
    return narrower !== undefined && canonical(narrower) === canonical(values);
  });
}

function sameCondition(rules: Rules): Checked {
  const first = new Map<string, string>();
  const complaints: Finding[] = [];
  const warnings: Finding[] = [];
  for (const [name, rule] of Object.entries(rules)) {
    const key = canonical(rule.when);
    const other = first.get(key);
    if (other === undefined) first.set(key, name);
    if (other === undefined) continue;
    const oneDenies = (rule.deny === undefined) !== (rules[other]?.deny === undefined);
    const message = `\`rules.${name}\` fits the same people as \`rules.${other}\``;
    const finding = { path: ['rules', name], at: 'key', code: 'duplicate_rule' } as const;
    if (oneDenies)
      complaints.push({
        ...finding,
        message: `${message}, and one of the two denies`,
        hint: 'deny beats every grant: take one out',
      });
    else warnings.push({ ...finding, message, hint: 'join the two' });
  }
  return { complaints, warnings };
}

/** The same text for conditions that differ in the order of keys or values alone. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return JSON.stringify([...value].sort());
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`)
    .sort()
    .join()}}`;
}
