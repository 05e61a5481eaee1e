import { type AttributePath, isKnownName, pathOf, resolveName } from './attribute-path.ts';
import { ScimError } from './error.ts';
import type { Filter } from './filter.ts';
import { parseValueFilter } from './parse-filter.ts';
import type { ResourceType } from './resource-types.ts';
import { Scanner } from './scanner.ts';

/** What an operation of a PATCH is about (RFC 7644 §3.5.2, figure 1, and a whole schema by its URN). */
export type PatchPath =
  /** `extension` undefined: the core schema. */
  | { readonly kind: 'schema'; readonly extension: string | undefined }
  | { readonly kind: 'attribute'; readonly path: AttributePath; readonly filter: Filter | undefined };

const MAX_PATH_CHARACTERS = 16_384;

/** Throws ScimError: `scim_path_invalid`, and `scim_filter_invalid` for what stands in brackets. */
export function parsePatchPath(type: ResourceType, text: string): PatchPath {
  if (text.length > MAX_PATH_CHARACTERS) {
    throw new ScimError('scim_path_invalid', `the path is longer than ${MAX_PATH_CHARACTERS} characters`);
  }
  const scanner = new Scanner(text.trim(), 'path');
  const name = scanner.word();
  const named = resolveName(type, name);
  if (named === undefined) {
    throw scanner.failure(isKnownName(name) ? 'this type of resource has no such attribute' : 'no schema has it');
  }
  if (named.kind === 'schema') {
    if (!scanner.isAtEnd) throw scanner.failure('the path should end here');
    return named;
  }
  const { path } = named;
  if (!scanner.isNext('[')) {
    if (!scanner.isAtEnd) throw scanner.failure('the path should end here');
    return { kind: 'attribute', path, filter: undefined };
  }
  if (path.sub !== undefined || path.attribute.type !== 'complex') {
    throw scanner.failure('only a complex attribute is followed by "["');
  }
  scanner.expect('[');
  const filter = parseValueFilter(scanner, path.attribute);
  scanner.expect(']');
  const sub = scanner.skip('.') ? path.attribute.subAttributes.get(scanner.word().toLowerCase()) : undefined;
  if (!scanner.isAtEnd || (text.trim().endsWith('.') && sub === undefined)) {
    throw scanner.failure('the path should end here');
  }
  if (sub === undefined && !text.trim().endsWith(']')) throw scanner.failure('there is no such sub-attribute');
  return { kind: 'attribute', path: sub === undefined ? path : pathOf(path.extension, path.attribute, sub), filter };
}
