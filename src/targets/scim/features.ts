import { z } from 'zod';
import type { Clock } from '../../ops/clock.ts';
import { resource } from '../../ops/scim/documents.ts';
import { waitFor } from '../shared-work.ts';
import type { Capabilities } from '../target.ts';
import type { ScimApi } from './api.ts';
import { PROFILE_EVERYWHERE, PROFILE_MEMBERS } from './documents.ts';
import { isRequired, isWritable, type SchemaAttributes, schemaList } from './schemas.ts';

/** What a service can do, as it says itself (RFC 7643 §5 to §7) or as its refusals taught us. */
export interface ScimFeatures {
  readonly patch: boolean;
  readonly filter: boolean;
  /** Resources have versions, which are sent back with what is written over them. True also when that is not said. */
  readonly etag: boolean;
  /** Nothing is written without a version. */
  readonly needsVersion: boolean;
  readonly bulk: BulkLimits | undefined;
  /** Endpoints below the base address. */
  readonly users: string;
  /** Undefined: the service has no groups. */
  readonly groups: string | undefined;
  /** Members of a profile that it stores and lets us write. */
  readonly profile: Capabilities['profile'];
  readonly requiredProfile: Capabilities['requiredProfile'];
  /** The account that our token is of, where the service tells (RFC 7644 §3.11). */
  readonly ownId: string | undefined;
}

export interface BulkLimits {
  readonly operations: number;
  readonly bytes: number;
}

export interface Discovery {
  /** Asked for once in an hour, by all callers together. */
  features(signal: AbortSignal): Promise<ScimFeatures>;
  /** What is known without asking. */
  known(): ScimFeatures | undefined;
  /** A refusal has shown that it is otherwise than said. Holds until the service is asked again. */
  learn(lesson: Partial<Pick<ScimFeatures, 'patch' | 'filter' | 'needsVersion' | 'bulk'>>): void;
}

/** A display name is made of the others where nobody said one. */
const REQUIRABLE = ['givenName', 'familyName', 'email'] as const;
const KEPT_MS = 3_600_000;
const DISCOVERY_TIMEOUT_MS = 60_000;

export function createDiscovery(api: ScimApi, clock: Clock): Discovery {
  let kept: { features: ScimFeatures; readonly until: number } | undefined;
  let asking: Promise<ScimFeatures> | undefined;

  const ask = async (): Promise<ScimFeatures> => {
    try {
      const features = await discover(api, AbortSignal.timeout(DISCOVERY_TIMEOUT_MS));
      kept = { features, until: clock.now() + KEPT_MS };
      return features;
    } finally {
      asking = undefined;
    }
  };

  return {
    features: async (signal) => {
      if (kept !== undefined && kept.until > clock.now()) return kept.features;
      asking ??= ask();
      return waitFor(asking, signal);
    },
    known: () => kept?.features,
    learn: (lesson) => {
      if (kept !== undefined) kept.features = { ...kept.features, ...lesson };
    },
  };
}

const supported = z.object({ supported: z.boolean().catch(false) }).catch({ supported: false });

const serviceProviderConfig = z.object({
  patch: supported,
  filter: supported,
  etag: supported,
  bulk: z
    .object({
      supported: z.boolean(),
      maxOperations: z.number().int().nonnegative(),
      maxPayloadSize: z.number().int().nonnegative(),
    })
    .catch({ supported: false, maxOperations: 0, maxPayloadSize: 0 }),
});

const resourceTypes = z.object({
  Resources: z.array(z.looseObject({ name: z.string().catch(''), endpoint: z.string().catch('') })).nullish(),
});

/** The answer of an endpoint that may not be there. Who may not see it has to do without. */
const OPTIONAL = [200, 400, 403, 404, 405, 501] as const;

async function discover(api: ScimApi, signal: AbortSignal): Promise<ScimFeatures> {
  const ask = async <T extends z.ZodType>(endpoint: string, shape: T): Promise<z.output<T> | undefined> => {
    const response = await api.call({ method: 'GET', path: [endpoint], signal }, OPTIONAL);
    return response.status === 200 ? api.parse(shape, response) : undefined;
  };
  const config = await ask('ServiceProviderConfig', serviceProviderConfig);
  const [types, schemas, ownId] = await Promise.all([
    ask('ResourceTypes', resourceTypes),
    ask('Schemas', schemaList),
    askOwnId(api, signal),
  ]);
  const endpoints = types?.Resources ?? [];
  const endpointOf = (name: string) => endpoints.find((type) => type.name.toLowerCase() === name)?.endpoint;
  return {
    // What a service does not say is tried, and a refusal is believed.
    patch: config?.patch.supported ?? true,
    filter: config?.filter.supported ?? true,
    etag: config?.etag.supported ?? true,
    needsVersion: false,
    bulk: config?.bulk.supported ? limitsOf(config.bulk) : undefined,
    users: plainEndpoint(endpointOf('user')) ?? 'Users',
    groups: plainEndpoint(endpointOf('group')) ?? (endpoints.length === 0 ? 'Groups' : undefined),
    ...profileOf(schemas),
    ownId,
  };
}

function limitsOf(bulk: { readonly maxOperations: number; readonly maxPayloadSize: number }): BulkLimits | undefined {
  const { maxOperations: operations, maxPayloadSize: bytes } = bulk;
  return operations > 1 && bytes > 0 ? { operations, bytes } : undefined;
}

/** `/Users` as a segment; an address of another shape is none that we would send a token to. */
function plainEndpoint(endpoint: string | undefined): string | undefined {
  return endpoint === undefined ? undefined : /^\/?([A-Za-z][A-Za-z0-9_-]*)\/?$/.exec(endpoint)?.[1];
}

function profileOf(schemas: SchemaAttributes | undefined): Pick<ScimFeatures, 'profile' | 'requiredProfile'> {
  if (schemas === undefined) return { profile: PROFILE_EVERYWHERE, requiredProfile: [] };
  return {
    profile: PROFILE_MEMBERS.filter((member) => isWritable(schemas, member)),
    requiredProfile: REQUIRABLE.filter((member) => isRequired(schemas, member)),
  };
}

async function askOwnId(api: ScimApi, signal: AbortSignal): Promise<string | undefined> {
  const expected = [...OPTIONAL, 301, 302, 303, 307, 308, 401, 409, 410, 500];
  const response = await api.call({ method: 'GET', path: ['Me'], signal }, expected);
  if (response.status === 200) {
    const parsed = resource.safeParse(response.json());
    return parsed.success ? parsed.data.id : undefined;
  }
  const location = response.status < 400 ? response.headers['location'] : undefined;
  const segment = location === undefined ? undefined : /\/Users\/([^/?#]+)$/.exec(location)?.[1];
  try {
    return segment === undefined ? undefined : decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
