import type { Config } from '../config/schema.ts';

/** Who owns somebody whom `name`, a source or SCIM client, lists, and who belonged to `owner` or to nobody until now. */
export function ownerOf(
  name: string,
  owner: string | undefined,
  { identity, sources, scim }: Pick<Config, 'identity' | 'sources' | 'scim'>,
): string {
  if (identity.owner === name || owner === undefined) return name;
  // Whom somebody owned who is not there any more nobody owns.
  return Object.hasOwn(sources, owner) || Object.hasOwn(scim?.clients ?? {}, owner) ? owner : name;
}
