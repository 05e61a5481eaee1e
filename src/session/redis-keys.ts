import { loneSubjectHash, providerSessionHash, subjectHash } from './seal.ts';
import type { Session, SessionSelector } from './store.ts';

/*
 * Every key of the gateway in Redis. Nothing is found by listing keys, and nothing in a key names a person to others:
 * people by our own id, all else by hashes.
 */

/** What ended and what changed, for all instances: a stream. */
export const EVENTS_KEY = 'latchgate:events';
/** Every session, by when it ends if it is not used: a sorted set. */
export const ALL_KEY = 'latchgate:sessions';
/** Whose sessions these are: the id of the state database that names their people. */
export const DEPLOYMENT_KEY = 'latchgate:deployment';
/** Written by readiness to see whether writes are taken. */
export const PROBE_KEY = 'latchgate:probe';

/** The record of one session: a hash. In a cluster the handle alone decides where it is. */
export function sessionKey(handle: string): string {
  return `latchgate:{${handle}}:s`;
}

/** The sorted sets that a session is found by, by its absolute end. */
export function listsOf({ identity, providerSession }: Session): readonly string[] {
  const { person, issuer, subject } = identity;
  return [
    personKey(person),
    subjectKey(issuer, subject),
    providerSession === undefined ? loneSubjectKey(issuer, subject) : providerSessionKey(issuer, providerSession),
  ];
}

/** The list of the sessions that a selector means. */
export function listKey(selector: Exclude<SessionSelector, { readonly handle: string }>): string {
  if ('person' in selector) return personKey(selector.person);
  if ('subject' in selector) return subjectKey(selector.issuer, selector.subject);
  if ('loneSubject' in selector) return loneSubjectKey(selector.issuer, selector.loneSubject);
  if ('providerSession' in selector) return providerSessionKey(selector.issuer, selector.providerSession);
  return ALL_KEY;
}

function personKey(person: string): string {
  return `latchgate:person:${person}`;
}

function subjectKey(issuer: string, subject: string): string {
  return `latchgate:subject:${subjectHash(issuer, subject)}`;
}

function loneSubjectKey(issuer: string, subject: string): string {
  return `latchgate:lone-subject:${loneSubjectHash(issuer, subject)}`;
}

function providerSessionKey(issuer: string, providerSession: string): string {
  return `latchgate:provider-session:${providerSessionHash(issuer, providerSession)}`;
}
