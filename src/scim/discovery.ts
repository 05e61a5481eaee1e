import { LatchgateError } from '../model/errors.ts';
import type { Answer } from './answer.ts';
import type { Call } from './call.ts';
import {
  resourceTypeResource,
  type Served,
  type ServiceLimits,
  schemaResource,
  schemas,
  serviceProviderConfig,
} from './protocol/discovery.ts';
import { listResponse } from './protocol/list.ts';
import { resourceTypes } from './protocol/resource-types.ts';

/** What the service says of itself (RFC 7644 §4); undefined: not at this address. */
export function discovery(
  limits: ServiceLimits,
  base: string,
  first: string,
  second: string | undefined,
): ((call: Call) => Answer) | undefined {
  switch (first) {
    case 'ServiceProviderConfig':
      return second === undefined ? (call) => shown(call, serviceProviderConfig(limits, base)) : undefined;
    case 'ResourceTypes':
      return several(
        second,
        resourceTypes.map((type) => [type.name, resourceTypeResource(type, base)]),
      );
    case 'Schemas':
      return several(
        second,
        schemas.map((schema) => [schema.id, schemaResource(schema, base)]),
      );
    default:
      return undefined;
  }
}

function several(
  id: string | undefined,
  resources: readonly (readonly [id: string, resource: Served])[],
): (call: Call) => Answer {
  return (call) => {
    if (id !== undefined && id !== '') {
      const found = resources.find(([name]) => name.toLowerCase() === id.toLowerCase());
      if (found === undefined) throw new LatchgateError('not_found', 'there is no such resource');
      return shown(call, found[1]);
    }
    const all = resources.map(([, resource]) => resource);
    return shown(call, listResponse(all.length, { startIndex: 1, offset: 0, count: all.length }, all));
  };
}

/** What is discovered is not filtered, and whoever tries is told so (RFC 7644 §4). */
function shown(call: Call, body: unknown): Answer {
  if (call.query.has('filter')) throw new LatchgateError('route_forbidden', 'what is discovered is not filtered');
  return { status: 200, body };
}
