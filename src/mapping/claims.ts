/** A claim's name as the config has it, read once: as it stands, and as a path when it has one. */
export interface ClaimName {
  readonly name: string;
  /** Segments between the dots; `\.` is a dot inside a segment. Undefined when the path is the name itself. */
  readonly path: readonly string[] | undefined;
}

export interface FoundClaim {
  readonly value: unknown;
  /** The name from the config that found it. */
  readonly claim: string;
  readonly by: 'name' | 'path';
}

export function compileClaimName(name: string): ClaimName {
  const path = splitPath(name);
  return { name, path: path.length === 1 && path[0] === name ? undefined : path };
}

/**
 * The first of several claims that is there, be it empty. Each name is tried as it stands, because names with dots,
 * slashes and colons are common (`urn.gooddata.user_groups`), then as a path through objects. Own properties only.
 */
export function findClaim(
  claims: Readonly<Record<string, unknown>>,
  names: readonly ClaimName[],
): FoundClaim | undefined {
  for (const { name, path } of names) {
    if (Object.hasOwn(claims, name)) return { value: claims[name], claim: name, by: 'name' };
    if (path === undefined) continue;
    const found = followPath(claims, path);
    if (found !== undefined) return { value: found.value, claim: name, by: 'path' };
  }
  return undefined;
}

function followPath(
  claims: Readonly<Record<string, unknown>>,
  path: readonly string[],
): { readonly value: unknown } | undefined {
  let value: unknown = claims;
  for (const segment of path) {
    if (!isObject(value) || !Object.hasOwn(value, segment)) return undefined;
    value = value[segment];
  }
  return { value };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function splitPath(name: string): string[] {
  return name.split(/(?<!\\)\./).map((segment) => segment.replaceAll('\\.', '.'));
}
