import type { Config } from '../config/schema.ts';
import type { Joining } from '../provisioning/joining.ts';

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

/** How somebody new is found by their address (`identity.join`); nothing when they are not. */
export function joiningOf({ identity, sources, scim }: Pick<Config, 'identity' | 'sources' | 'scim'>): {
  readonly join?: Joining;
} {
  if (identity.join === 'never') return {};
  const lists = new Set([...Object.keys(sources), ...Object.keys(scim?.clients ?? {})]);
  return { join: { withinMs: identity.join_within, lists } };
}
