import type { Attributes, AttributeValue } from '../model/desired.ts';
import type { Profile } from '../model/person.ts';
import { localPart } from './email.ts';

/** What was said of a person: a member that was not said is absent, one that was said empty is null. */
export function profileOf(attributes: Attributes): Profile {
  const givenName = textOrNull(attributes['given_name']);
  const familyName = textOrNull(attributes['family_name']);
  const displayName = saidDisplayName(textOrNull(attributes['name']), givenName, familyName);
  const email = textOrNull(attributes['email']);
  return withWork({ givenName, familyName, displayName, email }, attributes);
}

type Writable = { -readonly [Member in keyof Profile]: Profile[Member] };

const NAMES = ['givenName', 'familyName', 'displayName', 'email'] as const;
/** Alike for a new account and for one that is there: nothing stands in for these. */
const WORK = ['title', 'department'] as const;

function withWork(said: Readonly<Record<(typeof NAMES)[number], Said>>, attributes: Attributes): Profile {
  const profile: Writable = {};
  for (const member of NAMES) {
    const value = said[member];
    if (value !== undefined) profile[member] = value;
  }
  for (const member of WORK) {
    const value = textOrNull(attributes[member]);
    if (value !== undefined) profile[member] = value;
  }
  return profile;
}

/** Half a name must not overwrite a whole one: given and family name make a display name only together. */
function saidDisplayName(name: Said, givenName: Said, familyName: Said): Said {
  if (typeof name === 'string') return name;
  if (typeof givenName === 'string' && typeof familyName === 'string') return `${givenName} ${familyName}`;
  return name;
}

export interface NewProfile {
  readonly profile: Profile;
  /** Which fallback was taken for what. */
  readonly notes: readonly string[];
}

/**
 * The names for an account that has to be created. What is missing is taken from `name`, then the preferred user name,
 * the local part of the e-mail, the user name of the account. An e-mail is never made up.
 */
export function profileForNew(attributes: Attributes, userName: string | undefined): NewProfile {
  const notes: string[] = [];
  const said = profileOf(attributes);
  const parts = nameParts(textOrNull(attributes['name']), said.givenName, said.familyName);
  const substitute = substituteName(attributes, userName);
  const fill = (member: 'givenName' | 'familyName', claim: string, part: string | undefined): string | undefined => {
    const value = said[member];
    if (typeof value === 'string') return value;
    const taken = part === undefined ? substitute : { value: part, from: 'name' };
    const how = value === null ? 'was sent empty' : 'was not sent';
    if (taken !== undefined)
      notes.push(`${member}: taken from ${taken.from}, because ${claim} ${how} (new accounts only)`);
    return taken?.value;
  };
  const givenName = fill('givenName', 'given_name', parts.given);
  const familyName = fill('familyName', 'family_name', parts.family);
  const displayName = said.displayName ?? joined(givenName, familyName);
  const profile = withWork({ givenName, familyName, displayName, email: said.email }, attributes);
  return { profile, notes };
}

function joined(givenName: string | undefined, familyName: string | undefined): string | undefined {
  const parts = [...new Set([givenName, familyName].filter((part) => part !== undefined))];
  return parts.length === 0 ? undefined : parts.join(' ');
}

/** `Ann Marie Lee` → `Ann Marie`, `Lee`; `Lee, Ann Marie` the same; beside a known half the rest is the other half. */
function nameParts(
  name: Said,
  givenName: Said,
  familyName: Said,
): { readonly given?: string; readonly family?: string } {
  if (typeof name !== 'string') return {};
  if (typeof givenName === 'string' && name.startsWith(`${givenName} `))
    return { family: name.slice(givenName.length).trim() };
  if (typeof familyName === 'string' && name.endsWith(` ${familyName}`))
    return { given: name.slice(0, -familyName.length).trim() };
  const [before, after, ...more] = name.split(',').map((part) => part.trim());
  if (before && after && more.length === 0) return { given: after, family: before };
  const words = name.split(/\s+/).filter((word) => word !== '');
  const family = words.pop();
  if (family === undefined) return {};
  return words.length === 0 ? { given: family } : { given: words.join(' '), family };
}

function substituteName(
  attributes: Attributes,
  userName: string | undefined,
): { readonly value: string; readonly from: string } | undefined {
  const preferred = filled(attributes['preferred_username']);
  if (preferred !== undefined) return { value: preferred, from: 'preferred_username' };
  const email = filled(attributes['email']);
  if (email !== undefined) return { value: localPart(email), from: 'the local part of the e-mail' };
  return userName === undefined ? undefined : { value: userName, from: 'the user name' };
}

type Said = string | null | undefined;

/** The value as one text; null when it was sent empty, undefined when it was not sent or is no text. */
function textOrNull(value: AttributeValue | undefined): Said {
  return typeof value === 'string' || value === null ? value : undefined;
}

/** The value when it is a text with something in it. */
export function filled(value: AttributeValue | undefined): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}
