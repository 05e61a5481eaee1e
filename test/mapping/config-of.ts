import { claimsSchema } from '../../src/login/schema.ts';
import type { MappedTarget, MappingConfig, OriginConfig } from '../../src/mapping/config.ts';
import type { RememberedAssertion } from '../../src/mapping/reading.ts';
import { defaultSchema, groupsSchema, identitySchema, rulesSchema } from '../../src/mapping/schema.ts';

/** A mapping's config as it stands in a file: members left out get the defaults of the schemas. */
export interface WrittenConfig {
  readonly origins?: Readonly<Record<string, { readonly claims?: unknown } & Partial<Omit<OriginConfig, 'claims'>>>>;
  readonly identity?: unknown;
  readonly groups?: unknown;
  readonly rules?: unknown;
  readonly default?: unknown;
  readonly targets?: Readonly<Record<string, MappedTarget>>;
  readonly privileged?: readonly string[];
}

export function configOf(written: WrittenConfig = {}): MappingConfig {
  const origins = Object.entries(written.origins ?? { staff: {} }).map(([name, origin]) => {
    const claims = claimsSchema.parse(origin.claims ?? {});
    return [name, { groups_absent: 'keep', trust_email: false, email_domains: [], ...origin, claims }] as const;
  });
  return {
    origins: Object.fromEntries(origins),
    identity: identitySchema.parse(written.identity ?? {}),
    groups: groupsSchema.parse(written.groups ?? {}),
    rules: rulesSchema.parse(written.rules ?? {}),
    default: defaultSchema.parse(written.default ?? {}),
    targets: written.targets ?? { superset: { type: 'superset' }, gooddata: { type: 'gooddata' } },
    privileged: written.privileged ?? [],
  };
}

export function assertionOf(
  claims: Readonly<Record<string, unknown>>,
  more: Partial<Omit<RememberedAssertion, 'claims'>> = {},
): RememberedAssertion {
  const subject = typeof claims['sub'] === 'string' ? claims['sub'] : 'subject-1';
  return { origin: 'staff', issuer: 'https://id.example.com', subject, active: true, at: new Date(0), ...more, claims };
}
