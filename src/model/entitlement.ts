export type EntitlementKind = 'group' | 'role' | 'permission';

/** Something that a target can give. `scope` is the workspace of a permission. */
export interface Entitlement {
  readonly kind: EntitlementKind;
  readonly name: string;
  readonly scope?: string;
  /** For people to read, where the target's name is an id derived from it. Never compared. */
  readonly label?: string;
}

/** An entitlement that the mapping gives, and why. */
export interface GrantedEntitlement extends Entitlement {
  /** Name of the rule, or `default`. */
  readonly rule: string;
  readonly origin: string;
}

/** An entitlement as a target has it: `id` is the target's own, immutable one. */
export interface ActualEntitlement extends Entitlement {
  readonly id: string;
}

/** One row of the ledger: an entitlement that we gave. A grant is of one origin; two origins are two rows. */
export interface Grant extends Entitlement {
  readonly target: string;
  readonly person: string;
  readonly rule: string;
  readonly origin: string;
  /** The entitlement's own id in the target, known once it was applied. */
  readonly entitlementId?: string;
  /** False: written ahead of the call that gives it; true: the target confirmed it. */
  readonly confirmed: boolean;
}

/** With when it was written down. */
export interface DatedGrant extends Grant {
  readonly since: Date;
}

/** `role:Alpha`, `permission:VIEW@sales`: the key by which two entitlements of one target are the same. */
export function entitlementKey(entitlement: Entitlement): string {
  const scope = entitlement.scope === undefined ? '' : `@${entitlement.scope}`;
  return `${entitlement.kind}:${entitlement.name}${scope}`;
}

/** The reverse; undefined for a text that is no such key. What follows the last `@` of a permission is its scope. */
export function entitlementOf(key: string): Entitlement | undefined {
  const at = key.indexOf(':');
  const kind = key.slice(0, at);
  const name = key.slice(at + 1);
  if (at === -1 || name === '') return undefined;
  if (kind === 'group' || kind === 'role') return { kind, name };
  if (kind !== 'permission') return undefined;
  const scope = name.lastIndexOf('@');
  return scope === -1 ? { kind, name } : { kind, name: name.slice(0, scope), scope: name.slice(scope + 1) };
}
