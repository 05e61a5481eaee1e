import { type Refuse, reading } from './refusals.ts';
import { attributeOf, childrenOf, elementsOf, NS, onlyChild, readXml, textOf } from './xml.ts';

const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';
const NAME_ID = 'urn:oasis:names:tc:SAML:2.0:nameid-format:';
/** What a NameID without a format has (SAML core §2.2.2). */
const UNSPECIFIED = 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified';
const NIL = 'http://www.w3.org/2001/XMLSchema-instance';
/** Conditions that change nothing for us (SAML core §2.5.1): what is not known has to be refused. */
const CONDITIONS = new Set(['AudienceRestriction', 'OneTimeUse', 'ProxyRestriction']);
/** Entra ID says by it that it left the groups out because there are too many. */
const GROUPS_LINK = 'http://schemas.microsoft.com/claims/groups.link';

export interface Expectations {
  /** Entity id of the provider. */
  readonly issuer: string;
  /** Our own. */
  readonly audience: string;
  /** Our address that it came to. */
  readonly recipient: string;
  /** Id of our request; undefined: there was none. */
  readonly inResponseTo: string | undefined;
  /** The only format of a NameID that is taken; undefined: any that stays. */
  readonly nameIdFormat: string | undefined;
  /** Attributes of which no value is an empty list, and not an empty text. */
  readonly lists: ReadonlySet<string>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly skewMs: number;
}

/** The name of a person at the provider, as a logout has to repeat it (SAML core §2.2.2). */
export interface NameId {
  readonly value: string;
  readonly format?: string;
  readonly nameQualifier?: string;
  readonly spNameQualifier?: string;
}

export interface ReadAssertion {
  readonly id: string;
  readonly nameId: NameId;
  readonly sessionIndex?: string;
  /** When the provider wants sessions to be over, in milliseconds since the epoch, by the clock that is furthest behind. */
  readonly sessionEndsAt?: number;
  /** By `Name`: one text, a list of several, null for none. What holds elements is an empty map. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  /** Until when it could be used again if we let it. */
  readonly expiresAt: number;
}

/**
 * Reads a verified assertion, and holds it against what was expected (SAML profiles §4.1.4.3): nothing outside of it is
 * looked at. Throws `saml_*`.
 */
export function readAssertion(verified: string, expected: Expectations, refuse: Refuse): ReadAssertion {
  return reading(refuse, () => new Reading(verified, expected, refuse).read());
}

class Reading {
  readonly #root: Element;
  readonly #expected: Expectations;
  readonly #refuse: Refuse;

  constructor(verified: string, expected: Expectations, refuse: Refuse) {
    this.#root = readXml(verified);
    this.#expected = expected;
    this.#refuse = refuse;
  }

  read(): ReadAssertion {
    const { issuer, now, skewMs } = this.#expected;
    const root = this.#root;
    const isAssertion = root.localName === 'Assertion' && root.namespaceURI === NS.assertion;
    if (!isAssertion || attributeOf(root, 'Version') !== '2.0') throw this.#invalid('assertion');
    const id = attributeOf(root, 'ID') ?? '';
    if (id === '') throw this.#invalid('id');
    const said = this.#one(root, 'Issuer');
    if (textOf(said) !== issuer) throw this.#refuse('saml_issuer_unknown', 'Issuer');
    const issuedAt = this.#time(root, 'IssueInstant');
    if (issuedAt === undefined) throw this.#invalid('IssueInstant');
    if (issuedAt > now + skewMs) throw this.#refuse('saml_expired', 'IssueInstant');
    const subject = this.#one(root, 'Subject');
    const confirmedUntil = this.#confirmed(subject);
    this.#checkConditions();
    const session = this.#session();
    return {
      id,
      nameId: this.#nameId(subject),
      ...session,
      claims: this.#claims(),
      issuedAt,
      expiresAt: confirmedUntil + skewMs,
    };
  }

