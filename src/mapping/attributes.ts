import type { ClaimsConfig } from '../login/schema.ts';
import type { Attributes, AttributeValue, OriginTrace } from '../model/desired.ts';
import type { SubjectKey } from '../model/person.ts';
import { type ClaimName, compileClaimName, findClaim } from './claims.ts';
import { isEmail, isOfDomain } from './email.ts';
import { firstUnknown, unknownNote } from './not-recorded.ts';
import type { Refusal } from './refusal.ts';
import { isLongerThan, isUnclean, MAX_ATTRIBUTE_CHARACTERS, MAX_SUBJECT_CHARACTERS, shapeOf } from './wellformed.ts';

/** Longest list that one attribute may be. */
const MAX_LIST = 1_000;

type AttributeTrace = OriginTrace['attributes'][number];

export interface ReadAttributes {
  readonly attributes: Attributes;
  /** The provider, or `trust_email`, vouches for the address. */
  readonly emailVerified: boolean;
  /** Verified, and the origin is listed for the domain of the address. */
  readonly emailTrusted: boolean;
  readonly trace: readonly AttributeTrace[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly string[];
}

export interface AttributeRules {
  readonly trust_email: boolean;
  readonly email_domains: readonly string[];
  readonly trusts_all_emails: boolean;
  /** Whether the trust goes for addresses too of which the origin says that they are not verified. */
  readonly trust_unverified_email: boolean;
  /** `identity.require`. */
  readonly require: readonly string[];
}

export type AttributeReader = (
  claims: Readonly<Record<string, unknown>>,
  subject: SubjectKey['subject'],
) => ReadAttributes;

/** Profile members and ids: one text, never a list. */
const SINGLE = new Set(['given_name', 'family_name', 'name', 'email', 'preferred_username', 'external_id']);
/** White space around a person's name means nothing; around ids and user names it may tell two people apart. */
const TRIMMED = new Set(['given_name', 'family_name', 'name']);

/**
 * Compiles how the attributes of one origin are read: our name ← first claim that is there. Absent stays absent,
 * present and empty becomes null. Groups are read elsewhere.
 */
export function compileAttributes(claims: Partial<ClaimsConfig>, rules: AttributeRules): AttributeReader {
  const wanted = Object.entries(claims).filter(([name]) => name !== 'groups');
  const compiled = wanted.map(([name, names]) => compileAttribute(name, names ?? []));
  return (values, subject) => {
    const reading = new Reading(values, subject);
    for (const attribute of compiled) reading.read(attribute);
    return reading.finish(rules);
  };
}

/** One of our attributes, with the lines of the trace, which are alike for everybody. */
interface CompiledAttribute {
  readonly name: string;
  readonly claims: readonly {
    /** Undefined: `sub`, the subject that was verified, whatever else the claims hold under that name. */
    readonly names: readonly [ClaimName] | undefined;
    readonly byName: AttributeTrace;
    readonly byPath: AttributeTrace;
  }[];
  readonly absent: AttributeTrace;
}

function compileAttribute(name: string, names: readonly string[]): CompiledAttribute {
  const claims = names.map((claim) => ({
    names: claim === 'sub' ? undefined : ([compileClaimName(claim)] as const),
    byName: { name, claim, by: 'name' as const },
    byPath: { name, claim, by: 'path' as const },
  }));
  return { name, claims, absent: { name, claim: null, by: 'absent' } };
}

/** One pass over one set of claims. */
class Reading {
  readonly #claims: Readonly<Record<string, unknown>>;
  readonly #subject: string;
  readonly #attributes = new Map<string, AttributeValue>();
  readonly #trace: AttributeTrace[] = [];
  readonly #refusals: Refusal[] = [];
  readonly #notes: string[] = [];
  /** The origin has said of the address that it is not verified, or nothing that could be a yes. */
  #isDenied = false;

  constructor(claims: Readonly<Record<string, unknown>>, subject: string) {
    this.#claims = claims;
    this.#subject = subject;
    if (
      typeof subject !== 'string' ||
      subject === '' ||
      isUnclean(subject) ||
      isLongerThan(subject, MAX_SUBJECT_CHARACTERS)
    ) {
      this.#refusals.push({ code: 'subject_invalid', note: `subject: ${subject === '' ? 'empty' : shapeOf(subject)}` });
    }
  }

