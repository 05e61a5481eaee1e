import { PATCH_OP } from '../../ops/scim/urns.ts';
import type { ScimObject } from './attribute.ts';
import { Draft, type PatchOp } from './draft.ts';
import { ScimError } from './error.ts';
import { isJsonObject, membersOf } from './json.ts';
import type { MembersChange } from './members.ts';
import { assertMessage } from './message.ts';
import { parsePatchPath } from './patch-path.ts';
import { type Dropped, Report } from './report.ts';
import type { ResourceType } from './resource-types.ts';
import { invalid } from './value.ts';

export interface PatchResult {
  /** All that the resource then has; of a group without the members. */
  readonly attributes: ScimObject;
  /** Of a group, when an operation was about its members. */
  readonly members: MembersChange | undefined;
  readonly dropped: readonly Dropped[];
}

/** One operation as it was sent (RFC 7644 §3.5.2). */
interface Operation {
  readonly op: PatchOp;
  readonly path: string | undefined;
  /** Undefined: there is none, which null is not. */
  readonly value: unknown;
}

const MAX_OPERATIONS = 10_000;
const OPS: ReadonlySet<string> = new Set<PatchOp>(['add', 'replace', 'remove']);

/**
 * Does the operations of a PATCH (RFC 7644 §3.5.2) to the attributes as `readBody` gave them; all or none. The members
 * of a group are not needed for it. Throws ScimError.
 */
export function applyPatch(type: ResourceType, attributes: ScimObject, json: unknown): PatchResult {
  const operations = readOperations(json);
  const report = new Report();
  const draft = new Draft(type, attributes, report);
  try {
    for (const operation of operations) apply(type, draft, operation);
  } catch (thrown) {
    const away = isRefused(thrown) ? switchedOff(type, attributes, operations) : undefined;
    if (away === undefined) throw thrown;
    return away;
  }
  return resultOf(draft, report);
}

/**
 * The same of a resource that is sent whole (PUT) and cannot be read as one. undefined: nobody is switched off by it, or it
 * is refused for how much it is.
 */
export function switchedOffBy(
  type: ResourceType,
  attributes: ScimObject,
  json: unknown,
  thrown: unknown,
): PatchResult | undefined {
  if (!isRefused(thrown) || !isJsonObject(json)) return undefined;
  return switchedOff(type, attributes, [{ op: 'replace', path: undefined, value: json }]);
}

function resultOf(draft: Draft, report: Report): PatchResult {
  return {
    attributes: draft.attributes,
    members: draft.members,
    dropped: report.list(),
  };
}

/**
 * Who leaves has to be out, whatever else the request says that cannot be done: a path that a dialect makes up, a filter
 * that fits nothing. Then what can be done is, attribute by attribute, and the rest is reported. undefined: nobody is
 * switched off by it, and the request fails as a whole (RFC 7644 §3.5.2).
 */
function switchedOff(
  type: ResourceType,
  attributes: ScimObject,
  operations: readonly Operation[],
): PatchResult | undefined {
  if (attributes['active'] === false || !type.attributes.has('active')) return undefined;
  const report = new Report();
  const draft = new Draft(type, attributes, report);
  for (const operation of operations.flatMap(oneByOne)) {
    try {
      apply(type, draft, operation);
    } catch (thrown) {
      if (!isRefused(thrown)) throw thrown;
      report.add(nameOf(operation), 'refused');
    }
  }
  return draft.attributes['active'] === false ? resultOf(draft, report) : undefined;
}

/** Of an operation without a path each attribute. */
function oneByOne(operation: Operation): readonly Operation[] {
  const { path, value } = operation;
  if (path !== undefined || !isJsonObject(value)) return [operation];
  return Object.entries(value).map(([name, one]) => ({ ...operation, value: { [name]: one } }));
}

function nameOf({ op, path, value }: Operation): string {
  const [name] = isJsonObject(value) ? Object.keys(value) : [];
  return path ?? name ?? op;
}

/** For what it says, not for how much that is. */
function isRefused(thrown: unknown): boolean {
  return thrown instanceof ScimError && thrown.status === 400;
}

function apply(type: ResourceType, draft: Draft, { op, path, value }: Operation): void {
  if (op === 'remove') {
    if (path === undefined) throw new ScimError('scim_no_target', 'a remove needs a path');
    draft.remove(parsePatchPath(type, path), value);
    return;
  }
  if (value === undefined) throw invalid('value', `of ${op} is missing`);
  if (path !== undefined) draft.assign(op, parsePatchPath(type, path), value, 'refuse');
  else if (isJsonObject(value)) draft.assignAll(op, value);
  else throw invalid('value', `of ${op} without a path is not an object`);
}

function readOperations(json: unknown): readonly Operation[] {
  if (!isJsonObject(json)) throw new ScimError('scim_syntax_invalid', 'the body is not an object');
  const members = membersOf(json, 'the request');
  assertMessage(members.get('schemas')?.value, PATCH_OP);
  const operations = members.get('operations')?.value;
  if (!Array.isArray(operations) || operations.length === 0) {
    throw new ScimError('scim_syntax_invalid', 'Operations is not a list of operations');
  }
  if (operations.length > MAX_OPERATIONS) {
    throw new ScimError('scim_too_large', `more than ${MAX_OPERATIONS} operations`);
  }
  return operations.map(readOperation);
}

function readOperation(json: unknown): Operation {
  if (!isJsonObject(json)) throw new ScimError('scim_syntax_invalid', 'an operation is not an object');
  const members = membersOf(json, 'an operation');
  const op = members.get('op')?.value;
  const lower = typeof op === 'string' ? op.toLowerCase() : '';
  if (!isOp(lower)) throw new ScimError('scim_syntax_invalid', 'op is not add, replace or remove');
  const path = members.get('path')?.value ?? undefined;
  if (path !== undefined && typeof path !== 'string') throw new ScimError('scim_path_invalid', 'a path is not a text');
  return { op: lower, path, value: members.get('value')?.value };
}

function isOp(text: string): text is PatchOp {
  return OPS.has(text);
}
