import type { GroupTrace } from '../model/desired.ts';
import { type ClaimName, findClaim, isObject } from './claims.ts';
import { compilePattern } from './patterns.ts';
import type { Refusal } from './refusal.ts';
import type { GroupsConfig } from './schema.ts';
import { isLongerThan, isUnclean, MAX_NAME_CHARACTERS, shapeOf } from './wellformed.ts';

/** What an origin said of a person's groups: a list (perhaps empty), nothing, or something that can't be trusted. */
export type SentGroups =
  | { readonly kind: 'list'; readonly values: readonly string[] }
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export interface ReadGroupsOptions {
  readonly names: readonly ClaimName[];
  /** Splits one text into several groups; undefined: one text is one group. */
  readonly separator: string | undefined;
  readonly max: number;
}

/** Reads the groups of a set of claims, raw. A list is exactly these, one text is one group, other shapes are refused. */
export function readGroups(claims: Readonly<Record<string, unknown>>, options: ReadGroupsOptions): SentGroups {
  const leftOut = leftOutNames(claims);
  for (const name of options.names) {
    const found = findClaim(claims, [name]);
    if (found !== undefined) return checkShape(found.value, options);
    if (isLeftOut(name.name, leftOut)) return { kind: 'refused', refusal: overage(name.name) };
  }
  return { kind: 'absent' };
}

/** Checks groups that arrived on an earlier occasion by the same rules. */
export function checkGroups(values: readonly string[], max: number): SentGroups {
  return checkShape(values, { names: [], separator: undefined, max });
}

/**
 * Claims that the provider left out on purpose: `_claim_names` (OIDC Core §5.6.2) and Entra's `hasgroups`, which
 * stands for `groups` in tokens of the implicit flow.
 */
function leftOutNames(claims: Readonly<Record<string, unknown>>): ReadonlySet<string> {
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
  const values = typeof value === 'string' ? splitText(value, options.separator) : value;
  if (!Array.isArray(values))
    return refused('groups_invalid', `groups: neither a list nor a text, but ${shapeOf(value)}`);
  if (values.length > options.max) {
    return refused('groups_too_many', `groups: ${values.length} of them, and groups.max is ${options.max}`);
  }
  for (const [index, group] of values.entries()) {
    if (typeof group !== 'string' || isUnclean(group) || isLongerThan(group, MAX_NAME_CHARACTERS)) {
      return refused('groups_invalid', `groups: item ${index + 1} of ${values.length} is ${shapeOf(group)}`);
    }
  }
  return { kind: 'list', values: [...new Set(values as readonly string[])] };
}

/** An empty text is "no groups": that is what providers send who join a list of none. */
function splitText(text: string, separator: string | undefined): readonly string[] {
  const parts = separator === undefined ? [text] : text.split(separator).map((part) => part.trim());
  return parts.filter((part) => part !== '');
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

/** Compiles strip, rename and allow. Throws `config_invalid` for a bad pattern. */
export function compileGroupFilter(config: Pick<GroupsConfig, 'strip' | 'rename' | 'allow'>): GroupFilter {
  const allow = config.allow.map(compilePattern);
  const rename = new Map(Object.entries(config.rename));
  const decide = (value: string): GroupTrace => {
    const stripped = config.strip !== '' && value.startsWith(config.strip) ? value.slice(config.strip.length) : value;
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
