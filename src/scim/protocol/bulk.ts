import { BULK_REQUEST, BULK_RESPONSE } from '../../ops/scim/urns.ts';
import { type ErrorBody, errorBody, ScimError } from './error.ts';
import { isJsonObject, type JsonObject, membersOf } from './json.ts';
import { assertMessage } from './message.ts';
import { type ResourceType, resourceTypes } from './resource-types.ts';

export type BulkMethod = 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One operation that can be tried (RFC 7644 §3.7). */
export interface BulkOperation {
  /** Where it stands in the request, from 0: answers stand in that order. */
  readonly index: number;
  readonly method: BulkMethod;
  readonly bulkId: string | undefined;
  readonly type: ResourceType;
  /** Undefined for a POST. `bulkId:x` until `withReferences` has put in the id. */
  readonly id: string | undefined;
  /** The entity tag that the resource has to have, as in If-Match. */
  readonly version: string | undefined;
  readonly data: unknown;
}

/** One that cannot: not built as it should be, or it needs others that cannot be done before it. */
export interface RefusedOperation {
  readonly index: number;
  readonly method: string | undefined;
  readonly bulkId: string | undefined;
  readonly error: ScimError;
}

export interface BulkRequest {
  /** After so many errors the rest is left undone; undefined: all are tried. */
  readonly failOnErrors: number | undefined;
  /** In the order in which they are to be done: those that others refer to come before them (§3.7.2). */
  readonly operations: readonly (BulkOperation | RefusedOperation)[];
}

/** How one operation went. */
export interface BulkResult {
  readonly index: number;
  readonly method: string | undefined;
  readonly bulkId?: string | undefined;
  readonly location?: string | undefined;
  /** An entity tag. */
  readonly version?: string | undefined;
  readonly status: number;
  /** Of a failure. */
  readonly response?: ErrorBody;
}

const METHODS: ReadonlySet<string> = new Set<BulkMethod>(['POST', 'PUT', 'PATCH', 'DELETE']);
const REFERENCE = 'bulkId:';
/** Deeper than any reference stands in a resource or a patch of one. */
const MAX_DEPTH = 16;

/** Throws ScimError for the request as a whole: `scim_syntax_invalid`, `scim_value_invalid`, `scim_too_large`. */
export function readBulk(json: unknown, limits: { readonly operations: number }): BulkRequest {
  if (!isJsonObject(json)) throw new ScimError('scim_syntax_invalid', 'the body is not an object');
  const members = membersOf(json, 'the request');
  assertMessage(members.get('schemas')?.value, BULK_REQUEST);
  const list = members.get('operations')?.value;
  if (!Array.isArray(list)) throw new ScimError('scim_syntax_invalid', 'Operations is not a list');
  if (list.length > limits.operations) {
    throw new ScimError('scim_too_large', `more than ${limits.operations} operations`);
  }
  return {
    failOnErrors: readFailOnErrors(members.get('failonerrors')?.value),
    operations: inOrder(list.map(readOperation)),
  };
}

function readFailOnErrors(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return Math.max(1, value);
  throw new ScimError('scim_value_invalid', 'failOnErrors is not a whole number');
}

function readOperation(json: unknown, index: number): BulkOperation | RefusedOperation {
  let method: string | undefined;
  let bulkId: string | undefined;
  try {
    if (!isJsonObject(json)) throw new ScimError('scim_syntax_invalid', 'an operation is not an object');
    const members = membersOf(json, 'an operation');
    const textOf = (name: string): string | undefined => {
      const value = members.get(name)?.value ?? undefined;
      if (value === undefined || typeof value === 'string') return value;
      throw new ScimError('scim_syntax_invalid', `${name} of an operation is not a text`);
    };
    bulkId = textOf('bulkid');
    method = textOf('method')?.toUpperCase();
    if (!isMethod(method)) throw new ScimError('scim_syntax_invalid', 'method is not POST, PUT, PATCH or DELETE');
    const { type, id } = readPath(textOf('path') ?? '');
    if (method === 'POST' && !bulkId) throw new ScimError('scim_syntax_invalid', 'a POST needs a bulkId');
    if ((method === 'POST') !== (id === undefined)) {
      throw new ScimError('scim_path_invalid', `the path of a ${method} does not fit it`);
    }
    const data = members.get('data')?.value;
    return { index, method, bulkId, type, id, version: textOf('version'), data };
  } catch (thrown) {
    if (thrown instanceof ScimError) return { index, method, bulkId, error: thrown };
    throw thrown;
  }
}

function isMethod(text: string | undefined): text is BulkMethod {
  return text !== undefined && METHODS.has(text);
}

