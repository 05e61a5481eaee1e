import type { Entitlement } from '../model/entitlement.ts';

/** Claim of a SCIM client's assertion: those of the groups that do not have the name any more that they were made by. */
export const RENAMED_GROUPS = 'latchgate:renamed_groups';

export type IsPrivileged = (target: string, entitlement: Entitlement) => boolean;

/**
 * Compiles `safety.privileged` (`superset:role:Admin`, `gooddata:permission:MANAGE@sales`; without `@` a permission on
 * any workspace). Names are compared without regard to case, compatibility forms and outer blanks: a target may take
 * `ADMIN` for `Admin`, and then it must not slip through here.
 */
export function compilePrivileged(listed: readonly string[]): IsPrivileged {
  const keys = new Set<string>();
  const anywhere = new Set<string>();
  for (const text of listed) {
    const [target = '', kind = '', ...rest] = text.split(':');
    const name = rest.join(':');
    const at = kind === 'permission' ? name.indexOf('@') : -1;
    keys.add(key(target, kind, name));
    if (at !== -1) anywhere.add(key(target, kind, name.slice(0, at)));
  }
  return (target, { kind, name, scope }) => {
    if (keys.has(key(target, kind, name))) return true;
    if (scope === undefined) return false;
    if (keys.has(key(target, kind, `${name}@${scope}`))) return true;
    return scope.trim() === '*' && anywhere.has(key(target, kind, name));
  };
}

function key(target: string, kind: string, name: string): string {
  return `${target}:${kind}:${name.normalize('NFKC').trim().toLowerCase()}`;
}
