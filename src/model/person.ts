/** Internal id of a person in the directory: `p_` and 26 characters of Crockford base 32. Never shown to a backend. */
export type PersonId = string;

/** The origin's own id of a person. Immutable, case-sensitive, compared exactly (OIDC Core §5.7: iss and sub). */
export interface SubjectKey {
  readonly issuer: string;
  readonly subject: string;
}

/** What one origin last said of one subject. A claim that is absent was not said; that is not the same as empty. */
export interface Assertion extends SubjectKey {
  /** Name of the login, SCIM client or source in the config. */
  readonly origin: string;
  /** False: the origin says that this person is not to have access. */
  readonly active: boolean;
  /** As they arrived, without protocol members (nonce, at_hash, …). JSON values only. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** When the origin said it. */
  readonly at: Date;
  /** Nobody has verified that the origin said it: enough to compare by, never to let somebody in or to join people. */
  readonly isUnverified?: boolean;
}

/**
 * A person as RFC 7643 §4.1 and §4.3 spell it. A member that is absent is left alone, `null` clears it where the
 * target allows.
 */
export interface Profile {
  readonly givenName?: string | null;
  readonly familyName?: string | null;
  readonly displayName?: string | null;
  readonly email?: string | null;
  readonly title?: string | null;
  readonly department?: string | null;
}

/** Our attributes by name: strings or lists of strings. `null` was present and empty; absent was not sent. */
export type Attributes = Readonly<Record<string, AttributeValue>>;
export type AttributeValue = string | readonly string[] | boolean | null;

/** What a session and the backends are told about who is there. */
export interface Identity extends SubjectKey {
  readonly person: PersonId;
  readonly origin: string;
  /** For people to read. Never a key. */
  readonly displayName: string;
  readonly email?: string;
  readonly emailVerified: boolean;
  readonly preferredUsername?: string;
  /** Groups after strip, rename and allow. */
  readonly groups: readonly string[];
  /** For the `when` of routes. */
  readonly attributes: Attributes;
}
