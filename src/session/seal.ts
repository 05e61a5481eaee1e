import { createHash, randomBytes } from 'node:crypto';
import { openSealed, seal } from '../ops/seal.ts';
import type { Session, SessionTokens } from './store.ts';

const ID_BYTES = 32;
const ID_SHAPE = /^[A-Za-z0-9_-]{43}$/;

/** A new secret value for the cookie: 32 random bytes in base64url. */
export function newSessionId(): string {
  return randomBytes(ID_BYTES).toString('base64url');
}

/** Whether a value can be a session id at all: anything else never reaches a store. */
export function isSessionId(value: string): boolean {
  return ID_SHAPE.test(value);
}

/** By which a store finds the record: a hash that leads nobody back to the id. */
export function sessionHandle(id: string): string {
  return createHash('sha256').update('latchgate session handle').update(id).digest('base64url');
}

/** Finds the sessions of a subject without the store being able to name it. */
export function subjectHash(issuer: string, subject: string): string {
  return pairHash('subject', issuer, subject);
}

/** The same for the provider's own session (`sid`, OIDC Back-Channel Logout 1.0 §2.1). */
export function providerSessionHash(issuer: string, providerSession: string): string {
  return pairHash('provider session', issuer, providerSession);
}

/** Of what was said of a subject's logins that have no session of the provider. */
export function loneSubjectHash(issuer: string, subject: string): string {
  return pairHash('subject without provider session', issuer, subject);
}

/** The record under a key derived from the id, bound to the handle: moved to another row, it does not open. */
export function sealSession(id: string, handle: string, session: Session): string {
  return seal(JSON.stringify(session), purposeOf(handle), [id]);
}

/** undefined when the record is not of this id and handle, or was changed. */
export function openSession(id: string, handle: string, sealed: string): Session | undefined {
  const opened = openSealed(sealed, purposeOf(handle), [id]);
  return opened && (JSON.parse(opened.text) as Session);
}

/** The tokens by themselves, sealed in the same way for a purpose of their own. */
export function sealTokens(id: string, handle: string, tokens: SessionTokens): string {
  return seal(JSON.stringify(tokens), `tokens of ${purposeOf(handle)}`, [id]);
}

/** undefined as for `openSession`. */
export function openTokens(id: string, handle: string, sealed: string): SessionTokens | undefined {
  const opened = openSealed(sealed, `tokens of ${purposeOf(handle)}`, [id]);
  return opened && (JSON.parse(opened.text) as SessionTokens);
}

function purposeOf(handle: string): string {
  return `session ${handle}`;
}

function pairHash(kind: string, issuer: string, value: string): string {
  return createHash('sha256')
    .update(JSON.stringify([kind, issuer, value]))
    .digest('base64url');
}
