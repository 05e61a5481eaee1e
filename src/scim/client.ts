import { aliasIssuer, formerIssuer, scimIssuer } from '../model/origin.ts';
import type { SubjectKey } from '../model/person.ts';
import type { ScimClientConfig } from './schema.ts';

/** One SCIM client of the config, which is an origin of the directory. */
export interface ScimClient {
  readonly name: string;
  readonly config: ScimClientConfig;
  /** Who owns somebody whom this client pushes, and who belongs to `owner` or to nobody until now. */
  ownerOf(owner: string | undefined): string;
}

/**
 * By what the directory knows a user. With `login` that is the id by which the login knows the person, too; a user
 * without `externalId` is a person of their own until it is sent. An `externalId` of people of their own says nothing.
 */
export function subjectOf(
  { name, config }: Pick<ScimClient, 'name' | 'config'>,
  id: string,
  externalId: unknown,
): SubjectKey {
  const isKnown = config.login !== undefined && typeof externalId === 'string' && externalId !== '';
  return isKnown
    ? { issuer: aliasIssuer(config.login as string), subject: externalId }
    : { issuer: scimIssuer(name), subject: id };
}

/**
 * By what the directory knows somebody whom the client deleted, should it make them again: its own `externalId`, which
 * says of people of their own that they are the same as before. undefined: by nothing, or as any user is (`login`).
 */
export function formerSubject(
  { name, config }: Pick<ScimClient, 'name' | 'config'>,
  externalId: unknown,
): SubjectKey | undefined {
  if (config.login !== undefined || typeof externalId !== 'string' || externalId === '') return undefined;
  return { issuer: formerIssuer(name), subject: externalId };
}
