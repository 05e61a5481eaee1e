import { PATCH_OP } from '../../ops/scim/urns.ts';
import type { ScimObject } from './attribute.ts';
import { Draft, type PatchOp } from './draft.ts';
import { ScimError } from './error.ts';
import { isJsonObject, membersOf } from './json.ts';
import type { MembersChange } from './members.ts';
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
  const report = new Report();
  const draft = new Draft(type, attributes, report);
  for (const operation of readOperations(json)) apply(type, draft, operation);
  return {
    attributes: draft.attributes,
    members: draft.members,
    dropped: report.list(),
  };
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
  const schemas = members.get('schemas')?.value;
  if (schemas !== undefined && schemas !== null && !namesPatchOp(schemas)) {
    throw new ScimError('scim_syntax_invalid', `schemas lacks ${PATCH_OP}`);
  }
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

function namesPatchOp(schemas: unknown): boolean {
  const names: readonly unknown[] = Array.isArray(schemas) ? schemas : [schemas];
  return names.some((name) => typeof name === 'string' && name.toLowerCase() === PATCH_OP.toLowerCase());
}
