import type { GroupTrace } from '../model/desired.ts';
import { type ClaimName, findClaim, isObject } from './claims.ts';
import { commonNameOf, type DistinguishedName, isUnder, parseDistinguishedName } from './distinguished-name.ts';
import { firstUnknown, unknownNote } from './not-recorded.ts';
import { compilePattern } from './patterns.ts';
import type { Refusal } from './refusal.ts';
import type { GroupsConfig } from './schema.ts';
import { isLongerThan, isUnclean, MAX_NAME_CHARACTERS, shapeOf } from './wellformed.ts';

/** Mark in claims: groups were left out, and who has them does not answer. */
export const GROUPS_UNHEARD = 'latchgate:groups_unheard';

/** What an origin said of a person's groups: a list (perhaps empty), nothing, or something that can't be trusted. */
export type SentGroups =
  | { readonly kind: 'list'; readonly values: readonly string[] }
  | { readonly kind: 'absent' }
  /** Left out, and where they are nobody answers. */
  | { readonly kind: 'unheard' }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export interface ReadGroupsOptions {
  readonly names: readonly ClaimName[];
  /** Splits one text into several groups; undefined: one text is one group. */
  readonly separator: string | undefined;
  readonly max: number;
  /** `cn`: groups may be distinguished names, which are longer, and hold a separator behind a backslash. */
  readonly dn?: GroupsConfig['dn'];
}

/** Longest distinguished name, in characters. */
const MAX_DN_CHARACTERS = 2_048;

/** Reads the groups of a set of claims, raw. A list is exactly these, one text is one group, other shapes are refused. */
export function readGroups(claims: Readonly<Record<string, unknown>>, options: ReadGroupsOptions): SentGroups {
  const leftOut = leftOutGroups(claims, options.names);
  if (leftOut !== undefined) {
    const isUnheard = Object.hasOwn(claims, GROUPS_UNHEARD) && claims[GROUPS_UNHEARD] === true;
    return isUnheard ? { kind: 'unheard' } : { kind: 'refused', refusal: overage(leftOut) };
  }
  const unknown = firstUnknown(claims, options.names);
  if (unknown !== undefined) return refused('claim_not_recorded', unknownNote('groups', unknown));
  const found = findClaim(claims, options.names);
  return found === undefined ? { kind: 'absent' } : checkShape(found.value, options);
}

/** The claim that would have the groups if the provider had not left it out; undefined: it left out none that counts. */
export function leftOutGroups(
  claims: Readonly<Record<string, unknown>>,
  names: readonly ClaimName[],
): string | undefined {
  const leftOut = leftOutNames(claims);
  const first = names.find((name) => findClaim(claims, [name]) !== undefined || isLeftOut(name.name, leftOut));
  return first === undefined || findClaim(claims, [first]) !== undefined ? undefined : first.name;
}

/** Checks groups that arrived on an earlier occasion by the same rules. */
export function checkGroups(values: readonly string[], options: Pick<ReadGroupsOptions, 'max' | 'dn'>): SentGroups {
  return checkShape(values, { ...options, names: [], separator: undefined });
}

const NOTHING_LEFT_OUT: ReadonlySet<string> = new Set();

/**
 * Claims that the provider left out on purpose: `_claim_names` (OIDC Core §5.6.2) and Entra's `hasgroups`, which
 * stands for `groups` in tokens of the implicit flow.
 */
function leftOutNames(claims: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const isWhole = !Object.hasOwn(claims, '_claim_names') && !Object.hasOwn(claims, 'hasgroups');
  if (isWhole) return NOTHING_LEFT_OUT;
  const names = new Set<string>();
  const claimNames = Object.hasOwn(claims, '_claim_names') ? claims['_claim_names'] : undefined;
  if (isObject(claimNames)) for (const name of Object.keys(claimNames)) names.add(name);
  const hasGroups = Object.hasOwn(claims, 'hasgroups') ? claims['hasgroups'] : undefined;
  if (hasGroups === true || hasGroups === 'true' || hasGroups === 1) names.add('groups');
  return names;
}

function isLeftOut(name: string, leftOut: ReadonlySet<string>): boolean {
  // Entra's SAML name of the claim is a URI that ends in /groups.
  return leftOut.has(name) || (name.endsWith('/groups') && leftOut.has('groups'));
}

function overage(name: string): Refusal {
  return {
    code: 'groups_overage',
    note: `groups: the provider left ${name} out because there are too many; that is neither "none" nor "not sent"`,
  };
}