  read({ name, claims, absent }: CompiledAttribute): void {
    for (const { names, byName, byPath } of claims) {
      const found = names === undefined ? undefined : findClaim(this.#claims, names);
      if (names !== undefined && found === undefined) {
        const unknown = firstUnknown(this.#claims, names);
        if (unknown === undefined) continue;
        this.#trace.push(absent);
        this.#refusals.push({ code: 'claim_not_recorded', note: unknownNote(name, unknown) });
        return;
      }
      this.#trace.push(found?.by === 'path' ? byPath : byName);
      const value = found === undefined ? this.#subject : found.value;
      if (name === 'email_verified') this.#attributes.set(name, this.#verified(value));
      else this.#take(name, value);
      return;
    }
    this.#trace.push(absent);
  }

  #verified(value: unknown): AttributeValue {
    this.#isDenied = !isYes(value) && value !== null && value !== '';
    if (typeof value === 'boolean') return value;
    if (value !== null && value !== '') {
      const key = this.#isDenied ? 'trust_unverified_email' : 'trust_email';
      this.#notes.push(`email_verified: not true or false but ${shapeOf(value)}; counts as not verified (see ${key})`);
    }
    return false;
  }

  #take(name: string, value: unknown): void {
    const taken = takeValue(value, SINGLE.has(name), TRIMMED.has(name));
    if (taken === undefined) this.#refuse(name, value);
    else if (name === 'email' && typeof taken === 'string' && !isEmail(taken)) this.#refuse(name, value);
    else if (name === 'external_id' && typeof taken === 'string' && isLongerThan(taken, MAX_SUBJECT_CHARACTERS)) {
      this.#refuse(name, value);
    } else this.#attributes.set(name, taken);
  }

  #refuse(name: string, value: unknown): void {
    const subjectItself = name === 'external_id' && value === this.#subject;
    if (subjectItself && this.#refusals.length > 0) return;
    this.#refusals.push({
      code: name === 'email' ? 'email_invalid' : 'attribute_invalid',
      note: `${name}: ${shapeOf(value)}`,
    });
  }

  finish(rules: AttributeRules): ReadAttributes {
    const email = this.#attributes.get('email');
    const isAny = typeof email === 'string' && rules.trusts_all_emails;
    const listed = isAny || (typeof email === 'string' && isOfDomain(email, rules.email_domains));
    const said = this.#attributes.get('email_verified') === true;
    const isTrusted = rules.trust_email && listed && (!this.#isDenied || rules.trust_unverified_email);
    const emailVerified = typeof email === 'string' && (said || isTrusted);
    if (rules.trust_email && listed && !said && !isTrusted)
      this.#notes.push('email: not vouched for, because email_verified says that it is not verified');
    if (emailVerified && this.#isDenied)
      this.#notes.push('email: counts as verified though email_verified denies it, because of trust_unverified_email');
    else if (emailVerified && !said && !isAny)
      this.#notes.push('email: counts as verified, because of trust_email and email_domains');
    const refusals = [...this.#refusals];
    for (const name of rules.require) {
      const missing = this.#missing(name, emailVerified);
      if (missing !== undefined && !refusals.some((refusal) => refusal.note.startsWith(`${name}:`)))
        refusals.push(missing);
    }
    return {
      attributes: Object.fromEntries(this.#attributes),
      emailVerified,
      emailTrusted: emailVerified && listed,
      trace: this.#trace,
      refusals,
      notes: this.#notes,
    };
  }

  #missing(name: string, emailVerified: boolean): Refusal | undefined {
    if (name === 'email_verified') {
      const note = 'email_verified: identity.require asks for it, and the address is not verified';
      return emailVerified ? undefined : { code: 'email_unverified', note };
    }
    const value = this.#attributes.get(name);
    if (value !== undefined && value !== null) return undefined;
    const how = value === null ? 'was sent empty' : 'was not sent';
    return {
      code: name === 'email' ? 'email_missing' : 'attribute_missing',
      note: `${name}: ${how}, and identity.require asks for it`,
    };
  }
}

/** Providers that write `email_verified` as a text mean it: to those it may be trusted, and by itself it is none. */
function isYes(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 1 && !Array.isArray(value[0]) && isYes(value[0]);
  return value === true || value === 1 || (typeof value === 'string' && /^(?:true|1)$/i.test(value.trim()));
}

/** The value as an attribute, null when it is empty, undefined when it is refused. */
function takeValue(value: unknown, single: boolean, trimmed: boolean): AttributeValue | undefined {
  if (value === null) return null;
  if (typeof value === 'string') return takeText(trimmed ? value.trim() : value);
  if (single) return undefined;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  if (!Array.isArray(value) || value.length > MAX_LIST) return undefined;
  const texts: string[] = [];
  for (const item of value) {
    const text = typeof item === 'string' ? takeText(item) : undefined;
    if (text === undefined) return undefined;
    if (text !== null) texts.push(text);
  }
  return texts;
}

function takeText(text: string): string | null | undefined {
  if (text === '') return null;
  return isUnclean(text) || isLongerThan(text, MAX_ATTRIBUTE_CHARACTERS) ? undefined : text;
}