/** `/Users`, `/Users/2819c223`. */
function readPath(path: string): { readonly type: ResourceType; readonly id: string | undefined } {
  const [name, id, ...further] = path.replace(/^\//, '').split('/');
  const type = resourceTypes.find(({ endpoint }) => endpoint === `/${name}`);
  if (type === undefined || id === '' || further.length > 0) {
    throw new ScimError('scim_path_invalid', 'the path of an operation is not that of a resource');
  }
  try {
    return { type, id: id === undefined ? undefined : decodeURIComponent(id) };
  } catch (cause) {
    throw new ScimError('scim_path_invalid', 'the path of an operation is not encoded well', { cause });
  }
}

/** Puts those that are referred to before those that refer, and else leaves the order as it is. */
function inOrder(
  operations: readonly (BulkOperation | RefusedOperation)[],
): readonly (BulkOperation | RefusedOperation)[] {
  const makers = makersOf(operations);
  const ordered: (BulkOperation | RefusedOperation)[] = [];
  const missing = new Map<number, number>();
  const waiting = new Map<number, number[]>();
  for (const one of operations) {
    const needs = 'error' in one ? [] : [...referencesIn([one.id, one.data])].map((bulkId) => makers.get(bulkId));
    missing.set(one.index, needs.length);
    for (const maker of needs) {
      if (maker === undefined) continue;
      const waiters = waiting.get(maker);
      if (waiters === undefined) waiting.set(maker, [one.index]);
      else waiters.push(one.index);
    }
  }
  const done = new Set<number>();
  for (const { index } of operations) {
    const ready = missing.get(index) === 0 ? [index] : [];
    for (const next of ready) {
      const operation = operations[next];
      if (operation === undefined || done.has(next)) continue;
      done.add(next);
      ordered.push(operation);
      for (const waiter of waiting.get(next) ?? []) {
        const left = (missing.get(waiter) ?? 0) - 1;
        missing.set(waiter, left);
        // Those that are still to come keep their place.
        if (left === 0 && waiter < index) ready.push(waiter);
      }
    }
  }
  return [...ordered, ...operations.filter(({ index }) => !done.has(index)).map((one) => unmet(one, makers))];
}

/** Which operation makes the resource of a bulkId. Throws `scim_value_invalid` for two of one bulkId. */
function makersOf(operations: readonly (BulkOperation | RefusedOperation)[]): ReadonlyMap<string, number> {
  const makers = new Map<string, number>();
  for (const { index, method, bulkId } of operations) {
    if (bulkId === undefined || method !== 'POST') continue;
    if (makers.has(bulkId)) throw new ScimError('scim_value_invalid', 'two operations have the same bulkId');
    makers.set(bulkId, index);
  }
  return makers;
}

function unmet(one: BulkOperation | RefusedOperation, makers: ReadonlyMap<string, number>): RefusedOperation {
  if ('error' in one) return one;
  const { index, method, bulkId, id, data } = one;
  const isUnknown = [...referencesIn([id, data])].some((reference) => !makers.has(reference));
  const error = isUnknown
    ? new ScimError('scim_value_invalid', 'no operation has the bulkId that is referred to')
    : new ScimError('scim_reference_circular', 'the operations refer to each other in a circle');
  return { index, method, bulkId, error };
}

/**
 * The operation with ids in the place of `bulkId:x`. `ids` are those of the operations done so far, by bulkId. Throws
 * `scim_value_invalid` when what it refers to was not made.
 */
export function withReferences(operation: BulkOperation, ids: ReadonlyMap<string, string>): BulkOperation {
  const replace = (text: string): string => {
    const bulkId = referenceOf(text);
    if (bulkId === undefined) return text;
    const id = ids.get(bulkId);
    if (id === undefined) throw new ScimError('scim_value_invalid', 'the operation that is referred to has failed');
    return id;
  };
  const { id, data } = operation;
  return { ...operation, id: id === undefined ? undefined : replace(id), data: mapTexts(data, replace, 0) };
}

function referencesIn(json: unknown): ReadonlySet<string> {
  const references = new Set<string>();
  mapTexts(
    json,
    (text) => {
      const bulkId = referenceOf(text);
      if (bulkId !== undefined) references.add(bulkId);
      return text;
    },
    0,
  );
  return references;
}

function referenceOf(text: string): string | undefined {
  return text.startsWith(REFERENCE) ? text.slice(REFERENCE.length) : undefined;
}

function mapTexts(json: unknown, map: (text: string) => string, depth: number): unknown {
  if (typeof json === 'string') return map(json);
  if (depth > MAX_DEPTH) return json;
  if (Array.isArray(json)) return json.map((one: unknown) => mapTexts(one, map, depth + 1));
  if (!isJsonObject(json)) return json;
  const mapped: JsonObject = Object.fromEntries(
    Object.entries(json).map(([name, value]) => [name, mapTexts(value, map, depth + 1)]),
  );
  return mapped;
}

/** The answer, in the order of the request; operations that were not tried are not in it (RFC 7644 §3.7.3). */
export function bulkResponse(results: readonly BulkResult[]): JsonObject {
  const operations = results
    .toSorted((one, other) => one.index - other.index)
    .map(({ method, bulkId, location, version, status, response }) => ({
      ...(location === undefined ? {} : { location }),
      ...(method === undefined ? {} : { method }),
      ...(bulkId === undefined ? {} : { bulkId }),
      ...(version === undefined ? {} : { version }),
      status: String(status),
      ...(response === undefined ? {} : { response }),
    }));
  return { schemas: [BULK_RESPONSE], Operations: operations };
}

/** The result of an operation that cannot be tried. */
export function refusedResult({ index, method, bulkId, error }: RefusedOperation): BulkResult {
  return { index, method, bulkId, status: error.status, response: errorBody(error) };
}