function checkShape(value: unknown, options: ReadGroupsOptions): SentGroups {
  const values = typeof value === 'string' ? splitText(value, options) : value;
  if (!Array.isArray(values))
    return refused('groups_invalid', `groups: neither a list nor a text, but ${shapeOf(value)}`);
  if (values.length > options.max) {
    return refused('groups_too_many', `groups: ${values.length} of them, and groups.max is ${options.max}`);
  }
  const longest = options.dn === 'cn' ? MAX_DN_CHARACTERS : MAX_NAME_CHARACTERS;
  for (let index = 0; index < values.length; index += 1) {
    const group: unknown = values[index];
    if (typeof group !== 'string' || isUnclean(group) || isLongerThan(group, longest)) {
      return refused('groups_invalid', `groups: item ${index + 1} of ${values.length} is ${shapeOf(group)}`);
    }
  }
  const texts = values as readonly string[];
  return { kind: 'list', values: texts.length < 2 ? texts : [...new Set(texts)] };
}

/** An empty text is "no groups": that is what providers send who join a list of none. */
function splitText(text: string, { separator, dn }: ReadGroupsOptions): readonly string[] {
  const parts = separator === undefined ? [text] : text.split(separator);
  const whole = dn === 'cn' && separator !== undefined ? rejoinEscaped(parts, separator) : parts;
  return (separator === undefined ? whole : whole.map((part) => part.trim())).filter((part) => part !== '');
}

/** RFC 4514 §2.4: a separator behind a backslash is one of the value. */
function rejoinEscaped(parts: readonly string[], separator: string): readonly string[] {
  const whole: string[] = [];
  let isOpen = false;
  for (const part of parts) {
    if (isOpen) whole.push(`${whole.pop()}${separator}${part}`);
    else whole.push(part);
    const backslashes = /\\*$/.exec(part)?.[0].length ?? 0;
    isOpen = backslashes % 2 === 1;
  }
  return whole;
}

function refused(code: Refusal['code'], note: string): SentGroups {
  return { kind: 'refused', refusal: { code, note } };
}

/** As many different lists of groups are kept with what came of them. */
const FILTERED_KEPT = 1_000;

export interface FilteredGroups {
  /** After strip, rename and allow; without repeats, in the order in which they arrived. */
  readonly names: readonly string[];
  readonly trace: readonly GroupTrace[];
}

export type GroupFilter = (values: readonly string[]) => FilteredGroups;

/** Compiles dn, strip, rename and allow, which work in this order. Throws `config_invalid` for a bad pattern. */
export function compileGroupFilter(
  config: Pick<GroupsConfig, 'strip' | 'rename' | 'allow'> & Partial<Pick<GroupsConfig, 'dn' | 'dn_under'>>,
): GroupFilter {
  const allow = config.allow.map(compilePattern);
  const rename = new Map(Object.entries(config.rename));
  const nameIn = config.dn === 'cn' ? compileCommonName(config.dn_under ?? []) : (value: string) => value;
  const decide = (value: string): GroupTrace => {
    const text = nameIn(value);
    if (typeof text !== 'string') return { value, name: value, kept: false, by: text.why };
    const stripped = config.strip !== '' && text.startsWith(config.strip) ? text.slice(config.strip.length) : text;
    const name = rename.get(stripped) ?? stripped;
    if (name === '') return { value, name, kept: false, by: 'empty' };
    const line = allow.findIndex((pattern) => pattern.match(name) !== undefined);
    if (line === -1) return { value, name, kept: false, by: 'no line of groups.allow fits' };
    return { value, name, kept: true, by: `groups.allow[${line}]` };
  };
  const filter = (values: readonly string[]): FilteredGroups => {
    const trace = values.map(decide);
    return { names: [...new Set(trace.filter((group) => group.kept).map((group) => group.name))], trace };
  };
  // Most people are in the same few groups.
  const filtered = new Map<string, FilteredGroups>();
  return (values) => {
    const key = JSON.stringify(values);
    const known = filtered.get(key) ?? filter(values);
    if (filtered.size >= FILTERED_KEPT) filtered.clear();
    filtered.set(key, known);
    return known;
  };
}

/**
 * The CN of a distinguished name, or why there is none to go by. What is no such name stays as it is, unless groups have to
 * lie below something: of a name alone nobody knows where it lies.
 */
function compileCommonName(under: readonly string[]): (value: string) => string | { readonly why: string } {
  const bases = under.flatMap((text): readonly DistinguishedName[] => {
    const base = parseDistinguishedName(text);
    return base === undefined ? [] : [base];
  });
  return (value) => {
    const name = parseDistinguishedName(value);
    const commonName = name === undefined ? undefined : commonNameOf(name);
    if (name === undefined || commonName === undefined) {
      if (under.length > 0) return { why: 'no distinguished name with one CN, and groups.dn_under asks for one' };
      return isLongerThan(value, MAX_NAME_CHARACTERS) ? { why: 'too long, and no CN to go by' } : value;
    }
    if (under.length > 0 && !bases.some((base) => isUnder(name, base)))
      return { why: 'below no line of groups.dn_under' };
    // By an escape there may be more in it than in the text that was looked at.
    if (isUnclean(commonName)) return { why: 'the CN holds a control character' };
    return isLongerThan(commonName, MAX_NAME_CHARACTERS) ? { why: 'the CN is too long' } : commonName;
  };
}
