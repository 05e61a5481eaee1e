import { quote } from '../mapping/visible.ts';
import type { Because, PreviewChange } from './compare.ts';
import { gains, gainsPrivileged, isShutOut, loses, type Preview, type PreviewPerson } from './outcome.ts';

/** People for whom the same changes. */
export interface Alike {
  readonly changes: readonly PreviewChange[];
  readonly shutOut: PreviewPerson['shutOut'];
  readonly letIn: boolean;
  readonly people: readonly PreviewPerson[];
}

export interface PreviewSection {
  readonly title: string;
  readonly isBad: boolean;
  readonly people: number;
  readonly alike: readonly Alike[];
}

const SECTIONS: readonly (readonly [title: string, isBad: boolean, fits: (person: PreviewPerson) => boolean])[] = [
  ['Would gain something privileged', true, gainsPrivileged],
  ['Would be shut out', true, isShutOut],
  ['Would lose something', true, loses],
  ['Would gain something', false, gains],
  ['Would get another profile', false, () => true],
];

/** What a reader has to see first comes first; everybody is in one section. */
export function outlineOf({ people }: Preview): readonly PreviewSection[] {
  const left = new Set(people);
  return SECTIONS.flatMap(([title, isBad, fits]) => {
    const here = [...left].filter(fits);
    for (const person of here) left.delete(person);
    return here.length === 0 ? [] : [{ title, isBad, people: here.length, alike: together(here) }];
  });
}

function together(people: readonly PreviewPerson[]): readonly Alike[] {
  const groups = new Map<string, PreviewPerson[]>();
  for (const person of people) {
    const key = JSON.stringify([person.changes, person.shutOut ?? null, person.letIn]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [person]);
    else group.push(person);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined
      ? []
      : [{ changes: first.changes, shutOut: first.shutOut, letIn: first.letIn, people: group }];
  });
}

/** `+ superset: role "Alpha"`, without its reason. `mark` writes a name so that it is taken for nothing else. */
export function changeText(
  { op, target, entitlement, fields = [] }: PreviewChange,
  mark: (text: string) => string = quote,
): string {
  if (op === 'update') return `${SIGN[op]} ${mark(target)}: writes ${fields.join(', ')} anew`;
  if (entitlement === undefined) return `${SIGN[op]} ${mark(target)}: ${ACCOUNT[op] ?? op}`;
  const { kind, name, label, scope } = entitlement;
  return `${SIGN[op]} ${mark(target)}: ${kind} ${mark(label ?? name)}${scope === undefined ? '' : ` on ${mark(scope)}`}`;
}

const SIGN: Readonly<Record<PreviewChange['op'], string>> = {
  create: '+',
  open: '+',
  grant: '+',
  revoke: '-',
  close: '-',
  delete: '-',
  refuse: '-',
  update: '~',
};

const ACCOUNT: Partial<Record<PreviewChange['op'], string>> = {
  create: 'a new account',
  open: 'may be used again, with what the account has',
  close: 'not to be used any more',
  delete: 'the account is deleted',
  refuse: 'not let in; the account stays as it is',
};

/** `by rule analysts (staff)`, `was by rule analysts (staff)`, or the code of a refusal. */
export function reasonText({ before, after, code }: PreviewChange): string {
  const parts = [
    ...(before === null ? [] : [`was by ${ruleText(before)}`]),
    ...(after === null ? [] : [`by ${ruleText(after)}`]),
    ...(code === undefined ? [] : [code]),
  ];
  return parts.join(', ');
}

function ruleText({ rule, origin }: Because): string {
  return `${rule === 'default' ? 'the default' : `rule ${rule}`}${origin === '' ? '' : ` (${origin})`}`;
}

/** Why somebody is not let in anywhere any more. */
export function outText({ code, rule, message }: NonNullable<PreviewPerson['shutOut']>): string {
  const by = rule === undefined ? '' : ` by rule ${rule}`;
  return `not let in at all: ${code}${by}${message === undefined ? '' : `: ${message}`}`;
}

export function countsText({ summary, looked }: Preview): string {
  const { gain, lose, shutOut, privileged, profile, otherRule } = summary;
  const parts = [
    `${gain} would gain something`,
    ...(privileged === 0 ? [] : [`${privileged} of them something privileged`]),
    `${lose} would lose something`,
    `${shutOut} would be shut out`,
    ...(profile === 0 ? [] : [`${profile} would get another profile`]),
    ...(otherRule === 0 ? [] : [`${otherRule} would keep what they have by another rule or origin`]),
  ];
  return `of ${looked} people ${parts.join(', ')}`;
}
