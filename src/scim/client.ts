import { aliasIssuer, scimIssuer } from '../model/origin.ts';
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