  #nameId(subject: Element): NameId {
    const element = this.#one(subject, 'NameID');
    const value = textOf(element);
    if (value === undefined || value.trim() === '') throw this.#invalid('NameID');
    const format = attributeOf(element, 'Format');
    // Another one at each login: nobody could be known again by it.
    if (format === `${NAME_ID}transient`) throw this.#invalid('transient NameID');
    const wanted = this.#expected.nameIdFormat;
    if (wanted !== undefined && (format ?? UNSPECIFIED) !== wanted) throw this.#invalid('format of the NameID');
    const qualifier = attributeOf(element, 'NameQualifier');
    const spQualifier = attributeOf(element, 'SPNameQualifier');
    return {
      value,
      ...(format === undefined ? {} : { format }),
      ...(qualifier === undefined ? {} : { nameQualifier: qualifier }),
      ...(spQualifier === undefined ? {} : { spNameQualifier: spQualifier }),
    };
  }

  /**
   * One bearer confirmation has to hold whole. The last that fails says why none does. Until the last of all is over: it
   * could hold when the one that holds now is.
   */
  #confirmed(subject: Element): number {
    let failure = this.#invalid('SubjectConfirmation');
    let holds = false;
    let latest = 0;
    for (const confirmation of childrenOf(subject, NS.assertion, 'SubjectConfirmation')) {
      if (attributeOf(confirmation, 'Method') !== BEARER) continue;
      const data = onlyChild(confirmation, NS.assertion, 'SubjectConfirmationData');
      const failed = data === undefined ? this.#invalid('SubjectConfirmationData') : this.#failed(data);
      if (failed === undefined) holds = true;
      else failure = failed;
      if (data !== undefined) latest = Math.max(latest, this.#time(data, 'NotOnOrAfter') ?? 0);
    }
    if (!holds) throw failure;
    return latest;
  }

  #failed(data: Element): Error | undefined {
    const { recipient, inResponseTo, now, skewMs } = this.#expected;
    if (attributeOf(data, 'Recipient') !== recipient) return this.#refuse('saml_not_for_us', 'Recipient');
    const until = this.#time(data, 'NotOnOrAfter');
    if (until === undefined) return this.#invalid('NotOnOrAfter');
    const from = this.#time(data, 'NotBefore') ?? 0;
    if (until + skewMs <= now || from - skewMs > now) return this.#refuse('saml_expired', 'SubjectConfirmationData');
    if (attributeOf(data, 'InResponseTo') === inResponseTo) return undefined;
    return this.#refuse(inResponseTo === undefined ? 'saml_unsolicited' : 'saml_message_invalid', 'InResponseTo');
  }

  #checkConditions(): void {
    const { audience, now, skewMs } = this.#expected;
    const conditions = this.#one(this.#root, 'Conditions');
    for (const one of elementsOf(conditions)) {
      if (one.namespaceURI !== NS.assertion || !CONDITIONS.has(one.localName)) throw this.#invalid('condition');
    }
    const from = this.#time(conditions, 'NotBefore') ?? 0;
    const until = this.#time(conditions, 'NotOnOrAfter') ?? Number.POSITIVE_INFINITY;
    if (from - skewMs > now || until + skewMs <= now) throw this.#refuse('saml_expired', 'Conditions');
    const restrictions = childrenOf(conditions, NS.assertion, 'AudienceRestriction');
    const isOurs = restrictions.every((one) =>
      childrenOf(one, NS.assertion, 'Audience').some((each) => textOf(each) === audience),
    );
    if (restrictions.length === 0 || !isOurs) throw this.#refuse('saml_not_for_us', 'Audience');
  }

  #session(): Pick<ReadAssertion, 'sessionIndex' | 'sessionEndsAt'> {
    const { now, skewMs } = this.#expected;
    const [statement, ...more] = childrenOf(this.#root, NS.assertion, 'AuthnStatement');
    if (statement === undefined || more.length > 0) throw this.#invalid('AuthnStatement');
    const until = this.#time(statement, 'SessionNotOnOrAfter');
    if (until !== undefined && until + skewMs <= now) throw this.#refuse('saml_expired', 'SessionNotOnOrAfter');
    const sessionIndex = attributeOf(statement, 'SessionIndex');
    return {
      ...(sessionIndex === undefined || sessionIndex === '' ? {} : { sessionIndex }),
      ...(until === undefined ? {} : { sessionEndsAt: until + skewMs }),
    };
  }

  #claims(): Readonly<Record<string, unknown>> {
    const values = new Map<string, unknown[]>();
    for (const statement of childrenOf(this.#root, NS.assertion, 'AttributeStatement')) {
      for (const attribute of childrenOf(statement, NS.assertion, 'Attribute')) {
        const name = attributeOf(attribute, 'Name') ?? '';
        if (name === '') throw this.#invalid('attribute without a name');
        const own = childrenOf(attribute, NS.assertion, 'AttributeValue').flatMap(valuesOf);
        values.set(name, [...(values.get(name) ?? []), ...own]);
      }
    }
    const { lists } = this.#expected;
    const plain = (name: string, list: readonly unknown[]) =>
      list.length > 1 || (list.length === 0 && lists.has(name)) ? list : (list[0] ?? null);
    const claims = [...values].map(([name, list]) => [name, plain(name, list)] as const);
    const isLeftOut = values.has(GROUPS_LINK);
    return Object.fromEntries([...claims, ...(isLeftOut ? [['_claim_names', { groups: 'src1' }] as const] : [])]);
  }

  /** RFC 3339 in UTC, as SAML core §1.3.3 wants it; undefined when it is not there. */
  #time(element: Element, name: string): number | undefined {
    const value = attributeOf(element, name);
    if (value === undefined) return undefined;
    const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(value);
    const time = isTime ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(time)) throw this.#invalid(name);
    return time;
  }

  #one(parent: Element, name: string): Element {
    const child = onlyChild(parent, NS.assertion, name);
    if (child === undefined) throw this.#invalid(name);
    return child;
  }

  #invalid(check: string): Error {
    return this.#refuse('saml_message_invalid', check);
  }
}

/** `xsi:nil` is a value that is not there. */
function valuesOf(element: Element): readonly unknown[] {
  const nil = element.getAttributeNS(NIL, 'nil');
  if (nil === 'true' || nil === '1') return [];
  return [textOf(element) ?? {}];
}
